"""A host for one link over real loopback sockets, and servers for it to talk to. Holds no tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from hal.units import SECOND
from ocpp_client.link import Link, LinkDown, LinkProfile, LinkUp, Told
from station.shell.tcp import TcpTransport, dial

UP = LinkUp("ocpp1.6")
PROFILE = LinkProfile(
    "ws://127.0.0.1:{port}/ocpp", "CP|1", ("ocpp1.6",), open_timeout_ns=5 * SECOND, close_timeout_ns=5 * SECOND
)


class Host:
    """What the host does for one link: takes what it tells, keeps its timer."""

    def __init__(
        self, port: int, profile: LinkProfile = PROFILE, reply: Callable[[Host, Told], None] | None = None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.told: list[Told] = []
        self.news = asyncio.Event()
        self.reply = reply
        self.timer: asyncio.TimerHandle | None = None
        self.transport: TcpTransport | None = None
        self.link = Link(msgspec.structs.replace(profile, url=profile.url.format(port=port)), os.urandom)
        self.transport = dial(self.loop, self.link, self.deliver, time.monotonic_ns, self.rearm)
        self.rearm()

    def deliver(self, item: Told) -> None:
        self.told.append(item)
        self.news.set()
        if self.reply:
            self.reply(self, item)

    def rearm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.transport is not None and self.link.wake_at is not None:
            wait_s = max(0, self.link.wake_at - time.monotonic_ns()) / SECOND
            self.timer = self.loop.call_later(wait_s + 0.001, self.transport.wake)

    @property
    def tcp(self) -> TcpTransport:
        assert self.transport is not None
        return self.transport

    async def heard(self, count: int) -> list[Told]:
        """What was told so far, once it is that much."""
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()
        return self.told

    async def down(self) -> LinkDown:
        """The end; asserts that it is the only one, and the last that is told."""
        async with asyncio.timeout(10):
            while not self.told or not isinstance(self.told[-1], LinkDown):
                self.news.clear()
                await self.news.wait()
        await asyncio.sleep(0.02)
        assert [type(item) for item in self.told].count(LinkDown) == 1
        last = self.told[-1]
        assert isinstance(last, LinkDown)
        return last


def port_of(server: Any) -> int:
    return int(server.sockets[0].getsockname()[1])


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def csms(handler: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any) -> AsyncIterator[int]:
    options.setdefault("subprotocols", [Subprotocol("ocpp1.6")])
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield port_of(server)


@contextlib.asynccontextmanager
async def raw(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server of bare bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield port_of(server)
    finally:
        server.close()
        await server.wait_closed()
