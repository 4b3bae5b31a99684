"""Frames on record and on the screen: whole, in order, and without secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.units import MILLISECOND
from ocpp_client.secrets import STARS, Cleaner
from sim.frames import Exchange, FrameFile

SECRET = "marker-secret-0123456789"
CLEANER = Cleaner([SECRET.encode()])


@pytest.mark.parametrize(
    "frame",
    [
        f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}"}}]',
        '[2,"1","ChangeConfiguration",{"key":"authorizationkey","value":"another secret"}]',
        '[2, "1", "ChangeConfiguration", {"value": "another secret", "key": "AuthorizationKey"}]',
        '[2,"1","SetVariables",{"setVariableData":[{"component":{"name":"SecurityCtrlr"},'
        '"variable":{"name":"BasicAuthPassword"},"attributeValue":"another secret"}]}]',
        '[2,"1","SetNetworkProfile",{"configurationSlot":1,"connectionData":{"ocppCsmsUrl":"ws://x",'
        '"basicAuthPassword":"another secret","apn":{"apn":"x","apnPassword":"another secret"}}}]',
        '[2,"1","SetNetworkProfile",{"connectionData":{"vpn":{"server":"s","user":"u","password":"another secret",'
        '"key":"another secret","type":"IPSec"}}}]',
        f'[2,"1","DataTransfer",{{"vendorId":"x","data":"{SECRET}"}}]',
        f'[2,"1","DataTransfer",{{"vendorId":"x","data":"{SECRET.encode().hex()}"}}]',
        '{"authorizationKey": another secret',
        f"no JSON at all: {SECRET}",
    ],
)
def test_secrets_are_taken_out(frame: str) -> None:
    for text in (frame, frame.encode()):
        cleaned = CLEANER.clean(text)
        assert "another secret" not in cleaned and SECRET not in cleaned and SECRET.encode().hex() not in cleaned
        assert STARS in cleaned


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","ChangeConfiguration",{"key":"HeartbeatInterval","value":"300"}]',
        '[2,"1","GetConfiguration",{"key":["HeartbeatInterval"]}]',
        '[3,"1",{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}]}]',
        '[3,  "1" , {}]',
    ],
)
def test_all_else_stays_as_it_was(frame: str) -> None:
    assert CLEANER.clean(frame) == frame


def test_a_very_short_password_does_not_eat_the_recording() -> None:
    assert Cleaner([b"1"]).clean('[2,"1","Heartbeat",{}]') == '[2,"1","Heartbeat",{}]'


@given(st.text())
def test_no_frame_makes_it_raise(frame: str) -> None:
    CLEANER.clean(frame)
    Exchange().line("CP1", True, frame, 0, True)


def test_a_recording_is_verbatim_json_lines(tmp_path: Path) -> None:
    frames = ['[2,"1","Heartbeat",{}]', '[3, "1", {"currentTime": "x"}]', "not JSON\n{", '[2,\n"2",\n"Heartbeat",{}]']
    record = FrameFile(tmp_path / "frames.jsonl")
    for number, frame in enumerate(frames):
        record.write(1_780_272_000_000 + number, "CP1", number % 2 == 0, frame)
    written = (tmp_path / "frames.jsonl").read_text().splitlines()  # before it is closed
    record.close()
    assert written[0] == (
        '{"at":"2026-06-01T00:00:00.000Z","station":"CP1","direction":"out","frame":[2,"1","Heartbeat",{}]}'
    )
    assert '"frame":[3, "1", {"currentTime": "x"}]' in written[1] and '"direction":"in"' in written[1]
    assert json.loads(written[2])["frame"] == frames[2]
    assert json.loads(written[3])["frame"] == [2, "2", "Heartbeat", {}]


def test_lines_for_people_join_calls_and_answers() -> None:
    exchange = Exchange()
    call, answer = '[2,"1","Heartbeat",{}]', '[3,"1",{"currentTime":"x"}]'
    assert exchange.line("CP1", True, call, 0, False) == "-> Heartbeat {}"
    assert exchange.line("CP2", False, answer, 0, False) == '<- ? 0 ms {"currentTime": "x"}'  # another station's
    assert exchange.line("CP1", False, answer, 12 * MILLISECOND, False) == '<- Heartbeat 12 ms {"currentTime": "x"}'
    exchange.line("CP1", False, '[2,"9","Reset",{"type":"Soft"}]', 0, False)
    error = exchange.line("CP1", True, '[4,"9","NotSupported","no",{}]', 0, False)
    assert error == '-> Reset 0 ms ERROR ["NotSupported", "no", {}]'
    pretty = exchange.line("CP1", True, call, 0, True)
    assert pretty == "-> Heartbeat {}"


def test_only_the_actions_that_are_wanted() -> None:
    exchange = Exchange(["heartbeat"])
    assert exchange.line("CP1", True, '[2,"1","Authorize",{"idTag":"x"}]', 0, False) is None
    assert exchange.line("CP1", False, '[3,"1",{}]', 0, False) is None
    assert exchange.line("CP1", True, '[2,"2","Heartbeat",{}]', 0, False)
    assert exchange.line("CP1", False, '[3,"2",{}]', 0, False)
    assert exchange.line("CP1", True, "junk", 0, False) is None
