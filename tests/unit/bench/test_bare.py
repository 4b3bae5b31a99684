"""The bare row against the CSMS of the bench, both without a socket: bytes from one to the other, time by hand."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections import deque

from bench.bare import Shared, Station
from bench.csms import Visit
from bench.desk import Books, Desk
from bench.ticks import Timers
from tests.unit.bench.builders import VirtualLoop

NOW = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


class Wire(asyncio.Transport):
    """A transport that puts what is written before the other side."""

    def __init__(self, cable: deque[tuple[asyncio.BufferedProtocol, bytes]], far_end: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self._cable, self._far_end = cable, far_end
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._cable.append((self._far_end, bytes(data)))

    def close(self) -> None:
        self.closed = True


class Bench:
    """Stations and a CSMS on a loop whose time passes when it is told to."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.books = Books()
        self.failures: list[str] = []
        self._desk = Desk(self.books, NOW)
        self._shared = Shared(Timers(self.loop), self.failures.append)
        self._cable: deque[tuple[asyncio.BufferedProtocol, bytes]] = deque()

    def connect(self, path: str = "CP-1") -> Station:
        station = Station(self._shared, f"ws://127.0.0.1:9/{path}")
        visit = Visit(self._desk, memoryview(bytearray(64 * 1024)))
        visit.connection_made(Wire(self._cable, station))
        station.connection_made(Wire(self._cable, visit))
        self.deliver()
        return station

    def deliver(self) -> None:
        while self._cable:
            protocol, data = self._cable.popleft()
            memoryview(protocol.get_buffer(-1))[: len(data)] = data
            protocol.buffer_updated(len(data))

    def until(self, end_s: float) -> None:
        for tick in itertools.count(1):
            at_s = tick * 0.05
            if at_s > end_s:
                return
            if at_s > self.loop.now_s:
                self.loop.run_until(at_s + 0.001)
                self.deliver()


def test_stations_boot_sample_every_10_s_and_beat_as_the_csms_wants() -> None:
    bench = Bench()
    for number in range(31):
        bench.connect(f"CP-{number}")
    assert (bench.books.open, bench.books.booted) == (31, 31)
    bench.until(9.9)
    assert bench.books.meter_values == 0
    bench.until(60.5)
    assert bench.books.meter_values == 31 * 6
    assert bench.books.sampling == 31
    assert bench.books.heartbeats == 2 * 6  # the first and the thirty-first
    assert (bench.books.refused, bench.books.off_schema, bench.books.off_load) == (0, 0, 0)
    assert bench.failures == []


def test_a_lost_connection_ends_the_row() -> None:
    bench = Bench()
    bench.connect().connection_lost(None)
    assert bench.failures == ["connection lost: None"]


def test_a_call_that_is_not_answered_keeps_the_next_one_waiting() -> None:
    bench = Bench()
    bench.connect()
    bench.until(9.9)
    bench.loop.run_until(12.0)  # sample and heartbeat are due in the same tick, and nobody delivers
    bench.deliver()
    assert (bench.books.meter_values, bench.books.heartbeats) == (1, 0)
    bench.until(12.1)
    assert (bench.books.meter_values, bench.books.heartbeats) == (1, 1)
    assert bench.failures == []
