"""The CSMS of the bench: what it answers, what it counts, and what it does not let pass."""

from __future__ import annotations

import datetime
import json
from typing import Any

import msgspec
import pytest

from bench import load
from bench.desk import Books, Desk, Visitor
from bench.messages import IDENTITY, Part, sample
from bench.schemas import EVERY, FIRST, SchemaSample

NOW = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


class Counter:
    """A desk and those who stand before it."""

    def __init__(self) -> None:
        self.books = Books()
        self._desk = Desk(self.books, NOW)

    def call(self, action: str, payload: Part | dict[str, Any], visitor: Visitor | None = None) -> Any:
        frame = msgspec.json.encode([2, "id-1", action, payload])
        return json.loads(self._desk.answer(frame, visitor or Visitor()))

    def say(self, frame: bytes) -> Any:
        return json.loads(self._desk.answer(frame, Visitor()))


def test_boot_is_accepted_and_every_thirtieth_station_beats_often() -> None:
    counter = Counter()
    answers = [counter.call("BootNotification", IDENTITY) for _ in range(61)]
    assert all(answer[:2] == [3, "id-1"] and answer[2]["status"] == "Accepted" for answer in answers)
    often = [order for order, answer in enumerate(answers) if answer[2]["interval"] == load.OFTEN_S]
    assert often == [0, 30, 60]


def test_meter_values_and_heartbeats_are_counted_and_a_station_samples_once() -> None:
    counter, one, other = Counter(), Visitor(), Visitor()
    for visitor in (one, one, other):
        assert counter.call("MeterValues", sample(NOW, 1), visitor) == [3, "id-1", {}]
    assert counter.call("Heartbeat", {}, one) == [3, "id-1", {"currentTime": "2030-01-02T03:04:05Z"}]
    books = counter.books
    assert (books.meter_values, books.heartbeats, books.sampling, books.others) == (3, 1, 2, 0)
    assert books.meter_values_bytes > 3 * 800
    assert books.complaint == ""


def test_each_transaction_has_its_own_id() -> None:
    counter = Counter()
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2030-01-02T03:04:05Z"}
    ids = [counter.call("StartTransaction", start)[2]["transactionId"] for _ in range(3)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff",
        b"{}",
        b'[3,"id-1",{}]',
        b'[2,"id-1","Nonsense",{}]',
        b'[2,"id-1","Heartbeat",{"x":1}]',
        b'[3,"id-1","Heartbeat",{}]',
        b'[2,"id-1","BootNotification",{"chargePointVendor":"V"}]',
    ],
)
def test_what_is_no_proper_call_gets_a_call_error_and_is_counted(frame: bytes) -> None:
    counter = Counter()
    assert counter.say(frame)[0] == 4
    assert counter.books.refused == 1
    assert counter.books.complaint


def test_meter_values_of_another_size_are_not_the_load() -> None:
    counter = Counter()
    value = {"timestamp": "2030-01-02T03:04:05Z", "sampledValue": [{"value": "1"}]}
    counter.call("MeterValues", {"connectorId": 1, "meterValue": [value]})
    assert counter.books.off_load == 1
    assert "1 sampled values" in counter.books.complaint


def test_the_schema_sees_what_the_decoder_lets_pass() -> None:
    counter = Counter()
    counter.call("StatusNotification", {"connectorId": 1, "errorCode": "Nonsense", "status": "Available"})
    assert (counter.books.refused, counter.books.off_schema) == (0, 1)
    assert "Nonsense" in counter.books.complaint


def test_the_schema_is_asked_about_the_first_payloads_and_then_now_and_then() -> None:
    schemas = SchemaSample()
    for _ in range(2 * EVERY + 1):
        schemas.complaint("Heartbeat", msgspec.Raw(b"{}"))
    assert schemas.checked == FIRST + 2
