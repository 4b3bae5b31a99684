"""The fault table (station.md §4) as data, and the faults that stand on a slot or on the station.

Faults lie over the base state, which keeps moving beneath: clearing one needs no "return to" transition.
Not here: what a block does about one (`station/core/blocks/faults.py`).
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from hal.units import Cause
from station.words.common import StopReason


class Power(enum.Enum):
    CUT = "cut"  # withdrawn in the same step
    ORDERLY = "orderly"  # stopped in order
    DERATE = "derate"
    WITHHELD = "withheld"  # never given while it stands
    UNTOUCHED = "untouched"


class Fate(enum.Enum):
    """What becomes of a running session."""

    ENDS = "ends"
    SUSPENDED = "suspended"
    KEPT = "kept"


class Clears(enum.Enum):
    SELF = "self"  # when its condition is gone
    ACKNOWLEDGED = "acknowledged"  # gone and someone said so
    RETRIES = "retries"  # by itself, so many times, then latched
    UNPLUG = "unplug"
    SERVICE = "service"  # latched


class FaultRow(msgspec.Struct, frozen=True):
    """One row. `faulted`: the status is Faulted (else a warning on the status below). Times in seconds."""

    station: bool
    power: Power
    fate: Fate
    clears: Clears
    faulted: bool
    error: str  # 1.6 errorCode
    stop: StopReason = StopReason.OTHER
    ends_after_s: int | None = None
    stable_s: int = 0
    retry_s: int = 0
    retries: int = 0


FAULTS: Final[dict[Cause, FaultRow]] = {
    Cause.EMERGENCY_STOP: FaultRow(
        True, Power.CUT, Fate.ENDS, Clears.ACKNOWLEDGED, True, "OtherError", StopReason.EMERGENCY_STOP
    ),
    Cause.GROUND_FAULT: FaultRow(
        False,
        Power.CUT,
        Fate.SUSPENDED,
        Clears.RETRIES,
        True,
        "GroundFailure",
        StopReason.GROUND_FAULT,
        retry_s=15,
        retries=3,
    ),
    Cause.CONTACTOR_WELDED: FaultRow(False, Power.CUT, Fate.ENDS, Clears.SERVICE, True, "PowerSwitchFailure"),
    Cause.CONTACTOR_OPEN: FaultRow(False, Power.CUT, Fate.ENDS, Clears.UNPLUG, True, "PowerSwitchFailure"),
    Cause.LOCK_WILL_NOT_CLOSE: FaultRow(False, Power.WITHHELD, Fate.ENDS, Clears.UNPLUG, True, "ConnectorLockFailure"),
    Cause.LOCK_WILL_NOT_OPEN: FaultRow(False, Power.UNTOUCHED, Fate.KEPT, Clears.SELF, False, "ConnectorLockFailure"),
    Cause.PILOT: FaultRow(
        False, Power.CUT, Fate.SUSPENDED, Clears.SELF, False, "EVCommunicationError", ends_after_s=60
    ),
    Cause.METER: FaultRow(
        False, Power.ORDERLY, Fate.SUSPENDED, Clears.SELF, True, "PowerMeterFailure", ends_after_s=300
    ),
    Cause.TEMPERATURE: FaultRow(False, Power.DERATE, Fate.KEPT, Clears.SELF, True, "HighTemperature"),
    Cause.OVER_CURRENT: FaultRow(
        False, Power.CUT, Fate.ENDS, Clears.UNPLUG, True, "OverCurrentFailure", StopReason.OVER_CURRENT
    ),
    Cause.UNDER_VOLTAGE: FaultRow(
        False, Power.ORDERLY, Fate.KEPT, Clears.SELF, True, "UnderVoltage", StopReason.POWER_QUALITY, stable_s=60
    ),
    Cause.OVER_VOLTAGE: FaultRow(
        False, Power.ORDERLY, Fate.KEPT, Clears.SELF, True, "OverVoltage", StopReason.POWER_QUALITY, stable_s=60
    ),
    Cause.READER: FaultRow(True, Power.UNTOUCHED, Fate.KEPT, Clears.SELF, False, "ReaderFailure"),
    Cause.STORE: FaultRow(True, Power.WITHHELD, Fate.KEPT, Clears.SELF, False, "InternalError"),
    Cause.LIGHTS: FaultRow(True, Power.UNTOUCHED, Fate.KEPT, Clears.SELF, False, "NoError"),
    Cause.INTERNAL: FaultRow(True, Power.CUT, Fate.ENDS, Clears.ACKNOWLEDGED, True, "InternalError"),
}


class Fault:
    """A fault that stands. `present`: its condition still holds (a latched fault may stand without it)."""

    __slots__ = ("cause", "detail", "id", "present", "slot", "tries")

    def __init__(self, cause: Cause, slot: int, number: str, detail: str) -> None:
        self.cause = cause
        self.slot = slot
        self.id = number
        self.detail = detail
        self.present = True
        self.tries = 0

    @property
    def row(self) -> FaultRow:
        return FAULTS[self.cause]
