"""Transaction messages: what was promised is delivered, whole, in order, once in effect (world.md, Records; station.md §9).

Judged on what the disk was given and confirmed, and on frames. Not here: what the messages say (`energy`, `clock`), events (`events`).
"""

from __future__ import annotations

from typing import Any, Final

from hal.disk import Record
from hal.units import SECOND, MonoNs
from sim.checkers.eyes import Promise
from sim.checkers.ledger import Row
from sim.checkers.seen import Call
from sim.checkers.view import View
from station.words.facts import TransactionTold
from station.words.records import DeadLetter, EventRecord, OutboxRecord

PATIENCE_NS: Final[MonoNs] = 5 * SECOND  # for a disk that does not answer
BOUND: Final = 100_000
THINNED: Final = BOUND * 7 // 8


def refused(view: View, row: Row) -> bool:
    """The disk has refused the record, or not answered in time."""
    return row.refused or (not row.durable and view.now_ns - row.put_ns >= PATIENCE_NS)


class FromDisk(Promise):
    """StartTransaction and StopTransaction leave only when the disk has confirmed their record: an end that was told and is not on the
    disk would be told a second time, otherwise, after a cut."""

    name = "boundaries leave only from the disk"

    def sent_StartTransaction(self, view: View, call: Call) -> None:
        self._judge(view, call)

    def sent_StopTransaction(self, view: View, call: Call) -> None:
        self._judge(view, call)

    def _judge(self, view: View, call: Call) -> None:
        self.armed += 1
        row = view.ledger.row(call.id)
        if row is None:
            raise self.fail(view, f"{call.action} {call.id} left, and the disk was never given it")
        if not row.durable:
            raise self.fail(view, f"{call.action} {call.id} left before it was on the disk")


class Copies(Promise):
    """A message that is sent again under its id is the same to the byte, over reboots too."""

    name = "every copy is the same"
    same_id = True

    def leaves(self, view: View, call: Call, row: Row) -> None:
        if row.call is None or (row.sent_id == call.id) is not self.same_id:
            return
        self.armed += 1
        if row.call != (call.action, call.payload):
            raise self.fail(
                view, f"{call.action} {call.id} is not what it was: {_difference(row.call[1], call.payload)}"
            )


class Retries(Copies):
    """A message that is sent again under a new id, after a CALLERROR, says the same at the same time."""

    name = "a retry keeps its time-stamp"
    same_id = False


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    names = [name for name in (*old, *new) if old.get(name) != new.get(name)]
    return f"{names[0]} was {old.get(names[0])!r}, is {new.get(names[0])!r}" if names else "another action"


class InOrder(Promise):
    """Messages of one transaction never overtake each other: one leaves only when those before it are answered or given up."""

    name = "messages of a transaction keep their order"

    def leaves(self, view: View, call: Call, row: Row) -> None:
        self.armed += 1
        first = next(r for r in view.ledger.rows.values() if r.transaction == row.transaction)
        if first is not row:
            raise self.fail(
                view, f"{call.action} {call.id} left before {first.kind} {first.id} of the same transaction"
            )


class Once(Promise):
    """A transaction begins once and ends once, over any number of cuts."""

    name = "a transaction begins and ends once"

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        fact, ledger = record.fact, view.ledger
        if key in ledger.rows or not isinstance(fact, TransactionTold) or fact.kind == "updated":
            return
        self.armed += 1
        life = ledger.lives.get(fact.session)
        twin = next((r for r in ledger.rows.values() if r.transaction == fact.session and r.kind == fact.kind), None)
        done = life is not None and (life.started if fact.kind == "started" else life.ended)
        if twin is not None or done:
            raise self.fail(view, f"transaction {fact.session} on slot {fact.slot} {fact.kind} twice")


class Attempts(Promise):
    """Attempts are counted only for tries that failed while connected, as seen on the wire."""

    name = "attempts count only while connected"

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        row = view.ledger.rows.get(key)
        if row is None or record.attempts <= row.attempts:
            return
        self.armed += 1
        if record.attempts > row.tries:
            raise self.fail(
                view, f"message {row.id} counts {record.attempts} attempts, {row.tries} failed while connected"
            )


class NothingLost(Promise):
    """A record leaves the disk only when the CSMS has answered it, when it was given up after the configured attempts while connected
    (then it becomes a dead letter and an event), or as one of too many periodic values. A start that the disk refused may go too."""

    name = "nothing is dropped before its time"

    def forgot_outbox(self, view: View, key: str) -> None:
        row = view.ledger.rows.get(key)
        if row is None:
            return
        letter = _letter(view, key)
        if letter is not None:
            self.armed += 1
            view.ledger.lives[row.transaction].lost = True
            self._given_up(view, row, letter)
        elif not row.answered and not self._excused(view, row):
            raise self.fail(
                view, f"{row.kind} {row.id} of {row.transaction} was dropped and the CSMS never answered it"
            )

    def _given_up(self, view: View, row: Row, letter: DeadLetter) -> None:
        most = view.settings.transaction_attempts
        if row.tries < most and letter.record.version == view.unit.plan.version:
            raise self.fail(
                view, f"{row.kind} {row.id} was given up after {row.tries} of {most} attempts while connected"
            )
        if not any(record.kind == "dead-letter.v1" for record in _events(view)):
            raise self.fail(view, f"{row.kind} {row.id} was given up and no event says so")

    def _excused(self, view: View, row: Row) -> bool:
        if row.kind in ("updated", "meter"):
            return len(view.ledger.rows) > THINNED
        return row.kind == "started" and refused(view, row)


def _letter(view: View, key: str) -> DeadLetter | None:
    puts: tuple[Record, ...] = view.batch.puts if view.batch is not None else ()
    return next((r.body for r in puts if r.key == key and isinstance(r.body, DeadLetter)), None)


def _events(view: View) -> list[EventRecord]:
    """The events that this step writes."""
    batches = [effect.puts for effect in view.effects if hasattr(effect, "puts")]
    return [record.body for puts in batches for record in puts if isinstance(record.body, EventRecord)]


class Delivered(Promise):
    """At rest, every transaction whose start the disk confirmed has been told to the CSMS, start and end; dead letters apart."""

    name = "every transaction arrives"

    def ends(self, view: View) -> None:
        for transaction, life in view.ledger.lives.items():
            if not life.promised or life.lost:
                continue
            self.armed += 1
            if not life.started or not life.ended:
                what = "end" if life.started else "start"
                raise self.fail(view, f"the CSMS has no {what} of transaction {transaction} on slot {life.slot}")


class Bound(Promise):
    """No more records wait than 100,000. Armed with every record."""

    name = "no queue past its bound"

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        self.armed += 1
        if len(view.ledger.rows) > BOUND:
            raise self.fail(view, f"{len(view.ledger.rows)} transaction messages wait")


RECORDS: Final[tuple[Any, ...]] = (
    FromDisk,
    Copies,
    Retries,
    InOrder,
    Once,
    Attempts,
    NothingLost,
    Delivered,
    Bound,
)
