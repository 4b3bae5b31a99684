"""What a board says: facts about the hardware, as data. The core never asks a driver, it is told.

Every signal is about one slot unless it says otherwise; 0 is the station. After `start` a board first reports the state that it
finds (cable, vehicle, lock, power for every slot) and then `BoardReady`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hal.units import Cause, LockState, MilliAmps, Pilot, Reading, SlotId, Ticket, TokenUid


class Signal(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of all signals."""


class BoardReady(Signal, frozen=True):
    """The state found at start has been reported."""


class CardPresented(Signal, frozen=True):
    """A reader read a card once; a card that stays is still one presentation."""

    token: TokenUid
    reader: int = 1


class CableChanged(Signal, frozen=True):
    """The plug in the socket (sockets only). `rating_ma` is what the proximity resistor allows."""

    slot: SlotId
    present: bool
    rating_ma: MilliAmps | None = None


class VehicleChanged(Signal, frozen=True):
    """The control pilot's state."""

    slot: SlotId
    pilot: Pilot


class LockReported(Signal, frozen=True):
    """The lock's feedback contact."""

    slot: SlotId
    state: LockState


class PowerReported(Signal, frozen=True):
    """The contactor's mirror contact."""

    slot: SlotId
    closed: bool


class MeterRead(Signal, frozen=True):
    """An answer to `ReadMeter`, or with ticket 0 a reading that the board pushes by itself."""

    slot: SlotId
    ticket: Ticket
    reading: Reading


class MeterFailed(Signal, frozen=True):
    """No reading came for this ticket."""

    slot: SlotId
    ticket: Ticket
    why: str


class BoardFault(Signal, frozen=True):
    """The board sees a fault begin or end. `detail` is the maker's own code, for logs and vendorErrorCode."""

    slot: SlotId
    cause: Cause
    active: bool
    detail: str = ""


class FaultAcknowledged(Signal, frozen=True):
    """Someone with a key says that a latched fault has been dealt with (the emergency stop, service)."""

    slot: SlotId = 0


class PowerFailing(Signal, frozen=True):
    """The supply is going away and what is left lasts for a few hundred milliseconds."""


AnySignal: TypeAlias = (
    BoardReady
    | CardPresented
    | CableChanged
    | VehicleChanged
    | LockReported
    | PowerReported
    | MeterRead
    | MeterFailed
    | BoardFault
    | FaultAcknowledged
    | PowerFailing
)
