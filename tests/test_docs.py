"""The commands in the docs are run, page by page, so that they stay true.

A block preceded by `<!-- run -->` must end with status 0, `<!-- run: status N -->` with N; `<!-- run: background -->` goes on until
the page ends; `<!-- run: needs TOOL -->` is left out where there is no such tool. `<!-- file: NAME -->` writes the block to a file, and
`<!-- port: N -->` says that N is a port of this page: a free one stands in for it, and readers may do the same. Blocks of commands that
cannot be run here say why: `<!-- not run: WHY -->`. A page runs in a folder of its own, with the tree's docs, examples and plans in it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"<!-- (run|file)(?:: ([^>]*?))? -->\n```\w*\n(.*?)```", re.DOTALL)
PORT = re.compile(r"<!-- port: (\d+) -->\n")
UNMARKED = re.compile(r"(?<! -->)\n```(?:sh|bash|console)\n(.*?)```", re.DOTALL)
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [p for p in [ROOT / "README.md", *DOCS] if "<!-- run" in p.read_text(encoding="utf-8")]
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]+)?\)")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_there_are_pages_with_commands() -> None:
    assert PAGES


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_no_command_of_a_page_goes_unnoticed(page: Path) -> None:
    assert UNMARKED.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS], ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Pages and files of this tree; headings of pages too."""
    for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        there = page.parent / target
        assert there.exists(), f"{target} is not there"
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading[1:] in anchors, f"{target} has no {heading}"


def with_free_ports(text: str) -> str:
    for port in PORT.findall(text):
        with socket.create_server(("127.0.0.1", 0)) as free:
            text = text.replace(port, str(free.getsockname()[1]))
    return PORT.sub("", text)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_commands_of_a_page_do_what_they_say(page: Path, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    for folder in ("docs", "examples", "plans"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    running: list[subprocess.Popen[bytes]] = []
    try:
        for kind, how, text in BLOCK.findall(with_free_ports(page.read_text(encoding="utf-8"))):
            if kind == "file":
                (tmp_path / how).write_text(text, encoding="utf-8")
            elif how == "background":
                running.append(
                    subprocess.Popen(
                        ["sh", "-ec", text],
                        cwd=tmp_path,
                        env=environment,
                        start_new_session=True,
                        stdout=subprocess.DEVNULL,
                    )
                )
            elif not how.startswith("needs ") or shutil.which(how.removeprefix("needs ")):
                status = int(how.removeprefix("status ")) if how.startswith("status ") else 0
                done = subprocess.run(
                    ["sh", "-ec", text],
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                assert done.returncode == status, f"{text}\n{done.stdout}\n{done.stderr}"
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
