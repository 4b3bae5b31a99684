"""Samples of a meter as meterValue and sampledValue of 1.6 (1.6 edition 2 §3.16, §7.33 and §7.43).

Values are texts; context, measurand and unit are always spelled out, location and format have their defaults. This is
what a station says most often, so what does not change from value to value is looked up once a measurand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ocpp_client.dialects.values import READ, Phase, Values, moment
from ocpp_client.wire import codec
from ocpp_client.wire import v16 as wire
from station.words.common import Context, Measurand, Sample

Spell: TypeAlias = Callable[[int], str]


def whole_down(thousandths: int) -> str:
    """Registers: floored, so that differences of registers add up."""
    return str(thousandths // 1000)


def whole(thousandths: int) -> str:
    return str((thousandths + 500) // 1000)


def tenths(thousandths: int) -> str:
    number = (thousandths + 50) // 100
    return f"{number // 10}.{number % 10}" if number >= 0 else f"-{-number // 10}.{-number % 10}"


def hundredths(thousandths: int) -> str:
    number = (thousandths + 5) // 10
    return f"{number // 100}.{number % 100:02}" if number >= 0 else f"-{-number // 100}.{-number % 100:02}"


class _Row(NamedTuple):
    """How 1.6 reports a measurand."""

    name: wire.Measurand
    unit: wire.Unit | UnsetType
    spell: Spell
    read: Callable[[Sample], Values]


def _row(
    measurand: Measurand, name: wire.Measurand, unit: wire.Unit | UnsetType, spell: Spell
) -> tuple[Measurand, _Row]:
    return measurand, _Row(name, unit, spell, READ[measurand])


_ROWS: Final[dict[Measurand, _Row]] = dict(
    (
        _row(Measurand.ENERGY_IMPORT, "Energy.Active.Import.Register", "Wh", whole_down),
        _row(Measurand.POWER_IMPORT, "Power.Active.Import", "W", whole),
        _row(Measurand.POWER_OFFERED, "Power.Offered", "W", whole),
        _row(Measurand.CURRENT_IMPORT, "Current.Import", "A", tenths),
        _row(Measurand.CURRENT_OFFERED, "Current.Offered", "A", tenths),
        _row(Measurand.VOLTAGE, "Voltage", "V", tenths),
        _row(Measurand.FREQUENCY, "Frequency", UNSET, hundredths),  # 1.6 has no unit for it and means Hz
        _row(Measurand.TEMPERATURE, "Temperature", "Celcius", tenths),  # the official spelling
        _row(Measurand.SOC, "SoC", "Percent", whole),
    )
)

_CONTEXTS: Final[dict[Context, wire.Context]] = {
    Context.PERIODIC: "Sample.Periodic",
    Context.CLOCK: "Sample.Clock",
    Context.BEGIN: "Transaction.Begin",
    Context.END: "Transaction.End",
    Context.TRIGGER: "Trigger",
    Context.INTERRUPTION_BEGIN: "Interruption.Begin",
    Context.INTERRUPTION_END: "Interruption.End",
    Context.OTHER: "Other",
}


def meter_values(samples: Sequence[Sample]) -> list[msgspec.Raw]:
    """One meterValue a sample, as JSON, save for samples that hold nothing of what they should report.

    Written by hand and not as wire types: it is most of what a station says, and all but the numbers is known beforehand.
    """
    return [
        msgspec.Raw(f'{{"timestamp":"{moment(sample.at.utc_ms)}","sampledValue":[{values}]}}'.encode())
        for sample in samples
        if (values := _sampled_values(sample))
    ]


def _sampled_values(sample: Sample) -> str:
    context = _CONTEXTS[sample.context]
    return ",".join(
        [
            f'{{"value":"{spell(number)}{_tail(name, context, phase, unit)}'
            for name, unit, spell, read in [_ROWS[measurand] for measurand in sample.what]
            for phase, number in read(sample)
        ]
    )


@cache
def _tail(name: wire.Measurand, context: wire.Context, phase: Phase | UnsetType, unit: wire.Unit | UnsetType) -> str:
    """All of a sampledValue behind its number, which the wire types spell."""
    value = wire.SampledValue(value="", context=context, measurand=name, phase=phase, unit=unit)
    return codec.encode(value).decode().removeprefix('{"value":"')
