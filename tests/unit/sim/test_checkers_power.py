"""Promises about power: each is silent and armed in a healthy sequence, and broken by one wrong step."""

from __future__ import annotations

import pytest

from hal.actions import Offer, PermitPower
from hal.signals import (
    BoardFault,
    FaultAcknowledged,
    LockReported,
    VehicleChanged,
)
from hal.units import Cause, LockState, Pilot
from sim.checkers.power import CutFirst, FirstReading, Locked, NoFault, VehicleThere
from station.core.effects import Wake
from tests.unit.sim.checker_bench import Bench, broken, permit, withdraw

STOPPED = BoardFault(0, Cause.EMERGENCY_STOP, True)
RELEASED = BoardFault(0, Cause.EMERGENCY_STOP, False)


def session(bench: Bench) -> Bench:
    bench.online()
    bench.visit()
    bench.charge()
    return bench


# --- what must be so when power is given ---


def test_power_only_with_a_vehicle_there() -> None:
    promise = VehicleThere()
    bench = session(Bench(promise))
    assert promise.armed == 1
    bench.give(VehicleChanged(1, Pilot.E), *withdraw())
    with broken(promise, "no vehicle"):
        bench.give(VehicleChanged(2, Pilot.A), *permit(2))


def test_power_goes_with_the_vehicle() -> None:
    promise = VehicleThere()
    bench = session(Bench(promise))
    bench.give(VehicleChanged(1, Pilot.B))  # it only stops asking: the board opens by itself
    with broken(promise, "stayed permitted"):
        bench.give(VehicleChanged(1, Pilot.A))


@pytest.mark.parametrize("state", [LockState.OPEN, LockState.JAMMED])
def test_power_only_behind_a_closed_lock(state: LockState) -> None:
    promise = Locked()
    bench = session(Bench(promise))
    assert promise.armed == 1
    with broken(promise, "stayed permitted"):
        bench.give(LockReported(1, state))
    with broken(promise, "last said open"):
        session(Bench(promise)).give(Wake(), *permit(2))


def test_a_slot_without_a_lock_needs_none() -> None:
    promise = Locked()
    session(Bench(promise, template="tethered-11kw"))
    assert promise.armed == 1


def test_first_reading_on_the_disk_before_power() -> None:
    promise = FirstReading()
    bench = session(Bench(promise))
    assert promise.armed == 1
    bench.plug(2)
    bench.lock(2)
    with broken(promise, "without a session"):
        bench.give(Wake(), *permit(2))
    batch = bench.began(2, name="s2", register_mwh=None)
    with broken(promise, "before the first reading"):
        bench.store(batch, *permit(2))
    batch = bench.began(2, name="s3")
    with broken(promise, "on the disk"):
        bench.give(Wake(), batch, *permit(2))


# --- faults ---


def test_no_power_while_a_fault_stands() -> None:
    promise = NoFault()
    bench = session(Bench(promise))
    assert promise.armed == 1
    bench.give(BoardFault(1, Cause.PILOT, True), *withdraw())
    bench.give(VehicleChanged(1, Pilot.B))  # a second cause is gone, the first one stands
    with broken(promise, "pilot"):
        bench.give(Wake(), *permit())


@pytest.mark.parametrize("pilot", [Pilot.E, Pilot.F])
def test_no_power_on_a_pilot_in_error(pilot: Pilot) -> None:
    promise = NoFault()
    bench = session(Bench(promise))
    bench.give(VehicleChanged(1, pilot), *withdraw())
    with broken(promise, f"in {pilot.value}"):
        bench.give(Wake(), *permit())


def test_an_emergency_stop_is_over_when_released_and_acknowledged() -> None:
    promise = NoFault()
    bench = session(Bench(promise))
    bench.give(STOPPED, *withdraw())
    bench.give(FaultAcknowledged(0))
    bench.give(RELEASED)
    with broken(promise, "acknowledged"):
        bench.give(Wake(), *permit())
    bench.give(FaultAcknowledged(0), *permit())


def test_a_ground_fault_waits_and_is_tried_three_times() -> None:
    promise = NoFault()
    bench = session(Bench(promise))
    for _ in range(3):
        bench.give(BoardFault(1, Cause.GROUND_FAULT, True), *withdraw())
        bench.give(BoardFault(1, Cause.GROUND_FAULT, False))
        bench.wait(15, *permit())
    bench.give(BoardFault(1, Cause.GROUND_FAULT, True), *withdraw())
    bench.give(BoardFault(1, Cause.GROUND_FAULT, False))
    bench.wait(20)
    with broken(promise, "once more"):
        bench.give(Wake(), *permit())
    bench.give(FaultAcknowledged(1), *permit())
    bench.give(BoardFault(1, Cause.GROUND_FAULT, True), *withdraw())
    bench.give(BoardFault(1, Cause.GROUND_FAULT, False))
    bench.wait(14)
    with broken(promise, "15 s"):
        bench.give(Wake(), *permit())


@pytest.mark.parametrize(("stands_s", "latched"), [(40, False), (50, True)])
def test_a_ground_fault_that_stands_uses_up_its_tries(stands_s: int, latched: bool) -> None:
    promise = NoFault()
    bench = session(Bench(promise))
    bench.give(BoardFault(1, Cause.GROUND_FAULT, True), *withdraw())
    bench.give(BoardFault(1, Cause.GROUND_FAULT, True))  # said twice, and once
    bench.wait(stands_s)
    bench.give(BoardFault(1, Cause.GROUND_FAULT, False))
    bench.wait(20)
    if not latched:
        bench.give(Wake(), *permit())
        return
    for pilot in (Pilot.A, Pilot.B):  # for the next visit too
        bench.give(VehicleChanged(1, pilot))
    with broken(promise, "once more"):
        bench.give(Wake(), *permit())


def test_the_voltage_must_be_stable_for_a_minute() -> None:
    promise = NoFault()
    bench = session(Bench(promise))
    bench.give(BoardFault(1, Cause.UNDER_VOLTAGE, True), *withdraw())
    with broken(promise, "under_voltage"):
        bench.give(Wake(), *permit())
    bench.give(BoardFault(1, Cause.UNDER_VOLTAGE, False))
    bench.wait(59)
    with broken(promise, "stable"):
        bench.give(Wake(), *permit())
    bench.wait(1, *permit())


@pytest.mark.parametrize("cause", [STOPPED, BoardFault(1, Cause.PILOT, True), VehicleChanged(1, Pilot.F)])
def test_a_cut_comes_first_and_at_once(cause: BoardFault | VehicleChanged) -> None:
    promise = CutFirst()
    bench = session(Bench(promise))
    bench.give(cause, *withdraw())
    assert promise.armed == 1
    bench = session(Bench(promise))
    with broken(promise, "not withdrawn first"):
        bench.give(cause, Offer(1, None), PermitPower(1, False))
    with broken(promise, "stayed on offer"):
        bench.give(cause, PermitPower(1, False))
    with broken(promise, "not withdrawn first"):
        session(Bench(promise)).give(cause)
