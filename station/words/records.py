"""Records: what the disk holds, by kind and key, and how to read it back. Data only.

`v` in a row is the version of its layout; `upgrade` brings old rows up to date, and a row from the future is refused with a sentence.
Restore accepts any prefix of what was written.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hal.units import Cause, MilliWh, MonoNs, SlotId, UtcMs
from station.words.common import Origin, Sample, SessionId, Stamp, StopReason, Token, TokenInfo
from station.words.facts import MeterTold, TransactionTold


class RecordBody(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Base of all record bodies."""


class BootRecord(RecordBody, frozen=True, gc=False):
    """`count` numbers the boots of this station; `os_boot` tells a power cut from a restart of ours; `reset` is set by a command.

    `recent_ms`: restarts that nobody commanded, by the monotonic clock of that boot of the operating system.
    """

    count: int
    os_boot: str
    reset: StopReason | None = None
    recent_ms: tuple[int, ...] = ()
    acknowledged: bool = True


class AliveRecord(RecordBody, frozen=True, gc=False):
    """The last sign of life: when, by both clocks, and where the registers of running sessions stood (slot, register).

    `told`: of which time a transaction was told last, where that is later because the clock has gone back since (slot, UTC).
    `known_ms`: where `at` is a guess, the last sign of life before it that was none; 0: there was none.
    """

    at: Stamp
    mono_ns: MonoNs
    registers: tuple[tuple[SlotId, MilliWh], ...] = ()
    told: tuple[tuple[SlotId, UtcMs], ...] = ()
    known_ms: UtcMs = 0


class SettingRecord(RecordBody, frozen=True, gc=False):
    value: str


class AvailabilityRecord(RecordBody, frozen=True, gc=False):
    operative: bool


class SessionRecord(RecordBody, frozen=True, gc=False):
    """A session that reached its first reading and its transaction, as much as is needed to end both after any cut.

    Without a token it is a transaction that runs without a session. `transaction` is the id of the one that runs, `told` whether any has.
    """

    session: SessionId
    slot: SlotId
    token: Token | None
    origin: Origin
    started: Stamp
    register_mwh: MilliWh | None
    seq: int  # next seqNo of its transaction
    group: str | None = None
    request: int | None = None
    told: bool = True
    transaction: SessionId = ""
    ending: StopReason | None = None
    refused: bool = False
    samples: tuple[Sample, ...] = ()


class OutboxRecord(RecordBody, frozen=True, gc=False):
    """A transaction message on its way. `attempts` counts only failures while connected."""

    message_id: str
    fact: TransactionTold | MeterTold
    version: str
    attempts: int = 0


class DialectRecord(RecordBody, frozen=True, gc=False):
    """1.6: our session's transactionId at the CSMS. The key is the session."""

    transaction: int


class TokenRecord(RecordBody, frozen=True, gc=False):
    """An entry of the authorisation cache."""

    info: TokenInfo
    seen: UtcMs


class KeptRecord(RecordBody, frozen=True, gc=False):
    """A plug that stays locked until this token, or one of its group, is shown. The key is the slot."""

    token: Token
    group: str | None = None


class FaultRecord(RecordBody, frozen=True, gc=False):
    """A fault that stays until somebody has dealt with it. `id` is that of the event that told of it."""

    cause: Cause
    slot: SlotId
    id: str
    detail: str = ""


class EventRecord(RecordBody, frozen=True, gc=False):
    """An event that has not been handed to every sink: kind (the end of its CloudEvents type), subject, time, JSON data, id."""

    kind: str
    subject: str
    at: Stamp
    data: msgspec.Raw
    id: str = ""


class DeadLetter(RecordBody, frozen=True, gc=False):
    """An outbox record that was given up, and why."""

    record: OutboxRecord
    why: str
    at: Stamp


KINDS: Final[dict[str, type[RecordBody]]] = {
    "boot": BootRecord,
    "alive": AliveRecord,
    "setting": SettingRecord,
    "availability": AvailabilityRecord,
    "session": SessionRecord,
    "outbox": OutboxRecord,
    "dialect": DialectRecord,
    "token": TokenRecord,
    "kept": KeptRecord,
    "fault": FaultRecord,
    "event": EventRecord,
    "dead": DeadLetter,
}

LAYOUT: Final = 1  # the `v` this program writes


class NewerRecord(ValueError):
    """The disk was written by a later program; `str()` is a sentence for the operator."""


def read(kind: str, v: int, body: bytes) -> RecordBody | None:
    """The body of a row. None for a kind this program does not know (a later one's, of no meaning here).

    Raises NewerRecord when the row's layout is newer than this program, msgspec.DecodeError when the bytes are damaged.
    """
    if v > LAYOUT:
        raise NewerRecord(
            f"record {kind!r} has layout {v}, this program knows up to {LAYOUT}: run the program that wrote it, or a later one"
        )
    layout = KINDS.get(kind)
    return None if layout is None else msgspec.json.decode(body, type=layout)


Image = dict[str, dict[str, RecordBody]]  # kind -> key -> body: the fold of all durable records
