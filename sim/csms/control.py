"""What one may tell the CSMS: how it behaves (`Behaviour`), and what it shall do next (`obey`, a line of text or JSON).

    remote-start CP1 --card DEADBEEF --connector 1
    {"id": 1, "station": "CP1", "action": "Reset", "payload": {"type": "Soft"}}

Not here: the connections and the answers themselves (server.py), the options of the command line (cli.py).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import math
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from sim.csms.actions import known
from sim.csms.books import Books, utc_ms

CARD_STATUS = {
    one.lower().removesuffix("tx"): one for one in ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")
}
HANDSHAKES = ("ok", "401", "404", "no-subprotocol", "1008")
IDS = ("unique", "zero", "one")
EVERY = "*"  # stands for every action


class CommandFailed(Exception):
    """A command got no CALLRESULT. `code`: that of the CALLERROR, or NotConnected, ConnectionLost, Timeout, Schema."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Card:
    """One card the CSMS knows. `group` becomes parentIdTag, after `expiry` (RFC 3339) an accepted card is Expired."""

    uid: str
    status: str = "Accepted"
    group: str = ""
    expiry: str = ""

    @classmethod
    def parse(cls, text: str) -> Card:
        """Read UID[:status[:group[:expiry]]]. ValueError says what is wrong."""
        uid, status, group, expiry = [*text.split(":", 3), "", "", ""][:4]
        if not 1 <= len(uid) <= 20:
            raise ValueError(f"a card has 1 to 20 characters: {uid!r}")
        if status and status.lower() not in CARD_STATUS:
            raise ValueError(f"{status!r} is no status of a card: {', '.join(CARD_STATUS)}")
        if expiry:
            utc_ms(expiry)
        return cls(uid, CARD_STATUS[status.lower() or "accepted"], group, expiry)


@dataclass(slots=True)
class Behaviour:
    """How the CSMS answers. Everything may be changed while it runs; the defaults are those of a kind and quick one."""

    cards: dict[str, Card] = field(default_factory=dict)  # by upper-case uid
    accept_unknown: bool = True
    one_at_a_time: bool = False  # a card in an open transaction is ConcurrentTx at StartTransaction
    registration: str = "Accepted"
    registration_times: int | None = None  # so many boots are answered like that, then Accepted; None: all
    registration_interval_s: int = 10  # of Pending and Rejected
    heartbeat_s: int = 300
    delays: dict[str, float] = field(default_factory=dict)  # action: real seconds between booking and answer
    silent: set[str] = field(default_factory=set)  # actions that are heard, but neither booked nor answered
    lose: set[tuple[str, int]] = field(default_factory=set)  # (action, n): the n-th is answered, the file never sees it
    ids: str = "unique"  # transactionIds: unique, zero, one
    vendors: set[str] = field(default_factory=set)  # whose DataTransfer is accepted
    passwords: dict[str, str] = field(default_factory=dict)  # once there is one, every station needs one
    known: set[str] = field(default_factory=set)  # once there is one, others get 404
    handshake: str = "ok"
    on_boot: list[str] = field(default_factory=list)  # lines sent at once after an answer to a boot; {id} = the station
    call_timeout_s: float = 30.0  # a station's CALL that we leave unanswered counts as outstanding for so long

    def add_card(self, text: str) -> Card:
        card = Card.parse(text)
        self.cards[card.uid.upper()] = card
        return card

    def card_info(self, id_tag: str, now_ms: int) -> dict[str, str]:
        """idTagInfo in the spelling of the library (snake case)."""
        card = self.cards.get(id_tag.upper(), Card(id_tag, "Accepted" if self.accept_unknown else "Invalid"))
        expired = card.status == "Accepted" and card.expiry and utc_ms(card.expiry) <= now_ms
        info = {"status": "Expired" if expired else card.status}
        if card.group:
            info["parent_id_tag"] = card.group
        if card.expiry:
            info["expiry_date"] = card.expiry
        return info

    def register(self) -> tuple[str, int]:
        """Status and interval of one BootNotification.conf."""
        status = self.registration
        if self.registration_times is not None and status != "Accepted":
            self.registration_times -= 1
            status = status if self.registration_times >= 0 else "Accepted"
        return status, self.heartbeat_s if status == "Accepted" else self.registration_interval_s

    def set_registration(self, text: str) -> None:
        """accepted, pending, rejected; `pending:2` for two boots and Accepted after them."""
        status, _, times = text.partition(":")
        if status.capitalize() not in ("Accepted", "Pending", "Rejected"):
            raise ValueError(f"{text!r}: accepted, pending[:N] or rejected[:N]")
        if times and not (times.isdecimal() and int(times) >= 1):
            raise ValueError(f"{text!r}: after so many boots it is Accepted, a whole number from 1")
        self.registration, self.registration_times = status.capitalize(), int(times) if times else None

    def set_delay(self, text: str) -> None:
        """SECONDS[:ACTION]; 0 ends it."""
        seconds, _, action = text.partition(":")
        try:
            delay_s = float(seconds)
        except ValueError:
            delay_s = -1.0
        if not 0 <= delay_s < math.inf:
            raise ValueError(f"a delay is SECONDS[:ACTION], not {text!r}")
        self.delays[known(action) if action else EVERY] = delay_s

    def set_loss(self, text: str) -> None:
        """ACTION:NTH"""
        action, _, nth = text.partition(":")
        if not (nth.isdecimal() and int(nth) >= 1):
            raise ValueError(f"what is lost is ACTION:NTH, counted from 1, not {text!r}")
        self.lose.add((known(action), int(nth)))

    def set_silent(self, action: str) -> None:
        """ACTION, or * for all."""
        self.silent.add(action if action == EVERY else known(action))

    def set_answered(self, action: str) -> None:
        """No longer silent about this ACTION, or *."""
        self.silent.discard(action if action == EVERY else known(action))

    def may_enter(self, station: str, authorization: str) -> bool:
        """Basic authentication over bytes: a password of hexadecimal digits may also come as the bytes it means."""
        if not self.passwords:
            return True
        kind, _, encoded = authorization.partition(" ")
        if station not in self.passwords or kind.lower() != "basic":
            return False
        password = self.passwords[station]
        wanted = {password.encode()}
        with contextlib.suppress(ValueError):
            wanted.add(bytes.fromhex(password))
        try:
            user, _, given = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except binascii.Error:
            return False
        return user == station.encode() and given in wanted

    def delay_s(self, action: str) -> float:
        return self.delays.get(action, self.delays.get(EVERY, 0.0))

    def is_silent(self, action: str) -> bool:
        return action in self.silent or EVERY in self.silent


