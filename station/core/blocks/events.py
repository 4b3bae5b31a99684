"""Events for workflows: what people and programs around the station are told, durable before it is published (station.md §11).

An event is stored, then published, then forgotten once every sink has it; its id stays the same over any number of deliveries.
Not here: CloudEvents envelopes and sinks (`station/adapters`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hal.disk import Forget, Record
from statemachine.faults import Fault
from statemachine.slot import Slot
from station.core.effects import Publish
from station.core.session import Session
from station.words.records import EventRecord, Image

if TYPE_CHECKING:
    from station.core.core import StationCore


class Events:
    """`waiting` maps a number to an event that some sink has not taken yet."""

    __slots__ = ("core", "number", "waiting")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.number = 0
        self.waiting: dict[int, EventRecord] = {}

    def restore(self, image: Image) -> None:
        for key, record in sorted(image.get("event", {}).items()):
            assert isinstance(record, EventRecord)
            self.number = max(self.number, int(key))
            self.waiting[int(key)] = record
            self._publish(True, int(key))

    def records(self) -> list[Record]:
        return [Record("event", f"{number:012d}", record) for number, record in self.waiting.items()]

    def delivered(self, number: int) -> None:
        if self.waiting.pop(number, None) is not None:
            self.core.emit(Forget((("event", f"{number:012d}"),)))

    def _put(self, kind: str, subject: str, data: dict[str, Any], urgent: bool = False) -> None:
        core = self.core
        self.number += 1
        number = self.number
        record = EventRecord(kind, subject, core.stamp(), msgspec.Raw(msgspec.json.encode(data)))
        self.waiting[number] = record
        core.persist((Record("event", f"{number:012d}", record),), (), urgent, self._publish, number)

    def _publish(self, ok: bool, number: int) -> None:
        """Durable, or as good as it gets: a disk that fails must not silence the station."""
        record = self.waiting.get(number)
        if record is None:
            return
        core = self.core
        core.emit(Publish(number, f"{core.serial}-{number}", record.kind, record.subject, record.at, record.data))

    # --- what is told ---

    def card_scanned(self, uid: str) -> None:
        self._put("card-scanned.v1", "reader/1", {"card": uid}, urgent=True)

    def session_started(self, slot: Slot, session: Session) -> None:
        self._put(
            "session-started.v1",
            f"slot/{slot.id}",
            {
                "slot": slot.id,
                "session": session.id,
                "card": session.token.uid,
                "registerWh": (session.first_mwh or 0) // 1000,
            },
        )

    def session_ended(self, slot: Slot, session: Session) -> None:
        first, last = session.first_mwh or 0, session.last_mwh or session.first_mwh or 0
        transaction = self.core.connection.transactions.get(session.id)
        data = {
            "slot": slot.id,
            "session": session.id,
            "card": session.token.uid,
            "energyWh": last // 1000 - first // 1000,
            "registerWh": last // 1000,
            "reason": session.ending.value if session.ending else "other",
            "estimated": session.marked,
        }
        if transaction is not None:
            data["transactionId"] = transaction
        self._put("session-ended.v1", f"slot/{slot.id}", data)

    def fault(self, fault: Fault, active: bool) -> None:
        row = fault.row
        kind = "faulted" if row.faulted else "warning"
        name = f"{kind}.v1" if active else f"{'fault' if row.faulted else 'warning'}-cleared.v1"
        data = {
            "fault": fault.id,
            "slot": fault.slot,
            "error": {"code": row.error, "cause": fault.cause.value, "detail": fault.detail},
        }
        self._put(name, f"slot/{fault.slot}" if fault.slot else "station", data)

    def full(self, slot: Slot, session: Session) -> None:
        self._put(
            "vehicle-full.v1", f"slot/{slot.id}", {"slot": slot.id, "session": session.id, "card": session.token.uid}
        )

    def vehicle(self, slot: Slot, here: bool) -> None:
        if not here:
            self._put("vehicle-removed.v1", f"slot/{slot.id}", {"slot": slot.id})

    def status(self, slot: Slot) -> None:
        self._put(
            "status-changed.v1",
            f"slot/{slot.id}",
            {"slot": slot.id, "status": slot.status.value, "summary": slot.summary.value},
        )
