"""The bare protocol: the same messages at the same times, and no station.

What any station in Python on these libraries pays at least: `websockets`' sans-I/O client half on one
`asyncio.BufferedProtocol`, one 64 KiB buffer for all connections, msgspec with typed structs, one heap of timers in
ticks. No retries, no time-outs, no commands: whatever it does not expect ends the row.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import gc
from collections.abc import Callable
from typing import Final

import msgspec
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import SEND_EOF
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from bench import load
from bench.messages import CALL, CALL_RESULT, IDENTITY, RESPONSES, BootNotificationResponse, Heartbeat, Part, sample
from bench.ticks import Timers, ticks

SAMPLE_TICKS: Final = ticks(load.SAMPLE_INTERVAL_S)
ENERGY_WH_A_SAMPLE: Final = 30
HEARTBEAT: Final = Heartbeat()
SUBPROTOCOLS: Final = [Subprotocol(load.SUBPROTOCOL)]


class Unexpected(Exception):
    """The far end did something for which this row has no code."""


class Shared:
    """What all stations of the row have in common: the buffer, the codec, the timers, and whom to tell of the end."""

    def __init__(self, timers: Timers, fail: Callable[[str], None]) -> None:
        self.buffer = memoryview(bytearray(64 * 1024))
        self.encode = msgspec.json.Encoder().encode
        self.split = msgspec.json.Decoder(tuple[int, str, msgspec.Raw]).decode
        self.decoders = {action: msgspec.json.Decoder(response).decode for action, response in RESPONSES.items()}
        self.timers = timers
        self.fail = fail


class Station(asyncio.BufferedProtocol):
    """One connection that boots, samples and beats. One call at a time, as OCPP wants it."""

    __slots__ = ("_count", "_energy_wh", "_heartbeat_ticks", "_pending", "_shared", "_transport", "_websocket")

    def __init__(self, shared: Shared, url: str) -> None:
        self._shared = shared
        self._websocket = ClientProtocol(parse_uri(url), subprotocols=SUBPROTOCOLS)
        self._count = 0
        self._energy_wh = 0
        self._heartbeat_ticks = 0
        self._pending: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._websocket.send_request(self._websocket.connect())
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.fail(f"connection lost: {exc}")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        websocket = self._websocket
        websocket.receive_data(bytes(self._shared.buffer[:nbytes]))
        for event in websocket.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self._receive(bytes(event.data))
            elif isinstance(event, Response):
                self._opened()
        self._flush()

    def _opened(self) -> None:
        if self._websocket.handshake_exc is not None or self._websocket.subprotocol is None:
            self._shared.fail(f"no agreement: {self._websocket.handshake_exc}")
        else:
            self._call("BootNotification", IDENTITY)

    def _receive(self, frame: bytes) -> None:
        try:
            kind, call_id, raw = self._shared.split(frame)
            if kind != CALL_RESULT or self._pending is None or call_id != str(self._count):
                raise Unexpected(f"not the result of the call: {frame!r}")
            result = self._shared.decoders[self._pending](raw)
        except (msgspec.DecodeError, UnicodeDecodeError, Unexpected) as error:
            self._shared.fail(str(error))
            return
        self._pending = None
        if isinstance(result, BootNotificationResponse):
            timers = self._shared.timers
            self._heartbeat_ticks = ticks(result.interval)
            timers.at(timers.now() + SAMPLE_TICKS, self._sample)
            timers.at(timers.now() + self._heartbeat_ticks, self._heartbeat)

    def _sample(self, tick: int) -> None:
        if self._pending is not None:
            self._shared.timers.at(tick + 1, self._sample)
            return
        self._energy_wh += ENERGY_WH_A_SAMPLE
        self._call("MeterValues", sample(datetime.datetime.now(datetime.UTC), self._energy_wh))
        self._flush()
        self._shared.timers.at(tick + SAMPLE_TICKS, self._sample)

    def _heartbeat(self, tick: int) -> None:
        if self._pending is not None:
            self._shared.timers.at(tick + 1, self._heartbeat)
            return
        self._call("Heartbeat", HEARTBEAT)
        self._flush()
        self._shared.timers.at(tick + self._heartbeat_ticks, self._heartbeat)

    def _call(self, action: str, payload: Part) -> None:
        self._count += 1
        self._pending = action
        self._websocket.send_text(self._shared.encode((CALL, str(self._count), action, payload)))

    def _flush(self) -> None:
        for data in self._websocket.data_to_send():
            if data == SEND_EOF:
                self._transport.close()
            else:
                self._transport.write(data)


async def run(url: str, count: int) -> None:
    """Connect `count` stations and keep them going. Raises Unexpected as soon as one of them cannot go on."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def fail(why: str) -> None:
        if not ended.done():
            ended.set_exception(Unexpected(why))

    shared = Shared(Timers(loop), fail)
    server = parse_uri(url)
    start_s = loop.time()
    for number, station_id in enumerate(load.station_ids(count)):
        await asyncio.sleep(start_s + load.connect_after_s(number, count) - loop.time())
        factory = functools.partial(Station, shared, f"{url}/{station_id}")
        await loop.create_connection(factory, server.host, server.port)
    gc.collect()
    gc.freeze()
    await ended
