"""Faults beyond their row of the table: two at once, again and again, over a restart, with the vehicle gone meanwhile."""

from __future__ import annotations

import pytest

from hal.signals import BoardFault, BoardReady, FaultAcknowledged
from hal.units import Cause, Pilot
from statemachine.faults import FAULTS, By
from station.words.settings import Settings
from tests.builders import CoreBench

STATION = {cause for cause, row in FAULTS.items() if row.station}
REASONS = {Cause.EMERGENCY_STOP: "EmergencyStop"}  # 1.6 has words for few; the rest is Other
BY_ROW = pytest.mark.parametrize("cause", FAULTS, ids=lambda cause: cause.value)


def charging() -> CoreBench:
    bench = CoreBench(answering=True)
    bench.connect()
    bench.charging()
    return bench


def where(cause: Cause) -> int:
    return 0 if cause in STATION else 1


def begin(bench: CoreBench, cause: Cause) -> list[object]:
    effects = bench.give(BoardFault(where(cause), cause, True, "code 7"))
    bench.answer_all()
    return list(effects)


def gone(bench: CoreBench, cause: Cause) -> None:
    bench.give(BoardFault(where(cause), cause, False))
    bench.answer_all()


def acknowledge(bench: CoreBench, slot: int) -> None:
    bench.give(FaultAcknowledged(slot))
    bench.answer_all()


def told(bench: CoreBench, connector: int) -> tuple[str, str]:
    last = [p for p in bench.actions("StatusNotification") if p["connectorId"] == connector][-1]
    return last["status"], last["errorCode"]


@pytest.mark.parametrize("first_to_go", [0, 1])
@pytest.mark.parametrize(
    "causes",
    [
        (Cause.OVER_VOLTAGE, Cause.UNDER_VOLTAGE),
        (Cause.TEMPERATURE, Cause.METER),
        (Cause.PILOT, Cause.OVER_VOLTAGE),
        (Cause.GROUND_FAULT, Cause.OVER_VOLTAGE),
        (Cause.READER, Cause.PILOT),
    ],
    ids=lambda pair: "+".join(cause.value for cause in pair),
)
def test_two_causes_at_once_cleared_in_both_orders(causes: tuple[Cause, Cause], first_to_go: int) -> None:
    """Power comes back, and the status, only when the last has gone; each has its own time to be stable."""
    bench = charging()
    for cause in causes:
        begin(bench, cause)
    first, second = causes[first_to_go], causes[1 - first_to_go]
    gone(bench, first)
    bench.wait(31)  # long enough for all but a voltage; shorter than what ends a session
    slot = bench.core.slots[0]
    if FAULTS[second].withholds:
        assert not slot.permitted
        if FAULTS[first].stable_s == 0:
            assert told(bench, 1)[1] == FAULTS[second].error
    gone(bench, second)
    bench.wait(62)
    assert slot.permitted and slot.session is not None
    assert told(bench, 1) == ("Charging", "NoError")
    assert told(bench, 0) == ("Available", "NoError")


def test_a_meter_fault_keeps_its_five_minutes_when_a_pilot_fault_comes_and_goes() -> None:
    bench = charging()
    begin(bench, Cause.METER)
    bench.wait(5)
    bench.board = False  # it stays silent
    bench.wait(95)
    begin(bench, Cause.PILOT)
    bench.wait(30)
    gone(bench, Cause.PILOT)
    bench.wait(160)
    assert bench.core.slots[0].session.ending is None
    bench.wait(15)
    assert len(bench.actions("StopTransaction")) == 1


def test_a_pilot_fault_ends_the_session_after_its_minute_whatever_else_stands() -> None:
    bench = charging()
    begin(bench, Cause.PILOT)
    begin(bench, Cause.METER)
    bench.wait(59)
    assert bench.actions("StopTransaction") == []
    bench.wait(3)
    assert len(bench.actions("StopTransaction")) == 1


@pytest.mark.parametrize("cause", [Cause.OVER_VOLTAGE, Cause.EMERGENCY_STOP])
def test_unplugged_while_faulted_is_available_when_it_clears(cause: Cause) -> None:
    """The base state keeps moving beneath."""
    bench = charging()
    begin(bench, cause)
    bench.pilot(Pilot.B)
    bench.wait(5)
    bench.unplug()
    bench.wait(5)
    assert told(bench, 1)[0] == "Faulted"
    assert len(bench.actions("StopTransaction")) == 1
    gone(bench, cause)
    acknowledge(bench, where(cause))
    bench.wait(61)
    assert told(bench, 1) == ("Available", "NoError")
    assert bench.statuses().count("Faulted") == 1


def test_a_ground_fault_gives_power_back_three_times_and_then_no_more() -> None:
    bench = charging()
    for _ in range(3):
        begin(bench, Cause.GROUND_FAULT)
        gone(bench, Cause.GROUND_FAULT)
        bench.wait(14)
        assert not bench.core.slots[0].permitted
        bench.wait(2)
        assert bench.core.slots[0].permitted
    assert bench.actions("StopTransaction") == []
    begin(bench, Cause.GROUND_FAULT)
    bench.wait(5)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["Other"]
    gone(bench, Cause.GROUND_FAULT)
    bench.wait(3600)
    bench.unplug()
    assert told(bench, 1) == ("Faulted", "GroundFailure")
    acknowledge(bench, 1)
    assert told(bench, 1) == ("Available", "NoError")


