"""The broken board: each fault bites as it says, and ends when it is mended."""

from __future__ import annotations

import pytest

from hal.actions import Offer, PermitPower, SetLock, ShowLight
from hal.signals import (
    BoardFault,
    BoardReady,
    CardPresented,
    FaultAcknowledged,
    LockReported,
    PowerFailing,
    PowerReported,
    VehicleChanged,
)
from hal.units import Cause, Colour, Light, LockState, Pilot
from sim.board import ReaderFault
from sim.slot import ContactorFault, LockFault, PilotFault
from sim.vehicle import Mode
from tests.unit.sim.hardware import Bench

CARD = "04A1B2C3"


def charging() -> Bench:
    bench = Bench()
    bench.charge()
    bench.run(30)
    assert bench.board.is_energised(1)
    bench.hush()
    return bench


# -- lock --


@pytest.mark.parametrize(
    ("fault", "said", "truth", "after_ms"),
    [
        (LockFault.JAM, LockState.JAMMED, LockState.OPEN, 1_000),
        (LockFault.HALF, LockState.JAMMED, LockState.JAMMED, 1_000),
        (LockFault.LIES, LockState.CLOSED, LockState.OPEN, 300),
        (LockFault.SLOW, LockState.CLOSED, LockState.CLOSED, 3_000),
    ],
)
def test_a_broken_lock(fault: LockFault, said: LockState, truth: LockState, after_ms: int) -> None:
    bench = Bench()
    bench.board.slot(1).lock_fault = fault
    asked_ms = bench.now_ms
    bench.apply(SetLock(1, True))
    bench.run(10)
    assert bench.said == [(asked_ms + after_ms, LockReported(1, said))]
    assert bench.board.slot(1).lock is truth
    bench.board.slot(1).lock_fault = None
    bench.apply(SetLock(1, True))
    bench.run(1)
    assert bench.board.slot(1).lock is LockState.CLOSED


def test_a_lock_that_lies_lets_the_plug_go_under_load() -> None:
    bench = Bench()
    bench.board.slot(1).lock_fault = LockFault.LIES
    bench.charge()
    bench.run(30)
    assert bench.board.is_energised(1)
    assert bench.board.unplug(1)
    bench.run(0.1)
    assert not bench.board.is_energised(1)


# -- contactor --


def test_a_weld_is_told_by_the_mirror_and_goes_on_feeding_the_car() -> None:
    bench = charging()
    bench.board.set_contactor_fault(1, ContactorFault.WELDED)
    before = bench.board.true_energy_mwh(1)
    bench.apply(PermitPower(1, False))
    bench.run(60)
    assert bench.heard(PowerReported) == [PowerReported(1, True)]
    assert bench.board.is_energised(1)
    assert bench.board.true_energy_mwh(1) > before
    bench.hush()
    bench.board.set_contactor_fault(1, None)
    bench.run(1)
    assert bench.heard(PowerReported) == [PowerReported(1, False)]


def test_a_weld_outlasts_stop_and_start() -> None:
    bench = charging()
    bench.board.set_contactor_fault(1, ContactorFault.WELDED)
    bench.board.stop()
    bench.board.start(bench.hear, bench.clock)
    bench.run(1)
    assert PowerReported(1, True) in bench.heard(PowerReported)


def test_a_welded_slot_feeds_the_next_car_too() -> None:
    bench = charging()
    bench.board.set_contactor_fault(1, ContactorFault.WELDED)
    bench.apply(SetLock(1, False))
    bench.run(1)
    bench.board.unplug(1)
    bench.run(10)
    bench.car()
    bench.apply(Offer(1, 16_000))
    bench.run(30)
    assert bench.board.true_power_mw(1) > 10_000_000


def test_a_weld_makes_no_energy_out_of_waiting() -> None:
    """A car that tops up an hour after it was full, on a contactor that never opened."""
    bench = Bench()
    car = bench.charge("i3-120", 999)
    bench.run(30)
    bench.board.set_contactor_fault(1, ContactorFault.WELDED)
    bench.run(600)
    assert car.mode is Mode.FULL
    counted = bench.board.true_energy_mwh(1)
    bench.hush()
    bench.run(24 * 3_600)
    times = [at for at, said in bench.said if isinstance(said, VehicleChanged)]
    topped_ms = sum(end - start for start, end in zip(times[::2], times[1::2], strict=False))
    assert topped_ms > 1_000_000
    assert bench.board.true_energy_mwh(1) - counted == pytest.approx(2_500 * topped_ms / 3_600, rel=0.01)


