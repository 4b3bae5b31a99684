"""What a plan expects to be seen: a few kinds of statements on slots, power, events, messages and transactions. Data only.

They are judged on the ground truth of board and CSMS and on what the station told, never on the core's private state. What is sent from
a station to the CSMS counts when it has arrived there; from outside a world, where that cannot be seen, when it was sent.
Not here: what was seen (`expect_seen.py`), the judgement (`expect_judge.py`), plans (`plan.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from hal.units import SlotId, TokenUid

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=31_536_000)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000)]
Name: TypeAlias = Annotated[str, Meta(max_length=200)]
Slot: TypeAlias = Annotated[SlotId, Meta(ge=1)]
AnySlot: TypeAlias = Annotated[SlotId, Meta(ge=0)]  # 0: the station
Amps: TypeAlias = Annotated[float, Meta(ge=0, le=1000)]
Part: TypeAlias = dict[str, Any]
StatusWord: TypeAlias = Literal[
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
EventWord: TypeAlias = Literal[
    "card-scanned",
    "session-started",
    "session-ended",
    "status-changed",
    "vehicle-full",
    "vehicle-removed",
    "faulted",
    "fault-cleared",
    "warning",
    "warning-cleared",
    "dead-letter",
    "register-break",
]


class Expectation(
    msgspec.Struct, frozen=True, tag_field="that", kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Something that must be so of one station, looked at from `from_s` to `by_s` (the end of the plan where it is left out).

    `name` is what reports call it; without one they have a sentence made of the rest. `station` counts from 0.
    """

    name: Name = ""
    station: Annotated[int, Meta(ge=0)] = 0
    from_s: Seconds = 0.0
    by_s: Seconds | None = None


class State(Expectation, frozen=True, kw_only=True):
    """So at `at_s`; or else at some moment of the window; or, with `never`, at no moment of it."""

    at_s: Seconds | None = None
    never: bool = False


class Status(State, frozen=True, kw_only=True, tag="status"):
    """The status of a slot at the CSMS, as StatusNotification told it last; slot 0 is the station. `error`: with this errorCode."""

    slot: AnySlot = 1
    status: StatusWord
    error: str | None = None


class Power(State, frozen=True, kw_only=True, tag="power"):
    """Whether there is voltage at the vehicle's side of a slot: what the contactor really does."""

    slot: Slot = 1
    energised: bool = True


class Offer(Expectation, frozen=True, kw_only=True, tag="offer"):
    """What the pilot of a slot offers, in amperes per phase; slot 0: all together, on the phase with most.

    `at_most_a`: never more in the window. `at_least_a`: so much at some moment of it. At least one of the two.
    """

    slot: AnySlot = 1
    at_most_a: Amps | None = None
    at_least_a: Amps | None = None


class Happening(Expectation, frozen=True, kw_only=True):
    """How often something happens in the window: `count` times exactly, or from `at_least` (1) to `at_most` times. 0: never."""

    count: Count | None = None
    at_least: Count = 1
    at_most: Count | None = None


class Event(Happening, frozen=True, kw_only=True, tag="event"):
    """The station publishes an event of this type, with these members in its data (others may be there too)."""

    type: EventWord
    data: Part = {}


class Message(Happening, frozen=True, kw_only=True, tag="message"):
    """A call, of the station or of the CSMS, with these members in its payload, and in its answer where that is given.

    The answer may be a CALLERROR: its members are errorCode, errorDescription and errorDetails. The same call sent again under
    its own id counts once.
    """

    action: str
    sender: Literal["station", "csms"] | None = None
    payload: Part = {}
    answer: Part | None = None


class Transaction(Happening, frozen=True, kw_only=True, tag="transaction"):
    """Transactions that the CSMS has in its books: begun there in the window, and as they stand at its end."""

    slot: Slot | None = None
    card: TokenUid | None = None
    ended: bool | None = None
    reason: str | None = None
    at_least_wh: Annotated[int, Meta(ge=0)] | None = None
    at_most_wh: Annotated[int, Meta(ge=0)] | None = None


class Order(Expectation, frozen=True, kw_only=True, tag="order"):
    """Calls with these actions come in this order; others may lie in between."""

    actions: Annotated[tuple[str, ...], Meta(min_length=2)]


AnyExpectation: TypeAlias = Status | Power | Offer | Event | Message | Transaction | Order
