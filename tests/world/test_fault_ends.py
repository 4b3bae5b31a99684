"""When a fault ends: after a moment where it has no duration, at its own end where another lies over it, and when all is healed."""

from __future__ import annotations

from typing import Any

import pytest

from hal.units import SECOND, Cause
from sim.plan import (
    AnyFault,
    BoardFault,
    ClockFault,
    ContactorFault,
    CsmsFault,
    DiskFault,
    LightsFault,
    LockFault,
    MeterFault,
    NetworkFault,
    PilotFault,
    Plan,
    ReaderFault,
)
from sim.runs import run
from sim.world import World


def looked(faults: tuple[AnyFault, ...], *at_s: float) -> list[Any]:
    """What is wrong with the lock, the network and the disk of a station at these moments of a plan of 100 s."""
    world = World(1, Plan(for_s=100, faults=faults))
    seen: list[Any] = []

    def look() -> None:
        board, network, disk = world.boards["CP1"], world.networks["CP1"], world.disks["CP1"]
        slot = board.slot(1)
        wrong: list[Any] = [
            slot.lock_fault,
            slot.contactor_fault,
            slot.pilot_fault,
            slot.meter.fault,
            board.reader_fault,
        ]
        names = [str(getattr(each, "kind", each).value) for each in wrong if each is not None]
        names += sorted(network.modes)
        names += ["lights"] if board.lights_dead else []
        names += ["full"] if disk.free_bytes() == 0 else []
        names += [cause.value for _, cause in board._faults or {}]
        seen.append(" ".join(names))

    for moment in at_s:
        world.clock.call_at(int(moment * SECOND), look)
    world.play()
    return seen


ONES: tuple[AnyFault, ...] = (
    LockFault(at_s=10),
    ContactorFault(at_s=10, how="stuck_open"),
    MeterFault(at_s=10),
    ReaderFault(at_s=10, how="slow"),
    NetworkFault(at_s=10),
    LightsFault(at_s=10),
    DiskFault(at_s=10, how="full"),
    BoardFault(at_s=10),
)


@pytest.mark.parametrize("fault", ONES, ids=lambda fault: type(fault).__name__)
def test_without_a_duration_it_lasts_a_moment(fault: AnyFault) -> None:
    assert looked((fault,), 10.1) == [""]


@pytest.mark.parametrize(
    ("faults", "seen"),
    [
        ((LockFault(at_s=10, for_s=50), LockFault(at_s=20, for_s=10, how="slow")), ["jam", "slow", "jam", ""]),
        ((LockFault(at_s=10, for_s=15), LockFault(at_s=20, for_s=30, how="slow")), ["jam", "slow", "slow", ""]),
        ((LockFault(at_s=10, for_s=50), LockFault(at_s=20, for_s=10)), ["jam", "jam", "jam", ""]),
        ((LockFault(at_s=10, for_s=50), LockFault(at_s=20, for_s=10, slot=2)), ["jam", "jam", "jam", ""]),
        ((NetworkFault(at_s=10, for_s=50), NetworkFault(at_s=20, for_s=10)), ["refuse", "refuse", "refuse", ""]),
        (
            (NetworkFault(at_s=10, for_s=50), NetworkFault(at_s=20, for_s=10, how="tls")),
            ["refuse", "refuse tls", "refuse", ""],
        ),
        ((DiskFault(at_s=10, for_s=50, how="full"), DiskFault(at_s=20, for_s=10, how="full")), ["full"] * 3 + [""]),
        ((LightsFault(at_s=10, for_s=50), LightsFault(at_s=20, for_s=10)), ["lights"] * 3 + [""]),
        (
            (ReaderFault(at_s=10, for_s=50, how="slow"), ReaderFault(at_s=20, for_s=10, how="stuck")),
            ["slow"] * 3 + [""],
        ),
        ((MeterFault(at_s=10, for_s=50), MeterFault(at_s=20, for_s=10, how="nan")), ["silent", "nan", "silent", ""]),
        ((PilotFault(at_s=10, for_s=50), PilotFault(at_s=20, for_s=10, how="F")), ["E", "F", "E", ""]),
    ],
)
def test_each_of_two_ends_at_its_own_end(faults: tuple[AnyFault, ...], seen: list[str]) -> None:
    """The later one has its way meanwhile."""
    told = looked(faults, 15, 27, 40, 70)
    assert [words.replace(f" {Cause.LIGHTS.value}", "") for words in told] == seen


def test_a_csms_that_is_silent_twice_speaks_again() -> None:
    outcome, _ = run(1, Plan(for_s=60, faults=(CsmsFault(at_s=0, for_s=60),) * 2))
    assert outcome.promise == ""


def test_healing_ends_them_all_and_none_begins_any_more() -> None:
    lasting = tuple(type(fault)(**{**_fields(fault), "at_s": 90, "for_s": 500}) for fault in ONES)
    after = LockFault(at_s=101, for_s=500)
    whole, healed = looked((*lasting, after), 95, 105)
    assert all(word in whole for word in ("jam", "stuck_open", "silent", "slow", "refuse", "lights", "full"))
    assert healed == ""


def test_a_clock_that_drifts_drifts_no_further_when_it_is_healed() -> None:
    world = World(1, Plan(for_s=100, faults=(ClockFault(at_s=0, for_s=600, how="drift", by_s=60),)))
    world.play()
    off_ms = world.units["CP1"].now().os_utc_ms - world.true_utc_ms
    assert 10_000 <= off_ms <= 11_000


def test_a_server_of_the_wrong_kind_is_one_for_the_whole_connection() -> None:
    """It begins while the connection is being made: who answers then was asked before."""
    plan = Plan(for_s=60, faults=(NetworkFault(at_s=0, for_s=1, how="subprotocol"),))
    outcome, world = run(1, plan)
    assert outcome.promise == ""
    assert world is not None
    assert world.csms.status["CP1", 0] == "Available"


def _fields(fault: AnyFault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in fault.__struct_fields__}
