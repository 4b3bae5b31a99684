"""Meter values on the bench: when they are taken, what they hold, and to which transaction they belong (1.6 §§3.16, 4.7)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.signals import LockReported, MeterRead
from hal.units import LockState, Pilot, Reading
from ocpp_client.link import LinkUp
from station.words.common import Measurand
from station.words.settings import Settings, StationShape
from tests.builders import CARD, CoreBench
from tests.spec import spec
from tests.unit.core.test_transactions import booted, charging, connected, reconnect, stop

MINUTE = 60
HOUR = 3600
ALL = StationShape().measurands


def values(bench: CoreBench, connector: int = 1) -> list[dict[str, Any]]:
    return [told for told in bench.actions("MeterValues") if told["connectorId"] == connector]


def times(bench: CoreBench, connector: int = 1) -> list[str]:
    """When the values of a connector were taken, within the day."""
    return [one["timestamp"][11:19] for told in values(bench, connector) for one in told["meterValue"]]


def only(told: dict[str, Any]) -> list[dict[str, str]]:
    """The sampledValues of a message that holds one meterValue."""
    [one] = told["meterValue"]
    found: list[dict[str, str]] = one["sampledValue"]
    return found


def set_key(bench: CoreBench, key: str, value: str) -> str:
    status: str = bench.reply(bench.call("ChangeConfiguration", {"key": key, "value": value}))["status"]
    return status


# --- sampled ---


@spec("1.6", "16-MV-01", "TC_070_CS", "16-MV-06")
def test_samples_of_a_transaction_at_each_interval_from_its_start() -> None:
    bench = connected(
        sample_interval_s=40, aligned_interval_s=0, sampled=(Measurand.ENERGY_IMPORT, Measurand.POWER_IMPORT)
    )
    bench.charging(2)
    bench.wait(130)
    assert times(bench, 2) == ["00:00:43", "00:01:23", "00:02:03"] and values(bench, 1) == []
    for told in values(bench, 2):
        assert told["transactionId"] == 1
        assert {value["context"] for value in only(told)} == {"Sample.Periodic"}
        assert {value["measurand"] for value in only(told)} == {"Energy.Active.Import.Register", "Power.Active.Import"}
    stop(bench, slot=2)
    bench.wait(130)
    assert len(values(bench, 2)) == 3  # and none after its end


@spec("1.6", "16-MV-02")
@pytest.mark.parametrize("key, value", [("MeterValueSampleInterval", "0"), ("MeterValuesSampledData", "")])
def test_no_samples_where_none_are_wanted(key: str, value: str) -> None:
    bench = connected(sample_interval_s=MINUTE, aligned_interval_s=0)
    assert set_key(bench, key, value) == "Accepted"
    bench.charging()
    bench.wait(HOUR)
    assert values(bench) == []


@spec("1.6", "16-MV-01", "16-KEY-MeterValueSampleInterval")
def test_another_interval_counts_at_once_and_from_the_start_too() -> None:
    bench = connected(sample_interval_s=HOUR, aligned_interval_s=0)
    bench.charging()
    bench.wait(100)
    assert set_key(bench, "MeterValueSampleInterval", "30") == "Accepted"
    bench.wait(60)
    assert times(bench) == ["00:02:03", "00:02:33"]
    assert set_key(bench, "MeterValueSampleInterval", "0") == "Accepted"
    bench.wait(HOUR)
    assert len(times(bench)) == 2
    assert set_key(bench, "MeterValueSampleInterval", "600") == "Accepted"
    bench.wait(600)
    assert times(bench)[2:] == ["01:10:03"]


@spec("1.6", "16-MV-08")
def test_every_measurand_that_the_meter_offers_with_all_its_phases() -> None:
    bench = connected(sample_interval_s=MINUTE, aligned_interval_s=0, sampled=ALL)
    bench.charging()
    bench.wait(MINUTE)
    [told] = values(bench)
    found = [(value["measurand"], value.get("phase", "")) for value in only(told)]
    lines, to_neutral = ("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N")
    assert sorted(found) == sorted(
        [
            ("Energy.Active.Import.Register", ""),
            *(("Power.Active.Import", phase) for phase in ("", *lines)),
            *(("Current.Import", phase) for phase in lines),
            *(("Voltage", phase) for phase in to_neutral),
            ("Current.Offered", ""),
            ("Power.Offered", ""),
            ("Frequency", ""),
        ]
    )  # the bench's meter has no thermometer, and says nothing of it
    said = {value["measurand"]: value["value"] for value in only(told) if "phase" not in value}
    assert said["Power.Active.Import"] == "11040" and said["Current.Offered"] == "32.0"
    assert said["Power.Offered"] == "22080"


@spec("1.6", "16-MV-07")
def test_what_a_value_leaves_out_is_what_everybody_assumes() -> None:
    """Location Outlet and format Raw are the defaults; the rest is spelled out."""
    bench = charging(sample_interval_s=MINUTE)
    bench.wait(MINUTE)
    [value] = only(values(bench)[0])
    assert value.pop("value") == str(bench.register_mwh[1] // 1000)
    assert value == {"context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}


@spec("1.6", "16-MV-09")
@pytest.mark.parametrize(
    "key", ["MeterValuesSampledData", "MeterValuesAlignedData", "StopTxnSampledData", "StopTxnAlignedData"]
)
@pytest.mark.parametrize("value", ["SoC", "Energy.Active.Import.Register,RPM", "Voltage,Voltage"])
def test_a_list_that_the_meter_cannot_serve_is_refused(key: str, value: str) -> None:
    bench = connected()
    assert set_key(bench, key, "Voltage") == "Accepted"
    assert set_key(bench, key, value) == "Rejected"
    told = bench.reply(bench.call("GetConfiguration", {"key": [key]}))
    assert told["configurationKey"][0]["value"] == "Voltage"


@spec("1.6", "16-MV-10")
def test_a_list_with_too_many_items_is_refused() -> None:
    bench = connected()
    assert set_key(bench, "MeterValuesSampledData", ",".join(["Voltage"] * 21)) == "Rejected"
    told = bench.reply(bench.call("GetConfiguration", {"key": ["MeterValuesSampledDataMaxLength"]}))
    assert told["configurationKey"][0]["value"] == "20"


@spec("1.6", "16-MV-18")
def test_the_register_counts_on_from_transaction_to_transaction() -> None:
    bench = connected(sample_interval_s=MINUTE, aligned_interval_s=0)
    bench.register_mwh[1] = 7_000_000
    for _ in range(2):
        bench.charging()
        bench.wait(10 * MINUTE)
        stop(bench)
        bench.unplug()
        bench.answer_all()
        bench.wait(MINUTE)
    told = bench.actions("StartTransaction", "MeterValues", "StopTransaction")
    registers = [t.get("meterStart", t.get("meterStop")) or int(only(t)[0]["value"]) for t in told]
    assert registers == sorted(registers) and registers[0] == 7000
    starts, stops = bench.actions("StartTransaction"), bench.actions("StopTransaction")
    assert starts[1]["meterStart"] == stops[0]["meterStop"] > 8000


# --- clock-aligned ---


@spec("1.6", "16-MV-03", "TC_071_CS")
def test_values_at_multiples_of_the_interval_from_midnight_in_a_transaction_or_not() -> None:
    bench = connected(sample_interval_s=0, aligned_interval_s=0, aligned=(Measurand.VOLTAGE,))
    bench.wait(1234)  # the interval is not counted from when it was set
    assert set_key(bench, "ClockAlignedDataInterval", str(7 * HOUR)) == "Accepted"
    bench.wait(HOUR)
    bench.charging()
    bench.wait(28 * HOUR)
    at = ["07:00:00", "14:00:00", "21:00:00", "00:00:00"]
    assert times(bench) == times(bench, 2) == at
    for connector, number in ((1, 1), (2, None)):
        for told in values(bench, connector):
            assert told.get("transactionId") == number
            assert {(v["context"], v["measurand"]) for v in only(told)} == {("Sample.Clock", "Voltage")}


@spec("1.6", "16-MV-04")
@pytest.mark.parametrize("key, value", [("ClockAlignedDataInterval", "0"), ("MeterValuesAlignedData", "")])
def test_no_aligned_values_where_none_are_wanted(key: str, value: str) -> None:
    bench = connected(sample_interval_s=0)
    assert set_key(bench, key, value) == "Accepted"
    bench.charging()
    bench.wait(HOUR)
    assert values(bench) == values(bench, 2) == []


@spec("1.6", "16-KEY-ClockAlignedDataInterval")
def test_another_alignment_counts_at_once() -> None:
    bench = connected(aligned_interval_s=HOUR)
    bench.wait(100)
    assert set_key(bench, "ClockAlignedDataInterval", "300") == "Accepted"
    bench.wait(600)
    assert times(bench) == ["00:05:00", "00:10:00"]


@spec("1.6", "16-MV-05")
def test_a_main_meter_is_connector_0() -> None:
    bench = CoreBench(shape=StationShape(main_meter=True), answering=True, settings=Settings(sample_interval_s=0))
    bench.register_mwh[0] = 123_456_789
    bench.connect()
    bench.wait(900)
    assert [only(told)[0]["value"] for told in values(bench, 0)] == ["123456"]
    assert times(bench, 0) == times(bench, 1) == ["00:15:00"]
    bench.register_mwh[0] = 5  # nobody believes that
    bench.wait(900)
    assert len(values(bench, 0)) == 1


@spec("1.6", "16-MV-16", "TC_036_CS")
def test_without_connection_the_values_of_a_transaction_wait_and_the_others_are_gone() -> None:
    bench = charging(sample_interval_s=MINUTE, aligned_interval_s=300)
    bench.disconnect()
    bench.wait(10 * MINUTE)
    assert values(bench) == []
    reconnect(bench)
    assert times(bench)[:6] == ["00:01:03", "00:02:03", "00:03:03", "00:04:03", "00:05:00", "00:05:03"]
    assert len(times(bench)) == 12 and {told["transactionId"] for told in values(bench)} == {1}
    assert values(bench, 2) == []
    bench.wait(MINUTE)
    assert len(times(bench)) == 13


@spec("1.6", "16-MV-19")
def test_values_on_demand_are_those_of_the_samples() -> None:
    bench = connected(sample_interval_s=0, aligned_interval_s=0, sampled=(Measurand.VOLTAGE,))
    bench.charging(2)
    bench.call("TriggerMessage", {"requestedMessage": "MeterValues"})
    bench.answer_all()
    [first], [second] = values(bench, 1), values(bench, 2)
    assert {(v["context"], v["measurand"]) for v in only(first)} == {("Trigger", "Voltage")}
    assert "transactionId" not in first and second["transactionId"] == 1


def test_values_on_demand_do_not_wait_for_a_backlog() -> None:
    bench = charging(sample_interval_s=10)
    bench.disconnect()
    bench.wait(HOUR)
    bench.give(LinkUp("ocpp1.6"))
    before = len(bench.calls)
    bench.call("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
    for _ in range(4):
        assert bench.open_call is not None
        bench.answer(bench.open_call[2], {})
    contexts = [only(told)[0]["context"] for _, _, action, told in bench.calls[before:] if action == "MeterValues"]
    assert "Trigger" in contexts


@spec("1.6", "16-MV-20")
def test_an_interruption_is_told_with_both_its_ends() -> None:
    settings = Settings(sample_interval_s=0, aligned_interval_s=0, after_restart="resume")
    bench = CoreBench(settings=settings, answering=True)
    bench.connect()
    bench.charging()
    bench.wait(100)
    later = bench.restart(settings=settings, answering=True)
    later.mono_ns += HOUR * 1_000_000_000
    booted(later)
    told = [(only(one)[0]["context"], only(one)[0]["value"]) for one in values(later)]
    assert [(at, *one) for at, one in zip(times(later), told, strict=True)] == [
        ("00:02:08", "Interruption.Begin", "306"),  # by then; a register does not move without power
        ("01:01:43", "Interruption.End", "306"),
    ]
    assert {one["transactionId"] for one in values(later)} == {1}
    stop(later)
    assert len(later.actions("StopTransaction")) == 1 and later.actions("StartTransaction") == []


@pytest.mark.parametrize("fault", ["late", "stray"])
def test_an_answer_that_nobody_waits_for_any_more_tells_nothing(fault: str) -> None:
    bench = charging(sample_interval_s=MINUTE)
    bench.board = False
    bench.wait(MINUTE)
    ticket = max(bench.core.metering.asked)
    bench.board = True
    bench.pilot(Pilot.B)
    bench.tap(CARD)
    bench.wait(5)
    bench.give(LockReported(1, LockState.OPEN))
    bench.give(MeterRead(1, ticket if fault == "late" else 9999, Reading(bench.register_mwh[1])))
    bench.answer_all()
    assert values(bench) == [] and len(bench.actions("StopTransaction")) == 1


# --- phases ---


@spec("1.6", "16-KEY-ConnectorPhaseRotation")
def test_phases_are_named_as_the_connector_is_wired() -> None:
    bench = connected(sample_interval_s=MINUTE, aligned_interval_s=0, sampled=(Measurand.CURRENT_IMPORT,))
    bench.plug(2)
    bench.tap()
    bench.answer_all()
    bench.pilot(Pilot.C, 2)
    bench.wait(MINUTE)
    assert [value["phase"] for value in only(values(bench, 2)[-1])] == ["L2", "L3", "L1"]  # built as STR
    assert set_key(bench, "ConnectorPhaseRotation", "1.RST,2.TSR") == "Accepted"
    bench.wait(MINUTE)
    assert [value["phase"] for value in only(values(bench, 2)[-1])] == ["L3", "L2", "L1"]
    assert set_key(bench, "ConnectorPhaseRotation", "1.TSR") == "Accepted"  # nothing of connector 2
    bench.wait(MINUTE)
    assert [value["phase"] for value in only(values(bench, 2)[-1])] == ["L2", "L3", "L1"]
