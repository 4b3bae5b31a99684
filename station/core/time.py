"""Station time: an offset over the monotonic clock, and whether it can be trusted (station.md §8).

The OS clock is never set. Before any trusted source has spoken, stamps carry (boot, monotonic) and are mended later.
"""

from __future__ import annotations

from typing import Final

from hal.clock import Now
from hal.units import MILLISECOND, MonoNs, UtcMs
from station.words.common import Stamp

EARLIEST_MS: Final = 1_577_836_800_000  # 2020-01-01: a clock before that has never been set
MOVES_BY_MS: Final = 2_000


class StationTime:
    """`offset_ms` added to monotonic milliseconds gives UTC."""

    __slots__ = ("boot", "offset_ms", "trusted")

    def __init__(self, now: Now, boot: int, os_trusted: bool, not_before_ms: UtcMs) -> None:
        self.boot = boot
        os_ms = now.os_utc_ms
        self.trusted = os_trusted and os_ms >= EARLIEST_MS
        self.offset_ms = max(os_ms, not_before_ms) - now.mono_ns // MILLISECOND

    def utc_ms(self, now: Now) -> UtcMs:
        return now.mono_ns // MILLISECOND + self.offset_ms

    def stamp(self, now: Now) -> Stamp:
        mono_ms = now.mono_ns // MILLISECOND
        if self.trusted:
            return Stamp(mono_ms + self.offset_ms)
        return Stamp(mono_ms + self.offset_ms, self.boot, mono_ms)

    def mono_ns(self, utc_ms: UtcMs) -> MonoNs:
        """When station time will be (or was) `utc_ms`."""
        return (utc_ms - self.offset_ms) * MILLISECOND

    def told(self, now: Now, utc_ms: UtcMs) -> int:
        """A trusted source says what time it is. Returns by how many ms the clock moved (0: not at all)."""
        if utc_ms < EARLIEST_MS:
            return 0
        step = utc_ms - self.utc_ms(now)
        moved = step if abs(step) > MOVES_BY_MS or not self.trusted else 0
        self.offset_ms += moved
        self.trusted = True
        return moved

    def mended(self, stamp: Stamp) -> Stamp:
        """A stamp of this boot made while time was untrusted, set right; others stay."""
        if stamp.boot != self.boot or not self.trusted:
            return stamp
        return Stamp(stamp.mono_ms + self.offset_ms)
