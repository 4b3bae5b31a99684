"""Frames: what is one, what is none, and what is still known of one that is none."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ocpp_client.wire.frame import BadFrame, Call, CallError, CallResult, Frame, UnknownMessageType, join, split
from tests.spec import spec

LONGEST = "x" * 36
DEEP = "[" * 100_000


def payload(frame: Frame) -> bytes:
    assert isinstance(frame, Call | CallResult)
    return bytes(frame.payload)


def refused(text: str | bytes) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        split(text)
    return caught.value


@spec("1.6", "J-01", "J-06", "J-18")
def test_a_call_keeps_its_payload_as_it_came() -> None:
    frame = split(b' [2, "a-1" ,"MeterValues", {"x": 1.50} ]\n')
    assert isinstance(frame, Call)
    assert (frame.message_id, frame.action, payload(frame)) == ("a-1", "MeterValues", b'{"x": 1.50}')


@spec("1.6", "J-02")
def test_a_result_keeps_its_payload_as_it_came() -> None:
    frame = split('[3,"ä😀",{}]')
    assert isinstance(frame, CallResult)
    assert (frame.message_id, payload(frame)) == ("ä😀", b"{}")


@pytest.mark.parametrize(
    ("text", "description", "details"),
    [
        ('[4,"1","GenericError","why",{"a":1}]', "why", b'{"a":1}'),
        ('[4,"1","GenericError","why"]', "why", b"{}"),
        ('[4,"1","GenericError"]', "", b"{}"),
        ('[4,"1","GenericError",null,null]', "", b"null"),
        ('[4,"1","GenericError",{"a":1},[]]', "", b"[]"),
        ('[4,"1","GenericError","","no object",7]', "", b'"no object"'),
    ],
)
@spec("1.6", "J-03")
def test_an_error_may_be_sloppy(text: str, description: str, details: bytes) -> None:
    frame = split(text)
    assert isinstance(frame, CallError)
    assert (frame.message_id, frame.code, frame.description) == ("1", "GenericError", description)
    assert bytes(frame.details) == details


@pytest.mark.parametrize("text", ['[3,"1"]', '[3,"1",null]', '[3,"1",[]]', '[3,"1", [] ]'])
def test_a_result_of_nothing_is_an_empty_one(text: str) -> None:
    assert split(text) == CallResult("1", msgspec.Raw(b"{}"))


@pytest.mark.parametrize("text", ['[4,"1"]', '[4,"1",null]', '[4,"1",7,"",{}]', '[4,null,"GenericError","",{}]'])
def test_an_error_needs_its_id_and_its_code(text: str) -> None:
    assert refused(text).message_type == 4


@pytest.mark.parametrize(
    ("text", "message_type", "message_id"),
    [
        ('[2,"1","Heartbeat"]', 2, "1"),
        ('[2,"1","Heartbeat",{},{}]', 2, "1"),
        ('[2,"1","Heartbeat",[]]', 2, "1"),
        ('[2,"1","Heartbeat",null]', 2, "1"),
        ('[2,"1","Heartbeat","{}"]', 2, "1"),
        ('[2,"1",7,{}]', 2, "1"),
        ('[2,"1"]', 2, "1"),
        ('[3,"1",[1]]', 3, "1"),
        ('[3,"1",{},{}]', 3, "1"),
        ('[2,"1","Heartbeat",{"x":NaN}]', 2, "1"),
        ('[2,"1","Heartbeat",{"x":01}]', 2, "1"),
        ('[2,"1","Heartbeat",{"x":"\\ud800"}]', 2, "1"),
        ('[2,"1","Heartbeat",{"x":"\ud800"}]', 2, "1"),
        ('[2,"1","Heartbeat",{"x":', 2, "1"),
        ('[2,"1","Heartbeat",{"x":' + DEEP, 2, "1"),
        (f'[2,"{LONGEST}","Heartbeat"', 2, LONGEST),
        ('[2,"' + r"\ud83d\ude00" * 36 + '","Heartbeat"]', 2, "😀" * 36),
        (f'[2,"{LONGEST}x","Heartbeat",{{}}]', 2, None),
        ('[2,"","Heartbeat",{}]', 2, None),
        ('[2,17,"Heartbeat",{}]', 2, None),
        ('[2,null,"Heartbeat",{}]', 2, None),
        ('[2,"\\ud800","Heartbeat",{}]', 2, None),
        (b'[2,"\xff","Heartbeat",{}]', 2, None),
        ("[2]", 2, None),
        ('["2","1","Heartbeat",{}]', None, None),
        ('[2.0,"1","Heartbeat",{}]', None, None),
        ('[true,"1","Heartbeat",{}]', None, None),
        ('{"0":2}', None, None),
        ("[]", None, None),
        ("2", None, None),
        ("", None, None),
        ("[2", None, None),
        (DEEP, None, None),
        (b"\xef\xbb\xbf[]", None, None),
        (b"\xff\xfe", None, None),
    ],
)
def test_a_bad_frame_says_what_could_be_read(
    text: str | bytes, message_type: int | None, message_id: str | None
) -> None:
    bad = refused(text)
    assert not isinstance(bad, UnknownMessageType)
    assert (bad.message_type, bad.message_id) == (message_type, message_id)


@pytest.mark.parametrize(
    ("text", "in_payload"),
    [
        ('[2,"1","Heartbeat",{"x":NaN}]', True),
        ('[2,"1","Heartbeat",[]]', True),
        ('[2,"1","Heartbeat"]', False),
        ('[2,"1",7,{"x":NaN}]', False),
        ('[3,"1",{"x":NaN}]', False),
        ('[3,"1",[1]]', False),
    ],
)
def test_a_bad_frame_says_whether_only_the_payload_of_a_call_is_broken(text: str, in_payload: bool) -> None:
    assert refused(text).in_payload is in_payload


@pytest.mark.parametrize(
    ("text", "message_type", "message_id"),
    [
        ('[5,"1","GenericError","",{}]', 5, "1"),
        ('[6,"1","NotifyPeriodicEventStream",{}]', 6, "1"),
        ('[-1,"1"]', -1, "1"),
        ("[0]", 0, None),
        ('[999999999,"1",{"x":NaN}]', 999_999_999, "1"),
    ],
)
@spec("1.6", "J-15")
def test_a_number_without_meaning_is_told_apart(text: str, message_type: int, message_id: str | None) -> None:
    bad = refused(text)
    assert isinstance(bad, UnknownMessageType)
    assert (bad.message_type, bad.message_id) == (message_type, message_id)


@given(st.one_of(st.text(), st.binary(), st.from_regex(r'\[[2-5],"[a-z]{0,3}",.{0,20}', fullmatch=True)))
@example('[2,"' + '\\"' * 300)
@example("[" + "9" * 10_000)
def test_whatever_comes_is_a_frame_or_a_bad_frame(text: str | bytes) -> None:
    try:
        frame = split(text)
    except BadFrame as bad:
        assert bad.message_id is None or 1 <= len(bad.message_id) <= 36
    else:
        json.loads(join(frame))


IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=36)
OBJECTS = st.dictionaries(
    st.text(st.characters(codec="utf-8")), st.none() | st.integers() | st.text(st.characters(codec="utf-8"))
)


@given(IDS, st.text(st.characters(codec="utf-8")), OBJECTS)
def test_what_is_joined_is_split_again(message_id: str, text: str, value: dict[str, object]) -> None:
    raw = msgspec.Raw(json.dumps(value).encode())
    for frame, array in (
        (Call(message_id, text, raw), [2, message_id, text, value]),
        (CallResult(message_id, raw), [3, message_id, value]),
        (CallError(message_id, "GenericError", text, raw), [4, message_id, "GenericError", text, value]),
    ):
        joined = join(frame)
        assert json.loads(joined) == array
        assert join(split(joined)) == joined
