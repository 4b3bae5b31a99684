"""Values of a meter as a 1.6 station reports them: measurands, units, phases, and numbers spelled from integers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hal.units import Reading
from ocpp_client.dialects import load
from ocpp_client.dialects.base import Told
from ocpp_client.dialects.values import NOMINAL_MV
from station.words.common import Context, Measurand, Sample
from station.words.facts import MeterTold
from tests.dialects.cases import ABOUT, FULL, at, sample, transaction
from tests.dialects.judge import faults
from tests.spec import spec

V16 = load("1.6")


def values(told: Told) -> list[dict[str, str]]:
    """The sampledValues of the only meterValue in a MeterValues, which is judged."""
    call = V16.encode(told, ABOUT)
    assert call is not None
    assert faults("v16", "MeterValues", "request", call[1]) == []
    (value,) = json.loads(call[1])["meterValue"]
    found: list[dict[str, str]] = value["sampledValue"]
    return found


def told_of(what: tuple[Measurand, ...], reading: Reading = FULL, **more: Any) -> MeterTold:
    return MeterTold(1, (Sample(at(0), Context.PERIODIC, reading, what, **more),))


@pytest.mark.parametrize("context", [pytest.param(one, marks=spec("1.6", "16-MV-20")) for one in Context])
def test_the_context_is_always_said(context: Context) -> None:
    assert values(MeterTold(1, (sample(0, 1, context),)))[0]["context"] == context.value


def test_every_measurand_has_its_name_and_unit() -> None:
    units = {
        one["measurand"]: one.get("unit") for one in values(told_of(tuple(Measurand), offered_ma=6000)) if one["value"]
    }
    assert units == {
        "Energy.Active.Import.Register": "Wh",
        "Power.Active.Import": "W",
        "Power.Offered": "W",
        "Current.Import": "A",
        "Current.Offered": "A",
        "Voltage": "V",
        "Frequency": None,
        "Temperature": "Celcius",
        "SoC": "Percent",
    }


@spec("1.6", "16-MV-17")
def test_the_unit_of_a_temperature_keeps_its_spelling() -> None:
    assert values(told_of((Measurand.TEMPERATURE,)))[0]["unit"] == "Celcius"


@spec("1.6", "16-MV-08")
def test_each_phase_has_a_value_of_its_own_named_after_the_phase_of_the_grid() -> None:
    def phases(measurand: Measurand, rotation: str) -> list[tuple[str | None, str]]:
        return [(one.get("phase"), one["value"]) for one in values(told_of((measurand,), rotation=rotation))]

    assert phases(Measurand.VOLTAGE, "RST") == [("L1-N", "230.1"), ("L2-N", "229.9"), ("L3-N", "231.1")]
    assert phases(Measurand.VOLTAGE, "TSR") == [("L3-N", "230.1"), ("L2-N", "229.9"), ("L1-N", "231.1")]
    assert phases(Measurand.CURRENT_IMPORT, "STR") == [("L2", "15.8"), ("L3", "15.8"), ("L1", "0.0")]
    assert phases(Measurand.CURRENT_IMPORT, "Unknown") == [("L1", "15.8"), ("L2", "15.8"), ("L3", "0.0")]
    assert phases(Measurand.POWER_IMPORT, "RST") == [(None, "7266"), ("L1", "3645"), ("L2", "3622"), ("L3", "0")]


def test_a_meter_of_one_phase_reports_one() -> None:
    one_phase = Reading(1, current_ma=(31_990,), voltage_mv=(230_000,), power_mw=(7_357_700,))
    found = values(told_of((Measurand.CURRENT_IMPORT, Measurand.VOLTAGE), one_phase, rotation="TRS"))
    assert [(one["phase"], one["value"]) for one in found] == [("L3", "32.0"), ("L3-N", "230.0")]


@pytest.mark.parametrize(
    ("reading", "watts"),
    [(FULL, "11058"), (Reading(0, current_ma=(0, 0)), str(16 * 2 * NOMINAL_MV // 1000)), (Reading(0), None)],
)
def test_offered_power_is_the_offer_times_the_voltages(reading: Reading, watts: str | None) -> None:
    told = told_of((Measurand.POWER_OFFERED,), reading, offered_ma=16_000)
    assert (values(told)[0]["value"] if watts else V16.encode(told, ABOUT)) == watts


@pytest.mark.parametrize(
    ("reading", "measurand", "text"),
    [
        (Reading(999), Measurand.ENERGY_IMPORT, "0"),
        (Reading(1_999), Measurand.ENERGY_IMPORT, "1"),
        (Reading(0, current_ma=(49,)), Measurand.CURRENT_IMPORT, "0.0"),
        (Reading(0, current_ma=(50,)), Measurand.CURRENT_IMPORT, "0.1"),
        (Reading(0, current_ma=(-51,)), Measurand.CURRENT_IMPORT, "-0.1"),
        (Reading(0, current_ma=(-9_960,)), Measurand.CURRENT_IMPORT, "-10.0"),
        (Reading(0, voltage_mv=(400_000,)), Measurand.VOLTAGE, "400.0"),
        (Reading(0, power_mw=(499,)), Measurand.POWER_IMPORT, "0"),
        (Reading(0, power_mw=(-1_500,)), Measurand.POWER_IMPORT, "-1"),
        (Reading(0, frequency_millihz=50_005), Measurand.FREQUENCY, "50.01"),
        (Reading(0, frequency_millihz=49_004), Measurand.FREQUENCY, "49.00"),
        (Reading(0, temperature_mc=-340), Measurand.TEMPERATURE, "-0.3"),
        (Reading(0, soc_percent=100), Measurand.SOC, "100"),
    ],
)
def test_numbers_are_spelled_from_integers(reading: Reading, measurand: Measurand, text: str) -> None:
    assert values(told_of((measurand,), reading))[0]["value"] == text


def test_what_the_meter_did_not_give_is_not_reported() -> None:
    assert V16.encode(told_of(tuple(Measurand)[1:], Reading(5)), ABOUT) is None
    assert V16.encode(transaction("updated"), ABOUT) is None
    assert len(values(told_of(tuple(Measurand), Reading(5)))) == 1