def test_a_ground_fault_that_does_not_go_uses_up_its_tries_too() -> None:
    bench = charging()
    begin(bench, Cause.GROUND_FAULT)
    bench.wait(44)
    assert bench.actions("StopTransaction") == []
    bench.wait(5)
    assert len(bench.actions("StopTransaction")) == 1
    bench.unplug()
    bench.plug()
    bench.answer_all()
    assert told(bench, 1)[0] == "Faulted"


def test_a_ground_fault_that_is_latched_stays_so_when_it_comes_and_goes_again() -> None:
    bench = charging()
    begin(bench, Cause.GROUND_FAULT)
    bench.wait(60)
    gone(bench, Cause.GROUND_FAULT)
    bench.unplug()
    bench.plug()  # another visit, with tries of its own
    begin(bench, Cause.GROUND_FAULT)
    bench.wait(20)
    gone(bench, Cause.GROUND_FAULT)
    bench.wait(3600)
    assert told(bench, 1)[0] == "Faulted"
    acknowledge(bench, 1)
    assert told(bench, 1)[0] != "Faulted"


def test_the_next_vehicle_has_all_its_tries() -> None:
    bench = charging()
    for _ in range(3):
        begin(bench, Cause.GROUND_FAULT)
        gone(bench, Cause.GROUND_FAULT)
        bench.wait(16)
    bench.unplug()
    bench.wait(5)
    bench.charging()
    begin(bench, Cause.GROUND_FAULT)
    gone(bench, Cause.GROUND_FAULT)
    bench.wait(16)
    assert bench.core.slots[0].permitted


def test_an_emergency_stop_that_is_acknowledged_too_early_stays() -> None:
    """Released and acknowledged, in this order."""
    bench = charging()
    begin(bench, Cause.EMERGENCY_STOP)
    acknowledge(bench, 0)
    gone(bench, Cause.EMERGENCY_STOP)
    bench.wait(60)
    assert told(bench, 0) == ("Faulted", "OtherError")
    acknowledge(bench, 0)
    assert told(bench, 0) == ("Available", "NoError")
    assert told(bench, 2) == ("Available", "NoError")


@pytest.mark.parametrize("cause", [Cause.EMERGENCY_STOP, Cause.CONTACTOR_WELDED])
def test_what_is_latched_outlives_a_restart(cause: Cause) -> None:
    bench = charging()
    begin(bench, cause)
    bench.wait(5)
    gone(bench, cause)
    later = bench.restart(answering=True)
    later.give(BoardReady())
    later.connect()
    assert told(later, 1)[0] == "Faulted"
    assert later.core.image()["fault"] == later.disk["fault"]
    acknowledge(later, where(cause))
    assert told(later, 1)[0] == "Available"
    assert not later.disk["fault"]
    assert not later.core.image().get("fault")


def test_the_slot_that_is_not_faulted_goes_on() -> None:
    bench = charging()
    bench.charging(2, "04FFEE11")
    begin(bench, Cause.GROUND_FAULT)
    bench.wait(30)
    assert bench.core.slots[1].power_closed
    assert told(bench, 2) == ("Charging", "NoError")


def test_free_vend_starts_by_itself_when_the_fault_has_gone() -> None:
    bench = CoreBench(settings=Settings(cards_decided_by="nobody"), answering=True)
    bench.connect()
    begin(bench, Cause.OVER_VOLTAGE)
    bench.plug()
    bench.wait(5)
    assert bench.core.slots[0].session is None
    gone(bench, Cause.OVER_VOLTAGE)
    bench.wait(61)
    assert bench.core.slots[0].permitted


def test_on_a_disk_with_hardly_any_room_sessions_go_on_and_none_begins() -> None:
    bench = charging()
    bench.store = "tight"
    bench.tap("04BADBAD")  # that it was read is written
    bench.wait(20)
    assert told(bench, 0) == ("Available", "InternalError")
    assert bench.core.slots[0].power_closed
    bench.plug(2)
    bench.tap("04D4E5F6")
    bench.wait(20)
    assert bench.core.slots[1].session is None
    bench.store = "ok"
    bench.wait(70)
    assert told(bench, 0) == ("Available", "NoError")
    assert bench.core.slots[0].power_closed
    bench.tap("04D4E5F6")
    bench.wait(20)
    assert bench.core.slots[1].permitted


def test_a_queue_that_is_full_is_no_better_for_a_disk_that_works() -> None:
    """Two reasons for the same warning; it goes when both have."""
    bench = charging()
    bench.core.faults.found(Cause.STORE, 0, "nothing more can wait", By.QUEUE)
    bench.core.faults.store_failed()
    bench.core.touch(bench.core.slots[0])
    bench.wait(40)
    assert told(bench, 0) == ("Available", "InternalError")
    assert bench.core.faults.no_new
    bench.core.faults.over(Cause.STORE, 0, By.QUEUE)
    bench.wait(40)
    assert told(bench, 0) == ("Available", "NoError")
