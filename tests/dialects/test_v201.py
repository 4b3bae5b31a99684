"""What 2.0.1 makes of the same words: golden JSON, the schemas' opinion of it, and the rules behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ocpp_client.dialects import OFFERED, load
from ocpp_client.dialects.base import CallRefused, Told
from ocpp_client.wire import codec
from station.words.commands import ClearCache
from station.words.common import BootReason, ChargingState, Context, SlotStatus, StopReason, Token, TokenKind, Why
from station.words.facts import StatusChanged, TransactionTold
from station.words.outcomes import ACCEPTED
from station.words.questions import AskTime, Authorize, Refused, Register
from tests.dialects.cases import ABOUT, CARD, SESSION, STORY, WORDS, at, golden, sample, story, transaction
from tests.dialects.judge import faults
from tests.dialects.strategies import events
from tests.spec import spec

V201 = load("2.0.1")
GOLDEN = golden("v201")


def payload(told: Told) -> dict[str, Any]:
    """What `told` becomes, judged."""
    call = V201.encode(told, ABOUT)
    assert call is not None
    assert faults("v201", call[0], "request", call[1]) == []
    content: dict[str, Any] = json.loads(call[1])
    return content


@pytest.mark.parametrize("name", WORDS)
def test_each_word_is_what_its_golden_file_says(name: str) -> None:
    call = V201.encode(WORDS[name], ABOUT)
    expected = GOLDEN.get(name)
    if expected is None:
        assert call is None
        assert V201.action_of(WORDS[name]) is None
        return
    assert call == (expected[0], json.dumps(expected[1], separators=(",", ":")).encode())
    assert expected[0] == V201.action_of(WORDS[name])


def test_no_golden_example_is_left_over() -> None:
    assert list(GOLDEN) == list(WORDS)


@spec("2.0.1", "J-17", "J-19")
@pytest.mark.parametrize("told", [*WORDS.values(), *STORY])
def test_all_that_is_said_is_valid(told: Told) -> None:
    call = V201.encode(told, ABOUT)
    if call is not None:
        assert faults("v201", call[0], "request", call[1]) == []
        assert not any(empty in call[1] for empty in (b"null", b"[]", b"{}"))
        assert json.loads(codec.encode(codec.decode("v201", call[0], "request", call[1]))) == json.loads(call[1])


def test_one_session_is_told_in_both_languages() -> None:
    assert story() == golden("story")


@spec("2.0.1", "B01.FR.09")
@pytest.mark.parametrize("reason", BootReason)
def test_the_reason_of_a_boot(reason: BootReason) -> None:
    assert payload(Register(reason))["reason"] == reason.value


@spec("2.0.1", "G01.FR.01")
@pytest.mark.parametrize("status", SlotStatus)
def test_nine_statuses_become_five(status: SlotStatus) -> None:
    occupied = status.value in ("preparing", "charging", "suspended_ev", "suspended_evse", "finishing")
    expected = "Occupied" if occupied else status.value.capitalize()
    assert payload(StatusChanged(2, status, at(0)))["connectorStatus"] == expected


@pytest.mark.parametrize("why", [pytest.param(why, marks=spec("2.0.1", "E01.FR.15")) for why in Why])
def test_every_trigger_has_its_name(why: Why) -> None:
    assert payload(transaction("updated", why=why))["triggerReason"] == why.value


@pytest.mark.parametrize("state", ChargingState)
def test_every_charging_state_has_its_name(state: ChargingState) -> None:
    told = payload(transaction("updated", state=state))["transactionInfo"]["chargingState"]
    assert told.lower() == {"connected": "evconnected"}.get(state.value, state.value.replace("_", ""))


@spec("2.0.1", "E06.FR.08", "E06.FR.09")
@pytest.mark.parametrize("stop", [None, *StopReason])
def test_every_reason_has_its_name(stop: StopReason | None) -> None:
    told = payload(transaction("ended", stop=stop))["transactionInfo"].get("stoppedReason")
    names = {
        None: None,
        StopReason.OVER_CURRENT: "OvercurrentFault",
        StopReason.SOFT_RESET: "ImmediateReset",
        StopReason.HARD_RESET: "ImmediateReset",
        StopReason.UNLOCK: "Remote",
    }
    expected = names[stop] if stop in names else stop.value.replace("_", "") if stop else None
    assert (told and told.lower()) == (expected and expected.lower())


def test_only_the_first_event_with_a_vehicle_names_evse_and_connector() -> None:
    assert payload(transaction("started", slot=2, first_connected=True))["evse"] == {"id": 2, "connectorId": 1}
    assert "evse" not in payload(transaction("updated", slot=2))


@pytest.mark.parametrize("kind", TokenKind)
def test_a_token_goes_with_its_kind(kind: TokenKind) -> None:
    told = payload(transaction("started", token=Token("0A" * 30, kind)))["idToken"]
    assert told["type"].lower() == {"none": "noauthorization"}.get(kind.value, kind.value.replace("_", ""))
    assert told["idToken"] == ("" if kind is TokenKind.NONE else "0A" * 18)
    assert payload(Authorize(Token("0A", kind)))["idToken"]["type"] == told["type"]


def test_offline_is_said_only_when_it_was_so() -> None:
    assert payload(transaction("updated", offline=True))["offline"] is True
    assert "offline" not in payload(transaction("updated"))


def test_session_and_sequence_are_those_that_were_allocated() -> None:
    told = payload(transaction("updated", seq=41, request=7))
    assert (told["seqNo"], told["transactionInfo"]["transactionId"]) == (41, SESSION)
    assert told["transactionInfo"]["remoteStartId"] == 7


def test_a_boundary_without_samples_still_tells_its_register() -> None:
    def values(told: TransactionTold) -> list[tuple[float, str]]:
        return [
            (one["value"], one["context"]) for value in payload(told)["meterValue"] for one in value["sampledValue"]
        ]

    assert values(transaction("started", register_mwh=1_999)) == [(1, "Transaction.Begin")]
    assert values(transaction("ended", register_mwh=2_999)) == [(2, "Transaction.End")]
    samples = (sample(0, 1_999, Context.BEGIN), sample(60, 2_999, Context.END))
    both = [(1, "Transaction.Begin"), (2, "Transaction.End")]
    assert values(transaction("ended", register_mwh=2_999, samples=samples)) == both


def test_numbers_keep_the_resolution_of_the_meter() -> None:
    text = json.dumps(GOLDEN["updated with all values"])
    assert all(f'"value": {number},' in text for number in ("1234567", "7266.481", "15.84", "229.949", "49.98"))
    assert "Temperature" not in text


@given(events)
def test_any_event_is_said_validly(told: TransactionTold) -> None:
    payload(told)


def test_it_is_not_listened_to_and_not_offered() -> None:
    answer, noted = V201.answered(AskTime(), b"{}")
    assert isinstance(answer, Refused)
    assert noted is None
    assert isinstance(V201.command("Reset", b"{}", ABOUT), CallRefused)
    assert json.loads(V201.outcome(ClearCache(), ACCEPTED, ABOUT)) == {}
    assert V201.subprotocol not in OFFERED


def test_a_card_is_the_same_card_in_both_languages() -> None:
    by_version = {version: load(version).encode(Authorize(CARD), ABOUT) for version in ("ocpp1.6", "ocpp2.0.1")}
    assert all(call and CARD.uid.encode() in call[1] for call in by_version.values())
