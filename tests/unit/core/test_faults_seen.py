"""Faults that the core sees by itself, on a whole station with a real board: lock, contactor, pilot."""

from __future__ import annotations

import pytest

from hal.units import LockState
from sim.slot import ContactorFault, LockFault, PilotFault
from tests.spec import spec
from tests.unit.core.bay import Bay


def reasons(bay: Bay) -> list[str]:
    return [stop.get("reason", "Local") for stop in bay.heard("StopTransaction")]


# --- the lock ---


@spec("1.6", "16-STAT-10", "TC_024_CS")
@pytest.mark.parametrize("how", [LockFault.JAM, LockFault.HALF])
def test_a_lock_that_will_not_close(how: LockFault) -> None:
    """Faulted, no transaction, no power; over when the vehicle has gone and the lock moves again."""
    bay = Bay()
    bay.truth().lock_fault = how
    bay.plug()
    bay.tap()
    bay.run(60)
    assert bay.told()[-1] == ("Faulted", "ConnectorLockFailure")
    assert bay.heard("StartTransaction") == []
    assert bay.acts("PermitPower(slot=1, allowed=True") == []
    bay.truth().lock_fault = None
    bay.call("UnlockConnector", connectorId=1)
    bay.board.unplug(1)
    bay.run(5)
    assert bay.told()[-1] == ("Available", "NoError")


def test_a_slow_lock_is_waited_for() -> None:
    bay = Bay()
    bay.truth().lock_fault = LockFault.SLOW
    bay.plug()
    bay.tap()
    bay.run(30)
    assert bay.told()[-1] == ("Charging", "NoError")


