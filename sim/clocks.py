"""What the operating systems of a world's stations believe of the time: each has a clock of its own, right until a plan's fault befalls it.

Its battery counts, as a real-time clock's: one whose battery is dead begins at 1970 whenever the supply comes back. Nobody sets these
clocks right, so that what a station knows better it knows from its CSMS. Not here: true time (`scheduler.py`), what the core makes of it.
"""

from __future__ import annotations

from typing import Final

from hal.clock import Now
from hal.units import SECOND, UtcMs
from sim.plan import ClockFault
from sim.scheduler import VirtualScheduler

DRIFTS: Final = 60  # steps that a clock drifts by


class OsClock:
    """One station's. `off_ms` is how far it is off; `drift` the fault by which it drifts now."""

    __slots__ = ("drift", "flat", "off_ms")

    def __init__(self) -> None:
        self.off_ms: UtcMs = 0
        self.flat = False
        self.drift: ClockFault | None = None


class OsClocks:
    def __init__(self, scheduler: VirtualScheduler) -> None:
        self._scheduler = scheduler
        self._wrong: dict[str, OsClock] = {}  # those that a fault has befallen

    def now(self, station: str) -> Now:
        """The instant as this station's operating system tells it."""
        now = self._scheduler.now()
        clock = self._wrong.get(station) if self._wrong else None
        return now if clock is None else Now(now.mono_ns, now.os_utc_ms + clock.off_ms)

    def begin(self, station: str, fault: ClockFault) -> None:
        """Step it, let it drift while the fault lasts, or take its battery away."""
        clock = self._wrong.setdefault(station, OsClock())
        match fault.how:
            case "1970":
                clock.flat = True
            case "step":
                clock.off_ms += round(fault.by_s * 1000)
            case "drift":
                clock.drift = fault
                self._drift(clock, fault, 1)

    def _drift(self, clock: OsClock, fault: ClockFault, step: int) -> None:
        """The so-manieth of its steps, from 1 on."""
        if clock.drift is fault:
            by_ms = fault.by_s * 1000
            clock.off_ms += round(by_ms * step / DRIFTS) - round(by_ms * (step - 1) / DRIFTS)
            if step < DRIFTS:
                next_ns = self._scheduler.mono_ns + int(fault.for_s * SECOND) // DRIFTS
                self._scheduler.call_at(next_ns, self._drift, clock, fault, step + 1)

    def end(self, station: str, fault: ClockFault) -> None:
        """It drifts no further; what it is off by stays. Harmless if that fault never began."""
        clock = self._wrong.get(station)
        if clock is not None and clock.drift is fault:
            clock.drift = None

    def back(self, station: str) -> bool:
        """The supply is back: whether the clock has kept the time. One without a battery begins at 1970."""
        clock = self._wrong.get(station)
        if clock is None or not clock.flat:
            return True
        clock.off_ms = -self._scheduler.now().os_utc_ms
        return False
