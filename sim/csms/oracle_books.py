"""What a central system knows of its stations: the books that the oracle keeps, from nothing but what it was told (OCPP 1.6).

Data and look-ups. Not here: what is wrong with it (`oracle_judge.py`), answers (`oracle.py`). A `Desk` is a station for as long as the
world runs, a `Line` is one connection of it. Times in nanoseconds of the world's monotonic clock, unless the name ends in `_ms`: those
are milliseconds since 1970.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from math import floor, isfinite
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from hal.units import MonoNs, UtcMs
from sim.pipe import Pipe
from sim.plan import CsmsFault
from sim.rng import Stream
from station.words.settings import Settings

Payload: TypeAlias = dict[str, Any]

UNCONFIRMED: Final = -1  # the transactionId of those whose StartTransaction was never answered (errata)
ENERGY: Final = "Energy.Active.Import.Register"
TRIGGERS: Final[dict[str, str]] = {
    "SignChargePointCertificate": "SignCertificate"
}  # the others are what they are called
NEVER: Final[MonoNs] = -(1 << 62)


def moment_ms(text: str) -> UtcMs:
    """Milliseconds since 1970 of an RFC 3339 time. ValueError if it is none."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def moment_text(utc_ms: UtcMs) -> str:
    """RFC 3339 with milliseconds."""
    second, ms = divmod(utc_ms, 1000)
    minute, second = divmod(second, 60)
    return f"{_minute(minute)}:{second:02}.{ms:03}Z"


@lru_cache(maxsize=256)
def _minute(minute: int) -> str:
    """Minutes since 1970, as the beginning of a time."""
    return datetime.fromtimestamp(minute * 60, UTC).isoformat(timespec="minutes")[:16]


def register_wh(entry: Payload) -> int | None:
    """The imported energy of one meterValue in whole Wh, rounded down as meterStart and meterStop are; None where it tells none.

    Raises ValueError where any of its raw values is no number, or infinite.
    """
    found = None
    for value in entry["sampledValue"]:
        get = value.get
        if get("format", "Raw") != "Raw":
            continue
        number = float(value["value"])
        if not isfinite(number):
            raise ValueError(f"{value['value']!r} is not a number")
        if get("measurand", ENERGY) == ENERGY and "phase" not in value and get("location", "Outlet") == "Outlet":
            found = floor(number * 1000 if get("unit") == "kWh" else number)
    return found


def is_triggered(payload: Payload) -> bool:
    """Whether meter values were asked for: two of one instant are the same without being one."""
    return bool(payload["meterValue"][0]["sampledValue"][0].get("context") == "Trigger")