def test_a_lock_that_will_not_open_is_a_warning_and_goes_when_it_opens() -> None:
    bay = Bay()
    bay.charge()
    bay.truth().lock_fault = LockFault.JAM
    bay.tap()
    bay.run(20)
    assert bay.told()[-1] == ("Finishing", "ConnectorLockFailure")
    assert reasons(bay) == ["Local"]
    assert bay.call("UnlockConnector", connectorId=1) == {"status": "UnlockFailed"}
    bay.truth().lock_fault = None
    assert bay.call("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
    assert bay.told()[-1] == ("Finishing", "NoError")


# --- the contactor ---


def test_a_contactor_that_does_not_close_is_tried_three_times() -> None:
    """Three seconds each and a pause between them; then the session ends, and nothing goes on until the vehicle leaves."""
    bay = Bay()
    bay.board.set_contactor_fault(1, ContactorFault.STUCK_OPEN)
    bay.plug()
    bay.tap()
    bay.run(60)
    tries = [at for at, _ in bay.acts("PermitPower(slot=1, allowed=True")]
    assert len(tries) == 3
    assert tries[2] - tries[1] == pytest.approx(5, abs=0.1)
    assert bay.told()[-1] == ("Faulted", "PowerSwitchFailure")
    assert "SuspendedEV" not in bay.statuses()
    assert reasons(bay) == ["Other"]
    assert bay.truth().lock is LockState.OPEN
    bay.tap("04FFEE11")
    bay.board.set_contactor_fault(1, None)
    bay.run(60)
    assert len(bay.heard("StartTransaction")) == 1
    bay.board.unplug(1)
    bay.run(5)
    assert bay.told()[-1] == ("Available", "NoError")


def test_a_contactor_that_closes_at_the_second_try_has_its_three_tries_again() -> None:
    bay = Bay()
    bay.board.set_contactor_fault(1, ContactorFault.STUCK_OPEN)
    bay.plug()
    bay.tap()
    bay.run(4)
    bay.truth().contactor_fault = None
    bay.run(20)
    assert bay.told()[-1] == ("Charging", "NoError")
    assert bay.slot().connect_failures == 0


def test_a_contactor_that_bounces_is_no_change_of_status() -> None:
    bay = Bay()
    bay.board.set_contactor_fault(1, ContactorFault.BOUNCES)
    bay.charge()
    assert bay.statuses() == ["Available", "Preparing", "Charging"]


def welded(how: str) -> Bay:
    """Found when permission is withdrawn, or when the vehicle has had enough and the contactor does not follow."""
    bay = Bay()
    bay.charge(soc_permille=796)
    bay.board.set_contactor_fault(1, ContactorFault.WELDED)
    if how == "tap":
        bay.tap()
    bay.run(240)
    return bay


@pytest.mark.parametrize("how", ["tap", "vehicle"])
def test_a_welded_contactor_keeps_the_lock_closed_whoever_asks(how: str) -> None:
    """By card, from afar, at the end of the session, at a power failure, at a boot: not while the mirror says closed."""
    bay = welded(how)
    assert bay.told()[-1] == ("Faulted", "PowerSwitchFailure")
    assert len(bay.heard("StopTransaction")) == 1
    assert bay.locked
    assert bay.call("UnlockConnector", connectorId=1) == {"status": "UnlockFailed"}
    bay.tap()
    bay.tap("04FFEE11")
    assert len(bay.heard("StartTransaction")) == 1
    bay.board.acknowledge(1)
    bay.run(5)
    assert bay.told()[-1] == ("Faulted", "PowerSwitchFailure")
    bay.world.cut_power(bay.world.units["CP1"])
    bay.run(120)
    assert bay.truth().closed
    assert bay.told()[-1] == ("Faulted", "PowerSwitchFailure")
    bay.board.brown_out()
    bay.run(1)
    assert bay.acts("SetLock(slot=1, closed=False)") == []
    assert bay.locked


def test_an_unlock_in_a_session_whose_contactor_welds_is_answered() -> None:
    bay = Bay()
    bay.charge()
    bay.board.set_contactor_fault(1, ContactorFault.WELDED)
    assert bay.call("UnlockConnector", connectorId=1) == {"status": "UnlockFailed"}
    assert reasons(bay) == ["UnlockCommand"]


def test_the_plug_is_let_go_when_the_weld_breaks_and_the_slot_when_somebody_has_looked() -> None:
    bay = welded("tap")
    bay.board.set_contactor_fault(1, None)
    bay.run(5)
    assert not bay.locked
    assert bay.told()[-1] == ("Faulted", "PowerSwitchFailure")
    bay.board.acknowledge(1)
    bay.run(1)
    assert bay.told()[-1] == ("Finishing", "NoError")


# --- the pilot ---


@spec("1.6", "16-STAT-06")
@pytest.mark.parametrize("fault", PilotFault)
def test_a_pilot_that_is_wrong_suspends_and_comes_back(fault: PilotFault) -> None:
    bay = Bay()
    bay.charge()
    bay.board.set_pilot_fault(1, fault)
    bay.run(20)
    assert bay.told()[-1] == ("SuspendedEVSE", "EVCommunicationError")
    assert not bay.truth().closed
    bay.board.set_pilot_fault(1, None)
    bay.run(20)
    assert bay.told()[-1] == ("Charging", "NoError")
    assert reasons(bay) == []


@pytest.mark.parametrize("fault", PilotFault)
def test_a_pilot_that_stays_wrong_ends_the_session_after_a_minute(fault: PilotFault) -> None:
    bay = Bay()
    bay.charge()
    bay.board.set_pilot_fault(1, fault)
    bay.run(58)
    assert reasons(bay) == []
    bay.run(4)
    assert reasons(bay) == ["Other"]
    assert bay.told()[-1] == ("Finishing", "EVCommunicationError")


def test_a_pilot_error_without_a_vehicle_is_none_of_communication() -> None:
    """1.6 has EVCommunicationError only where there is a vehicle."""
    bay = Bay()
    bay.board.set_pilot_fault(2, PilotFault.E)
    bay.run(1)
    assert bay.told(2)[-1] == ("Available", "OtherError")


def test_who_is_authorised_under_a_wrong_pilot_is_not_kept_waiting_for_ever() -> None:
    """A minute for each who tries."""
    bay = Bay()
    bay.plug()
    bay.board.set_pilot_fault(1, PilotFault.E)
    bay.run(90)
    bay.tap()
    bay.run(40)
    bay.tap()
    assert bay.slot().session is None
    bay.tap()
    bay.run(50)
    assert bay.slot().session is not None
    bay.run(20)
    assert bay.slot().session is None
    assert bay.heard("StartTransaction") == []
