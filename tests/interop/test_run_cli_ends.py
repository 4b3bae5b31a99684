"""How `station-sim run` ends, and what must hold until then: exit status, one sentence, no secret anywhere, no event lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim.csms.server import Csms
from station.adapters.cloudevents import decode
from tests.interop.running import QUICK, against, run, start

pytestmark = pytest.mark.interop

TLS = Path(__file__).parents[1] / "data" / "tls"


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
        _, err = await asyncio.wait_for(process.communicate(), 3)
        assert (process.returncode, err) == (0, b"")

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
        ({"registration": "Rejected"}, ("it is connected, but the answer to its BootNotification was Rejected",)),
        ({"registration": "Pending"}, ("it is connected, but the answer to its BootNotification was Pending",)),
        ({"silent": {"BootNotification"}}, ("it is connected, but its BootNotification has not been answered",)),
    ],
)
def test_no_connection_is_one_sentence_and_a_status(behaviour: dict[str, Any], words: tuple[str, ...]) -> None:
    async def play(csms: Csms) -> None:
        done = await run("--connect-within", "1.5", "--quiet", *QUICK, url=f"{csms.url}?token=hidden", within_s=20)
        assert done.status == 3 and done.out == ""
        *first, last = done.err.splitlines()
        assert last.startswith("station-sim run: the charger was never accepted by the CSMS within 1.5 s")
        assert all(word in done.err for word in words), done.err
        if "registration" in behaviour or "silent" in behaviour:
            assert first == []
        else:  # once, however many attempts there were; the URL as sent, without what may be secret
            assert len(first) == 1 and f"station-sim run: {csms.url}/CP1?...: " in first[0]

    against(play, **behaviour)


def test_a_server_that_says_nothing() -> None:
    async def play() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:  # which takes connections, and never looks at them
            url = f"ws://127.0.0.1:{server.getsockname()[1]}"
            done = await run("--connect-within", "1", "--count", "2", "--quiet", url=url)
            assert done.status == 3
            assert "2 of 2 chargers were never accepted" in done.err
            assert "CP1 is not connected: no answer yet to the attempt to connect" in done.err

    asyncio.run(play())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_no_room_for_what_it_tells() -> None:
    with open("/dev/full", "wb") as full:
        words = [sys.executable, "-m", "sim.cli", "run", "--csms", "ws://127.0.0.1:1"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (1, "station-sim: standard output: No space left on device\n")


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
        (("--events", "/proc/nowhere/x"), "station-sim run: /proc/nowhere/x: No such file or directory"),
        (("--record", "/proc"), "station-sim run: /proc: Is a directory"),
        (("--store", "/proc/nowhere/x"), "station-sim run: cannot use /proc/nowhere/x as a store"),
    ],
)
def test_a_wrong_call_begins_nothing(options: tuple[str, ...], words: str) -> None:
    done = asyncio.run(run(*options, url="ws://127.0.0.1:1"))
    assert done.status == 2 and done.out == "" and words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--sessions", "0"), "at least 1"),
        (("--card", "04:no_credit"), "one of accepted, blocked"),
        (("--record", "/proc"), "/proc: Is a directory"),
        (("--slots", "99"), "from 1 to 64"),
    ],
)
def test_a_wrong_demo_begins_nothing(options: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sim.cli", "demo", "--exit", *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == "" and words in done.stderr
    assert "Traceback" not in done.stderr


# --- security ---------------------------------------------------------------------------------------------------------

SECRET = "marker-secret-7f3a9c51e2"


@pytest.mark.slow
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


@pytest.mark.slow
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
