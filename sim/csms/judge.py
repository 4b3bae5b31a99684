"""The CSMS's second opinion on what a station tells (OCPP 1.6 §§ 3.5, 4.7 to 4.10): the books so far and an event in,
findings out. How frames come is judged where they come in (server.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from sim.csms.books import (
    Books,
    Boot,
    Event,
    Meter,
    Note,
    Reading,
    Start,
    StationBook,
    Status,
    Stop,
    Transaction,
    Violation,
    utc_ms,
    utc_ms_or,
    utc_text,
)

YEAR_2020_MS = 1_577_836_800_000
FUTURE_MS = 5 * 60_000
UNCONFIRMED = -1  # the transactionId after a StartTransaction that was never answered (1.6 errata)
_ENDS = ("Available", "Unavailable", "Faulted")
_USED = ("Charging", "SuspendedEV", "SuspendedEVSE")
STEPS: dict[str, tuple[str, ...]] = {
    "Available": ("Preparing", *_USED, "Reserved", "Unavailable", "Faulted"),
    "Preparing": ("Available", *_USED, "Finishing", "Faulted"),
    **{status: (*(one for one in _USED if one != status), "Finishing", *_ENDS) for status in _USED},
    "Finishing": ("Preparing", *_ENDS),
    "Reserved": ("Preparing", *_ENDS),
    "Unavailable": ("Available", "Preparing", *_USED, "Faulted"),
    "Faulted": ("Available", "Preparing", *_USED, "Finishing", "Reserved", "Unavailable"),
}

Finding: TypeAlias = tuple[str, str]  # code, detail


def judge(books: Books, event: Event) -> Iterator[Finding]:
    """What is wrong with an event, given all before it: to be asked before the books apply it."""
    match event:
        case Status():
            yield from _judge_status(books.station(event.station), event)
        case Start():
            yield from _judge_start(books, event)
        case Meter():
            yield from _judge_meter(books, event)
        case Stop():
            yield from _judge_stop(books, event)
        case Boot() | Violation() | Note():
            pass


def _judge_status(book: StationBook, event: Status) -> Iterator[Finding]:
    if event.time:
        yield from _judge_time(event.time, event.at)
    if event.connector == 0 and event.status not in _ENDS:
        yield "status-step", f"connector 0 cannot be {event.status}"
    last = book.statuses.get(event.connector)
    if last is None or event.connector not in book.comparable or event.connector == 0 or last.status == event.status:
        return
    if event.status not in STEPS.get(last.status, ()):
        yield "status-step", f"connector {event.connector}: {last.status} to {event.status}"


def _judge_start(books: Books, event: Start) -> Iterator[Finding]:
    yield from _judge_time(event.time, event.at)
    if event.connector < 1:
        yield "connector-zero", f"StartTransaction on connector {event.connector}"
    busy = [one.start for one in books.station(event.station).open if one.start.connector == event.connector]
    if busy:
        yield "busy-connector", f"connector {event.connector} already has transaction {busy[-1].transaction}"


def _judge_meter(books: Books, event: Meter) -> Iterator[Finding]:
    for reading in event.readings:
        yield from _judge_time(reading.time, event.at)
    if event.transaction is None:
        return
    transaction = books.find(event.station, event.transaction, event.connector)
    if transaction is None or transaction.stop is not None:
        yield from _unknown(books, event, "MeterValues", transaction)
    else:
        yield from _judge_readings(event.readings, transaction.last_ms, transaction.register_wh)


def _judge_stop(books: Books, event: Stop) -> Iterator[Finding]:
    yield from _judge_time(event.time, event.at)
    transaction = books.find(event.station, event.transaction)
    if transaction is None or transaction.stop is not None:
        yield from _unknown(books, event, "StopTransaction", transaction)
        return
    if event.meter_stop_wh < transaction.start.meter_start_wh:
        yield "meter-stop-below-start", f"{event.meter_stop_wh} Wh after {transaction.start.meter_start_wh} Wh"
    elif event.meter_stop_wh <= transaction.register_wh - 1:  # meterStop is whole Wh, cut off
        yield "register-fell", f"meterStop {event.meter_stop_wh} Wh after {transaction.register_wh} Wh"
    if utc_ms_or(event.time, transaction.last_ms) < transaction.last_ms:
        yield "time-fell", f"StopTransaction at {event.time} after {utc_text(transaction.last_ms)}"
    if event.readings:  # transactionData, sampled and aligned values in any order
        whole = sorted(event.readings, key=lambda one: utc_ms_or(one.time, 0))
        whole.append(Reading(event.time, event.meter_stop_wh + 1, "meterStop"))
        yield from _judge_readings(whole, utc_ms_or(transaction.start.time, 0), transaction.start.meter_start_wh)


def _judge_readings(readings: Iterable[Reading], last_ms: int, register_wh: float) -> Iterator[Finding]:
    for reading in readings:
        moment_ms = utc_ms_or(reading.time, last_ms)
        if moment_ms < last_ms:
            yield "time-fell", f"{reading.context} at {reading.time} after {utc_text(last_ms)}"
        if reading.register_wh is not None and reading.register_wh < register_wh:
            yield "register-fell", f"{reading.context}: {reading.register_wh} Wh after {register_wh} Wh"
        last_ms = max(last_ms, moment_ms)
        register_wh = register_wh if reading.register_wh is None else reading.register_wh


def _unknown(books: Books, event: Meter | Stop, action: str, closed: Transaction | None) -> Iterator[Finding]:
    if event.transaction == UNCONFIRMED and books.station(event.station).start_lost:
        return
    yield "unknown-transaction", f"{action}: transaction {event.transaction} is {'closed' if closed else 'not known'}"


def _judge_time(text: str, at: str) -> Iterator[Finding]:
    try:
        moment_ms = utc_ms(text)
    except ValueError as error:
        yield "bad-time", str(error)
        return
    if moment_ms < YEAR_2020_MS:
        yield "time-before-2020", text
    elif moment_ms > utc_ms(at) + FUTURE_MS:
        yield "time-in-future", f"{text}, heard at {at}"
