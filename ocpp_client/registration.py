"""Whether the CSMS has accepted this station, and when to dial or to register again. Pure (1.6 §4.2, OCPP-J §5)."""

from __future__ import annotations

import enum
from typing import Final

from hal.clock import Rng
from hal.units import SECOND, MonoNs

OWN_INTERVAL_S: Final = 60  # where the CSMS leaves the interval to us


class Standing(enum.Enum):
    UNKNOWN = "unknown"  # not asked yet in this boot
    PENDING = "pending"
    REJECTED = "rejected"
    ACCEPTED = "accepted"


class BackOff:
    """Waits between attempts: a minimum that doubles so many times, and a fresh random part each time (2.0.1 B10, good for 1.6 too)."""

    __slots__ = ("failures",)

    def __init__(self) -> None:
        self.failures = 0

    def next_ns(self, minimum_s: int, random_s: int, repeat: int, rng: Rng) -> MonoNs:
        """How long to wait before the next attempt."""
        doubled = minimum_s << min(self.failures, repeat)
        self.failures += 1
        return doubled * SECOND + rng.draw(32) * random_s * SECOND // 2**32

    def reset(self) -> None:
        self.failures = 0
