"""Links over real loopback sockets, against the asyncio server of `websockets`: opening, talking, ends of all kinds."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import re
import socket
import struct

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from hal.units import MILLISECOND
from ocpp_client.link import FrameReceived, Told
from tests.interop.links import PROFILE, UP, Host, csms, echo, raw


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
