"""`station-sim run` as a backend's team uses it: a process of its own, buttons by lines, what it tells, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sim.csms.control import Behaviour
from sim.csms.server import Csms
from station.adapters.cloudevents import PREFIX, decode, schema

pytestmark = pytest.mark.interop

TLS = Path(__file__).parents[1] / "data" / "tls"
QUICK = ("--set", "backoff_min_s=1", "--set", "backoff_random_s=0")


class Done:
    """A run that is over."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "ok" in line and "do" in line]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [line["event"] for line in self.lines if "event" in line]


async def start(*options: str, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sim.cli", "run", "--csms", url, *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )


async def run(*options: str, url: str, say: str = "", within_s: float = 60) -> Done:
    """Run to its end, with these lines on standard input."""
    process = await start(*options, url=url)
    out, err = await asyncio.wait_for(process.communicate(say.encode()), within_s)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


def against(play: Callable[[Csms], Coroutine[None, None, None]], **behaviour: Any) -> Csms:
    """Play against a CSMS of its own."""

    async def with_csms() -> Csms:
        async with Csms(behaviour=Behaviour(**behaviour)) as csms:
            await play(csms)
        return csms

    return asyncio.run(with_csms())


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
        assert kinds[:3] == ["status-changed.v1", "card-scanned.v1", "session-started.v1"]
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

    async def play(csms: Csms) -> None:
        done = await run("--count", "3", "--commands", "-", "--quiet", url=csms.url, say="\n".join(say))
        ids = [answer.get("id") for answer in done.answers]
        assert ids.index("quick") < ids.index("slow") < ids.index("late")
        errors = [answer["error"] for answer in done.answers if not answer["ok"]]
        assert errors == [
            '"station" is missing; there are CP1, CP2, CP3',
            "there is no station 'CP9'; there are CP1, CP2, CP3",
        ]

    csms = against(play)
    assert {name for name, book in csms.books.stations.items() if book.boots} == {"CP1", "CP2", "CP3"}


# --- what a station is ------------------------------------------------------------------------------------------------


def test_who_made_it_and_what_it_is() -> None:
    names = ("--vendor", "Acme", "--model", "X1", "--serial", "S9", "--firmware", "7.7", "--slots", "3")

    async def play(csms: Csms) -> None:
        options = (*names, "--count", "2", "--commands", "-", "--quiet")
        await run(
            *options,
            url=csms.url,
            say="wait online=true station=CP1\nwait online=true station=CP2\npause 0.5 station=CP2",
        )

    csms = against(play)
    boots = {name: book for name, book in csms.books.stations.items()}
    assert sorted(boots["CP1"].statuses) == [0, 1, 2, 3]


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
        assert re.findall(r"station-sim run: (faults\[\d\])", done.err) == ["faults[0]", "faults[1]"]
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


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    async def play(csms: Csms) -> None:
        process = await start("--count", "20", "--commands", "-", url=csms.url)
        assert process.stdin is not None
        process.stdin.write(b"wait event=session-ended within_s=1000 station=CP1\n")
        await csms.until(lambda books: sum(book.boots for book in books.stations.values()) == 20)
        await csms.until(lambda books: books.counts["status"] >= 60)
        process.send_signal(number)
        status = await asyncio.wait_for(process.wait(), 3)
        assert (status, await process.stderr.read()) == (0, b"") if process.stderr else None  # type: ignore[func-returns-value]

    against(play)


def test_whoever_reads_may_go() -> None:
    """`station-sim run ... | head -1` ends without a word."""

    async def play(csms: Csms) -> None:
        process = await start("--json", url=csms.url)
        assert process.stdout is not None and process.stderr is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        await csms.until(lambda books: books.counts["boot"])
        csms.drop("CP1")  # so that there is something to say
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert await process.stderr.read() == b""

    against(play)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"handshake": "404"}, ("HTTP 404 (Not Found)", "offered was ocpp1.6", "check the path")),
        ({"handshake": "401"}, ("HTTP 401", "offered was ocpp1.6", "check identity and password")),
        ({"passwords": {"CP1": "x"}}, ("HTTP 401", "check identity and password")),
        (
            {"handshake": "no-subprotocol"},
            ("agreed to no subprotocol", "offered were ocpp1.6", "check the OCPP version"),
        ),
        ({"handshake": "1008"}, ("1008", "identity or the password")),
        ({"registration": "Rejected"}, ("the CSMS has not accepted it yet",)),
    ],
)
def test_no_connection_is_one_sentence_and_a_status(behaviour: dict[str, Any], words: tuple[str, ...]) -> None:
    async def play(csms: Csms) -> None:
        done = await run("--connect-within", "1.5", "--quiet", *QUICK, url=f"{csms.url}/ocpp?token=hidden", within_s=20)
        assert done.status == 3 and done.out == ""
        *first, last = done.err.splitlines()
        assert last.startswith("station-sim run: the charger was never accepted by the CSMS within 1.5 s: ")
        assert all(word in last for word in words)
        if "registration" not in behaviour:
            assert f"{csms.url}/ocpp/CP1?..." in last  # as sent, without what may be secret
        assert len(first) <= 1, first  # however many attempts there were

    against(play, **behaviour)


