"""The fault table (station.md §4) as data, and the faults that stand on a slot or on the station.

Faults lie over the base state, which keeps moving beneath: clearing one needs no "return to" transition.
Not here: what a block does about one (`station/core/blocks/faults.py`). `docs/reference/faults.md` is made of this.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from hal.units import Cause, MonoNs
from station.words.common import StopReason


class Power(enum.Enum):
    CUT = "cut"  # withdrawn in the same step
    ORDERLY = "orderly stop"
    DERATE = "derated"
    WITHHELD = "never given"  # while it stands
    UNTOUCHED = "untouched"


class Fate(enum.Enum):
    """What becomes of a running session."""

    ENDS = "ends"
    SUSPENDED = "suspended"
    KEPT = "kept"


class Clears(enum.Enum):
    SELF = "by itself"  # when its condition is gone
    ACKNOWLEDGED = "gone and acknowledged"
    RETRIES = "by itself, so many times, then latched"
    UNPLUG = "on unplug"
    SERVICE = "latched until service"


class FaultRow(msgspec.Struct, frozen=True):
    """One row. `faulted`: the status is Faulted (else a warning on the status below). Times in seconds."""

    what: str
    station: bool
    power: Power
    fate: Fate
    clears: Clears
    faulted: bool
    error: str  # 1.6 errorCode; NoError: it is not told
    stop: StopReason = StopReason.OTHER
    ends_after_s: int = 0  # a suspended session ends when it has stood for so long
    stable_s: int = 0  # its condition must have been gone for so long
    retry_s: int = 0
    retries: int = 0

    @property
    def withholds(self) -> bool:
        """A slot with it gives no power."""
        return self.power in (Power.CUT, Power.ORDERLY, Power.WITHHELD)


FAULTS: Final[dict[Cause, FaultRow]] = {
    Cause.EMERGENCY_STOP: FaultRow(
        "emergency stop",
        station=True,
        power=Power.CUT,
        fate=Fate.ENDS,
        clears=Clears.ACKNOWLEDGED,
        faulted=True,
        error="OtherError",
        stop=StopReason.EMERGENCY_STOP,
    ),
    Cause.GROUND_FAULT: FaultRow(
        "ground fault (RCD)",
        station=False,
        power=Power.CUT,
        fate=Fate.SUSPENDED,
        clears=Clears.RETRIES,
        faulted=True,
        error="GroundFailure",
        stop=StopReason.GROUND_FAULT,
        retry_s=15,
        retries=3,
    ),
    Cause.CONTACTOR_WELDED: FaultRow(
        "contactor welded",
        station=False,
        power=Power.CUT,
        fate=Fate.ENDS,
        clears=Clears.SERVICE,
        faulted=True,
        error="PowerSwitchFailure",
    ),
    Cause.CONTACTOR_OPEN: FaultRow(
        "contactor does not close",
        station=False,
        power=Power.CUT,
        fate=Fate.ENDS,
        clears=Clears.UNPLUG,
        faulted=True,
        error="PowerSwitchFailure",
    ),
    Cause.LOCK_WILL_NOT_CLOSE: FaultRow(
        "lock will not close",
        station=False,
        power=Power.WITHHELD,
        fate=Fate.ENDS,
        clears=Clears.UNPLUG,
        faulted=True,
        error="ConnectorLockFailure",
    ),
    Cause.LOCK_WILL_NOT_OPEN: FaultRow(
        "lock will not open",
        station=False,
        power=Power.UNTOUCHED,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=False,
        error="ConnectorLockFailure",
    ),
    Cause.PILOT: FaultRow(
        "pilot E or F, diode",
        station=False,
        power=Power.CUT,
        fate=Fate.SUSPENDED,
        clears=Clears.SELF,
        faulted=False,
        error="EVCommunicationError",
        ends_after_s=60,
    ),
    Cause.METER: FaultRow(
        "meter silent",
        station=False,
        power=Power.ORDERLY,
        fate=Fate.SUSPENDED,
        clears=Clears.SELF,
        faulted=True,
        error="PowerMeterFailure",
        ends_after_s=300,
    ),
    Cause.WARM: FaultRow(
        "over-temperature, first stage",
        station=False,
        power=Power.DERATE,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=False,
        error="HighTemperature",
    ),
    Cause.TEMPERATURE: FaultRow(
        "over-temperature, second stage",
        station=False,
        power=Power.ORDERLY,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=True,
        error="HighTemperature",
    ),
    Cause.OVER_CURRENT: FaultRow(
        "over-current by the car",
        station=False,
        power=Power.CUT,
        fate=Fate.ENDS,
        clears=Clears.UNPLUG,
        faulted=True,
        error="OverCurrentFailure",
        stop=StopReason.OVER_CURRENT,
    ),
    Cause.UNDER_VOLTAGE: FaultRow(
        "under-voltage",
        station=False,
        power=Power.ORDERLY,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=True,
        error="UnderVoltage",
        stop=StopReason.POWER_QUALITY,
        stable_s=60,
    ),
    Cause.OVER_VOLTAGE: FaultRow(
        "over-voltage",
        station=False,
        power=Power.ORDERLY,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=True,
        error="OverVoltage",
        stop=StopReason.POWER_QUALITY,
        stable_s=60,
    ),
    Cause.READER: FaultRow(
        "reader dead",
        station=True,
        power=Power.UNTOUCHED,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=False,
        error="ReaderFailure",
    ),
    Cause.STORE: FaultRow(
        "store fails",
        station=True,
        power=Power.WITHHELD,  # from new sessions; running ones go on
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=False,
        error="InternalError",
    ),
    Cause.LIGHTS: FaultRow(
        "lamps",
        station=True,
        power=Power.UNTOUCHED,
        fate=Fate.KEPT,
        clears=Clears.SELF,
        faulted=False,
        error="NoError",
    ),
    Cause.INTERNAL: FaultRow(
        "safe mode",
        station=True,
        power=Power.CUT,
        fate=Fate.ENDS,
        clears=Clears.ACKNOWLEDGED,
        faulted=True,
        error="InternalError",
    ),
}


LATCHED: Final = (Clears.ACKNOWLEDGED, Clears.SERVICE)


class By(enum.IntFlag):
    """Who says that a fault's condition holds. One that both say is gone when both have taken it back."""

    BOARD = 1
    CORE = 2
    QUEUE = 4  # nothing more can wait for the CSMS


class Fault:
    """A fault that stands. `by`: who says that its condition still holds; nobody, and it may be latched, or about to clear."""

    __slots__ = ("by", "cause", "clears_ns", "detail", "ends_ns", "id", "latched", "slot")

    def __init__(self, cause: Cause, slot: int, number: str, detail: str, by: int) -> None:
        self.cause = cause
        self.slot = slot
        self.id = number
        self.detail = detail
        self.by = by
        self.latched = self.row.clears in LATCHED
        self.clears_ns: MonoNs | None = None  # when it is looked at again
        self.ends_ns: MonoNs | None = None  # when it ends a suspended session

    @property
    def present(self) -> bool:
        return bool(self.by)

    @property
    def row(self) -> FaultRow:
        return FAULTS[self.cause]
