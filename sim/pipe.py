"""A connection in virtual time: the real WebSocket bytes of the link, over a pipe, to websockets' own server half.

A pipe may stall, die, refuse, be cut within a frame or answer wrongly; it never reorders. What is wrong with it now is in `Network`, which
outlives connections. Not here: what the CSMS answers (`sim/csms/`).
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from websockets.frames import (  # type: ignore[attr-defined]  # the fast one where it is built
    Frame,
    Opcode,
    apply_mask,
)
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from hal.clock import TimerHandle
from hal.units import MILLISECOND, MonoNs
from ocpp_client.link import (
    CloseTransport,
    Connect,
    FrameReceived,
    Link,
    LinkOutput,
    PauseReading,
    ResumeReading,
    WriteEof,
)
from ocpp_client.link import Told as LinkTold
from sim.scheduler import VirtualScheduler

Deliver = Callable[[LinkTold], None]
LATENCY_NS: MonoNs = 20 * MILLISECOND


class Network:
    """The way between one station and the CSMS. `modes` holds what is wrong with it now, by the names of `plan.NetworkFault`."""

    def __init__(self) -> None:
        self.there = True
        self.modes: set[str] = set()
        self.latency_ns = LATENCY_NS
        self.pipe: Pipe | None = None

    def begin(self, mode: str, latency_ms: int) -> None:
        if mode == "reset":
            if self.pipe is not None:
                self.pipe.cut("connection reset by peer")
            return
        self.modes.add(mode)
        if mode == "latency":
            self.latency_ns = latency_ms * MILLISECOND

    def end(self, mode: str) -> None:
        self.modes.discard(mode)
        if mode == "latency":
            self.latency_ns = LATENCY_NS
        if self.pipe is None:
            return
        if mode == "stall":
            self.pipe.unstall()
        elif mode == "half_open":
            self.pipe.cut("connection reset by peer")

    @property
    def wrong(self) -> bool:
        return bool(self.modes) or not self.there


class Peer(Protocol):
    """The CSMS as a pipe sees it."""

    def opened(self, pipe: Pipe, identity: str) -> None: ...

    def received(self, pipe: Pipe, frame: str) -> None: ...

    def gone(self, pipe: Pipe) -> None: ...


class Pipe:
    """One connection: the station's link at one end (it is the runner's `Wire`), a WebSocket server at the other."""

    def __init__(self, link: Link, deliver: Deliver, scheduler: VirtualScheduler, peer: Peer, network: Network) -> None:
        self.link = link
        self.peer = peer
        self.network = network
        self._deliver = deliver
        self._scheduler = scheduler
        self._speaks = "subprotocol" not in network.modes  # for good: who answers is chosen with the first packet
        offered = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")] if self._speaks else None
        self._server = ServerProtocol(subprotocols=offered)
        self._alive = True
        self._opened = False
        self._timer: TimerHandle = None
        self._timer_at: MonoNs = 0
        self._held: list[tuple[Callable[[bytes], None], bytes]] = []
        self._last_ns: MonoNs = 0  # nothing overtakes what was sent before
        network.pipe = self
        self._apply(link.open(self._scheduler.mono_ns))

    # --- the station's end ---

    def send(self, frame: str | bytes, tell: int | None = None) -> None:
        self._apply(self.link.send(self._scheduler.mono_ns, frame, tell))
        if tell is not None:
            self._scheduler.call_at(self._scheduler.mono_ns, self._flushed)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._apply(self.link.close(self._scheduler.mono_ns, code, reason))

    def set_ping_interval(self, interval_ns: MonoNs) -> None:
        self.link.set_ping_interval(self._scheduler.mono_ns, interval_ns)
        self._rearm()

    def abort(self) -> None:
        """Both ends are gone at once."""
        self.cut("given up by the station")

    def cut(self, why: str = "the network is gone") -> None:
        """The connection breaks: the station notices now, the server too."""
        self._cut()
        self._apply(self.link.lost(self._scheduler.mono_ns, why))

    def _cut(self) -> None:
        if self._alive:
            self._alive = False
            if self.network.pipe is self:
                self.network.pipe = None
            if self._opened:
                self.peer.gone(self)

    def _flushed(self) -> None:
        if "stall" not in self.network.modes:
            self._apply(self.link.flushed(self._scheduler.mono_ns))

    def _apply(self, outputs: list[LinkOutput]) -> None:
        for output in outputs:
            if type(output) is bytes:
                self._carry(self._to_server, output)
            elif type(output) is FrameReceived:
                self._deliver(output)
            else:
                self._do(output)
        if self._timer is None or self.link.wake_at != self._timer_at:
            self._rearm()

    def _do(self, output: LinkOutput) -> None:
        """What is rare."""
        match output:
            case Connect():
                self._scheduler.call_at(self._scheduler.mono_ns + self.network.latency_ns, self._connected)
            case CloseTransport():
                self._scheduler.call_at(self._arrival_ns(), self._closed_by_station)
            case bytes() | WriteEof() | PauseReading() | ResumeReading():
                pass
            case told:
                self._deliver(told)

    def _rearm(self) -> None:
        """Keep one timer at the link's wake-up or before it."""
        wake_at = self.link.wake_at
        if wake_at is None or (self._timer is not None and self._timer_at <= wake_at):
            return
        if self._timer is not None:
            self._scheduler.cancel(self._timer)
        self._timer_at = wake_at
        self._timer = self._scheduler.call_at(wake_at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._apply(self.link.wake(self._scheduler.mono_ns))

    def _connected(self) -> None:
        if not self._alive:
            return
        if not self.network.there or "refuse" in self.network.modes:
            self._alive = False
            self._apply(self.link.connect_failed(self._scheduler.mono_ns, "nobody listens"))
        else:
            self._apply(self.link.connected(self._scheduler.mono_ns))

    def _closed_by_station(self) -> None:
        if self._alive:
            self.cut("it was closed")

    # --- the way ---

    def _carry(self, to: Callable[[bytes], None], data: bytes) -> None:
        """Bytes set off; they arrive in order, later, or not at all."""
        modes = self.network.modes
        if not self._alive or (modes and "half_open" in modes):
            return
        if modes and "stall" in modes:
            self._held.append((to, data))
            return
        self._scheduler.call_at(self._arrival_ns(), self._arrive, to, data)

    def _arrival_ns(self) -> MonoNs:
        """When what is sent now arrives: at an instant of its own, since calls of one instant may change places."""
        at_ns = self._scheduler.mono_ns + self.network.latency_ns
        self._last_ns = at_ns if at_ns > self._last_ns else self._last_ns + 1
        return self._last_ns

    def _arrive(self, to: Callable[[bytes], None], data: bytes) -> None:
        if "truncate" in self.network.modes and len(data) > 8 and self._opened:
            to(data[: len(data) // 2])
            self.cut("connection reset by peer")
            return
        to(data)

    def unstall(self) -> None:
        """What was held back goes on, in order."""
        held, self._held = self._held, []
        for to, data in held:
            self._carry(to, data)
        self._flushed()

    # --- the server's end ---

    def say(self, frame: bytes) -> None:
        """The CSMS sends a text message; nothing happens on a connection that is gone or closing."""
        if not self._alive or self._server.state is not State.OPEN:
            return
        if "fragments" in self.network.modes and len(frame) > 3:
            third = len(frame) // 3
            self._server.send_text(frame[:third], fin=False)
            self._server.send_ping(b"between")
            self._server.send_continuation(frame[third : 2 * third], fin=False)
            self._server.send_continuation(frame[2 * third :], fin=True)
            self._flush()
        else:
            self._carry(self._to_station, text_frame(frame))

    def _flush(self) -> None:
        for data in self._server.data_to_send():
            self._carry(self._to_station if data else self._end_to_station, data)

    def _to_station(self, data: bytes) -> None:
        if self._alive:
            self._apply(self.link.receive(self._scheduler.mono_ns, data))

    def _end_to_station(self, data: bytes) -> None:
        """The server sends no more."""
        if self._alive:
            self._apply(self.link.receive_eof(self._scheduler.mono_ns))

    def _to_server(self, data: bytes) -> None:
        if not self._alive:
            return
        text = text_of(data) if self._opened and self._server.state is State.OPEN else None
        if text is not None:
            self.peer.received(self, text)
            return
        self._server.receive_data(data)
        for event in self._server.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and self._opened:
                self.peer.received(self, bytes(event.data).decode())
        self._flush()

    def _answer(self, request: Request) -> None:
        modes = self.network.modes
        if "401" in modes:
            self._server.send_response(self._server.reject(HTTPStatus.UNAUTHORIZED, "who are you?"))
        elif "tls" in modes:  # the other end speaks TLS: what comes is no HTTP
            self._carry(self._to_station, b"\x15\x03\x03\x00\x02\x02\x28")
        else:
            self._server.send_response(self._server.accept(request))
            if self._speaks:
                self._opened = True
                self.peer.opened(self, request.path.rsplit("/", 1)[-1])


def text_of(data: bytes) -> str | None:
    """The text of one whole, masked text message, which is what nearly all bytes are; None for others: the server reads them itself."""
    if len(data) < 6 or data[0] != 0x81 or data[1] < 0x80:
        return None
    size, start = data[1] & 0x7F, 2
    if size > 125:
        start = 4 if size == 126 else 10
        size = int.from_bytes(data[2:start], "big")
    if len(data) != start + 4 + size:
        return None
    try:
        return apply_mask(data[start + 4 :], data[start : start + 4]).decode()
    except UnicodeDecodeError:
        return None


def text_frame(text: bytes) -> bytes:
    """A whole text message of a server (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    return b"\x81%b%b" % (
        b"\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x7f" + size.to_bytes(8, "big"),
        text,
    )
