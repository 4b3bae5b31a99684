"""One heap of timers for all stations of the bare row, rounded up to ticks, so that many are done in one wake-up."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from bench import load

Call: TypeAlias = Callable[[int], None]
"""What is due. It is told the tick that it was due at, so that the next one does not drift."""

EARLY: Final = 1e-6
"""So much of a tick may be missing: the clock and the timers of a loop do not agree to the last digit."""

RUNNING: Final = -1


def ticks(seconds: float) -> int:
    """A time, or a stretch of time, in ticks, rounded up."""
    return math.ceil(seconds / load.TICK_S - EARLY)


class Handle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """As much of an event loop as timers need."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[int], None], tick: int, /) -> Handle: ...


class TickHeap:
    """Calls by tick; those of the same tick in the order in which they were put."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Call]] = []
        self._count = 0

    def put(self, tick: int, call: Call) -> None:
        self._count += 1
        heapq.heappush(self._heap, (tick, self._count, call))

    @property
    def next_tick(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def run_due(self, tick: int) -> None:
        """Do all that is due at `tick` or before, also what is put for then meanwhile."""
        heap = self._heap
        while heap and heap[0][0] <= tick:
            due, _, call = heapq.heappop(heap)
            call(due)


class Timers:
    """The heap on a loop: at most one timer of the loop is armed, for the earliest tick."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._heap = TickHeap()
        self._armed: int | None = None
        self._handle: Handle | None = None

    def now(self) -> int:
        """The tick that comes next."""
        return ticks(self._loop.time())

    def at(self, tick: int, call: Call) -> None:
        self._heap.put(tick, call)
        if self._armed is None or tick < self._armed:
            self._arm(tick)

    def _arm(self, tick: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed = tick
        self._handle = self._loop.call_at(tick * load.TICK_S, self._run, tick)

    def _run(self, tick: int) -> None:
        self._armed, self._handle = RUNNING, None
        self._heap.run_due(max(tick, math.floor(self._loop.time() / load.TICK_S)))
        self._armed = self._heap.next_tick
        if self._armed is not None:
            self._arm(self._armed)
