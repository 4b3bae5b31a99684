"""Events: what workflows around the station are told, as data (station.md §11). Docstrings and types become `docs/reference/events/`.

Here is what the core knows; the envelope (CloudEvents 1.0), and the attributes that repeat in `data` what the envelope says, are put around
it in `station/adapters/cloudevents.py`. Names on the wire are in camel case. Fields may be added, never renamed or taken away: that is what
the `.v1` at the end of a type promises.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from hal.units import SlotId, TokenUid
from station.words.common import SessionId, SlotStatus, StopReason, Summary

Number: TypeAlias = Annotated[int, Meta(ge=0)]
SlotNumber: TypeAlias = Annotated[SlotId, Meta(ge=1, description="the slot, from 1; OCPP's EVSE or connectorId")]
Card: TypeAlias = Annotated[TokenUid, Meta(min_length=1, description="the card, whole")]
TransactionId: TypeAlias = Annotated[
    int | str, Meta(description="OCPP's own: a number that the CSMS gave (1.6), or ours (2.x)")
]


class Part(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all that an event's data are made of."""


class SessionPart(Part, frozen=True, kw_only=True):
    """A session that runs, or has just ended: our own id, whose it is, and where."""

    id: SessionId
    card: Card
    slot_number: SlotNumber


class ErrorPart(Part, frozen=True, kw_only=True):
    """What is wrong. `code` is an errorCode of OCPP 1.6, `vendorErrorCode` the maker's own; `slotNumber` 0 is the station itself."""

    code: str
    info: str
    slot_number: Number
    vendor_error_code: str


class EventData(Part, frozen=True, kw_only=True):
    """Base of the data of all events. `session` is the session that the event is about, if there is one."""

    session: SessionPart | None = None
    transaction_id: TransactionId | None = None


class CardScanned(EventData, frozen=True, kw_only=True):
    """A card was read: before any decision, a tap that ends a session too, offline or faulted as well. `session`: one of this very card."""

    card: Card
    card_id: Card
    reader: Annotated[int, Meta(ge=1)]


class SessionStarted(EventData, frozen=True, kw_only=True):
    """Power has been permitted; the vehicle may not draw any yet. `registerWh` is the meter's own register at the beginning."""

    slot_number: SlotNumber
    card: Card
    card_id: Card
    register_wh: int


class SessionEnded(EventData, frozen=True, kw_only=True):
    """A session is over and has its final reading. `estimated`: that reading was missing, and the last good one stands in for it."""

    slot_number: SlotNumber
    card: Card
    card_id: Card
    energy_wh: int
    register_wh: int
    duration_s: Number
    reason: StopReason
    estimated: bool


class StatusChanged(EventData, frozen=True, kw_only=True):
    """The state of a slot moved. `summary` is one of the four words for people; `occupied`: a vehicle, a cable or somebody is there."""

    slot_number: SlotNumber
    status: SlotStatus
    summary: Summary
    occupied: bool


class VehicleFull(EventData, frozen=True, kw_only=True):
    """The vehicle has stopped drawing by itself and looks full; its session goes on. `energyWh` so far."""

    slot_number: SlotNumber
    card: Card
    card_id: Card
    energy_wh: int


class VehicleRemoved(EventData, frozen=True, kw_only=True):
    """The vehicle is no longer connected."""

    slot_number: SlotNumber


class Trouble(EventData, frozen=True, kw_only=True):
    """Base of faults and warnings. `faultId` is the same in the event that begins one and the event that clears it."""

    fault_id: str
    error: ErrorPart


class Faulted(Trouble, frozen=True, kw_only=True):
    """A fault has begun and the slot, or the station, is out of order."""


class FaultCleared(Trouble, frozen=True, kw_only=True):
    """A fault is over."""


class Warned(Trouble, frozen=True, kw_only=True):
    """Something is wrong that does not put anything out of order."""


class WarningCleared(Trouble, frozen=True, kw_only=True):
    """What a warning told of is over."""


class DeadLetter(EventData, frozen=True, kw_only=True):
    """A message of a transaction was given up after the configured attempts; `station outbox` shows it for thirty days."""

    slot_number: SlotNumber
    number: str
    message_id: str
    message: Literal["started", "updated", "ended", "meter"]
    reason: str


class RegisterBroke(EventData, frozen=True, kw_only=True):
    """A meter's register jumped and stayed there. A session that ran has been ended with the last good value."""

    slot_number: Number
    before_wh: int
    after_wh: int


KINDS: Final[dict[str, type[EventData]]] = {
    "card-scanned.v1": CardScanned,
    "session-started.v1": SessionStarted,
    "session-ended.v1": SessionEnded,
    "status-changed.v1": StatusChanged,
    "vehicle-full.v1": VehicleFull,
    "vehicle-removed.v1": VehicleRemoved,
    "faulted.v1": Faulted,
    "fault-cleared.v1": FaultCleared,
    "warning.v1": Warned,
    "warning-cleared.v1": WarningCleared,
    "dead-letter.v1": DeadLetter,
    "register-break.v1": RegisterBroke,
}
"""The end of an event's type, and what its data are."""
KIND_OF: Final[dict[type[EventData], str]] = {data: kind for kind, data in KINDS.items()}
