"""What a 1.6 station hears when it has said something: answers as words, good, odd and senseless ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_client.dialects import load
from ocpp_client.dialects.base import Told
from station.words.common import BootReason, TokenInfo, TokenStatus
from station.words.questions import (
    AnyAnswer,
    AskTime,
    AskVendor,
    Authorize,
    Noted,
    Refused,
    Register,
    Registration,
    TimeTold,
    TransactionNoted,
    VendorAnswer,
)
from tests.dialects.cases import CARD, NINE, WORDS, transaction
from tests.dialects.payloads import MOMENTS, Payloads, messages
from tests.spec import spec

V16 = load("1.6")
TIME = "2026-11-20T08:00:00Z"
STARTED = transaction("started", token=CARD, register_mwh=0)
ENDED = transaction("ended", register_mwh=0)


def hear(told: Told, **content: Any) -> tuple[AnyAnswer, int | None]:
    return V16.answered(told, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"status": "Accepted", "currentTime": TIME, "interval": 300}, Registration("accepted", NINE, 300)),
        ({"status": "Pending", "currentTime": TIME, "interval": 0}, Registration("pending", NINE, 0)),
        ({"status": "Rejected", "currentTime": TIME, "interval": -1}, Registration("rejected", NINE, 0)),
        ({"status": "Accepted", "currentTime": "now", "interval": 9}, Registration("accepted", None, 9)),
        ({"status": "Accepted", "currentTime": None, "interval": 9}, Registration("accepted", None, 9)),
        ({"status": "Accepted", "currentTime": 1795161600, "interval": 9}, Registration("accepted", None, 9)),
        ({"status": "Accepted", "currentTime": TIME, "interval": 9, "x": 1}, Registration("accepted", NINE, 9)),
        ({"status": "Accepted", "currentTime": TIME, "interval": 300.0}, Registration("accepted", NINE, 300)),
        ({"status": "Accepted", "currentTime": TIME, "interval": 10**30}, Registration("accepted", NINE, 31_536_000)),
        ({"status": "Accepted"}, Registration("accepted", None, 0)),
    ],
)
def test_an_answer_to_a_boot(content: dict[str, Any], expected: Registration) -> None:
    assert hear(Register(BootReason.POWER_UP), **content) == (expected, None)


@spec("1.6", "J-19")
@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20T08:00:00Z", NINE),
        ("2026-11-20T08:00:00.1Z", NINE + 100),
        ("2026-11-20T08:00:00.123456789Z", NINE + 123),
        ("2026-11-20T13:30:00.5+05:30", NINE + 500),
        ("2026-11-19T22:00:00-1000", NINE),
        ("2026-11-20T08:00:00.250000", NINE + 250),
        (" 2026-11-20t08:00:00z ", NINE),
        ("2026-11-20T07:59:60Z", NINE - 1000),
        ("2026-02-30T08:00:00Z", None),
        ("2026-11-20T24:00:00Z", None),
        ("", None),
        ("٢026-11-20T08:00:00Z", None),
    ],
)
def test_times_in_every_form_that_backends_write(text: str, time: int | None) -> None:
    assert hear(AskTime(), currentTime=text) == (TimeTold(time), None)


@pytest.mark.parametrize("moment", MOMENTS)
def test_every_moment_of_the_schemas_is_one(moment: str) -> None:
    answer, _ = hear(AskTime(), currentTime=moment)
    assert isinstance(answer, TimeTold)
    assert answer.time is not None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Accepted", TokenStatus.ACCEPTED),
        ("Blocked", TokenStatus.BLOCKED),
        ("Expired", TokenStatus.EXPIRED),
        ("Invalid", TokenStatus.INVALID),
        ("ConcurrentTx", TokenStatus.CONCURRENT),
        ("accepted", TokenStatus.INVALID),
        ("NoCredit", TokenStatus.INVALID),
    ],
)
def test_the_status_of_a_token(status: str, expected: TokenStatus) -> None:
    assert hear(Authorize(CARD), idTagInfo={"status": status}) == (TokenInfo(expected), None)


def test_expiry_and_parent_of_a_token() -> None:
    full = {"status": "Accepted", "expiryDate": TIME, "parentIdTag": "FLEET-7"}
    assert hear(Authorize(CARD), idTagInfo=full) == (TokenInfo(TokenStatus.ACCEPTED, NINE, "FLEET-7"), None)
    nulls = {"status": "Accepted", "expiryDate": None, "parentIdTag": None}
    assert hear(Authorize(CARD), idTagInfo=nulls) == (TokenInfo(TokenStatus.ACCEPTED), None)
    empty = {"status": "Accepted", "expiryDate": "", "parentIdTag": ""}
    assert hear(Authorize(CARD), idTagInfo=empty) == (TokenInfo(TokenStatus.ACCEPTED), None)


@spec("1.6", "16-START-03")
@pytest.mark.parametrize("transaction_id", [1, 0, -1, 1_795_161_600, 2**40, 12.0])
def test_a_start_is_answered_by_a_transaction_of_any_number(transaction_id: Any) -> None:
    blocked = hear(STARTED, transactionId=transaction_id, idTagInfo={"status": "Blocked"})
    assert blocked == (TransactionNoted(TokenInfo(TokenStatus.BLOCKED)), transaction_id)
    assert hear(STARTED, transactionId=transaction_id) == (TransactionNoted(), transaction_id)


def test_a_start_that_has_its_number_has_arrived_whatever_else_is_wrong() -> None:
    """Told again, it would be another transaction."""
    assert hear(STARTED, transactionId="12") == (TransactionNoted(), 12)
    infos: tuple[Any, ...] = ({}, {"status": 1}, [], "Accepted")
    for info in infos:
        assert hear(STARTED, transactionId=12, idTagInfo=info) == (TransactionNoted(), 12)
        assert hear(ENDED, idTagInfo=info) == (TransactionNoted(), None)
    accepted = TransactionNoted(TokenInfo(TokenStatus.ACCEPTED))
    assert hear(STARTED, transactionId=12, idTagInfo={"status": "Accepted", "parentIdTag": 7}) == (accepted, 12)


@pytest.mark.parametrize(
    ("interval", "read"), [("300", 300), (None, 0), ("soon", 0), ([], 0), ("inf", 0), (-5, 0), (12.7, 12)]
)
def test_an_interval_that_cannot_be_read_is_none(interval: Any, read: int) -> None:
    answer, _ = hear(Register(BootReason.POWER_UP), status="Accepted", currentTime=TIME, interval=interval)
    assert answer == Registration("accepted", NINE, read)


def test_other_answers_bring_no_transaction() -> None:
    assert hear(ENDED) == (TransactionNoted(), None)
    assert hear(ENDED, idTagInfo={"status": "Expired"}) == (TransactionNoted(TokenInfo(TokenStatus.EXPIRED)), None)
    assert hear(transaction("updated")) == (TransactionNoted(), None)
    assert hear(WORDS["meter of an idle slot"]) == (Noted(), None)
    assert hear(WORDS["slot is preparing"]) == (Noted(), None)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"status": "Accepted", "data": "yes"}, VendorAnswer("accepted", "yes")),
        ({"status": "Accepted", "data": {"a": [1, None]}}, VendorAnswer("accepted", '{"a":[1,null]}')),
        ({"status": "Rejected"}, VendorAnswer("rejected")),
        ({"status": "UnknownMessageId", "data": None}, VendorAnswer("unknown_message")),
        ({"status": "UnknownVendorId"}, VendorAnswer("unknown_vendor")),
    ],
)
def test_an_answer_of_a_vendor(content: dict[str, Any], expected: VendorAnswer) -> None:
    assert hear(AskVendor("org.example"), **content) == (expected, None)


@pytest.mark.parametrize(
    ("told", "payload", "code"),
    [
        (Register(BootReason.POWER_UP), b"{}", "ProtocolError"),
        (
            Register(BootReason.POWER_UP),
            b'{"status":"Maybe","currentTime":"x","interval":1}',
            "PropertyConstraintViolation",
        ),
        (Register(BootReason.POWER_UP), b'{"status":"Accepted"', "FormationViolation"),
        (AskTime(), b"[]", "FormationViolation"),
        (AskTime(), b"\xff", "FormationViolation"),
        (AskTime(), b"", "FormationViolation"),
        (Authorize(CARD), b'{"idTagInfo":null}', "TypeConstraintViolation"),
        (STARTED, b'{"idTagInfo":{"status":"Accepted"}}', "ProtocolError"),
        (STARTED, b'{"transactionId":"twelve"}', "ProtocolError"),
        (STARTED, b'{"transactionId":1.5,"idTagInfo":{"status":"Accepted"}}', "TypeConstraintViolation"),
        (STARTED, b'{"transactionId":1e400,"idTagInfo":{"status":"Accepted"}}', "PropertyConstraintViolation"),
        (ENDED, b"[" * 100_000, "FormationViolation"),
        (transaction("updated"), b"null", "FormationViolation"),
    ],
)
def test_a_senseless_answer_is_refused_by_name(told: Told, payload: bytes, code: str) -> None:
    answer, noted = V16.answered(told, payload)
    assert noted is None
    assert isinstance(answer, Refused)
    assert answer.code == code


@given(st.sampled_from(list(WORDS)), st.binary(max_size=60))
def test_no_bytes_make_it_raise(name: str, payload: bytes) -> None:
    V16.answered(WORDS[name], payload)


@pytest.mark.parametrize("name", WORDS)
def test_every_proper_answer_is_understood(name: str) -> None:
    """Drawn from the schemas: an answer that they accept is never refused, and one that they do not never raises."""
    told = WORDS[name]
    (response,) = [one for one in messages("v16") if (one.action, one.kind) == (V16.action_of(told), "response")]
    payloads = Payloads(response)
    for _ in range(50):
        answer, _ = V16.answered(told, json.dumps(payloads.proper()).encode())
        assert not isinstance(answer, Refused)
        V16.answered(told, json.dumps(payloads.spoiled()).encode())
