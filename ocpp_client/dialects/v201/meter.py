"""Samples of a meter as MeterValueType and SampledValueType of 2.0.1 (2.0.1 edition 3 part 2, block J).

Values are numbers in the resolution of the meter, save for registers, which are whole Wh as in 1.6. 2.0.1 has no
Temperature: it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ocpp_client.dialects.values import READ, moment
from ocpp_client.wire import v201 as wire
from station.words.common import Context, Measurand, Sample

_UNITS: Final[dict[Measurand, tuple[wire.MeasurandEnumType, wire.UnitOfMeasureType]]] = {
    Measurand.ENERGY_IMPORT: ("Energy.Active.Import.Register", wire.UnitOfMeasureType(unit="Wh")),
    Measurand.POWER_IMPORT: ("Power.Active.Import", wire.UnitOfMeasureType(unit="W")),
    Measurand.POWER_OFFERED: ("Power.Offered", wire.UnitOfMeasureType(unit="W")),
    Measurand.CURRENT_IMPORT: ("Current.Import", wire.UnitOfMeasureType(unit="A")),
    Measurand.CURRENT_OFFERED: ("Current.Offered", wire.UnitOfMeasureType(unit="A")),
    Measurand.VOLTAGE: ("Voltage", wire.UnitOfMeasureType(unit="V")),
    Measurand.FREQUENCY: ("Frequency", wire.UnitOfMeasureType(unit="Hz")),
    Measurand.SOC: ("SoC", wire.UnitOfMeasureType(unit="Percent")),
}
_CONTEXTS: Final[dict[Context, wire.ReadingContextEnumType]] = {
    Context.PERIODIC: "Sample.Periodic",
    Context.CLOCK: "Sample.Clock",
    Context.BEGIN: "Transaction.Begin",
    Context.END: "Transaction.End",
    Context.TRIGGER: "Trigger",
    Context.INTERRUPTION_BEGIN: "Interruption.Begin",
    Context.INTERRUPTION_END: "Interruption.End",
    Context.OTHER: "Other",
}


def meter_values(samples: Sequence[Sample]) -> list[wire.MeterValueType]:
    """One MeterValue a sample, save for samples that hold nothing of what they should report."""
    return [
        wire.MeterValueType(timestamp=moment(sample.at.utc_ms), sampledValue=values)
        for sample in samples
        if (values := _sampled_values(sample))
    ]


def _sampled_values(sample: Sample) -> list[wire.SampledValueType]:
    context = _CONTEXTS[sample.context]
    return [
        wire.SampledValueType(
            value=number // 1000 if measurand is Measurand.ENERGY_IMPORT else number / 1000,
            context=context,
            measurand=name,
            phase=phase,
            unitOfMeasure=unit,
        )
        for measurand in sample.what
        if measurand in _UNITS
        for name, unit in (_UNITS[measurand],)
        for phase, number in READ[measurand](sample)
    ]
