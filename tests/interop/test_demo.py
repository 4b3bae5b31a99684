"""The demo as a user runs it: three processes, real sockets, and accounts that must agree; and the check is itself checked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from sim.account import add_power, compare
from sim.csms.books import Event, Meter, read_books, read_events
from sim.meter import read_memories, write_memories
from tests.interop.strict import StrictServer

CLI = [sys.executable, "-m", "sim.cli"]


def demo(*options: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "demo", "--exit", "--json", "--seed", "1", *options],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a demo of three sessions that ended well."""
    folder = tmp_path_factory.mktemp("demo")
    done = demo("--sessions", "3", "--speed", "900", "--keep", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["agree"] and lines[-1]["sessions"] == 3
    assert lines[-1]["billed_wh"] == lines[-1]["metered_wh"] > 1000
    first = next(line for line in lines if line.get("what") == "first-wh")
    assert first["real_s"] < 20
    return folder


def test_books_and_meters_agree(played: Path) -> None:
    account = compare(read_books(played / "books.jsonl"), read_memories(played / "meters.json"))
    assert account.agrees
    assert account.sessions == 3


def test_a_lost_stop_is_found_and_named() -> None:
    done = demo("--sessions", "2", "--speed", "900", "--lose", "StopTransaction:1")
    assert done.returncode == 1
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert any("still open: DEMO-1 connector" in line and "transaction 1" in line for line in verdict["differences"]), (
        verdict
    )


def test_one_wh_too_many_in_a_meter_is_found_and_named(played: Path) -> None:
    memories = read_memories(played / "meters.json")
    forged = [msgspec.structs.replace(m, register_mwh=m.register_mwh + 1000) if m.slot == 1 else m for m in memories]
    account = compare(read_books(played / "books.jsonl"), forged)
    assert len(account.differences) == 1
    assert "DEMO-1 connector 1 transaction" in account.differences[0] and "card" in account.differences[0]


def test_reported_power_is_a_witness_of_its_own(played: Path, tmp_path: Path) -> None:
    """It fits as it is; powers a little too high are found, and a session whose powers are gone is named."""
    books = read_books(played / "books.jsonl")
    account = compare(books, read_memories(played / "meters.json"))
    add_power(account, books)
    assert account.agrees
    assert account.reported_apart_wh is not None and account.reported_apart_wh * 100 < account.billed_wh * 2
    for change, words in ((lambda number, power: power * 1.05, "more than 2 %"), (_silent, "transaction 2 card")):
        events = [_with_powers(event, change) for event in read_events(played / "books.jsonl")]
        forged = tmp_path / "books.jsonl"
        forged.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in events))
        done = account_of(forged, played / "meters.json")
        assert done.returncode == 1
        [difference] = json.loads(done.stdout)["differences"]
        assert difference.startswith("the reported power comes to") and words in difference


def _silent(transaction: int | None, power: float) -> float | None:
    return None if transaction == 2 else power


def _with_powers(event: Event, change: Callable[[int | None, float], float | None]) -> Event:
    if not isinstance(event, Meter):
        return event
    readings = tuple(
        one if one.power_w is None else one._replace(power_w=change(event.transaction, one.power_w))
        for one in event.readings
    )
    return msgspec.structs.replace(event, readings=readings)


def account_of(books: Path, meters: Path) -> subprocess.CompletedProcess[str]:
    command = [*CLI, "account", "--json", "--books", str(books), "--meters", str(meters)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_transaction_sent_twice_under_another_id_is_found_and_named(played: Path, tmp_path: Path) -> None:
    lines = (played / "books.jsonl").read_text().splitlines()
    start = json.loads(next(line for line in lines if '"start"' in line))
    stop = next(json.loads(x) for x in lines if '"stop"' in x and json.loads(x)["transaction"] == start["transaction"])
    doubled = [{**event, "message": f"again-{n}", "transaction": 4711} for n, event in enumerate((start, stop))]
    closing = lines.pop()
    (tmp_path / "books.jsonl").write_text("\n".join([*lines, *map(json.dumps, doubled), closing]) + "\n")
    write_memories(tmp_path / "meters.json", read_memories(played / "meters.json"))
    done = subprocess.run(
        [*CLI, "account", "--books", str(tmp_path / "books.jsonl"), "--meters", str(tmp_path / "meters.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "4711" in done.stdout and f"repeats frame {start['message']}" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sessions", "0"], "--sessions 0: at least 1"),
        (["--speed", "0"], "--speed 0: from 1 to 3600"),
        (["--template", "ladder"], "invalid choice"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(options: list[str], words: str) -> None:
    done = demo(*options, timeout_s=20)
    assert done.returncode == 2
    assert words in done.stderr


def test_against_a_strict_server_of_others() -> None:
    """The same demo against npm's ocpp-rpc in strict mode: no violation; it is shown first that it would see one."""

    async def play() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        async with StrictServer("--speed", "900", "--epoch", "2026-06-01T08:00:00Z") as server:
            async with connect(f"{server.url}/CANARY", subprotocols=[Subprotocol("ocpp1.6")]) as canary:
                wrong = {"connectorId": 1, "errorCode": "NoError", "status": "Chirping"}
                await canary.send(json.dumps([2, "canary", "StatusNotification", wrong]))
                await server.until("violation")
            seen = list(server.violations)
            listening = await server.until("listening")
            process = await asyncio.create_subprocess_exec(
                *CLI, "demo", "--exit", "--sessions", "2", "--speed", "900", "--csms", server.url, "--epoch", listening["epoch"],
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await asyncio.wait_for(process.communicate(), 90)
            assert process.returncode == 0, out.decode()
            await server.stop()
            calls = [line for line in server.lines if line.get("call", {}).get("action") == "StopTransaction"]
            assert len(calls) == 2, server.lines[-5:]
            return seen, list(server.violations)

    canary, all_of_them = asyncio.run(play())
    assert len(canary) == 1
    assert all_of_them == canary
