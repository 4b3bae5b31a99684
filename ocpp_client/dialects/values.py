"""What the versions say with the same values, before either spells them: moments, and the values of a meter sample.

Not here: numbers as text or JSON, units and field names; those are a version's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from msgspec import UNSET, UnsetType

from hal.units import UtcMs
from station.words.common import Measurand, Sample

Line: TypeAlias = Literal["L1", "L2", "L3"]
LineToNeutral: TypeAlias = Literal["L1-N", "L2-N", "L3-N"]
Phase: TypeAlias = Line | LineToNeutral
Values: TypeAlias = Sequence[tuple[Phase | UnsetType, int]]
"""The values of one measurand at one time: phase (unset: of the slot as a whole), and number in thousandths of the unit
(Wh, W, A, V, Hz, degrees Celsius, percent)."""

NOMINAL_MV: Final = 230_000  # between a phase and neutral, where nobody measured it

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST: Final[UtcMs] = 253_402_300_799_999  # the end of the year 9999, behind which RFC 3339 has no words


def moment(at: UtcMs) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-20T06:22:01.250Z`."""
    return f"{(_EPOCH + _MILLISECOND * min(max(at, 0), _LAST)).isoformat(timespec='milliseconds')[:-6]}Z"


def read_moment(text: object) -> UtcMs | None:
    """The moment that a peer wrote, with any offset (none: UTC) and any fraction of a second. None if it is none."""
    if not isinstance(text, str):
        return None
    text = text.strip().upper()
    if text[17:19] == "60":  # a leap second
        text = f"{text[:17]}59{text[19:]}"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


_LINES: Final[dict[str, Line]] = {"R": "L1", "S": "L2", "T": "L3"}
_TO_NEUTRAL: Final[dict[str, LineToNeutral]] = {"R": "L1-N", "S": "L2-N", "T": "L3-N"}
_ROTATIONS: Final = ("RST", "RTS", "SRT", "STR", "TRS", "TSR")
_PHASES: Final = {
    rotation: (tuple(_LINES[letter] for letter in rotation), tuple(_TO_NEUTRAL[letter] for letter in rotation))
    for rotation in _ROTATIONS
}
_PLAIN: Final = _PHASES["RST"]  # for a rotation that is unknown or does not apply


def _lines(sample: Sample) -> tuple[Line, ...]:
    return _PHASES.get(sample.rotation, _PLAIN)[0]


def _energy(sample: Sample) -> Values:
    return ((UNSET, sample.reading.energy_mwh),)


def _power(sample: Sample) -> Values:
    """The sum first, then each phase."""
    power = sample.reading.power_mw
    return [(UNSET, sum(power)), *zip(_lines(sample), power, strict=False)] if power else ()


def _current(sample: Sample) -> Values:
    return [*zip(_lines(sample), sample.reading.current_ma, strict=False)]


def _voltage(sample: Sample) -> Values:
    return [*zip(_PHASES.get(sample.rotation, _PLAIN)[1], sample.reading.voltage_mv, strict=False)]


def _current_offered(sample: Sample) -> Values:
    return _single(sample.offered_ma)


def _power_offered(sample: Sample) -> Values:
    """What the offer comes to over the phases that the meter has, at the voltage that it measured."""
    reading = sample.reading
    volts = reading.voltage_mv or (NOMINAL_MV,) * len(reading.current_ma or reading.power_mw)
    if sample.offered_ma is None or not volts:
        return ()
    return ((UNSET, sample.offered_ma * sum(volts) // 1000),)


def _single(number: int | None) -> Values:
    return () if number is None else ((UNSET, number),)


READ: Final[dict[Measurand, Callable[[Sample], Values]]] = {
    Measurand.ENERGY_IMPORT: _energy,
    Measurand.POWER_IMPORT: _power,
    Measurand.CURRENT_IMPORT: _current,
    Measurand.CURRENT_OFFERED: _current_offered,
    Measurand.POWER_OFFERED: _power_offered,
    Measurand.VOLTAGE: _voltage,
    Measurand.FREQUENCY: lambda sample: _single(sample.reading.frequency_millihz),
    Measurand.TEMPERATURE: lambda sample: _single(sample.reading.temperature_mc),
    Measurand.SOC: lambda sample: _single(_thousandths(sample.reading.soc_percent)),
}
"""All values of a measurand that a sample holds; none if the meter does not give it."""


def _thousandths(number: int | None) -> int | None:
    return None if number is None else number * 1000
