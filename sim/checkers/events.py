"""Events: what programs around the station are told (world.md, Records; station.md §11).

Not here: what the events say of power, lamps and status; CloudEvents.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hal.disk import Stored
from hal.signals import CardPresented
from hal.units import SECOND, MilliWh, MonoNs, SlotId
from sim.checkers.eyes import Promise
from sim.checkers.view import View
from station.core.effects import Publish
from station.words.facts import TransactionTold
from station.words.records import EventRecord, OutboxRecord

PATIENCE_NS: Final[MonoNs] = 5 * SECOND  # for a disk that does not answer


def body(record: EventRecord) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(record.data)
    return data


def slot_of(record: EventRecord) -> SlotId:
    """The slot that an event is about; 0: the station."""
    kind, _, number = record.subject.partition("/")
    return int(number) if kind == "slot" else 0


class CardEvents(Promise):
    """Each accepted card read makes exactly one event, in its own step; what is no read makes none. Armed with every presented card."""

    name = "a card read is one event"

    def __init__(self) -> None:
        super().__init__()
        self._scans: list[str] = []

    def told_CardPresented(self, view: View, item: CardPresented) -> None:
        self._scans.clear()

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        if record.kind == "card-scanned.v1":
            self._scans.append(str(body(record)["card"]))
            if view.item_name != "CardPresented":
                raise self.fail(view, f"an event says that card {self._scans[-1]} was read, and none was")

    def then_CardPresented(self, view: View, item: CardPresented) -> None:
        self.armed += 1
        wanted = [item.token] if view.card_taken else []
        if self._scans != wanted:
            raise self.fail(view, f"card {item.token} was presented, and the events say {self._scans or 'nothing'}")


class Published(Promise):
    """An event that reached the disk is published at least once, after the disk has answered, and always under one id that nothing
    else has. Armed with every event that the disk confirmed."""

    name = "an event arrives, under one id"

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], int] = {}  # station and id: what was said under it
        self._due: dict[tuple[str, str], EventRecord] = {}  # on the disk and not published yet
        self._put: dict[tuple[str, str], MonoNs] = {}  # given to the disk, which has not answered

    def boots(self, view: View) -> None:
        self._put = {where: at for where, at in self._put.items() if where[0] != view.id}
        self._due = {where: record for where, record in self._due.items() if where[0] != view.id}
        for key, record in view.image.get("event", {}).items():
            assert isinstance(record, EventRecord)
            self._due[view.id, _name(key, record)] = record

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        self._put.setdefault((view.id, _name(key, record)), view.now_ns)

    def told_Stored(self, view: View, item: Stored) -> None:
        for record in view.confirmed:
            if record.kind == "event":
                assert isinstance(record.body, EventRecord)
                where = (view.id, _name(record.key, record.body))
                if self._put.pop(where, None) is not None:
                    self.armed += 1
                    self._due[where] = record.body

    def told_StoreFailed(self, view: View, item: object) -> None:
        for record in view.confirmed:
            if record.kind == "event":
                assert isinstance(record.body, EventRecord)
                self._put.pop((view.id, _name(record.key, record.body)), None)

    def did_Publish(self, view: View, effect: Publish) -> None:
        where = (view.id, effect.id)
        said = hash((effect.kind, effect.subject, bytes(effect.data)))
        if self._said.setdefault(where, said) != said:
            raise self.fail(view, f"two different events have the id {effect.id}")
        put_ns = self._put.pop(where, None)
        if put_ns is not None and view.now_ns - put_ns < PATIENCE_NS:
            raise self.fail(view, f"event {effect.id} was published before the disk had it")
        self._due.pop(where, None)

    def ends(self, view: View) -> None:
        left = [name for station, name in self._due if station == view.id]
        if left:
            raise self.fail(view, f"event {left[0]} is on the disk and was never published")


def _name(key: str, record: EventRecord) -> str:
    return record.id or key  # before layouts had ids


class SessionEvents(Promise):
    """The event that ends a session tells the energy that its transaction bills. Armed with each that ends with its transaction."""

    name = "a session's event tells what is billed"

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[tuple[str, str], MilliWh] = {}  # station and transaction: its first register
        self._billed: dict[tuple[str, str], int] = {}  # Wh, of those that end in this very step

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        fact = record.fact
        if key in view.ledger.rows or not isinstance(fact, TransactionTold) or fact.register_mwh is None:
            return
        where = (view.id, fact.session)
        if fact.kind == "started":
            self._began[where] = fact.register_mwh
        elif fact.kind == "ended":
            began = self._began.pop(where, None)
            self._billed.clear()
            if began is not None:
                self._billed[where] = fact.register_mwh // 1000 - began // 1000

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        if record.kind != "session-ended.v1":
            return
        data = body(record)
        billed = self._billed.pop((view.id, (data.get("session") or {}).get("id", "")), None)
        if billed is None:
            return
        self.armed += 1
        if data["energyWh"] != billed:
            raise self.fail(view, f"the event of a session tells {data['energyWh']} Wh, and {billed} Wh are billed")


EVENTS: Final[tuple[Any, ...]] = (CardEvents, Published, SessionEvents)
