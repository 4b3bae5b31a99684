"""Decoding and encoding of payloads, beyond what the parity tests compare with the schemas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_client.wire import codec, v16, v201
from ocpp_client.wire.base import INTEGER_MAX, CustomData, Kind, Version


def hint(version: Version, action: str, payload: bytes, kind: Kind = "request") -> codec.Hint:
    with pytest.raises(codec.BadPayload) as caught:
        codec.decode(version, action, kind, payload)
    bad = caught.value
    assert (bad.version, bad.action, bad.kind, bad.payload) == (version, action, kind, payload)
    return bad.hint


def test_a_message_is_decoded_from_bytes_and_from_the_payload_of_a_frame() -> None:
    payload = b'{"idTag":"04A2"}'
    wanted = v16.AuthorizeRequest(idTag="04A2")
    assert codec.decode("v16", "Authorize", "request", payload) == wanted
    assert codec.decode("v16", "Authorize", "request", msgspec.Raw(payload)) == wanted


def test_absent_fields_are_unset_and_stay_absent() -> None:
    message = codec.decode("v16", "GetDiagnostics", "response", b"{}")
    assert message == v16.GetDiagnosticsResponse()
    assert isinstance(message, v16.GetDiagnosticsResponse)
    assert message.fileName is msgspec.UNSET
    assert codec.encode(message) == b"{}"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "syntax"),
        (b"{", "syntax"),
        (b'{"idTag":"\xff"}', "syntax"),
        (b'{"idTag":"\\ud800"}', "syntax"),
        (b"\xef\xbb\xbf{}", "syntax"),
        (b"[]", "shape"),
        (b'{"idTag":null}', "shape"),
        (b'{"idTag":"1","x":1}', "shape"),
    ],
)
def test_a_bad_payload_gives_a_hint(payload: bytes, expected: codec.Hint) -> None:
    assert hint("v16", "Authorize", payload) == expected


def test_an_unknown_action_gives_a_hint() -> None:
    assert hint("v16", "TransactionEvent", b"{}") == "action"
    assert hint("v201", "authorize", b"{}") == "action"
    assert codec.knows("v201", "TransactionEvent")
    assert not codec.knows("v16", "TransactionEvent")


@pytest.mark.parametrize("opening", [b"[", b'{"x":'])
def test_nesting_without_end_is_refused(opening: bytes) -> None:
    payload = b'{"vendorId":"a","data":' + opening * 100_000
    assert hint("v201", "DataTransfer", payload) == "syntax"


def test_the_last_of_two_equal_keys_counts() -> None:
    message = codec.decode("v16", "Authorize", "request", b'{"idTag":"1","idTag":"2"}')
    assert message == v16.AuthorizeRequest(idTag="2")
    assert hint("v16", "Authorize", b'{"idTag":"1","idTag":2}') == "shape"


def test_custom_data_keeps_what_the_vendor_put_in() -> None:
    value = {"vendorId": "org.example", "deep": [{"x": None}], "n": 1.5}
    message = codec.decode("v201", "Heartbeat", "request", json.dumps({"customData": value}).encode())
    assert message == v201.HeartbeatRequest(customData=CustomData(value))
    assert json.loads(codec.encode(message)) == {"customData": value}


@pytest.mark.parametrize("limit", [0, 7, 16.1, 0.3, -0.1, 1234567.8])
def test_tenths_are_tenths(limit: float) -> None:
    period = v16.ChargingSchedulePeriod(startPeriod=0, limit=limit)
    assert msgspec.json.decode(codec.encode(period), type=v16.ChargingSchedulePeriod) == period


@pytest.mark.parametrize("limit", [0.05, 16.11, 0.1 + 0.2, float("nan")])
def test_a_limit_that_was_not_rounded_cannot_be_built(limit: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        v16.ChargingSchedulePeriod(startPeriod=0, limit=limit)


def test_integers_end_where_a_store_ends() -> None:
    answer = b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}'
    message = codec.decode("v16", "StartTransaction", "response", answer % INTEGER_MAX)
    assert isinstance(message, v16.StartTransactionResponse)
    assert message.transactionId == INTEGER_MAX
    assert hint("v16", "StartTransaction", answer % (INTEGER_MAX + 1), "response") == "shape"


@pytest.mark.parametrize(
    "moment",
    ["2024-05-01T12:00:00", "2024-05-01T12:00:00.123456789+05:30", "2024-05-01t12:00:00z", "2016-12-31T23:59:60Z"],
)
def test_a_moment_is_kept_as_it_came(moment: str) -> None:
    message = codec.decode("v16", "Heartbeat", "response", json.dumps({"currentTime": moment}).encode())
    assert message == v16.HeartbeatResponse(currentTime=moment)


@pytest.mark.parametrize("unit", ["Celcius", "Celsius"])
def test_both_spellings_of_the_degree_are_read(unit: str) -> None:
    value = {"connectorId": 1, "meterValue": [{"timestamp": "2024-05-01T12:00:00Z"}]}
    value["meterValue"][0]["sampledValue"] = [{"value": "20", "unit": unit}]  # type: ignore[index]
    message = codec.decode("v16", "MeterValues", "request", json.dumps(value).encode())
    assert json.loads(codec.encode(message)) == value


@given(st.sampled_from(codec.VERSIONS), st.data())
def test_whatever_comes_is_a_message_or_a_bad_payload(version: Version, data: st.DataObject) -> None:
    action = data.draw(st.sampled_from(sorted(codec.messages(version, "request"))))
    payload = data.draw(st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode))
    try:
        codec.decode(version, action, "request", payload)
    except codec.BadPayload as bad:
        assert bad.hint in ("syntax", "shape")


def test_a_version_is_imported_when_it_is_asked_for() -> None:
    script = (
        "import sys; from ocpp_client.wire import codec, refusal, frame;"
        "codec.decode('v16', 'Heartbeat', 'request', b'{}');"
        "print(*sorted({'ocpp_client.wire.v16', 'ocpp_client.wire.v201', 'jsonschema', 'ocpp'} & sys.modules.keys()))"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["ocpp_client.wire.v16"]
