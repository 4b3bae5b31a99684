"""Units and small values every floor shares. Data only.

Names carry their unit last. Integers for time, energy, current: a dialect turns them into the wire's decimals.
"""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

import msgspec

UtcMs: TypeAlias = int  # milliseconds since 1970-01-01T00:00:00Z
MonoNs: TypeAlias = int  # nanoseconds of a clock that never steps; its zero means nothing
MilliWh: TypeAlias = int
MilliAmps: TypeAlias = int
SlotId: TypeAlias = int  # 1..n; 0 is the station itself
TokenUid: TypeAlias = str  # upper-case hex for cards read here; whatever the CSMS says for others
Ticket: TypeAlias = int  # names one pending request of a station; unique within a boot

STATION: SlotId = 0

SECOND: MonoNs = 1_000_000_000
MILLISECOND: MonoNs = 1_000_000

SlotKind: TypeAlias = Literal["socket", "tethered", "dc"]


class Pilot(enum.Enum):
    """Control pilot states of IEC 61851-1: A nobody, B connected, C asks for power, D asks with ventilation, E and F errors."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"

    @property
    def connected(self) -> bool:
        return self in _CONNECTED

    @property
    def asks(self) -> bool:
        return self is Pilot.C or self is Pilot.D


_CONNECTED = frozenset({Pilot.B, Pilot.C, Pilot.D})


class LockState(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"
    JAMMED = "jammed"  # neither end was reached in time


class Cause(enum.Enum):
    """What may be wrong with the hardware or the house it stands in (the rows of the fault table)."""

    EMERGENCY_STOP = "emergency_stop"
    GROUND_FAULT = "ground_fault"
    CONTACTOR_WELDED = "contactor_welded"
    CONTACTOR_OPEN = "contactor_does_not_close"
    LOCK_WILL_NOT_CLOSE = "lock_will_not_close"
    LOCK_WILL_NOT_OPEN = "lock_will_not_open"
    PILOT = "pilot"
    METER = "meter"
    WARM = "warm"  # over-temperature, first stage
    TEMPERATURE = "temperature"
    OVER_CURRENT = "over_current"
    UNDER_VOLTAGE = "under_voltage"
    OVER_VOLTAGE = "over_voltage"
    READER = "reader"
    STORE = "store"
    LIGHTS = "lights"
    INTERNAL = "internal"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One look at a meter. `energy_mwh` is the absolute import register; tuples hold L1, L2, L3 in the meter's own order.

    Currents in mA, voltages in mV, powers in mW, frequency in mHz, temperature in milli-Celsius, state of charge in percent.
    """

    energy_mwh: MilliWh
    current_ma: tuple[int, ...] = ()
    voltage_mv: tuple[int, ...] = ()
    power_mw: tuple[int, ...] = ()
    frequency_millihz: int | None = None
    temperature_mc: int | None = None
    soc_percent: int | None = None

    @property
    def total_power_mw(self) -> int:
        return sum(self.power_mw)


class Colour(enum.Enum):
    OFF = "off"
    WHITE = "white"
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    CYAN = "cyan"  # blue and green together


class Pattern(enum.Enum):
    STEADY = "steady"
    BREATHE = "breathe"
    FLICKER = "flicker"


class Light(msgspec.Struct, frozen=True, gc=False):
    """What a lamp shows, and how bright it is."""

    colour: Colour
    pattern: Pattern = Pattern.STEADY
    percent: int = 100
