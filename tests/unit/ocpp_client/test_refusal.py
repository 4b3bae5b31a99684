"""Which code answers which fault; the parity tests compare the choice with jsonschema-rs, for thousands of payloads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_client.wire import codec
from ocpp_client.wire.base import Kind, Version
from ocpp_client.wire.frame import BadFrame, split
from ocpp_client.wire.refusal import frame_code, refusal_code
from tests.spec import spec

OPEN: dict[str, object] = {"connectorId": 1, "idTag": "04A2", "meterStart": 0, "timestamp": "2024-05-01T12:00:00Z"}
READ: dict[str, object] = {"component": {"name": "a"}, "variable": {"name": "b"}}


def code(version: Version, action: str, value: object) -> str:
    payload = json.dumps(value).encode()
    with pytest.raises(codec.BadPayload):
        codec.decode(version, action, "request", payload)
    return refusal_code(version, action, "request", payload)[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"surplus": 1}, "FormationViolation", marks=spec("1.6", "16-J-22", "16-J-53")),
        pytest.param({"idTag": ...}, "ProtocolError", marks=spec("1.6", "J-25")),
        pytest.param({"idTag": 7}, "TypeConstraintViolation", marks=spec("1.6", "J-26")),
        pytest.param({"idTag": None}, "TypeConstraintViolation", marks=spec("1.6", "J-17")),
        pytest.param({"connectorId": 1.0}, "TypeConstraintViolation"),
        pytest.param({"idTag": "x" * 21}, "PropertyConstraintViolation", marks=spec("1.6", "J-27")),
        pytest.param({"timestamp": "now"}, "PropertyConstraintViolation"),
        pytest.param({"meterStart": 2**63}, "PropertyConstraintViolation"),
    ],
)
def test_codes_of_16(change: dict[str, object], expected: str) -> None:
    payload = {name: value for name, value in (OPEN | change).items() if value is not ...}
    assert code("v16", "StartTransaction", payload) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"getVariableData": [READ], "x": 1}, "FormatViolation", marks=spec("2.0.1", "J-23")),
        pytest.param({}, "OccurrenceConstraintViolation", marks=spec("2.0.1", "J-25")),
        pytest.param({"getVariableData": []}, "OccurrenceConstraintViolation", marks=spec("2.0.1", "J-25")),
        pytest.param({"getVariableData": {}}, "TypeConstraintViolation", marks=spec("2.0.1", "J-26")),
        pytest.param(
            {"getVariableData": [READ | {"attributeType": "actual"}]},
            "PropertyConstraintViolation",
            marks=spec("2.0.1", "J-27"),
        ),
        pytest.param({"getVariableData": [READ], "customData": {}}, "OccurrenceConstraintViolation"),
    ],
)
def test_codes_of_201(payload: object, expected: str) -> None:
    assert code("v201", "GetVariables", payload) == expected


@spec("1.6", "16-J-21")
def test_16_writes_occurence_with_one_r() -> None:
    assert code("v16", "MeterValues", {"connectorId": 1, "meterValue": []}) == "OccurenceConstraintViolation"


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"7", b"\xff", b'{"a":"\\ud800"}', b'{"a":' * 100_000])
def test_what_is_no_object_is_a_fault_of_form(payload: bytes) -> None:
    assert refusal_code("v16", "Authorize", "request", payload)[0] == "FormationViolation"
    assert refusal_code("v201", "Authorize", "request", payload)[0] == "FormatViolation"


@spec("1.6", "J-24")
def test_an_unknown_action_is_not_implemented() -> None:
    assert refusal_code("v16", "TransactionEvent", "request", b"{}")[0] == "NotImplemented"
    assert refusal_code("v201", "StartTransaction", "request", b"{}")[0] == "NotImplemented"


def test_the_gravest_fault_is_answered() -> None:
    payload = OPEN | {"idTag": "x" * 21, "meterStart": "0", "timestamp": 7, "surplus": 1}
    assert code("v16", "StartTransaction", payload) == "FormationViolation"
    del payload["surplus"]
    assert code("v16", "StartTransaction", payload) == "TypeConstraintViolation"


def test_the_description_names_the_place_and_no_value() -> None:
    payload = {"getVariableData": [READ, {"component": {"name": "secret" * 20}, "variable": {"name": "b"}}]}
    _, text = refusal_code("v201", "GetVariables", "request", json.dumps(payload).encode())
    assert text == "$.getVariableData[1].component.name: more characters than 50"


def test_names_that_the_peer_made_up_are_cut_and_cleaned() -> None:
    payload = {"idTag": "1", "\n\x1b[31m<b>" + "ä" * 300: 1}
    _, text = refusal_code("v16", "Authorize", "request", json.dumps(payload).encode())
    assert text == "$: unknown property ???31m?b?" + "?" * 31


@given(st.sampled_from(codec.VERSIONS), st.sampled_from(["request", "response"]), st.data())
def test_there_is_an_answer_to_whatever_comes(version: Version, kind: Kind, data: st.DataObject) -> None:
    action = data.draw(st.sampled_from(sorted(codec.messages(version, kind))) | st.text())
    texts = st.text(st.characters(codec="utf-8"))
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=5,
    )
    payload = data.draw(
        st.binary() | st.one_of(values, st.dictionaries(texts, values)).map(lambda v: json.dumps(v).encode())
    )
    said, text = refusal_code(version, action, kind, payload)
    assert said.isascii()
    assert 0 < len(text) <= 255
    text.encode()


@pytest.mark.parametrize(
    ("text", "in_16", "in_201"),
    [
        ("nonsense", "GenericError", "RpcFrameworkError"),
        ('[2,"1"]', "GenericError", "RpcFrameworkError"),
        ('[2,1,"Heartbeat",{}]', "GenericError", "RpcFrameworkError"),
        ('[2,"1","Heartbeat",{]', "FormationViolation", "FormatViolation"),
        ('[2,"1","Heartbeat",[]]', "FormationViolation", "FormatViolation"),
        ('[7,"1",{}]', None, "MessageTypeNotSupported"),
        ("[7]", None, None),
    ],
)
@spec("2.0.1", "J-15", "J-28")
def test_codes_of_frames(text: str, in_16: str | None, in_201: str | None) -> None:
    with pytest.raises(BadFrame) as caught:
        split(text)
    said = [frame_code(version, caught.value) for version in codec.VERSIONS]
    assert [answer and answer[0] for answer in said] == [in_16, in_201]
