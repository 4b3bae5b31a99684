"""Promises about energy and time: healthy sequences, and one wrong step."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from hal.disk import Forget, Persist
from hal.signals import MeterRead, PowerReported
from hal.units import Reading
from ocpp_client.link import LinkUp
from sim.checkers.clock import Aligned, Monotonic, NoPast, RightTime
from sim.checkers.energy import Apart, Bill, Register, TrueEnergy
from sim.checkers.eyes import Promise
from sim.plan import MeterFault, Plan
from station.core.effects import Wake
from station.words.common import Stamp
from station.words.records import AliveRecord
from station.words.settings import Settings
from tests.unit.sim.checker_bench import ACCEPTED, CARD, Bench, broken, event

NUMBERED = {"transactionId": 1, **ACCEPTED}


def charged(*promises: Promise, plan: Plan | None = None, settings: Settings | None = None) -> Bench:
    """A session has drawn 5 kWh and is withdrawn; its final reading comes next."""
    bench = Bench(*promises, plan=plan, settings=settings)
    bench.online()
    bench.visit()
    bench.charge()
    bench.wait(60)
    bench.stop()
    return bench


def ended(bench: Bench, name: str = "s1", **changes: Any) -> Persist:
    fact = bench.fact("ended", name=name, **changes)
    return bench.persist(bench.outbox(fact, f"{name}-stop"), forgets=(("session", name),), urgent=True)


# --- energy ---


def test_billed_is_what_the_register_said() -> None:
    promise, true = Register(), TrueEnergy()
    bench = charged(promise, true)
    bench.read()
    bench.store(ended(bench))
    assert promise.armed == true.armed == 2


def test_a_stop_from_a_stale_sample() -> None:
    promise = Register()
    bench = charged(promise)
    with broken(promise, "last said 0"):
        bench.give(Wake(), ended(bench))
    bench = charged(promise)
    bench.give(PowerReported(1, True))
    bench.read()
    bench.wait(0.1)
    with broken(promise, "older than the opening"):
        bench.give(PowerReported(1, False), ended(bench))
    bench = charged(promise)
    bench.read()
    bench.clock.run_for(10)
    with broken(promise, "10.0 s old"):
        bench.give(Wake(), ended(bench))


def test_a_first_reading_after_permission() -> None:
    promise = Register()
    bench = Bench(promise)
    bench.online()
    bench.visit()
    with broken(promise, "while power was permitted"):
        bench.give(Wake(), bench.began(name="s2"))


def test_billed_is_the_energy_that_flowed() -> None:
    promise = TrueEnergy()
    bench = charged(promise)
    with broken(promise, "5000000 mWh have flowed"):
        bench.give(MeterRead(1, 1, Reading(4_999_999)), ended(bench, register_mwh=4_999_999))


def test_a_meter_that_was_broken_is_not_held_to_the_truth() -> None:
    promise, true = Register(), TrueEnergy()
    bench = charged(promise, true, plan=Plan(faults=(MeterFault(at_s=30, for_s=5, how="freeze"),)))
    bench.store(ended(bench, register_mwh=7))
    assert promise.armed == true.armed == 1


def test_the_books_say_what_was_measured() -> None:
    promise = Bill()
    bench = charged(promise)
    bench.read()
    bench.store(ended(bench, register_mwh=5_000_999, token=None))
    bench.out("StartTransaction", {"meterStart": 0, "connectorId": 1, "idTag": CARD}, "s1-start")
    bench.wait(31)
    bench.out("StopTransaction", {"meterStop": 5000}, "s1-stop")
    assert promise.armed == 2
    bench.wait(31)
    with broken(promise, "measured were 5000 Wh"):
        bench.out("StopTransaction", {"meterStop": 5001}, "s1-stop")
    with broken(promise, "another connector or card"):
        bench.out("StartTransaction", {"meterStart": 0, "connectorId": 2, "idTag": CARD}, "s1-start")


def test_the_books_telescope() -> None:
    promise = Bill()
    bench = charged(promise)
    book = {"station": "CP1", "connector": 1, "meter_start": 0, "meter_stop": 5000}
    bench.csms.transactions = {1: SimpleNamespace(**book)}
    bench.settle()
    bench.csms.transactions = {1: SimpleNamespace(**{**book, "meter_stop": 4999})}
    with broken(promise, "4999 Wh are billed, 5000 Wh have flowed"):
        bench.settle()


def test_transactions_of_a_connector_do_not_overlap() -> None:
    promise = Apart()
    bench = charged(promise)
    bench.read()
    bench.store(ended(bench))
    bench.store(bench.began(name="s2"))
    assert promise.armed == 2
    with broken(promise, "before the one before it had ended"):
        bench.give(Wake(), bench.began(name="s3"))
    bench.store(ended(bench, "s2"))
    bench.board.slot(1).energy_mwh += 1
    with broken(promise, "the last ended at 5000000"):
        bench.give(Wake(), bench.began(name="s3"))


# --- time ---


def start(bench: Bench, off_s: float = 0.0) -> None:
    number = bench.out("StartTransaction", {"timestamp": bench.iso(off_s)}, "s1-start")
    bench.heard(number, NUMBERED, Forget((("outbox", "s1-start"),)))


def test_time_of_a_transaction_never_runs_backwards() -> None:
    promise = Monotonic()
    bench = charged(promise)
    start(bench, -60)
    bench.store(ended(bench))
    values = [{"timestamp": bench.iso(off)} for off in (-60, -30, 0)]
    bench.out("StopTransaction", {"timestamp": bench.iso(), "transactionData": values}, "s1-stop")
    assert promise.armed == 2
    for payload in (
        {"timestamp": bench.iso(-61)},
        {"timestamp": bench.iso(), "transactionData": values[::-1]},
        {"timestamp": bench.iso(-1), "transactionData": values},
    ):
        bench = charged(promise)
        start(bench, -60)
        bench.store(ended(bench))
        with broken(promise, "earlier"):
            bench.out("StopTransaction", payload, "s1-stop")


@pytest.mark.parametrize("off_s", [2.5, -2.5])
def test_time_stamps_are_right(off_s: float) -> None:
    promise = RightTime()
    bench = charged(promise)
    start(bench, -61)  # it was put on the disk a minute and a second ago
    assert promise.armed
    bench = charged(promise)
    with broken(promise, f"{off_s:+.1f} s"):
        start(bench, -61 + off_s)
    with broken(promise, "event status-changed.v1"):
        bench.give(Wake(), bench.persist(event("status-changed.v1", "slot/1")))  # stamped at the beginning of time


def answer_time(bench: Bench, off_s: float, travel_s: float = 0.0) -> None:
    number = bench.out("Heartbeat", {})
    bench.wait(travel_s)
    bench.heard(number, {"currentTime": bench.iso(off_s - travel_s)})


def test_who_has_to_believe_a_wrong_clock_is_excused() -> None:
    promise = RightTime()
    bench = Bench(promise)
    bench.online()
    answer_time(bench, 3600)
    bench.visit()
    start(bench, 3600)
    assert promise.armed == 0


@pytest.mark.parametrize(
    ("trusted", "told_s", "excused"), [(False, 3600, True), (True, 3600, False), (False, 0, False)]
)
def test_what_waits_for_a_time_gets_the_wrong_one_that_is_told_first(
    trusted: bool, told_s: float, excused: bool
) -> None:
    """And keeps it when the right one is told after that; what had a time, or got the right one first, does not wait."""
    promise = RightTime()
    bench = Bench(promise, boot=False)
    bench.unit.plan.os_trusted = trusted
    bench.boot()
    bench.plug()
    bench.store(bench.began())
    bench.give(LinkUp("ocpp1.6"))
    answer_time(bench, told_s)
    answer_time(bench, 3600)
    answer_time(bench, 0)
    with nullcontext() if excused else broken(promise, "+3600.0 s"):
        start(bench, 3600)
    assert promise.armed == (0 if excused else 1)


@pytest.mark.parametrize(("ahead_ms", "judged"), [(0, True), (60_000, False)])
def test_a_clock_behind_the_last_sign_of_life_is_not_believed(ahead_ms: int, judged: bool) -> None:
    promise = RightTime()
    bench = Bench(promise, boot=False)
    bench.disk.image = {"alive": {"": AliveRecord(Stamp(bench.world.true_utc_ms + ahead_ms), 0)}}
    bench.boot()
    if not judged:
        bench.wait(90)
    bench.give(Wake(), bench.persist(event("status-changed.v1", "slot/1")))  # of the beginning of time
    assert bool(promise.armed) is judged
    bench.wait(90)
    bench.online()
    answer_time(bench, 0)
    with broken(promise, "event status-changed.v1"):
        bench.give(Wake(), bench.persist(event("status-changed.v1", "slot/1", 2)))


def test_an_answer_that_travelled_long_may_be_off_by_as_much() -> None:
    promise = RightTime()
    bench = Bench(promise)
    bench.online()
    answer_time(bench, 0, travel_s=20)
    bench.visit()
    start(bench, -20)
    bench.plug(2)
    bench.store(bench.began(2, name="s2"))
    with broken(promise, "-30.0 s"):
        bench.out("StartTransaction", {"timestamp": bench.iso(-30)}, "s2-start")


def test_nothing_before_2020_on_the_wire() -> None:
    promise = NoPast()
    bench = Bench(promise)
    bench.out("StatusNotification", {"timestamp": bench.iso()})
    assert promise.armed == 1
    with broken(promise, "1970"):
        bench.out("StatusNotification", {"timestamp": "1970-01-01T00:00:10Z"})


def values(bench: Bench, connector: int = 1, off_s: float = 0.05) -> dict[str, Any]:
    entry = {"timestamp": bench.iso(off_s), "sampledValue": [{"value": "1", "context": "Sample.Clock"}]}
    return {"connectorId": connector, "meterValue": [entry]}


def test_clock_aligned_values_come_once() -> None:
    promise = Aligned()
    bench = Bench(promise)
    bench.out("MeterValues", values(bench))
    bench.out("MeterValues", values(bench, 2))
    bench.wait(900)
    bench.out("MeterValues", values(bench))
    assert promise.armed == 3
    bench.wait(3)
    bench.out("MeterValues", values(bench, off_s=200))  # of no instant
    with broken(promise, "same instant"):
        bench.out("MeterValues", values(bench, off_s=-2.9))


def test_an_hour_that_a_wrong_clock_has_had_is_not_told_again() -> None:
    promise = Aligned()
    bench = Bench(promise)
    bench.out("MeterValues", values(bench, off_s=3600.05))
    bench.wait(3600)
    with broken(promise, "same instant"):
        bench.out("MeterValues", values(bench))
    bench.boot()
    bench.out("MeterValues", values(bench))  # of that a new boot knows nothing


def test_without_an_interval_nothing_is_aligned() -> None:
    promise = Aligned()
    bench = Bench(promise, settings=Settings(aligned_interval_s=0))
    bench.out("MeterValues", values(bench))
    bench.out("MeterValues", values(bench))
    assert not promise.armed
