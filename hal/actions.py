"""What a board can be told. `apply` returns at once; what came of it arrives as a signal."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hal.units import Light, MilliAmps, SlotId, Ticket


class Action(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of all actions."""


class PermitPower(Action, frozen=True):
    """Let the board close the contactor while the vehicle asks, or make it open. Answered by `PowerReported`."""

    slot: SlotId
    allowed: bool


class Offer(Action, frozen=True):
    """Set the control pilot: a current in mA per phase, or None for 100 % (no PWM, nothing on offer)."""

    slot: SlotId
    limit_ma: MilliAmps | None


class SetLock(Action, frozen=True):
    """Close or open the plug's lock. Answered by `LockReported`. An error to send to a slot without a lock."""

    slot: SlotId
    closed: bool


class ReadMeter(Action, frozen=True):
    """Answered by `MeterRead` or `MeterFailed` with the same ticket."""

    slot: SlotId
    ticket: Ticket


class ShowLight(Action, frozen=True):
    """Lamp of a slot, or the main lamp with slot 0."""

    slot: SlotId
    light: Light


AnyAction: TypeAlias = PermitPower | Offer | SetLock | ReadMeter | ShowLight
