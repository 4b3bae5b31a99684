"""A small real CSMS for OCPP 1.6-J: sockets by `websockets`, messages by the `ocpp` library (imported only here).

    async with Csms(path=Path("books.jsonl")) as csms:
        await csms.until(lambda books: books.station("CP1").registration == "Accepted")
        await csms.command("CP1", "RemoteStartTransaction", connector_id=1, id_tag="DEADBEEF")

The library checks and routes; this file adds what it lacks: one answer for a frame however often it comes, the books,
and the findings (judge.py for what is told, here for how). How to answer is in `Behaviour` (control.py).
Not here: who is let in (reception.py), writing down (ledger.py), the prompt (control.py), the command
line (cli.py), any part of our own station.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import ocpp.messages
from ocpp.charge_point import snake_to_camel_case
from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallError, CallResult, unpack, validate_payload
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from sim.csms.books import Boot, Event, Meter, Note, Start, Status, Stop, read_values
from sim.csms.clock import Clock
from sim.csms.control import CommandFailed, obey
from sim.csms.recent import content
from sim.csms.reception import Reception, silent_log

__all__ = ["Clock", "Csms"]

ID_TAG_MAX = 20
ACTIONS = frozenset(one.value for one in Action)
CODES = {"FormatViolation": "FormationViolation"}  # the library's spelling is that of 2.x
SECRETS = ("AuthorizationKey",)
ocpp.messages.ASYNC_VALIDATION = False  # a thread a message costs more than the check itself

log = logging.getLogger("ev_station.csms")
log.propagate = False
log.addHandler(logging.StreamHandler())
log.setLevel(logging.ERROR)

_F = TypeVar("_F", bound=Callable[..., Any])


def _on(action: str) -> Callable[[_F], _F]:
    """The library's decorator, with a type."""
    decorated: Callable[[_F], _F] = on(action)
    return decorated


class Csms(Reception["Peer"]):
    """The CSMS: an asynchronous context manager that listens. `url` + "/" + identity is where a station connects."""

    def _meet(self, station: str, socket: ServerConnection) -> Peer:
        return Peer(self, station, socket)

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
            self.note("command", station, action=action, detail=str(error), data={"payload": told})
            raise
        status = str(answer.get("status", ""))
        self.note("command", station, action=action, answer=status, data={"payload": told, "answer": answer})
        return answer


async def check_call(action: str, payload: dict[str, Any]) -> None:
    """CommandFailed for a payload that the schema of its action does not allow."""
    try:
        await validate_payload(Call("", action, payload), "1.6")
    except OCPPError as error:
        cause = str(error.details.get("cause", error)).partition("\n")[0]
        raise CommandFailed("Schema", cause.rpartition(" is not valid: ")[2]) from None


class Peer(ChargePoint):  # type: ignore[misc]  # the library ships no types
    """One connection of one station: the library's ChargePoint, with its own order of receiving and answering."""

    def __init__(self, csms: Csms, station: str, socket: ServerConnection) -> None:
        super().__init__(station, socket, logger=log if csms.validate else silent_log)
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
                return self._note("unanswered", call, detail="on purpose")
            text = await self._process(call)
        if delay_s := behaviour.delay_s(call.action):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), delay_s)
        self._owed.pop(call.unique_id, None)
        try:
            await self.socket.send(text)
        except ConnectionClosed:
            return self._note("unanswered", call, detail="the connection ended")
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
            self._note("refused", call, answer=json.loads(self._said)[2], detail="csms: see its log")
        else:
            self.csms.recent.remember(self.station, call.unique_id, content(call.action, call.payload))
        return self._said

    async def _send(self, message: str) -> None:
        self._said = message

    def _refuse(self, call: Call, code: str, text: str) -> str:
        self._note("refused", call, answer=code, detail=f"csms: {text}")
        return str(CallError(call.unique_id, code, text, {}).to_json())

    def _is_repeat(self, call: Call) -> bool:
        """Was this frame here before, and answered? Notes what no schema says about ids."""
        id_tag = call.payload.get("idTag")
        if isinstance(id_tag, str) and len(id_tag) > ID_TAG_MAX:
            self._violation(call.unique_id, "long-id-tag", f"{call.action}: {len(id_tag)} characters")
        earlier, now = self.csms.recent.content_of(self.station, call.unique_id), content(call.action, call.payload)
        if earlier not in (None, now):
            self._violation(call.unique_id, "message-id-reused", f"{call.action} under the id of another frame")
        return earlier == now

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
        results = await asyncio.gather(*(obey(self.csms, line) for line in lines))
        for wrong in [one["error"] for one in results if "error" in one and "action" not in one]:  # else noted already
            self.csms.note("command", self.station, detail=wrong)

    def _find_missing_statuses(self, boots: int) -> None:
        book = self.csms.books.station(self.station)
        if self._gone.is_set() or book.boots != boots:
            return
        missing = [one for one in range(max([1, *book.statuses]) + 1) if one not in book.since_boot]
        if missing:
            self._violation("", "no-status", f"after boot no StatusNotification for connectors {missing}")

    def _violation(self, message: str, code: str, detail: str) -> None:
        self.csms.violation(self.station, message, code, detail)

    def _note(self, what: str, call: Call, **more: Any) -> None:
        self.csms.note(what, self.station, call.unique_id, action=call.action, **more)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def ask(
        self, action: str, payload: dict[str, Any], wait_turn: bool, check: bool, timeout_s: float
    ) -> dict[str, Any]:
        """Send one CALL and wait for its answer. CommandFailed."""
        call = Call(str(uuid.uuid4()), action, payload)
        if check:
            await check_call(action, payload)
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
            self._note("refused", call, answer=answer.error_code, detail=f"station: {answer.error_description}")
            raise CommandFailed(answer.error_code, answer.error_description)
        return await self._checked(call, answer)

    async def _exchange(self, call: Call, timeout_s: float) -> CallResult | CallError:
        future = self._asked[call.unique_id] = asyncio.get_running_loop().create_future()
        if call.action == "TriggerMessage":  # before the answer, since what it causes may come right behind
            self._triggered.add(str(call.payload.get("requestedMessage")))
        await self.socket.send(call.to_json())
        return await asyncio.wait_for(future, timeout_s)

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
            return self._note("repeat", self._call)
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
        readings = tuple(map(read_values, meter_value))
        self._book(Meter, connector=connector_id, transaction=transaction_id, readings=readings)
        return call_result.MeterValues()

    @_on(Action.stop_transaction)
    async def on_stop(
        self, transaction_id: int, meter_stop: int, timestamp: str, id_tag: str = "", reason: str = "", **more: Any
    ) -> Any:
        told = {"transaction": transaction_id, "meter_stop_wh": meter_stop, "time": timestamp}
        self._booked(**told)
        readings = tuple(map(read_values, more.get("transaction_data", ())))
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
