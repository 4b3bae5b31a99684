"""Links over real sockets: drives the pure `ocpp_client.link.Link` with an asyncio transport.

One `BufferedProtocol` a connection and one 64 KiB buffer a loop, so that an idle connection keeps no buffer. Not here:
timers (the host asks `link.wake_at` when `rearm` is called, and calls `wake`), reconnecting, TLS, WebSocket: all of
that is the link's or the host's. asyncio switches Nagle's algorithm off by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, TypeAlias, cast
from weakref import WeakKeyDictionary

from hal.units import MonoNs
from ocpp_client.link import (
    CloseTransport,
    Connect,
    FrameReceived,
    Link,
    LinkOutput,
    PauseReading,
    ResumeReading,
    Told,
    WriteEof,
)

_BUFFER_BYTES: Final = 65_536
_LINGER_S: Final = 5.0  # how long a closing connection may try to write what waits
_EYEBALLS_S: Final = 0.25  # a name with a dead IPv6 address must not cost the whole time-out (RFC 8305)

Deliver: TypeAlias = Callable[[Told], None]

_buffers: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview]] = WeakKeyDictionary()


def dial(
    loop: asyncio.AbstractEventLoop,
    link: Link,
    deliver: Deliver,
    now_ns: Callable[[], MonoNs],
    rearm: Callable[[], None] = lambda: None,
) -> TcpTransport:
    """Starts the attempt of a new link. `deliver` gets what the link tells the core, LinkDown last and exactly once.

    `rearm` is called whenever `link.wake_at` has changed. Both are called from within methods of the transport, from
    `dial` too where the attempt fails at once; `deliver` may call `send`, `close` and `abort` in turn.
    """
    transport = TcpTransport(loop, link, deliver, now_ns, rearm)
    transport.apply(link.open(now_ns()))
    return transport


class TcpTransport(asyncio.BufferedProtocol):
    """One link on one socket. Not thread-safe; everything happens on its loop."""

    __slots__ = (
        "_buffer",
        "_deliver",
        "_dialling",
        "_link",
        "_loop",
        "_now_ns",
        "_rearm",
        "_shut",
        "_transport",
        "_wake_at",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: Link,
        deliver: Deliver,
        now_ns: Callable[[], MonoNs],
        rearm: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._link = link
        self._deliver = deliver
        self._now_ns = now_ns
        self._rearm = rearm
        self._wake_at: MonoNs | None = None
        self._transport: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._shut = False  # we closed: frames of the same batch that come after it are not delivered
        if (buffer := _buffers.get(loop)) is None:
            buffer = _buffers[loop] = memoryview(bytearray(_BUFFER_BYTES))
        self._buffer = buffer

    # What the host calls.

    def send(self, frame: str | bytes, tell: int | None = None) -> None:
        """Sends one text message; nothing happens unless the link is open."""
        self.apply(self._link.send(self._now_ns(), frame, tell))
        if tell is not None and self._transport is not None:
            if self._transport.get_write_buffer_size() == 0:
                self.apply(self._link.flushed(self._now_ns()))
            else:
                self._transport.set_write_buffer_limits(high=0)  # now resume_writing means: all has left

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Ends the link in an orderly way; LinkDown follows, after the close time-out at the latest."""
        self._shut = True
        self.apply(self._link.close(self._now_ns(), code, reason))

    def abort(self) -> None:
        """Ends the link at once, and delivers LinkDown unless it came before. Idempotent."""
        self._shut = True
        self._close(abort=True)
        self.apply(self._link.lost(self._now_ns(), "given up by the station"))

    def wake(self) -> None:
        """It is `link.wake_at`."""
        self.apply(self._link.wake(self._now_ns()))

    def set_ping_interval(self, interval_ns: MonoNs) -> None:
        """See `Link.set_ping_interval`."""
        self._link.set_ping_interval(self._now_ns(), interval_ns)
        self.apply([])

    def apply(self, outputs: list[LinkOutput]) -> None:
        """Does what the link wants, in order."""
        for output in outputs:
            if type(output) is bytes:
                if self._transport is not None:
                    self._transport.write(output)
            elif type(output) is FrameReceived:
                if not self._shut:
                    self._deliver(output)
            else:
                self._apply_rare(output)
        if self._link.wake_at != self._wake_at:
            self._wake_at = self._link.wake_at
            self._rearm()

    def _apply_rare(self, output: LinkOutput) -> None:
        match output:
            case Connect():
                self._dialling = self._loop.create_task(self._dial(output))
            case CloseTransport(abort=abort):
                self._close(abort)
            case WriteEof():
                if self._transport is not None:
                    with contextlib.suppress(OSError):  # the server may be gone altogether
                        self._transport.write_eof()
            case PauseReading():
                if self._transport is not None:
                    self._transport.pause_reading()
            case ResumeReading():
                if self._transport is not None:
                    self._transport.resume_reading()
            case bytes():
                raise TypeError("bytes are not rare")
            case told:
                self._deliver(told)

    def _close(self, abort: bool) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        transport = self._transport
        if transport is None:
            return
        if abort:
            transport.abort()
            return
        if transport.get_write_buffer_size() > 0:
            self._loop.call_later(_LINGER_S, transport.abort)
        transport.close()

    async def _dial(self, to: Connect) -> None:
        try:
            eyeballs = None if _is_address(to.host) else _EYEBALLS_S
            await self._loop.create_connection(lambda: self, to.host, to.port, happy_eyeballs_delay=eyeballs)
        except (OSError, UnicodeError) as wrong:
            self._dialling = None
            self.apply(self._link.connect_failed(self._now_ns(), _why(to, wrong)))

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._dialling = None
        self.apply(self._link.connected(self._now_ns()))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.apply(self._link.receive(self._now_ns(), self._buffer[:nbytes]))

    def eof_received(self) -> None:
        self.apply(self._link.receive_eof(self._now_ns()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.apply(self._link.lost(self._now_ns(), "it was closed" if exc is None else str(exc)))

    def pause_writing(self) -> None:
        self.apply(self._link.pause_writing())

    def resume_writing(self) -> None:
        self._loop.call_soon(self._resumed)  # asyncio calls connection_lost twice if one closes it from within here

    def _resumed(self) -> None:
        if self._transport is not None and self._transport.get_write_buffer_size() == 0:
            self._transport.set_write_buffer_limits()
            self.apply(self._link.flushed(self._now_ns()))
        self.apply(self._link.resume_writing(self._now_ns()))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _why(to: Connect, wrong: OSError | UnicodeError) -> str:
    """A sentence on why there is no TCP connection."""
    if isinstance(wrong, ConnectionRefusedError):
        return f"port {to.port} refuses connections; check that the CSMS runs and listens there"
    if isinstance(wrong, socket.gaierror | UnicodeError):
        return f"the name {to.host} cannot be resolved ({wrong}); check the name and the DNS"
    if wrong.errno in (errno.EMFILE, errno.ENFILE):
        return "no more files may be open on this machine, and a connection is one; raise the limit (ulimit -n)"
    if isinstance(wrong, TimeoutError):
        return "no answer to the attempt to connect; check host, port and firewall"
    return f"no connection ({wrong}); check host, port and network"
