"""`station-sim run` as a backend's team uses it: a process of its own, buttons by lines and by plans, and what it tells."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path

import jsonschema
import pytest

from sim.csms.server import Csms
from station.adapters.cloudevents import PREFIX, schema
from tests.interop.running import QUICK, against, run, start

pytestmark = pytest.mark.interop


# --- buttons ----------------------------------------------------------------------------------------------------------

STORY = """\
{"id": 1, "do": "wait", "online": true}
{"id": "two", "do": "plug", "slot": 1, "car": "zoe-r110"}
# a remark
tap 04A1B2C3

wait 1 charging
stop 1
{"id": 6, "do": "wait", "event": "session-ended"}
unplug 1
{"id": 8, "do": "wait", "slot": 1, "status": "available"}
quit
tap too-late
"""


def test_a_story_by_lines(tmp_path: Path) -> None:
    """One answer a line with the same id and in order; events as lines; the recording and the file of events hold the same."""
    record, events = tmp_path / "frames.jsonl", tmp_path / "events.jsonl"

    async def play(csms: Csms) -> None:
        files = ("--record", str(record), "--events", str(events))
        done = await run("--commands", "-", "--quiet", *files, url=csms.url, say=STORY)
        assert (done.status, done.err) == (0, "")
        assert [answer["do"] for answer in done.answers] == [
            "wait", "plug", "tap", "wait", "stop", "wait", "unplug", "wait", "quit"
        ]  # fmt: skip
        assert [answer.get("id") for answer in done.answers] == [1, "two", None, None, None, 6, None, 8, None]
        assert all(answer["ok"] is True for answer in done.answers)
        assert done.answers[5]["result"]["event"]["data"]["reason"] == "remote"
        kinds = [event["type"].removeprefix(PREFIX) for event in done.events]
        assert kinds[:5] == ["status-changed.v1"] * 3 + ["card-scanned.v1", "session-started.v1"]
        assert kinds[-2:] == ["vehicle-removed.v1", "status-changed.v1"]
        for event in done.events:
            jsonschema.Draft202012Validator(schema(event["type"].removeprefix(PREFIX))).validate(event)
        assert [json.loads(line) for line in events.read_text().splitlines()] == done.events

    csms = against(play)
    assert csms.books.problems == [] and len(csms.books.transactions) == 1
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    calls = [line["frame"][2] for line in lines if line["direction"] == "out" and line["frame"][0] == 2]
    assert calls[0] == "BootNotification" and {"Authorize", "StartTransaction", "StopTransaction"} <= set(calls)
    asked = {line["frame"][1] for line in lines if line["frame"][0] == 2}
    assert {line["frame"][1] for line in lines if line["frame"][0] == 3} == asked
    assert all(list(line) == ["at", "station", "direction", "frame"] for line in lines)


def test_what_fails_is_told_and_makes_the_status() -> None:
    say = 'plog 1\n{"id": 2, "do": "plug", "slot": 7}\nwait 2 charging within_s=0.2\nplug 2\n'

    async def play(csms: Csms) -> None:
        done = await run("--commands", "-", "--quiet", url=csms.url, say="wait online=true\n" + say)
        assert done.status == 1  # the end of the input ended it
        _, unknown, nowhere, waited, plugged = done.answers
        assert "there is no command 'plog'; 'plug' perhaps; there are tap, plug" in unknown["error"]
        assert (nowhere["id"], nowhere["error"]) == (2, "slot: 7 is not there; this station has 1 to 2")
        assert (
            waited["error"]
            == "slot 2 is available, not charging (power is off because no vehicle is connected), after 0.2 s"
        )
        assert plugged["ok"] is True  # what failed before stopped nothing

    against(play)


def test_help_on_the_prompt() -> None:
    async def play(csms: Csms) -> None:
        done = await run("--commands", "-", "--quiet", url=csms.url, say="wait online=true\nhelp\nhelp raise\n")
        listed, about = done.answers[1]["result"], done.answers[2]["result"]
        assert len(listed) > 25 and any("Hold a card" in line for line in listed)
        assert any("lock" in line for line in about)

    against(play)


def test_many_stations_take_commands_side_by_side() -> None:
    """Stations do not wait for each other, and a command must say which one it means."""
    say = [f"wait online=true station=CP{n}" for n in (1, 2, 3)]
    say += [
        '{"id": "slow", "do": "pause", "for_s": 1, "station": "CP1"}',
        '{"id": "late", "do": "status", "station": "CP1"}',
    ]
    say += ['{"id": "quick", "do": "plug", "station": "CP2"}', "plug 1", "plug 1 station=CP9"]
    say += ["pause 0.1 station=CP9"]

    async def play(csms: Csms) -> None:
        done = await run("--count", "3", "--commands", "-", "--quiet", url=csms.url, say="\n".join(say))
        ids = [answer.get("id") for answer in done.answers]
        assert ids.index("quick") < ids.index("slow") < ids.index("late")
        errors = [answer["error"] for answer in done.answers if not answer["ok"]]
        assert errors == [
            '"station" is missing; there are CP1, CP2, CP3',
            *["there is no station 'CP9'; there are CP1, CP2, CP3"] * 2,
        ]

    csms = against(play)
    assert {name for name, book in csms.books.stations.items() if book.boots} == {"CP1", "CP2", "CP3"}


# --- what a station is ------------------------------------------------------------------------------------------------


def test_who_made_it_and_what_it_is(tmp_path: Path) -> None:
    names = ("--vendor", "Acme", "--model", "X1", "--serial", "S9", "--firmware", "7.7", "--slots", "3")
    record = tmp_path / "frames.jsonl"

    async def play(csms: Csms) -> None:
        process = await start(*names, "--count", "2", "--record", str(record), "--quiet", url=csms.url)
        await csms.until(lambda books: books.counts["status"] >= 8)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 5) == 0

    csms = against(play)
    assert sorted(csms.books.station("CP1").statuses) == [0, 1, 2, 3]
    frames = [json.loads(line) for line in record.read_text().splitlines()]
    boots = {line["station"]: line["frame"][3] for line in frames if line["frame"][2] == "BootNotification"}
    common = {"chargePointVendor": "Acme", "chargePointModel": "X1", "firmwareVersion": "7.7"}
    assert boots == {f"CP{n}": {**common, "chargePointSerialNumber": f"S{n + 8}"} for n in (1, 2)}


def test_free_vend_and_cards_known_from_the_start() -> None:
    async def play(csms: Csms) -> None:
        say = "wait online=true\nplug 1\nwait 1 charging\nquit\n"
        done = await run("--auth", "free", "--commands", "-", "--quiet", url=csms.url, say=say)
        assert done.status == 0
        url = csms.url
        offline = "cut_link\nwait online=false\nplug 1\ntap 04BADBAD\nwait 1 charging within_s=1\ntap 04600D\nwait 1 charging within_s=10\n"
        cards = ("--card", "04600D:accepted", "--card", "04BADBAD:blocked")
        done = await run(*cards, "--commands", "-", "--quiet", url=url, say="wait online=true\n" + offline)
        assert [answer["ok"] for answer in done.answers] == [True, True, True, True, True, False, True, True]

    against(play)


@pytest.mark.slow
def test_people_come_by_themselves() -> None:
    """`--drivers`: arrivals of a plausible day; the first comes within a minute."""

    async def play(csms: Csms) -> None:
        process = await start("--drivers", "--card", "04CAFE", "--seed", "1", "--json", url=csms.url)
        await csms.until(lambda books: books.transactions, within_s=60)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0
        assert csms.books.transactions[0].start.id_tag == "04CAFE"

    against(play)


# --- plans ------------------------------------------------------------------------------------------------------------


def test_a_plan_in_real_time(tmp_path: Path) -> None:
    """Actions and faults at their time, everything healed at the end, and then it is over."""
    wanted = {
        "for_s": 8,
        "actions": [
            {"do": "plug", "at_s": 0.5, "slot": 1},
            {"do": "tap", "at_s": 0.8, "card": "04A1"},
            {"do": "unplug", "at_s": 1, "slot": 2},
        ],
        "faults": [
            {"fault": "reader", "at_s": 0.2, "for_s": 0.3},
            {"fault": "network", "how": "reset", "at_s": 5},
            {"fault": "lights", "at_s": 6, "for_s": 100},
        ],
    }
    (tmp_path / "plan.json").write_text(json.dumps(wanted))

    async def play(csms: Csms) -> None:
        done = await run("--plan", str(tmp_path / "plan.json"), "--json", *QUICK, url=csms.url)
        assert done.status == 0
        told = [line["text"] for line in done.lines if line["who"] == "plan"]
        assert "CP1 plug" in told and "CP1 unplug: not possible, nothing is plugged into slot 2" in told
        kinds = [event["type"].removeprefix(PREFIX) for event in done.events]
        assert (
            kinds.count("warning.v1") == kinds.count("warning-cleared.v1") == 2
        )  # reader and lamps, mended at the end
        assert sum(line["what"] == "link.up" for line in done.lines) == 2

    csms = against(play)
    assert len(csms.books.transactions) == 1


def test_a_plan_that_cannot_be_played_begins_nothing(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"faults":[{"fault":"clock","at_s":1},{"fault":"csms","at_s":1}]}')

    async def play(csms: Csms) -> None:
        done = await run("--plan", str(tmp_path / "plan.json"), url=csms.url)
        assert done.status == 2 and done.out == ""
        assert set(re.findall(r"plan.json: (faults\[\d\])", done.err)) == {"faults[0]", "faults[1]"}
        assert csms.books.stations == {}

    against(play)


# --- frames on the screen ---------------------------------------------------------------------------------------------


def test_frames_of_some_actions() -> None:
    async def play(csms: Csms) -> None:
        options = ("--frames", "BootNotification,Authorize", "--commands", "-", "--quiet")
        done = await run(*options, url=csms.url, say="wait online=true\nplug 1\ntap 04A1\nwait event=session-started\n")
        shown = [line for line in done.lines if line.get("who") == "frame"]
        assert [(line["direction"], line["what"]) for line in shown] == [
            ("out", "BootNotification"), ("in", "BootNotification"), ("out", "Authorize"), ("in", "Authorize")
        ]  # fmt: skip
        assert shown[2]["frame"][3] == {"idTag": "04A1"} and " ms " in shown[3]["text"]

    against(play)


def test_pretty_frames_for_people() -> None:
    async def play(csms: Csms) -> None:
        process = await start("--pretty", url=csms.url)
        await csms.until(lambda books: books.counts["status"] >= 3)
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0
        assert '-> BootNotification {\n  "chargePointVendor": "ev-station",' in out.decode()

    against(play)