def test_nobody_listens() -> None:
    async def play() -> None:
        done = await run("--connect-within", "1", "--count", "3", "--quiet", url="ws://127.0.0.1:1")
        assert done.status == 3
        assert "3 of 3 chargers were never accepted" in done.err and "refuses connections" in done.err
        assert len(done.err.splitlines()) == 2  # one sentence for all three, and the verdict

    asyncio.run(play())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--csms", "http://127.0.0.1"), "begins with neither ws:// nor wss://"),
        (("--slots", "x"), "invalid int value"),
        (("--template", "ladder"), "two-sockets-22kw"),
        (("--events", "/proc/nowhere/x"), "nowhere"),
    ],
)
def test_a_wrong_call_begins_nothing(options: tuple[str, ...], words: str) -> None:
    done = asyncio.run(run(*options, url="ws://127.0.0.1:1"))
    assert done.status == 2 and done.out == "" and words in done.err
    assert "Traceback" not in done.err


# --- security ---------------------------------------------------------------------------------------------------------

SECRET = "marker-secret-7f3a9c51e2"


def test_a_password_appears_nowhere(tmp_path: Path) -> None:
    """Neither when it is right nor when it is wrong, nor when the CSMS sets it anew: not on the screen, not in any file."""
    (tmp_path / "password").write_text(SECRET + "\n")
    given = [("--password", SECRET), ("--password-file", str(tmp_path / "password"))]

    async def play(csms: Csms) -> None:
        for number, options in enumerate(given):
            folder = tmp_path / str(number)
            folder.mkdir()
            files = ("--record", f"{folder}/frames", "--events", f"{folder}/events", "--store", f"{folder}/store")
            process = await start("--commands", "-", "--frames", *options, *files, url=csms.url)
            assert process.stdin is not None
            process.stdin.write(
                b"wait online=true\nplug 1\ntap 04A1\nwait 1 charging\nstatus\nget\nwait event=faulted\n"
            )
            await csms.until(lambda books, n=number: len(books.transactions) > n)  # type: ignore[misc]
            await csms.command("CP1", "ChangeConfiguration", key="AuthorizationKey", value=SECRET[::-1] * 2)
            process.stdin.write(b"\n")
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
            assert process.returncode == 0 and b"AuthorizationKey" in out and b"***" in out
            wrong = await run("--connect-within", "1", "--password", SECRET[::-1] * 2, "--frames", url=csms.url)
            assert wrong.status == 3
            refused = await run("--password", SECRET, "--password-file", "x", "--csms", "http://x", url=csms.url)
            assert refused.status == 2
            told = [out, err, wrong.out.encode(), wrong.err.encode(), refused.err.encode(), refused.out.encode()]
            told += [file.read_bytes() for file in folder.iterdir()]
            assert len(told) >= 9 and all(told[0:1])
            for text in told:
                for secret in (SECRET, SECRET[::-1], SECRET.encode().hex()):
                    assert secret.encode() not in text

    against(play, passwords={"CP1": SECRET})


@pytest.mark.parametrize(("trusted", "status"), [("ca.pem", 0), ("other_ca.pem", 3)])
def test_certificates(trusted: str, status: int) -> None:
    """A root of one's own, and a certificate of the station's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem", TLS / "leaf.key")
    context.load_verify_locations(TLS / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    async def play() -> None:
        async with Csms(tls=context) as csms:
            own = ("--ca", str(TLS / trusted), "--cert", str(TLS / "client.pem"), "--key", str(TLS / "leaf.key"))
            url = csms.url.replace("127.0.0.1", "localhost")
            done = await run(
                *own,
                "--connect-within",
                "3",
                "--commands",
                "-",
                "--quiet",
                url=url,
                say="wait online=true within_s=2\n",
            )
            assert done.status == status, done.err
            assert "TLS failed" in done.err or status == 0

    asyncio.run(play())


# --- at least once ----------------------------------------------------------------------------------------------------


def test_events_survive_kill_9(tmp_path: Path) -> None:
    """Whatever was told on standard output is in the file in the end, with the same id and the same bytes; nothing is torn."""
    events, told = tmp_path / "events.jsonl", dict[str, dict[str, Any]]()
    files = ("--store", str(tmp_path / "store.db"), "--events", str(events))

    async def play(csms: Csms) -> None:
        for number in range(6):
            process = await start("--commands", "-", "--quiet", *files, *QUICK, url=csms.url)
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(b"plug 1\nplug 2\n" + b"".join(b"tap C%d\npause 0.02\n" % n for n in range(100)))
            for _ in range(4 + number * 3):
                line = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
                if "event" in line:
                    told[line["event"]["id"]] = line["event"]
            process.kill()
            rest = await process.stdout.read()
            await process.wait()
            for text in rest.splitlines():
                if text.endswith(b"}") and b'"event"' in text:
                    told[json.loads(text)["event"]["id"]] = json.loads(text)["event"]
        done = await run("--commands", "-", "--quiet", *files, url=csms.url, say="wait online=true\n")
        assert done.status == 0

    against(play)
    kept: dict[str, bytes] = {}
    for line in events.read_bytes().splitlines():
        event = decode(line)
        assert kept.setdefault(event.id, line) == line  # again, but never something else under the same id
    assert len(told) > 20
    assert {event_id: json.loads(kept[event_id]) for event_id in told} == told
