"""Frames of OCPP-J as a station writes them, and the codes with which it refuses others (OCPP-J 1.6 §4).

Who waits for whom: `test_rpc.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hal.signals import BoardReady
from hal.units import Pilot
from ocpp_client.link import LinkUp
from station.core.boot import BootInfo
from station.core.effects import SendFrame
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.spec import spec


def connected(**options: Any) -> CoreBench:
    bench = CoreBench(**options)
    bench.connect()
    return bench


def said_to(bench: CoreBench, text: str) -> list[list[Any]]:
    """The frames with which the station answers a message at once."""
    before = len(bench.sent)
    bench.give_text(text)
    return bench.sent[before:]


def out(bench: CoreBench) -> Any:
    """The call that is out, or None."""
    return bench.open_call


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
