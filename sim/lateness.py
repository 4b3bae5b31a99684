"""How late an event loop comes to what was due: a tick each 20 ms, and how much later than that it came.

A loop that was held up owes the ticks that fell into that time; each counts with its own lateness, so that one long stall weighs what it
cost. Not here: why it was late.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

TICK_S: Final = 0.02
PER_S: Final = 10_000  # lateness is kept in tenths of a millisecond


class Figures(msgspec.Struct, frozen=True):
    """Milliseconds. `ticks`: how many they are made of; without any all is 0."""

    p50: float
    p99: float
    max: float
    ticks: int

    def __str__(self) -> str:
        return f"p50 {self.p50:g} ms, p99 {self.p99:g} ms, max {self.max:g} ms"


class Lateness:
    """Counts from `begin` to `end`; `begin` again forgets what was before. Costs some 10 us a tick."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._counts: dict[int, int] = {}
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.end()
        self._counts = {}
        self._due_s = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._due_s, self._tick)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now_s = self._loop.time()
        while self._due_s <= now_s:
            late = round((now_s - self._due_s) * PER_S)
            self._counts[late] = self._counts.get(late, 0) + 1
            self._due_s += TICK_S
        self._timer = self._loop.call_at(self._due_s, self._tick)

    def figures(self) -> Figures:
        """So far."""
        ticks = sum(self._counts.values())
        late = sorted(self._counts)
        return Figures(self._at(late, ticks * 0.5), self._at(late, ticks * 0.99), self._at(late, ticks), ticks)

    def _at(self, late: list[int], ticks: float) -> float:
        """So many ticks were no later than this."""
        for each in late:
            ticks -= self._counts[each]
            if ticks <= 0:
                return each * 1000 / PER_S
        return 0.0

    def as_json(self) -> dict[str, Any]:
        return {"lateness_ms": msgspec.to_builtins(self.figures())}
