"""When samples are due: intervals from the start of a transaction, and clock-aligned instants from midnight UTC; and which of too many
are kept. Pure arithmetic."""

from __future__ import annotations

from typing import Final, TypeVar

from hal.units import SECOND, MonoNs, UtcMs

DAY_MS: Final = 86_400_000

T = TypeVar("T")


def next_sample(start_ns: MonoNs, interval_s: int, now_ns: MonoNs) -> MonoNs:
    """The first instant after now that is a whole number of intervals from the start; missed ones are skipped, not made up."""
    step = interval_s * SECOND
    return start_ns + ((now_ns - start_ns) // step + 1) * step


def next_aligned(utc_ms: UtcMs, interval_s: int) -> UtcMs:
    """The first UTC instant after `utc_ms` that is a multiple of the interval from midnight (1.6 MV-03); midnight itself always is one."""
    midnight = utc_ms - utc_ms % DAY_MS
    step = interval_s * 1000
    upcoming = midnight + ((utc_ms - midnight) // step + 1) * step
    return min(upcoming, midnight + DAY_MS)


def fewer(samples: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most so many, and at least two: while there are more, every second one in between goes (1.6 MV-15)."""
    while len(samples) > max(most, 2):
        samples = (samples[0], *samples[2:-1:2], samples[-1])
    return samples
