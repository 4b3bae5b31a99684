"""Facts: what the station tells and wants no answer to, save that it arrived. Data only; docs/decisions/001-words.md."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hal.units import MilliWh, SlotId
from station.words.common import ChargingState, Sample, SessionId, SlotStatus, Stamp, StopReason, Token, Why, Word


class Trouble(Word, frozen=True, gc=False):
    """What is wrong with a slot: `error` is 1.6's errorCode name, which the versions share as vocabulary; `vendor` is the maker's own."""

    error: str = "NoError"
    vendor: str = ""
    info: str = ""


NO_TROUBLE = Trouble()


class StatusChanged(Word, frozen=True, gc=False):
    """What a slot is now; slot 0 is the station and only available, unavailable or faulted."""

    slot: SlotId
    status: SlotStatus
    at: Stamp
    trouble: Trouble = NO_TROUBLE


class TransactionTold(Word, frozen=True, gc=False):
    """One event of a transaction, with every id already allocated, so that encoding it again gives the same bytes.

    `register_mwh` is the absolute register at the boundary (started, ended). `seq` counts from 0 in each transaction. `first_connected`
    marks the first event after the vehicle connected, `token` is set where the version wants it told.
    """

    kind: Literal["started", "updated", "ended"]
    session: SessionId
    slot: SlotId
    seq: int
    why: Why
    at: Stamp
    state: ChargingState
    token: Token | None = None
    register_mwh: MilliWh | None = None
    samples: tuple[Sample, ...] = ()
    stop: StopReason | None = None
    request: int | None = None  # remoteStartId
    first_connected: bool = False
    offline: bool = False
    reservation: int | None = None


class MeterTold(Word, frozen=True, gc=False):
    """Samples that belong to no transaction (or were asked for)."""

    slot: SlotId
    samples: tuple[Sample, ...]
    session: SessionId | None = None


AnyFact: TypeAlias = StatusChanged | TransactionTold | MeterTold
