"""Calls and answers of OCPP-J, both ways, as a station behaves (OCPP-J 1.6 §4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hal.units import LockState, Pilot
from ocpp_client.link import FrameReceived, LinkUp
from ocpp_client.rpc import INBOUND_BOUND
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec


def connected(**options: Any) -> CoreBench:
    bench = CoreBench(**options)
    bench.connect()
    return bench


def out(bench: CoreBench) -> Any:
    """The call that is out, or None."""
    return bench.open_call


def waiting_for_authorize(**settings: Any) -> CoreBench:
    bench = connected(settings=Settings(**settings))
    bench.plug()
    bench.wait(3)
    bench.answer_all()
    bench.tap()
    assert bench.open_call is not None and bench.open_call[2] == "Authorize"
    return bench


# --- one at a time, each way ---


@spec("1.6", "J-09")
def test_no_second_call_before_the_first_is_answered_or_timed_out() -> None:
    bench = connected()
    before = len(bench.calls)
    bench.plug(1)
    bench.plug(2)
    for message in ("Heartbeat", "MeterValues", "StatusNotification"):
        bench.call("TriggerMessage", {"requestedMessage": message})
    bench.tap()
    bench.wait(29)
    assert len(bench.calls) - before == 1, "all the others wait"
    bench.answer("StatusNotification", {})
    assert len(bench.calls) - before == 2
    bench.wait(29)
    assert len(bench.calls) - before == 2
    bench.wait(2)
    assert len(bench.calls) - before == 3, "the second has timed out"
    bench.answer_all()
    assert len(bench.calls) - before >= 9


@spec("1.6", "J-10")
def test_calls_of_the_csms_are_answered_while_one_of_ours_is_out() -> None:
    bench = waiting_for_authorize()
    first = bench.open_call
    reply = bench.reply(bench.call("GetConfiguration", {"key": ["NumberOfConnectors"]}))
    assert reply["configurationKey"][0]["value"] == "2"
    assert out(bench) == first
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert bench.core.slots[0].session is not None


@spec("1.6", "J-11")
@pytest.mark.parametrize("late", [[3, {"idTagInfo": {"status": "Accepted"}}], [4, "InternalError", "", {}]])
def test_an_answer_that_comes_after_the_time_out_is_ignored(late: list[Any]) -> None:
    bench = waiting_for_authorize()
    first = bench.open_call
    assert first is not None
    bench.wait(31)
    bench.answer_all()
    effects = len(bench.effects)
    bench.give_text(json.dumps([late[0], first[1], *late[1:]]))
    assert bench.core.slots[0].session is None
    assert [type(e).__name__ for e in bench.effects[effects:]] == ["Note"]


@spec("1.6", "16-J-12")
@pytest.mark.parametrize("seconds", [30, 5])
def test_an_answer_is_waited_for_as_long_as_is_set(seconds: int) -> None:
    bench = waiting_for_authorize(message_timeout_s=seconds)
    bench.wait(seconds - 0.1)
    assert out(bench) is not None
    bench.wait(0.2)
    assert out(bench) is None
    assert "call.failed" in bench.notes()


@pytest.mark.parametrize("answer", ['[3,"{}",17]', '[3,"{}",{{}},1]', '[4,"{}"]', '[4,"{}",501]'])
def test_an_answer_that_cannot_be_read_is_a_failure_at_once(answer: str) -> None:
    bench = waiting_for_authorize()
    call = bench.open_call
    assert call is not None
    bench.give_text(answer.format(call[1]))
    assert out(bench) is None
    assert "call.failed" in bench.notes()


def test_what_is_no_json_is_no_answer() -> None:
    bench = waiting_for_authorize()
    call = bench.open_call
    assert call is not None
    bench.give_text(f'[3,"{call[1]}",{{"idTagInfo":')
    assert bench.open_call == call


@pytest.mark.parametrize("nothing", ["", ",null", ",[]"])
def test_an_answer_without_members_may_be_written_as_nothing(nothing: str) -> None:
    bench = connected()
    bench.answering = False
    bench.pilot(Pilot.B)
    bench.wait(2)
    call = bench.open_call
    assert call is not None and call[2] == "StatusNotification"
    bench.give_text(f'[3,"{call[1]}"{nothing}]')
    assert out(bench) is None
    assert "call.failed" not in bench.notes()


@spec("1.6", "J-14")
@pytest.mark.parametrize(
    "frame", [[3, "never-sent", {}], [4, "never-sent", "RpcFrameworkError", "", {}], [4, "-1", "GenericError", "", {}]]
)
def test_an_answer_to_nothing_is_ignored(frame: list[Any]) -> None:
    """Some peers answer on the next connection, with an id of the one before."""
    bench = waiting_for_authorize()
    first, sent = bench.open_call, len(bench.sent)
    bench.give_text(json.dumps(frame))
    assert (bench.open_call, len(bench.sent)) == (first, sent)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert bench.core.slots[0].session is not None


@spec("1.6", "J-56")
def test_with_the_connection_the_call_that_was_out_is_lost_and_a_record_kept() -> None:
    bench = connected()
    bench.plug()
    bench.wait(3)
    bench.answer_all()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    start = bench.open_call
    assert start is not None and start[2] == "StartTransaction"
    bench.disconnect()
    assert out(bench) is None
    assert bench.disk["outbox"]
    bench.wait(5)
    bench.give(LinkUp("ocpp1.6"))
    assert bench.open_call == start, "with the same id"
    bench.answer_all()
    assert bench.disk["outbox"] == {}


@spec("1.6", "J-56")
def test_a_card_whose_question_went_with_the_connection_is_decided_offline() -> None:
    bench = waiting_for_authorize(allow_offline_unknown=True)
    bench.disconnect()
    assert bench.core.slots[0].session is not None


# --- the peer as it is ---


def test_a_csms_that_answers_after_the_time_out_has_what_it_answered() -> None:
    """It takes 31 s for everything. A record is not sent again once its answer is there, nor is it counted as lost."""
    bench = connected(settings=Settings(transaction_attempts=3, transaction_retry_s=60, local_pre_authorize=True))
    bench.charging()
    bench.wait(5)
    late: list[tuple[float, list[Any]]] = []
    seen = len(bench.calls)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.unplug()
    for second in range(400):
        late += [(second + 31, call) for call in bench.calls[seen:]]
        seen = len(bench.calls)
        for call in [call for at, call in late if at == second]:
            bench.give(FrameReceived(json.dumps([3, call[1], {}])))
        bench.wait(1)
    assert len(bench.actions("StopTransaction")) == 1
    assert bench.disk["outbox"] == {}
    assert bench.disk.get("dead", {}) == {}


@spec("1.6", "J-10")
def test_five_commands_at_once_are_answered_in_their_order() -> None:
    """The second waits for the disk, the third for a lock: none overtakes another."""
    bench = waiting_for_authorize()
    bench.store = "silent"
    sent = len(bench.sent)
    commands = (
        ("GetConfiguration", {"key": ["ResetRetries"]}),
        ("ChangeConfiguration", {"key": "ResetRetries", "value": "2"}),
        ("UnlockConnector", {"connectorId": 1}),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("GetConfiguration", {"key": ["ResetRetries"]}),
    )
    ids = [bench.call(*command) for command in commands]
    assert [frame[1] for frame in bench.sent[sent:]] == ids[:1], "the disk has not spoken"
    bench.wait(6)
    answered = [frame[1] for frame in bench.sent[sent:] if frame[0] in (3, 4)]
    assert answered == ids


@spec("1.6", "J-29")
def test_more_calls_than_can_be_kept_are_refused() -> None:
    bench = connected()
    bench.store = "silent"
    ids = [bench.call("ChangeConfiguration", {"key": "ResetRetries", "value": str(n)}) for n in range(INBOUND_BOUND)]
    assert [bench.reply(one) for one in ids] == [None] * INBOUND_BOUND
    over = bench.call("GetConfiguration", {"key": ["ResetRetries"]})
    assert bench.reply(over) == "InternalError"
    bench.wait(100)
    assert [bench.reply(one) for one in ids] == [{"status": "Rejected"}] * INBOUND_BOUND
    bench.store = "ok"
    assert bench.reply(bench.call("ChangeConfiguration", {"key": "ResetRetries", "value": "3"})) == {
        "status": "Accepted"
    }


def test_commands_are_answered_before_calls_of_ours_are_sent() -> None:
    """Some peers hold one lock for both directions: a call of ours would wait for our own answer."""
    bench = connected()
    bench.store = "silent"
    changed = bench.call("ChangeConfiguration", {"key": "ResetRetries", "value": "2"})
    before = len(bench.calls)
    bench.plug()
    bench.wait(1)
    assert len(bench.calls) == before
    bench.wait(5)
    frames = [frame for frame in bench.sent if frame[1] == changed or frame in bench.calls[before:]]
    assert frames[0][1] == changed
    assert frames[1][2] == "StatusNotification"


def test_a_command_that_comes_to_nothing_is_answered_within_the_time_out() -> None:
    bench = connected(board=False)
    bench.core.slots[0].lock = LockState.CLOSED
    unlocked = bench.call("UnlockConnector", {"connectorId": 1})
    assert bench.reply(unlocked) is None
    bench.wait(22)
    assert bench.reply(unlocked) == {"status": "UnlockFailed"}


def test_what_was_asked_on_the_last_connection_is_not_answered_on_this_one() -> None:
    bench = connected()
    bench.store = "silent"
    changed = bench.call("ChangeConfiguration", {"key": "ResetRetries", "value": "2"})
    behind = bench.call("GetConfiguration", {})
    bench.disconnect()
    bench.wait(3)
    bench.give(LinkUp("ocpp1.6"))
    bench.wait(10)
    assert bench.reply(changed) is bench.reply(behind) is None


def test_the_token_of_a_card_is_never_sent_under_another_question() -> None:
    bench = waiting_for_authorize()
    assert bench.open_call is not None and bench.open_call[3] == {"idTag": CARD}
