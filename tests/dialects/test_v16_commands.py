"""What a 1.6 station is asked: requests as commands, what is refused and how, and outcomes as valid answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_client.dialects import load
from ocpp_client.dialects.base import About, Answered, CallRefused
from ocpp_client.dialects.v16.profiles import ABSENT, BUILT, PROFILE_OF, PROFILES
from ocpp_client.wire import codec
from station.words import commands as ask
from station.words.outcomes import (
    Verdict,
)
from station.words.settings import StationShape
from tests.dialects.cases import ABOUT
from tests.dialects.judge import faults
from tests.dialects.payloads import Payloads, messages
from tests.dialects.requests import ACTIONS, COMMANDS, PROFILE
from tests.spec import spec

V16 = load("1.6")


def asked(action: str, about: About = ABOUT, **content: Any) -> Any:
    return V16.command(action, json.dumps(content).encode(), about)


@pytest.mark.parametrize(("action", "content", "command"), COMMANDS)
def test_a_request_is_a_command(action: str, content: dict[str, Any], command: ask.AnyCommand) -> None:
    assert asked(action, **content) == command
    assert ACTIONS[type(command)] == action


def test_every_action_of_the_built_profiles_is_tried() -> None:
    built = {action for action, profile in PROFILE_OF.items() if profile in BUILT}
    assert built == {action for action, _, _ in COMMANDS} == set(ACTIONS.values())


def test_a_transaction_is_stopped_by_the_number_it_was_given() -> None:
    about = About(StationShape(), transactions={"a": 1, "b": 0, "c": 1, "d": -5})
    numbers = {1: "c", 0: "b", -5: "d", -1: None, 2: None}  # the same number twice: the later session
    assert {
        number: asked("RemoteStopTransaction", about, transactionId=number).session for number in numbers
    } == numbers


@spec("1.6", "16-TRIG-03")
@pytest.mark.parametrize(
    "message", ["DiagnosticsStatusNotification", "FirmwareStatusNotification", "LogStatusNotification", "Nonsense", ""]
)
def test_a_message_that_this_station_has_not_is_not_implemented(message: str) -> None:
    command = asked("TriggerMessage", requestedMessage=message, connectorId=1)
    assert command == ask.Trigger(None)
    assert V16.outcome(command, Verdict("not_implemented"), ABOUT) == b'{"status":"NotImplemented"}'


@spec("1.6", "16-TRIG-05")
@pytest.mark.parametrize("message", ["BootNotification", "Heartbeat"])
def test_a_connector_that_means_nothing_is_ignored(message: str) -> None:
    assert asked("TriggerMessage", requestedMessage=message, connectorId=99).slot is None


@spec("1.6", "J-24")
def test_an_action_that_is_unknown_or_not_for_this_station() -> None:
    for unknown in ("Sing", "", "heartbeat", "remoteStartTransaction", "GetVariables", "StartTransactionRequest"):
        assert asked(unknown).code == "NotImplemented"
    for known in (
        "Heartbeat",
        "BootNotification",
        "StartTransaction",
        "GetDiagnostics",
        "ReserveNow",
        "InstallCertificate",
    ):
        assert asked(known).code == "NotSupported"


@pytest.mark.parametrize("action", [action for action, profile in PROFILE_OF.items() if profile not in BUILT])
def test_a_profile_that_is_not_built_is_refused_whatever_it_is_asked(action: str) -> None:
    (request,) = [one for one in messages("v16") if (one.action, one.kind) == (action, "request")]
    found = V16.command(action, json.dumps(Payloads(request).proper(full=True)).encode(), ABOUT)
    if action in ABSENT:
        assert found == Answered(ABSENT[action])
        assert faults("v16", action, "response", ABSENT[action]) == []
    else:
        assert found == CallRefused("NotSupported", f"this station has no {PROFILE_OF[action]}")


@pytest.mark.parametrize(
    ("action", "content", "expected"),
    [
        pytest.param("GetLocalListVersion", {}, {"listVersion": -1}, marks=spec("1.6", "16-LLM-03")),
        pytest.param(
            "SendLocalList",
            {"listVersion": 1, "updateType": "Full"},
            {"status": "NotSupported"},
            marks=spec("1.6", "16-LLM-09"),
        ),
        pytest.param(
            "SetChargingProfile",
            {"connectorId": 1, "csChargingProfiles": PROFILE},
            {"status": "NotSupported"},
            marks=spec("1.6", "16-SC-23"),
        ),
    ],
)
def test_where_1_6_has_words_for_a_missing_profile_they_are_used(action: str, content: Any, expected: Any) -> None:
    found = asked(action, **content)
    assert json.loads(found.payload) == expected
    assert asked(action, surplus=1, **content).code == "FormationViolation"


def test_the_table_of_profiles_holds_every_action_that_a_csms_sends() -> None:
    sent_by_station = {
        *("Authorize", "BootNotification", "Heartbeat", "MeterValues", "StartTransaction", "StatusNotification"),
        *("StopTransaction", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "LogStatusNotification"),
        *("SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification"),
    }
    assert PROFILE_OF.keys() | sent_by_station == codec.messages("v16", "request").keys()
    assert set(BUILT) <= PROFILES.keys()


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Reset", b"{}", "ProtocolError"),
        pytest.param("Reset", b'{"type":5}', "TypeConstraintViolation", marks=spec("1.6", "J-26")),
        pytest.param("Reset", b'{"type":"Gentle"}', "PropertyConstraintViolation", marks=spec("1.6", "J-27")),
        ("Reset", b'{"type":"Hard","x":1}', "FormationViolation"),
        ("Reset", b'{"type":', "FormationViolation"),
        ("Reset", b"\xff\xfe", "FormationViolation"),
        ("TriggerMessage", b'{"requestedMessage":5}', "TypeConstraintViolation"),
        ("TriggerMessage", b'{"requestedMessage":"Heartbeat","connectorId":"1"}', "TypeConstraintViolation"),
        ("TriggerMessage", b"[" * 100_000, "FormationViolation"),
        ("RemoteStartTransaction", b'{"idTag":"%s"}' % (b"x" * 21), "PropertyConstraintViolation"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_by_name(action: str, payload: bytes, code: str) -> None:
    found = V16.command(action, payload, ABOUT)
    assert isinstance(found, CallRefused)
    assert found.code == code


@pytest.mark.parametrize("action", sorted(set(ACTIONS.values())))
def test_every_proper_request_is_understood(action: str) -> None:
    """Drawn from the schemas: a request that they accept is a command, and one that they do not never raises."""
    (request,) = [one for one in messages("v16") if (one.action, one.kind) == (action, "request")]
    payloads = Payloads(request)
    for _ in range(50):
        found = V16.command(action, json.dumps(payloads.proper()).encode(), ABOUT)
        assert isinstance(found, (*ACTIONS, Answered))
        V16.command(action, json.dumps(payloads.spoiled()).encode(), ABOUT)


@given(st.sampled_from([*PROFILE_OF, "Heartbeat", "Sing"]), st.binary(max_size=60))
def test_no_bytes_make_it_raise(action: str, payload: bytes) -> None:
    V16.command(action, payload, ABOUT)
