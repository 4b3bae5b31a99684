"""What each configuration key of 1.6 Core does, set by ChangeConfiguration while the station runs. What may be set: `test_keys.py`."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import SetLock, ShowLight
from hal.units import Colour, Light, Pattern, Pilot
from station.core.effects import Restart, SetPing
from tests.builders import CARD, CoreBench
from tests.spec import spec

INVALID = {"transactionId": 7, "idTagInfo": {"status": "Invalid"}}


def key(name: str) -> pytest.MarkDecorator:
    return spec("1.6", f"16-KEY-{name}")


def connected(**keys: str) -> CoreBench:
    """A station whose CSMS answers everything, after these ChangeConfigurations."""
    bench = CoreBench(answering=True)
    bench.connect()
    set_keys(bench, **keys)
    return bench


def set_keys(bench: CoreBench, **keys: str) -> None:
    for name, value in keys.items():
        reply = bench.reply(bench.call("ChangeConfiguration", {"key": name, "value": value}))
        assert reply == {"status": "Accepted"}, name


def known_card(bench: CoreBench) -> None:
    """One whole session, after which the cache knows the card; then the vehicle is back."""
    bench.charging()
    bench.tap()
    bench.unplug()
    bench.wait(5)
    bench.plug()
    bench.wait(3)


def offline_tap(bench: CoreBench, card: str = CARD) -> bool:
    """Whether an offline tap at a waiting vehicle starts a session."""
    bench.disconnect()
    if not bench.core.slots[0].plugged:
        bench.plug()
        bench.wait(3)
    bench.tap(card)
    return bench.core.slots[0].session is not None


def values(bench: CoreBench, context: str) -> list[dict[str, Any]]:
    """All sampled values of a context that were sent in MeterValues."""
    sampled = [v for told in bench.actions("MeterValues") for m in told["meterValue"] for v in m["sampledValue"]]
    return [value for value in sampled if value["context"] == context]


def measurands(sampled: list[dict[str, Any]]) -> set[str]:
    return {value["measurand"] for value in sampled}


def stopped(bench: CoreBench) -> dict[str, Any]:
    """Tap, and the StopTransaction that follows."""
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    return stop


# --- who may charge ---


@key("AllowOfflineTxForUnknownId")
@pytest.mark.parametrize("allowed", ["true", "false"])
def test_an_unknown_card_offline(allowed: str) -> None:
    bench = connected(AllowOfflineTxForUnknownId=allowed)
    assert offline_tap(bench, "0411") is (allowed == "true")


@key("AuthorizationCacheEnabled")
@pytest.mark.parametrize("enabled", ["true", "false"])
def test_a_cached_card_offline(enabled: str) -> None:
    bench = connected(AuthorizationCacheEnabled=enabled)
    known_card(bench)
    assert offline_tap(bench) is (enabled == "true")


@key("LocalAuthorizeOffline")
@pytest.mark.parametrize("local", ["true", "false"])
def test_whether_the_cache_counts_offline(local: str) -> None:
    bench = connected(LocalAuthorizeOffline=local)
    known_card(bench)
    assert offline_tap(bench) is (local == "true")


@key("LocalPreAuthorize")
@pytest.mark.parametrize("local", ["true", "false"])
def test_whether_the_cache_counts_online(local: str) -> None:
    bench = connected(LocalPreAuthorize=local)
    known_card(bench)
    bench.answer_all()
    before = len(bench.actions("Authorize"))
    bench.tap()
    assert (bench.core.slots[0].session is not None) is (local == "true")
    assert len(bench.actions("Authorize")) - before == (local == "false")


@key("AuthorizeRemoteTxRequests")
@pytest.mark.parametrize("asks", ["true", "false"])
def test_a_remote_start_may_have_to_be_authorised(asks: str) -> None:
    bench = connected(AuthorizeRemoteTxRequests=asks)
    bench.plug()
    bench.answer_all()
    bench.call("RemoteStartTransaction", {"idTag": "app", "connectorId": 1})
    assert (bench.core.slots[0].session is not None) is (asks == "false")
    assert len(bench.actions("Authorize")) == (asks == "true")


@key("ConnectionTimeOut")
@pytest.mark.parametrize("seconds", [12, 200])
def test_how_long_an_authorisation_waits_for_a_plug(seconds: int) -> None:
    bench = connected(ConnectionTimeOut=str(seconds))
    bench.call("RemoteStartTransaction", {"idTag": "app", "connectorId": 1})
    bench.answer_all()
    assert bench.statuses()[-1] == "Preparing"
    bench.wait(seconds - 1)
    assert bench.statuses()[-1] == "Preparing"
    bench.wait(2)
    assert bench.statuses()[-1] == "Available"


# --- transactions ---


def refused_after_start(**keys: str) -> CoreBench:
    """A session that runs when the CSMS answers its StartTransaction with Invalid."""
    bench = connected(**keys)
    bench.plug()
    bench.wait(3)
    bench.tap()
    bench.answer_all(StartTransaction=INVALID)
    bench.pilot(Pilot.C)
    bench.answer_all()
    return bench


@key("StopTransactionOnInvalidId")
@pytest.mark.parametrize("stops", ["true", "false"])
def test_a_card_that_is_refused_after_the_start(stops: str) -> None:
    bench = refused_after_start(StopTransactionOnInvalidId=stops)
    bench.wait(60)
    if stops == "true":
        assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["DeAuthorized"]
    else:
        assert bench.actions("StopTransaction") == []
        assert bench.statuses()[-1] == "SuspendedEVSE"


@key("MaxEnergyOnInvalidId")
def test_energy_for_a_card_that_is_refused_after_the_start() -> None:
    bench = refused_after_start(
        StopTransactionOnInvalidId="false", MaxEnergyOnInvalidId="1000", MeterValueSampleInterval="10"
    )
    assert bench.statuses()[-1] == "Charging"
    bench.wait(60)
    assert bench.statuses()[-1] == "Charging", "some 180 Wh of 1000"
    bench.wait(600)
    assert bench.statuses()[-1] == "SuspendedEVSE"
    assert 1_000_000 <= bench.register_mwh[1] < 1_150_000


@key("StopTransactionOnEVSideDisconnect")
@pytest.mark.parametrize("stops", ["true", "false"])
def test_the_cable_is_pulled_at_the_vehicle(stops: str) -> None:
    bench = connected(StopTransactionOnEVSideDisconnect=stops)
    bench.charging()
    bench.pilot(Pilot.A)
    bench.answer_all()
    bench.wait(10)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["EVDisconnected"] * (stops == "true")
    assert (bench.core.slots[0].session is None) is (stops == "true")


@key("UnlockConnectorOnEVSideDisconnect")
@pytest.mark.parametrize("unlocks", ["true", "false"])
def test_the_plug_of_a_cable_that_was_pulled_at_the_vehicle(unlocks: str) -> None:
    bench = connected(UnlockConnectorOnEVSideDisconnect=unlocks)
    bench.charging()
    bench.pilot(Pilot.A)
    bench.answer_all()
    bench.wait(60)
    assert (SetLock(1, False) in bench.effects) is (unlocks == "true")


@key("TransactionMessageAttempts")
@pytest.mark.parametrize("attempts", [1, 4])
def test_how_often_a_transaction_message_is_tried(attempts: int) -> None:
    bench = connected(TransactionMessageAttempts=str(attempts), TransactionMessageRetryInterval="1")
    bench.answering = False
    bench.plug()
    bench.wait(3)
    bench.tap()
    bench.answer_all(StartTransaction={"nonsense": 1})
    for _ in range(20):
        bench.wait(30)
        while bench.open_call is not None and bench.open_call[2] == "StartTransaction":
            bench.refuse()
        bench.answer_all(StartTransaction={"nonsense": 1})
    assert len(bench.actions("StartTransaction")) == attempts


@key("TransactionMessageRetryInterval")
@pytest.mark.parametrize("seconds", [5, 90])
def test_the_wait_before_a_transaction_message_is_tried_again(seconds: int) -> None:
    bench = connected(TransactionMessageAttempts="3", TransactionMessageRetryInterval=str(seconds))
    bench.answering = False
    bench.plug()
    bench.wait(3)
    bench.answer_all()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    bench.refuse()
    bench.answer_all(StartTransaction=INVALID)
    bench.wait(seconds - 0.5)
    assert len(bench.actions("StartTransaction")) == 1
    bench.wait(1)
    assert len(bench.actions("StartTransaction")) == 2


# --- values ---


@key("MeterValueSampleInterval")
@pytest.mark.parametrize(("seconds", "count"), [(10, 12), (40, 3), (0, 0)])
def test_how_often_values_are_sampled(seconds: int, count: int) -> None:
    bench = connected(MeterValueSampleInterval=str(seconds), ClockAlignedDataInterval="0")
    bench.charging()
    bench.wait(121)
    assert len(bench.actions("MeterValues")) == count


@key("MeterValuesSampledData")
def test_what_is_sampled() -> None:
    bench = connected(MeterValuesSampledData="Voltage,Power.Active.Import", ClockAlignedDataInterval="0")
    bench.charging()
    bench.wait(61)
    assert measurands(values(bench, "Sample.Periodic")) == {"Voltage", "Power.Active.Import"}
    set_keys(bench, MeterValuesSampledData="")
    before = len(bench.actions("MeterValues"))
    bench.wait(300)
    assert len(bench.actions("MeterValues")) == before


@key("ClockAlignedDataInterval")
@pytest.mark.parametrize(("seconds", "count"), [(600, 6), (1800, 2), (0, 0)])
def test_how_often_values_are_aligned_with_the_clock(seconds: int, count: int) -> None:
    bench = connected(ClockAlignedDataInterval=str(seconds))
    bench.wait(3601)
    told = [payload for payload in bench.actions("MeterValues") if payload["connectorId"] == 1]
    assert len(told) == count
    times = [payload["meterValue"][0]["timestamp"] for payload in told]
    assert all(int(time[14:16]) * 60 % (seconds or 1) == 0 and time[17:19] == "00" for time in times)


@key("MeterValuesAlignedData")
def test_what_is_aligned_with_the_clock() -> None:
    bench = connected(MeterValuesAlignedData="Frequency,Voltage", ClockAlignedDataInterval="60")
    bench.wait(61)
    assert measurands(values(bench, "Sample.Clock")) == {"Frequency", "Voltage"}


@key("StopTxnSampledData")
def test_what_a_stop_says_of_the_samples() -> None:
    bench = connected(StopTxnSampledData="Current.Import", MeterValueSampleInterval="30", ClockAlignedDataInterval="0")
    bench.charging()
    bench.wait(91)
    data = stopped(bench)["transactionData"]
    contexts = [entry["sampledValue"][0]["context"] for entry in data]
    assert contexts == ["Transaction.Begin", *["Sample.Periodic"] * 3, "Transaction.End"]
    assert {value["measurand"] for entry in data for value in entry["sampledValue"]} == {"Current.Import"}


@key("StopTxnAlignedData")
def test_what_a_stop_says_of_the_clock() -> None:
    bench = connected(StopTxnAlignedData="Voltage", ClockAlignedDataInterval="60", MeterValueSampleInterval="0")
    bench.charging()
    bench.wait(181)
    data = stopped(bench)["transactionData"]
    clock = [v for entry in data for v in entry["sampledValue"] if v["context"] == "Sample.Clock"]
    assert measurands(clock) == {"Voltage"}
    assert len(clock) == 9, "three times three phases"


@key("ConnectorPhaseRotation")
def test_the_names_of_the_phases() -> None:
    bench = connected(
        ConnectorPhaseRotation="1.STR", MeterValuesAlignedData="Current.Import", ClockAlignedDataInterval="60"
    )
    bench.wait(61)
    first = next(payload for payload in bench.actions("MeterValues") if payload["connectorId"] == 1)
    assert [value["phase"] for value in first["meterValue"][0]["sampledValue"]] == ["L2", "L3", "L1"]


# --- the connection ---


@key("HeartbeatInterval")
@pytest.mark.parametrize("seconds", [7, 1000])
def test_how_often_the_heart_beats(seconds: int) -> None:
    bench = connected(HeartbeatInterval=str(seconds))
    bench.wait(seconds * 3 + 1)
    assert len(bench.actions("Heartbeat")) == 3


@key("MessageTimeout")
@pytest.mark.parametrize("seconds", [4, 55])
def test_how_long_an_answer_is_waited_for(seconds: int) -> None:
    bench = connected(MessageTimeout=str(seconds))
    bench.answering = False
    bench.plug()
    bench.wait(3)
    bench.answer_all()
    bench.tap()
    bench.wait(seconds - 1)
    assert bench.open_call is not None and bench.open_call[2] == "Authorize"
    bench.wait(2)
    assert bench.open_call is None


@key("WebSocketPingInterval")
def test_pings_of_the_open_link_change_at_once() -> None:
    bench = connected()
    assert not any(isinstance(effect, SetPing) for effect in bench.effects)
    set_keys(bench, WebSocketPingInterval="7")
    set_keys(bench, WebSocketPingInterval="0")
    assert [effect for effect in bench.effects if isinstance(effect, SetPing)] == [SetPing(7), SetPing(0)]


@key("MinimumStatusDuration")
def test_states_that_are_over_before_they_are_told() -> None:
    bench = connected(MinimumStatusDuration="30")
    bench.plug()
    bench.wait(20)
    bench.unplug()
    bench.wait(100)
    assert bench.statuses() == ["Available"]
    bench.plug()
    bench.wait(31)
    assert bench.statuses() == ["Available", "Preparing"]


@key("ResetRetries")
@pytest.mark.parametrize("retries", [0, 3])
def test_how_often_a_reset_that_fails_is_tried_again(retries: int) -> None:
    """Nobody takes this bench down: every Restart that it is asked for comes to nothing."""
    bench = connected(ResetRetries=str(retries))
    bench.call("Reset", {"type": "Hard"})
    bench.wait(600)
    assert sum(isinstance(effect, Restart) for effect in bench.effects) == 1 + retries


# --- lamps ---


def lights(bench: CoreBench, slot: int) -> list[Light]:
    return [effect.light for effect in bench.effects if isinstance(effect, ShowLight) and effect.slot == slot]


@key("LightIntensity")
def test_how_bright_the_lamps_are() -> None:
    bench = connected()
    assert {light.percent for light in lights(bench, 1)} == {100}
    set_keys(bench, LightIntensity="30")
    assert lights(bench, 0)[-1].percent == lights(bench, 1)[-1].percent == lights(bench, 2)[-1].percent == 30
    bench.plug()
    assert lights(bench, 1)[-1].percent == 30
    set_keys(bench, LightIntensity="100")
    assert {lights(bench, number)[-1].percent for number in (0, 1, 2)} == {100}


@key("BlinkRepeat")
@pytest.mark.parametrize("blinks", [0, 2, 10])
def test_how_often_a_refusal_blinks(blinks: int) -> None:
    """Twice a second."""
    bench = connected(BlinkRepeat=str(blinks))
    bench.disconnect()
    bench.tap("0499")
    refused = Light(Colour.RED, Pattern.FLICKER)
    assert (refused in lights(bench, 0)) is (blinks > 0)
    if blinks:
        bench.wait(blinks / 2 - 0.1)
        assert lights(bench, 0)[-1] == refused
        bench.wait(0.2)
        assert lights(bench, 0)[-1] != refused
