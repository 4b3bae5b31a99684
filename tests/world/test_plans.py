"""The plans of `plans/` in the world, each with what it expects; and `station-sim world`, which plays them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from sim import cli, expect, world_cli
from sim.checkers import Broken, Checker
from sim.checkers.all import every
from sim.plan import Plan, Plug, Tap
from sim.plan_check import load

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
FIRST = next(path for path in PLANS if path.stem == "first-session")


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_plan_is_what_it_says(path: Path, seed: int) -> None:
    played = world_cli.play(path.name, load(path), seed)
    assert [verdict.why for verdict in played.verdicts if verdict.result != "passed"] == []
    assert len(played.verdicts) == len(load(path).expect) + 1 > 3


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_where_nothing_happens_is_not_what_it_says(path: Path) -> None:
    """Without its actions and faults a plan fails: what it expects is due to them."""
    idle = msgspec.structs.replace(load(path), actions=(), faults=())
    assert not world_cli.play(path.name, idle, 1).passed


def test_there_is_a_dozen_and_each_tells_what_it_is() -> None:
    assert len(PLANS) >= 12
    assert all(path.read_text().startswith("# ") for path in PLANS)


CHARGE = Plan(
    for_s=120,
    actions=(Plug(at_s=5), Tap(at_s=10, card="04A1"), Tap(at_s=100, card="04A1")),
    expect=(
        expect.Power(name="sooner", at_s=60),
        expect.Power(name="no", energised=False, at_s=60),
        expect.Transaction(name="later", reason="Local", count=1),
    ),
)


def results(plan: Plan) -> dict[str, str]:
    return {verdict.name: verdict.result for verdict in world_cli.play("p", plan, 1).verdicts}


def test_an_expectation_that_is_not_met_fails() -> None:
    assert results(CHARGE) == {"promises": "passed", "sooner": "passed", "no": "failed", "later": "passed"}


def test_what_happens_after_the_end_does_not_count() -> None:
    """The world comes to rest after `for_s`: people leave, and what ran is ended by the operator."""
    left = msgspec.structs.replace(
        CHARGE, actions=CHARGE.actions[:2], expect=(expect.Transaction(ended=False, count=1),)
    )
    assert list(results(left).values()) == ["passed", "passed"]


class Sceptic(Checker):
    """Breaks its promise at 80 s."""

    name = "never later than 80 s"

    def looked(self, world: Any) -> None:
        if world.clock.now().mono_ns >= 80e9:
            raise Broken(self.name, "it is later", world.clock.now().mono_ns)


def test_a_broken_promise_fails_and_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.runs.every", lambda: [*every(), Sceptic()])
    assert results(CHARGE) == {"promises": "failed", "sooner": "passed", "no": "failed", "later": "skipped"}
    promise = world_cli.play("p", CHARGE, 1).verdicts[0]
    assert "never later than 80 s: it is later, at 90" in promise.why


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_story_and_the_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["world", str(FIRST)]) == 0
    out = capsys.readouterr().out
    story = [
        "0:00:10.000  people  plug slot 1 car zoe-r110",
        "-> Authorize idTag 04A1B2C3 = Accepted",
        "power   slot 1 energised",
        "event   session-ended slotNumber 1 card 04A1B2C3 energyWh",
        "0:10:30.000  people  unplug slot 1",
        "ok      promises",
        "ok      slot 1 is Charging at the CSMS by 60 s",
        "1 run, 10 expectations: 10 met",
    ]
    places = [out.find(line) for line in story]
    assert -1 not in places and places == sorted(places)
    assert cli.main(["world", str(FIRST)]) == 0
    assert capsys.readouterr().out == out  # the same file and seed tell the same story


def test_many_seeds_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["world", str(FIRST), "--seed", "5", "--seeds", "2", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["seed"] for run in told["runs"]] == [5, 6] and told["passed"] is True
    out = tmp_path / "r.xml"
    assert cli.main(["world", str(FIRST), "--format", "junit", "--out", str(out)]) == 0
    (suite,) = ElementTree.parse(out).getroot()
    names = [case.attrib["name"] for case in suite.iter("testcase")]
    assert names[0] == "promises" and len(names) == 10
    assert capsys.readouterr().out.startswith("1 run, 10 expectations: 10 met; ")


def test_a_long_run_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sim.world_cli.SELDOM_S", 0.0)
    monkeypatch.setattr("sim.expect_world.EVERY", 16)
    world_cli.play("long.yaml", msgspec.structs.replace(CHARGE, for_s=36_000.0), 3)
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"long.yaml \(seed 3\): \d\.\d of 10\.0 h, \d+ % after 0 s", told[0])
    assert told[-1] == "long.yaml (seed 3): comes to rest after 0 s"


def test_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "unmet.yaml"
    bad.write_text("for_s: 60\nexpect: [{that: power, at_s: 30}]\n")
    assert cli.main(["world", str(bad), str(FIRST)]) == 1
    out = capsys.readouterr().out
    assert "FAILED  slot 1 is energised at 30 s: it was without power at 30 s" in out
    assert "BootNotification" in out and "tap" not in out  # of many, only the story of what failed
    none = tmp_path / "none.yaml"
    assert cli.main(["world", str(none)]) == 2
    assert capsys.readouterr().err == f"{none}: cannot be read (No such file or directory)\n"
    for more in (["--seeds", "0"], ["--out", str(tmp_path / "no" / "where")]):
        assert cli.main(["world", str(FIRST), *more]) == 2
