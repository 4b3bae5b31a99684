"""Promises about what lasts and what is believed: answers that promise to last, latches, welds, registers, events, heartbeats."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import PermitPower
from hal.disk import Persist, Record
from hal.signals import BoardFault, FaultAcknowledged, PowerReported
from hal.units import Cause
from ocpp_client.link import LinkDown, LinkUp
from sim.checkers.boots import Accepted
from sim.checkers.energy import Credible
from sim.checkers.events import SessionEvents
from sim.checkers.eyes import Promise
from sim.checkers.locks import Weld
from sim.checkers.orderly import Orderly
from sim.checkers.power import NoFault
from sim.checkers.rpc import AskedOnce, Heard
from sim.plan import CsmsFault, DiskFault, Plan
from station.core.effects import Answer, Ask, Wake
from station.words.commands import UnlockSlot
from station.words.common import Origin, TokenInfo, TokenStatus
from station.words.outcomes import UnlockOutcome
from station.words.records import AvailabilityRecord, SettingRecord, TokenRecord
from station.words.settings import Settings
from tests.unit.sim.checker_bench import CARD, Bench, broken, event, withdraw


def session(*promises: Promise, plan: Plan | None = None) -> Bench:
    bench = Bench(*promises, plan=plan)
    bench.online()
    bench.visit()
    bench.charge()
    return bench


def ended(bench: Bench, *more: Record, **changes: Any) -> Persist:
    fact = bench.fact("ended", **changes)
    return bench.persist(bench.outbox(fact, "stop"), *more, forgets=(("session", "s1"),), urgent=True)


# --- what is accepted is on the disk ---

SETTING = ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "35"})
SHUT = ("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        (SETTING, Record("setting", "heartbeat_interval_s", SettingRecord("35"))),
        (SHUT, Record("availability", "2", AvailabilityRecord(False))),
    ],
)
def test_an_answer_that_promises_to_last_waits_for_the_disk(asked: tuple[str, dict[str, Any]], row: Record) -> None:
    promise = Accepted()
    bench = Bench(promise)
    bench.online()
    batch = bench.persist(row, urgent=True)
    bench.asked("c1", *asked, batch)
    with broken(promise, "was accepted before it was on the disk"):
        bench.replied("c1", {"status": "Accepted"})
    bench.asked("c2", *asked)
    bench.replied("c2", {"status": "Rejected"})
    bench.store(batch)
    bench.asked("c3", *asked)
    bench.replied("c3", {"status": "Accepted"})
    assert promise.armed == 2


def test_a_cache_that_was_cleared_is_empty_on_the_disk_but_for_what_was_learnt_since() -> None:
    promise = Accepted()
    bench = Bench(promise)
    bench.online()
    card = Record("token", CARD, TokenRecord(TokenInfo(TokenStatus.ACCEPTED), 0))
    bench.store(bench.persist(card))
    bench.asked("c1", "ClearCache", {})
    with broken(promise, f"{CARD} is still on the disk"):
        bench.replied("c1", {"status": "Accepted"})
    bench.asked("c2", "ClearCache", {})
    bench.store(bench.persist(card))
    bench.replied("c2", {"status": "Accepted"})


# --- what is latched stays so ---


@pytest.mark.parametrize(("plan", "held"), [(None, True), (Plan(faults=(DiskFault(at_s=0),)), False)])
def test_an_emergency_stop_is_not_forgotten_in_a_power_cut(plan: Plan | None, held: bool) -> None:
    promise = NoFault()
    bench = Bench(promise, plan=plan)
    bench.give(BoardFault(0, Cause.EMERGENCY_STOP, True))
    bench.wait(20)
    bench.give(BoardFault(0, Cause.EMERGENCY_STOP, False))
    bench.cut()
    bench.boot()
    bench.plug()
    if held:
        with broken(promise, "nobody has acknowledged it"):
            bench.power()
        bench.give(FaultAcknowledged(0))
    bench.power(name="s2")


def test_one_that_the_disk_may_not_have_yet_may_be_forgotten() -> None:
    bench = Bench(NoFault())
    bench.give(BoardFault(0, Cause.EMERGENCY_STOP, True))
    bench.wait(9)
    bench.cut()
    bench.boot()
    bench.plug()
    bench.power()


def test_a_session_on_a_weld_ends() -> None:
    promise = Weld()
    bench = session(promise)
    bench.give(Wake(), *withdraw())
    bench.give(PowerReported(1, True))
    error = {"code": "PowerSwitchFailure", "info": "contactor welded", "slotNumber": 1}
    bench.wait(1.03, bench.persist(event("faulted.v1", "slot/1", 9, faultId="f1", error=error)))
    with broken(promise, "the session goes on"):
        bench.wait(16)
    bench.store(ended(bench))
    bench.wait(16)


def test_an_unlock_ends_the_session_first() -> None:
    promise = Orderly()
    bench = session(promise)
    bench.wait(10)
    bench.asked("c1", "UnlockConnector", {"connectorId": 1})
    with broken(promise, "an unlock is answered UnlockFailed and power is permitted"):
        bench.replied("c1", {"status": "UnlockFailed"})
    bench.asked("c2", "UnlockConnector", {"connectorId": 1}, PermitPower(1, False))
    bench.replied("c2", {"status": "Unlocked"})


# --- what is billed, and what is said of it ---


@pytest.mark.parametrize(("billed_mwh", "words"), [(-1, "-0.0 Wh are billed"), (500_000, "500.0 Wh are billed")])
def test_what_cannot_have_flowed_is_not_billed(billed_mwh: int, words: str) -> None:
    promise = Credible()
    bench = session(promise)
    bench.wait(2)
    bench.stop()
    with broken(promise, words):
        bench.give(Wake(), ended(bench, register_mwh=billed_mwh))
    bench = session(promise)
    bench.wait(60)
    bench.stop()
    bench.store(ended(bench, register_mwh=300_000))
    assert promise.armed == 2


def test_the_event_of_a_session_tells_what_is_billed() -> None:
    promise = SessionEvents()
    for told_wh in (5_000, 4_999):
        bench = session(promise)
        bench.wait(60)
        bench.stop()
        said = event("session-ended.v1", "slot/1", 9, energyWh=told_wh, session={"id": "s1"})
        if told_wh == 5_000:
            bench.give(Wake(), ended(bench), bench.persist(said))
        else:
            with broken(promise, "tells 4999 Wh, and 5000 Wh are billed"):
                bench.give(Wake(), ended(bench), bench.persist(said))
    assert promise.armed == 2


# --- who is there ---


@pytest.mark.parametrize(("plan", "judged"), [(None, True), (Plan(faults=(CsmsFault(at_s=0),)), False)])
def test_a_heartbeat_comes_at_its_interval_after_a_reconnection_too(plan: Plan | None, judged: bool) -> None:
    promise = Heard()
    bench = Bench(promise, plan=plan)
    bench.online()
    bench.wait(300)
    bench.heard(bench.out("Heartbeat", {}), {"currentTime": bench.iso()})
    bench.wait(200)
    bench.give(LinkDown("lost", "gone"))
    bench.wait(600)
    bench.give(LinkUp("ocpp1.6"))
    bench.wait(419)
    if judged:
        with broken(promise, "421 s without a Heartbeat, every 300 s"):
            bench.wait(2)
    else:
        bench.wait(2)


def test_where_the_interval_was_changed_it_is_not_judged() -> None:
    bench = Bench(Heard(), settings=Settings())
    bench.online()
    bench.store(bench.persist(Record("setting", "heartbeat_interval_s", SettingRecord("86400"))))
    bench.wait(4000)


def test_an_ask_that_is_answered_too_late_or_twice() -> None:
    promise = AskedOnce()
    bench = Bench(promise)
    bench.give(Ask(-1, Origin.LOCAL, UnlockSlot(1)), Answer(-1, UnlockOutcome("unlocked")))
    with broken(promise, "has had its answer"):
        bench.give(Wake(), Answer(-1, UnlockOutcome("unlocked")))
    bench.give(Ask(-2, Origin.LOCAL, UnlockSlot(1)))
    with broken(promise, "UnlockSlot was not answered within 330 s"):
        bench.wait(331)
