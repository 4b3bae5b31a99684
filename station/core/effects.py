"""What goes into the core and what comes out of it, as data.

An *input* is something the world said; an *effect* is something the core wants done, in the order of the list. Whoever runs a core
(`station/shell/runner.py`) owns the doing.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from hal.actions import AnyAction, Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.disk import Forget, Persist, Stored, StoreFailed
from hal.signals import AnySignal
from hal.units import SlotId, Ticket
from ocpp_client.link import FrameFlushed, FrameReceived, LinkDown, LinkUp
from station.words.commands import AnyCommand
from station.words.common import Origin, Stamp, StopReason
from station.words.outcomes import AnyOutcome


class Item(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of the core's own inputs and effects."""


# --- inputs ---


class Wake(Item, frozen=True):
    """The time of `wake_at` has come."""


class Ask(Item, frozen=True):
    """A command from whoever; answered by exactly one `Answer` with this ticket. Tickets of outside askers are negative."""

    ticket: Ticket
    origin: Origin
    command: AnyCommand


class Delivered(Item, frozen=True):
    """Every sink has the event with this number."""

    number: int


class Shutdown(Item, frozen=True):
    """The process is asked to end: power is stopped in order, locks stay as they are, then `Restart` with reason None."""


# --- effects ---


class OpenLink(Item, frozen=True):
    """Dial the CSMS, offering these subprotocols. Exactly one LinkDown ends what this begins."""

    subprotocols: tuple[str, ...]


class CloseLink(Item, frozen=True):
    reason: str = ""


class SendFrame(Item, frozen=True):
    """A frame for the CSMS. With `tell`, `FrameFlushed(tell)` follows when it has left the machine."""

    frame: bytes
    tell: int | None = None


class SetPing(Item, frozen=True):
    """From now on the link pings so often; 0: not by itself."""

    interval_s: int


class Answer(Item, frozen=True):
    ticket: Ticket
    outcome: AnyOutcome


class Publish(Item, frozen=True):
    """An event for every sink, already durable; `Delivered(number)` when they all have it. `data` is JSON."""

    number: int
    id: str
    kind: str
    subject: str
    at: Stamp
    data: msgspec.Raw


class Restart(Item, frozen=True):
    """Drop this core and restore a new one; `reason` None: end the process instead."""

    reason: StopReason | None


class Note(Item, frozen=True):
    """The core's only log. `code` names a sentence of `station/core/notes.py`."""

    level: Literal["debug", "info", "warning", "error"]
    code: str
    slot: SlotId = 0
    values: tuple[str | int, ...] = ()


Input: TypeAlias = (
    AnySignal
    | Wake
    | Ask
    | Delivered
    | Shutdown
    | LinkUp
    | LinkDown
    | FrameReceived
    | FrameFlushed
    | Stored
    | StoreFailed
)
Effect: TypeAlias = (
    AnyAction | Persist | Forget | OpenLink | CloseLink | SendFrame | SetPing | Answer | Publish | Restart | Note
)

_RANKS: Final[dict[type, int]] = {Offer: 1, SetLock: 2, ShowLight: 2, Persist: 3, ReadMeter: 4, Restart: 6}


def rank(effect: Effect) -> int:
    """Order within one step: withdrawals of power, then offers, locks and lamps, the disk, the rest; nothing comes after a restart."""
    if type(effect) is PermitPower:
        return 5 if effect.allowed else 0
    return _RANKS.get(type(effect), 5)


class Bug(Exception):
    """Our own mistake, never something the world did. A step that raises it has emitted nothing."""
