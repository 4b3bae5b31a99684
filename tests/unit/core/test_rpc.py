"""Calls and answers of OCPP-J, both ways, as a station behaves (OCPP-J 1.6 §4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hal.signals import BoardReady
from hal.units import LockState, Pilot
from ocpp_client.link import FrameReceived, LinkUp
from ocpp_client.rpc import INBOUND_BOUND
from station.core.boot import BootInfo
from station.core.effects import SendFrame
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


# --- frames ---


@spec("1.6", "J-01", "J-18")
def test_calls_of_the_station_have_four_elements_and_the_bare_name() -> None:
    bench = connected(answering=True)
    bench.charging()
    bench.wait(700)
    assert {len(call) for call in bench.calls} == {4}
    assert all(type(call[1]) is str and type(call[3]) is dict for call in bench.calls)
    assert {call[2] for call in bench.calls} == {
        *("BootNotification", "StatusNotification", "Authorize", "StartTransaction", "MeterValues", "Heartbeat")
    }


@spec("1.6", "J-18")
@pytest.mark.parametrize("action", ["clearcache", "CLEARCACHE", "ClearCacheRequest", "ClearCache.req", " ClearCache"])
def test_names_of_actions_are_told_apart_by_case(action: str) -> None:
    assert said_to(connected(), json.dumps([2, "a", action, {}]))[0][:3] == [4, "a", "NotImplemented"]


@spec("1.6", "J-02")
def test_a_result_has_three_elements_and_the_id_of_its_call() -> None:
    for message_id in ("1", "x" * 36, "ä€😀", '"\\'):
        assert said_to(connected(), json.dumps([2, message_id, "ClearCache", {}])) == [
            [3, message_id, {"status": "Accepted"}]
        ]


@spec("1.6", "J-03")
def test_an_error_has_five_elements_a_short_description_and_an_object() -> None:
    surplus = {"x" * 200 + str(number): number for number in range(5)}
    for payload in ({}, {"type": "Firm"}, surplus, {"type": [1]}):
        [frame] = said_to(connected(), json.dumps([2, "a", "Reset", payload]))
        assert (len(frame), frame[0], frame[1], frame[4]) == (5, 4, "a", {})
        assert type(frame[3]) is str and 0 < len(frame[3]) <= 255


@spec("1.6", "J-06")
def test_message_ids_are_short_and_never_used_twice() -> None:
    """Over connections and boots too."""
    ids: list[str] = []
    bench = connected(answering=True)
    for boot in range(3):
        for _ in range(3):
            bench.charging()
            bench.wait(100)
            bench.tap()
            bench.pilot(Pilot.B)
            bench.unplug()
            bench.answer_all()
            bench.disconnect()
            bench.wait(10)
            bench.give(LinkUp("ocpp1.6"))
            bench.wait(10)
        ids += [call[1] for call in bench.calls]
        bench = bench.restart(boot=BootInfo(f"os-{boot}", True, f"nonce{boot}"), answering=True)
        bench.give(BoardReady())
        bench.connect()
    assert len(ids) > 50
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 36


@spec("1.6", "J-07")
def test_a_call_that_timed_out_is_repeated_under_its_id_and_a_refused_one_under_another() -> None:
    bench = connected(settings=Settings(transaction_retry_s=1, transaction_attempts=9))
    bench.plug()
    bench.wait(3)
    bench.answer_all()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    first = bench.open_call
    assert first is not None and first[2] == "StartTransaction"
    bench.wait(30)
    while (behind := out(bench)) is not None:
        bench.answer(behind[2], {})
    bench.wait(3)
    assert bench.open_call == first, "id and bytes"
    bench.refuse("InternalError")
    bench.answer_all(StartTransaction={})
    bench.wait(5)
    again = bench.open_call
    assert again is not None
    assert again[1] != first[1] and again[2:] == first[2:]


@spec("1.6", "J-08")
@pytest.mark.parametrize(
    "text", ["nonsense", "", "[2", "[]", "{}", '[2,{},"Reset",{}]', f'[2,"{"x" * 37}","Reset",{{}}]', "[2]"]
)
def test_a_frame_whose_id_cannot_be_read_is_answered_with_minus_one(text: str) -> None:
    assert [frame[:3] for frame in said_to(connected(), text)] == [[4, "-1", "GenericError"]]


@spec("1.6", "J-15")
@pytest.mark.parametrize(
    "text", ['[5,"a","x","",{}]', '[6,"a","Heartbeat",{}]', '[0,"a",{}]', '[-1,"a"]', '[99,"a",{}]']
)
def test_an_unknown_type_of_message_is_ignored(text: str) -> None:
    assert said_to(connected(), text) == []


@spec("1.6", "J-16")
def test_what_is_sent_is_json_in_utf_8() -> None:
    bench = connected()
    bench.call("GetConfiguration", {"key": ["schlüssel-☃-😀"]})
    frame = next(e for e in reversed(bench.effects) if isinstance(e, SendFrame)).frame
    assert json.loads(frame.decode("utf-8"))[2] == {"unknownKey": ["schlüssel-☃-😀"]}


@spec("1.6", "J-17")
def test_nothing_empty_is_sent() -> None:
    bench = connected(answering=True)
    bench.charging()
    bench.wait(1000)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    bench.call("GetConfiguration", {"key": ["NumberOfConnectors"]})
    bench.call("DataTransfer", {"vendorId": "nobody"})
    assert {"StopTransaction", "MeterValues", "Heartbeat"} <= {call[2] for call in bench.calls}

    def empty(value: Any, top: bool) -> bool:
        if isinstance(value, dict):
            return (not value and not top) or any(empty(one, False) for one in value.values())
        return any(empty(one, False) for one in value) if isinstance(value, list) and value else value in (None, [])

    payloads = [frame[3] if frame[0] == 2 else frame[2] for frame in bench.sent]
    assert not [payload for payload in payloads if empty(payload, True)]
    assert next(call[3] for call in bench.calls if call[2] == "Heartbeat") == {}


# --- error codes ---


@spec("1.6", "J-24")
@pytest.mark.parametrize(
    ("action", "code"),
    [
        *((action, "NotImplemented") for action in ("Frobnicate", "", "GetVariables", "NotifyEvent")),
        *((action, "NotSupported") for action in ("GetDiagnostics", "ReserveNow", "ClearChargingProfile", "GetLog")),
        *((action, "NotSupported") for action in ("BootNotification", "MeterValues", "Authorize")),
    ],
)
def test_unknown_actions_and_those_that_this_station_has_not(action: str, code: str) -> None:
    assert said_to(connected(), json.dumps([2, "a", action, {}]))[0][2] == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param({"connectorId": 1}, "ProtocolError", marks=spec("1.6", "J-25")),
        pytest.param({}, "ProtocolError", marks=spec("1.6", "J-25")),
        pytest.param(
            {"connectorId": 1, "type": "Operative", "x": 1}, "FormationViolation", marks=spec("1.6", "16-J-53", "J-25")
        ),
        pytest.param({"connectorId": "1", "type": "Operative"}, "TypeConstraintViolation", marks=spec("1.6", "J-26")),
        pytest.param({"connectorId": 1, "type": None}, "TypeConstraintViolation", marks=spec("1.6", "J-26")),
        pytest.param({"connectorId": 1, "type": "operative"}, "PropertyConstraintViolation", marks=spec("1.6", "J-27")),
        pytest.param([], "FormationViolation", marks=spec("1.6", "16-J-22")),
        pytest.param("x", "FormationViolation", marks=spec("1.6", "16-J-22")),
    ],
)
def test_a_payload_that_does_not_fit(payload: Any, code: str) -> None:
    bench = connected()
    assert said_to(bench, json.dumps([2, "a", "ChangeAvailability", payload]))[0][:3] == [4, "a", code]
    assert bench.disk.get("availability", {}) == {}


@spec("1.6", "J-27")
def test_a_text_that_is_too_long() -> None:
    call = [2, "a", "RemoteStartTransaction", {"idTag": "x" * 21}]
    assert said_to(connected(), json.dumps(call))[0][2] == "PropertyConstraintViolation"


@spec("1.6", "16-J-21")
def test_too_many_items_are_an_occurence_with_one_r() -> None:
    call = [2, "a", "GetConfiguration", {"key": ["x"] * 101}]
    assert said_to(connected(), json.dumps(call))[0][2] == "OccurenceConstraintViolation"


@spec("1.6", "16-J-22")
@pytest.mark.parametrize("payload", ['{"type":"Hard"', "{'type':'Hard'}", '{"type":}', "nul", '{"type":"\\ud83d"}'])
def test_a_payload_that_is_no_json(payload: str) -> None:
    [frame] = said_to(connected(), f'[2,"a","Reset",{payload}]')
    assert frame[:2] == [4, "a"]
    assert frame[2] in ("FormationViolation", "PropertyConstraintViolation")


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
    bench.tap()
    bench.pilot(Pilot.B)
    bench.unplug()
    late: list[tuple[float, list[Any]]] = []
    seen = len(bench.calls)
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
