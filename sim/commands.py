"""The buttons of a virtual station as data: one model behind the keyboard, `station-sim run --commands -` and Python (`sim/api.py`).

A command is one line: JSON, or words. Whoever sends it gets one answer with the same `id`.

    {"id": 1, "do": "plug", "slot": 1, "car": "zoe-r110"}      plug 1 zoe-r110
    {"id": 2, "do": "tap", "card": "04A1B2C3"}                 tap 04A1B2C3
    {"id": 3, "do": "wait", "slot": 1, "status": "charging"}   wait 1 charging
    {"id": 4, "do": "raise", "fault": "lock", "how": "jam"}    raise lock how=jam
    {"id": 5, "do": "quit"}                                    quit

    {"id": 1, "ok": true, "do": "plug", "station": "CP1", "result": {"slot": 1, "car": "zoe-r110"}}
    {"id": 9, "ok": false, "do": "plug", "error": "slot: 3 is not there; this station has 1 and 2"}

`help` tells them all. Faults are those of `sim/plan.py`, by the same names.
Not here: reading a line (`command_lines.py`), doing it (`executor.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

from hal.units import SlotId, TokenUid
from sim import plan
from station.adapters.cloudevents import kind_of

Slot: TypeAlias = Annotated[SlotId, Meta(ge=1)]
AnySlot: TypeAlias = Annotated[SlotId, Meta(ge=0)]  # 0: the station
Within: TypeAlias = Annotated[float, Meta(gt=0, le=31_536_000)]
SlotWord: TypeAlias = Literal[
    "available",
    "preparing",
    "charging",
    "suspended_ev",
    "suspended_evse",
    "finishing",
    "reserved",
    "unavailable",
    "faulted",
    "full",
]
Card: TypeAlias = Annotated[TokenUid, Meta(min_length=1, max_length=64)]


class Command(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="do", omit_defaults=True, forbid_unknown_fields=True
):
    """Something to do. `id` comes back with the answer; `station` may be left out where there is only one."""

    id: int | str | None = None
    station: str = ""


class Tap(Command, frozen=True, kw_only=True, tag="tap"):
    """Hold a card to a reader. The same card within two seconds (`repeat_guard_ms`) is no new read: waits that long, unless `at_once`."""

    card: Card
    reader: Annotated[int, Meta(ge=1)] = 1
    at_once: bool = False


class Plug(Command, frozen=True, kw_only=True, tag="plug"):
    """Plug a car in, with the cable that was left there if any. Without `car` and `soc_percent`: the one that `choose_car` chose."""

    slot: Slot = 1
    car: str = ""
    soc_percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    rating_a: Annotated[int, Meta(ge=13, le=63)] = 32


class Unplug(Command, frozen=True, kw_only=True, tag="unplug"):
    """Pull at the plug for up to `within_s` seconds; it comes out unless it stays locked. `force`: it comes out."""

    slot: Slot = 1
    force: bool = False
    within_s: Annotated[float, Meta(ge=0, le=3600)] = 5.0


class DriveOff(Command, frozen=True, kw_only=True, tag="drive_off"):
    """Pull the cable at the car's end, whatever the lock says, and go."""

    slot: Slot = 1


class ChooseCar(Command, frozen=True, kw_only=True, tag="choose_car"):
    """From now on `plug` plugs in this car."""

    car: str
    soc_percent: Annotated[int, Meta(ge=0, le=100)] = 40


class Raise(Command, frozen=True, kw_only=True, tag="raise"):
    """Something breaks, until `clear`, or for `for_s` seconds: `fault` and its own members as in `sim/plan.py`."""

    fault: plan.AnyFault


class Clear(Command, frozen=True, kw_only=True, tag="clear"):
    """What `raise` broke is whole again: this kind of fault, on this slot; without both, everything."""

    fault: str = ""
    slot: AnySlot | None = None


class PressStop(Command, frozen=True, kw_only=True, tag="press_stop"):
    """Press the emergency stop."""


class ReleaseStop(Command, frozen=True, kw_only=True, tag="release_stop"):
    """Release the emergency stop; it stays latched until `acknowledge`."""


class Acknowledge(Command, frozen=True, kw_only=True, tag="acknowledge"):
    """Someone with a key says that a latched fault has been dealt with; slot 0 is the station."""

    slot: AnySlot = 0


class CutLink(Command, frozen=True, kw_only=True, tag="cut_link"):
    """Pull the network cable. `for_s`: for so long; 0: until `restore_link`."""

    for_s: Annotated[float, Meta(ge=0)] = 0.0


class RestoreLink(Command, frozen=True, kw_only=True, tag="restore_link"):
    """Plug the network cable in."""


class CutPower(Command, frozen=True, kw_only=True, tag="cut_power"):
    """The mains are gone, and with them all that was not on the disk. `for_s`: for so long; 0: until `restore_power`."""

    for_s: Annotated[float, Meta(ge=0)] = 0.0


class RestorePower(Command, frozen=True, kw_only=True, tag="restore_power"):
    """The mains are back: the station boots."""


