"""What waits to be sent to the CSMS, in lanes, and when each may go. Pure; apart from the socket and from the disk.

Facts wait with their ids already allocated; bytes are made when sending. Transaction records are durable, keep their order, and are retried
with the same id; everything else is forgotten with the connection (1.6 TXQ-01 to 09, STAT-07). Not here: encoding, matching of answers.
"""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

from hal.units import SECOND, MonoNs
from station.words.facts import AnyFact, MeterTold, StatusChanged, TransactionTold
from station.words.questions import AnyQuestion, Authorize, Register
from station.words.records import OutboxRecord

Told: TypeAlias = AnyFact | AnyQuestion

BOUND: Final = 100_000


class Lane(enum.IntEnum):
    """Order of sending: the lower first."""

    BOOT = 0
    PERSON = 1  # someone stands in front of the station and waits
    RECORD = 2  # transactions, in order
    STATUS = 3
    REST = 4


def lane_of(told: Told) -> Lane:
    match told:
        case Register():
            return Lane.BOOT
        case Authorize():
            return Lane.PERSON
        case TransactionTold() | MeterTold(session=str()):
            return Lane.RECORD
        case StatusChanged():
            return Lane.STATUS
        case _:
            return Lane.REST


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
    """The lanes of one station. At most one message is out at a time; it stays at the head of its lane until it is settled."""

    __slots__ = ("_lanes", "counter")

    def __init__(self) -> None:
        self._lanes: tuple[list[Queued], ...] = ([], [], [], [], [])
        self.counter = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    @property
    def records(self) -> list[Queued]:
        """The transaction records that wait, oldest first. Look, do not touch."""
        return self._lanes[Lane.RECORD]

    def put(self, told: Told, message_id: str) -> Queued:
        self.counter += 1
        lane = lane_of(told)
        queued = Queued(self.counter, message_id, told, lane)
        self._lanes[lane].append(queued)
        return queued

    def restore(self, number: int, record: OutboxRecord) -> Queued:
        """Put back a record that survived a restart; call in order of number."""
        queued = Queued(number, record.message_id, record.fact, Lane.RECORD)
        queued.attempts = record.attempts
        self._lanes[Lane.RECORD].append(queued)
        self.counter = max(self.counter, number)
        return queued

    def next(self, now_ns: MonoNs, accepted: bool, pending: bool = False) -> Queued | None:
        """What may be sent now. Before acceptance only BootNotification, and while it is pending what was triggered
        (1.6 BOOT-02, BOOT-08)."""
        for lane in self._lanes:
            if not lane:
                continue
            head = lane[0]
            if accepted or head.lane is Lane.BOOT:
                if head.stored and head.not_before_ns <= now_ns:
                    return head
            elif pending:
                triggered = next((queued for queued in lane if queued.triggered), None)
                if triggered is not None:
                    return triggered
        return None

    @property
    def retry_at(self) -> MonoNs | None:
        """When the head of the records may be tried again; None when nothing waits for time."""
        records = self._lanes[Lane.RECORD]
        return records[0].not_before_ns if records and records[0].not_before_ns else None

    def done(self, queued: Queued) -> None:
        """It was answered, or given up."""
        lane = self._lanes[queued.lane]
        if lane and lane[0] is queued:
            del lane[0]
        elif queued in lane:
            lane.remove(queued)

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
        lost = [queued for lane in self._lanes if lane for queued in lane if not queued.durable]
        for lane in self._lanes:
            if lane and not lane[0].durable:
                lane.clear()
        for queued in self.records[:1]:
            queued.not_before_ns = 0
        return lost

    def thin(self) -> list[Queued]:
        """Over the bound: drop every second periodic value, oldest transactions first; never a boundary. Returns what went."""
        if len(self.records) <= BOUND:
            return []
        gone, odd = [], False
        for queued in self.records[1:]:
            if isinstance(queued.told, TransactionTold) and queued.told.kind == "updated":
                odd = not odd
                if odd:
                    gone.append(queued)
        dropped = set(map(id, gone))
        self.records[:] = [queued for queued in self.records if id(queued) not in dropped]
        return gone
