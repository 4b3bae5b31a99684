"""Promises about transaction messages and events: healthy sequences, and one wrong step."""

from __future__ import annotations

from hal.disk import Forget, Persist, Record
from hal.signals import CardPresented
from ocpp_client.link import LinkDown, LinkUp
from sim.checkers.events import CardEvents, Published
from sim.checkers.ledger import Ledger, Row
from sim.checkers.records import (
    Attempts,
    Bound,
    Copies,
    Delivered,
    FromDisk,
    InOrder,
    NothingLost,
    Once,
    Retries,
)
from station.core.effects import Publish, Wake
from station.words.records import DeadLetter, EventRecord, OutboxRecord
from tests.unit.sim.checker_bench import ACCEPTED, CARD, Bench, broken, event

START = {"connectorId": 1, "meterStart": 0}
STOP = {"transactionId": 1, "meterStop": 5000}
NUMBERED = {"transactionId": 1, **ACCEPTED}


def ended(bench: Bench, number: str = "s1-stop", name: str = "s1") -> Persist:
    record = bench.outbox(bench.fact("ended", name=name), number)
    return bench.persist(record, forgets=(("session", name),), urgent=True)


def running(*promises: FromDisk | Copies | InOrder | Once | Attempts | NothingLost | Delivered | Bound) -> Bench:
    """A session that runs, its start on the disk and not sent yet."""
    bench = Bench(*promises)
    bench.online()
    bench.visit()
    return bench


def delivered(bench: Bench) -> None:
    bench.heard(bench.out("StartTransaction", START, "s1-start"), NUMBERED, Forget((("outbox", "s1-start"),)))


# --- from the disk ---


def test_boundaries_leave_only_from_the_disk() -> None:
    promise = FromDisk()
    bench = running(promise)
    delivered(bench)
    bench.store(ended(bench))
    bench.out("StopTransaction", STOP, "s1-stop")
    assert promise.armed == 2


def test_a_start_that_leaves_before_it_is_durable() -> None:
    promise = FromDisk()
    bench = running(promise)
    bench.give(Wake(), bench.began(2, name="s2"))
    with broken(promise, "before it was on the disk"):
        bench.out("StartTransaction", START, "s2-start")
    with broken(promise, "never given"):
        bench.out("StartTransaction", START, "s3-start")


def test_an_end_that_the_disk_refused_waits() -> None:
    promise = FromDisk()
    bench = running(promise)
    batch = ended(bench)
    bench.refuse(batch)
    with broken(promise, "StopTransaction s1-stop left before"):
        bench.out("StopTransaction", STOP, "s1-stop")
    bench.store(batch)
    bench.out("StopTransaction", STOP, "s1-stop")


# --- copies ---


def test_every_copy_is_the_same_over_links_and_boots() -> None:
    promise = Copies()
    bench = running(promise)
    bench.out("StartTransaction", START, "s1-start")
    bench.give(LinkDown("lost", ""))
    bench.give(LinkUp("ocpp1.6"))
    bench.out("StartTransaction", START, "s1-start")
    bench.cut()
    bench.boot()
    bench.online()
    bench.out("StartTransaction", START, "s1-start")
    assert promise.armed == 2
    bench.wait(31)
    with broken(promise, "meterStart was 0, is 1"):
        bench.out("StartTransaction", {**START, "meterStart": 1}, "s1-start")


def test_what_a_cut_brings_back_is_the_same_too() -> None:
    promise = Copies()
    bench = running(promise)
    bench.heard(bench.out("StartTransaction", START, "s1-start"), NUMBERED, Forget((("outbox", "s1-start"),)))
    bench.cut()  # the disk had not forgotten it yet
    bench.boot()
    bench.online()
    with broken(promise, "meterStart was 0, is 1"):
        bench.out("StartTransaction", {**START, "meterStart": 1}, "s1-start")


