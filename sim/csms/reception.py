"""Where stations come in: the listening socket, who is let in, and one connection a station.

Not here: what is said on a connection (server.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from sim.csms.books import Event, utc_text
from sim.csms.clock import Clock
from sim.csms.control import Behaviour
from sim.csms.ledger import Ledger

SUBPROTOCOL = Subprotocol("ocpp1.6")
silent_log = logging.getLogger("ev_station.csms.sockets")  # a refused handshake is no error of ours
silent_log.propagate = False
silent_log.addHandler(logging.NullHandler())


class Connected(Protocol):
    """One connection of one station."""

    @property
    def socket(self) -> ServerConnection: ...

    async def serve(self) -> None:
        """Returns when the connection has ended."""


P = TypeVar("P", bound=Connected)


class Reception(Ledger, Generic[P]):
    """A CSMS as far as its socket goes: an asynchronous context manager that listens."""

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
        super().__init__(path, behaviour, clock, listener)
        self.host, self.port, self.tls = host, port, tls
        self.validate = validate
        self.status_within_s = status_within_s
        self._peers: dict[str, P] = {}
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self.open()
        try:
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
                logger=silent_log,
            )
        except OSError:  # it cannot listen: the books are for somebody else
            await self.close()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        self.note("opened", data=self.listening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 0.8)
        self.note("closed")
        await self.close()

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

    def drop(self, station: str) -> None:
        """Cut the connection of a station without a word. Nothing happens if there is none."""
        if station in self._peers:
            self._peers[station].socket.transport.abort()

    def cut_off(self) -> None:
        for station in list(self._peers):
            self.drop(station)

    @abstractmethod
    def _meet(self, station: str, socket: ServerConnection) -> P:
        """Who serves this new connection."""

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
        peer = self._peers[station] = self._meet(station, socket)
        self.note("connected", station, detail=str(socket.remote_address[0]))
        closing = older and asyncio.create_task(older.socket.close(1000, "replaced by a newer connection"))
        await peer.serve()
        if self._peers.get(station) is peer:
            del self._peers[station]
            self.note("gone", station, detail=f"{socket.close_code} {socket.close_reason}".strip())
        if closing:
            await closing
        return None


def _identity(request: Request | None) -> str:
    """The identity a station connects with: the only segment of the path. Empty if there is none or more than one."""
    path = request.path.partition("?")[0] if request else ""
    return "" if path.count("/") != 1 else unquote(path[1:])
