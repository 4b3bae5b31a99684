"""ChangeConfiguration and GetConfiguration through the core: what is answered, when, and what the disk holds (1.6 §§5.3, 5.8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hal.disk import Persist, Stored
from ocpp_client.dialects.v16.keys import KEYS, MAX_KEYS
from ocpp_client.dialects.v16.profiles import BUILT, PROFILES
from station.core.effects import SetPing
from station.words.commands import ChangeSettings, ReadSettings
from station.words.outcomes import SettingsChanged
from station.words.records import SettingRecord
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.dialects.judge import faults
from tests.spec import spec


def connected(**options: Any) -> CoreBench:
    bench = CoreBench(**options)
    bench.connect()
    return bench


def change(bench: CoreBench, key: str, value: str) -> Any:
    """The status of the answer, None while there is none."""
    reply = bench.reply(bench.call("ChangeConfiguration", {"key": key, "value": value}))
    return reply if reply is None or isinstance(reply, str) else reply["status"]


def get(bench: CoreBench, *keys: str) -> dict[str, Any]:
    """What GetConfiguration answers."""
    reply = bench.reply(bench.call("GetConfiguration", {"key": list(keys)} if keys else {}))
    assert isinstance(reply, dict)
    assert faults("v16", "GetConfiguration", "response", json.dumps(reply).encode()) == []
    return reply


def value(bench: CoreBench, key: str) -> str:
    [entry] = get(bench, key)["configurationKey"]
    assert entry["key"] == key
    return str(entry["value"])


@spec("1.6", "16-CONF-01", "TC_021_CS")
def test_a_valid_value_is_accepted_read_back_and_in_force() -> None:
    bench = connected(answering=True)
    assert change(bench, "MeterValueSampleInterval", "7") == "Accepted"
    assert value(bench, "MeterValueSampleInterval") == "7"
    bench.charging()
    bench.wait(71)
    assert len(bench.actions("MeterValues")) == 10


@spec("1.6", "16-CONF-03", "TC_040_1_CS")
@pytest.mark.parametrize("key", ["NoSuchKey", "heartbeat_interval_s", ""])
def test_an_unknown_key_is_not_supported(key: str) -> None:
    bench = connected()
    assert change(bench, key, "1") == "NotSupported"
    assert bench.disk.get("setting", {}) == {}


@spec("1.6", "16-CONF-04", "TC_040_2_CS")
@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("NumberOfConnectors", "2"),
        ("SupportedFeatureProfiles", "Core"),
        ("MeterValueSampleInterval", "-1"),
        ("MeterValueSampleInterval", "ten"),
        ("MeterValueSampleInterval", "1.5"),
        ("MeterValueSampleInterval", ""),
        ("MeterValueSampleInterval", "99999999999999999999"),
        ("LightIntensity", "101"),
        ("TransactionMessageAttempts", "0"),
        ("LocalPreAuthorize", "yes"),
        ("MeterValuesSampledData", "Energy.Active.Import.Register,Bogus"),
        ("MeterValuesSampledData", "RPM"),
        ("ConnectorPhaseRotation", "3.RST"),
    ],
)
def test_a_bad_value_or_a_key_that_cannot_be_set_is_rejected(key: str, text: str) -> None:
    bench = connected()
    before = value(bench, key)
    assert change(bench, key, text) == "Rejected"
    assert value(bench, key) == before
    assert bench.disk.get("setting", {}) == {}


@spec("1.6", "16-CONF-05", "TC_019_CS")
def test_without_keys_every_key_is_told_with_its_flag() -> None:
    bench = connected()
    told = get(bench)
    assert [entry["key"] for entry in told["configurationKey"]] == [key.name for key in KEYS]
    assert {entry["key"]: entry["readonly"] for entry in told["configurationKey"]}["NumberOfConnectors"] is True
    assert {entry["key"]: entry["readonly"] for entry in told["configurationKey"]}["HeartbeatInterval"] is False
    assert "unknownKey" not in told
    assert all(
        change(bench, entry["key"], entry["value"]) == "Rejected"
        for entry in told["configurationKey"]
        if entry["readonly"]
    )
    assert all(
        change(bench, entry["key"], entry["value"]) == "Accepted"
        for entry in told["configurationKey"]
        if not entry["readonly"]
    )


@spec("1.6", "16-CONF-06", "TC_019_CS")
def test_known_keys_are_told_and_the_others_listed() -> None:
    bench = connected()
    told = get(bench, "Bogus", "ConnectionTimeOut", "LocalAuthListMaxLength", "ResetRetries")
    assert told == {
        "configurationKey": [
            {"key": "ConnectionTimeOut", "readonly": False, "value": "60"},
            {"key": "ResetRetries", "readonly": False, "value": "1"},
        ],
        "unknownKey": ["Bogus", "LocalAuthListMaxLength"],
    }


@spec("1.6", "16-CONF-07")
def test_more_keys_than_told_are_refused() -> None:
    bench = connected()
    most = int(value(bench, "GetConfigurationMaxKeys"))
    assert most == MAX_KEYS >= len(KEYS)
    assert len(get(bench, *[f"k{number}" for number in range(most)])["unknownKey"]) == most
    too_many = bench.call("GetConfiguration", {"key": [f"k{number}" for number in range(most + 1)]})
    assert bench.reply(too_many) == "OccurenceConstraintViolation"


@spec("1.6", "16-CONF-09")
def test_what_was_accepted_is_there_after_a_power_cut() -> None:
    bench = connected()
    assert change(bench, "ConnectionTimeOut", "17") == "Accepted"
    assert change(bench, "MeterValuesSampledData", "Voltage,Current.Import") == "Accepted"
    later = bench.restart()
    later.connect()
    assert value(later, "ConnectionTimeOut") == "17"
    assert value(later, "MeterValuesSampledData") == "Voltage,Current.Import"
    assert later.core.settings.connection_timeout_s == 17
    assert later.core.image()["setting"] == later.disk["setting"]


@spec("1.6", "16-CONF-09")
def test_the_answer_waits_for_the_disk() -> None:
    bench = connected()
    bench.store = "silent"
    changed = bench.call("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "17"})
    assert bench.reply(changed) is None
    assert bench.core.settings.connection_timeout_s == 60, "nor is it in force"
    bench.wait(5.1)
    assert bench.reply(changed) == {"status": "Rejected"}
    assert value(bench, "ConnectionTimeOut") == "60"


def test_a_slow_disk_and_a_short_time_out_do_not_make_a_refused_change_come_true() -> None:
    bench = connected(settings=Settings(message_timeout_s=1))
    bench.store = "silent"
    changed = bench.call("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "17"})
    bench.wait(4)
    assert bench.reply(changed) is None
    ticket = next(effect.ticket for effect in reversed(bench.effects) if isinstance(effect, Persist))
    bench.give(Stored(ticket))
    assert bench.reply(changed) == {"status": "Accepted"}
    assert bench.core.settings.connection_timeout_s == 17


@spec("1.6", "16-CONF-09")
def test_a_disk_that_fails_means_rejected_and_unchanged() -> None:
    bench = connected()
    bench.store = "fail"
    assert change(bench, "HeartbeatInterval", "17") == "Rejected"
    assert value(bench, "HeartbeatInterval") == "300"
    bench.store = "ok"
    assert change(bench, "HeartbeatInterval", "17") == "Accepted"
    assert value(bench, "HeartbeatInterval") == "17"


@spec("1.6", "16-CONF-10")
@pytest.mark.parametrize(
    ("text", "told"), [("TRUE", "true"), ("True", "true"), ("fAlse", "false"), (" false ", "false")]
)
def test_booleans_are_read_in_any_case_and_written_in_lower_case(text: str, told: str) -> None:
    bench = connected(settings=Settings(authorize_remote=told == "false"))
    assert change(bench, "AuthorizeRemoteTxRequests", text) == "Accepted"
    assert value(bench, "AuthorizeRemoteTxRequests") == told


def test_values_of_the_last_program_that_are_no_longer_allowed_are_forgotten() -> None:
    bench = CoreBench(image={"setting": {"light_percent": SettingRecord("400"), "gone_s": SettingRecord("1")}})
    bench.connect()
    assert value(bench, "LightIntensity") == "100"
    assert "setting.refused" in bench.notes()


def test_many_changes_of_one_command_are_judged_one_by_one_and_stored_together() -> None:
    bench = connected()
    outcome = bench.ask(
        ChangeSettings(
            (("reset_retries", "4"), ("ev_ready_s", "3"), (None, "1"), ("light_percent", "x"), ("blink_repeat", "2"))
        )
    )
    assert outcome == SettingsChanged(("accepted", "read_only", "unknown", "rejected", "accepted"))
    assert (bench.core.settings.reset_retries, bench.core.settings.blink_repeat) == (4, 2)
    assert bench.disk["setting"].keys() == {"reset_retries", "blink_repeat"}


def test_the_table_of_built_profiles_decides_what_is_told_and_what_is_refused() -> None:
    bench = connected()
    assert value(bench, "SupportedFeatureProfiles") == ",".join(BUILT)
    for profile in PROFILES.keys() - set(BUILT):
        for action in PROFILES[profile]:
            reply = bench.reply(bench.call(action, {"connectorId": 1}))
            assert reply == "NotSupported" or reply != {"status": "Accepted"}, action


def test_a_setting_of_the_operators_file_cannot_be_changed_over_the_air() -> None:
    bench = connected()
    assert bench.ask(ChangeSettings((("after_restart", "resume"),))) == SettingsChanged(("read_only",))
    told = bench.ask(ReadSettings(("after_restart",)))
    assert told is not None and told.settings[0].read_only  # type: ignore[union-attr]


def test_no_ping_is_set_where_there_is_no_link() -> None:
    bench = CoreBench()
    assert bench.ask(ChangeSettings((("ping_interval_s", "5"),))) == SettingsChanged(("accepted",))
    assert not any(isinstance(effect, SetPing) for effect in bench.effects)
