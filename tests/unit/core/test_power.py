"""The power path (station.md §2): its order there and back, who waits for whom, and a vehicle that leaves at its own side."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import Offer, PermitPower, ReadMeter, SetLock
from hal.disk import Persist
from hal.signals import CableChanged, LockReported, MeterRead, PowerReported, VehicleChanged
from hal.units import Cause, LockState, Pilot
from station.core.effects import Input
from station.words.settings import TEMPLATES, Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec
from tests.unit.core.bay import Bay

STAYS = Settings(stop_on_ev_disconnect=False)
KEEPS = Settings(unlock_on_ev_disconnect=False)
PATH = SetLock | ReadMeter | Persist | PermitPower | Offer


def charging(settings: Settings | None = None, template: str = "two-sockets-22kw") -> CoreBench:
    bench = CoreBench(template, settings, answering=True)
    bench.connect()
    bench.charging()
    bench.wait(60)
    return bench


def path(effects: list[Any]) -> list[Any]:
    return [e for e in effects if isinstance(e, PATH) and not (isinstance(e, Persist) and not e.urgent)]


# --- there ---


def test_the_order_of_a_start() -> None:
    """Lock, first reading, disk, permission and offer; each waits for what came before."""
    bench = CoreBench(answering=True, board=False, store="silent")
    bench.connect()
    bench.plug()
    bench.answer_all()
    mark = len(bench.effects)
    bench.tap()
    bench.answer_all()
    assert path(bench.effects[mark:])[-1] == SetLock(1, True)
    bench.give(LockReported(1, LockState.CLOSED))
    assert isinstance(path(bench.effects)[-1], ReadMeter)
    bench.store = "ok"
    bench.board = True
    ticket = path(bench.effects)[-1].ticket
    effects = bench.give(MeterRead(1, ticket, bench.reading(1)))
    kinds = [type(e) for e in path(effects)]
    assert kinds.index(Persist) < kinds.index(PermitPower)
    assert {PermitPower(1, True), Offer(1, 32_000)} <= {e for e in effects if isinstance(e, PermitPower | Offer)}


def test_a_slot_without_a_lock_is_never_told_to_move_one() -> None:
    bench = charging(template="tethered-11kw")
    bench.tap()
    bench.wait(5)
    bench.unplug()
    bench.wait(5)
    assert not any(isinstance(e, SetLock) for e in bench.effects)
    assert len(bench.actions("StopTransaction")) == 1


def test_a_vehicle_that_does_not_ask_is_waited_for() -> None:
    """Preparing for ten seconds, then it is the vehicle that suspends; when it asks it is given power."""
    bench = CoreBench(answering=True)
    bench.connect()
    bench.plug()
    bench.wait(3)
    bench.tap()
    bench.answer_all()
    bench.wait(9)
    assert bench.statuses()[-1] == "Preparing"
    bench.wait(2)
    assert bench.statuses()[-1] == "SuspendedEV"
    bench.wait(600)
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert bench.statuses()[-1] == "Charging"


# --- and back ---


def test_the_order_of_an_orderly_stop() -> None:
    """Offer withdrawn, the vehicle lets go, permission withdrawn, contactor open, final reading, unlock."""
    bay = Bay()
    bay.charge()
    bay.tap()
    bay.run(10)
    acts = [what for _, what in bay.acts()]
    end = acts[acts.index("PermitPower(slot=1, allowed=True)") :]
    end = end[end.index("Offer(slot=1, limit_ma=None)") :]
    order = [what.split("(")[0] for what in end]
    assert order == ["Offer", "PermitPower", "SetLock"]
    [stop] = bay.heard("StopTransaction")  # the last reading came after the contactor had opened
    assert stop["meterStop"] == bay.board.true_energy_mwh(1) // 1000


def test_a_vehicle_has_three_seconds_to_let_go() -> None:
    bench = charging()
    bench.tap()
    slot = bench.core.slots[0]
    bench.wait(2.9)
    assert (slot.permitted, slot.offered_ma) == (True, None)
    bench.wait(0.2)
    assert (slot.permitted, slot.offered_ma) == (False, None)
    bench.answer_all()
    assert len(bench.actions("StopTransaction")) == 1


def test_a_vehicle_that_lets_go_at_once_is_not_waited_for() -> None:
    bench = charging()
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    assert not bench.core.slots[0].permitted
    assert len(bench.actions("StopTransaction")) == 1


def test_a_lock_that_opens_by_itself_cuts_the_power() -> None:
    bench = charging()
    effects = bench.give(LockReported(1, LockState.OPEN))
    assert effects[0] == PermitPower(1, False)
    bench.wait(5)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["Other"]


def test_a_plug_pulled_out_of_the_socket_by_force_cuts_the_power_whatever_the_settings() -> None:
    bench = charging(STAYS)
    effects = bench.give(CableChanged(1, False))
    assert effects[0] == PermitPower(1, False)
    bench.pilot(Pilot.A)
    bench.answer_all()
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["EVDisconnected"]
    assert bench.statuses()[-1] == "Available"


def test_a_contactor_that_falls_off_is_told_again_to_close() -> None:
    """The vehicle still asks: it is the contactor's business, and no change of status."""
    bench = charging()
    before = len(bench.statuses())
    mark = len(bench.effects)
    bench.give(PowerReported(1, False))
    bench.wait(7)
    assert [e for e in bench.effects[mark:] if isinstance(e, PermitPower)] == [
        PermitPower(1, False),
        PermitPower(1, True),
    ]
    assert bench.core.slots[0].power_closed
    assert bench.statuses()[before:] == []


