"""A small real CSMS for OCPP 1.6-J: sockets by `websockets`, messages by the `ocpp` library (imported only here).

    async with Csms(path=Path("books.jsonl")) as csms:
        await csms.until(lambda books: books.station("CP1").registration == "Accepted")
        await csms.command("CP1", "RemoteStartTransaction", connector_id=1, id_tag="DEADBEEF")

The library checks and routes; this file adds what it lacks: one answer for a frame however often it comes, the books,
and the findings (`judge` for what is told, here for how). How to answer is in `Behaviour`.
Not here: the prompt (control.py), the command line (cli.py), any part of our own station.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import unquote

import msgspec
import ocpp.messages
from ocpp.charge_point import snake_to_camel_case
from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallError, CallResult, unpack, validate_payload
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from sim.csms.books import (
    ID_TAG_MAX,
    BookFile,
    Books,
    Boot,
    Event,
    Meter,
    Note,
    Start,
    Status,
    Stop,
    Violation,
    judge,
    read_register,
    utc_ms,
    utc_text,
)
from sim.csms.control import Behaviour, CommandFailed, obey

SUBPROTOCOL = Subprotocol("ocpp1.6")
RECENT = 32  # frames of a station whose ids are remembered; those of transactions are in the books for ever
ACTIONS = frozenset(one.value for one in Action)
CODES = {"FormatViolation": "FormationViolation"}  # the library's spelling is that of 2.x
SECRETS = ("AuthorizationKey",)
ocpp.messages.ASYNC_VALIDATION = False  # a thread a message costs more than the check itself

log = logging.getLogger("ev_station.csms")
log.propagate = False
log.addHandler(logging.StreamHandler())
log.setLevel(logging.ERROR)
_silent_log = logging.getLogger("ev_station.csms.sockets")  # a refused handshake is no error of ours
_silent_log.propagate = False
_silent_log.addHandler(logging.NullHandler())

_F = TypeVar("_F", bound=Callable[..., Any])


def _on(action: str) -> Callable[[_F], _F]:
    """The library's decorator, with a type."""
    decorated: Callable[[_F], _F] = on(action)
    return decorated


class Clock:
    """The clock of the CSMS: showed `epoch` at the real time `start`, and runs `speed` times as fast."""

    def __init__(self, speed: float = 1.0, epoch: str = "") -> None:
        """`epoch`: RFC 3339, or two of them, SHOWN@REAL. Default: what is shown and real now. ValueError."""
        shown, _, real = epoch.partition("@")
        now_ms = round(time.time() * 1000)
        self.speed = speed
        self.start_ms = utc_ms(real) if real else now_ms
        self.epoch_ms = utc_ms(shown) if shown else self.start_ms
        self._start_s = time.monotonic() - (now_ms - self.start_ms) / 1000

    def now_ms(self) -> int:
        return self.epoch_ms + round((time.monotonic() - self._start_s) * self.speed * 1000)


