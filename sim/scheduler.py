"""Virtual time: a heap of calls that satisfies `hal.clock.Scheduler`, for the world and for tests.

Time stands still while a call runs and jumps to the next call. Not here: any real clock, thread or file descriptor.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Final

from hal.clock import Now, Rng
from hal.units import MILLISECOND, SECOND, MonoNs, UtcMs

START_UTC_MS: UtcMs = 1_780_272_000_000  # 2026-06-01T00:00:00Z

# One pending call: [at_ns, tie, number, call or None when cancelled, arguments].
_Entry = list[Any]


_MASK: Final = (1 << 64) - 1


class VirtualScheduler:
    """Calls in order of time; at one instant in order of arrival, or by lot where `ties` is given.

    `utc_ms` is what the operating system's clock says at monotonic zero; assign to it to step that clock. `mono_ns` is the time now, for
    reading only.
    """

    __slots__ = ("_count", "_heap", "_lot", "_now", "_ties", "_utc_ms", "mono_ns")

    def __init__(self, utc_ms: UtcMs = START_UTC_MS, ties: Rng | None = None, mono_ns: MonoNs = 0) -> None:
        self._utc_ms = utc_ms
        self.mono_ns = mono_ns
        self._now: Now | None = None  # made when it is first asked for
        self._ties = ties is not None
        self._lot = 0 if ties is None else ties.draw(64)  # what the next tie is made of
        self._heap: list[_Entry] = []
        self._count = 0

    @property
    def utc_ms(self) -> UtcMs:
        return self._utc_ms

    @utc_ms.setter
    def utc_ms(self, utc_ms: UtcMs) -> None:
        self._utc_ms = utc_ms
        self._now = None

    def now(self) -> Now:
        now = self._now
        if now is None or now.mono_ns != self.mono_ns:
            now = self._now = Now(self.mono_ns, self._utc_ms + self.mono_ns // MILLISECOND)
        return now

    def call_at(self, at_ns: MonoNs, call: Callable[..., None], *args: Any) -> _Entry:
        """Run `call` at that instant; one that has passed means now. Returns the handle for `cancel`."""
        self._count += 1
        if self._ties:  # a linear congruential generator (Knuth's MMIX): a draw of a Stream takes ten times as long
            self._lot = (self._lot * 6364136223846793005 + 1442695040888963407) & _MASK
        entry: _Entry = [at_ns if at_ns > self.mono_ns else self.mono_ns, self._lot >> 48, self._count, call, args]
        heapq.heappush(self._heap, entry)
        return entry

    def cancel(self, handle: _Entry) -> None:
        """Forget a call. Harmless when it has run or was cancelled before."""
        handle[3] = None
        handle[4] = ()

    def post(self, call: Callable[..., None], *args: Any) -> None:
        self.call_at(self.mono_ns, call, *args)

    def add_reader(self, fd: int, call: Callable[[], None]) -> None:
        """Raises NotImplementedError: virtual time has no file descriptors."""
        raise NotImplementedError("virtual time has no file descriptors")

    @property
    def next_ns(self) -> MonoNs | None:
        """When the next call is due, or None."""
        heap = self._heap
        while heap and heap[0][3] is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    @property
    def pending(self) -> int:
        """How many calls wait."""
        return sum(entry[3] is not None for entry in self._heap)

    def run_next(self) -> bool:
        """Jump to the next call and run it. False if there is none."""
        if self.next_ns is None:
            return False
        entry = heapq.heappop(self._heap)
        self.mono_ns, call, args = entry[0], entry[3], entry[4]
        entry[3] = None
        call(*args)
        return True

    def run_until(self, at_ns: MonoNs) -> None:
        """Run everything due up to that instant and stand there."""
        heap = self._heap
        while heap and heap[0][0] <= at_ns:
            entry = heapq.heappop(heap)
            call = entry[3]
            if call is not None:
                self.mono_ns, entry[3] = entry[0], None
                call(*entry[4])
        self.mono_ns = max(self.mono_ns, at_ns)

    def run_for(self, seconds: float) -> None:
        self.run_until(self.mono_ns + round(seconds * SECOND))
