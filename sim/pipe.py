"""A connection in virtual time: the real WebSocket bytes of the link, over a pipe, to websockets' own server half.

Latency and order are the pipe's; it never reorders. Not here: what the CSMS answers (`sim/csms/toy.py`), or faults on the pipe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from hal.clock import Scheduler, TimerHandle
from hal.units import MonoNs
from ocpp_client.link import (
    CloseTransport,
    Connect,
    FrameFlushed,
    Link,
    LinkOutput,
    PauseReading,
    ResumeReading,
    WriteEof,
)
from ocpp_client.link import Told as LinkTold

Deliver = Callable[[LinkTold], None]


class Peer(Protocol):
    """The CSMS as a pipe sees it."""

    def opened(self, pipe: Pipe, identity: str) -> None: ...

    def received(self, pipe: Pipe, frame: str) -> None: ...

    def gone(self, pipe: Pipe) -> None: ...


class Pipe:
    """One connection: the station's link at one end (it is the runner's `Wire`), a WebSocket server at the other."""

    def __init__(
        self, link: Link, deliver: Deliver, scheduler: Scheduler, peer: Peer | None, latency_ns: MonoNs
    ) -> None:
        """`peer` None: nobody listens there."""
        self.link = link
        self.peer = peer
        self.latency_ns = latency_ns
        self._deliver = deliver
        self._scheduler = scheduler
        self._server = ServerProtocol(subprotocols=["ocpp1.6"])  # type: ignore[list-item]
        self._alive = True
        self._announced = False
        self._timer: TimerHandle = None
        self._apply(link.open(self._now_ns()))

    # --- the station's end ---

    def send(self, frame: str | bytes, tell: int | None = None) -> None:
        self._apply(self.link.send(self._now_ns(), frame, tell))
        if tell is not None:
            self._scheduler.call_at(self._now_ns(), self._flushed)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._apply(self.link.close(self._now_ns(), code, reason))

    def abort(self) -> None:
        """Both ends are gone at once."""
        self._cut()
        self._apply(self.link.lost(self._now_ns(), "given up by the station"))

    def cut(self, why: str = "the network is gone") -> None:
        """The network breaks: the station notices now, the server too."""
        self._cut()
        self._apply(self.link.lost(self._now_ns(), why))

    def _cut(self) -> None:
        if self._alive:
            self._alive = False
            if self.peer is not None:
                self.peer.gone(self)

    def _flushed(self) -> None:
        self._apply(self.link.flushed(self._now_ns()))

    def _now_ns(self) -> MonoNs:
        return self._scheduler.now().mono_ns

    def _apply(self, outputs: list[LinkOutput]) -> None:
        for output in outputs:
            match output:
                case bytes():
                    self._later(self._to_server, output)
                case Connect():
                    self._later(self._connected)
                case CloseTransport():
                    self._later(self._closed_by_station)
                case WriteEof() | PauseReading() | ResumeReading():
                    pass
                case FrameFlushed() as told:
                    self._deliver(told)
                case told:
                    self._deliver(told)
        self._rearm()

    def _later(self, call: Callable[..., None], *args: object) -> None:
        self._scheduler.call_at(self._now_ns() + self.latency_ns, call, *args)

    def _rearm(self) -> None:
        if self._timer is not None:
            self._scheduler.cancel(self._timer)
            self._timer = None
        if self.link.wake_at is not None:
            self._timer = self._scheduler.call_at(self.link.wake_at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._apply(self.link.wake(self._now_ns()))

    def _connected(self) -> None:
        if self.peer is None:
            self._alive = False
            self._apply(self.link.connect_failed(self._now_ns(), "nobody listens"))
        else:
            self._apply(self.link.connected(self._now_ns()))

    def _closed_by_station(self) -> None:
        if self._alive:
            self._cut()
            self._apply(self.link.lost(self._now_ns(), "it was closed"))

    # --- the server's end ---

    def say(self, frame: bytes) -> None:
        """The CSMS sends a text message."""
        if self._alive:
            self._server.send_text(frame)
            self._flush()

    def _flush(self) -> None:
        for data in self._server.data_to_send():
            if data:
                self._later(self._to_station, data)

    def _to_station(self, data: bytes) -> None:
        if self._alive:
            self._apply(self.link.receive(self._now_ns(), data))

    def _to_server(self, data: bytes) -> None:
        if not self._alive or self.peer is None:
            return
        self._server.receive_data(data)
        for event in self._server.events_received():
            if isinstance(event, Request):
                self._server.send_response(self._server.accept(event))
                self.peer.opened(self, event.path.rsplit("/", 1)[-1])
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.peer.received(self, bytes(event.data).decode())
        self._flush()
