"""The commands in the docs are run, page by page, so that they stay true.

A block preceded by `<!-- run -->` must end with status 0, `<!-- run: status N -->` with N, `<!-- run: background -->` goes on until
the page ends; `<!-- file: NAME -->` writes the block to a file.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"<!-- (run|file)(?:: ([^>]*?))? -->\n```\w*\n(.*?)```", re.DOTALL)
PAGES = sorted(
    p for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")] if "<!-- run" in p.read_text(encoding="utf-8")
)


def test_there_are_pages_with_commands() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_do_what_they_say(page: Path, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    running: list[subprocess.Popen[bytes]] = []
    try:
        for kind, how, text in BLOCK.findall(page.read_text(encoding="utf-8")):
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
            else:
                status = int(how.removeprefix("status ")) if how else 0
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
