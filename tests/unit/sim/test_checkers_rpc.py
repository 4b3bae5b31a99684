"""Promises about calls, lamps, statuses, restarts and the end of a run: healthy sequences, and one wrong step."""

from __future__ import annotations

import pytest

from hal.actions import ShowLight
from hal.disk import Persist
from hal.signals import BoardReady, CardPresented
from hal.units import Colour, Light, LockState, Pattern
from ocpp_client.link import LinkDown
from sim.checkers.boots import Inoperative
from sim.checkers.eyes import Promise
from sim.checkers.frames import specification
from sim.checkers.lamps import Full, Recovered, Red
from sim.checkers.liveness import BothAgree, NothingPending, Open
from sim.checkers.rpc import AnsweredOnce, AskedOnce, OneOut, PeopleFirst, TheirsFirst
from sim.csms.oracle_books import Violation
from sim.csms.oracle_rules import RULES
from sim.plan import LockFault, Plan
from station.core.effects import Answer, Ask, Wake
from station.words.commands import ClearCache
from station.words.common import Origin
from station.words.outcomes import ACCEPTED
from station.words.records import AvailabilityRecord
from tests.unit.sim.checker_bench import CARD, OTHER, Bench, broken, event

RED, GREEN = Light(Colour.RED), Light(Colour.GREEN)
FLICKER = Light(Colour.RED, Pattern.FLICKER)


def online(*promises: Promise) -> Bench:
    bench = Bench(*promises)
    bench.online()
    return bench


# --- turns ---


def test_one_own_call_at_a_time() -> None:
    promise = OneOut()
    bench = online(promise)
    bench.heard(bench.out("Heartbeat", {}), {"currentTime": bench.iso()})
    bench.out("Heartbeat", {})
    with broken(promise, "was unanswered"):
        bench.out("Heartbeat", {})
    bench.wait(30)
    bench.out("Heartbeat", {})  # the one before has had its time
    bench.give(LinkDown("lost", ""))
    bench.online()
    assert promise.armed == 6


def test_calls_of_the_csms_come_first() -> None:
    promise = TheirsFirst()
    bench = online(promise)
    bench.asked("c1", "ClearCache", {})
    bench.replied("c1", {"status": "Accepted"})
    bench.out("Heartbeat", {})
    assert promise.armed == 1
    bench.wait(60)
    bench.asked("c2", "ClearCache", {})
    with broken(promise, "left while ClearCache c2"):
        bench.out("Heartbeat", {})
    with broken(promise, "has waited"):
        bench.wait(31)


def test_every_call_of_the_csms_is_answered_once() -> None:
    promise = AnsweredOnce()
    bench = online(promise)
    for number in ("c1", "c2", "c2", "c3"):
        bench.asked(number, "ClearCache", {})
    bench.replied("c1", {})
    bench._frame(True, 4, "c3", "InternalError", "too many", {})  # refused out of turn
    bench.replied("c2", {})
    bench.replied("c2", {})
    assert promise.armed == 4
    with broken(promise, "no open call"):
        bench.replied("c2", {})
    bench.settle()
    bench.asked("c4", "ClearCache", {})
    bench.asked("c5", "GetConfiguration", {})
    with broken(promise, "before ClearCache c4"):
        bench.replied("c5", {})
    bench.settle()
    bench.clock.run_for(30)
    with broken(promise, "never answered"):
        bench.settle()


def test_a_station_that_was_rejected_answers_nobody() -> None:
    promises = AnsweredOnce(), TheirsFirst()
    bench = Bench(*promises)
    bench.give(LinkDown("lost", ""))
    answer = {"status": "Rejected", "currentTime": bench.iso(), "interval": 60}
    bench.heard(bench.out("BootNotification", {}), answer)
    bench.asked("c1", "ClearCache", {})
    bench.wait(100)
    bench.out("BootNotification", {})
    bench.settle()


