"""The whole fault table (station.md §4), row by row: power, the session's fate, what is told, how it clears.

Faults that the core sees by itself are provoked in test_faults_seen.py and test_faults_read.py; several at once in test_faults_together.py.
"""

from __future__ import annotations

import msgspec
import pytest

from hal.actions import Offer, PermitPower, SetLock
from hal.disk import Persist
from hal.signals import BoardFault, FaultAcknowledged, LockReported
from hal.units import Cause, LockState, Pilot
from statemachine.faults import FAULTS, Clears, Fate, Power
from station.core.effects import Publish
from tests.builders import CARD, CoreBench
from tests.spec import spec

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


# --- row by row ---


@BY_ROW
def test_power(cause: Cause) -> None:
    """A cut is the first effect of its step; an orderly stop waits for the vehicle, three seconds at most."""
    bench = charging()
    effects = begin(bench, cause)
    acts = [e for e in effects if isinstance(e, PermitPower | Offer)]
    match FAULTS[cause].power:
        case Power.CUT:
            assert effects[0] == PermitPower(1, False)
            assert acts[1] == Offer(1, None)
        case Power.ORDERLY:
            assert acts == [Offer(1, None)]
            assert PermitPower(1, False) not in bench.wait(2.9)
            assert PermitPower(1, False) in bench.wait(0.2)
        case Power.DERATE:
            assert acts == [Offer(1, 16_000)]
        case Power.WITHHELD if cause is not Cause.STORE:
            assert not bench.core.slots[0].permitted or Offer(1, None) in acts
        case _:
            assert acts == []
            bench.wait(30)
            assert bench.core.slots[0].permitted


@BY_ROW
def test_the_session(cause: Cause) -> None:
    row = FAULTS[cause]
    bench = charging()
    begin(bench, cause)
    bench.pilot(Pilot.B)
    bench.wait(5)
    stops = bench.actions("StopTransaction")
    if row.fate is Fate.ENDS:
        assert [stop["reason"] for stop in stops] == [REASONS.get(cause, "Other")]
        assert "idTag" not in stops[0]
        return
    assert stops == []
    assert bench.core.slots[0].session is not None
    if row.ends_after_s:
        bench.wait(row.ends_after_s - 6)
        assert bench.actions("StopTransaction") == []
        bench.wait(3)
        assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["Other"]


@BY_ROW
def test_what_is_told(cause: Cause) -> None:
    """Faulted, or a warning on the status as it is; on connector 0 what is the station's business."""
    row = FAULTS[cause]
    bench = charging()
    before = told(bench, 0)[0]
    begin(bench, cause)
    if row.error == "NoError":
        assert told(bench, 0) == ("Available", "NoError")
        return
    if row.station:
        assert told(bench, 0) == ("Faulted" if row.faulted else before, row.error)
        last = bench.actions("StatusNotification")[-1]
        assert last["vendorErrorCode"] == "code 7" and last["vendorId"]
    if row.faulted:
        for connector in (1, 2) if row.station else (1,):
            assert told(bench, connector) == ("Faulted", row.error)
    elif not row.station:
        status, error = told(bench, 1)
        assert error == row.error
        assert status == ("SuspendedEVSE" if row.power is Power.CUT else "Charging")
    if not row.station:
        assert told(bench, 2) == ("Available", "NoError")


@BY_ROW
def test_how_it_clears(cause: Cause) -> None:
    row = FAULTS[cause]
    bench = charging()
    begin(bench, cause)
    bench.pilot(Pilot.B)
    bench.wait(5)

    def stands() -> bool:
        return bool(bench.core.faults.station) or bool(bench.core.slots[0].faults)

    acknowledge(bench, where(cause))
    assert stands(), "it is still there: nobody can talk it away"
    gone(bench, cause)
    match row.clears:
        case Clears.SELF:
            assert stands() is (row.stable_s > 0)
            bench.wait(row.stable_s)
        case Clears.ACKNOWLEDGED | Clears.SERVICE:
            bench.wait(3600)
            assert stands()
            acknowledge(bench, where(cause))
        case Clears.UNPLUG:
            bench.wait(3600)
            assert stands()
            bench.unplug()
            bench.answer_all()
        case Clears.RETRIES:
            bench.wait(14)
            assert stands()
            bench.wait(2)
    assert not stands()
    bench.wait(10)  # the vehicle is asked
    assert told(bench, where(cause))[1] == "NoError"