class Commanded(Protocol):
    """The part of a CSMS that a prompt needs."""

    behaviour: Behaviour
    books: Books

    async def command(
        self, station: str, action: str, *, wait_turn: bool = True, payload: dict[str, Any] | None = None
    ) -> dict[str, Any]: ...

    def drop(self, station: str) -> None: ...


class Request(msgspec.Struct):
    """One command for a station. `payload` as on the wire; `now`: do not wait for the answer to the one before."""

    station: str
    action: str
    payload: dict[str, Any] = {}
    now: bool = False
    id: int | str | None = None


async def obey(csms: Commanded, line: str) -> dict[str, Any]:
    """Do what one line says. The result has `answer` (a station's), or `text` (lines to show), or `error`."""
    try:
        request = _read_json(line) if line.lstrip()[:1] == "{" else _read_text(csms, line)
    except ValueError as error:
        return {"error": str(error)}
    if not isinstance(request, Request):
        return {"text": request}
    label = {"station": request.station, "action": request.action}
    if request.id is not None:
        label["id"] = request.id  # type: ignore[assignment]  # whatever the sender likes
    try:
        answer = await csms.command(request.station, request.action, payload=request.payload, wait_turn=not request.now)
    except CommandFailed as error:
        return {"error": str(error), **label}
    return {"answer": answer, **label}


def later(template: str) -> Request | None:
    """A line with {id} for a station, to be obeyed later: what it will ask, if it asks. ValueError for what is wrong already."""
    line = template.replace("{id}", "CP1")
    request = _read_json(line) if line.lstrip()[:1] == "{" else _read_text(_Nobody(), line, later=True)
    if not isinstance(request, Request):
        return None
    if "{" in request.station or "}" in request.station:
        raise ValueError(f"{request.station!r} is no station; {{id}} stands for the one that boots")
    return request


