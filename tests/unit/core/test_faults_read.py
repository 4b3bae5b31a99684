"""Faults that readings tell of, or that are no slot's: meter, heat, current, disk, reader, lamps, emergency stop, mains."""

from __future__ import annotations

from functools import partial

import pytest

from hal.units import SECOND, Cause, LockState
from sim.board import ReaderFault
from sim.meter import MeterFault, MeterFaultKind
from station.words.settings import Settings
from tests.unit.core.bay import CARD, Bay


def reasons(bay: Bay) -> list[str]:
    return [stop.get("reason", "Local") for stop in bay.heard("StopTransaction")]


# --- the meter ---


def silence(bay: Bay, kind: MeterFaultKind | None = MeterFaultKind.SILENT) -> None:
    fault = MeterFault(kind, 10_000_000) if kind is not None else None
    bay.truth().meter.set_fault(fault, bay.world.clock.now().mono_ns)


@pytest.mark.parametrize("interval_s", [10, 900, 0])
def test_a_silent_meter_suspends_the_session_and_lets_it_go_on_when_it_speaks(interval_s: int) -> None:
    """Stopped in order, however rarely samples are taken."""
    bay = Bay(Settings(sample_interval_s=interval_s, aligned_interval_s=0))
    bay.charge()
    silence(bay)
    bay.run(25)
    assert bay.told()[-1] == ("Charging", "NoError")
    bay.run(40)
    assert bay.told()[-1] == ("Faulted", "PowerMeterFailure")
    assert not bay.truth().closed
    offers = [what for _, what in bay.acts("Offer(slot=1", "PermitPower(slot=1")]
    assert offers[-2:] == ["Offer(slot=1, limit_ma=None)", "PermitPower(slot=1, allowed=False)"]
    silence(bay, None)
    bay.run(45)
    assert bay.told()[-1] == ("Charging", "NoError")
    assert reasons(bay) == []


def test_a_meter_that_stays_silent_ends_the_session_with_its_last_reading() -> None:
    bay = Bay()
    bay.charge()
    before = bay.slot().session.last_mwh
    silence(bay)
    bay.run(30)
    found = [n for n in bay.world.trace.notes if n.code == "fault.found"]
    while not found:
        bay.run(1)
        found = [n for n in bay.world.trace.notes if n.code == "fault.found"]
    bay.run(298)
    assert reasons(bay) == []
    bay.run(6)
    [stop] = bay.heard("StopTransaction")
    assert stop["reason"] == "Other"
    assert stop["meterStop"] >= before // 1000
    assert bay.told()[-1] == ("Faulted", "PowerMeterFailure")
    silence(bay, None)
    bay.run(40)
    assert bay.told()[-1] == ("Finishing", "NoError")


def test_readings_that_cannot_be_true_are_silence() -> None:
    bay = Bay(Settings(sample_interval_s=10, aligned_interval_s=0))
    bay.charge()
    silence(bay, MeterFaultKind.NAN)
    bay.run(45)
    assert bay.told()[-1] == ("Faulted", "PowerMeterFailure")


# --- heat ---


def test_heat_derates_and_then_suspends_and_each_stage_ends_ten_degrees_lower() -> None:
    """The meter's thermometer: ambient, and a little more for the current."""
    bay = Bay(Settings(sample_interval_s=10, aligned_interval_s=0))
    bay.charge("zoe-r110")
    meter = bay.truth().meter

    def at(degrees: int) -> tuple[str, str]:
        meter.ambient_mc = degrees * 1000
        bay.run(40)
        return bay.told()[-1]

    assert bay.slot().offered_ma == 32_000
    assert at(60) == ("Charging", "HighTemperature")
    assert bay.slot().offered_ma == 16_000
    assert at(85) == ("Faulted", "HighTemperature")
    assert not bay.truth().closed
    assert at(72) == ("Faulted", "HighTemperature")
    assert at(65)[1] == "HighTemperature"
    assert bay.told()[-1][0] == "Charging" and bay.slot().offered_ma == 16_000
    assert at(40) == ("Charging", "NoError")
    assert bay.slot().offered_ma == 32_000
    assert reasons(bay) == []


def test_a_slot_that_cools_down_after_its_session_comes_back() -> None:
    bay = Bay()
    bay.charge()
    bay.truth().meter.ambient_mc = 90_000
    bay.run(60)
    bay.tap()
    bay.board.unplug(1)
    bay.run(60)
    assert bay.told()[-1] == ("Faulted", "HighTemperature")
    bay.truth().meter.ambient_mc = 20_000
    bay.run(60)
    assert bay.told()[-1] == ("Available", "NoError")


# --- the current ---


