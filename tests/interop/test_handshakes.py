"""What a backend that is nothing but a WebSocket server sees of a station: the path as it stands, and how the connection ends."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from sim.api import virtual_station
from tests.interop.raw import live
from tests.interop.test_tcp_links_tls import TLS, tls_server

pytestmark = pytest.mark.interop
BOOT = {"status": "Accepted", "currentTime": "2026-03-01T12:00:00Z", "interval": 300}


class Bare:
    """Answers every call, and keeps the path of each connection and how it ended."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.ends: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

    async def attend(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        try:
            async for text in socket:
                kind, message, action, *_ = json.loads(text)
                if kind == 2:
                    await socket.send(json.dumps([3, message, BOOT if action == "BootNotification" else {}]))
        finally:
            self.ends.put_nowait((socket.close_code, socket.close_reason))


@pytest.mark.parametrize("secure", [False, True])
@live
async def test_the_end_of_the_program_is_told(secure: bool) -> None:
    bare = Bare()
    tls: ssl.SSLContext | None = tls_server("server") if secure else None
    async with serve(bare.attend, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], ssl=tls) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"wss://localhost:{port}" if secure else f"ws://127.0.0.1:{port}"
        async with virtual_station(csms=url, id="CP1", ca=TLS / "ca.pem" if secure else None):
            pass
        assert await asyncio.wait_for(bare.ends.get(), 5) == (1001, "the station ends")


@live
async def test_an_identity_arrives_as_people_write_it() -> None:
    bare = Bare()
    async with serve(bare.attend, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with virtual_station(csms=f"ws://127.0.0.1:{port}/ocpp/", id="DE*ABC*E1"):
            pass
    assert bare.paths == ["/ocpp/DE*ABC*E1"]