class Violation(NamedTuple):
    """A station did what the specification forbids. `rule` is a key of `oracle_judge.RULES`."""

    at: MonoNs
    station: str
    rule: str
    sentence: str


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A CALL of a station reached the CSMS: each copy that came. Unpacks to action, message id, payload, moment.

    The payload is read from the frame when it is asked for: a long run keeps many of these.
    """

    action: str
    message_id: str
    frame: str
    at: MonoNs

    @property
    def payload(self) -> Payload:
        payload: Payload = msgspec.json.decode(self.frame)[3]
        return payload

    def __iter__(self) -> Iterator[Any]:
        return iter((self.action, self.message_id, self.payload, self.at))


class Call(msgspec.Struct, eq=False, gc=False):
    """One CALL of a station, by its message id, however often it comes. Part of no cycle."""

    action: str
    id: str
    frame: str
    at: MonoNs  # when it came last
    boot: int  # how often the station had booted when it came last
    answered: MonoNs = NEVER
    good: bool = False  # answered well and at once
    sure: bool = False  # and what the station did next shows that it has the answer
    body: bytes | None = None  # the answer of one that is booked, to be repeated
    accepts: bool = False  # this answer accepts the registration


class Asked(msgspec.Struct, eq=False, kw_only=True):
    """One CALL of the CSMS."""

    id: str
    action: str
    payload: Payload
    valid: bool
    expected: tuple[str, ...] = ()  # the statuses that the specification allows here; empty: any
    at: MonoNs = NEVER
    sent: int = 0
    answered: int = 0
    owed: bool = False  # sent to a station that has to answer


class Transaction(msgspec.Struct, eq=False):
    """What the CSMS knows of one transaction. Registers in Wh. `number` is the transactionId that the station was told."""

    number: int
    station: str
    connector: int
    token: str
    meter_start: int
    started: str
    meter_stop: int | None = None
    stopped: str | None = None
    reason: str = "Local"
    values: int = 0
    key: int = 0  # under which it stands in the books: unlike `number` always unique
    confirmed: bool = False  # the start was answered well and at once
    doubtful: bool = False  # the station may have meant another one, or given up telling of it
    start: Call | None = None
    stop: Call | None = None
    last: Payload | None = None  # the meter values that came last
    last_call: Call | None = None  # and with what
    last_ms: UtcMs = 0
    register_wh: int = 0


class Line:
    """One connection of a station."""

    __slots__ = ("asked", "desk", "opened", "opened_ms", "out", "pipe", "ready_ms", "said", "trigger", "waiting")

    def __init__(self, pipe: Pipe, desk: Desk, opened: MonoNs, opened_ms: UtcMs) -> None:
        self.pipe = pipe
        self.desk = desk
        self.opened = opened
        self.opened_ms = opened_ms
        self.ready_ms = opened_ms if desk.registered else None  # since when the station may do what it likes
        self.out: Call | None = None  # the last CALL of the station
        self.said: dict[int, tuple[str, MonoNs, UtcMs]] = {}  # connector: the status told here last, when, and of when
        self.asked: Asked | None = None  # the CALL of the CSMS that is out
        self.waiting: deque[Asked] = deque()
        self.trigger = True  # whether a BootNotification may still be triggered here while Pending


class Desk:
    """All that is known of one station. `index` is its number in the plan, from 0."""

    def __init__(self, station: str, index: int, stream: Stream, settings: Settings, connectors: int | None) -> None:
        self.station = station
        self.index = index
        self.stream = stream
        self.settings = settings
        self.connectors = connectors
        self.line: Line | None = None
        self.boots = 0
        self.registered = False
        self.pending = False
        self.refused: tuple[MonoNs, int] | None = None  # the last refusal of a registration, and for how many seconds
        self.triggered: dict[str, None] = {}  # actions that it was asked for since it booted
        self.message_timeout_s = settings.message_timeout_s
        self.min_status = settings.min_status_duration_s > 0
        # calls, both ways
        self.calls: dict[str, Call] = {}
        self.deliveries: list[Delivery] = []
        self.asked: dict[str, Asked] = {}
        self.garbled = False  # something unreadable was sent to it
        # transactions
        self.transactions: list[Transaction] = []
        self.running: dict[int, Transaction] = {}  # those that were started and not stopped, by key
        self.by_number: dict[int, list[Transaction]] = {}
        self.started: dict[str, Transaction] = {}  # by the message ids of their starts
        self.starts: dict[tuple[object, ...], Transaction] = {}
        self.registers: dict[int, int] = {}  # connector: the highest register told in a transaction, Wh
        self.orphans: list[Payload] = []  # StopTransactions that belong to nothing that was told
        self.failed_starts = 0  # StartTransactions that got no good answer
        # authority
        self.denied: dict[str, UtcMs] = {}  # token: when Authorize was refused last
        self.vouched: dict[str, None] = {}  # tokens that were started from here
        self.listed = False  # a local list was sent
        # what is wrong with the CSMS, as this station sees it
        self.faults: list[CsmsFault] = []
        self.unwell: MonoNs = NEVER  # until when something was wrong
        self.floods = 0
        self.offset_ms = 0
        self.misled = False  # whether it was ever told a wrong time
        self.ahead_ms = 0  # how far ahead of the true time it was ever told to be

    def bear_in_mind(self, asked: Asked) -> None:
        """A CALL of the CSMS goes out: what the station may do from now on that it might not do before."""
        payload = asked.payload
        match asked.action:
            case "TriggerMessage" | "ExtendedTriggerMessage":
                wanted: str = payload["requestedMessage"]
                self.triggered[TRIGGERS.get(wanted, wanted)] = None
            case "RemoteStartTransaction":
                self.vouched[payload["idTag"]] = None
            case "SendLocalList":
                self.listed = True
            case "ChangeConfiguration" if payload["key"] == "MinimumStatusDuration":
                self.min_status = True
            case "ChangeConfiguration" if payload["key"] == "MessageTimeout" and payload["value"].isdigit():
                self.message_timeout_s = min(self.message_timeout_s, int(payload["value"]))
            case _:
                pass

    def open_on(self, connector: int) -> Transaction | None:
        """The newest open transaction of a connector."""
        return next((t for t in reversed(self.running.values()) if t.connector == connector), None)

    def begin(self, transaction: Transaction, content: tuple[object, ...]) -> None:
        self.transactions.append(transaction)
        self.running[transaction.key] = transaction
        self.starts[content] = transaction
        self.by_number.setdefault(transaction.number, []).append(transaction)

    def end(self, transaction: Transaction, payload: Payload) -> None:
        transaction.meter_stop = payload["meterStop"]
        transaction.stopped = payload["timestamp"]
        transaction.reason = payload.get("reason", "Local")
        del self.running[transaction.key]

    def find(self, number: int, connector: int | None, meter_wh: int | None) -> Transaction | None:
        """The transaction that is meant by a transactionId, which need not be unique (0, -1). One that still runs, if there is any."""
        if number == UNCONFIRMED:
            found = [t for t in self.transactions if not t.confirmed] or list(self.running.values())
        else:
            found = self.by_number.get(number, [])
        if connector is not None:
            found = [t for t in found if t.connector == connector]
        if len(found) < 2:
            return found[0] if found else None
        running = [t for t in found if t.meter_stop is None]
        if len(running) < 2:
            return running[0] if running else found[-1]
        for transaction in running:
            transaction.doubtful = True
        fits = [t for t in running if meter_wh is None or t.register_wh <= meter_wh]
        return max(fits or running, key=lambda t: t.register_wh)


__all__ = ["Asked", "Call", "Delivery", "Desk", "Line", "Transaction", "Violation"]
