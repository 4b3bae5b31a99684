"""Two hunters: Hypothesis, which shrinks, and the swarm, which covers. Whatever a plan holds, every promise is kept.

`make worlds` hunts for longer. Not here: the promises (`sim/checkers`), whether they find anything (`tests/mutants`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.misfortunes import CARDS, CARS
from sim.plan import CsmsFault, Plan, PowerCut, Shape, to_json
from sim.profiles import PROFILES
from sim.runs import run
from sim.swarm import draw
from sim.vehicle import Vehicle
from sim.world import World
from tests.strategies import SETTINGS, TEMPLATES, plans

LONG: Final = os.environ.get("WORLDS") == "1"  # make worlds
HUNT: Final = settings(
    max_examples=1000 if LONG else 25,
    stateful_step_count=40 if LONG else 20,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def told(seed: int, plan: Plan) -> str:
    """What was broken, in words; empty: nothing."""
    outcome, _ = run(seed, plan)
    return f"{outcome.promise}: {outcome.sentence}\n{to_json(plan).decode()}" if outcome.promise else ""


@HUNT
@given(plans())
def test_whatever_happens_every_promise_is_kept(plan: Plan) -> None:
    assert not told(1, plan)


@pytest.mark.parametrize("first", range(1, 201 if LONG else 41, 10))
def test_the_swarm_finds_nothing(first: int) -> None:
    assert [told(seed, draw(seed)) for seed in range(first, first + 10)] == [""] * 10


class Street(RuleBasedStateMachine):
    """People, an operator and bad luck, one step at a time, each knowing what the one before has come to."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self.wrong: list[CsmsFault] = []

    @initialize(template=st.sampled_from(TEMPLATES), name=st.sampled_from(sorted(SETTINGS)), other=st.booleans())
    def opens(self, template: str, name: str, other: bool) -> None:
        plan = Plan(shape=Shape(stations=(template,), settings={name: SETTINGS[name][other]}))
        self.world = World(1, plan, checkers=every(), csms=Oracle(1))
        self.world.run(10)

    @property
    def slots(self) -> list[int]:
        return [slot.number for slot in self.world.boards["CP1"].slots]

    @rule(data=st.data(), car=st.sampled_from(CARS), soc_percent=st.sampled_from((40, 98)))
    def plug(self, data: st.DataObject, car: str, soc_percent: int) -> None:
        board = self.world.boards["CP1"]
        number = data.draw(st.sampled_from(self.slots))
        if board.slot(number).vehicle is None and not board.slot(number).cable:
            board.plug(number, Vehicle(PROFILES[car], soc_percent * 10))

    @rule(card=st.sampled_from(CARDS))
    def tap(self, card: str) -> None:
        self.world.boards["CP1"].present(card)

    @rule(data=st.data())
    def unplug(self, data: st.DataObject) -> None:
        self.world.boards["CP1"].unplug(data.draw(st.sampled_from(self.slots)))

    @rule(data=st.data())
    def drive_off(self, data: st.DataObject) -> None:
        self.world.boards["CP1"].drive_off(data.draw(st.sampled_from(self.slots)))

    @precondition(lambda self: self.world.units["CP1"].core is not None)
    @rule(effect=st.integers(0, 12), for_s=st.sampled_from((20.0, 1.0, 300.0)))
    def cut_power(self, effect: int, for_s: float) -> None:
        cut = PowerCut(at_s=0.0, for_s=for_s, effect=effect)
        self.world.arm_cut(self.world.units["CP1"], cut)

    @rule(there=st.booleans())
    def network(self, there: bool) -> None:
        self.world.network(there)

    @rule(fault=st.builds(CsmsFault, at_s=st.just(0.0), how=st.sampled_from(("silent", "error", "late"))))
    def csms_fails(self, fault: CsmsFault) -> None:
        self.world.csms.misbehave("CP1", fault)
        self.wrong.append(fault)

    @precondition(lambda self: bool(self.wrong))
    @rule()
    def csms_mends(self) -> None:
        self.world.csms.behave("CP1", self.wrong.pop())

    @rule(seconds=st.sampled_from((1.0, 5.0, 65.0, 600.0)))
    def advance(self, seconds: float) -> None:
        self.world.run(seconds)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.network(True)
            for fault in self.wrong:
                self.world.csms.behave("CP1", fault)
            self.world.heal()
            self.world.settle()


TestStreet = pytest.mark.filterwarnings("default")(Street.TestCase)
TestStreet.settings = HUNT

PRINTS: Final = """
import sys
from sim.runs import run
from sim.swarm import draw
for seed in map(int, sys.argv[1:]):
    outcome, _ = run(seed, draw(seed))
    print(seed, outcome.trace, outcome.armed, outcome.marks)
"""


def test_the_same_seed_tells_the_same_story_in_another_process() -> None:
    """Whole runs, with oracle and checkers: neither the order of sets nor addresses nor what ran before play a part."""
    seeds = ("3", "7", "11", "12")
    first, second = (
        subprocess.run(
            [sys.executable, "-c", PRINTS, *order],
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for number, order in (("1", seeds), ("4711", seeds[::-1]))
    )
    assert len(first) == len(seeds)
    assert sorted(first) == sorted(second)


def test_checkers_and_the_length_of_a_trace_move_nothing() -> None:
    """What watches does not touch: the trace is the same with promises and without, kept or not."""
    plan = draw(5)
    watched, _ = run(5, plan)
    alone = World(5, plan, csms=Oracle(5), effects=False)
    alone.play()
    assert alone.trace.hash == watched.trace
