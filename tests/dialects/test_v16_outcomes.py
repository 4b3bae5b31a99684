"""How commands ended, as a 1.6 station answers them: every outcome is a valid answer to every command."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_client.dialects import load
from station.words import commands as ask
from station.words.outcomes import (
    ACCEPTED,
    REJECTED,
    SCHEDULED,
    AnyOutcome,
    SettingsChanged,
    SettingsTold,
    SettingTold,
    UnlockOutcome,
    Verdict,
)
from station.words.questions import TimedOut, VendorAnswer
from tests.dialects.cases import ABOUT
from tests.dialects.judge import faults
from tests.dialects.requests import ACTIONS, APP, COMMANDS
from tests.spec import spec

V16 = load("1.6")


def answer(command: ask.AnyCommand, outcome: AnyOutcome) -> Any:
    """The answer to a command, judged by the schema of the action that it came with."""
    payload = V16.outcome(command, outcome, ABOUT)
    assert faults("v16", ACTIONS[type(command)], "response", payload) == []
    return json.loads(payload)


@pytest.mark.parametrize(
    ("command", "outcome", "status"),
    [
        (ask.StartSession(APP), ACCEPTED, "Accepted"),
        (ask.StartSession(APP), REJECTED, "Rejected"),
        (ask.StopSession(None), REJECTED, "Rejected"),
        (ask.Reset(True), ACCEPTED, "Accepted"),
        (ask.Reset(False), SCHEDULED, "Accepted"),
        (ask.ClearCache(), ACCEPTED, "Accepted"),
        (ask.ChangeAvailability(1, True), ACCEPTED, "Accepted"),
        (ask.ChangeAvailability(1, False), SCHEDULED, "Scheduled"),
        (ask.ChangeAvailability(9, False), REJECTED, "Rejected"),
        (ask.Trigger("boot"), ACCEPTED, "Accepted"),
        (ask.Trigger("status", 9), REJECTED, "Rejected"),
        (ask.UnlockSlot(1), UnlockOutcome("unlocked"), "Unlocked"),
        (ask.UnlockSlot(1), UnlockOutcome("failed"), "UnlockFailed"),
        (ask.UnlockSlot(1), UnlockOutcome("unsupported"), "NotSupported"),
        pytest.param(ask.UnlockSlot(9), UnlockOutcome("unknown"), "NotSupported", marks=spec("1.6", "16-UNL-03")),
        (ask.UnlockSlot(1), UnlockOutcome("in_use"), "UnlockFailed"),
        (ask.VendorMessage("a"), VendorAnswer("accepted"), "Accepted"),
        (ask.VendorMessage("a"), VendorAnswer("rejected"), "Rejected"),
        (ask.VendorMessage("a"), VendorAnswer("unknown_message"), "UnknownMessageId"),
    ],
)
def test_an_outcome_is_an_answer(command: ask.AnyCommand, outcome: AnyOutcome, status: str) -> None:
    assert answer(command, outcome) == {"status": status}


@spec("1.6", "16-DT-01")
def test_to_an_unknown_vendor_there_is_no_data() -> None:
    assert answer(ask.VendorMessage("a"), VendorAnswer("unknown_vendor", "secret")) == {"status": "UnknownVendorId"}
    assert answer(ask.VendorMessage("a"), VendorAnswer("accepted", ""))["data"] == ""


@pytest.mark.parametrize("command", [command for _, _, command in COMMANDS])
def test_a_command_that_took_too_long_is_refused(command: ask.AnyCommand) -> None:
    refusals = ({"status": "Rejected"}, {"status": "UnlockFailed"}, {"status": "Rejected"})
    if not isinstance(command, ask.ReadSettings):
        assert answer(command, TimedOut()) in refusals


OUTCOMES: tuple[AnyOutcome, ...] = (
    ACCEPTED,
    REJECTED,
    SCHEDULED,
    Verdict("not_implemented", "a sentence"),
    *(UnlockOutcome(status) for status in ("unlocked", "failed", "unsupported", "unknown", "in_use")),
    *(SettingsChanged((status,)) for status in ("accepted", "restart", "rejected", "read_only", "unknown")),
    SettingsTold((SettingTold("heartbeat_interval_s", "60", False),)),
    VendorAnswer("accepted", "x"),
    TimedOut(),
)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_outcome_makes_an_invalid_answer(outcome: AnyOutcome) -> None:
    for _, _, command in COMMANDS:
        answer(command, outcome)
