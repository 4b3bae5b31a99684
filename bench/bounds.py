"""What the station may cost. A change that breaks one of these is a defect, not a new baseline."""

from __future__ import annotations

from typing import Final

import msgspec

from bench.results import Results

CPU_TIMES_BARE: Final = 3.0
SQLITE_EXTRA_US: Final = 20.0
BASE_MIB: Final = 60.0
SLOPE_KIB: Final = 14.0


class Verdict(msgspec.Struct, frozen=True):
    """One bound and what was measured against it; None if it should have been and was not."""

    name: str
    unit: str
    limit: float
    value: float | None

    @property
    def held(self) -> bool:
        return self.value is not None and self.value <= self.limit


def verdicts(results: Results) -> list[Verdict]:
    """All bounds that the plan asks about. One whose rows could not be measured is not held."""
    plan = results.plan
    found = []
    if plan.cpu and {"memory", "bare"} <= set(plan.rows):
        name = f"CPU a message at {plan.stations} stations"
        found.append(Verdict(name, "times the bare protocol", CPU_TIMES_BARE, results.ratio("memory")))
    if plan.cpu and {"memory", "sqlite"} <= set(plan.rows):
        memory_us, sqlite_us = results.cpu_us("memory"), results.cpu_us("sqlite")
        extra = None if memory_us is None or sqlite_us is None else sqlite_us - memory_us
        found.append(Verdict("SQLite store over memory store", "us a message", SQLITE_EXTRA_US, extra))
    if plan.memory and "memory" in plan.rows:
        found.append(Verdict("base", "MiB", BASE_MIB, results.base_mib("memory")))
        found.append(Verdict("slope", "KiB a station", SLOPE_KIB, results.slope_kib("memory")))
    return found


def passed(results: Results) -> bool:
    """Every bound held, every row measured, every window valid."""
    return not results.failures and not results.faults and all(verdict.held for verdict in verdicts(results))
