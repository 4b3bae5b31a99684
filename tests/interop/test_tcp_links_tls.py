"""Links over real loopback sockets with TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import msgspec

from ocpp_client.link import FrameFlushed, FrameReceived
from ocpp_client.tls import TlsFault, TlsProfile
from tests.interop.links import PROFILE, Host, csms, raw

TLS = Path(__file__).parents[1] / "data" / "tls"


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
