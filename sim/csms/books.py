"""The books of the CSMS: what it heard, answered and found wrong, one JSON line an event, and what follows from them.

The file is only ever appended to and may be read by another process at any time: `read_books` folds it into
transactions, statuses and findings. Every event brings its own time, on the clock of the CSMS.
Not here: writing the file (bookfile.py), finding what is wrong (judge.py), sockets, clocks, the `ocpp` library.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from sim.csms.reported import reported_wh

REGISTER: Final = "Energy.Active.Import.Register"  # what a value is that does not say
POWER: Final = "Power.Active.Import"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class BooksError(ValueError):
    """The file is not what a CSMS of this version writes."""


def utc_text(utc_ms: int) -> str:
    """RFC 3339 with milliseconds, as it stands in the books and in `currentTime`."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time with its zone. ValueError if it is none."""
    if _RFC_3339.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a time of RFC 3339")
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def utc_ms_or(text: str, fallback_ms: int) -> int:
    """Milliseconds since 1970, or the fallback if the text is no time."""
    try:
        return utc_ms(text)
    except ValueError:
        return fallback_ms


# --- events ----------------------------------------------------------------------------------------------------------


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    at: str  # when the CSMS heard or did it, on its own clock
    station: str = ""
    message: str = ""  # id of the frame


class Reading(NamedTuple):
    """One entry of a meterValue: its energy register and its active power, where it had them."""

    time: str
    register_wh: float | None
    context: str
    power_w: float | None = None


def read_values(meter_value: dict[str, Any]) -> Reading:
    """Time, imported energy and imported power of one meterValue, in the library's spelling. ValueError for wrong types."""
    context = ""
    found: dict[str, float] = {}
    for value in meter_value["sampled_value"]:
        context = value.get("context", "Sample.Periodic")
        if value.get("location", "Outlet") == "Outlet" and value.get("format", "Raw") == "Raw" and "phase" not in value:
            with contextlib.suppress(ValueError):
                number = float(value["value"]) * (1000 if value.get("unit") in ("kWh", "kW") else 1)
                found[value.get("measurand", REGISTER)] = number
    return msgspec.convert([meter_value["timestamp"], found.get(REGISTER), context, found.get(POWER)], Reading)


class Boot(_Event, frozen=True, tag="boot"):
    answer: str  # Accepted, Pending or Rejected
    vendor: str
    model: str
    serial: str = ""
    firmware: str = ""


class Status(_Event, frozen=True, tag="status"):
    connector: int
    status: str
    error: str
    time: str = ""
    info: str = ""


class Start(_Event, frozen=True, tag="start"):
    transaction: int
    connector: int
    id_tag: str
    meter_start_wh: int
    time: str
    answer: str


class Meter(_Event, frozen=True, tag="meter"):
    connector: int
    transaction: int | None = None
    readings: tuple[Reading, ...] = ()


class Stop(_Event, frozen=True, tag="stop"):
    transaction: int
    meter_stop_wh: int
    time: str
    reason: str = ""
    id_tag: str = ""
    readings: tuple[Reading, ...] = ()


class Violation(_Event, frozen=True, tag="violation"):
    code: str
    detail: str


class Note(_Event, frozen=True, tag="note"):
    """Everything else. `what`: opened and closed (the CSMS itself); connected and gone; authorize; told (DataTransfer,
    firmware, diagnostics); command (asked by the CSMS); refused (a CALLERROR, detail begins with whose); unanswered (on
    purpose, or the link went first); repeat (a frame delivered again under its own id: answered, counted once)."""

    what: str
    action: str = ""
    answer: str = ""  # a status, or the code of a CALLERROR
    detail: str = ""
    data: dict[str, Any] | None = None


Event: TypeAlias = Boot | Status | Start | Meter | Stop | Violation | Note

