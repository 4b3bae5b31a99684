"""The clock of the CSMS, which reads the real one: the simulator's own CSMS serves stations in real time."""

from __future__ import annotations

import time

from sim.csms.books import utc_ms


class Clock:
    """The clock of the CSMS: showed `epoch` at the real time `start`, and runs `speed` times as fast."""

    def __init__(self, speed: float = 1.0, epoch: str = "") -> None:
        """`epoch`: RFC 3339, or two of them, SHOWN@REAL. Default: what is shown and real now. ValueError."""
        shown, _, real = epoch.partition("@")
        now_ms = round(time.time() * 1000)
        self.speed = speed
        self.start_ms = utc_ms(real) if real else now_ms
        self.epoch_ms = utc_ms(shown) if shown else self.start_ms
        self._start_s = time.monotonic() - (now_ms - self.start_ms) / 1000

    def now_ms(self) -> int:
        return self.epoch_ms + round((time.monotonic() - self._start_s) * self.speed * 1000)
