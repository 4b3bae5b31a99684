"""The CSMS of the bench, a process of its own: `websockets`' sans-I/O server half on one `asyncio.BufferedProtocol`.

Not an example of a CSMS: it accepts everything, remembers nothing and exists to be cheap. It prints its port as the
first line, and its books as one line of JSON for every line that it reads; the end of its input ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from bench import load
from bench.desk import Books, Desk, Visitor
from bench.process import confine

BACKLOG: Final = 4096


class Visit(asyncio.BufferedProtocol):
    """One connection: handshake, then an answer for every text frame."""

    __slots__ = ("_buffer", "_desk", "_transport", "_visitor", "_websocket")

    def __init__(self, desk: Desk, buffer: memoryview) -> None:
        self._desk = desk
        self._buffer = buffer
        self._visitor = Visitor()
        self._websocket = ServerProtocol(subprotocols=[Subprotocol(load.SUBPROTOCOL)])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._desk.books.open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.books.open -= 1
        self._desk.books.lost += 1

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        websocket = self._websocket
        websocket.receive_data(bytes(self._buffer[:nbytes]))
        for event in websocket.events_received():
            if isinstance(event, Request):
                websocket.send_response(websocket.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                websocket.send_text(self._desk.answer(bytes(event.data), self._visitor))
        self._flush()

    def eof_received(self) -> bool:
        self._websocket.receive_eof()
        self._flush()
        return False

    def _flush(self) -> None:
        for data in self._websocket.data_to_send():
            if data == SEND_EOF:
                self._transport.close()
            else:
                self._transport.write(data)


async def serve() -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    desk = Desk(Books(), datetime.datetime.now(datetime.UTC))
    buffer = memoryview(bytearray(64 * 1024))
    server = await loop.create_server(lambda: Visit(desk, buffer), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    os.set_blocking(sys.stdin.fileno(), False)

    def asked() -> None:
        lines = os.read(sys.stdin.fileno(), 4096)
        if not lines:
            loop.remove_reader(sys.stdin.fileno())
            ended.set()
        for _ in range(lines.count(b"\n")):
            print(msgspec.json.encode(desk.report(time.process_time())).decode(), flush=True)

    loop.add_reader(sys.stdin.fileno(), asked)
    await ended.wait()
    server.close()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.csms", description=__doc__)
    parser.add_argument("--cpu", type=int, help="processor to stay on")
    parser.add_argument("--lifetime", type=int, default=3600, help="seconds after which the process ends in any case")
    options = parser.parse_args(arguments)
    confine(options.cpu, options.lifetime)
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
