"""Counterexamples are files: a planted mistake is found, written, replayed as it was, shown and drawn; mended, it is told to be mended.

And every file in `tests/regressions`, each a bug that our station once had, keeps its promise for ever and still reaches what it did.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from sim.checkers.all import every
from sim.cli import main
from sim.runs import Counterexample, load, replay_log, run, save
from tests.mutants.run import MOST, ROOT, broken, environment, hunt, planted
from tests.mutants.run import load as mutants

REGRESSIONS = sorted((Path(__file__).parent.parent / "regressions").glob("*.json"))
PLANTED = next(m for m in mutants() if m.name.startswith("stop reading from a stale sample"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The counterexample of a station with a mistake in it, as hunted down by the swarm."""
    out = tmp_path_factory.mktemp("found")
    hunted = hunt(PLANTED, 40, out)
    assert hunted.seeds
    assert hunted.size <= MOST
    yield Path(hunted.file)


def test_it_holds_everything_that_a_reader_needs(found: Path) -> None:
    example = load(found)
    assert example.promise == PLANTED.promise
    assert "transaction ended" in example.sentence
    assert example.logs["CP1"]
    assert example.tail
    assert example.effects
    assert found.name == f"{example.name}.json"


def test_the_broken_station_breaks_it_again_and_its_log_tells_the_same_story(found: Path) -> None:
    with planted(PLANTED) as copy:
        done = subprocess.run(
            [sys.executable, "-m", "sim.cli", "replay", str(found)],
            cwd=copy,
            env=environment(copy),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert f"now:  {PLANTED.promise}" in done.stdout
    assert "the log of CP1 gives the same effects as then" in done.stdout


def test_mended_the_promise_holds(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    assert main(["replay", str(found)]) == 0
    assert time.process_time() - began < 1
    told = capsys.readouterr().out
    assert f"then: {PLANTED.promise}" in told
    assert "now:  no promise is broken" in told
    assert "the log of CP1 gives other effects today" in told
    assert "people and world" in told


def test_for_machines_it_is_json(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--json", str(found)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["promise"] == ""
    assert told["same_story"] == {"CP1": False}
    assert told["missed_marks"] == []


def test_it_is_drawn(found: Path, tmp_path: Path) -> None:
    assert main(["replay", str(found), "--out", str(tmp_path / "story.svg")]) == 0
    texts = [text.text or "" for text in ElementTree.parse(tmp_path / "story.svg").getroot().iter() if text.text]
    assert any(text.startswith(PLANTED.promise) for text in texts)
    assert "link and CSMS" in texts
    assert main(["replay", str(found), "--out", str(tmp_path / "story.html")]) == 0
    page = (tmp_path / "story.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "The plan" in page


def test_neither_a_picture_of_another_kind_nor_a_file_that_is_none(
    found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(found), "--out", str(tmp_path / "story.pdf")]) == 2
    assert main(["replay", str(tmp_path / "nothing.json")]) == 2
    (tmp_path / "other.json").write_text('{"seed": "one"}', encoding="utf-8")
    assert main(["replay", str(tmp_path / "other.json")]) == 2
    assert "seed" in capsys.readouterr().err


def test_marks_that_are_not_reached_any_more_make_it_stale(
    found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load(found)
    stale = msgspec.structs.replace(example, marks=[*example.marks, "a situation of old"])
    assert main(["replay", str(save(stale, tmp_path))]) == 3
    assert "stale: it no longer reaches a situation of old" in capsys.readouterr().out


def test_every_planted_mistake_has_its_place_and_its_promise() -> None:
    """What `make worlds` hunts for is still there to be planted: exactly once, as Python, judged by a promise that exists."""
    names = {promise.name for promise in every()}
    for mutant in mutants():
        compile(broken(mutant, (ROOT / mutant.file).read_text(encoding="utf-8")), mutant.file, "exec")
        assert mutant.promise in names
    assert len(mutants()) >= 25


def test_there_are_regressions() -> None:
    assert REGRESSIONS


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_once_failed_holds_for_ever(path: Path) -> None:
    example: Counterexample = load(path)
    outcome, _ = run(example.seed, example.plan)
    assert (outcome.promise, outcome.sentence) == ("", ""), f"once: {example.promise}: {example.sentence}"
    assert outcome.armed[example.promise], "stale: the promise does not come into it"
    assert set(example.marks) <= set(outcome.marks), "stale: it does not reach what it did"
    assert all(replay_log(example, station) for station in example.logs)
