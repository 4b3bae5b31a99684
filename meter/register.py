"""The register of one meter as the station believes it: which readings are used, and the last good one.

The register is the meter's own: never reset, corrected, smoothed or extrapolated. A reading that cannot be true is not used; a jump that
persists for three readings is a *register break* and both values are kept (station.md §3). Not here: asking for readings.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from hal.units import SECOND, MilliAmps, MilliWh, MonoNs, Reading

NOMINAL_MV: Final = 230_000
HEADROOM_PERCENT: Final = 120  # a reading above rated power times time times 1.2 is not used
BREAK_AFTER: Final = 3
NS_PER_HOUR: Final = 3600 * SECOND
SLACK_MWH: Final = 2_000  # a meter may update its register in steps of up to 1 Wh, at both ends
TOO_MUCH_NS: Final = 30 * SECOND  # so long a car may draw twice what it should until it is cut off
DAY_NS: Final = 24 * NS_PER_HOUR

Verdict = Literal["used", "refused", "break"]


def rated_mw(max_current_ma: MilliAmps, phases: int) -> int:
    """The most that a slot can deliver, in mW."""
    return max_current_ma * NOMINAL_MV * phases // 1_000


class Register:
    """`last` is the last good reading (None before the first), `at_ns` when it came; `before_mwh` where it stood before it last broke.

    `suspect` is the latest of `suspects` readings that were not believed and agree with each other.
    """

    __slots__ = (
        "at_ns",
        "before_mwh",
        "last",
        "rated_mw",
        "suspect",
        "suspect_ns",
        "suspects",
        "turns_mwh",
        "width_mwh",
    )

    def __init__(self, rated: int, width_mwh: MilliWh = 0) -> None:
        self.rated_mw = rated
        self.width_mwh = width_mwh
        self.turns_mwh: MilliWh = 0  # what it has counted in whole turns while we looked
        self.last: Reading | None = None
        self.at_ns: MonoNs = 0
        self.before_mwh: MilliWh = 0
        self.suspect: MilliWh = 0
        self.suspect_ns: MonoNs = 0
        self.suspects = 0

    def remember(self, energy_mwh: MilliWh, now_ns: MonoNs) -> None:
        """What the disk knows of it, from before a restart: it stands there or, by what a day may bring, higher."""
        self.last = Reading(energy_mwh)
        self.at_ns = now_ns - DAY_NS

    def take(self, reading: Reading, now_ns: MonoNs) -> Verdict:
        """Use the reading, or refuse it and keep the last good one."""
        last = self.last
        if self.width_mwh:
            reading = self._unrolled(reading, now_ns)
        if last is None or self._credible(reading.energy_mwh - last.energy_mwh, now_ns - self.at_ns):
            self._use(reading, now_ns)
            return "used"
        agrees = self._credible(reading.energy_mwh - self.suspect, now_ns - self.suspect_ns)
        self.suspects = self.suspects + 1 if self.suspects and agrees else 1
        self.suspect, self.suspect_ns = reading.energy_mwh, now_ns
        if self.suspects < BREAK_AFTER:
            return "refused"
        self.before_mwh = last.energy_mwh
        self._use(reading, now_ns)
        return "break"

    def _unrolled(self, reading: Reading, now_ns: MonoNs) -> Reading:
        """The reading as if the register were wide enough. It begins again at 0 only where it is said to."""
        energy_mwh, last = reading.energy_mwh + self.turns_mwh, self.last
        turned, fell = energy_mwh + self.width_mwh, last is not None and energy_mwh < last.energy_mwh
        if fell and last is not None and self._credible(turned - last.energy_mwh, now_ns - self.at_ns):
            self.turns_mwh += self.width_mwh
            energy_mwh = turned
        return msgspec.structs.replace(reading, energy_mwh=energy_mwh)

    def _use(self, reading: Reading, now_ns: MonoNs) -> None:
        self.last = reading
        self.at_ns = now_ns
        self.suspects = 0

    def _credible(self, more: MilliWh, time_ns: MonoNs) -> bool:
        most = self.rated_mw * time_ns * HEADROOM_PERCENT // 100 + self.rated_mw * min(time_ns, TOO_MUCH_NS)
        return 0 <= more <= most // NS_PER_HOUR + SLACK_MWH