# --- what follows from them ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Transaction:
    """One StartTransaction and what belongs to it. `number` counts from 1 and is unique whatever the CSMS's ids."""

    number: int
    start: Start
    last_ms: int
    register_wh: float
    readings: int = 0
    stop: Stop | None = None
    powers: dict[int, float] = field(
        default_factory=dict
    )  # W by UTC in ms, as reported; empty again once it is stopped
    charging_ms: int | None = None  # UTC since which its connector was Charging, where a StatusNotification said so
    reported_wh: float | None = None  # what those come to; None while it is open, and where no power was reported

    @property
    def wh(self) -> int | None:
        """What will be billed; None while the transaction is open."""
        return None if self.stop is None else self.stop.meter_stop_wh - self.start.meter_start_wh

    def __str__(self) -> str:
        begin = f"{self.start.station} connector {self.start.connector} transaction {self.start.transaction}"
        return f"{begin} card {self.start.id_tag}: {'open' if self.wh is None else f'{self.wh} Wh'}"

    def take(self, readings: tuple[Reading, ...]) -> None:
        self.readings += len(readings)
        for reading in readings:
            moment_ms = utc_ms_or(reading.time, self.last_ms)
            self.last_ms = max(self.last_ms, moment_ms)
            if reading.power_w is not None:
                self.powers[moment_ms] = reading.power_w
            self.register_wh = self.register_wh if reading.register_wh is None else reading.register_wh

    def end(self, stop: Stop) -> None:
        self.take(stop.readings)
        self.stop = stop
        begin_ms = utc_ms_or(self.start.time, utc_ms(self.start.at)) if self.charging_ms is None else self.charging_ms
        self.reported_wh = reported_wh(self.powers, begin_ms, utc_ms_or(stop.time, self.last_ms))
        self.powers.clear()


@dataclass(slots=True)
class StationBook:
    connected: bool = False
    registration: str = ""  # the last answer to BootNotification
    boots: int = 0
    statuses: dict[int, Status] = field(default_factory=dict)
    since_boot: set[int] = field(default_factory=set)  # connectors that told their status after the last boot
    comparable: set[int] = field(default_factory=set)  # ... in this connection: what happened offline is not told
    start_lost: bool = False  # a StartTransaction got no transactionId
    last_meter: Meter | None = None
    open: list[Transaction] = field(default_factory=list)


class Duplicate(NamedTuple):
    """The same content under two message ids, or a second end of one transaction."""

    first: Start | Stop | Meter
    again: Start | Stop | Meter

    def __str__(self) -> str:
        name = f"{type(self.again).__name__.lower()} of transaction {self.again.transaction}"
        return f"{name} in frame {self.again.message} repeats frame {self.first.message} ({self.first.transaction})"


