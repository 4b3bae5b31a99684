"""Station time: an offset over the monotonic clock, and whether it can be trusted (station.md §8).

The OS clock is never set. Before any trusted source has spoken, time is a guess that goes on from the last sign of life over any number of
boots, and stamps carry (boot, monotonic) besides. Once the time is known, all that was guessed moves by what the guess was wrong. For a
stamp of this boot that is right to the millisecond. Between two boots nobody can know more than that the station was off; the end of that
chain is now known, while its beginning may be days old. A stamp may have been held up to what a trusted clock had told before the guess
began; so none is mended to later than it was made.
"""

from __future__ import annotations

from typing import Final

from hal.clock import Now
from hal.units import MILLISECOND, MonoNs, UtcMs
from station.core.boot import BootInfo
from station.words.common import Stamp

EARLIEST_MS: Final = 1_577_836_800_000  # 2020-01-01: a clock before that has never been set
ALIVE_MS: Final = 60_000  # between two signs of life
CUT_MS: Final = ALIVE_MS + 5_000  # after its last one that reached the disk a boot was over by then
MOVES_BY_MS: Final = 2_000


class StationTime:
    """`offset_ms` added to monotonic milliseconds gives UTC; `guess_ms` the guess that earlier boots made or would have made.
    `began_ms` is when this boot began, in monotonic milliseconds.
    """

    __slots__ = ("began_ms", "boot", "guess_ms", "offset_ms", "trusted")

    def __init__(self, now: Now, boot: BootInfo) -> None:
        self.boot = boot.count
        os_ms, mono_ms = now.os_utc_ms, now.mono_ns // MILLISECOND
        self.began_ms = mono_ms
        alive_ms = guess_ms = EARLIEST_MS
        if boot.alive is not None:
            elapsed_ms = mono_ms - boot.alive.mono_ns // MILLISECOND if boot.continues else 0
            alive_ms = max(boot.alive.at.utc_ms, EARLIEST_MS)
            guess_ms = alive_ms + max(elapsed_ms, CUT_MS)
        self.trusted = boot.os_trusted and os_ms >= alive_ms  # a clock that has gone back since then is none
        self.guess_ms = guess_ms - mono_ms
        self.offset_ms = (os_ms if self.trusted else max(os_ms, guess_ms)) - mono_ms
        if not self.trusted:
            self.guess_ms = self.offset_ms

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
        """A stamp that was made while time was untrusted, set right as well as it can be; others stay."""
        if not stamp.boot or not self.trusted:
            return stamp
        made_ms = stamp.mono_ms if stamp.boot == self.boot else self.began_ms  # or before
        return Stamp(max(min(stamp.utc_ms - self.guess_ms, made_ms) + self.offset_ms, EARLIEST_MS))
