"""How late a loop is, on a loop whose clock is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from sim.lateness import TICK_S, Lateness


class Loop:
    """Time and timers, by hand; what was due meanwhile is called late."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def call_at(self, at_s: float, call: Callable[[], None]) -> Any:
        entry = (at_s, call)
        self.due.append(entry)
        return type("Timer", (), {"cancel": lambda _: self.due.remove(entry) if entry in self.due else None})()

    def go(self, to_s: float) -> None:
        """On to this moment, at which all that is due is called."""
        self.now_s = to_s
        due, self.due = [e for e in self.due if e[0] <= to_s], [e for e in self.due if e[0] > to_s]
        for _, call in due:
            call()


def test_in_time_after_a_stall_and_anew() -> None:
    loop = Loop()
    lateness = Lateness(cast(asyncio.AbstractEventLoop, loop))
    assert lateness.figures().ticks == 0 and lateness.figures().max == 0
    lateness.begin()
    for n in range(1, 100):
        loop.go(100 + n * TICK_S + 0.001)
    figures = lateness.figures()
    assert (figures.p50, figures.p99, figures.max, figures.ticks) == (1.0, 1.0, 1.0, 99)
    loop.go(100 + 100 * TICK_S + 0.5)  # a hundredth tick half a second late, and the 25 that fell into that time
    figures = lateness.figures()
    assert figures.ticks == 125 and figures.max == 500.0 and 450 < figures.p99 < 500 and figures.p50 == 1.0
    assert str(figures) == f"p50 1 ms, p99 {figures.p99:g} ms, max 500 ms"
    lateness.begin()
    assert lateness.figures().ticks == 0 and len(loop.due) == 1
    lateness.end()
    loop.go(200)
    assert lateness.figures().ticks == 0 and not loop.due


def test_on_a_real_loop() -> None:
    async def play() -> Lateness:
        lateness = Lateness(asyncio.get_running_loop())
        lateness.begin()
        await asyncio.sleep(0.1)
        lateness.end()
        return lateness

    assert asyncio.run(play()).figures().ticks >= 3
