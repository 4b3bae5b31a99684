"""What waits to be sent to the CSMS, in lanes, and when each may go. Pure; apart from the socket and from the disk.

Facts wait with their ids already allocated; bytes are made when sending. Transaction records are durable, keep their order, and are retried
with the same id; everything else is forgotten with the connection (1.6 TXQ-01 to 09, STAT-07). Not here: encoding, matching of answers.

In conversation records go before status and the rest, so that a CSMS hears of an end before it hears Finishing; status waits for the moment
that the disk takes. What waited while there was nobody to tell lets those pass instead: a backlog may take an hour, and some CSMSs take
no StartTransaction for a connector whose status they have not heard (1.6 BOOT-04, TXQ-03).
"""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

from hal.units import SECOND, MonoNs
from station.words.common import SessionId
from station.words.facts import AnyFact, MeterTold, StatusChanged, TransactionTold
from station.words.questions import AnyQuestion, Authorize, Register
from station.words.records import OutboxRecord

Told: TypeAlias = AnyFact | AnyQuestion

BOUND: Final = 100_000
BOUND_BYTES: Final = 64 << 20
FREED: Final = 16  # thinning frees a sixteenth, so that it need not be done at every record
PASSING: Final = 100  # messages of a kind that are forgotten with the connection; when more wait, the oldest goes
RECORD_BYTES: Final = 280  # of a record on the disk without its samples
SAMPLE_BYTES: Final = 240
MEASURAND_BYTES: Final = 20


class Lane(enum.IntEnum):
    BOOT = 0
    PERSON = 1  # someone stands in front of the station and waits
    RECORD = 2  # transactions, in order
    STATUS = 3
    REST = 4


LANES: Final[dict[type, Lane]] = {
    Register: Lane.BOOT,
    Authorize: Lane.PERSON,
    TransactionTold: Lane.RECORD,
    StatusChanged: Lane.STATUS,
}


def weight(told: Told) -> int:
    """About how many bytes a record takes on the disk; samples of one record are much alike."""
    samples = told.samples if isinstance(told, TransactionTold | MeterTold) else ()
    if not samples:
        return RECORD_BYTES
    return RECORD_BYTES + len(samples) * (SAMPLE_BYTES + MEASURAND_BYTES * len(samples[0].what))


class Queued:
    """One message on its way. `number` orders durable records and is their key on the disk; `stored` lets a boundary leave."""

    __slots__ = ("attempts", "durable", "lane", "message_id", "not_before_ns", "number", "stored", "told", "triggered")

    def __init__(self, number: int, message_id: str, told: Told, lane: Lane) -> None:
        self.number = number
        self.message_id = message_id
        self.told = told
        self.lane = lane
        self.durable = lane is Lane.RECORD
        self.stored = True
        self.attempts = 0
        self.not_before_ns: MonoNs = 0
        self.triggered = False

    @property
    def key(self) -> str:
        return f"{self.number:012d}"

    def record(self, version: str) -> OutboxRecord:
        assert isinstance(self.told, TransactionTold | MeterTold)
        return OutboxRecord(self.message_id, self.told, version, self.attempts)


