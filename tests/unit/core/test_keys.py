"""Every configuration key of 1.6 Core: that it is there, what may be set, what is refused, and that it lasts (1.6 §9.1).

What each key does: `test_keys_effect.py`. A key that is not among these is not told; those of profiles that are not built
must not be.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from hal.units import Pilot
from ocpp_client.dialects.v16.keys import KEYS
from station.words.common import Measurand
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.spec import spec

BOOLEAN: Final = (("true", "false", "TRUE"), ("1", "0", "yes", "on", "", "truefalse"))
SECONDS: Final = (("0", "1", "86400", "0060"), ("-1", "1.5", "1e3", "", "ten", "0x10", "+5", "31536001", "٣"))
COUNT: Final = (("0", "1", "999"), ("-1", "0.5", "", "x", "1000001"))
PERCENT: Final = (("0", "55", "100"), ("-1", "101", "50%", ""))
POSITIVE: Final = (("1", "7"), ("0", "-1", "x", ""))
MEASURANDS: Final = (
    ("Energy.Active.Import.Register", "Voltage,Current.Import,Power.Active.Import", "", "Voltage, Temperature"),
    ("energy.active.import.register", "Bogus", "Voltage,", "Voltage,Voltage", "Voltage;Temperature", "SoC"),
)
ROTATION: Final = (("0.RST,1.RTS,2.SRT", "1.Unknown", "2.NotApplicable"), ("RST", "3.RST", "1.RST,1.STR", "1.ABC", ""))

WRITABLE: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "AllowOfflineTxForUnknownId": BOOLEAN,
    "AuthorizationCacheEnabled": BOOLEAN,
    "AuthorizeRemoteTxRequests": BOOLEAN,
    "BlinkRepeat": (("0", "3", "100"), ("-1", "101", "x", "")),
    "ClockAlignedDataInterval": SECONDS,
    "ConnectionTimeOut": SECONDS,
    "ConnectorPhaseRotation": ROTATION,
    "HeartbeatInterval": SECONDS,
    "LightIntensity": PERCENT,
    "LocalAuthorizeOffline": BOOLEAN,
    "LocalPreAuthorize": BOOLEAN,
    "MaxEnergyOnInvalidId": COUNT,
    "MessageTimeout": (("1", "30", "3600"), ("0", "-1", "3601", "")),
    "MeterValuesAlignedData": MEASURANDS,
    "MeterValuesSampledData": MEASURANDS,
    "MeterValueSampleInterval": SECONDS,
    "MinimumStatusDuration": SECONDS,
    "ResetRetries": COUNT,
    "StopTransactionOnEVSideDisconnect": BOOLEAN,
    "StopTransactionOnInvalidId": BOOLEAN,
    "StopTxnAlignedData": MEASURANDS,
    "StopTxnSampledData": MEASURANDS,
    "TransactionMessageAttempts": POSITIVE,
    "TransactionMessageRetryInterval": SECONDS,
    "UnlockConnectorOnEVSideDisconnect": BOOLEAN,
    "WebSocketPingInterval": SECONDS,
}
COMPUTED: Final = {
    "ConnectorPhaseRotationMaxLength": "3",
    "GetConfigurationMaxKeys": "100",
    "MeterValuesAlignedDataMaxLength": "20",
    "MeterValuesSampledDataMaxLength": "20",
    "NumberOfConnectors": "2",
    "StopTransactionMaxMeterValues": "250",
    "StopTxnAlignedDataMaxLength": "20",
    "StopTxnSampledDataMaxLength": "20",
    "SupportedFeatureProfiles": "Core,RemoteTrigger",
    "SupportedFeatureProfilesMaxLength": "2",
}
DEFAULTS: Final = {
    "AllowOfflineTxForUnknownId": "false",
    "HeartbeatInterval": "300",
    "MessageTimeout": "30",
    "MeterValuesSampledData": "Energy.Active.Import.Register",
    "StopTxnSampledData": "",
    "ConnectorPhaseRotation": "0.RST,1.RST,2.STR",
}
ABSENT: Final = (
    *("ChargeProfileMaxStackLevel", "ChargingScheduleAllowedChargingRateUnit", "ChargingScheduleMaxPeriods"),
    *("ConnectorSwitch3to1PhaseSupported", "MaxChargingProfilesInstalled", "ReserveConnectorZeroSupported"),
    *("LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength", "SupportedFileTransferProtocols"),
    *("AuthorizationKey", "SecurityProfile", "CpoName", "CertificateStoreMaxLength", "AdditionalRootCertificateCheck"),
)


def tagged(names: Any) -> list[Any]:
    return [pytest.param(name, marks=spec("1.6", f"16-KEY-{name}")) for name in names]


def connected(**options: Any) -> CoreBench:
    bench = CoreBench(**options)
    bench.connect()
    return bench


def change(bench: CoreBench, key: str, value: str) -> Any:
    return bench.reply(bench.call("ChangeConfiguration", {"key": key, "value": value}))["status"]


def get(bench: CoreBench, key: str) -> tuple[str, bool]:
    reply = bench.reply(bench.call("GetConfiguration", {"key": [key]}))
    assert "unknownKey" not in reply, f"there is no {key}"
    [entry] = reply["configurationKey"]
    assert entry["key"] == key
    return entry["value"], entry["readonly"]


def spelled(text: str) -> str:
    """As the station writes what it was given."""
    if text.lower() in ("true", "false"):
        return text.lower()
    return str(int(text)) if text.isdigit() else text.replace(" ", "")


@pytest.mark.parametrize("key", tagged(WRITABLE))
def test_a_key_that_can_be_set(key: str) -> None:
    good, bad = WRITABLE[key]
    bench = connected()
    assert get(bench, key)[1] is False
    if key in DEFAULTS:
        assert get(bench, key)[0] == DEFAULTS[key]
    for text in good:
        assert change(bench, key, text) == "Accepted", text
        assert get(bench, key)[0] == spelled(text)
    before = get(bench, key)
    for text in bad:
        assert change(bench, key, text) == "Rejected", text
    assert get(bench, key) == before
    later = bench.restart()
    assert get(later, key) == before, "it lasts over a restart"


@pytest.mark.parametrize("key", tagged(COMPUTED))
def test_a_key_that_follows_from_how_the_station_is_built(key: str) -> None:
    bench = connected()
    assert get(bench, key) == (COMPUTED[key], True)
    assert change(bench, key, COMPUTED[key]) == "Rejected"
    assert change(bench, key, "1") == "Rejected"
    assert get(bench, key) == (COMPUTED[key], True)


def test_there_are_no_other_keys() -> None:
    assert {key.name for key in KEYS} == {*WRITABLE, *COMPUTED}


@pytest.mark.parametrize("key", ABSENT)
def test_the_keys_of_profiles_that_are_not_built_do_not_exist(key: str) -> None:
    bench = connected()
    assert change(bench, key, "1") == "NotSupported"
    assert bench.reply(bench.call("GetConfiguration", {"key": [key]})) == {"unknownKey": [key]}


@spec("1.6", "16-KEY-NumberOfConnectors", "16-KEY-UnlockConnectorOnEVSideDisconnect")
def test_a_station_with_a_fixed_cable() -> None:
    """One connector, and nothing to unlock: read-only and false (errata)."""
    bench = connected(template="tethered-11kw")
    assert get(bench, "NumberOfConnectors") == ("1", True)
    assert get(bench, "UnlockConnectorOnEVSideDisconnect") == ("false", True)
    assert change(bench, "UnlockConnectorOnEVSideDisconnect", "true") == "Rejected"
    assert get(bench, "ConnectorPhaseRotation") == ("0.RST,1.RST", False)


@spec("1.6", "16-KEY-StopTransactionMaxMeterValues")
def test_a_stop_says_no_more_than_the_key_tells() -> None:
    bench = connected(
        answering=True,
        settings=Settings(stop_values_max=12, stop_sampled=(Measurand.ENERGY_IMPORT,), sample_interval_s=10),
    )
    assert get(bench, "StopTransactionMaxMeterValues") == ("12", True)
    bench.charging()
    bench.wait(1000)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert 6 < len(stop["transactionData"]) <= 12