class _Nobody:
    """A CSMS without stations: lines that only it obeys can be tried on it."""

    def __init__(self) -> None:
        self.behaviour, self.books = Behaviour(), Books()

    async def command(
        self, station: str, action: str, *, wait_turn: bool = True, payload: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        raise CommandFailed("NotConnected", station)

    def drop(self, station: str) -> None: ...


def _read_json(line: str) -> Request:
    try:
        return msgspec.json.decode(line, type=Request)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise ValueError(f"this is no JSON: {error}") from None


# --- lines of text ----------------------------------------------------------------------------------------------------

HELP = """\
remote-start STATION --card UID [--connector N]       remote-stop STATION [--transaction N | --connector N]
unlock STATION CONNECTOR                              availability STATION CONNECTOR operative|inoperative
set STATION KEY VALUE                                 get STATION [KEY ...]
reset STATION soft|hard                               clear-cache STATION
trigger STATION MESSAGE [--connector N]               data-transfer STATION VENDOR [--message ID] [--data TEXT]
call STATION ACTION JSON                              any of these with --now: do not wait for an earlier answer
stations | books | violations                         quit
card UID[:status[:group[:expiry]]]                    registration accepted|pending[:N]|rejected[:N]
delay SECONDS[:ACTION]                                lose ACTION:NTH
silent ACTION | answer ACTION                         ids unique|zero|one
drop STATION"""

# word: action, and its arguments after the station: NAME, or --option=NAME. NAME# is a number, NAME^ is written with a
# capital, NAME* takes all that follow, NAME? is not part of the payload.
ASKS = {
    "remote-start": ("RemoteStartTransaction", "--card=idTag --connector=connectorId#"),
    "remote-stop": ("RemoteStopTransaction", "--transaction=transactionId# --connector=connector#?"),
    "unlock": ("UnlockConnector", "connectorId#"),
    "availability": ("ChangeAvailability", "connectorId# type^"),
    "set": ("ChangeConfiguration", "key value"),
    "get": ("GetConfiguration", "key*"),
    "reset": ("Reset", "type^"),
    "clear-cache": ("ClearCache", ""),
    "trigger": ("TriggerMessage", "requestedMessage --connector=connectorId#"),
    "data-transfer": ("DataTransfer", "vendorId --message=messageId --data=data"),
}


def _read_text(csms: Commanded, line: str, later: bool = False) -> Request | list[str]:
    """`later`: it is only looked at, and some transaction will run by then."""
    try:
        word, *rest = shlex.split(line) or ["help"]
    except ValueError as error:
        raise ValueError(f"{line!r}: {error}") from None
    if word in DOES:
        return [str(one) for one in DOES[word](csms, " ".join(rest)) or ()]
    now, rest = "--now" in rest, [one for one in rest if one != "--now"]
    if not rest or (word not in ASKS and word != "call"):
        raise ValueError(f"{line!r}: try `help`")
    station, *rest = rest
    if word == "call":
        if len(rest) not in (1, 2):
            raise ValueError(f"{line!r}: call STATION ACTION JSON, the JSON in '' where it has spaces")
        return Request(station, known(rest[0]), _object(rest[1] if rest[1:] else "{}"), now)
    action, names = ASKS[word]
    given = _arguments(names.split(), rest)
    connector = given.pop("connector?", None)
    if action == "RemoteStopTransaction" and "transactionId" not in given:
        given["transactionId"] = 1 if later else _only_open(csms.books, station, connector)
    return Request(station, action, given, now)


def _arguments(names: list[str], words: list[str]) -> dict[str, Any]:
    """Words by name. What is missing or misspelt the schema of the action finds, and says so."""
    options = dict(one.split("=") for one in names if one.startswith("--"))
    places = [one for one in names if not one.startswith("--")]
    found: dict[str, Any] = {}
    left = iter(words)
    for word in left:
        name = options.get(word) or (places.pop(0) if places else None)
        if name is None:
            raise ValueError(f"{word!r} is too much here: try `help`")
        value = next(left, None) if word in options else word
        if value is None:
            raise ValueError(f"{word} is followed by nothing")
        if name.endswith("*"):
            found[name[:-1]] = [value, *left]
        elif "#" in name:
            found[name.translate(_MARKS)] = _number(name.rstrip("#?"), value)
        else:
            found[name.translate(_MARKS)] = value.capitalize() if "^" in name else value
    return found


def _number(name: str, text: str) -> int:
    if not text.removeprefix("-").isdecimal():
        raise ValueError(f"{name} is a whole number, not {text!r}")
    return int(text)


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        raise ValueError(f"{text!r} is no JSON object") from None


_MARKS = str.maketrans("", "", "#^")


def _only_open(books: Books, station: str, connector: int | None) -> int:
    found = [one for one in books.station(station).open if connector in (None, one.start.connector)]
    if len(found) != 1:
        raise ValueError(f"{station} has {len(found)} open transactions there: say which with --transaction")
    return found[0].start.transaction


def _stations(books: Books) -> Iterator[str]:
    for name, book in books.stations.items():
        statuses = ", ".join(f"{number} {one.status}" for number, one in sorted(book.statuses.items()))
        yield f"{name}: {'connected' if book.connected else 'gone'}, {book.registration or 'never booted'}; {statuses}"


def _drop(csms: Commanded, station: str) -> None:
    if station not in csms.books.stations or not csms.books.stations[station].connected:
        raise ValueError(f"{station!r} is not connected")
    csms.drop(station)


def _set_ids(behaviour: Behaviour, ids: str) -> None:
    if ids not in IDS:
        raise ValueError(f"{ids!r}: {', '.join(IDS)}")
    behaviour.ids = ids


# What the CSMS does by itself, no station asked: lines to show, or nothing.
DOES: dict[str, Callable[[Commanded, str], Iterable[object] | None]] = {
    "help": lambda csms, text: [HELP],
    "stations": lambda csms, text: list(_stations(csms.books)) or ["none"],
    "books": lambda csms, text: [*csms.books.transactions, f"{csms.books.total_wh} Wh in all"],
    "violations": lambda csms, text: csms.books.problems or ["none"],
    "card": lambda csms, text: [csms.behaviour.add_card(text)],
    "registration": lambda csms, text: csms.behaviour.set_registration(text),
    "delay": lambda csms, text: csms.behaviour.set_delay(text),
    "lose": lambda csms, text: csms.behaviour.set_loss(text),
    "silent": lambda csms, text: csms.behaviour.set_silent(text),
    "answer": lambda csms, text: csms.behaviour.set_answered(text),
    "ids": lambda csms, text: _set_ids(csms.behaviour, text),
    "drop": _drop,
}
