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
from station.shell.runner import Unit

DRIFTS: Final = 60  # steps that a clock drifts by


class OsClock:
    """One station's. `off_ms` is how far it is off; `drift` the fault by which it drifts now."""

    __slots__ = ("_scheduler", "drift", "flat", "off_ms")

    def __init__(self, scheduler: VirtualScheduler) -> None:
        self._scheduler = scheduler
        self.off_ms: UtcMs = 0
        self.flat = False
        self.drift: ClockFault | None = None

    def now(self) -> Now:
        now = self._scheduler.now()
        return Now(now.mono_ns, now.os_utc_ms + self.off_ms)

    def drifts(self, fault: ClockFault, step: int) -> None:
        """The so-manieth of its steps, from 1 on."""
        if self.drift is fault:
            by_ms = fault.by_s * 1000
            self.off_ms += round(by_ms * step / DRIFTS) - round(by_ms * (step - 1) / DRIFTS)
            if step < DRIFTS:
                next_ns = self._scheduler.mono_ns + int(fault.for_s * SECOND) // DRIFTS
                self._scheduler.call_at(next_ns, self.drifts, fault, step + 1)


class OsClocks:
    def __init__(self, scheduler: VirtualScheduler) -> None:
        self._scheduler = scheduler
        self._wrong: dict[str, OsClock] = {}  # those that a fault has befallen

    def begin(self, unit: Unit, fault: ClockFault) -> None:
        """Step it, let it drift while the fault lasts, or take its battery away."""
        clock = self._wrong.setdefault(unit.id, OsClock(self._scheduler))
        unit.now = clock.now
        match fault.how:
            case "1970":
                clock.flat = True
            case "step":
                clock.off_ms += round(fault.by_s * 1000)
            case "drift":
                clock.drift = fault
                clock.drifts(fault, 1)

    def end(self, unit: Unit, fault: ClockFault) -> None:
        """It drifts no further; what it is off by stays. Harmless if that fault never began."""
        clock = self._wrong.get(unit.id)
        if clock is not None and clock.drift is fault:
            clock.drift = None

    def back(self, unit: Unit) -> bool:
        """The supply is back: whether the clock has kept the time. One without a battery begins at 1970."""
        clock = self._wrong.get(unit.id)
        if clock is None or not clock.flat:
            return True
        clock.off_ms = -self._scheduler.now().os_utc_ms
        return False
