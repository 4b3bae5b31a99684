"""Settings: every one once, with neutral name, unit, type, limits and default; and the shape of a station, which is no setting.

Dialects map their keys to these names (`dialects/v16/keys.py`); capabilities (number of connectors, profiles) follow from `StationShape`.
Precedence: set over OCPP or API (a record) over TOML over the default here. A fleet shares one `Settings`; a change makes a copy.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from hal.units import MilliAmps, SlotId, SlotKind
from station.words.common import Measurand
from station.words.lamps import Lamps

Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=31_536_000)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000)]
Measurands: TypeAlias = tuple[Measurand, ...]


class Settings(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """All settings of a station. Units last in the name."""

    # authorisation
    authorize_remote: bool = False
    allow_offline_unknown: bool = False
    cache_enabled: bool = True
    local_authorize_offline: bool = True
    local_pre_authorize: bool = False
    cards_decided_by: Literal["csms", "nobody"] = "csms"
    free_vend_token: Annotated[str, Meta(min_length=1, max_length=20)] = "FREEVEND"  # an idTag of 1.6 has 20
    repeat_guard_ms: Count = 2000
    connection_timeout_s: Seconds = 60
    # transactions
    stop_on_ev_disconnect: bool = True
    unlock_on_ev_disconnect: bool = True
    stop_on_invalid: bool = True
    max_energy_on_invalid_wh: Count = 0
    transaction_attempts: Annotated[int, Meta(ge=1, le=1000)] = 3
    transaction_retry_s: Seconds = 60
    after_restart: Literal["end", "resume"] = "end"
    # metering
    sample_interval_s: Seconds = 60
    aligned_interval_s: Seconds = 900
    sampled: Measurands = (Measurand.ENERGY_IMPORT,)
    aligned: Measurands = (Measurand.ENERGY_IMPORT,)
    stop_sampled: Measurands = ()
    stop_aligned: Measurands = ()
    # In the end of a transaction; above it every second one in between goes.
    stop_values_max: Annotated[int, Meta(ge=2, le=1000)] = 250
    phase_rotation: str = ""  # empty: as the slots were built
    meter_lost_s: Seconds = 30
    # status
    min_status_duration_s: Seconds = 0
    idle_current_ma: Count = 1000
    full_after_s: Seconds = 300
    full_min_wh: Count = 500
    ev_ready_s: Seconds = 10
    derate_above_c: Annotated[int, Meta(ge=20, le=150)] = 70
    suspend_above_c: Annotated[int, Meta(ge=20, le=150)] = 80
    # the connection
    heartbeat_interval_s: Seconds = 300
    ping_interval_s: Seconds = 30
    message_timeout_s: Annotated[int, Meta(ge=1, le=3600)] = 30
    backoff_min_s: Annotated[int, Meta(ge=1, le=3600)] = 2
    backoff_random_s: Annotated[int, Meta(ge=0, le=3600)] = 4
    backoff_repeat: Annotated[int, Meta(ge=0, le=20)] = 6
    # the rest
    reset_retries: Count = 1
    light_percent: Annotated[int, Meta(ge=0, le=100)] = 100
    blink_repeat: Annotated[int, Meta(ge=0, le=100)] = 6


# Settings that only the operator's TOML may set: nobody changes them over the air.
TOML_ONLY: Final = frozenset(
    {
        "after_restart",
        "cards_decided_by",
        "free_vend_token",
        "repeat_guard_ms",
        "meter_lost_s",
        "stop_values_max",
        "idle_current_ma",
        "full_after_s",
        "full_min_wh",
        "ev_ready_s",
        "derate_above_c",
        "suspend_above_c",
        "backoff_min_s",
        "backoff_random_s",
        "backoff_repeat",
    }
)
NEEDS_RESTART: Final[frozenset[str]] = frozenset()

_TYPES: Final[dict[str, Any]] = get_type_hints(Settings, include_extras=True)
NAMES: Final[tuple[str, ...]] = Settings.__struct_fields__
_PLAIN: Final[dict[object, str]] = {bool: "true or false", int: "a whole number", str: "a text"}


class BadSetting(ValueError):
    """The text is not a value of this setting; `str()` says what is allowed."""


def parse(name: str, text: str) -> object:
    """The value that `text` stands for, as OCPP sends it: decimal integers, true and false in any case, comma lists.

    Raises BadSetting.
    """
    text = text.strip()
    kind = _TYPES[name]
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind == Measurands:
            return tuple(Measurand(part.strip()) for part in text.split(",")) if text else ()
        if kind is str:
            return text
        if get_args(kind) and (get_args(kind)[0] is str or isinstance(get_args(kind)[0], str)):
            return msgspec.convert(text, kind)
        if not text.isascii() or not text.isdigit():
            raise ValueError
        return msgspec.convert(int(text), kind)
    except (KeyError, ValueError):  # msgspec.ValidationError is a ValueError
        raise BadSetting(f"{name}: {text!r} is not {allowed(name)}") from None


def allowed(name: str) -> str:
    """What a value of this setting may be, such as "a whole number from 0 to 100"."""
    return in_words(_TYPES[name])


def in_words(kind: Any) -> str:
    """What values a type has: bool, int, str, a Literal, one of these with bounds or left out, or a list of an enum's."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, (first, *rest) = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join((first, *rest))
    if origin is tuple:
        return f"a list of {', '.join(one.value for one in first)}"
    if origin is not Annotated:
        return in_words(first)
    if first is str:
        least, most = rest[0].min_length, rest[0].max_length
        return f"a text of {'up' if least is None else least} to {most} characters"
    least, most = rest[0].ge, rest[0].le
    return f"a whole number from {least}" + ("" if most is None else f" to {most}")


