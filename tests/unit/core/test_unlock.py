"""UnlockConnector (1.6 §5.18): the answer is what the lock says."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import SetLock
from hal.signals import LockReported, PowerReported
from hal.units import LockState, Pilot
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec

UNLOCKED, FAILED, NOT_SUPPORTED = {"status": "Unlocked"}, {"status": "UnlockFailed"}, {"status": "NotSupported"}


def online(template: str = "two-sockets-22kw", **options: Any) -> CoreBench:
    bench = CoreBench(template, **options)
    bench.connect()
    return bench


def unlock(bench: CoreBench, slot: int = 1) -> str:
    return bench.call("UnlockConnector", {"connectorId": slot})


def kept() -> CoreBench:
    """A plug on slot 1 that waits for its owner's card."""
    bench = online()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    assert bench.core.slots[0].lock is LockState.CLOSED and bench.core.slots[0].session is None
    return bench


@spec("1.6", "16-UNL-01", "TC_017_1_CS")
@pytest.mark.parametrize("plugged", [True, False])
def test_idle_with_nothing_locked(plugged: bool) -> None:
    bench = online()
    if plugged:
        bench.plug()
        bench.answer_all()
    assert bench.reply(unlock(bench)) == UNLOCKED


@spec("1.6", "16-UNL-01", "TC_017_1_CS")
def test_idle_with_a_cable_that_is_locked() -> None:
    bench = kept()
    bench.board = False
    reply = unlock(bench)
    assert bench.effects.count(SetLock(1, False)) == 1
    assert bench.reply(reply) is None, "the answer waits for the lock"
    bench.give(LockReported(1, LockState.OPEN))
    assert bench.reply(reply) == UNLOCKED
    assert not bench.disk.get("kept")


@spec("1.6", "16-UNL-02", "TC_017_2_CS")
def test_a_fixed_cable_has_no_lock() -> None:
    bench = online("tethered-11kw")
    assert bench.reply(unlock(bench)) == NOT_SUPPORTED


@spec("1.6", "16-UNL-02", "TC_018_2_CS")
def test_a_fixed_cable_has_no_lock_in_a_transaction_either() -> None:
    bench = online("tethered-11kw")
    bench.charging()
    assert bench.reply(unlock(bench)) == NOT_SUPPORTED
    bench.wait(10)
    assert bench.core.slots[0].session.ending is None and bench.statuses()[-1] == "Charging"


@spec("1.6", "16-UNL-03", "TC_031_CS")
@pytest.mark.parametrize("slot", [0, 3, -1])
def test_a_connector_that_is_none(slot: int) -> None:
    assert bench_reply(slot) == NOT_SUPPORTED


def bench_reply(slot: int) -> Any:
    bench = online()
    return bench.reply(unlock(bench, slot))


@spec("1.6", "16-UNL-04", "TC_018_1_CS", "16-STOP-07")
def test_in_a_transaction_it_ends_first() -> None:
    bench = online()
    bench.charging()
    reply = unlock(bench)
    assert bench.reply(reply) is None
    assert not bench.actions("StopTransaction") and SetLock(1, False) not in bench.effects
    bench.pilot(Pilot.B)
    assert bench.reply(reply) == UNLOCKED
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert stop["reason"] == "UnlockCommand" and "idTag" not in stop
    assert bench.statuses()[-1] == "Finishing"
    sent = [frame[:3] for frame in bench.sent]
    assert sent.index([3, reply, UNLOCKED]) < next(i for i, f in enumerate(sent) if f[2] == "StopTransaction")


@spec("1.6", "16-UNL-01", "TC_030_CS")
@pytest.mark.parametrize("says", [LockState.JAMMED, LockState.CLOSED, None], ids=["jammed", "closed", "nothing"])
@pytest.mark.parametrize("charging", [True, False])
def test_a_lock_that_does_not_open(says: LockState | None, charging: bool) -> None:
    bench = online() if charging else kept()
    if charging:
        bench.charging()
    bench.board = False
    reply = unlock(bench)
    if charging:
        bench.pilot(Pilot.B)
        bench.give(PowerReported(1, False))
        bench.wait(2)  # for the final reading, in vain
    assert SetLock(1, False) in bench.effects
    if says is not None:
        bench.give(LockReported(1, says))
    bench.wait(6)
    assert bench.reply(reply) == FAILED
    bench.answer_all()
    assert bench.actions("StatusNotification")[-1]["errorCode"] == "ConnectorLockFailure"


def test_a_welded_contactor_keeps_the_lock() -> None:
    bench = online()
    bench.charging()
    bench.board = False
    reply = unlock(bench)
    bench.give(LockReported(1, LockState.CLOSED))
    bench.wait(4)
    bench.board = True
    bench.wait(6)
    assert bench.reply(reply) == FAILED, "at once, not when the command's time is over"
    assert SetLock(1, False) not in bench.effects
    assert bench.reply(unlock(bench)) == FAILED
    bench.give(PowerReported(1, False))
    assert bench.core.slots[0].lock is LockState.OPEN, "once it lets go, so does the lock"


def test_a_second_unlock_takes_the_place_of_the_first() -> None:
    bench = kept()
    bench.board = False
    from station.words.commands import UnlockSlot
    from station.words.outcomes import UnlockOutcome

    reply = unlock(bench)
    assert bench.ask(UnlockSlot(1)) is None
    assert bench.reply(reply) == FAILED
    effects = bench.give(LockReported(1, LockState.OPEN))
    assert [e.outcome for e in effects if hasattr(e, "outcome")] == [UnlockOutcome("unlocked")]


def test_an_unlock_while_the_session_is_being_refused_opens_the_lock() -> None:
    """DeAuthorized would keep the plug for its owner; the CSMS is asking for it."""
    bench = online()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    bench.pilot(Pilot.C)
    bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    assert bench.core.slots[0].session.ending is not None
    reply = unlock(bench)
    bench.pilot(Pilot.B)
    assert bench.reply(reply) == UNLOCKED
    assert bench.core.slots[0].lock is LockState.OPEN


def test_an_unlock_while_the_lock_closes_leaves_it_open() -> None:
    """The session is dropped before it began; the lock, told to close, opens again."""
    bench = online()
    bench.plug()
    bench.answer_all()
    bench.board = False
    bench.tap(CARD)
    bench.answer_all()
    assert SetLock(1, True) in bench.effects
    bench.board = True
    assert bench.reply(unlock(bench)) == UNLOCKED
    bench.give(LockReported(1, LockState.CLOSED))
    assert bench.core.slots[0].lock is LockState.OPEN
    bench.answer_all()
    assert not bench.actions("StartTransaction")


def test_the_cable_is_never_trapped_by_a_setting_of_another_kind() -> None:
    bench = CoreBench(settings=Settings(unlock_on_ev_disconnect=False))
    bench.connect()
    bench.charging()
    bench.pilot(Pilot.A)
    bench.wait(5)
    bench.answer_all()
    assert bench.core.slots[0].lock is LockState.CLOSED
    assert bench.reply(unlock(bench)) == UNLOCKED