def test_every_ask_is_answered_once() -> None:
    promise = AskedOnce()
    bench = online(promise)
    bench.give(Ask(-1, Origin.LOCAL, ClearCache()), Answer(-1, ACCEPTED))
    with broken(promise, "ticket -1"):
        bench.give(Wake(), Answer(-1, ACCEPTED))
    bench.give(Ask(-2, Origin.LOCAL, ClearCache()))
    with broken(promise, "ClearCache was never answered"):
        bench.settle()
    bench.cut()
    bench.settle()
    assert promise.armed == 2


def test_people_come_before_records() -> None:
    promise = PeopleFirst()
    bench = online(promise)
    out = bench.out("MeterValues", {})
    bench.tap()
    bench.heard(out, {})
    bench.accept()
    assert promise.armed == 1
    bench.wait(5)
    out = bench.out("MeterValues", {})
    bench.tap(OTHER)
    bench.heard(out, {})
    bench.wait(1)
    bench.heard(bench.out("MeterValues", {}), {})
    with broken(promise, "behind other calls"):
        bench.accept(OTHER)


def test_who_was_offline_when_he_tapped_is_not_asked_for() -> None:
    promise = PeopleFirst()
    bench = Bench(promise)
    bench.give(CardPresented(CARD))
    bench.online()
    bench.out("MeterValues", {})
    bench.accept()
    assert not promise.armed


# --- lamps and statuses ---


def fault(bench: Bench, name: str = "f1", subject: str = "slot/1", kind: str = "faulted.v1") -> Persist:
    return bench.persist(event(kind, subject, faultId=name, error={"code": "GroundFailure"}))


def test_a_faulted_slot_shows_red() -> None:
    promise = Red()
    bench = online(promise)
    bench.give(Wake(), ShowLight(1, RED), fault(bench))
    with broken(promise, "turned green"):
        bench.give(Wake(), ShowLight(1, GREEN))
    bench.give(Wake(), ShowLight(1, GREEN), fault(bench, kind="fault-cleared.v1"))
    assert promise.armed == 1
    with broken(promise, "shows off"):
        bench.give(Wake(), fault(bench, "f2", "slot/2"))


def test_a_station_that_is_faulted_shows_red_everywhere() -> None:
    promise = Red()
    bench = online(promise)
    with broken(promise, "slot 2"):
        bench.give(Wake(), ShowLight(1, RED), fault(bench, subject="station"))
    bench = online(promise)
    bench.give(Wake(), ShowLight(1, RED), ShowLight(2, RED), fault(bench, subject="station"))


def test_before_the_board_is_ready_lamps_are_dark() -> None:
    promise = Red()
    bench = Bench(promise, boot=False)
    bench.boot(fault(bench), ready=False)
    with broken(promise, "shows off"):
        bench.give(BoardReady())
    bench = Bench(promise, boot=False)
    bench.boot(fault(bench), ready=False)
    bench.give(BoardReady(), ShowLight(1, RED))


@pytest.mark.parametrize("number", [0, 2])
def test_no_lamp_stays_red(number: int) -> None:
    promise = Recovered()
    bench = online(promise)
    bench.board.lamp = FLICKER
    bench.settle()
    assert promise.armed == 3
    if number:
        bench.board.slot(number).light = RED
    else:
        bench.board.lamp = RED
    with broken(promise, "is red and nothing is wrong"):
        bench.settle()
    bench.disk.image["availability"] = {"2": AvailabilityRecord(False)}
    if number == 0:
        bench.settle()


def status(bench: Bench, status: str, summary: str) -> Persist:
    return bench.persist(event("status-changed.v1", "slot/1", status=status, summary=summary))


def test_full_never_from_suspended_evse() -> None:
    promise = Full()
    bench = online(promise)
    bench.give(Wake(), status(bench, "suspended_ev", "full"))
    bench.give(Wake(), status(bench, "suspended_evse", "charging"))
    assert promise.armed == 2
    with broken(promise, "full while suspended_evse"):
        bench.give(Wake(), status(bench, "suspended_evse", "full"))
    with broken(promise, "while the station suspends"):
        bench.give(Wake(), bench.persist(event("vehicle-full.v1", "slot/1")))


