"""A plan: what people, operators and the world do to the stations of a run, when, and what is expected then. Data only.

`(seed, plan)` is all that a run of the world is. Times are seconds of virtual time from the start. What each fault may do and what must
still hold is told in its class. Not here: files of plans (`plan_file.py`), doing it (`world.py`, `faults.py`), what can be expected
(`expect.py`), drawing plans (`swarm.py`, `tests/strategies.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from hal.units import SlotId, TokenUid
from sim.expect import AnyExpectation, Seconds


class Action(msgspec.Struct, frozen=True, tag_field="do", kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something somebody does at a moment. `station` counts from 0 in the order of the shape."""

    at_s: Seconds
    station: int = 0


class Tap(Action, frozen=True, tag="tap"):
    """A card is held to the reader."""

    card: TokenUid


class Plug(Action, frozen=True, tag="plug"):
    """A car of this profile (`sim/profiles.py`) is plugged in. Nothing happens where a plug is in already."""

    slot: SlotId = 1
    car: str = "zoe-r110"
    soc_percent: Annotated[int, Meta(ge=0, le=100)] = 40
    rating_a: Annotated[int, Meta(ge=13, le=63)] = 32


class Unplug(Action, frozen=True, tag="unplug"):
    """They pull at the plug; it comes out unless it is locked."""

    slot: SlotId = 1


class DriveOff(Action, frozen=True, tag="drive_off"):
    """The cable is pulled at the car's end, whatever the lock says."""

    slot: SlotId = 1


class PressStop(Action, frozen=True, tag="press_stop"):
    """The emergency stop."""


class ReleaseStop(Action, frozen=True, tag="release_stop"):
    """The emergency stop is released; the fault stays latched until it is acknowledged."""


class Acknowledge(Action, frozen=True, tag="acknowledge"):
    """Someone with a key says that a latched fault has been dealt with; slot 0 is the station."""

    slot: SlotId = 0


class Operate(Action, frozen=True, tag="operate"):
    """The operator at the station, past the CSMS: starts a session with a card of their own, ends the one on a slot, unlocks, restarts."""

    what: Literal["start", "stop", "unlock", "reset"]
    slot: SlotId = 1
    card: TokenUid = "OPERATOR"


class Command(Action, frozen=True, tag="command"):
    """The CSMS sends this call, if the station is connected. `{transaction:N}` in a value becomes the transactionId on connector N."""

    action: str
    payload: dict[str, Any] = {}


class Cards(Action, frozen=True, tag="cards"):
    """From now on the CSMS says this of a card."""

    card: TokenUid
    status: Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"] = "Accepted"
    group: TokenUid | None = None


AnyAction: TypeAlias = (
    Tap | Plug | Unplug | DriveOff | PressStop | ReleaseStop | Acknowledge | Operate | Command | Cards
)


