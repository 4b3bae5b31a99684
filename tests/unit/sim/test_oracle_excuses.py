"""What a plan did excuses a station from the rules of the oracle that it could not keep, and from no other."""

from __future__ import annotations

from typing import Any, Final

import pytest

from sim.plan import ClockFault, MeterFault, NetworkFault
from station.words.settings import Settings
from tests.unit.sim.oracle_bench import Bench
from tests.unit.sim.oracle_stories import (
    Story,
    asks,
    both,
    dated,
    later,
    refused_boot,
    sampled,
    then_starts,
    told,
    transaction,
    unanswered,
    waits,
)

EXCUSED: Final[dict[str, tuple[Any, Story]]] = {
    "register: the meter ran back": (MeterFault(at_s=0, how="backwards"), sampled(150, 149)),
    "register: the meter rolled over": (MeterFault(at_s=0, how="rollover"), then_starts(0)),
    "time-future: the clock was set forward": (
        ClockFault(at_s=0, by_s=3600),
        lambda b: b.status(1, "Available", timestamp=b.at(3600)),
    ),
    "status-order: the clock was set": (
        ClockFault(at_s=0, by_s=-9),
        both(told("Available"), lambda b: b.status(1, "Preparing", timestamp=b.at(-9))),
    ),
    "status-order: the time came by a slow link": (
        NetworkFault(at_s=0, for_s=9, how="latency"),
        both(told("Available"), lambda b: b.status(1, "Preparing", timestamp=b.at(-9))),
    ),
    "time-future: a cut without a clock": (
        ClockFault(at_s=0, how="1970"),
        lambda b: b.status(1, "Available", timestamp=b.at(65)),
    ),
    "one-call: the network held it back": (NetworkFault(at_s=0, for_s=9, how="stall"), unanswered(0.01)),
    "transition: the network lost one": (
        NetworkFault(at_s=0, for_s=9, how="half_open"),
        told("Available", "Finishing"),
    ),
    "transaction-known: no answer came": (
        NetworkFault(at_s=0, for_s=9, how="stall"),
        transaction(lambda b, n: b.stop(-1, 200)),
    ),
    "boot-interval: the answer was lost": (NetworkFault(at_s=0, for_s=9, how="half_open"), refused_boot(10)),
    "answer-due: it never got there": (NetworkFault(at_s=0, for_s=99, how="half_open"), waits(61, answer=False)),
    "start-occupied: a stop was lost": (
        NetworkFault(at_s=0, for_s=9, how="stall"),
        both(sampled(), lambda b: b.start(1, 100)),
    ),
}


@pytest.mark.parametrize(("fault", "story"), EXCUSED.values(), ids=EXCUSED)
def test_what_the_plan_did_is_excused(fault: Any, story: Story) -> None:
    bench = Bench(fault)
    story(bench)
    assert bench.oracle.violations == []


NOT_EXCUSED: Final[dict[str, tuple[Any, Story]]] = {
    "register: another meter": (MeterFault(at_s=0, slot=2, how="backwards"), sampled(150, 149)),
    "register: it only froze": (MeterFault(at_s=0, how="freeze"), sampled(150, 149)),
    "register: not yet": (MeterFault(at_s=9999, how="backwards"), sampled(150, 149)),
    "time-future: not so far": (ClockFault(at_s=0, by_s=60), lambda b: b.status(1, "Available", timestamp=b.at(3600))),
    "time-future: a minute is no sign of life": (
        NetworkFault(at_s=0, for_s=9, how="latency"),
        lambda b: b.status(1, "Available", timestamp=b.at(65)),
    ),
    "status-order: long over": (
        NetworkFault(at_s=0, for_s=9, how="latency"),
        later(200, both(told("Available"), lambda b: b.status(1, "Preparing", timestamp=b.at(-9)))),
    ),
    "time-past: whatever the clock": (
        ClockFault(at_s=0, how="1970"),
        lambda b: b.status(1, "Available", timestamp="1970-01-01T00:00:00Z"),
    ),
    "time-order: whatever the clock": (ClockFault(at_s=0, by_s=-9), dated(-5, -6)),
    "one-call: another station's network": (NetworkFault(at_s=0, for_s=9, station=1, how="stall"), unanswered(0.01)),
    "one-call: long over": (NetworkFault(at_s=0, for_s=9, how="stall"), later(200, unanswered(0.01))),
}


@pytest.mark.parametrize(
    ("name", "fault", "story"), [(name, *case) for name, case in NOT_EXCUSED.items()], ids=NOT_EXCUSED
)
def test_what_it_did_not_do_is_not(name: str, fault: Any, story: Story) -> None:
    bench = Bench(fault)
    story(bench)
    assert set(bench.broken) == {name.partition(":")[0]}


def test_wrong_time_excuses_what_it_taught() -> None:
    """Only forward, and only as far as it went."""
    for seed in range(8):
        bench = Bench(seed=seed)
        bench.misbehave("wrong_time")
        shown = bench.call("Heartbeat", {})["currentTime"]
        bench.status(1, "Available", timestamp=shown)
        assert bench.broken == []
        bench.status(1, "Available", timestamp=bench.at(13 * 3600))
        assert bench.broken == ["time-future"]


@pytest.mark.parametrize(("made_s", "excused"), [(-12, True), (0, False)])
def test_a_late_answer_excuses_what_was_made_before_it_came(made_s: float, excused: bool) -> None:
    """The fault was over when the answer came, and what the station had to tell waited for it."""
    bench = Bench()
    fault = bench.misbehave("late", "Heartbeat", late_s=26)
    bench.call("Heartbeat", {})
    bench.run(10)
    bench.behave(fault)
    bench.run(17)
    bench.status(1, "Available", timestamp=bench.at(made_s))
    bench.status(1, "Preparing", timestamp=bench.at(-18))
    assert bench.broken == ([] if excused else ["status-order"])


def test_free_vend_and_lists_need_no_leave() -> None:
    free = Bench(settings=Settings(cards_decided_by="nobody"))
    both(asks("Blocked"), lambda b: b.start())(free)
    listed = Bench()
    listed.ask("SendLocalList", listVersion=1, updateType="Full")
    both(asks("Blocked"), lambda b: b.start())(listed)
    assert free.broken == listed.broken == []