# --- restarts ---


def inoperative(bench: Bench, status: str = "Accepted", kind: str = "Inoperative") -> None:
    bench.asked("c1", "ChangeAvailability", {"connectorId": 1, "type": kind})
    bench.replied("c1", {"status": status})


@pytest.mark.parametrize("told", ["Unavailable", "Faulted", "Available"])
def test_out_of_operation_survives_a_reboot(told: str) -> None:
    promise = Inoperative()
    bench = online(promise)
    inoperative(bench)
    bench.out("StatusNotification", {"connectorId": 1, "status": "Available"})  # it was on its way
    bench.cut()
    bench.boot()
    if told == "Available":
        with broken(promise, "after the reboot it is Available"):
            bench.out("StatusNotification", {"connectorId": 1, "status": told})
    else:
        bench.out("StatusNotification", {"connectorId": 1, "status": told})
    bench.out("StatusNotification", {"connectorId": 2, "status": "Available"})
    assert promise.armed == 1


def test_what_was_taken_back_or_rejected_does_not() -> None:
    promise = Inoperative()
    bench = online(promise)
    inoperative(bench)
    inoperative(bench, kind="Operative")
    inoperative(bench, "Rejected")
    bench.cut()
    bench.boot()
    bench.out("StatusNotification", {"connectorId": 1, "status": "Available"})
    assert not promise.armed


# --- the specification, and the end ---


def test_each_rule_of_the_specification_is_a_promise() -> None:
    promises = {promise.name: promise for promise in specification()}
    assert set(promises) == {f"OCPP {rule}" for rule in RULES}
    bench = online(*promises.values())
    bench.csms.armed = {"frame": 4, "time-order": 2}
    bench.out("Heartbeat", {})
    bench.settle()
    assert {name: promise.armed for name, promise in promises.items() if promise.armed} == {
        "OCPP frame": 4,
        "OCPP time-order": 2,
    }
    bench.csms.violations.append(Violation(7, "CP1", "time-order", "transaction 1 goes back"))
    with broken(promises["OCPP time-order"], "CP1: transaction 1 goes back"):
        bench.out("Heartbeat", {})


def test_nothing_stays_pending() -> None:
    promise = NothingPending()
    bench = online(promise)
    bench.settle()
    bench.visit()
    with broken(promise, "1 outbox records stay"):
        bench.settle()
    bench.unit.core = None
    with broken(promise, "does not run"):
        bench.settle()
    assert promise.armed == 2


def test_both_ends_agree_in_the_end() -> None:
    promise = BothAgree()
    bench = online(promise)
    bench.csms.status = {("CP1", number): "Available" for number in range(3)}
    bench.settle()
    assert promise.armed == 3
    bench.csms.status["CP1", 2] = "Preparing"
    with broken(promise, "believes Preparing"):
        bench.settle()
    bench.disk.image["availability"] = {"2": AvailabilityRecord(False)}
    with broken(promise, "is Unavailable"):
        bench.settle()
    bench.board.slot(2).cable = True
    bench.settle()


def test_locks_and_contactors_are_open_in_the_end() -> None:
    promise = Open()
    bench = online(promise)
    bench.settle()
    assert promise.armed == 2
    bench.board.slot(2).lock = LockState.CLOSED
    with broken(promise, "slot 2: the lock is closed"):
        bench.settle()
    bench.board.slot(2).lock = LockState.OPEN
    bench.board.slot(1).closed = True
    with broken(promise, "contactor is closed"):
        bench.settle()


def test_a_lock_that_lied_is_excused() -> None:
    bench = Bench(Open(), plan=Plan(faults=(LockFault(at_s=0, how="lies"),)))
    bench.board.slot(1).lock = LockState.CLOSED
    bench.settle()