@pytest.mark.parametrize("cause", [cause for cause, row in FAULTS.items() if row.clears is Clears.UNPLUG])
@pytest.mark.parametrize("left_first", [False, True])
def test_what_unplugging_clears_is_over_where_nobody_is_plugged(cause: Cause, left_first: bool) -> None:
    """Nobody was there at all, or left while the board still reported it: then its end is for the board to tell."""
    bench = CoreBench(answering=True)
    bench.connect()
    if left_first:
        bench.plug()
    begin(bench, cause)
    if left_first:
        bench.unplug()
    bench.answer_all()
    assert told(bench, 1)[0] == "Faulted"
    gone(bench, cause)
    assert told(bench, 1) == ("Available", "NoError")


@BY_ROW
def test_beginning_and_end_are_published_with_one_id(cause: Cause) -> None:
    """Power first, then the store, then the telling."""
    row = FAULTS[cause]
    bench = charging()
    effects = begin(bench, cause)
    kind = "faulted.v1" if row.faulted else "warning.v1"
    [event] = [e for e in bench.effects if isinstance(e, Publish) and e.kind.endswith(kind)]
    stored = next(i for i, e in enumerate(effects) if isinstance(e, Persist))
    published = effects.index(event)
    assert all(i < stored for i, e in enumerate(effects) if isinstance(e, PermitPower))
    assert stored < published
    bench.pilot(Pilot.B)
    bench.wait(5)
    gone(bench, cause)
    acknowledge(bench, where(cause))
    bench.unplug()
    bench.wait(70)
    ends = [e for e in bench.effects if isinstance(e, Publish) and "cleared" in e.kind]
    assert len(ends) == 1
    assert fault_id(event) == fault_id(ends[0])


def fault_id(event: Publish) -> object:
    return msgspec.json.decode(event.data)["faultId"]


# --- what goes beyond one row ---


def test_what_is_acknowledged_at_a_slot_that_is_not_there_acknowledges_nothing() -> None:
    bench = charging()
    begin(bench, Cause.EMERGENCY_STOP)
    gone(bench, Cause.EMERGENCY_STOP)
    acknowledge(bench, 9)
    assert told(bench, 1)[0] == "Faulted"
    acknowledge(bench, 0)
    assert told(bench, 1)[0] != "Faulted"


@spec("1.6", "16-STAT-09", "TC_041_CS")
@pytest.mark.parametrize("remote", [False, True])
def test_nothing_starts_on_a_faulted_slot(remote: bool) -> None:
    """Neither by card nor from afar; a vehicle that stands there may start when the fault has gone."""
    bench = CoreBench(answering=True)
    bench.connect()
    for slot in (1, 2):
        bench.give(BoardFault(slot, Cause.OVER_VOLTAGE, True))
    bench.plug()
    bench.answer_all()
    if remote:
        call = bench.call("RemoteStartTransaction", {"connectorId": 1, "idTag": CARD})
        assert bench.reply(call) == {"status": "Rejected"}
    else:
        bench.tap()
        assert "authorization.refused" in bench.notes()
    bench.pilot(Pilot.C)
    bench.wait(60)
    assert bench.actions("StartTransaction", "Authorize") == []
    assert not any(slot.permitted for slot in bench.core.slots)
    bench.give(BoardFault(1, Cause.OVER_VOLTAGE, False))
    bench.wait(61)
    bench.tap()
    bench.answer_all()
    assert len(bench.actions("StartTransaction")) == 1


def test_a_fault_between_card_and_power_holds_the_start_back_until_it_goes() -> None:
    """The lock has closed, the register is not read: no StartTransaction while Faulted."""
    bench = CoreBench(answering=True, board=False)
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.tap()
    bench.answer_all()
    assert SetLock(1, True) in bench.effects
    bench.give(BoardFault(1, Cause.UNDER_VOLTAGE, True))
    bench.board = True
    bench.give(LockReported(1, LockState.CLOSED))
    bench.wait(30)
    assert bench.actions("StartTransaction") == []
    bench.give(BoardFault(1, Cause.UNDER_VOLTAGE, False))
    bench.wait(61)
    assert len(bench.actions("StartTransaction")) == 1
    assert bench.core.slots[0].permitted