class Supply(Command, frozen=True, kw_only=True, tag="supply"):
    """What the house gives: `amps` for each phase, shared by all slots; `volts`, 230 as it should be, below 196 or above 253 a fault."""

    amps: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    volts: Annotated[int, Meta(ge=0, le=1000)] | None = None

    def __post_init__(self) -> None:
        if self.amps is None and self.volts is None:
            raise ValueError("amps or volts is needed")


class Start(Command, frozen=True, kw_only=True, tag="start"):
    """The operator starts a session from here, on this slot or (0) wherever it fits."""

    card: Card = "OPERATOR"
    slot: AnySlot = 0


class Stop(Command, frozen=True, kw_only=True, tag="stop"):
    """The operator ends the session on this slot."""

    slot: Slot = 1


class Unlock(Command, frozen=True, kw_only=True, tag="unlock"):
    """The operator has the plug unlocked."""

    slot: Slot = 1


class Availability(Command, frozen=True, kw_only=True, tag="availability"):
    """The operator takes a slot out of operation, or back; slot 0 is the station."""

    operative: bool
    slot: AnySlot = 0


class Reset(Command, frozen=True, kw_only=True, tag="reset"):
    """The operator restarts the station; `hard`: whatever runs."""

    hard: bool = False


class Set(Command, frozen=True, kw_only=True, tag="set"):
    """The operator changes a setting, by its neutral name (`get` tells them), value as text."""

    name: str
    value: str


class Get(Command, frozen=True, kw_only=True, tag="get"):
    """The value of this setting, or of all."""

    name: str = ""


class ClearCache(Command, frozen=True, kw_only=True, tag="clear_cache"):
    """The operator empties the authorisation cache."""


class Trigger(Command, frozen=True, kw_only=True, tag="trigger"):
    """Send this message now."""

    what: Literal["boot", "heartbeat", "meter", "status"]
    slot: AnySlot | None = None


class Status(Command, frozen=True, kw_only=True, tag="status"):
    """How the station stands: link, slots, sessions, faults, why there is no power."""


class Wait(Command, frozen=True, kw_only=True, tag="wait"):
    """Go on when this is so, or say what is so instead when `within_s` seconds of the station's clock are over.

    One of: `status` of a slot; an `event` (`session-ended`) that came after the one that was last waited for; so many `sessions` ended
    since the start; `online` (accepted by the CSMS) or not.
    """

    slot: Slot = 1
    status: SlotWord | None = None
    event: str | None = None
    sessions: Annotated[int, Meta(ge=1)] | None = None
    online: bool | None = None
    within_s: Within = 30.0

    def __post_init__(self) -> None:
        conditions = (self.status, self.event, self.sessions, self.online)
        if sum(condition is not None for condition in conditions) != 1:
            raise ValueError("one of status, event, sessions, online is needed")
        if self.event is not None:
            kind_of(self.event)


class Pause(Command, frozen=True, kw_only=True, tag="pause"):
    """Do nothing for so many seconds of the station's clock."""

    for_s: Within


class Help(Command, frozen=True, kw_only=True, tag="help"):
    """What there is to do, or (`about`) all of one command."""

    about: str = ""


class Quit(Command, frozen=True, kw_only=True, tag="quit"):
    """End in good order, once all that was told before is done."""


AnyCommand: TypeAlias = (
    Tap
    | Plug
    | Unplug
    | DriveOff
    | ChooseCar
    | Raise
    | Clear
    | PressStop
    | ReleaseStop
    | Acknowledge
    | CutLink
    | RestoreLink
    | CutPower
    | RestorePower
    | Supply
    | Start
    | Stop
    | Unlock
    | Availability
    | Reset
    | Set
    | Get
    | ClearCache
    | Trigger
    | Status
    | Wait
    | Pause
    | Help
    | Quit
)


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a command. `ok` False: `error` is a sentence that says what was wrong and what is allowed."""

    id: int | str | None = None
    ok: bool | msgspec.UnsetType = msgspec.UNSET
    do: str = ""
    station: str = ""
    result: Any = None
    error: str = ""


class BadCommand(ValueError):
    """A line that is no command. `str()` is a sentence; `id` is the line's, where it could be read."""

    def __init__(self, text: str, id: int | str | None = None, do: str = "") -> None:
        super().__init__(text)
        self.id, self.do = id, do


class CommandFailed(Exception):
    """A command was understood and could not be done. `str()` is a sentence that says why and what can be."""


class NotInTime(CommandFailed, TimeoutError):
    """What was waited for has not come. `str()` says what is so instead."""


def tag_of(kind: type[msgspec.Struct]) -> str:
    """The name by which lines call a command or a fault."""
    return str(kind.__struct_config__.tag)


COMMANDS: Final[dict[str, type[Command]]] = {tag_of(kind): kind for kind in get_args(AnyCommand)}
FAULTS: Final[dict[str, type[plan.Fault]]] = {tag_of(kind): kind for kind in get_args(plan.AnyFault)}