def test_a_retry_under_a_new_id_keeps_its_time() -> None:
    promise = Retries()
    bench = running(promise)
    bench.heard(bench.out("StartTransaction", {**START, "timestamp": "2026-06-01T00:00:00Z"}, "s1-start"), None)
    again = bench.outbox(bench.fact("started"), "again", key="s1-start", attempts=1)
    bench.store(bench.persist(again))
    with broken(promise, "timestamp was"):
        bench.out("StartTransaction", {**START, "timestamp": "2026-06-01T00:01:00Z"}, "again")
    assert promise.armed == 1


def test_messages_of_a_transaction_keep_their_order() -> None:
    promise = InOrder()
    bench = running(promise)
    bench.store(ended(bench))
    bench.store(bench.began(2, name="s2"))
    bench.out("StartTransaction", START, "s2-start")  # another transaction may
    with broken(promise, "before started"):
        bench.out("StopTransaction", STOP, "s1-stop")
    delivered(bench)
    bench.out("StopTransaction", STOP, "s1-stop")
    assert promise.armed == 4


def test_a_transaction_begins_and_ends_once() -> None:
    promise = Once()
    bench = running(promise)
    delivered(bench)
    bench.store(ended(bench))
    assert promise.armed == 2
    with broken(promise, "ended twice"):
        bench.give(Wake(), ended(bench, "s1-stop-again"))
    bench.heard(bench.out("StopTransaction", STOP, "s1-stop"), {}, Forget((("outbox", "s1-stop"),)))
    with broken(promise, "ended twice"):
        bench.give(Wake(), ended(bench, "s1-stop-again"))


def test_what_a_cut_took_is_ended_anew() -> None:
    promise = Once()
    bench = running(promise)
    delivered(bench)
    bench.give(Wake(), ended(bench))
    bench.cut()
    bench.boot()
    bench.store(ended(bench, "s1-stop-2"))
    assert promise.armed == 3


# --- attempts ---


def again(bench: Bench, attempts: int, number: str = "s1-start") -> Persist:
    return bench.persist(bench.outbox(bench.fact("started"), number, key="s1-start", attempts=attempts))


def test_attempts_count_only_while_connected() -> None:
    promise = Attempts()
    bench = running(promise)
    bench.out("StartTransaction", START, "s1-start")
    bench.wait(30, again(bench, 1))
    bench.heard(bench.out("StartTransaction", START, "s1-start"), None, again(bench, 2, "n2"))
    assert promise.armed == 2
    bench.out("StartTransaction", START, "n2")
    with broken(promise, "counts 3 attempts, 2 failed"):
        bench.give(LinkDown("lost", ""), again(bench, 3, "n2"))


# --- nothing is lost ---


def dead(bench: Bench, attempts: int, *more: Record) -> Persist:
    letter = DeadLetter(OutboxRecord("s1-start", bench.fact("started"), "1.6", attempts), "no answer", bench.stamp())
    return bench.persist(Record("dead", "s1-start", letter), *more, forgets=(("outbox", "s1-start"),))


def test_a_message_goes_when_it_is_answered() -> None:
    promise = NothingLost()
    bench = running(promise)
    delivered(bench)
    bench.store(ended(bench))
    with broken(promise, "never answered"):
        bench.give(LinkDown("lost", ""), Forget((("outbox", "s1-stop"),)))


def test_a_message_is_given_up_after_all_its_attempts() -> None:
    promise = NothingLost()
    bench = running(promise)
    for attempts in (1, 2, 3):
        bench.out("StartTransaction", START, "s1-start")
        if attempts < 3:
            bench.wait(30, again(bench, attempts))
    with broken(promise, "after 2 of 3"):
        bench.give(Wake(), dead(bench, 3))
    bench = running(promise)
    for attempts in (1, 2):
        bench.out("StartTransaction", START, "s1-start")
        bench.wait(30, again(bench, attempts))
    bench.out("StartTransaction", START, "s1-start")
    with broken(promise, "no event says so"):
        bench.wait(30, dead(bench, 3))