class Csms:
    """The CSMS: an asynchronous context manager that listens. `url` + "/" + identity is where a station connects."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: Path | None = None,
        behaviour: Behaviour | None = None,
        clock: Clock | None = None,
        validate: bool = True,
        tls: ssl.SSLContext | None = None,
        listener: Callable[[Event], None] | None = None,
        status_within_s: float = 10.0,
    ) -> None:
        """`path`: the file of the books, continued if it exists; None: in memory. `listener` hears every event."""
        self.host, self.port, self.tls = host, port, tls
        self.behaviour = behaviour or Behaviour()
        self.clock = clock or Clock()
        self.validate = validate
        self.status_within_s = status_within_s
        self.recent: dict[str, dict[str, int]] = {}
        self.books = Books()
        self._file = BookFile(path)
        self._listener = listener
        self._peers: dict[str, Peer] = {}
        self._counted: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        for event in self._file.open():
            self.books.apply(event)
        self.last_id = max((one.start.transaction for one in self.books.transactions), default=0)
        self._server = await serve(
            self._serve,
            self.host,
            self.port,
            subprotocols=[SUBPROTOCOL],
            select_subprotocol=self._agree,
            process_request=self._admit,
            compression=None,
            ssl=self.tls,
            ping_interval=30,
            ping_timeout=30,
            close_timeout=0.5,
            logger=_silent_log,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._note("opened", data=self.listening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 0.8)
        self._note("closed")
        await self.durable()
        self._file.close()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}"

    @property
    def listening(self) -> dict[str, Any]:
        """All that a station or another CSMS needs to know: where, and the clock."""
        clock = self.clock
        epoch = f"{utc_text(clock.epoch_ms)}@{utc_text(clock.start_ms)}"
        return {"listening": self.url, "epoch": epoch, "speed": clock.speed}

    # --- commands -----------------------------------------------------------------------------------------------------

    async def command(
        self,
        station: str,
        action: str,
        *,
        wait_turn: bool = True,
        payload: dict[str, Any] | None = None,
        check: bool = True,
        timeout_s: float = 30.0,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Ask a station, with `payload` as on the wire, or arguments in snake case; its answer as on the wire.

        `wait_turn` False sends although an earlier command is unanswered; `check` False sends what no schema allows.
        CommandFailed when no CALLRESULT came.
        """
        peer = self._peers.get(station)
        if peer is None:
            raise CommandFailed("NotConnected", station)
        payload = {**(payload or {}), **snake_to_camel_case(arguments)}
        told = {key: "***" if key == "value" and payload.get("key") in SECRETS else payload[key] for key in payload}
        try:
            answer = await peer.ask(action, payload, wait_turn, check, timeout_s)
        except CommandFailed as error:
            self._note("command", station, action=action, detail=str(error), data={"payload": told})
            raise
        status = str(answer.get("status", ""))
        self._note("command", station, action=action, answer=status, data={"payload": told, "answer": answer})
        return answer

    def drop(self, station: str) -> None:
        """Cut the connection of a station without a word. Nothing happens if there is none."""
        if station in self._peers:
            self._peers[station].socket.transport.abort()

    async def until(self, true: Callable[[Books], object], within_s: float = 10.0) -> None:
        """Wait for something to stand in the books. TimeoutError."""
        async with asyncio.timeout(within_s):
            while not true(self.books):
                self._news.clear()
                await self._news.wait()

    # --- the books ----------------------------------------------------------------------------------------------------

    def at(self) -> str:
        return utc_text(self.clock.now_ms())

    def record(self, event: Event, action: str) -> None:
        """Judge, then book."""
        findings = list(judge(self.books, event))
        self._counted[action] += 1
        self._put(event, lost=(action, self._counted[action]) in self.behaviour.lose)
        for code, detail in findings:
            self.violation(event.station, event.message, code, detail)

    def violation(self, station: str, message: str, code: str, detail: str) -> None:
        self._put(Violation(at=self.at(), station=station, message=message, code=code, detail=detail))

    def note(self, what: str, station: str, call: Call, **more: Any) -> None:
        self._note(what, station, call.unique_id, action=call.action, **more)

    def _note(self, what: str, station: str = "", message: str = "", **more: Any) -> None:
        self._put(Note(at=self.at(), station=station, message=message, what=what, **more))

    def _put(self, event: Event, lost: bool = False) -> None:
        self.books.apply(event)
        self._news.set()
        if lost:
            return
        self._file.append(event)
        if self._listener is not None:
            self._listener(event)

    async def durable(self) -> None:
        """Return when all that was booked so far would survive a power cut."""
        await self._file.sync()

    def next_id(self) -> int:
        match self.behaviour.ids:
            case "zero":
                return 0
            case "one":
                return 1
            case _:
                self.last_id += 1
                return self.last_id

    # --- connections --------------------------------------------------------------------------------------------------

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        station, behaviour = _identity(request), self.behaviour
        if behaviour.handshake in ("401", "404"):
            return socket.respond(int(behaviour.handshake), "as was asked of me\n")
        if not station or (behaviour.known and station not in behaviour.known):
            return socket.respond(404, "connect to /<identity>\n")
        if not behaviour.may_enter(station, request.headers.get("Authorization", "")):
            refusal = socket.respond(401, "identity and password, please\n")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
            return refusal
        return None

    def _agree(self, socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        if self.behaviour.handshake == "no-subprotocol":
            return None
        if SUBPROTOCOL not in offered:
            raise NegotiationError(f"this CSMS speaks {SUBPROTOCOL} only")  # becomes HTTP 400
        return SUBPROTOCOL

    async def _serve(self, socket: ServerConnection) -> None:
        station = _identity(socket.request)
        if self.behaviour.handshake == "1008":
            return await socket.close(1008, "as was asked of me")
        older = self._peers.pop(station, None)
        peer = self._peers[station] = Peer(self, station, socket)
        self._note("connected", station, detail=str(socket.remote_address[0]))
        closing = older and asyncio.create_task(older.socket.close(1000, "replaced by a newer connection"))
        await peer.serve()
        if self._peers.get(station) is peer:
            del self._peers[station]
            self._note("gone", station, detail=f"{socket.close_code} {socket.close_reason}".strip())
        if closing:
            await closing
        return None


def _identity(request: Request | None) -> str:
    """The identity a station connects with: the only segment of the path. Empty if there is none or more than one."""
    path = request.path.partition("?")[0] if request else ""
    return "" if path.count("/") != 1 else unquote(path[1:])


class Peer(ChargePoint):  # type: ignore[misc]  # the library ships no types
    """One connection of one station: the library's ChargePoint, with its own order of receiving and answering."""

    def __init__(self, csms: Csms, station: str, socket: ServerConnection) -> None:
        super().__init__(station, socket, logger=log if csms.validate else _silent_log)
        for route in self.route_map.values():
            route["_skip_schema_validation"] = not csms.validate
        self.csms, self.station, self.socket = csms, station, socket
        self._turn = asyncio.Lock()  # frames are handled in the order of their arrival
        self._gone = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self._owed: dict[str, tuple[str, float]] = {}  # their CALLs we have not answered: action, until when it counts
        self._asked: dict[str, asyncio.Future[CallResult | CallError]] = {}
        self._given_up: set[str] = set()  # our CALLs that timed out: an answer may still come
        self._triggered: set[str] = set()
        self._call = Call("", "", {})  # the frame in hand, and
        self._repeated = False  # whether it was here before
        self._said = ""  # the answer to it

    async def serve(self) -> None:
        """Receive until the connection ends; then what was heard is still booked."""
        with contextlib.suppress(ConnectionClosed):
            async for raw in self.socket:
                self._receive(raw)
                if len(self._answering) > 16:
                    await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
        self._gone.set()
        for future in self._asked.values():
            future.set_exception(CommandFailed("ConnectionLost", self.station))
        if self._answering:
            await asyncio.wait(self._answering)

    def _receive(self, raw: str | bytes) -> None:
        try:
            frame = unpack(raw)
            _check_parts(raw, frame)
        except (OCPPError, ValueError, OverflowError, RecursionError) as error:
            self._violation("", "bad-frame", f"{getattr(error, 'details', error)}: {raw[:200]!r}"[:300])
            return
        if isinstance(frame, Call):
            self._receive_call(frame)
        elif future := self._asked.pop(frame.unique_id, None):
            future.set_result(frame)
        elif frame.unique_id not in self._given_up:
            self._violation(frame.unique_id, "unasked-answer", "answers no CALL of this connection")

    def _receive_call(self, call: Call) -> None:
        now = time.monotonic()
        self._owed = {message: owed for message, owed in self._owed.items() if now < owed[1]}
        for message, (action, _) in self._owed.items():
            detail = f"{call.action} came while {action} {message} was unanswered"
            self._violation(call.unique_id, "call-while-call-out", detail)
        self._owed[call.unique_id] = (call.action, now + self.csms.behaviour.call_timeout_s)
        task = asyncio.create_task(self._answer(call))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _answer(self, call: Call) -> None:
        behaviour = self.csms.behaviour
        async with self._turn:
            if behaviour.is_silent(call.action):
                return self.csms.note("unanswered", self.station, call, detail="on purpose")
            text = await self._process(call)
        if delay_s := behaviour.delay_s(call.action):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), delay_s)
        self._owed.pop(call.unique_id, None)
        try:
            await self.socket.send(text)
        except ConnectionClosed:
            return self.csms.note("unanswered", self.station, call, detail="the connection ended")
        if call.action == "BootNotification":
            await self._after_boot()
        return None

    async def _process(self, call: Call) -> str:
        """Check, book, and make the answer: a frame as text."""
        self._call, self._repeated = call, self._is_repeat(call)
        if not self._is_registered(call):
            return self._refuse(call, "SecurityError", "not registered yet")
        if call.action not in self.route_map:
            return self._refuse(call, "NotSupported" if call.action in ACTIONS else "NotImplemented", call.action)
        try:
            await self._handle_call(call)  # the library: checks, calls the handler below, hands its answer to _send
        except OCPPError as error:
            cause = str(error.details.get("cause", error.description)).partition("\n")[0][:200]
            self._violation(call.unique_id, "schema", f"{call.action}: {cause}")
            return self._refuse(call, CODES.get(error.code, error.code), cause)
        if self._said.startswith("[4"):
            self.csms.note("refused", self.station, call, answer=json.loads(self._said)[2], detail="csms: see its log")
        else:
            self._remember(call)
        return self._said

    async def _send(self, message: str) -> None:
        self._said = message

    def _refuse(self, call: Call, code: str, text: str) -> str:
        self.csms.note("refused", self.station, call, answer=code, detail=f"csms: {text}")
        refusal: str = CallError(call.unique_id, code, text, {}).to_json()
        return refusal

    def _is_repeat(self, call: Call) -> bool:
        """Was this frame here before, and answered? Notes what no schema says about ids."""
        id_tag = call.payload.get("idTag")
        if isinstance(id_tag, str) and len(id_tag) > ID_TAG_MAX:
            self._violation(call.unique_id, "long-id-tag", f"{call.action}: {len(id_tag)} characters")
        earlier = self.csms.recent.get(self.station, {}).get(call.unique_id)
        if earlier not in (None, _content(call)):
            self._violation(call.unique_id, "message-id-reused", f"{call.action} under the id of another frame")
        return earlier == _content(call)

    def _remember(self, call: Call) -> None:
        recent = self.csms.recent.setdefault(self.station, {})
        recent[call.unique_id] = _content(call)
        if len(recent) > RECENT:
            del recent[next(iter(recent))]

    def _is_registered(self, call: Call) -> bool:
        """Whoever never booted here is told so in the books, but served: it may know us from before our books began."""
        registration = self.csms.books.station(self.station).registration
        triggered = registration == "Pending" and call.action in self._triggered
        if call.action == "BootNotification" or registration == "Accepted" or triggered:
            return True
        self._violation(call.unique_id, "before-boot", f"{call.action}, answer to boot: {registration or 'none'}")
        return not registration

    async def _after_boot(self) -> None:
        book = self.csms.books.station(self.station)
        if book.registration == "Accepted":
            boots, loop = book.boots, asyncio.get_running_loop()
            loop.call_later(self.csms.status_within_s, self._find_missing_statuses, boots)
        lines = [line.replace("{id}", self.station) for line in self.csms.behaviour.on_boot]
        await asyncio.gather(*(obey(self.csms, line) for line in lines))

    def _find_missing_statuses(self, boots: int) -> None:
        book = self.csms.books.station(self.station)
        if self._gone.is_set() or book.boots != boots:
            return
        missing = [one for one in range(max([1, *book.statuses]) + 1) if one not in book.since_boot]
        if missing:
            self._violation("", "no-status", f"after boot no StatusNotification for connectors {missing}")

    def _violation(self, message: str, code: str, detail: str) -> None:
        self.csms.violation(self.station, message, code, detail)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def ask(
        self, action: str, payload: dict[str, Any], wait_turn: bool, check: bool, timeout_s: float
    ) -> dict[str, Any]:
        """Send one CALL and wait for its answer. CommandFailed."""
        call = Call(str(uuid.uuid4()), action, payload)
        if check:
            await self._check(call)
        try:
            async with self._call_lock if wait_turn else contextlib.nullcontext():
                answer = await self._exchange(call, timeout_s)
        except TimeoutError:
            self._given_up.add(call.unique_id)
            raise CommandFailed("Timeout", f"no answer to {action} within {timeout_s} s") from None
        except ConnectionClosed:
            raise CommandFailed("ConnectionLost", self.station) from None
        finally:
            self._asked.pop(call.unique_id, None)
        if isinstance(answer, CallError):
            self.csms.note(
                "refused", self.station, call, answer=answer.error_code, detail=f"station: {answer.error_description}"
            )
            raise CommandFailed(answer.error_code, answer.error_description)
        return await self._checked(call, answer)

    async def _exchange(self, call: Call, timeout_s: float) -> CallResult | CallError:
        future = self._asked[call.unique_id] = asyncio.get_running_loop().create_future()
        if call.action == "TriggerMessage":  # before the answer, since what it causes may come right behind
            self._triggered.add(str(call.payload.get("requestedMessage")))
        await self.socket.send(call.to_json())
        return await asyncio.wait_for(future, timeout_s)

    async def _check(self, call: Call) -> None:
        try:
            await validate_payload(call, "1.6")
        except OCPPError as error:
            raise CommandFailed("Schema", str(error.details.get("cause", error))) from None

    async def _checked(self, call: Call, answer: CallResult) -> dict[str, Any]:
        answer.action = call.action
        try:
            if self.csms.validate:
                await validate_payload(answer, "1.6")
        except OCPPError as error:
            detail = f"answer to {call.action}: {error.details.get('cause', error)}"[:300]
            self._violation(call.unique_id, "schema", detail)
        return dict(answer.payload)

    # --- what a station may tell --------------------------------------------------------------------------------------

    def _book(self, kind: type[Event], **fields: Any) -> None:
        """Book what the frame in hand tells, unless this very frame already is. ValueError for a wrong type."""
        if self._repeated:
            return self.csms.note("repeat", self.station, self._call)
        frame = {"at": self.csms.at(), "station": self.station, "message": self._call.unique_id}
        return self.csms.record(msgspec.convert(frame | fields, kind), self._call.action)

    def _card(self, id_tag: str) -> dict[str, str]:
        return self.csms.behaviour.card_info(id_tag, self.csms.clock.now_ms())

    def _booked(self, **fields: Any) -> Start | Stop | None:
        """The beginning or end of a transaction that this frame told before, perhaps to an earlier run of the CSMS."""
        booked = self.csms.books.by_message(self.station, self._call.unique_id)
        self._repeated = booked is not None and fields == {key: getattr(booked, key, None) for key in fields}
        return booked if self._repeated else None

    @_on(Action.boot_notification)
    def on_boot(self, charge_point_vendor: str, charge_point_model: str, **more: Any) -> Any:
        status, interval_s = self.csms.behaviour.register()
        self._triggered.clear()
        serial, firmware = more.get("charge_point_serial_number", ""), more.get("firmware_version", "")
        boot = {"vendor": charge_point_vendor, "model": charge_point_model, "serial": serial, "firmware": firmware}
        self._book(Boot, answer=status, **boot)
        return call_result.BootNotification(self.csms.at(), interval_s, status)

    @_on(Action.heartbeat)
    def on_heartbeat(self) -> Any:
        return call_result.Heartbeat(self.csms.at())

    @_on(Action.status_notification)
    def on_status(self, connector_id: int, error_code: str, status: str, **more: Any) -> Any:
        detail = {"time": more.get("timestamp", ""), "info": more.get("info", "")}
        self._book(Status, connector=connector_id, status=status, error=error_code, **detail)
        return call_result.StatusNotification()

    @_on(Action.authorize)
    def on_authorize(self, id_tag: str) -> Any:
        info = self._card(id_tag)
        self._book(Note, what="authorize", action="Authorize", answer=info["status"], detail=id_tag)
        return call_result.Authorize(info)

    @_on(Action.start_transaction)
    async def on_start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **more: Any) -> Any:
        told = {"connector": connector_id, "id_tag": id_tag, "meter_start_wh": meter_start, "time": timestamp}
        info = self._card(id_tag)
        if isinstance(booked := self._booked(**told), Start):
            transaction, info["status"] = booked.transaction, booked.answer
        else:
            transaction = self.csms.next_id()
            if self.csms.behaviour.one_at_a_time and self.csms.books.is_charging(id_tag):
                info["status"] = "ConcurrentTx" if info["status"] == "Accepted" else info["status"]
        self._book(Start, transaction=transaction, answer=info["status"], **told)
        await self.csms.durable()
        return call_result.StartTransaction(transaction, info)

    @_on(Action.meter_values)
    def on_meter(self, connector_id: int, meter_value: list[Any], transaction_id: int | None = None) -> Any:
        readings = tuple(map(read_register, meter_value))
        self._book(Meter, connector=connector_id, transaction=transaction_id, readings=readings)
        return call_result.MeterValues()

    @_on(Action.stop_transaction)
    async def on_stop(
        self, transaction_id: int, meter_stop: int, timestamp: str, id_tag: str = "", reason: str = "", **more: Any
    ) -> Any:
        told = {"transaction": transaction_id, "meter_stop_wh": meter_stop, "time": timestamp}
        self._booked(**told)
        readings = tuple(map(read_register, more.get("transaction_data", ())))
        self._book(Stop, reason=reason, id_tag=id_tag, readings=readings, **told)
        await self.csms.durable()
        return call_result.StopTransaction(self._card(id_tag) if id_tag else None)

    @_on(Action.data_transfer)
    def on_data_transfer(self, vendor_id: str, **more: Any) -> Any:
        status = "Accepted" if vendor_id in self.csms.behaviour.vendors else "UnknownVendorId"
        self._told(status)
        return call_result.DataTransfer(status)

    @_on(Action.firmware_status_notification)
    def on_firmware(self, status: str) -> Any:
        self._told(status)
        return call_result.FirmwareStatusNotification()

    @_on(Action.diagnostics_status_notification)
    def on_diagnostics(self, status: str) -> Any:
        self._told(status)
        return call_result.DiagnosticsStatusNotification()

    def _told(self, answer: str) -> None:
        self._book(Note, what="told", action=self._call.action, answer=answer, data=self._call.payload)


def _check_parts(raw: str | bytes, frame: Call | CallResult | CallError) -> None:
    """ValueError unless the parts have the types they must have (the library takes any) and can be written down."""
    texts = [frame.unique_id]
    if isinstance(frame, Call):
        texts.append(frame.action)
    elif isinstance(frame, CallError):
        texts += [frame.error_code, frame.error_description]
    payload = {} if isinstance(frame, CallError) else frame.payload
    if isinstance(raw, bytes) or not all(isinstance(one, str) for one in texts) or not isinstance(payload, dict):
        raise ValueError("binary, or parts of the wrong type")
    msgspec.json.encode((texts, payload))


def _content(call: Call) -> int:
    return hash((call.action, msgspec.json.encode(call.payload, order="sorted")))