@functools.lru_cache(maxsize=256)
def rotation_of(rotations: str, slot: SlotId) -> str | None:
    """What `phase_rotation`, such as "0.RST,1.STR", says of a slot; None where it says nothing of it."""
    items = (item.partition(".") for item in rotations.split(","))
    return next((rotation for number, _, rotation in items if number == str(slot)), None)


def spell(value: object) -> str:
    """The text of a value, as OCPP reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(item.value for item in value)
    return str(value)


def changed(settings: Settings, name: str, value: object) -> Settings:
    """The same settings with one value changed; the same object if nothing changes."""
    if getattr(settings, name) == value:
        return settings
    return msgspec.structs.replace(settings, **{name: value})


class SlotShape(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How a slot is built."""

    kind: SlotKind = "socket"
    max_current_ma: MilliAmps = 32_000
    phases: Annotated[int, Meta(ge=1, le=3)] = 3
    rotation: str = "RST"
    meter_width_mwh: Annotated[int, Meta(ge=0)] = 0  # where the meter's register begins again at 0; 0: nowhere

    @property
    def has_lock(self) -> bool:
        return self.kind == "socket"


class StationShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a station is: who made it, its slots, its supply. Shared by a fleet but for `serial`."""

    vendor: str = "ev-station"
    model: str = "two-sockets-22kw"
    firmware: str = "0.1.0"
    serial: str = ""  # empty: its identity
    slots: tuple[SlotShape, ...] = (SlotShape(), SlotShape(rotation="STR"))
    supply_ma: MilliAmps = 63_000
    main_meter: bool = False  # what it reads is told as that of connector 0
    lamps: Lamps = Lamps()
    readers: tuple[tuple[SlotId, ...], ...] = ()  # the slots that reader 1, 2, ... serves; a reader beyond serves all
    measurands: Measurands = (
        Measurand.ENERGY_IMPORT,
        Measurand.POWER_IMPORT,
        Measurand.CURRENT_IMPORT,
        Measurand.CURRENT_OFFERED,
        Measurand.POWER_OFFERED,
        Measurand.VOLTAGE,
        Measurand.FREQUENCY,
        Measurand.TEMPERATURE,
    )

    def served(self, reader: int) -> tuple[SlotId, ...]:
        """The slots that a card shown to this reader may mean."""
        if 0 < reader <= len(self.readers):
            return self.readers[reader - 1]
        return tuple(range(1, len(self.slots) + 1))


TEMPLATES: Final[dict[str, StationShape]] = {
    "two-sockets-22kw": StationShape(),
    "tethered-11kw": StationShape(
        model="tethered-11kw",
        slots=(SlotShape(kind="tethered", max_current_ma=16_000),),
        supply_ma=16_000,
    ),
    "dc-150kw": StationShape(
        model="dc-150kw",
        slots=(SlotShape(kind="dc", max_current_ma=218_000),),  # of the mains, per phase
        supply_ma=218_000,
        measurands=(*StationShape().measurands, Measurand.SOC),
    ),
}
