"""Numbers out of observations: what one window says about a row, and several together. No clock, no process."""

from __future__ import annotations

import statistics

import msgspec

from bench import load
from bench.desk import Books
from bench.process import TICK_S, Memory

SHORT: float = 0.05
"""So far may the MeterValues of a window be from what the load says."""


class Plan(msgspec.Struct, frozen=True):
    """What is to be measured, how long, and where."""

    rows: list[str]
    stations: int
    many_stations: int
    runs: int
    warm_up_s: float
    window_s: float
    cpu: bool
    memory: bool
    row_processor: int
    csms_processor: int


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that is read at either end of a window."""

    at_s: float
    row_cpu_s: float
    processor_busy_s: float
    books: Books


class Window(msgspec.Struct, frozen=True):
    """What happened between two snapshots. Messages are calls that the CSMS has answered."""

    window_s: float
    meter_values: int
    heartbeats: int
    others: int
    cpu_us: float
    """Processor time of the row's process a message."""
    csms_cpu_us: float
    """The same of the CSMS's process, which is not part of the row."""
    frame_bytes: float
    """Mean length of the MeterValues frames."""
    foreign: float
    """Share of the window in which the row's processor worked for others."""
    faults: list[str]
    """Why this window does not count: the load was not carried as it is defined."""

    @property
    def messages(self) -> int:
        return self.meter_values + self.heartbeats


class MemoryPoint(msgspec.Struct, frozen=True):
    stations: int
    memory: Memory


class Results(msgspec.Struct):
    """All that was measured, by row."""

    plan: Plan
    windows: dict[str, list[Window]] = {}
    memory: dict[str, list[MemoryPoint]] = {}
    failures: dict[str, str] = {}
    """Rows that could not be measured to the end, and why."""

    def cpu_us(self, row: str) -> float | None:
        """The median over the runs, None if there is none."""
        windows = self.windows.get(row)
        return statistics.median(window.cpu_us for window in windows) if windows else None

    def ratio(self, row: str) -> float | None:
        """How many times the bare protocol's processor time a message costs."""
        cpu_us, bare_us = self.cpu_us(row), self.cpu_us("bare")
        return None if cpu_us is None or not bare_us else cpu_us / bare_us

    def slope_kib(self, row: str, kind: str = "rss_kib") -> float | None:
        """Memory of one station more, from the difference between few and many."""
        points = self.memory.get(row, [])
        if len(points) != 2:
            return None
        few, many = points
        return float(getattr(many.memory, kind) - getattr(few.memory, kind)) / (many.stations - few.stations)

    def base_mib(self, row: str, kind: str = "rss_kib") -> float | None:
        """Memory of a process without a station: the line through both points at zero."""
        slope_kib = self.slope_kib(row, kind)
        if slope_kib is None:
            return None
        few = self.memory[row][0]
        return (float(getattr(few.memory, kind)) - slope_kib * few.stations) / 1024

    @property
    def faults(self) -> list[str]:
        return [
            f"{row}: {fault}" for row, windows in self.windows.items() for window in windows for fault in window.faults
        ]


def compare(stations: int, before: Snapshot, after: Snapshot) -> Window:
    """The window between two snapshots of the same processes."""
    window_s = after.at_s - before.at_s
    was, books = before.books, after.books
    meter_values = books.meter_values - was.meter_values
    heartbeats = books.heartbeats - was.heartbeats
    messages = max(1, meter_values + heartbeats)
    cpu_s = after.row_cpu_s - before.row_cpu_s
    return Window(
        window_s=window_s,
        meter_values=meter_values,
        heartbeats=heartbeats,
        others=books.others - was.others,
        cpu_us=cpu_s / messages * 1e6,
        csms_cpu_us=(books.cpu_s - was.cpu_s) / messages * 1e6,
        frame_bytes=(books.meter_values_bytes - was.meter_values_bytes) / max(1, meter_values),
        foreign=max(0.0, after.processor_busy_s - before.processor_busy_s - cpu_s) / window_s,
        faults=faults(books, meter_values, load.meter_values_due(stations, window_s)),
    )


def faults(books: Books, meter_values: int, due: float) -> list[str]:
    """Why a row did not carry the load as it is defined, up to the end of its window."""
    found = []
    if abs(meter_values - due) > SHORT * due:
        found.append(f"{meter_values} MeterValues in a window in which {due:.0f} are due")
    for count, what in (
        (books.lost, "connections lost"),
        (books.refused, "frames refused"),
        (books.off_schema, "payloads against the JSON schema"),
        (books.off_load, "MeterValues that are not the load's"),
    ):
        if count:
            found.append(f"{count} {what}" + (f", first: {books.complaint}" if books.complaint else ""))
    return found


def resolution_us(messages: int) -> float:
    """The step of a window's CPU a message: the kernel shows processor time in ticks."""
    return TICK_S / max(1, messages) * 1e6
