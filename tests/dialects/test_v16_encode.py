"""What a 1.6 station says: golden JSON to the byte, the schemas' opinion of it, and the rules behind it."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_client.dialects import load
from ocpp_client.dialects.base import About, Told
from ocpp_client.dialects.v16.encode import UNCONFIRMED
from ocpp_client.wire import codec
from ocpp_client.wire import v16 as wire
from station.words.common import BootReason, Context, SlotStatus, StopReason, Token
from station.words.facts import MeterTold, StatusChanged, TransactionTold, Trouble
from station.words.questions import Authorize, Register
from station.words.settings import StationShape
from tests.dialects.cases import ABOUT, CARD, SESSION, STORY, WORDS, at, golden, sample, transaction
from tests.dialects.judge import faults
from tests.dialects.strategies import events
from tests.spec import spec

V16 = load("1.6")
GOLDEN = golden("v16")


def payload(told: Told, about: About = ABOUT) -> dict[str, Any]:
    """What `told` becomes, judged."""
    call = V16.encode(told, about)
    assert call is not None
    assert faults("v16", call[0], "request", call[1]) == []
    content: dict[str, Any] = json.loads(call[1])
    return content


@pytest.mark.parametrize("name", WORDS)
def test_each_word_is_what_its_golden_file_says(name: str) -> None:
    call = V16.encode(WORDS[name], ABOUT)
    expected = GOLDEN.get(name)
    if expected is None:
        assert call is None
        return
    assert call == (expected[0], json.dumps(expected[1], separators=(",", ":")).encode())
    assert expected[0] == V16.action_of(WORDS[name])


def test_no_golden_example_is_left_over() -> None:
    assert list(GOLDEN) == list(WORDS)


@spec("1.6", "J-17", "J-19")
@pytest.mark.parametrize("told", [*WORDS.values(), *STORY])
def test_all_that_is_said_is_valid(told: Told) -> None:
    """And nothing in it is null or empty, and its times are in UTC with milliseconds."""
    call = V16.encode(told, ABOUT)
    if call is not None:
        assert faults("v16", call[0], "request", call[1]) == []
        assert not any(empty in call[1] for empty in (b"null", b"[]", b":{}"))
        assert codec.encode(codec.decode("v16", call[0], "request", call[1])) == call[1]


def test_a_boot_names_vendor_and_model_however_long_or_short_they_are() -> None:
    long = StationShape(vendor="v" * 60, model="m" * 60, firmware="f" * 60)
    assert payload(Register(BootReason.POWER_UP), About(long, serial="s" * 60)) == {
        "chargePointVendor": "v" * 20,
        "chargePointModel": "m" * 20,
        "chargePointSerialNumber": "s" * 25,
        "firmwareVersion": "f" * 50,
    }
    short = About(StationShape(firmware=""))
    assert payload(Register(BootReason.UNKNOWN), short).keys() == {"chargePointVendor", "chargePointModel"}


@spec("1.6", "16-AUTH-08")
def test_an_id_tag_goes_out_as_it_was_read() -> None:
    assert payload(Authorize(Token("aB: ü/é")))["idTag"] == "aB: ü/é"
    assert payload(Authorize(Token("x" * 36)))["idTag"] == "x" * 20


@pytest.mark.parametrize("status", SlotStatus)
def test_every_status_has_its_name_in_the_schema(status: SlotStatus) -> None:
    content = payload(StatusChanged(1, status, at(0)))
    assert content["status"].lower() == status.value.replace("_", "")
    assert content["errorCode"] == "NoError"
    assert content["timestamp"] == "2026-11-20T08:00:00.000Z"


def test_an_error_that_1_6_does_not_know_keeps_its_name_as_info() -> None:
    content = payload(StatusChanged(1, SlotStatus.FAULTED, at(0), Trouble("RogueBadger", vendor="x" * 99)))
    assert (content["errorCode"], content["info"], content["vendorErrorCode"]) == (
        "OtherError",
        "RogueBadger",
        "x" * 50,
    )
    assert (
        payload(StatusChanged(1, SlotStatus.FAULTED, at(0), Trouble("RogueBadger", info="y" * 99)))["info"] == "y" * 50
    )


@pytest.mark.parametrize("error", get_args(wire.ErrorCode))
def test_an_error_that_1_6_knows_is_said_as_it_is(error: str) -> None:
    assert payload(StatusChanged(1, SlotStatus.FAULTED, at(0), Trouble(error)))["errorCode"] == error


@spec("1.6", "16-START-01")
def test_a_start_says_connector_tag_register_and_time() -> None:
    assert payload(transaction("started", slot=2, token=CARD, register_mwh=1_999, at=at(0.001))) == {
        "connectorId": 2,
        "idTag": CARD.uid,
        "meterStart": 1,
        "timestamp": "2026-11-20T08:00:00.001Z",
    }


@spec("1.6", "16-START-02")
def test_a_start_names_the_reservation_that_it_uses_up() -> None:
    assert payload(transaction("started", token=CARD, register_mwh=0, reservation=0))["reservationId"] == 0


@spec("1.6", "16-START-08")
@pytest.mark.parametrize(
    "told",
    [
        transaction("updated", session="never confirmed", samples=(sample(60, 1),)),
        transaction("ended", session="never confirmed", register_mwh=1),
    ],
    ids=lambda told: told.kind,
)
def test_after_a_start_that_was_never_confirmed_the_transaction_is_minus_one(told: TransactionTold) -> None:
    assert payload(told)["transactionId"] == UNCONFIRMED == -1


@spec("1.6", "16-START-03", "16-MV-06")
@pytest.mark.parametrize("noted", [815, 0, -7])
def test_what_was_noted_for_the_session_is_its_transaction(noted: int) -> None:
    about = msgspec.structs.replace(ABOUT, transactions={SESSION: noted})
    updated = transaction("updated", samples=(sample(60, 1),))
    ended = transaction("ended", register_mwh=1)
    asked_for = MeterTold(1, (sample(60, 1),), SESSION)
    assert {payload(told, about)["transactionId"] for told in (updated, ended, asked_for)} == {noted}


def test_values_of_no_transaction_name_none() -> None:
    assert "transactionId" not in payload(MeterTold(1, (sample(60, 1),)))
    assert "transactionId" not in payload(MeterTold(1, (sample(60, 1),), "not confirmed yet"))


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (StopReason.LOCAL, "Local"),
        (StopReason.REMOTE, "Remote"),
        (StopReason.EV_DISCONNECTED, "EVDisconnected"),
        (StopReason.SOFT_RESET, "SoftReset"),
        (StopReason.HARD_RESET, "HardReset"),
        (StopReason.POWER_LOSS, "PowerLoss"),
        (StopReason.UNLOCK, "UnlockCommand"),
        (StopReason.DEAUTHORIZED, "DeAuthorized"),
        pytest.param(StopReason.EMERGENCY_STOP, "EmergencyStop", marks=spec("1.6", "16-STOP-09")),
        pytest.param(StopReason.REBOOT, "Reboot", marks=spec("1.6", "16-STOP-09")),
        (StopReason.GROUND_FAULT, "Other"),
        (StopReason.OVER_CURRENT, "Other"),
        (StopReason.POWER_QUALITY, "Other"),
        (StopReason.TIMEOUT, "Other"),
        (StopReason.STOPPED_BY_EV, "Other"),
        (StopReason.OTHER, "Other"),
        (None, None),
    ],
)
def test_the_reason_of_a_stop(stop: StopReason | None, reason: str | None) -> None:
    assert payload(transaction("ended", register_mwh=0, stop=stop)).get("reason") == reason


@spec("1.6", "16-STOP-01")
def test_a_stop_says_transaction_register_and_time() -> None:
    assert payload(transaction("ended", register_mwh=2_999, at=at(1))) == {
        "meterStop": 2,
        "timestamp": "2026-11-20T08:00:01.000Z",
        "transactionId": 815,
    }


@spec("1.6", "16-STOP-10")
@pytest.mark.parametrize("stop", StopReason)
def test_only_a_stop_by_a_person_names_an_id_tag(stop: StopReason) -> None:
    content = payload(transaction("ended", token=CARD, register_mwh=0, stop=stop))
    assert content.get("idTag") == (CARD.uid if stop is StopReason.LOCAL else None)


def test_a_stop_carries_the_samples_of_the_whole_transaction_if_there_are_any() -> None:
    samples = tuple(
        sample(60 * minute, minute, context)
        for minute, context in enumerate((Context.BEGIN, Context.PERIODIC, Context.CLOCK, Context.END))
    )
    data = payload(transaction("ended", register_mwh=0, samples=samples))["transactionData"]
    assert [value["sampledValue"][0]["context"] for value in data] == [one.context.value for one in samples]
    assert [value["timestamp"][14:19] for value in data] == ["00:00", "01:00", "02:00", "03:00"]
    assert "transactionData" not in payload(transaction("ended", register_mwh=0))


@given(events)
def test_any_event_is_said_validly_and_again_in_the_same_bytes(told: TransactionTold) -> None:
    call = V16.encode(told, ABOUT)
    if call is None:
        assert told.kind == "updated"
        return
    assert faults("v16", call[0], "request", call[1]) == []
    read_back = msgspec.json.decode(msgspec.json.encode(told), type=TransactionTold)
    assert V16.encode(read_back, ABOUT) == call


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_registers_add_up(first: int, second: int) -> None:
    """What a session cost does not depend on where it is cut."""
    low, high = sorted((first, second))
    start = payload(transaction("started", token=CARD, register_mwh=low))["meterStart"]
    between = payload(transaction("ended", register_mwh=high))["meterStop"]
    end = payload(transaction("ended", register_mwh=high + 10_000_000))["meterStop"]
    assert (between - start) + (end - between) == (high + 10_000_000) // 1000 - low // 1000
