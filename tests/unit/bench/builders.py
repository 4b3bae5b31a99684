"""Results by hand, every part with a default; and a loop whose time is told."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from bench.process import Memory
from bench.results import MemoryPoint, Plan, Results, Window
from bench.row import ROWS
from bench.ticks import Handle


def plan(
    rows: tuple[str, ...] = tuple(ROWS),
    *,
    cpu: bool = True,
    memory: bool = True,
    row_processor: int = 1,
) -> Plan:
    return Plan(
        rows=list(rows),
        stations=2_000,
        many_stations=10_000,
        runs=5,
        warm_up_s=30,
        window_s=60,
        cpu=cpu,
        memory=memory,
        row_processor=row_processor,
        csms_processor=0,
    )


def window(cpu_us: float = 50.0, faults: tuple[str, ...] = (), foreign: float = 0.01) -> Window:
    return Window(
        window_s=60,
        meter_values=12_000,
        heartbeats=400,
        others=0,
        cpu_us=cpu_us,
        csms_cpu_us=40,
        frame_bytes=898,
        foreign=foreign,
        faults=list(faults),
    )


def points(base_mib: float, slope_kib: float) -> list[MemoryPoint]:
    """Two points on a line; Pss and private memory are a tenth lower."""
    found = []
    for stations in (2_000, 10_000):
        kib = round(base_mib * 1024 + slope_kib * stations)
        found.append(MemoryPoint(stations, Memory(kib, kib * 9 // 10, kib * 9 // 10)))
    return found


def results(
    the_plan: Plan | None = None,
    *,
    memory_us: float = 140.0,
    sqlite_us: float = 155.0,
    base_mib: float = 50.0,
    slope_kib: float = 12.0,
) -> Results:
    """Everything within its bounds, unless told otherwise."""
    return Results(
        the_plan or plan(),
        windows={
            "memory": [window(memory_us)],
            "sqlite": [window(sqlite_us)],
            "bare": [window(48.0), window(50.0), window(90.0)],
            "naive": [window(700.0)],
        },
        memory={"memory": points(base_mib, slope_kib), "bare": points(26, 6)},
    )


class Timer:
    """One timer of the loop below."""

    def __init__(self, when: float, callback: Callable[[int], None], tick: int) -> None:
        self.when, self.callback, self.tick, self.cancelled = when, callback, tick, False

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop:
    """A loop whose time passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.fired = 0
        self._timers: list[Timer] = []

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, callback: Callable[[int], None], tick: int, /) -> Handle:
        timer = Timer(when, callback, tick)
        heapq.heappush(self._timers, timer)
        return timer

    def run_until(self, end_s: float, late_s: float = 0.0) -> None:
        """Fire what is due until `end_s`, each `late_s` after its time."""
        while self._timers and self._timers[0].when + late_s <= end_s:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self.now_s = max(self.now_s, timer.when + late_s)
                self.fired += 1
                timer.callback(timer.tick)
        self.now_s = end_s
