"""The system's clocks as a `Scheduler` over asyncio: the only place where a station sees real time.

One heap for all stations of a process, one timer of the loop; with `tick_ms` wake-ups are rounded up to shared instants, which is worth
more than any faster loop. `speed` makes the monotonic and the wall clock run faster together. Not here: virtual time.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Any, Final

from hal.clock import Now
from hal.units import MILLISECOND, MonoNs, UtcMs

MOST_CANCELLED: Final = 256

_Entry = list[Any]  # [at_ns, number, call or None when cancelled, *arguments]


class AsyncScheduler:
    """Satisfies `hal.clock.Scheduler`. `lateness_ns` is how late the latest wake-up was, in scheduler time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tick_ms: int = 0, speed: int = 1, epoch_ms: UtcMs | None = None
    ) -> None:
        """`epoch_ms`: what UTC is now, for a clock shared with a CSMS that runs at the same speed; None: the system's."""
        self._loop = loop
        self._speed = speed
        self._tick_ns = tick_ms * MILLISECOND * speed
        self._start_ns = time.monotonic_ns()
        self._epoch_ms = time.time_ns() // MILLISECOND if epoch_ms is None else epoch_ms
        self._follow_os = speed == 1 and epoch_ms is None
        self._heap: list[_Entry] = []
        self._count = 0
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: MonoNs = 0
        self.lateness_ns = 0
        self._instant: Now | None = None  # of the tick that is being worked on
        self._running = False  # the timer is set once it is all done

    def mono_ns(self) -> MonoNs:
        """Monotonic nanoseconds since the start, times the speed."""
        return (time.monotonic_ns() - self._start_ns) * self._speed

    def now(self) -> Now:
        """With a tick, everything that is due in one happens at one instant."""
        return self._instant or self._look()

    def _look(self) -> Now:
        mono_ns = self.mono_ns()
        if self._follow_os:
            return Now(mono_ns, time.time_ns() // MILLISECOND)
        return Now(mono_ns, self._epoch_ms + mono_ns // MILLISECOND)

    def call_at(self, at_ns: MonoNs, call: Callable[..., None], *args: Any) -> _Entry:
        if self._tick_ns:
            at_ns = -(-at_ns // self._tick_ns) * self._tick_ns
        self._count += 1
        entry: _Entry = list((at_ns, self._count, call, *args))  # noqa: C410 of the exact size, which a display is not
        heapq.heappush(self._heap, entry)
        if not self._running and (self._timer is None or at_ns < self._timer_at):
            self._arm(at_ns)
        return entry

    def cancel(self, handle: _Entry) -> None:
        """Forget a call. What is forgotten stays in the heap for a while."""
        if handle[2] is None:
            return
        del handle[3:]
        handle[2] = None
        self._cancelled += 1
        if not self._running:
            self._sweep()

    def _sweep(self) -> None:
        """Let go of what was cancelled, once that is a fifth of the heap."""
        if self._cancelled > MOST_CANCELLED and self._cancelled * 5 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2] is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def add_reader(self, fd: int, call: Callable[[], None]) -> None:
        self._loop.add_reader(fd, call)

    def post(self, call: Callable[..., None], *args: Any) -> None:
        self._loop.call_soon_threadsafe(call, *args)

    def _arm(self, at_ns: MonoNs) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at_ns
        wait_s = max(0, at_ns - self.mono_ns()) / self._speed / 1e9
        self._timer = self._loop.call_later(wait_s, self._run)

    def _run(self) -> None:
        self._timer = None
        heap, now = self._heap, self._look()
        if heap:
            self.lateness_ns = max(0, now.mono_ns - heap[0][0])
        self._instant = now if self._tick_ns else None
        self._running = True
        try:
            while heap and heap[0][0] <= now.mono_ns:
                entry = heapq.heappop(heap)
                call = entry[2]
                if call is None:
                    self._cancelled -= 1
                else:
                    entry[2] = None
                    call(*entry[3:])
        finally:
            self._instant, self._running = None, False
        self._sweep()
        heap = self._heap
        while heap and heap[0][2] is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        if heap:
            self._arm(heap[0][0])

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._heap.clear()
