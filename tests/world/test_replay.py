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
from sim.replay import telling
from sim.runs import Counterexample, load, replay_log, run, save
from sim.trace import Line
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


def test_it_tells_the_plan_and_what_led_to_the_break(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where nothing breaks any more: what came before it then, and what the board said."""
    example = load(found)
    assert main(["replay", str(found)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"seed {example.seed}, two-sockets-22kw, {example.plan.for_s:g} s"
    assert len([line for line in told[: told.index("")] if "  plug slot " in line]) == 2
    broke = next(n for n, line in enumerate(told) if line.endswith("-- then it broke here"))
    assert any("< slot " in line for line in told[broke - 5 : broke])
    assert len(told) - broke < 12
    assert not any("Heartbeat" in line or line.endswith("< answer") for line in told)
    assert main(["replay", "--all", str(found)]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 2 * len(told)


def test_values_that_others_follow_are_left_out() -> None:
    said = ["< slot 1: register 1 mWh", "< slot 2: register 5 mWh", "< slot 1: register 2 mWh", "< slot 1: pilot B"]
    frames = ['> [2,"a","Heartbeat",{}]', '< [3,"a",{"currentTime":"x"}]', '< [3,"b",{}]', '< [3,"c",{"status":"y"}]']
    lines = [Line(n, "CP1", "board", what) for n, what in enumerate(said)]
    lines += [Line(9, "CP1", "link", frame) for frame in frames]
    assert [line.what for line in telling(lines)] == [*said[1:], frames[3]]


def test_two_stations_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    pair = next(path for path in REGRESSIONS if len(load(path).plan.shape.stations) == 2)
    assert main(["replay", str(pair)]) == 0
    told = capsys.readouterr().out
    assert "CP1 > " in told and "CP2 > " in told


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


def test_a_file_of_another_version(found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan that names what is not there is no plan here; a log that means nothing here is told, and the plan is played all the same."""
    example = load(found)
    shape = msgspec.structs.replace(example.plan.shape, stations=("two-sockets-99kw",))
    gone = msgspec.structs.replace(example, plan=msgspec.structs.replace(example.plan, shape=shape))
    assert main(["replay", str(save(gone, tmp_path))]) == 2
    assert "shape.stations[0]: there is no template 'two-sockets-99kw'" in capsys.readouterr().err
    headless = msgspec.structs.replace(example, logs={"CP1": example.logs["CP1"][1:]})
    for strange, why in (
        (headless, "it does not begin with a boot"),
        (msgspec.structs.replace(example, logs={}), "none"),
    ):
        assert main(["replay", str(save(strange, tmp_path))]) == 0
        assert f"the log of CP1 cannot be replayed, it is of another version: ValueError('{why}" in (
            capsys.readouterr().out.replace("there is none", "none")
        )


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
