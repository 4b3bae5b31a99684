"""`examples/ci` does what its how-to says: it ends with 0 against a good backend, and names what is wrong with a bad one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from sim.csms.server import Csms

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "ci"


async def run(*command: str, cwd: Path, **more: str) -> tuple[int | None, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, "PATH": path, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, out.decode()


def counted(junit: Path) -> dict[str, int]:
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite is not None
    return {name: int(suite.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")}


def test_ten_chargers_against_a_good_backend(tmp_path: Path) -> None:
    status, out = asyncio.run(run("sh", str(EXAMPLE / "run.sh"), "results", cwd=tmp_path))
    assert status == 0, out
    results = tmp_path / "results"
    assert counted(results / "junit.xml") == {"tests": 3, "failures": 0, "errors": 0, "skipped": 0}
    lines = [json.loads(line) for line in (results / "answers.jsonl").read_text().splitlines()]
    answers = [line for line in lines if "ok" in line and "who" not in line]
    assert len(answers) == 80 and all(answer["ok"] for answer in answers)
    assert {answer["station"] for answer in answers} == {f"CI{number}" for number in range(1, 11)}
    closed = json.loads((results / "csms.jsonl").read_text().splitlines()[-1])["closed"]
    assert (closed["transactions"], closed["open"], closed["violations"]) == (30, 0, 0) and closed["wh"] > 0
    ended = [line for line in (results / "events.jsonl").read_text().splitlines() if "session-ended" in line]
    assert len(ended) == 10
    assert (results / "frames.jsonl").stat().st_size > 0


def test_a_backend_that_takes_any_card_is_found(tmp_path: Path) -> None:
    async def play() -> tuple[int | None, str]:
        tests = ("-m", "pytest", "-q", str(EXAMPLE / "test_backend.py"), "--junitxml", "junit.xml", "-k", "unknown")
        async with Csms() as csms:
            return await run(sys.executable, *tests, cwd=tmp_path, CSMS_URL=csms.url)

    status, out = asyncio.run(play())
    assert status == 1, out
    assert counted(tmp_path / "junit.xml") == {"tests": 1, "failures": 1, "errors": 0, "skipped": 0}
    assert "10 of 10 chargers" in out and out.count("'Accepted' != 'Accepted'") == 10 and "charger CI10" in out


def test_a_button_that_does_not_work_is_the_exit_status(tmp_path: Path) -> None:
    """It is told for each charger, and the tests are run all the same."""

    async def play() -> tuple[int | None, str]:
        (tmp_path / "run.sh").write_text((EXAMPLE / "run.sh").read_text())
        (tmp_path / "test_backend.py").write_text("def test_nothing(): pass\n")
        (tmp_path / "buttons.txt").write_text('{"do": "wait", "online": true}\n{"do": "plug", "slot": 7}\n')
        async with Csms() as csms:
            return await run("sh", "run.sh", cwd=tmp_path, CSMS_URL=csms.url)

    status, out = asyncio.run(play())
    assert status == 1, out
    assert out.count("slot: 7 is not there") == 10 and "1 passed" in out


def test_the_workflow_names_files_that_are_there() -> None:
    workflow = yaml.safe_load((EXAMPLE / "github-actions.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["chargers"]["steps"]
    commands = " ".join(step["run"] for step in steps if "run" in step)
    named = [word.removeprefix("ev-station/") for word in commands.split() if word.endswith((".sh", ".lock"))]
    assert named == ["requirements/dev.lock", "examples/ci/run.sh"]
    assert all((ROOT / one).exists() for one in named)
