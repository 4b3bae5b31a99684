"""Promises about stops, contactors and locks, and safe mode: healthy sequences, and one wrong step."""

from __future__ import annotations

import pytest

from hal.actions import Offer, PermitPower, SetLock
from hal.disk import Persist
from hal.signals import (
    BoardFault,
    BoardReady,
    CableChanged,
    CardPresented,
    FaultAcknowledged,
    LockReported,
    MeterRead,
    PowerReported,
)
from hal.units import Cause, LockState, Reading
from sim.checkers.boots import SafeMode
from sim.checkers.locks import Unlock, Weld
from sim.checkers.orderly import Orderly, OverCurrent, Refused
from sim.checkers.supply import Supply
from sim.checkers.truth import LockedWhileLive, OnlyPermitted, Opens
from sim.plan import ContactorFault, LockFault, Plan
from station.core.effects import Restart, Wake
from station.words.common import StopReason
from station.words.settings import Settings
from tests.unit.sim.checker_bench import ACCEPTED, CARD, Bench, broken, event, permit, withdraw


def session(bench: Bench) -> Bench:
    bench.online()
    bench.visit()
    bench.charge()
    return bench


# --- stops in order ---


def test_an_orderly_stop_takes_three_seconds_at_most() -> None:
    promise = Orderly()
    bench = session(Bench(promise))
    bench.wait(10)
    bench.give(CardPresented(CARD), Offer(1, None))
    bench.wait(3, PermitPower(1, False))
    bench.wait(10)
    assert promise.armed == 1


def test_power_that_goes_on_after_the_owners_card() -> None:
    promise = Orderly()
    bench = session(Bench(promise))
    bench.wait(10)
    bench.give(CardPresented("040000"))  # somebody else's
    bench.wait(10)
    bench.give(CardPresented(CARD.lower()), Offer(1, None))
    bench.wait(3)
    with broken(promise, "was shown"):
        bench.wait(0.2)


@pytest.mark.parametrize(
    ("action", "payload", "s"), [("RemoteStopTransaction", {"transactionId": 7}, 3), ("Reset", {}, 5)]
)
def test_power_that_goes_on_after_a_command(action: str, payload: dict[str, object], s: int) -> None:
    promise = Orderly()
    bench = session(Bench(promise))
    bench.heard(bench.out("StartTransaction", {}, "s1-start"), {"transactionId": 7, **ACCEPTED})
    bench.asked("c0", "RemoteStopTransaction", {"transactionId": 8})
    bench.replied("c0", {"status": "Accepted"})  # of nobody's transaction
    bench.asked("c1", action, payload)
    bench.replied("c1", {"status": "Accepted"})
    bench.wait(s)
    with broken(promise, "accepted"):
        bench.wait(0.2)


def test_power_that_goes_on_without_voltage() -> None:
    promise = Orderly()
    bench = session(Bench(promise))
    bench.give(BoardFault(1, Cause.UNDER_VOLTAGE, True))
    with broken(promise, "under_voltage"):
        bench.wait(4)


def test_a_cut_of_the_supply_excuses_what_was_due() -> None:
    promise = Orderly()
    bench = session(Bench(promise))
    bench.give(BoardFault(1, Cause.UNDER_VOLTAGE, True))
    bench.cut()
    bench.boot()
    bench.wait(10)


def refused(settings: Settings) -> tuple[Bench, Refused]:
    promise = Refused()
    bench = session(Bench(promise, settings=settings))
    answer = {"transactionId": 1, "idTagInfo": {"status": "Blocked"}}
    bench.heard(bench.out("StartTransaction", {}, "s1-start"), answer)
    assert promise.armed == 1
    return bench, promise


def test_a_refused_card_is_stopped() -> None:
    bench, promise = refused(Settings())
    bench.wait(3, *withdraw())
    bench.wait(10)
    with broken(promise, "was refused"):
        bench.give(Wake(), *permit())
    bench, promise = refused(Settings(stop_on_invalid=False))
    with broken(promise, "still permitted"):
        bench.wait(3.2)


def test_a_refused_card_gets_its_grace_and_no_more() -> None:
    bench, promise = refused(Settings(stop_on_invalid=False, max_energy_on_invalid_wh=200))
    bench.give(MeterRead(1, 1, Reading(199_000)))
    bench.wait(10)
    bench.give(MeterRead(1, 1, Reading(200_000)))
    with broken(promise, "still permitted"):
        bench.wait(3.2)


def test_over_current_is_cut_after_ten_seconds() -> None:
    promise = OverCurrent()
    bench = session(Bench(promise))
    for current_ma in (17_600, 17_700, 17_000, 18_000):
        bench.give(MeterRead(1, 1, bench.reading(1, current_ma)))
        bench.wait(9)
    bench.give(MeterRead(1, 1, bench.reading(1, 18_000)))
    bench.wait(1)
    before = promise.armed
    bench.give(MeterRead(1, 1, bench.reading(1, 18_000)))
    assert (before, promise.armed) == (0, 1)
    with broken(promise, "not cut"):
        bench.wait(2)


# --- locks and contactors ---


def test_no_unlock_under_a_closed_contactor() -> None:
    promise = Unlock()
    bench = session(Bench(promise))
    with broken(promise):
        bench.give(Wake(), SetLock(1, False))
    bench.stop()
    bench.give(Wake(), SetLock(1, False))
    assert promise.armed == 2


def weld(bench: Bench) -> Persist:
    return bench.persist(event("faulted.v1", "slot/1", faultId="f1", error={"code": "PowerSwitchFailure"}))


