"""The register of one meter as the station believes it: which readings are used, and the last good one.

The register is the meter's own: never reset, corrected, smoothed or extrapolated. A reading that cannot be true is not used; a jump that
persists for three readings is a *register break* and both values are kept (station.md §3). Not here: asking for readings.
"""

from __future__ import annotations

from typing import Final, Literal

from hal.units import MilliAmps, MilliWh, MonoNs, Reading

NOMINAL_MV: Final = 230_000
HEADROOM_PERCENT: Final = 120  # a reading above rated power times time times 1.2 is not used
BREAK_AFTER: Final = 3
NS_PER_HOUR: Final = 3_600_000_000_000
SLACK_MWH: Final = 2_000  # a meter may update its register in steps of up to 1 Wh, at both ends

Verdict = Literal["used", "refused", "break"]


def rated_mw(max_current_ma: MilliAmps, phases: int) -> int:
    """The most that a slot can deliver, in mW."""
    return max_current_ma * NOMINAL_MV * phases // 1_000


class Register:
    """`last` is the last good reading (None before the first), `at_ns` when it came."""

    __slots__ = ("at_ns", "last", "rated_mw", "suspects")

    def __init__(self, rated: int) -> None:
        self.rated_mw = rated
        self.last: Reading | None = None
        self.at_ns: MonoNs = 0
        self.suspects = 0

    def take(self, reading: Reading, now_ns: MonoNs) -> Verdict:
        """Use the reading, or refuse it and keep the last good one."""
        if self.last is not None and not self._credible(self.last.energy_mwh, reading.energy_mwh, now_ns):
            self.suspects += 1
            if self.suspects < BREAK_AFTER:
                return "refused"
            self._use(reading, now_ns)
            return "break"
        self._use(reading, now_ns)
        return "used"

    def _use(self, reading: Reading, now_ns: MonoNs) -> None:
        self.last = reading
        self.at_ns = now_ns
        self.suspects = 0

    def _credible(self, last: MilliWh, new: MilliWh, now_ns: MonoNs) -> bool:
        if new < last:
            return False
        most = self.rated_mw * (now_ns - self.at_ns) // NS_PER_HOUR * HEADROOM_PERCENT // 100
        return new - last <= most + SLACK_MWH
