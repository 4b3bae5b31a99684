"""The payload of the load: of the size that was agreed on, right by the schema, and strict when it is decoded."""

from __future__ import annotations

import datetime
import json

import msgspec
import pytest

from bench.messages import CALL, REQUESTS, MeterValues, sample
from bench.schemas import SchemaSample

AT = datetime.datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=datetime.UTC)


def test_a_sample_is_about_898_bytes_long_in_its_frame() -> None:
    frame = msgspec.json.encode((CALL, "17", "MeterValues", sample(AT, 12_345)))
    assert len(frame) == pytest.approx(898, abs=10)


def test_a_sample_agrees_with_the_schema() -> None:
    payload = msgspec.json.encode(sample(AT, 12_345))
    assert SchemaSample().complaint("MeterValues", msgspec.Raw(payload)) is None


def test_a_sample_survives_its_own_decoding() -> None:
    was = sample(AT, 12_345)
    assert msgspec.json.decode(msgspec.json.encode(was), type=MeterValues) == was


@pytest.mark.parametrize("action", REQUESTS)
def test_unknown_fields_are_refused(action: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"nonsense":1}', type=REQUESTS[action])


@pytest.mark.parametrize(("field", "value"), [("measurand", "Energy"), ("unit", "kg"), ("phase", "L4"), ("value", 7)])
def test_a_wrong_value_is_refused(field: str, value: object) -> None:
    payload = json.loads(msgspec.json.encode(sample(AT, 12_345)))
    payload["meterValue"][0]["sampledValue"][0][field] = value
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(payload), type=MeterValues)