def test_a_weld_is_told_within_a_second_and_latched() -> None:
    promise = Weld()
    bench = session(Bench(promise))
    bench.give(Wake(), *withdraw())
    bench.give(PowerReported(1, True))
    bench.wait(1.03, weld(bench))
    bench.wait(1)
    assert promise.armed == 1
    bench.give(PowerReported(1, False))
    with broken(promise, "welded"):
        bench.give(Wake(), *permit())
    bench.give(FaultAcknowledged(1), *permit())


def test_a_weld_that_nobody_is_told_of() -> None:
    promise = Weld()
    bench = session(Bench(promise))
    bench.give(Wake(), *withdraw())
    with broken(promise, "nobody was told"):
        bench.wait(1.3)


def test_a_weld_that_is_found_at_boot() -> None:
    promise = Weld()
    bench = Bench(promise, boot=False)
    bench.boot(ready=False)
    bench.give(PowerReported(1, True))
    with broken(promise, "nobody was told"):
        bench.give(BoardReady())
    bench.give(BoardReady(), weld(bench))


@pytest.mark.parametrize(("opens_s", "latched"), [(0.9, False), (2, True)])
def test_what_is_found_closed_at_boot_has_a_second_to_open(opens_s: float, latched: bool) -> None:
    promise = Weld()
    bench = Bench(promise, boot=False)
    bench.boot(ready=False)
    bench.give(PowerReported(1, True))
    bench.give(BoardReady(), weld(bench))
    bench.wait(opens_s)
    bench.give(PowerReported(1, False))
    if not latched:
        bench.give(Wake(), *permit())
        return
    with broken(promise, "welded"):
        bench.give(Wake(), *permit())


def test_the_supply_is_never_exceeded() -> None:
    promise = Supply()
    bench = Bench(promise)
    bench.give(Wake(), Offer(1, 32_000))
    bench.give(Wake(), Offer(2, 32_000), Offer(1, 31_000))
    assert promise.armed == 2
    with broken(promise, "64 A"):
        bench.give(Wake(), Offer(1, 32_000))


def test_a_car_that_has_not_followed_yet_counts_with_its_offer_of_before() -> None:
    promise = Supply()
    bench = session(Bench(promise))
    bench.give(Wake(), Offer(1, 32_000))
    bench.give(Wake(), Offer(1, 6_000))
    bench.wait(4.9, Offer(2, 31_000))
    with broken(promise, "64 A"):
        bench.give(Wake(), Offer(2, 32_000))
    bench.wait(0.2, Offer(2, 32_000))
    bench.give(Wake(), Offer(2, 6_000))
    bench.give(Wake(), Offer(1, 32_000), Offer(2, 31_000))
    bench.give(Wake(), Offer(1, None))
    with broken(promise, "64 A"):
        bench.give(Wake(), Offer(2, 32_000))
    bench.give(PowerReported(1, False), Offer(2, 32_000))


# --- ground truth ---


def test_the_contactor_opens_within_200_ms() -> None:
    promise = Opens()
    bench = session(Bench(promise))
    bench.stop()
    assert promise.armed == 1
    bench = session(Bench(promise))
    bench.give(Wake(), *withdraw())
    bench.clock.run_for(0.3)
    bench.board.slot(1).closed = False
    with broken(promise, "opened 300 ms"):
        bench.give(PowerReported(1, False))
    bench = session(Bench(promise))
    bench.give(Wake(), *withdraw())
    with broken(promise, "is closed"):
        bench.wait(0.3)


def test_a_weld_excuses_the_contactor() -> None:
    bench = session(Bench(Opens(), OnlyPermitted(), plan=Plan(faults=(ContactorFault(at_s=0, for_s=60),))))
    bench.give(Wake(), *withdraw())
    bench.board.slot(1).energy_mwh += 1_000_000
    bench.wait(1)
    bench.settle()


def test_energy_only_under_permission() -> None:
    promise = OnlyPermitted()
    bench = session(Bench(promise))
    bench.stop()
    bench.board.slot(1).energy_mwh += 2_000
    bench.settle()
    assert promise.armed
    bench.board.slot(1).energy_mwh += 2_000
    with broken(promise, "4.0 Wh"):
        bench.settle()


def test_locked_while_energised() -> None:
    promise = LockedWhileLive()
    bench = session(Bench(promise))
    assert promise.armed == 1
    bench.board.slot(1).lock = LockState.OPEN
    with broken(promise):
        bench.give(LockReported(1, LockState.OPEN))
    lying = session(Bench(promise, plan=Plan(faults=(LockFault(at_s=0, how="lies"),))))
    lying.board.slot(1).lock = LockState.OPEN
    lying.give(LockReported(1, LockState.CLOSED))


# --- safe mode ---


def test_no_power_in_safe_mode() -> None:
    promise = SafeMode()
    bench = Bench(promise)
    for _ in range(3):
        bench.wait(100)
        bench.boot()
    assert promise.armed == 1
    bench.boot()
    with broken(promise):
        bench.give(Wake(), *permit())
    bench.give(FaultAcknowledged(0), *permit())


def test_restarts_that_are_explained_do_not_count() -> None:
    promise = SafeMode()
    bench = Bench(promise)
    for _ in range(5):
        bench.give(Wake(), Restart(StopReason.SOFT_RESET))
        bench.boot()
        bench.cut()
        bench.boot()
    for _ in range(5):
        bench.wait(301)
        bench.boot()
    bench.wait(601)
    for _ in range(2):
        bench.boot()
    bench.cut()  # without supply the count begins anew
    for _ in range(3):
        bench.boot()
    bench.give(CableChanged(1, True, 32_000), *permit())
    assert not promise.armed
