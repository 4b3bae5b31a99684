"""The configuration keys of 1.6: each stands for a setting or is computed, and both directions agree."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_client.dialects import load
from ocpp_client.dialects.base import About, Answered, CallRefused
from ocpp_client.dialects.v16.keys import KEYS, MAX_KEYS, MAX_MEASURANDS
from station.words.commands import ChangeSettings, ReadSettings
from station.words.outcomes import SettingsChanged, SettingsTold, SettingTold
from station.words.questions import TimedOut
from station.words.settings import NAMES, TEMPLATES, TOML_ONLY, Settings, SlotShape, StationShape, parse, spell
from tests.dialects.judge import faults
from tests.spec import spec

V16 = load("1.6")
TWO = About(TEMPLATES["two-sockets-22kw"])
TETHERED = About(TEMPLATES["tethered-11kw"])
REJECTED = Answered(b'{"status":"Rejected"}')


def station(command: ReadSettings, settings: Settings | None = None) -> SettingsTold:
    """What a station says to it: a fake of the block that knows neutral names only."""
    settings = settings or Settings()
    asked = command.names or NAMES
    return SettingsTold(
        tuple(SettingTold(name, spell(getattr(settings, name)), name in TOML_ONLY) for name in asked if name in NAMES),
        tuple(name for name in asked if name not in NAMES),
    )


def get(*keys: str, about: About = TWO) -> tuple[dict[str, tuple[str, bool]], list[str]]:
    """GetConfiguration there and back: keys with value and readonly, and unknown keys."""
    command = V16.command("GetConfiguration", json.dumps({"key": keys}).encode(), about)
    assert isinstance(command, ReadSettings)
    payload = V16.outcome(command, station(command), about)
    assert faults("v16", "GetConfiguration", "response", payload) == []
    content = json.loads(payload)
    found = content.get("configurationKey", [])
    return {one["key"]: (one.get("value"), one["readonly"]) for one in found}, content.get("unknownKey", [])


def change(key: str, value: str, about: About = TWO) -> Any:
    return V16.command("ChangeConfiguration", json.dumps({"key": key, "value": value}).encode(), about)


def test_the_table_is_in_order_and_every_setting_exists_once() -> None:
    settings = [key.setting for key in KEYS if key.setting]
    assert [key.name for key in KEYS] == sorted((key.name for key in KEYS), key=str.casefold)
    assert len(settings) == len(set(settings))
    assert set(NAMES) - TOML_ONLY <= set(settings)  # what only the operator may set can be shown too


@spec("1.6", "16-CONF-05")
@pytest.mark.parametrize("asked", [b"{}", b'{"key":[]}'])
def test_without_keys_all_are_told_with_value_and_readonly(asked: bytes) -> None:
    command = V16.command("GetConfiguration", asked, TWO)
    assert command == ReadSettings()
    found = json.loads(V16.outcome(ReadSettings(), station(ReadSettings()), TWO))
    assert [one["key"] for one in found["configurationKey"]] == [key.name for key in KEYS]
    assert all(isinstance(one["value"], str) for one in found["configurationKey"])
    assert found.keys() == {"configurationKey"}
    writable = {one["key"] for one in found["configurationKey"] if not one["readonly"]}
    assert writable == {key.name for key in KEYS if key.setting and key.setting not in TOML_ONLY}


@spec("1.6", "16-CONF-06")
def test_known_keys_are_told_and_unknown_ones_come_back_as_they_were_spelled() -> None:
    found, unknown = get("heartbeatinterval", "NUMBEROFCONNECTORS", "Bogus", "bogus", "sample_interval_s", "key:x")
    assert found == {"HeartbeatInterval": ("300", False), "NumberOfConnectors": ("2", True)}
    assert unknown == ["Bogus", "bogus", "sample_interval_s", "key:x"]


def test_a_key_asked_for_twice_is_told_once() -> None:
    command = V16.command("GetConfiguration", b'{"key":["ResetRetries","resetretries","x","x"]}', TWO)
    assert command == ReadSettings(("reset_retries", "key:x"))


@spec("1.6", "16-CONF-07")
def test_too_many_keys_are_refused() -> None:
    assert get(*[f"x{number}" for number in range(MAX_KEYS)])[0] == {}
    too_many = json.dumps({"key": ["x"] * (MAX_KEYS + 1)}).encode()
    refused = V16.command("GetConfiguration", too_many, TWO)
    assert isinstance(refused, CallRefused)
    assert refused.code == "OccurenceConstraintViolation"


def test_a_setting_that_is_write_only_one_that_is_locked_and_one_that_the_station_does_not_have() -> None:
    settings = (SettingTold("reset_retries", None, False), SettingTold("sample_interval_s", "60", True))
    command = ReadSettings(("reset_retries", "sample_interval_s", "ping_interval_s"))
    assert json.loads(V16.outcome(command, SettingsTold(settings, ("ping_interval_s",)), TWO)) == {
        "configurationKey": [
            {"key": "ResetRetries", "readonly": False},
            {"key": "MeterValueSampleInterval", "readonly": True, "value": "60"},
        ],
        "unknownKey": ["WebSocketPingInterval"],
    }


def test_of_settings_that_came_to_no_answer_nothing_is_said() -> None:
    command = ReadSettings(("reset_retries", "key:NumberOfConnectors", "key:Bogus"))
    assert json.loads(V16.outcome(command, TimedOut(), TWO)) == {
        "configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "2"}],
        "unknownKey": ["Bogus"],
    }


def test_what_is_computed_from_the_station() -> None:
    assert get("SupportedFeatureProfiles", "ConnectorPhaseRotation", "ConnectorPhaseRotationMaxLength")[0] == {
        "SupportedFeatureProfiles": ("Core,RemoteTrigger", True),
        "ConnectorPhaseRotation": ("0.RST,1.RST,2.STR", False),
        "ConnectorPhaseRotationMaxLength": ("3", True),
    }
    assert get("NumberOfConnectors", about=TETHERED)[0] == {"NumberOfConnectors": ("1", True)}


def test_a_fixed_cable_is_not_unlocked_and_nobody_can_say_otherwise() -> None:
    key = "UnlockConnectorOnEVSideDisconnect"
    assert get(key, about=TETHERED) == ({key: ("false", True)}, [])
    assert change(key, "true", TETHERED) == REJECTED
    assert get(key) == ({key: ("true", False)}, [])
    assert change(key, "false") == ChangeSettings((("unlock_on_ev_disconnect", "false"),))


@pytest.mark.parametrize("key", [key for key in KEYS if key.setting], ids=lambda key: key.name)
def test_what_is_told_can_be_set_again(key: Any) -> None:
    (value, _) = get(key.name)[0][key.name]
    command = change(key.name.swapcase(), value)
    assert command == ChangeSettings(((key.setting, value),))
    parse(key.setting, value)


@spec("1.6", "16-CONF-04")
@pytest.mark.parametrize("key", [key for key in KEYS if not key.setting], ids=lambda key: key.name)
def test_what_is_computed_cannot_be_set(key: Any) -> None:
    assert change(key.name, "1") == REJECTED


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("accepted", "Accepted"),
        pytest.param("restart", "RebootRequired", marks=spec("1.6", "16-CONF-02")),
        pytest.param("unknown", "NotSupported", marks=spec("1.6", "16-CONF-03")),
        ("rejected", "Rejected"),
        ("read_only", "Rejected"),
    ],
)
def test_how_a_change_ended(status: Any, expected: str) -> None:
    command = change("ResetRetries", "3")
    assert json.loads(V16.outcome(command, SettingsChanged((status,)), TWO)) == {"status": expected}


@pytest.mark.parametrize("key", ["Bogus", "", "reset_retries", "LocalAuthListEnabled", "ChargeProfileMaxStackLevel"])
def test_a_key_of_no_built_profile_does_not_exist(key: str) -> None:
    assert change(key, "1") == ChangeSettings(((None, "1"),))
    assert get(key) == ({}, [key])


@pytest.mark.parametrize(
    ("text", "neutral"),
    [
        ("0.RST,1.RST,2.STR", "0.RST,1.RST,2.STR"),
        ("1.NotApplicable, 2.Unknown", "1.NotApplicable,2.Unknown"),
        (" 2.TSR ", "2.TSR"),
        ("3.RST", None),
        ("1.RST,1.STR", None),
        ("01.RST", None),
        ("1.RRR", None),
        ("1.rst", None),
        ("RST", None),
        ("1.RST,", None),
        ("", None),
        ("٢.RST", None),
    ],
)
def test_phase_rotation_is_a_list_of_connectors_and_rotations(text: str, neutral: str | None) -> None:
    expected = REJECTED if neutral is None else ChangeSettings((("phase_rotation", neutral),))
    assert change("ConnectorPhaseRotation", text) == expected


@spec("1.6", "16-MV-10")
@pytest.mark.parametrize(
    "key", ["MeterValuesSampledData", "MeterValuesAlignedData", "StopTxnSampledData", "StopTxnAlignedData"]
)
def test_a_list_of_measurands_has_the_length_that_is_told(key: str) -> None:
    assert get(f"{key}MaxLength")[0] == {f"{key}MaxLength": (str(MAX_MEASURANDS), True)}
    assert isinstance(change(key, ",".join(["SoC"] * MAX_MEASURANDS)), ChangeSettings)
    assert change(key, ",".join(["SoC"] * (MAX_MEASURANDS + 1))) == REJECTED


def test_values_longer_than_a_key_can_hold_are_cut() -> None:
    many = About(StationShape(slots=(SlotShape(),) * 99))
    assert len(get("ConnectorPhaseRotation", about=many)[0]["ConnectorPhaseRotation"][0]) == 500
