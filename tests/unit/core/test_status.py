"""What the CSMS is told of a slot's status: when, in which order, with which error, and never a way that the table does not have."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.signals import BoardFault, CableChanged, FaultAcknowledged
from hal.units import Cause, Pilot
from ocpp_client.link import LinkUp
from statemachine.diagram import cell, name
from station.words.common import SlotStatus
from station.words.settings import Settings, SlotShape, StationShape
from tests.builders import CARD, CoreBench
from tests.spec import spec
from tests.unit.statemachine.test_table import SPECIFICATION


def online(settings: Settings | None = None, shape: StationShape | None = None) -> CoreBench:
    bench = CoreBench(settings=settings, shape=shape, answering=True)
    bench.connect()
    return bench


def told(bench: CoreBench, connector: int = 1) -> list[dict[str, Any]]:
    return [p for p in bench.actions("StatusNotification") if p["connectorId"] == connector]


@spec("1.6", "16-STAT-01")
def test_every_change_is_told_once_with_its_time() -> None:
    bench = online()
    times = []
    changes: tuple[Callable[[], None], ...] = (
        bench.plug,
        bench.tap,
        lambda: bench.pilot(Pilot.C),
        lambda: bench.pilot(Pilot.B),
        bench.unplug,
    )
    for change in changes:
        bench.wait(3)
        times.append(bench.iso())
        change()
        bench.answer_all()
    assert [p["status"] for p in told(bench)[1:]] == ["Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]
    assert {p["errorCode"] for p in told(bench)} == {"NoError"}
    assert [p["timestamp"] for p in told(bench)[1:4]] == [times[0], times[2], times[3]]
    assert all("info" not in p and "vendorErrorCode" not in p for p in told(bench)[1:4])


@spec("1.6", "16-STAT-02")
def test_connector_0_is_the_station_and_independent_of_the_slots() -> None:
    bench = online()
    bench.charging()
    bench.give(BoardFault(2, Cause.OVER_VOLTAGE, True))
    bench.call("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
    bench.answer_all()
    assert [p["status"] for p in told(bench, 0)] == ["Available"]
    bench.call("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"})
    bench.answer_all()
    bench.give(BoardFault(0, Cause.EMERGENCY_STOP, True))
    bench.answer_all()
    assert [p["status"] for p in told(bench, 0)] == ["Available", "Unavailable", "Faulted"]


@spec("1.6", "16-STAT-03")
@pytest.mark.parametrize("ev_first", [True, False])
def test_suspended_by_both_is_suspended_by_the_station(ev_first: bool) -> None:
    bench = online()
    bench.charging()
    for by_ev in (ev_first, not ev_first):
        if by_ev:
            bench.pilot(Pilot.B)
        else:
            bench.give(BoardFault(1, Cause.PILOT, True, "DiodeFault"))
        bench.answer_all()
    bench.wait(30)
    assert told(bench)[-1]["status"] == "SuspendedEVSE"


# --- MinimumStatusDuration ---


@spec("1.6", "16-STAT-05")
def test_what_is_shorter_than_the_minimum_is_not_told() -> None:
    """Preparing for four seconds, then Charging, which is told with the time at which it began."""
    bench = online(Settings(min_status_duration_s=10))
    bench.plug()
    bench.wait(4)
    bench.tap()
    bench.pilot(Pilot.C)
    bench.answer_all()
    began = bench.iso()
    bench.wait(9.5)
    assert bench.statuses() == ["Available"]
    bench.wait(1)
    assert bench.statuses() == ["Available", "Charging"]
    assert told(bench)[-1]["timestamp"] == began


def test_readings_and_other_things_in_between_do_not_put_it_off() -> None:
    bench = online(Settings(min_status_duration_s=10, sample_interval_s=2))
    bench.plug()
    for _ in range(5):
        bench.give(CableChanged(1, True, 32_000))
        bench.wait(2.2)
    assert bench.statuses() == ["Available", "Preparing"]


def test_what_goes_back_in_time_was_nothing() -> None:
    bench = online(Settings(min_status_duration_s=10))
    bench.plug()
    bench.wait(5)
    bench.unplug()
    bench.wait(60)
    assert bench.statuses() == ["Available"]


# --- offline ---


@spec("1.6", "16-STAT-07")
def test_after_an_offline_time_only_what_changed_is_told_as_it_is_now() -> None:
    bench = online()
    bench.disconnect()
    bench.wait(5)
    bench.plug()
    bench.wait(5)
    bench.unplug()
    bench.wait(5)
    bench.plug(2)
    bench.wait(90)
    count = len(bench.actions("StatusNotification"))
    bench.give(LinkUp("ocpp1.6"))
    bench.answer_all()
    later = bench.actions("StatusNotification")[count:]
    assert [(p["connectorId"], p["status"]) for p in later] == [(2, "Finishing")]


def test_a_status_that_was_lost_with_the_connection_is_told_again() -> None:
    bench = online()
    bench.plug()
    assert bench.open_call is not None
    bench.disconnect()
    count = len(bench.actions("StatusNotification"))
    bench.give(LinkUp("ocpp1.6"))
    bench.answer_all()
    assert [p["status"] for p in bench.actions("StatusNotification")[count:]] == ["Preparing"]


@spec("1.6", "16-STAT-08")
def test_statuses_leave_in_the_order_in_which_they_came_about() -> None:
    """The CSMS is slow: they wait, and none overtakes another, of whichever connector."""
    bench = online()
    mark = len(bench.actions("StatusNotification"))
    bench.plug(2)
    bench.plug(1)
    bench.unplug(2)
    bench.give(BoardFault(0, Cause.READER, True))
    bench.unplug(1)
    bench.answer_all()
    later = [(p["connectorId"], p["status"]) for p in bench.actions("StatusNotification")[mark:]]
    assert later == [(2, "Preparing"), (1, "Preparing"), (2, "Available"), (0, "Available"), (1, "Available")]


# --- only ways that the table has ---

SLOTS = st.integers(1, 2)
EVENTS = st.one_of(
    st.tuples(st.just("plug"), SLOTS),
    st.tuples(st.just("unplug"), SLOTS),
    st.tuples(st.just("ev side"), SLOTS),
    st.tuples(st.just("asks"), SLOTS),
    st.tuples(st.just("lets go"), SLOTS),
    st.tuples(st.just("tap"), st.sampled_from([CARD, "04FFEE11"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 11, 65])),
    st.tuples(st.sampled_from(["operative", "inoperative"]), st.integers(0, 2)),
    st.tuples(st.sampled_from(["fault", "fault over"]), st.sampled_from(list(Cause))),
    st.tuples(st.just("acknowledge"), st.integers(0, 2)),
)
KINDS = st.sampled_from(
    [
        (None, Settings()),
        (None, Settings(cards_decided_by="nobody")),
        (StationShape(slots=(SlotShape("tethered"), SlotShape("tethered"))), Settings()),
        (StationShape(supply_ma=8_000), Settings(stop_on_ev_disconnect=False)),
    ]
)


def happen(bench: CoreBench, event: tuple[str, Any]) -> None:
    what, how = event
    match what:
        case "plug" if not bench.core.slots[how - 1].plugged:
            bench.plug(how)
        case "unplug":
            bench.unplug(how)
        case "ev side":
            bench.pilot(Pilot.A, how)
        case "asks" | "lets go" if bench.core.slots[how - 1].plugged:
            bench.pilot(Pilot.C if what == "asks" else Pilot.B, how)
        case "tap":
            bench.tap(how)
        case "wait":
            bench.wait(how)
        case "operative" | "inoperative":
            bench.call("ChangeAvailability", {"connectorId": how, "type": what.capitalize()})
        case "fault" | "fault over":
            bench.give(BoardFault(1, how, what == "fault"))
        case "acknowledge":
            bench.give(FaultAcknowledged(how))
        case _:
            pass
    bench.answer_all()


@given(KINDS, st.lists(EVENTS, max_size=25))
def test_no_transition_that_the_specification_does_not_have_is_ever_told(
    kind: tuple[StationShape | None, Settings], events: list[tuple[str, Any]]
) -> None:
    """Whatever people, vehicles, faults and the CSMS do; and in the end what was told is what is."""
    shape, settings = kind
    bench = CoreBench(shape=shape, settings=settings, answering=True)
    bench.current_ma = 5_000
    bench.connect()
    for event in events:
        happen(bench, event)
    bench.wait(30)
    bench.answer_all()
    by_name = {name(status): status for status in SlotStatus}
    for connector, slot in enumerate(bench.core.slots, 1):
        statuses = [by_name[p["status"]] for p in told(bench, connector)]
        ways = [cell(a, b) for a, b in itertools.pairwise(statuses) if a is not b]
        assert [way for way in ways if way not in SPECIFICATION.split()] == []
        assert statuses[-1] is slot.status
    assert {p["status"] for p in told(bench, 0)} <= {"Available", "Unavailable", "Faulted"}