class Fault(
    msgspec.Struct, frozen=True, tag_field="fault", kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Something that is wrong from `at_s` on, for `for_s` seconds (0: a moment), on one station."""

    at_s: Seconds
    for_s: Seconds = 0.0
    station: int = 0


class ReaderFault(Fault, frozen=True, tag="reader"):
    """A reader may be silent, read double, garble, be slow or stuck. Must hold: each accepted read is one event, a garbled one is none."""

    how: Literal["silent", "double", "garbled", "slow", "stuck"] = "silent"


class LockFault(Fault, frozen=True, tag="lock"):
    """A lock may jam, stop half-way, lie about its position or be slow. Must hold: no power on a lock that was not reported closed."""

    slot: SlotId = 1
    how: Literal["jam", "half", "lies", "slow"] = "jam"


class ContactorFault(Fault, frozen=True, tag="contactor"):
    """A contactor may weld, not close, or bounce. Must hold: no unlock while its mirror says closed; a weld is told and latched."""

    slot: SlotId = 1
    how: Literal["welded", "stuck_open", "bounces"] = "welded"


class MeterFault(Fault, frozen=True, tag="meter"):
    """A meter may be silent, freeze, spike, run backwards, roll over, say no number, swap phases. Must hold: only readings are billed."""

    slot: SlotId = 1
    how: Literal["silent", "freeze", "spike", "backwards", "rollover", "nan", "swapped"] = "silent"


class LightsFault(Fault, frozen=True, tag="lights"):
    """The LED bus is dead. Must hold: nothing else changes."""


class PilotFault(Fault, frozen=True, tag="pilot"):
    """Pilot shorted (E), -12 V (F), diode. Must hold: power is withdrawn in the same step."""

    slot: SlotId = 1
    how: Literal["E", "F", "diode"] = "E"


class BoardFault(Fault, frozen=True, tag="board"):
    """The board reports a fault of the fault table by itself. Must hold: what the table says."""

    slot: SlotId = 1
    cause: Literal["ground_fault", "temperature", "under_voltage", "over_voltage", "over_current", "reader"] = (
        "ground_fault"
    )


class VehicleFault(Fault, frozen=True, tag="vehicle"):
    """A car may stop drawing, or draw more than offered by so much. Must hold: over-current is cut after ten seconds."""

    slot: SlotId = 1
    how: Literal["stalls", "overdraws"] = "stalls"
    over_a: Annotated[int, Meta(ge=1, le=32)] = 8


class ClockFault(Fault, frozen=True, tag="clock"):
    """A station's OS clock steps by so many seconds, drifts by as many over `for_s`, or has lost its battery: 1970 after each power cut.

    Must hold: time-stamps of one transaction never decrease, and are right once the CSMS has told the time.
    """

    how: Literal["step", "1970", "drift"] = "step"
    by_s: Annotated[float, Meta(ge=-2_000_000_000, le=2_000_000_000)] = -3600.0


class DiskFault(Fault, frozen=True, tag="disk"):
    """A disk may be slow (a write takes `latency_ms`), full or failing. Must hold: nothing is promised that is not durable; running
    sessions go on."""

    how: Literal["slow", "full", "failing"] = "failing"
    latency_ms: Annotated[int, Meta(ge=1, le=60_000)] = 2500


class ProgramFault(Fault, frozen=True, tag="program"):
    """The program falls over, so many times in a row, and the operating system starts it again each time.

    Must hold: as at a power cut; the third time within ten minutes nobody gets power until somebody has acknowledged it.
    """

    times: Annotated[int, Meta(ge=1, le=5)] = 1


class PowerCut(Fault, frozen=True, tag="power_cut"):
    """The supply goes; unsynced writes are lost but for a prefix. With `effect` > 0 it goes before that effect from `at_s` on.

    Back after `for_s` (at least 1 s). Must hold: nothing promised is lost, nothing is doubled in effect.
    """

    effect: Annotated[int, Meta(ge=0, le=100_000)] = 0
    again: Annotated[int, Meta(ge=0, le=5)] = 0  # so many more cuts right after each boot: a brown-out loop


class NetworkFault(Fault, frozen=True, tag="network"):
    """Connections are refused, stall, die half-open, are reset, answered with a wrong subprotocol, 401 or failing TLS, or are slow.

    Must hold: everything queued arrives once it is over, in order, once in effect.
    """

    how: Literal[
        "refuse", "stall", "half_open", "reset", "subprotocol", "401", "tls", "latency", "truncate", "fragments"
    ] = "refuse"
    latency_ms: Annotated[int, Meta(ge=0, le=60_000)] = 2000


class CsmsFault(Fault, frozen=True, tag="csms"):
    """The CSMS does not answer, answers late, with errors, malformed, to unknown ids, Pending, transactionId 0; or floods commands.

    Must hold: the station serves people all the same, and nothing raises.
    """

    how: Literal[
        "silent",
        "late",
        "error",
        "malformed",
        "unknown_id",
        "pending",
        "rejected",
        "transaction_zero",
        "flood",
        "duplicate",
        "wrong_time",
    ] = "silent"
    action: str = ""  # only this action; empty: all
    late_s: Annotated[float, Meta(ge=0, le=3600)] = 10.0


AnyFault: TypeAlias = (
    ReaderFault
    | LockFault
    | ContactorFault
    | MeterFault
    | LightsFault
    | PilotFault
    | BoardFault
    | VehicleFault
    | ClockFault
    | DiskFault
    | ProgramFault
    | PowerCut
    | NetworkFault
    | CsmsFault
)


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the world consists of: stations by template, OCPP version, and neutral settings that differ from their defaults."""

    stations: Annotated[tuple[str, ...], Meta(min_length=1, max_length=16)] = ("two-sockets-22kw",)
    version: str = "1.6"
    settings: dict[str, str] = {}
    cards: tuple[TokenUid, ...] = ("04A1B2C3", "04D4E5F6", "04FFEE11")


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What happens in a run, in any order; the world sorts it. After `for_s` all faults are healed and the world must come to rest.

    `expect` is judged on what was seen up to then.
    """

    for_s: Seconds = 3600.0
    shape: Shape = Shape()
    actions: tuple[AnyAction, ...] = ()
    faults: tuple[AnyFault, ...] = ()
    expect: tuple[AnyExpectation, ...] = ()


def to_json(plan: Plan) -> bytes:
    return msgspec.json.encode(plan)


def from_json(data: bytes | str) -> Plan:
    """Raises msgspec.ValidationError with a path for what is wrong."""
    return msgspec.json.decode(data, type=Plan)