@pytest.mark.parametrize("then", [PowerReported(1, True), VehicleChanged(1, Pilot.B)], ids=["closed", "pilot"])
def test_nothing_that_is_heard_meanwhile_gives_a_contactor_more_than_its_second_to_open(then: Input) -> None:
    bench = charging()
    bench.board = False
    bench.give(CableChanged(1, False))
    bench.wait(0.7)
    bench.give(then)
    bench.wait(0.4)
    assert Cause.CONTACTOR_WELDED in [fault.cause for fault in bench.core.slots[0].faults or ()]


def test_a_contactor_that_may_be_closed_again_has_a_whole_second_when_it_is_to_open_next() -> None:
    bench = charging()
    bench.board = False  # slow to report
    for pilot in (Pilot.E, Pilot.C, Pilot.B):
        bench.pilot(pilot)
        bench.wait(0.4)
    assert bench.core.slots[0].permitted
    bench.wait(0.5)  # 1.7 s after the first reason to open, 0.9 after the last
    assert not bench.core.slots[0].faults


# --- the vehicle leaves at its own side ---


def last(bench: CoreBench, connector: int = 1) -> dict[str, Any]:
    return [p for p in bench.actions("StatusNotification") if p["connectorId"] == connector][-1]


def ev_side_unplug(bench: CoreBench) -> None:
    """The cable stays in the socket."""
    bench.pilot(Pilot.A)
    bench.answer_all()
    bench.wait(5)


@spec("1.6", "16-STOP-04", "16-STOP-14", "TC_005_1_CS")
def test_unplugged_at_the_vehicle_stops_and_unlocks() -> None:
    bench = charging()
    ev_side_unplug(bench)
    [stop] = bench.actions("StopTransaction")
    assert stop["reason"] == "EVDisconnected" and "idTag" not in stop
    told = last(bench)
    assert (told["status"], told["info"]) == ("Finishing", "EV side disconnected")
    assert SetLock(1, False) in bench.effects
    bench.pilot(Pilot.B)  # plugged in again: nobody is authorised
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert last(bench)["status"] == "Preparing" and "info" not in last(bench)
    assert not bench.core.slots[0].permitted
    bench.tap()
    bench.answer_all()
    assert len(bench.actions("StartTransaction")) == 2
    assert bench.actions("StopTransaction")[0]["transactionId"] == 1


@spec("1.6", "16-STOP-15", "TC_005_2_CS")
def test_unplugged_at_the_vehicle_stops_and_stays_locked_until_the_card() -> None:
    bench = charging(KEEPS)
    ev_side_unplug(bench)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["EVDisconnected"]
    bench.wait(600)
    bench.tap("04DEADBE")
    bench.answer_all()
    assert SetLock(1, False) not in bench.effects
    bench.wait(3)
    bench.tap(CARD)
    bench.answer_all()
    assert SetLock(1, False) in bench.effects
    bench.give(CableChanged(1, False))
    bench.answer_all()
    assert last(bench)["status"] == "Available"


@spec("1.6", "16-STOP-13", "16-STOP-16", "TC_005_3_CS")
@pytest.mark.parametrize("unlock", [False, True])
def test_unplugged_at_the_vehicle_the_transaction_goes_on_when_it_comes_back(unlock: bool) -> None:
    """SuspendedEV and locked, whatever UnlockConnectorOnEVSideDisconnect says."""
    bench = charging(Settings(stop_on_ev_disconnect=False, unlock_on_ev_disconnect=unlock))
    ev_side_unplug(bench)
    assert not bench.core.slots[0].permitted
    told = last(bench)
    assert (told["status"], told["info"]) == ("SuspendedEV", "EV side disconnected")
    bench.wait(600)
    assert bench.actions("StopTransaction") == [] and SetLock(1, False) not in bench.effects
    bench.pilot(Pilot.B)
    bench.wait(2)
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert last(bench)["status"] == "Charging" and "info" not in last(bench)
    assert len(bench.actions("StartTransaction")) == 1


def test_the_card_ends_what_waits_for_its_vehicle() -> None:
    bench = charging(STAYS)
    ev_side_unplug(bench)
    bench.tap()
    bench.answer_all()
    assert len(bench.actions("StopTransaction")) == 1
    assert SetLock(1, False) in bench.effects


def test_a_vehicle_that_leaves_before_there_is_power_is_waited_for_by_nobody() -> None:
    """Nothing has begun, so there is nothing to go on with."""
    bench = CoreBench(settings=STAYS, answering=True, board=False)
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.tap()
    bench.answer_all()
    assert bench.core.slots[0].session is not None
    bench.pilot(Pilot.A)
    assert bench.core.slots[0].session is None
    assert bench.actions("StartTransaction") == []


def test_a_tethered_cable_taken_out_of_the_vehicle_leaves_an_available_slot() -> None:
    assert TEMPLATES["tethered-11kw"].slots[0].kind == "tethered"
    bench = charging(template="tethered-11kw")
    ev_side_unplug(bench)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["EVDisconnected"]
    assert last(bench)["status"] == "Available" and "info" not in last(bench)