class Books:
    """The fold of the events. Feed `apply` in the order of the file."""

    def __init__(self) -> None:
        self.stations: dict[str, StationBook] = {}
        self.transactions: list[Transaction] = []
        self.violations: list[Violation] = []
        self.duplicates: list[Duplicate] = []
        self.unknown_stops: list[Stop] = []
        self.refused: list[Note] = []
        self.counts: Counter[str] = Counter()  # by kind, notes by what
        self.closed = False  # the CSMS ended in good order
        self._by_id: dict[tuple[str, int], list[Transaction]] = {}
        self._by_message: dict[tuple[str, str], Start | Stop] = {}
        self._by_content: dict[tuple[object, ...], Start] = {}

    @property
    def open(self) -> list[Transaction]:
        return [one for one in self.transactions if one.stop is None]

    @property
    def problems(self) -> list[str]:
        """A sentence for everything in the books that should not be there. Open transactions are not among it."""
        return [
            *(f"{one.station}: {one.code}: {one.detail}" for one in self.violations),
            *(f"{one.station}: StopTransaction of unknown transaction {one.transaction}" for one in self.unknown_stops),
            *(f"{one.again.station}: {one}" for one in self.duplicates),
        ]

    @property
    def total_wh(self) -> int:
        return sum(one.wh or 0 for one in self.transactions)

    def station(self, name: str) -> StationBook:
        return self.stations.get(name) or self.stations.setdefault(name, StationBook())

    def by_message(self, station: str, message: str) -> Start | Stop | None:
        """What was booked for this frame, if it was one that begins or ends a transaction."""
        return self._by_message.get((station, message))

    def find(self, station: str, transaction: int, connector: int | None = None) -> Transaction | None:
        """The transaction of this id, an open one before a closed one, of that connector if ids are not unique."""
        found = [one for one in self._by_id.get((station, transaction), ()) if connector in (None, one.start.connector)]
        return next((one for one in found if one.stop is None), found[-1] if found else None)

    def is_charging(self, id_tag: str) -> bool:
        """Whether the card is in an open transaction anywhere."""
        return any(id_tag.upper() == one.start.id_tag.upper() for book in self.stations.values() for one in book.open)

    def apply(self, event: Event) -> None:
        self.counts[event.what if isinstance(event, Note) else type(event).__name__.lower()] += 1
        match event:
            case Boot():
                book = self.station(event.station)
                book.registration, book.boots = event.answer, book.boots + 1
                book.since_boot.clear()
                book.comparable.clear()
            case Status():
                book = self.station(event.station)
                book.statuses[event.connector] = event
                for one in book.open:
                    if (
                        event.status == "Charging"
                        and one.start.connector == event.connector
                        and one.charging_ms is None
                    ):
                        one.charging_ms = utc_ms_or(event.time, utc_ms(event.at))
                book.since_boot.add(event.connector)
                book.comparable.add(event.connector)
            case Start():
                self._start(event)
            case Meter():
                self._meter(event)
            case Stop():
                self._stop(event)
            case Violation():
                self.violations.append(event)
            case Note():
                self._note(event)

    def _start(self, event: Start) -> None:
        content = (event.station, event.connector, event.id_tag, event.meter_start_wh, event.time)
        first = self._by_content.setdefault(content, event)
        if first is not event:
            self.duplicates.append(Duplicate(first, event))
        began_ms = utc_ms_or(event.time, utc_ms(event.at))
        transaction = Transaction(len(self.transactions) + 1, event, began_ms, event.meter_start_wh)
        self.transactions.append(transaction)
        self.station(event.station).open.append(transaction)
        self._by_id.setdefault((event.station, event.transaction), []).append(transaction)
        self._by_message[event.station, event.message] = event

    def _meter(self, event: Meter) -> None:
        book = self.station(event.station)
        last, book.last_meter = book.last_meter, event
        if last and event.readings and _said(last) == _said(event) and last.message != event.message:
            self.duplicates.append(Duplicate(last, event))
        if event.transaction is not None and (
            transaction := self.find(event.station, event.transaction, event.connector)
        ):
            transaction.take(event.readings)

    def _stop(self, event: Stop) -> None:
        transaction = self.find(event.station, event.transaction)
        self._by_message[event.station, event.message] = event
        if transaction is None:
            self.unknown_stops.append(event)
        elif transaction.stop is not None:
            self.duplicates.append(Duplicate(transaction.stop, event))
        else:
            transaction.end(event)
            self.station(event.station).open.remove(transaction)

    def _note(self, event: Note) -> None:
        match event.what:
            case "connected":
                self.station(event.station).connected = True
                self.station(event.station).comparable.clear()
            case "gone":
                self.station(event.station).connected = False
            case "refused":
                self.refused.append(event)
            case "opened" | "closed":
                self.closed = event.what == "closed"
                for book in self.stations.values():
                    book.connected = False
            case _:
                pass
        if event.what in ("refused", "unanswered") and event.action == "StartTransaction":
            self.station(event.station).start_lost = True


def read_books(path: Path | str) -> Books:
    """Fold a file of books. A last line that is still being written is left out. BooksError for any other bad line."""
    books = Books()
    for event in read_events(path):
        books.apply(event)
    return books


def read_events(path: Path | str) -> Iterator[Event]:
    """The events of a file of books, in order. BooksError for a line that is none."""
    decoder = msgspec.json.Decoder(Event)
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BooksError(f"{path}, line {number}: {error}") from error


def _said(event: Meter) -> tuple[object, ...]:
    return event.connector, event.transaction, event.readings
