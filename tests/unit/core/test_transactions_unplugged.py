"""The vehicle leaves in a session: what StopTransactionOnEVSideDisconnect and UnlockConnectorOnEVSideDisconnect make of it (1.6 §4.8)."""

from __future__ import annotations

import pytest

from hal.actions import SetLock
from hal.units import LockState, Pilot
from tests.builders import CARD
from tests.spec import spec
from tests.unit.core.test_transactions import charging, stop, stopped

MINUTE = 60
OTHER = "04FFEE11"


@spec("1.6", "16-STOP-04", "TC_005_1_CS")
def test_unplugged_at_the_vehicle_it_stops_and_unlocks() -> None:
    bench = charging(stop_on_ev_disconnect=True, unlock_on_ev_disconnect=True)
    bench.wait(MINUTE)
    bench.pilot(Pilot.A)
    bench.answer_all()
    assert stopped(bench)["reason"] == "EVDisconnected" and "idTag" not in stopped(bench)
    assert stopped(bench)["meterStop"] == bench.register_mwh[1] // 1000 > 0
    assert bench.statuses()[-1] == "Finishing" and bench.core.slots[0].lock is LockState.OPEN
    bench.unplug()
    bench.answer_all()
    assert bench.statuses()[-1] == "Available"


@spec("1.6", "16-STOP-14")
def test_it_finishes_with_the_reason_and_a_plug_that_comes_back_needs_a_card() -> None:
    bench = charging(stop_on_ev_disconnect=True)
    bench.pilot(Pilot.A)
    bench.answer_all()
    last = bench.actions("StatusNotification")[-1]
    assert (last["status"], last["info"], last["errorCode"]) == ("Finishing", "EV side disconnected", "NoError")
    bench.pilot(Pilot.B)
    bench.pilot(Pilot.C)
    bench.wait(MINUTE)
    assert len(bench.actions("StartTransaction")) == 1 and not bench.core.slots[0].permitted
    bench.tap()
    bench.answer_all()
    assert len(bench.actions("StartTransaction")) == 2


@spec("1.6", "16-STOP-15", "TC_005_2_CS")
def test_or_it_stops_and_the_plug_stays_until_its_card_is_shown() -> None:
    bench = charging(stop_on_ev_disconnect=True, unlock_on_ev_disconnect=False)
    bench.pilot(Pilot.A)
    bench.wait(MINUTE)
    assert stopped(bench)["reason"] == "EVDisconnected"
    bench.tap(OTHER)
    bench.answer_all()
    assert SetLock(1, False) not in bench.effects
    bench.tap(CARD)
    bench.answer_all()
    assert SetLock(1, False) in bench.effects


@spec("1.6", "16-STOP-13", "TC_005_3_CS")
@pytest.mark.parametrize("unlock", [True, False])
def test_or_it_goes_on_suspended_and_locked(unlock: bool) -> None:
    bench = charging(stop_on_ev_disconnect=False, unlock_on_ev_disconnect=unlock)
    bench.pilot(Pilot.A)
    bench.wait(10 * MINUTE)
    last = bench.actions("StatusNotification")[-1]
    assert (last["status"], last["info"], last["errorCode"]) == ("SuspendedEV", "EV side disconnected", "NoError")
    assert bench.actions("StopTransaction") == []
    assert bench.core.slots[0].lock is LockState.CLOSED and not bench.core.slots[0].permitted


@spec("1.6", "16-STOP-16", "TC_005_3_CS")
def test_and_energy_resumes_when_the_plug_is_back() -> None:
    bench = charging(stop_on_ev_disconnect=False)
    bench.wait(MINUTE)
    bench.pilot(Pilot.A)
    bench.wait(MINUTE)
    drawn = bench.register_mwh[1]
    bench.pilot(Pilot.B)
    bench.pilot(Pilot.C)
    bench.wait(10 * MINUTE)
    assert bench.statuses()[-1] == "Charging" and bench.register_mwh[1] > drawn
    stop(bench)
    assert len(bench.actions("StartTransaction")) == 1
    assert stopped(bench)["meterStop"] == bench.register_mwh[1] // 1000