def test_a_dead_letter_is_told() -> None:
    promise, other = NothingLost(), Delivered()
    bench = running(promise, other)
    for attempts in (1, 2):
        bench.out("StartTransaction", START, "s1-start")
        bench.wait(30, again(bench, attempts))
    bench.out("StartTransaction", START, "s1-start")
    bench.wait(30, dead(bench, 3, event("dead-letter.v1", "slot/1")))
    assert promise.armed == 1
    bench.settle()
    assert not other.armed


def test_a_start_that_the_disk_refused_may_go() -> None:
    bench = running(NothingLost())
    bench.refuse(bench.began(2, name="s2"), Forget((("outbox", "s2-start"),)))


def test_every_transaction_arrives() -> None:
    promise = Delivered()
    bench = running(promise)
    with broken(promise, "no start"):
        bench.settle()
    delivered(bench)
    with broken(promise, "no end"):
        bench.settle()
    bench.store(ended(bench))
    bench.heard(bench.out("StopTransaction", STOP, "s1-stop"), {}, Forget((("outbox", "s1-stop"),)))
    bench.settle()
    assert promise.armed == 3


def test_an_answer_that_comes_late_counts_for_a_record() -> None:
    promise = Delivered()
    bench = running(promise)
    number = bench.out("StartTransaction", START, "s1-start")
    bench.wait(31, again(bench, 1))
    bench.heard(number, NUMBERED, Forget((("outbox", "s1-start"),)))
    with broken(promise, "no end"):
        bench.settle()


def test_no_queue_past_its_bound() -> None:
    promise = Bound()
    bench = running(promise)
    ledger: Ledger = bench.eyes._views["CP1"].ledger
    record = OutboxRecord("x", bench.fact("updated"), "1.6")
    ledger.rows.update({f"x{n}": Row(f"x{n}", record, 0) for n in range(100_000)})
    with broken(promise):
        bench.give(Wake(), ended(bench))


# --- events ---


def test_a_card_read_is_one_event() -> None:
    promise = CardEvents()
    bench = Bench(promise)
    bench.tap()
    bench.give(CardPresented(CARD))  # too soon after the last one: no read
    bench.wait(2)
    bench.tap(CARD)
    assert promise.armed == 3
    bench.wait(10)
    with broken(promise, "nothing"):
        bench.give(CardPresented(CARD))
    with broken(promise, "the events say"):
        bench.tap(CARD)
    scan = event("card-scanned.v1", "reader/1", 9, card=CARD)
    bench.wait(10)
    with broken(promise, "none was"):
        bench.give(Wake(), bench.persist(scan))
    with broken(promise, "the events say"):
        bench.give(CardPresented(CARD), bench.persist(scan), bench.persist(scan))


def publish(record: Record, name: str = "") -> Publish:
    body = record.body
    assert isinstance(body, EventRecord)
    return Publish(int(record.key), name or body.id, body.kind, body.subject, body.at, body.data)


def test_an_event_arrives_under_one_id() -> None:
    promise = Published()
    bench = Bench(promise)
    record = event("status-changed.v1", "slot/1", status="charging")
    batch = bench.persist(record)
    bench.store(batch, publish(record))
    bench.give(Wake(), publish(record))  # once more, the same
    assert promise.armed == 1
    bench.settle()
    with broken(promise, "two different events"):
        bench.give(Wake(), publish(event("status-changed.v1", "slot/1", status="finishing")))


def test_an_event_that_is_published_too_soon_or_never() -> None:
    promise = Published()
    bench = Bench(promise)
    record = event("status-changed.v1", "slot/1", status="charging")
    with broken(promise, "before the disk had it"):
        bench.give(Wake(), bench.persist(record), publish(record))
    bench = Bench(promise)
    bench.store(bench.persist(record))
    with broken(promise, "never published"):
        bench.settle()


def test_an_event_of_before_the_boot_is_published_again() -> None:
    promise = Published()
    record = event("status-changed.v1", "slot/1", status="charging")
    bench = Bench(promise, boot=False)
    bench.disk.image["event"] = {record.key: record.body}
    bench.boot()
    with broken(promise, "never published"):
        bench.settle()
    bench.give(Wake(), publish(record))
    bench.settle()
