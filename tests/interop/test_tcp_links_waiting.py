"""Links over real loopback sockets whose server is slow to read, or gone: what waits to be written, and the end of it."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from ocpp_client.link import FrameFlushed, FrameReceived, Link, LinkDown, LinkUp, Told
from ocpp_client.websocket import Opening, check_url
from station.shell.tcp import TcpTransport
from tests.interop.links import PROFILE, UP, Host, csms, echo
from tests.unit.ocpp_client.test_link import Pair


def test_slow_reader_stops_our_reading_and_flushing_is_told_when_all_has_left() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            await connection.send("unread")
            await go_on.wait()
            connection.transport.resume_reading()
            await echo(connection)

        async with csms(handler, max_queue=None, max_size=None, ping_interval=None) as port:
            host = Host(port, msgspec.structs.replace(PROFILE, max_frame_bytes=64 << 20))
            await host.heard(2)
            big = "x" * (16 << 20)
            host.tcp.send(big, tell=1)
            host.tcp.send("small", tell=2)
            await asyncio.sleep(0.1)
            assert host.told == [UP, FrameReceived("unread")], "the sockets cannot hold all of it"
            transport = host.tcp._transport
            assert transport is not None
            assert not transport.is_reading()
            go_on.set()
            await host.heard(4)
            assert host.told[2:4] == [FrameFlushed(1), FrameFlushed(2)]
            assert transport.is_reading()
            assert await host.heard(6) == [*host.told[:4], FrameReceived(big), FrameReceived("small")]
            host.tcp.send("[]", tell=3)
            assert host.told[6] == FrameFlushed(3), "at once, when nothing waits"
            host.tcp.abort()

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["close", "abort"])
def test_ending_it_at_the_moment_of_flushing(how: str) -> None:
    """asyncio's transport would call connection_lost twice if this happened within its resume_writing."""

    async def scenario() -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        go_on = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            await go_on.wait()
            connection.transport.resume_reading()
            await connection.wait_closed()

        def reply(host: Host, item: Told) -> None:
            if isinstance(item, FrameFlushed):
                host.tcp.close() if how == "close" else host.tcp.abort()

        async with csms(handler, max_queue=None, max_size=None) as port:
            host = Host(port, msgspec.structs.replace(PROFILE, max_frame_bytes=64 << 20), reply)
            await host.heard(1)
            host.tcp.send("x" * (16 << 20), tell=1)
            go_on.set()
            assert (await host.down()).reason == ("closed" if how == "close" else "lost")
        assert problems == []

    asyncio.run(scenario())


def test_a_little_that_waits_is_told_when_it_has_left_too() -> None:
    """So little that asyncio never asks for a pause."""

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            await go_on.wait()
            connection.transport.resume_reading()
            await connection.wait_closed()

        async with csms(handler, max_queue=None) as port:
            host = Host(port)
            await host.heard(1)
            transport = host.tcp._transport
            assert transport is not None
            while transport.get_write_buffer_size() == 0:
                host.tcp.send("x" * 8000)
            host.tcp.send("last", tell=1)
            await asyncio.sleep(0.05)
            assert host.told == [UP]
            go_on.set()
            assert await host.heard(2) == [UP, FrameFlushed(1)]
            host.tcp.abort()

    asyncio.run(scenario())


def test_a_closing_connection_does_not_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever to write what its server does not read."""
    monkeypatch.setattr("station.shell.tcp._LINGER_S", 0.05)

    async def scenario() -> None:
        filled, leave = asyncio.Event(), asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            await filled.wait()
            connection.transport.write_eof()
            await leave.wait()
            connection.transport.abort()

        async with csms(handler) as port:
            host = Host(port)
            await host.heard(1)
            transport = host.tcp._transport
            assert transport is not None
            while transport.get_write_buffer_size() == 0:
                host.tcp.send("x" * 8000)
            filled.set()
            assert (await host.down()).reason == "lost"
            await asyncio.sleep(0.1)
            assert host.tcp._transport is None
            leave.set()

    asyncio.run(scenario())


def test_a_server_that_is_gone_when_we_end_our_stream() -> None:
    """shutdown(2) fails then, and LinkDown must come all the same."""

    class Gone(asyncio.Transport):
        def write(self, data: object) -> None: ...

        def get_write_buffer_size(self) -> int:
            return 0

        def write_eof(self) -> None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

        def close(self) -> None: ...

    async def scenario() -> None:
        told: list[Told] = []
        link = Link(msgspec.structs.replace(PROFILE, url="ws://127.0.0.1/"), bytes)
        tcp = TcpTransport(asyncio.get_running_loop(), link, told.append, lambda: 0, lambda: None)
        link.open(0)
        tcp.connection_made(Gone())
        pair = Pair()
        tcp.apply(
            link.receive(0, pair.answer(Opening(check_url("ws://h", "CP"), ("ocpp1.6",), bytes(16)).request("", None)))
        )
        tcp.eof_received()
        assert [type(item) for item in told] == [LinkUp, LinkDown]

    asyncio.run(scenario())
