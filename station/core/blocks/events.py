"""Events for workflows: what people and programs around the station are told, durable before it is published (station.md §11).

An event is stored, then published, then forgotten once every sink has it. Its id is allocated with it and stored with it, so that it stays
the same over any number of deliveries and restarts, and bears the boot's nonce, so that none comes twice when the disk is lost.
Per slot the order of events is the order of facts. Not here: CloudEvents envelopes and sinks (`station/adapters`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hal.disk import Forget, Record
from hal.units import MilliWh, SlotId
from statemachine.faults import Fault
from statemachine.slot import Slot
from station.core.effects import Publish
from station.core.session import Session
from station.words.common import StopReason
from station.words.events import (
    KIND_OF,
    CardScanned,
    DeadLetter,
    ErrorPart,
    EventData,
    FaultCleared,
    Faulted,
    RegisterBroke,
    SessionEnded,
    SessionPart,
    SessionStarted,
    StatusChanged,
    Trouble,
    VehicleFull,
    VehicleRemoved,
    Warned,
    WarningCleared,
)
from station.words.facts import TransactionTold
from station.words.records import DeadLetter as Letter
from station.words.records import EventRecord, Image

if TYPE_CHECKING:
    from station.core.core import StationCore

_TROUBLE: dict[tuple[bool, bool], type[Trouble]] = {  # (faulted, active)
    (True, True): Faulted,
    (True, False): FaultCleared,
    (False, True): Warned,
    (False, False): WarningCleared,
}


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
            if not self.waiting:
                self.waiting = {}  # an emptied dict keeps its room

    def _put(self, subject: str, data: EventData, urgent: bool = False) -> None:
        core = self.core
        self.number += 1
        number = self.number
        body = msgspec.Raw(msgspec.json.encode(data))
        name = f"{core.boot.nonce}-e{number}"
        record = EventRecord(KIND_OF[type(data)], subject, core.stamp(), body, name)
        self.waiting[number] = record
        core.persist((Record("event", f"{number:012d}", record),), (), urgent, self._publish, number)

    def _publish(self, ok: bool, number: int) -> None:
        """Durable, or as good as it gets: a disk that fails must not silence the station."""
        record = self.waiting.get(number)
        if record is None:
            return
        core = self.core
        name = record.id or f"{core.serial}-{number}"  # before layouts had ids
        core.emit(Publish(number, name, record.kind, record.subject, record.at, record.data))

    # --- what is told ---

    def card_scanned(self, uid: str, reader: int = 1) -> None:
        """A read that was accepted as one."""
        slot = next((s for s in self.core.slots if s.session is not None and _same(s.session.token.uid, uid)), None)
        self._put(
            f"reader/{reader}",
            CardScanned(
                card=uid,
                card_id=uid,
                reader=reader,
                session=_part(slot.session if slot else None),
                transaction_id=self._transaction(slot),
            ),
            urgent=True,
        )

    def session_started(self, slot: Slot, session: Session) -> None:
        self._put(
            _subject(slot.id),
            SessionStarted(
                slot_number=slot.id,
                card=session.token.uid,
                card_id=session.token.uid,
                register_wh=(session.first_mwh or 0) // 1000,
                session=_part(session),
                transaction_id=self._transaction(slot, session),
            ),
        )

    def session_ended(self, slot: Slot, session: Session) -> None:
        first, last = session.first_mwh or 0, session.last_mwh or session.first_mwh or 0
        self._put(
            _subject(slot.id),
            SessionEnded(
                slot_number=slot.id,
                card=session.token.uid,
                card_id=session.token.uid,
                energy_wh=last // 1000 - first // 1000,
                register_wh=last // 1000,
                duration_s=self._duration_s(session),
                reason=session.ending or StopReason.OTHER,
                estimated=session.marked,
                session=_part(session),
                transaction_id=self._transaction(slot, session),
            ),
        )

    def fault(self, fault: Fault, active: bool) -> None:
        """A fault of the fault table begins, or is over; a warning likewise."""
        row, slot = fault.row, self.core.slot(fault.slot)
        info = fault.cause.value.replace("_", " ")
        error = ErrorPart(
            code=row.error,
            info=f"{info}: {fault.detail}" if fault.detail else info,
            slot_number=fault.slot,
            vendor_error_code=fault.detail or fault.cause.value,
        )
        session = _part(slot.session if slot is not None else None)
        kind = _TROUBLE[row.faulted, active]
        data = kind(fault_id=fault.id, error=error, session=session, transaction_id=self._transaction(slot))
        self._put(_subject(fault.slot), data)

    def full(self, slot: Slot, session: Session) -> None:
        first, last = session.first_mwh or 0, session.last_mwh or session.first_mwh or 0
        if slot.meter.last is not None:
            last = max(last, slot.meter.last.energy_mwh)
        self._put(
            _subject(slot.id),
            VehicleFull(
                slot_number=slot.id,
                card=session.token.uid,
                card_id=session.token.uid,
                energy_wh=last // 1000 - first // 1000,
                session=_part(session),
                transaction_id=self._transaction(slot, session),
            ),
        )

    def vehicle(self, slot: Slot, here: bool) -> None:
        if not here:
            session, transaction = _part(slot.session), self._transaction(slot)
            data = VehicleRemoved(slot_number=slot.id, session=session, transaction_id=transaction)
            self._put(_subject(slot.id), data)

    def status(self, slot: Slot) -> None:
        self._put(
            _subject(slot.id),
            StatusChanged(
                slot_number=slot.id,
                status=slot.status,
                summary=slot.summary,
                occupied=slot.occupied,
                session=_part(slot.session),
                transaction_id=self._transaction(slot),
            ),
        )

    def dead_letter(self, number: str, letter: Letter) -> None:
        """A record that the CSMS has not taken and that is not sent again."""
        told = letter.record.fact
        self._put(
            _subject(told.slot),
            DeadLetter(
                slot_number=told.slot,
                number=number,
                message_id=letter.record.message_id,
                message=told.kind if isinstance(told, TransactionTold) else "meter",
                reason=letter.why,
            ),
        )

    def register_break(self, slot: SlotId, before_mwh: MilliWh, after_mwh: MilliWh) -> None:
        """A meter's register jumped and stays where it is now."""
        data = RegisterBroke(slot_number=slot, before_wh=before_mwh // 1000, after_wh=after_mwh // 1000)
        self._put(_subject(slot), data)

    # --- what it is made of ---

    def _transaction(self, slot: Slot | None, session: Session | None = None) -> int | str | None:
        """OCPP's id of the transaction of this session, or of the one on this slot; None while there is none, or it is not known."""
        session = session or (slot.session if slot is not None else None)
        if slot is None or session is None:
            return None
        key: str = slot.tx.id if slot.tx is not None else session.id
        number = self.core.connection.transactions.get(key)
        if number is None and slot.tx is not None and self.core.policies.tells_updates:
            return key  # where the CSMS numbers nothing, ours is OCPP's
        return number

    def _duration_s(self, session: Session) -> int:
        core = self.core
        end = core.timekeeping.cut() if session.resumed else core.stamp()
        return max(0, (end.utc_ms - core.time.mended(session.started).utc_ms) // 1000)


def _subject(slot: SlotId) -> str:
    return f"slot/{slot}" if slot else "station"


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _part(session: Session | None) -> SessionPart | None:
    if session is None:
        return None
    return SessionPart(id=session.id, card=session.token.uid, slot_number=session.slot)
