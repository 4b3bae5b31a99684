"""Commands: what the station can be told to do, whoever tells it. Data only; docs/decisions/001-words.md.

Each is one input `Ask(ticket, origin, command)` and is answered by exactly one `Answer(ticket, outcome)`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from hal.units import SlotId
from station.words.common import SessionId, Token, Word


class StartSession(Word, frozen=True, gc=False):
    """Start for this token, here or (slot None) wherever it fits. `request` is the CSMS's remoteStartId."""

    token: Token
    slot: SlotId | None = None
    request: int | None = None
    profile: Literal["none", "tx", "other"] = "none"


class StopSession(Word, frozen=True, gc=False):
    """`session` None: the CSMS named a transaction that this station does not run."""

    session: SessionId | None


class UnlockSlot(Word, frozen=True, gc=False):
    slot: SlotId


class ChangeSettings(Word, frozen=True, gc=False):
    """Pairs of neutral setting name (None: no such thing here) and text as the CSMS sent it."""

    changes: tuple[tuple[str | None, str], ...]


class ReadSettings(Word, frozen=True, gc=False):
    """Neutral names; empty: all."""

    names: tuple[str, ...] = ()


class Reset(Word, frozen=True, gc=False):
    """`hard`: now, whatever runs; else sessions are ended in order first. `when_idle`: after the last session."""

    hard: bool
    when_idle: bool = False


class ChangeAvailability(Word, frozen=True, gc=False):
    """Slot 0: the station and all its slots."""

    slot: SlotId
    operative: bool


class ClearCache(Word, frozen=True, gc=False):
    pass


class Trigger(Word, frozen=True, gc=False):
    """Send this now. `what` None: this station has no such message."""

    what: Literal["boot", "heartbeat", "meter", "status"] | None
    slot: SlotId | None = None


class VendorMessage(Word, frozen=True, gc=False):
    vendor: str
    message: str = ""
    data: str = ""


AnyCommand: TypeAlias = (
    StartSession
    | StopSession
    | UnlockSlot
    | ChangeSettings
    | ReadSettings
    | Reset
    | ChangeAvailability
    | ClearCache
    | Trigger
    | VendorMessage
)
