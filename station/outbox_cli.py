"""`station outbox`: what waits for the CSMS, and what was given up, as the store has it.

Reads beside a running station: it takes no lock and changes nothing. Messages that were answered within a moment never reach the store.
Not here: the queue itself (`ocpp_client/outbox.py`), what becomes of dead letters (`station/core/blocks/delivery.py`).
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Final

import msgspec

from hal.registry import ConfigError
from ocpp_client.dialects.values import moment
from station.adapters.sqlite_file import APPLICATION
from station.config import load
from station.words.facts import TransactionTold
from station.words.records import DeadLetter, NewerRecord, OutboxRecord, read

MAGIC: Final = b"SQLite format 3\0"
SHOWN: Final = 20
FIND: Final = "SELECT station, kind, key, v, body FROM record WHERE kind IN ('outbox', 'dead') ORDER BY station, key"


class Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One record. `at` is UTC, a guess while `guessed`; `attempts` failed while connected. `why` and `given_up` of dead letters."""

    number: int
    message: str
    message_id: str
    slot: int
    session: str
    at: str
    attempts: int
    guessed: bool = False
    why: str = ""
    given_up: str = ""


class Station(msgspec.Struct, rename="camel"):
    """What one station has in its outbox; `damaged` are records that cannot be read."""

    id: str
    waiting: list[Message] = []
    dead: list[Message] = []
    damaged: list[str] = []


class Unreadable(Exception):
    """`str()` is a sentence for people."""


def show(file: Path, as_json: bool, everything: bool) -> int:
    """Print the outboxes of a station.toml's store, or of a store. Exit status 2: there is nothing to read."""
    try:
        stations = _stations(*_store(file))
    except (ConfigError, Unreadable) as error:
        print(f"station: {error}", file=sys.stderr)
        return 2
    if as_json:
        print(msgspec.json.encode({"stations": stations}).decode())
    else:
        for station in stations:
            _print(station, everything)
        if not stations:
            print("nothing waits, and nothing was given up")
    return 0


def _store(file: Path) -> tuple[Path, str | None]:
    """The store, and the one station of it that is meant."""
    try:
        with file.open("rb") as opened:
            if opened.read(len(MAGIC)) == MAGIC:
                return file, None
    except OSError as error:
        raise Unreadable(f"{file} cannot be read ({error.strerror})") from None
    config = load(file)
    if config.store is None:
        raise Unreadable(f"{file} names no store: such a station forgets its outbox with the process")
    if not Path(config.store).exists():
        raise Unreadable(f"there is no store {config.store} yet: the station has not run")
    return Path(config.store), config.identity


def _stations(store: Path, only: str | None) -> list[Station]:
    stations = {} if only is None else {only: Station(only)}
    try:
        db = sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)
        try:
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise Unreadable(f"{store} is a database, but not a store of this program")
            for name, kind, key, v, body in db.execute(FIND):
                if only in (None, name):
                    _add(stations.setdefault(name, Station(name)), kind, key, v, body)
        finally:
            db.close()
    except (sqlite3.Error, NewerRecord) as error:
        raise Unreadable(f"{store} cannot be read: {error}") from None
    return list(stations.values())


def _add(station: Station, kind: str, key: str, v: int, body: bytes) -> None:
    try:
        record = read(kind, v, body)
    except msgspec.DecodeError as error:
        station.damaged.append(f"{kind} {key}: {error}")
        return
    if isinstance(record, OutboxRecord):
        station.waiting.append(_message(int(key), record))
    elif isinstance(record, DeadLetter):
        station.dead.append(_message(int(key), record.record, record.why, moment(record.at.utc_ms)))


def _message(number: int, record: OutboxRecord, why: str = "", given_up: str = "") -> Message:
    fact = record.fact
    if isinstance(fact, TransactionTold):
        name, at = {"started": "start", "updated": "value", "ended": "end"}[fact.kind], fact.at
    else:
        name, at = "value", fact.samples[0].at
    return Message(
        number,
        name,
        record.message_id,
        fact.slot,
        fact.session or "",
        moment(at.utc_ms),
        record.attempts,
        bool(at.boot),
        why,
        given_up,
    )


def _print(station: Station, everything: bool) -> None:
    print(
        f"{station.id}: {_count(len(station.waiting), 'message')} waiting, {_count(len(station.dead), 'dead letter')}"
    )
    for title, messages in (("waiting", station.waiting), ("dead", station.dead)):
        shown = messages if everything else messages[:SHOWN]
        for one in shown:
            print(f"  {title:8}{one.number:>7}  {_line(one)}")
        if len(shown) < len(messages):
            print(f"  ... and {len(messages) - len(shown)} more (--all)")
    for damaged in station.damaged:
        print(f"  damaged {damaged}")


def _line(one: Message) -> str:
    tried = f", {_count(one.attempts, 'failed attempt')}" if one.attempts else ""
    gone = f", given up {one.given_up}: {one.why}" if one.given_up else ""
    return f"{one.message:6}slot {one.slot}  {'about ' if one.guessed else ''}{one.at}  {one.session}{tried}{gone}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
