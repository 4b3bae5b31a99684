"""Links over real loopback sockets, against the asyncio server of `websockets` and some servers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import os
import re
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from hal.units import MILLISECOND, SECOND
from ocpp_client.link import FrameFlushed, FrameReceived, Link, LinkDown, LinkProfile, LinkUp, Told
from ocpp_client.tls import TlsFault, TlsProfile
from ocpp_client.websocket import Opening, check_url
from station.shell.tcp import TcpTransport, dial
from tests.unit.ocpp_client.test_link import Pair

TLS = Path(__file__).parents[1] / "data" / "tls"
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


def test_opens_talks_and_closes() -> None:
    async def scenario() -> None:
        seen: list[ServerConnection] = []

        async def handler(connection: ServerConnection) -> None:
            seen.append(connection)
            await echo(connection)

        async with csms(handler) as port:
            host = Host(port, msgspec.structs.replace(PROFILE, password=b"\xff\x00pass"))
            assert await host.heard(1) == [UP]
            for frame in ("[2]", "é" * 50_000):
                host.tcp.send(frame)
            assert await host.heard(3) == [UP, FrameReceived("[2]"), FrameReceived("é" * 50_000)]
            host.tcp.close(1001, "restart")
            said = await host.down()
            assert (said.reason, said.close_code) == ("closed", 1001)
            request = seen[0].request
            assert request is not None
            assert request.path == "/ocpp/CP%7C1"
            credentials = base64.b64encode(b"CP|1:\xff\x00pass").decode()
            assert request.headers["Authorization"] == f"Basic {credentials}"
            assert (seen[0].close_code, seen[0].close_reason) == (1001, "restart")

    asyncio.run(scenario())


def test_deliver_may_send_and_close_in_turn() -> None:
    async def scenario() -> None:
        def reply(host: Host, item: Told) -> None:
            if item == UP:
                for number in range(5):
                    host.tcp.send(str(number))
            elif item == FrameReceived("2"):
                host.tcp.close()

        async with csms() as port:
            host = Host(port, reply=reply)
            assert (await host.down()).reason == "closed"
            assert host.told[:-1] == [UP, *(FrameReceived(str(number)) for number in range(3))]

    asyncio.run(scenario())


def test_many_frames_in_one_segment_and_an_abort_between() -> None:
    async def scenario() -> None:
        async def handler(connection: ServerConnection) -> None:
            for number in range(100):
                connection.protocol.send_text(str(number).encode())
            connection.transport.write(b"".join(connection.protocol.data_to_send()))
            await connection.wait_closed()

        def reply(host: Host, item: Told) -> None:
            if item == FrameReceived("2"):
                host.tcp.abort()
                host.tcp.abort()

        async with csms(handler) as port:
            host = Host(port, reply=reply)
            assert (await host.down()).reason == "lost"
            assert host.told[:-1] == [UP, *(FrameReceived(str(number)) for number in range(3))]

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [401, 404, 503])
def test_http_refusal(status: int) -> None:
    async def scenario() -> None:
        def refuse(connection: ServerConnection, request: Request) -> Response:
            return connection.respond(status, "no\n")

        async with csms(process_request=refuse) as port:
            host = Host(port)
            said = await host.down()
            assert (said.reason, said.http_status) == ("http", status)
            assert said.detail.startswith(f"ws://127.0.0.1:{port}/ocpp/CP%7C1: ")

    asyncio.run(scenario())


def test_no_common_subprotocol() -> None:
    async def scenario() -> None:
        codes: list[int | None] = []

        async def handler(connection: ServerConnection) -> None:
            await connection.wait_closed()
            codes.append(connection.close_code)

        async with csms(handler, subprotocols=None) as port:
            assert (await Host(port).down()).reason == "subprotocol"
        assert codes == [1002]

    asyncio.run(scenario())


def test_refused() -> None:
    async def scenario() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            said = await Host(unused.getsockname()[1]).down()
        assert said.reason == "refused"
        assert "refuses connections" in said.detail

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "cannot be resolved (.*); check the name"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable.*; check host, port and network"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "no answer"),
    ],
)
def test_other_failures_to_connect(wrong: OSError, words: str) -> None:
    async def scenario() -> None:
        async def fail(*_: object, **__: object) -> None:
            raise wrong

        setattr(asyncio.get_running_loop(), "getaddrinfo", fail)  # noqa: B010  # mypy: methods are not assigned
        said = await Host(9, msgspec.structs.replace(PROFILE, url="ws://csms.invalid:{port}/")).down()
        assert said.reason == "refused"
        assert re.search(words, said.detail)

    asyncio.run(scenario())


def test_silent_server_runs_into_the_open_timeout() -> None:
    async def scenario() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with raw(handler) as port:
            host = Host(port, msgspec.structs.replace(PROFILE, open_timeout_ns=100 * MILLISECOND))
            assert (await host.down()).reason == "timeout"

    asyncio.run(scenario())


def test_reset_is_a_loss() -> None:
    async def scenario() -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.recv()
            raw_socket = connection.transport.get_extra_info("socket")
            raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.transport.abort()

        async with csms(handler) as port:
            host = Host(port)
            await host.heard(1)
            host.tcp.send("go")
            assert (await host.down()).reason == "lost"
            host.tcp.send("late")
            host.tcp.close()
            host.tcp.abort()
            await host.down()

    asyncio.run(scenario())


def test_server_that_never_ends_the_connection() -> None:
    async def scenario() -> None:
        async with csms() as port, asyncio.timeout(10):
            hold: list[asyncio.StreamWriter] = []

            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                """Passes all on, except the end."""
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
                hold.append(up_writer)

                async def pass_up() -> None:
                    with contextlib.suppress(OSError):
                        while data := await reader.read(1000):
                            up_writer.write(data)

                task = asyncio.ensure_future(pass_up())
                while data := await up_reader.read(1000):
                    writer.write(data)
                await task

            async with raw(relay) as relay_port:
                host = Host(relay_port, msgspec.structs.replace(PROFILE, close_timeout_ns=200 * MILLISECOND))
                await host.heard(1)
                host.tcp.close()
                said = await host.down()
                assert (said.reason, said.close_code) == ("closed", 1000)
                assert "did not end the connection" in said.detail
                for writer in hold:
                    writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("deaf", [False, True])
def test_pongs_keep_it_and_a_deaf_server_ends_it(deaf: bool) -> None:
    async def scenario() -> None:
        async def handler(connection: ServerConnection) -> None:
            if deaf:
                connection.transport.pause_reading()
            await connection.wait_closed()

        async with csms(handler, ping_interval=None, close_timeout=0.1) as port:
            profile = msgspec.structs.replace(
                PROFILE, ping_interval_ns=50 * MILLISECOND, pong_timeout_ns=200 * MILLISECOND
            )
            host = Host(port, profile)
            await host.heard(1)
            if deaf:
                assert (await host.down()).reason == "pong"
            else:
                await asyncio.sleep(0.5)
                assert host.told == [UP]
            host.tcp.abort()

    asyncio.run(scenario())


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


def test_abort_while_dialling() -> None:
    async def scenario() -> None:
        async with csms() as port:
            for wait_s in (0, 0, 0.0005, 0.001, 0.002):
                host = Host(port)
                await asyncio.sleep(wait_s)
                host.tcp.abort()
                host.tcp.abort()
                await host.down()
            await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_abort_gives_up_a_hanging_attempt() -> None:
    async def scenario() -> None:
        async def hang(*_: object, **__: object) -> None:
            await asyncio.Future()

        setattr(asyncio.get_running_loop(), "getaddrinfo", hang)  # noqa: B010  # mypy: methods are not assigned
        host = Host(9, msgspec.structs.replace(PROFILE, url="ws://csms.invalid:{port}/"))
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) > 1
        host.tcp.abort()
        await host.down()
        assert len(asyncio.all_tasks()) == 1

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


def test_nagle_is_off_and_the_buffer_is_shared() -> None:
    async def scenario() -> None:
        async with csms() as port:
            hosts = [Host(port), Host(port)]
            for host in hosts:
                await host.heard(1)
            assert hosts[0].tcp.get_buffer(-1) is hosts[1].tcp.get_buffer(-1)
            transport = hosts[0].tcp._transport
            assert transport is not None
            peer = transport.get_extra_info("socket")
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            for host in hosts:
                host.tcp.abort()

    asyncio.run(scenario())


def tls_server(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{certificate}.pem", TLS / "leaf.key")
    return context


SECURE = msgspec.structs.replace(
    PROFILE, url="wss://127.0.0.1:{port}/", tls=TlsProfile(ca_file=str(TLS / "ca.pem"), check_name="csms.test")
)


def test_tls() -> None:
    async def scenario() -> None:
        async with csms(ssl=tls_server("server")) as port:
            host = Host(port, SECURE)
            await host.heard(1)
            host.tcp.send("é" * 100_000, tell=1)
            await host.heard(3)
            assert {*host.told[1:]} == {FrameFlushed(1), FrameReceived("é" * 100_000)}
            host.tcp.close()
            assert (await host.down()).close_code == 1000

    asyncio.run(scenario())


def test_tls_failure_names_its_reason() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, __: None)  # the server's complaint
        async with csms(ssl=tls_server("expired")) as port:
            said = await Host(port, SECURE).down()
            assert (said.reason, said.tls) == ("tls", TlsFault.EXPIRED)

    asyncio.run(scenario())


def test_tls_to_a_server_without() -> None:
    async def scenario() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1000)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with raw(handler) as port:
            said = await Host(port, SECURE).down()
            assert (said.reason, said.tls) == ("tls", TlsFault.NOT_TLS)

    asyncio.run(scenario())