def test_a_contactor_that_does_not_close_says_nothing() -> None:
    bench = Bench()
    bench.board.set_contactor_fault(1, ContactorFault.STUCK_OPEN)
    bench.charge()
    bench.run(60)
    assert bench.board.slot(1).pilot is Pilot.C
    assert not bench.heard(PowerReported)
    bench.board.set_contactor_fault(1, None)
    bench.run(1)
    assert bench.heard(PowerReported) == [PowerReported(1, True)]


def test_a_contactor_that_bounces() -> None:
    bench = Bench()
    bench.board.set_contactor_fault(1, ContactorFault.BOUNCES)
    bench.charge()
    bench.run(60)
    assert [signal.closed for signal in bench.heard(PowerReported)] == [True, False, True]
    times = [at for at, signal in bench.said if isinstance(signal, PowerReported)]
    assert times[2] - times[0] == 30
    assert bench.board.true_power_mw(1) > 10_000_000


def test_a_bounce_does_not_close_what_was_withdrawn_meanwhile() -> None:
    bench = Bench()
    bench.board.set_contactor_fault(1, ContactorFault.BOUNCES)
    bench.charge()
    bench.until_live()
    bench.run(0.01)
    bench.apply(PermitPower(1, False))
    bench.run(1)
    assert [signal.closed for signal in bench.heard(PowerReported)] == [True, False]


# -- emergency stop, ground fault, pilot --


def test_the_emergency_stop_opens_by_hardware_and_needs_a_new_permission() -> None:
    bench = charging()
    pressed_ms = bench.now_ms
    bench.board.press_emergency_stop()
    bench.run(1)
    assert bench.said == [
        (pressed_ms, BoardFault(0, Cause.EMERGENCY_STOP, True)),
        (pressed_ms + 30, PowerReported(1, False)),
    ]
    bench.hush()
    bench.apply(PermitPower(1, True))
    bench.run(10)
    assert bench.heard(PowerReported) == [PowerReported(1, False)], "not while it is pressed"
    bench.board.release_emergency_stop()
    bench.board.acknowledge()
    bench.run(10)
    assert BoardFault(0, Cause.EMERGENCY_STOP, False) in bench.heard(BoardFault)
    assert bench.heard(FaultAcknowledged) == [FaultAcknowledged(0)]
    assert not bench.board.is_energised(1), "the old permission is void"
    bench.apply(PermitPower(1, True))
    bench.run(10)
    assert bench.board.is_energised(1)


def test_a_ground_fault_trips_its_slot_only() -> None:
    bench = charging()
    bench.charge(slot=2)
    bench.run(30)
    bench.board.raise_fault(1, Cause.GROUND_FAULT, "RCD")
    bench.run(0.1)
    assert BoardFault(1, Cause.GROUND_FAULT, True, "RCD") in bench.heard(BoardFault)
    assert not bench.board.is_energised(1)
    assert bench.board.is_energised(2)
    bench.apply(PermitPower(1, True))
    bench.run(1)
    assert not bench.board.is_energised(1)
    bench.board.clear_fault(1, Cause.GROUND_FAULT)
    bench.board.clear_fault(1, Cause.GROUND_FAULT)
    bench.apply(PermitPower(1, True))
    bench.run(10)
    assert bench.board.is_energised(1)
    assert len(bench.heard(BoardFault)) == 2


@pytest.mark.parametrize("fault", [PilotFault.E, PilotFault.F])
def test_pilot_e_and_f_open_the_contactor(fault: PilotFault) -> None:
    bench = charging()
    bench.board.set_pilot_fault(1, fault)
    bench.run(1)
    assert bench.heard(VehicleChanged) == [VehicleChanged(1, Pilot[fault.name])]
    assert bench.heard(PowerReported) == [PowerReported(1, False)]
    bench.run(10)
    bench.hush()
    bench.board.set_pilot_fault(1, None)
    bench.run(10)
    assert [signal.pilot for signal in bench.heard(VehicleChanged)] == [Pilot.B, Pilot.C]