def test_a_car_that_takes_too_much_for_ten_seconds_is_cut_off() -> None:
    bay = Bay(Settings(sample_interval_s=5, aligned_interval_s=0))
    car = bay.charge()
    car.misbehave(overdraw_ma=4_000)
    bay.run(14)
    assert bay.told()[-1] == ("Charging", "NoError")
    bay.run(16)
    assert bay.told()[-1] == ("Faulted", "OverCurrentFailure")
    assert reasons(bay) == ["Other"]
    assert not bay.truth().closed
    bay.board.unplug(1)
    bay.run(5)
    assert bay.told()[-1] == ("Available", "NoError")


def test_a_moment_of_too_much_is_none_nor_is_a_tenth() -> None:
    bay = Bay(Settings(sample_interval_s=5, aligned_interval_s=0))
    car = bay.charge()
    car.misbehave(overdraw_ma=4_000)
    bay.run(12)
    car.misbehave()
    bay.run(60)
    car.misbehave(overdraw_ma=2_000)
    bay.run(120)
    assert bay.told()[-1] == ("Charging", "NoError")


# --- disk, reader, lamps ---


def test_a_disk_that_fails_stops_nobody_and_lets_nobody_begin() -> None:
    bay = Bay()
    bay.charge()
    bay.plug(slot=2)
    bay.world.disks["CP1"].fail(bay.world.clock.now().mono_ns + 60 * SECOND)
    bay.tap("04FFEE11")
    bay.run(30)
    assert bay.told(0)[-1] == ("Available", "InternalError")
    assert bay.truth().closed
    assert not bay.truth(2).closed and len(bay.heard("StartTransaction")) == 1
    assert bay.call("RemoteStartTransaction", connectorId=2, idTag="04FFEE11") == {"status": "Rejected"}
    bay.run(60)
    assert bay.told(0)[-1] == ("Available", "NoError")
    bay.tap("04FFEE11")
    bay.run(30)
    assert bay.truth(2).closed


def test_a_dead_reader_is_told_of_the_station_and_remote_start_works() -> None:
    bay = Bay()
    bay.board.set_reader_fault(ReaderFault.SILENT)
    bay.plug()
    assert bay.told(0)[-1] == ("Available", "ReaderFailure")
    assert bay.told()[-1] == ("Preparing", "NoError")
    assert bay.call("RemoteStartTransaction", connectorId=1, idTag=CARD) == {"status": "Accepted"}
    bay.run(20)
    assert bay.told()[-1] == ("Charging", "NoError")
    bay.board.set_reader_fault(None)
    bay.run(1)
    assert bay.told(0)[-1] == ("Available", "NoError")


def test_dead_lamps_are_nobodys_business_but_the_operators() -> None:
    bay = Bay()
    before = len(bay.heard("StatusNotification"))
    bay.board.set_lights_dead(True)
    bay.charge()
    bay.board.set_lights_dead(False)
    bay.run(5)
    assert len(bay.heard("StatusNotification")) == before + 2  # Preparing, Charging
    kinds = [event.kind for event in bay.world.trace.events]
    assert "warning.v1" in "".join(kinds)


def test_an_emergency_stop_ends_every_session_and_opens_every_lock() -> None:
    bay = Bay()
    bay.charge()
    bay.charge(slot=2, card="04FFEE11")
    bay.board.press_emergency_stop()
    bay.run(5)
    assert reasons(bay) == ["EmergencyStop", "EmergencyStop"]
    assert [bay.told(n)[-1] for n in (0, 1, 2)] == [("Faulted", "OtherError")] * 3
    assert not any(slot.closed or slot.lock is LockState.CLOSED for slot in bay.board.slots)
    for move in (bay.board.release_emergency_stop, partial(bay.run, 60), partial(bay.tap, "04AAAA11")):
        move()
        assert bay.told(0)[-1] == ("Faulted", "OtherError")
    bay.board.acknowledge()
    bay.run(1)
    assert [bay.told(n)[-1] for n in (0, 1, 2)] == [
        ("Available", "NoError"),
        ("Finishing", "NoError"),
        ("Finishing", "NoError"),
    ]


def test_low_mains_pause_a_session_until_they_have_been_good_for_a_minute() -> None:
    bay = Bay()
    bay.charge()
    bay.board.set_mains(180_000)
    bay.run(30)
    assert bay.told()[-1] == ("Faulted", "UnderVoltage")
    bay.board.set_mains(230_000)
    bay.run(30)
    bay.board.set_mains(180_000)
    bay.run(5)
    bay.board.set_mains(230_000)
    bay.run(57)
    assert bay.told()[-1] == ("Faulted", "UnderVoltage")
    bay.run(20)
    assert bay.told()[-1] == ("Charging", "NoError")
    assert bay.core.faults.station == [] and Cause.UNDER_VOLTAGE not in [f.cause for f in bay.slot().faults or ()]
