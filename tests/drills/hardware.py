"""The hardware of a drill: a simulated board in the drill's own process, so that it outlives the station, which reaches it over a socket.

`WiredBoard` is the driver in the station's process; `station run` finds it by an entry point, as it finds anybody's. `Hardware` is the
other end: a station that is gone without a word leaves lock, contactor and meter as they are. One JSON object a line, both ways.
Not here: what people do with it, and when the station is killed (`kill.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from hal.actions import AnyAction
from hal.clock import Scheduler
from hal.ports import Emit
from hal.signals import AnySignal
from sim.board import SimBoard
from station.adapters.clock import AsyncScheduler
from station.words.settings import StationShape

STOP: Final = b"stop\n"
ENTRY_POINTS: Final = "[ev_station.boards]\nwired = tests.drills.hardware:WiredBoard\n"
METADATA: Final = "Metadata-Version: 2.1\nName: drill\nVersion: 1\n"

_encode = msgspec.json.Encoder().encode
_signals = msgspec.json.Decoder(AnySignal)
_actions = msgspec.json.Decoder(AnyAction)


def announce(folder: Path) -> None:
    """Make this driver one that is installed, for a process with this folder on its path."""
    installed = folder / "drill-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(METADATA)
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)


class WiredBoard:
    """`[board]` with `driver = "wired"`: what it says and is told goes over the socket."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        socket: str

    def __init__(self, path: str) -> None:
        self._path = path
        self._wire: socket.socket | None = None

    @classmethod
    def from_config(cls, config: Config, shape: StationShape) -> WiredBoard:
        return cls(config.socket)

    def start(self, emit: Emit, scheduler: Scheduler) -> None:
        self._wire = socket.socket(socket.AF_UNIX)
        self._wire.connect(self._path)
        threading.Thread(target=self._read, args=(self._wire, emit, scheduler), daemon=True).start()

    def apply(self, action: AnyAction) -> None:
        if self._wire is not None:
            self._wire.sendall(_encode(action) + b"\n")

    def stop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.sendall(STOP)
            wire.shutdown(socket.SHUT_WR)

    @staticmethod
    def _read(wire: socket.socket, emit: Emit, scheduler: Scheduler) -> None:
        with wire, wire.makefile("rb") as lines:
            for line in lines:
                scheduler.post(emit, _signals.decode(line))


class Hardware:
    """The board and its end of the wire, `speed` times as fast as real time.

    `booted` hears of each station that begins; `passes` of all that goes over the wire, an action right before the board does it and a
    signal right before the station can know.
    """

    def __init__(
        self,
        shape: StationShape,
        seed: int,
        speed: int,
        passes: Callable[[AnyAction | AnySignal], None],
        booted: Callable[[], None],
    ) -> None:
        self.board = SimBoard(shape, seed=seed, log_periods=True)
        self._scheduler = AsyncScheduler(asyncio.get_running_loop(), speed=speed)
        self._passes, self._booted = passes, booted
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path) -> None:
        self._server = await asyncio.start_unix_server(self._serve, path)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.board.stop()
        self._scheduler.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def emit(signal: AnySignal) -> None:
            self._passes(signal)
            if not writer.is_closing():
                writer.write(_encode(signal) + b"\n")

        self.board.start(emit, self._scheduler)
        self._booted()
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if line == STOP:
                    self.board.stop()
                else:
                    action = _actions.decode(line)
                    self._passes(action)
                    self.board.apply(action)
        writer.close()
