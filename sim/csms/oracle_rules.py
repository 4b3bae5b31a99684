"""What a station may and may not do over OCPP 1.6J, as the specification has it: rules by name, tables, schemas, and what excuses.

Every payload is held against the schemas of the `ocpp` package by jsonschema-rs, which share nothing with our own types. A rule is only
held where the station could keep it: what the plan did to the network, the clock, the meter or the CSMS excuses, nothing else. Not here:
holding a station to them (`oracle_judge.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

import jsonschema_rs

from hal.units import MILLISECOND, SECOND, MonoNs, UtcMs
from sim.csms.oracle_books import Desk
from sim.plan import ClockFault, MeterFault, NetworkFault, Plan
from sim.scheduler import VirtualScheduler

if TYPE_CHECKING:
    from sim.pipe import Network
    from station.shell.runner import Unit

RULES: Final[dict[str, str]] = {
    "frame": "A message is a JSON array of a CALL, a CALLRESULT or a CALLERROR (J 4.2)",
    "action": "A station calls only what a Central System offers (1.6 4)",
    "schema": "Every payload is valid by its schema",
    "message-id": "A message id is a string of 1 to 36 characters that means one message for ever (J 4.1.4)",
    "retry-bytes": "A message that is sent again is sent as it was",
    "asked-again": "What has been answered is not sent again",
    "told-twice": "A transaction message that was confirmed is not told again under another id",
    "one-call": "A CALL waits until the one before is answered or timed out (J 4.1.1)",
    "registration": "Before acceptance only BootNotification and what was triggered is sent; no remote start or stop (4.2)",
    "boot-interval": "A refused registration is tried again after the interval, not earlier (4.2)",
    "answer-known": "Only a CALL that was sent is answered (J 4.1.3)",
    "answer-once": "A CALL is answered once",
    "answer-due": "A CALL is answered within a minute",
    "answer-status": "The answer is the one that the specification gives for this question",
    "answer-refused": "A valid CALL is not refused as malformed, and Core is never refused",
    "error-code": "A CALLERROR has a code of the table, at most 255 characters and an object (J 4.2.3)",
    "transition": "A status follows the one before by the table of 4.9",
    "station-status": "Connector 0 is Available, Unavailable or Faulted (4.9)",
    "connector": "A connector is one that the station has; transactions are on one from 1 on",
    "error-sense": "Faulted says what is wrong; EVCommunicationError, ConnectorLockFailure and LocalListConflict stand where they may",
    "status-order": "StatusNotifications keep the order of events (4.9)",
    "start-occupied": "A connector has one transaction at a time (4.8)",
    "start-denied": "Who was refused by Authorize starts nothing (4.1)",
    "transaction-known": "A transactionId is one that this station was given; -1 only if none was (4.8, errata)",
    "transaction-order": "Values follow their start and nothing follows the stop, on the connector of the start (3.7)",
    "transaction-data": "transactionData are the values from Transaction.Begin to Transaction.End, in order (4.10)",
    "register": "The energy register never decreases, in a transaction and from one to the next (3.16)",
    "value": "A raw value is a number",
    "time-order": "The timestamps of a transaction never decrease",
    "time-past": "No timestamp lies before 2020",
    "time-future": "No timestamp lies in the future",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STATION_CALLS: Final = _words(
    "Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat LogStatusNotification"
    " MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification StartTransaction StatusNotification"
    " StopTransaction"
)
CORE: Final = _words(
    "ChangeAvailability ChangeConfiguration ClearCache DataTransfer GetConfiguration RemoteStartTransaction RemoteStopTransaction Reset"
    " UnlockConnector"
)
MALFORMED: Final = _words(
    "FormationViolation FormatViolation OccurenceConstraintViolation OccurrenceConstraintViolation TypeConstraintViolation ProtocolError"
    " GenericError InternalError"
)
CODES: Final = _words(
    "NotImplemented NotSupported InternalError ProtocolError SecurityError FormationViolation PropertyConstraintViolation"
    " OccurenceConstraintViolation TypeConstraintViolation GenericError"
)
ORDER: Final = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
)
_TABLE: Final = "A2345789 B134569 C145689 D135689 E134689 F1289 G1289 H123459 I12345678"
TRANSITIONS: Final = frozenset(
    (ORDER[ord(row[0]) - ord("A")], ORDER[int(to) - 1]) for row in _TABLE.split() for to in row[1:]
)
WITH_VEHICLE: Final = ("Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing")
UNWELL: Final = frozenset({"silent", "late", "error", "malformed", "unknown_id", "pending", "rejected"})
BACKWARDS: Final = frozenset({"backwards", "rollover", "spike"})
AFTER_NETWORK_NS: Final[MonoNs] = 60 * SECOND  # so long may what the network did still show


@cache
def validator(name: str) -> jsonschema_rs.Validator | None:
    """The judge of a payload, such as of "Reset" or "ResetResponse"; None for what 1.6 does not know."""
    file = resources.files("ocpp") / "v16" / "schemas" / f"{name}.json"
    if not name.isalpha() or not file.is_file():
        return None
    return jsonschema_rs.validator_for(json.loads(file.read_text("utf-8-sig")), validate_formats=True)


def flaw(name: str, payload: object) -> str:
    """What the schema has against it; empty: nothing."""
    judge = validator(name)
    if judge is None:
        return "there is no such message"
    if judge.is_valid(payload):
        return ""
    return "; ".join(error.message for error in judge.iter_errors(payload))


class Place(Protocol):
    """What the oracle needs of a world. Plan and clock are there when it is begun, the rest when the first station connects."""

    seed: int
    plan: Plan
    clock: VirtualScheduler
    units: dict[str, Unit]
    networks: dict[str, Network]

    @property
    def true_utc_ms(self) -> UtcMs: ...

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> None: ...


class Excuses:
    """What the plan did, as far as it excuses a station."""

    def __init__(self) -> None:
        self.place: Place
        self.clock: VirtualScheduler
        self._epoch_ms: UtcMs = 0

    def begin(self, place: Place) -> None:
        self.place = place
        self.clock = place.clock
        self._epoch_ms = place.true_utc_ms - place.clock.mono_ns // MILLISECOND

    @property
    def true_ms(self) -> UtcMs:
        """What time it really is."""
        return self._epoch_ms + self.clock.mono_ns // MILLISECOND

    def instant(self, utc_ms: UtcMs) -> MonoNs:
        """When it really was that time."""
        return (utc_ms - self._epoch_ms) * MILLISECOND

    def network_wrong(self, desk: Desk, since: MonoNs) -> bool:
        """Whether the way to this station was bad at any time from a little before that instant on."""
        network = self.place.networks.get(desk.station)
        if network is not None and network.wrong:
            return True
        since -= AFTER_NETWORK_NS
        for fault in self.place.plan.faults:
            if type(fault) is NetworkFault and fault.station == desk.index:
                begin = fault.at_s * SECOND
                if begin <= self.clock.mono_ns and begin + fault.for_s * SECOND >= since:
                    return True
        return False

    def unwell(self, desk: Desk, since: MonoNs) -> bool:
        """Whether the CSMS itself did not do its part at any time since then."""
        return desk.unwell >= since or any(fault.how in UNWELL for fault in desk.faults)

    def clock_wrong(self, desk: Desk) -> bool:
        """Whether a clock that the station goes by was ever wrong."""
        return desk.misled or bool(self.clock_faults(desk))

    def clock_faults(self, desk: Desk) -> list[ClockFault]:
        """Those of the station's own clock that have begun."""
        now_s, faults = self.clock.mono_ns / SECOND, self.place.plan.faults
        return [f for f in faults if type(f) is ClockFault and f.station == desk.index and f.at_s <= now_s]

    def meter_wrong(self, desk: Desk, connector: int) -> bool:
        now_s = self.clock.mono_ns / SECOND
        return any(
            type(fault) is MeterFault
            and fault.station == desk.index
            and fault.slot == connector
            and fault.how in BACKWARDS
            and fault.at_s <= now_s
            for fault in self.place.plan.faults
        )