def test_a_diode_fault_is_a_board_fault_and_opens_by_hardware() -> None:
    bench = charging()
    bench.board.set_pilot_fault(1, PilotFault.DIODE)
    bench.run(0.1)
    assert BoardFault(1, Cause.PILOT, True, "DiodeFault") in bench.heard(BoardFault)
    assert not bench.board.is_energised(1)
    assert bench.board.slot(1).pilot is Pilot.C
    bench.apply(PermitPower(1, True))
    bench.run(10)
    assert not any(signal.closed for signal in bench.heard(PowerReported))
    bench.board.set_pilot_fault(1, None)
    bench.run(10)
    assert BoardFault(1, Cause.PILOT, False) in bench.heard(BoardFault)


# -- reader, lamps, supply --


@pytest.mark.parametrize(
    ("fault", "after_ms"),
    [
        (None, [0]),
        (ReaderFault.SILENT, []),
        (ReaderFault.GARBLED, []),
        (ReaderFault.DOUBLE, [0, 300]),
        (ReaderFault.SLOW, [2_000]),
    ],
)
def test_a_broken_reader(fault: ReaderFault | None, after_ms: list[int]) -> None:
    bench = Bench()
    bench.board.set_reader_fault(fault)
    tapped_ms = bench.now_ms
    bench.board.present(CARD)
    bench.run(10)
    assert bench.times(CardPresented(CARD)) == [tapped_ms + after for after in after_ms]


def test_a_dead_reader_is_noticed() -> None:
    bench = Bench()
    bench.board.set_reader_fault(ReaderFault.SILENT)
    bench.board.set_reader_fault(ReaderFault.SILENT)
    bench.board.set_reader_fault(None)
    assert bench.heard(BoardFault) == [BoardFault(0, Cause.READER, True), BoardFault(0, Cause.READER, False)]


def test_dead_lamps_keep_what_they_showed() -> None:
    bench = Bench()
    bench.apply(ShowLight(1, Light(Colour.BLUE)))
    bench.board.set_lights_dead(True)
    bench.apply(ShowLight(1, Light(Colour.RED)))
    assert bench.board.light(1) == Light(Colour.BLUE)
    assert bench.heard(BoardFault) == [BoardFault(0, Cause.LIGHTS, True)]


@pytest.mark.parametrize(("mains_mv", "cause"), [(180_000, Cause.UNDER_VOLTAGE), (260_000, Cause.OVER_VOLTAGE)])
def test_bad_voltage_is_a_fault_of_every_slot(mains_mv: int, cause: Cause) -> None:
    bench = charging()
    bench.board.set_mains(mains_mv)
    bench.run(15)
    assert bench.heard(BoardFault) == [BoardFault(1, cause, True), BoardFault(2, cause, True)]
    reading = bench.reading()
    assert reading.voltage_mv[0] == pytest.approx(mains_mv, rel=0.012)
    assert reading.current_ma[0] == pytest.approx(16_000, rel=0.01)
    bench.hush()
    bench.board.set_mains(230_000)
    assert bench.heard(BoardFault) == [BoardFault(1, cause, False), BoardFault(2, cause, False)]


def test_a_brown_out_tells_and_then_there_is_nothing() -> None:
    bench = charging()
    bench.board.brown_out()
    assert bench.heard(PowerFailing) == [PowerFailing()]
    bench.apply(Offer(1, 10_000))
    bench.run(0.29)
    assert bench.board.is_energised(1)
    bench.run(0.02)
    assert not bench.board.is_energised(1)
    bench.hush()
    bench.run(60)
    assert bench.said == []


def test_what_was_under_way_before_a_restart_is_forgotten() -> None:
    bench = Bench()
    bench.board.set_reader_fault(ReaderFault.SLOW)
    bench.board.present(CARD)
    bench.apply(SetLock(1, True))
    bench.board.brown_out()
    bench.run(0.2)
    bench.board.stop()
    bench.board.start(bench.hear, bench.clock)
    bench.run(0.01)
    bench.hush()
    bench.run(10)
    assert bench.said == []
    assert bench.board.slot(1).lock is LockState.OPEN
    bench.apply(PermitPower(1, False))
    bench.run(1)
    assert bench.said, "nor did the old brown-out switch the new start off"


def test_faults_that_stand_are_reported_at_start() -> None:
    bench = Bench()
    bench.board.press_emergency_stop()
    bench.board.raise_fault(2, Cause.TEMPERATURE, "hot")
    bench.board.stop()
    bench.hush()
    bench.board.start(bench.hear, bench.clock)
    bench.run(0)
    assert [signal for _, signal in bench.said[-3:]] == [
        BoardFault(0, Cause.EMERGENCY_STOP, True),
        BoardFault(2, Cause.TEMPERATURE, True, "hot"),
        BoardReady(),
    ]
