"""Words inside the words: tokens, stamps, samples, reasons, statuses. Data only; source: docs/decisions/001-words.md."""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from hal.units import MilliWh, Reading, TokenUid, UtcMs

SessionId: TypeAlias = str  # our own, never the CSMS's transactionId


class Word(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Base of facts, questions, commands, outcomes."""


class TokenKind(enum.Enum):
    ISO14443 = "iso14443"
    ISO15693 = "iso15693"
    CENTRAL = "central"
    KEY_CODE = "key_code"
    LOCAL = "local"
    NONE = "none"  # free vend


class Token(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An identity shown here or named by the CSMS. Compare with `same_as`: identifiers are case-insensitive (1.6 AUTH-08)."""

    uid: TokenUid
    kind: TokenKind = TokenKind.ISO14443

    def same_as(self, other: Token) -> bool:
        return self.uid.casefold() == other.uid.casefold()


class TokenStatus(enum.Enum):
    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    INVALID = "invalid"
    CONCURRENT = "concurrent"
    NO_CREDIT = "no_credit"
    NOT_ALLOWED_HERE = "not_allowed_here"
    NOT_NOW = "not_now"
    UNKNOWN = "unknown"


class TokenInfo(Word, frozen=True, gc=False):
    """What is known of a token: `expires` in UTC ms, `group` is the parent id (compared only with other groups)."""

    status: TokenStatus
    expires: UtcMs | None = None
    group: TokenUid | None = None


class Stamp(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A moment. `boot` 0: `utc_ms` is trusted. Else it is a guess, and (boot, mono_ms) says how to mend it later."""

    utc_ms: UtcMs
    boot: int = 0
    mono_ms: int = 0


class Measurand(enum.Enum):
    """What a sample may report; values as both versions spell them on the wire."""

    __hash__ = object.__hash__  # looked up a thousand times a second; an Enum's own is slow, and members are unique

    ENERGY_IMPORT = "Energy.Active.Import.Register"
    POWER_IMPORT = "Power.Active.Import"
    CURRENT_IMPORT = "Current.Import"
    CURRENT_OFFERED = "Current.Offered"
    POWER_OFFERED = "Power.Offered"
    VOLTAGE = "Voltage"
    FREQUENCY = "Frequency"
    TEMPERATURE = "Temperature"
    SOC = "SoC"


class Context(enum.Enum):
    __hash__ = object.__hash__

    PERIODIC = "Sample.Periodic"
    CLOCK = "Sample.Clock"
    BEGIN = "Transaction.Begin"
    END = "Transaction.End"
    TRIGGER = "Trigger"
    INTERRUPTION_BEGIN = "Interruption.Begin"
    INTERRUPTION_END = "Interruption.End"
    OTHER = "Other"


class Sample(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A reading with its time and why it was taken. `what` says which of its values to report; shared, chosen when it was taken.

    `offered_ma` is what the pilot offered per phase then. `rotation` names the grid phase behind each of the meter's phases.
    """

    at: Stamp
    context: Context
    reading: Reading
    what: tuple[Measurand, ...]
    offered_ma: int | None = None
    rotation: str = "RST"


class SlotStatus(enum.Enum):
    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class Summary(enum.Enum):
    """The four words that people and workflows use."""

    AVAILABLE = "available"
    CHARGING = "charging"
    FULL = "full"
    FAULT = "fault"


class ChargingState(enum.Enum):
    IDLE = "idle"
    CONNECTED = "connected"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"


class Why(enum.Enum):
    """Why a transaction was told of (2.x triggerReason; not on 1.6's wire)."""

    AUTHORIZED = "Authorized"
    CABLE_PLUGGED_IN = "CablePluggedIn"
    CHARGING_RATE_CHANGED = "ChargingRateChanged"
    CHARGING_STATE_CHANGED = "ChargingStateChanged"
    DEAUTHORIZED = "Deauthorized"
    ENERGY_LIMIT = "EnergyLimitReached"
    EV_COMMUNICATION_LOST = "EVCommunicationLost"
    EV_CONNECT_TIMEOUT = "EVConnectTimeout"
    METER_CLOCK = "MeterValueClock"
    METER_PERIODIC = "MeterValuePeriodic"
    TIME_LIMIT = "TimeLimitReached"
    TRIGGER = "Trigger"
    UNLOCK = "UnlockCommand"
    STOP_AUTHORIZED = "StopAuthorized"
    EV_DEPARTED = "EVDeparted"
    EV_DETECTED = "EVDetected"
    REMOTE_STOP = "RemoteStop"
    REMOTE_START = "RemoteStart"
    ABNORMAL = "AbnormalCondition"
    SIGNED_DATA = "SignedDataReceived"
    RESET = "ResetCommand"


class StopReason(enum.Enum):
    LOCAL = "local"
    REMOTE = "remote"
    DEAUTHORIZED = "de_authorized"
    EV_DISCONNECTED = "ev_disconnected"
    EMERGENCY_STOP = "emergency_stop"
    GROUND_FAULT = "ground_fault"
    OVER_CURRENT = "over_current"
    POWER_QUALITY = "power_quality"
    POWER_LOSS = "power_loss"
    REBOOT = "reboot"
    SOFT_RESET = "soft_reset"
    HARD_RESET = "hard_reset"
    UNLOCK = "unlock"
    TIMEOUT = "timeout"
    STOPPED_BY_EV = "stopped_by_ev"
    OTHER = "other"


class BootReason(enum.Enum):
    POWER_UP = "PowerUp"
    REMOTE_RESET = "RemoteReset"
    SCHEDULED_RESET = "ScheduledReset"
    LOCAL_RESET = "LocalReset"
    APPLICATION_RESET = "ApplicationReset"
    WATCHDOG = "Watchdog"
    TRIGGERED = "Triggered"
    UNKNOWN = "Unknown"


class Point(enum.Enum):
    """The conditions that start and stop points are made of."""

    VEHICLE = "ParkingBayOccupancy"
    CONNECTED = "EVConnected"
    AUTHORIZED = "Authorized"
    POWER_PATH = "PowerPathClosed"
    ENERGY = "EnergyTransfer"
    SIGNED = "DataSigned"


class Origin(enum.Enum):
    """Who gave a command, or who authorised a session."""

    CSMS = "csms"
    CARD = "card"
    WORKFLOW = "workflow"
    LOCAL = "local"  # keyboard, plan, API
    FREE = "free"  # free vend: nobody decides


def wire_wh(energy_mwh: MilliWh) -> int:
    """Whole Wh of an absolute register: floors, so that differences of registers telescope."""
    return energy_mwh // 1000