class Outbox:
    """The lanes of one station. At most one message is out at a time; it stays at the head of its lane until it is settled.

    `counter` is the number given last, `size` about how many bytes the records take.
    """

    __slots__ = ("_backlog", "_first", "_passing", "_records", "counter", "size")

    def __init__(self) -> None:
        self._passing: list[Queued] = []  # what is not a record, by lane and age
        self._records: list[Queued] = []  # from `_first` on
        self._first = 0
        self._backlog = 0  # records up to this number were made while nobody could be told
        self.counter = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._passing) + self.waiting

    @property
    def records(self) -> list[Queued]:
        """The transaction records that wait, oldest first: a copy. Where one will do, ask for `head` or `waiting`."""
        return self._records[self._first :]

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return len(self._records) - self._first

    @property
    def head(self) -> Queued | None:
        """The oldest record."""
        return self._records[self._first] if self._first < len(self._records) else None

    @property
    def over(self) -> bool:
        """More waits than may."""
        return self.waiting > BOUND or self.size > BOUND_BYTES

    def put(self, told: Told, message_id: str) -> Queued:
        self.counter += 1
        lane = LANES.get(type(told), Lane.REST)
        queued = Queued(self.counter, message_id, told, lane)
        if queued.durable:
            self._records.append(queued)
            self.size += weight(told)
        else:
            self._pass(queued)
        return queued

    def _pass(self, queued: Queued) -> None:
        """Behind what is of its lane or before it; of too many in one lane the second oldest goes: the first may be out."""
        passing = self._passing
        mine = [i for i, other in enumerate(passing) if other.lane is queued.lane]
        passing.insert(sum(other.lane <= queued.lane for other in passing), queued)
        if len(mine) >= PASSING:
            del passing[mine[1]]

    def restore(self, number: int, record: OutboxRecord) -> Queued:
        """Put back a record that survived a restart; call in order of number."""
        queued = Queued(number, record.message_id, record.fact, Lane.RECORD)
        queued.attempts = record.attempts
        self._records.append(queued)
        self.size += weight(record.fact)
        self.counter = max(self.counter, number)
        return queued

    def online(self) -> None:
        """There is somebody to tell again: what waits until now is backlog."""
        self._backlog = self.counter

    def let_pass(self, queued: Queued) -> None:
        """This record has to wait for a disk that does not work: the status of the station does not wait for it."""
        self._backlog = max(self._backlog, queued.number)

    def next(self, now_ns: MonoNs, accepted: bool, pending: bool = False) -> Queued | None:
        """What may be sent now. Before acceptance only BootNotification, and while it is pending what was triggered
        (1.6 BOOT-02, BOOT-08)."""
        if not accepted:
            self._backlog = self.counter
            return self._before_acceptance(pending)
        passing = self._passing
        head = passing[0] if passing else None
        if head is not None and head.lane < Lane.RECORD:
            return head
        record = self._records[self._first] if self._first < len(self._records) else None
        fresh = record is not None and record.number > self._backlog
        ready = record is not None and record.stored and record.not_before_ns <= now_ns
        if fresh and ready:
            return record
        if head is not None and (head.lane is Lane.REST or not (fresh and record is not None and not record.stored)):
            return head
        for queued in passing:
            if queued.lane is Lane.REST:
                return queued
        return record if ready else None

    def _before_acceptance(self, pending: bool) -> Queued | None:
        passing = self._passing
        if passing and passing[0].lane is Lane.BOOT:
            return passing[0]
        return next((queued for queued in passing if queued.triggered), None) if pending else None

    @property
    def retry_at(self) -> MonoNs | None:
        """When the head of the records may be tried again; None when nothing waits for time."""
        head = self.head
        return head.not_before_ns if head is not None and head.not_before_ns else None

    def done(self, queued: Queued) -> None:
        """It was answered, or given up."""
        if not queued.durable:
            if queued in self._passing:
                self._passing.remove(queued)
            return
        records, first = self._records, self._first
        if first < len(records) and records[first] is queued:
            self._first = first + 1
            if self._first * 2 > len(records):  # each is moved once at most, however many wait
                del records[: self._first]
                self._first = 0
        elif queued in records[first:]:
            records.remove(queued)
        else:
            return
        self.size -= weight(queued.told)

    def failed(self, queued: Queued, now_ns: MonoNs, most: int, wait_s: int, new_id: str | None) -> bool:
        """A try failed while connected. True: given up (and gone). Else it waits `wait_s` times the tries made (1.6 TXQ-04 to 06).

        After a CALLERROR a retry goes under a new id; after a time-out the id stays.
        """
        if not queued.durable:
            self.done(queued)
            return True
        queued.attempts += 1
        if queued.attempts >= most:
            self.done(queued)
            return True
        queued.not_before_ns = now_ns + wait_s * queued.attempts * SECOND
        if new_id is not None:
            queued.message_id = new_id
        return False

    def offline(self) -> list[Queued]:
        """The connection is gone: forget what is of no use later. Returns what was forgotten."""
        lost, self._passing = self._passing, []
        if self.head is not None:
            self.head.not_before_ns = 0
        return lost

    def thin(self) -> list[Queued]:
        """Make room: every second periodic value of the oldest transaction goes, then of the next, and round again while it has to be.

        The first and the last value of a transaction, its boundaries, and the record that may be out all stay. Returns what went; if
        `over` still holds then, nothing is left that could go.
        """
        values: dict[SessionId, list[Queued]] = {}
        for queued in self._records[self._first + 1 :]:
            told = queued.told
            if isinstance(told, TransactionTold) and told.kind == "updated" and told.samples:
                values.setdefault(told.session, []).append(queued)
        most, size = BOUND - BOUND // FREED, BOUND_BYTES - BOUND_BYTES // FREED
        gone: set[int] = set()
        thinned: list[Queued] = []
        while values and (self.waiting - len(thinned) > most or self.size > size):
            session, waiting = next(iter(values.items()))
            del values[session]
            dropped = waiting[1:-1:2]
            if dropped:
                values[session] = [*waiting[:-1:2], waiting[-1]]  # to the end of the round
            thinned += dropped
            gone.update(map(id, dropped))
            self.size -= sum(weight(queued.told) for queued in dropped)
        self._records[:] = [q for q in self._records[self._first :] if id(q) not in gone]
        self._first = 0
        return thinned
