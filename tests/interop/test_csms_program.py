"""`station-sim csms` as a program: its options, its prompt and its end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from sim.csms.books import read_books
from tests.interop.raw import Raw, live

pytestmark = pytest.mark.interop


PROGRAM = """
import argparse, sys
from sim.csms.cli import add_parser
parser = argparse.ArgumentParser()
add_parser(parser.add_subparsers(required=True))
args = parser.parse_args()
sys.exit(args.run(args))
"""


async def program(*options: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "csms", *options, stdin=pipe, stdout=pipe, stderr=pipe
    )


@live
async def test_the_program_listens_obeys_and_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    process = await program("--port", "0", "--json", "--prompt", "--books", str(path), "--card", "A1:blocked")
    assert process.stdout is not None and process.stdin is not None
    first = json.loads(await process.stdout.readline())
    async with connect(f"{first['listening']}/CP1", subprotocols=[Subprotocol("ocpp1.6")]) as socket:
        raw = Raw(socket)
        await raw.boot()
        assert (await raw.call("Authorize", {"idTag": "a1"}))["idTagInfo"]["status"] == "Blocked"
        process.stdin.write(b'{"id": 5, "station": "CP1", "action": "ClearCache"}\n')
        _, message, action, _ = await raw.hear()
        assert action == "ClearCache"
        await raw.say(3, message, {"status": "Rejected"})
        while "answer" not in (line := json.loads(await process.stdout.readline())) or "kind" in line:
            pass
        assert line == {"answer": {"status": "Rejected"}, "station": "CP1", "action": "ClearCache", "id": 5}
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(1.5):
            rest, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert json.loads(rest.splitlines()[-1])["closed"]["violations"] == 0
    assert read_books(path).closed


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
"""


@live
async def test_books_without_room_end_it_and_nothing_more_is_answered(tmp_path: Path) -> None:
    """What cannot be booked is not answered: the station keeps it. What is in the file can be read."""
    path, pipe = tmp_path / "books.jsonl", asyncio.subprocess.PIPE
    words = ("-c", FULL + PROGRAM, "csms", "--port", "0", "--json", "--quiet", "--books", str(path))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    url = json.loads(await process.stdout.readline())["listening"]
    async with connect(f"{url}/CP1", subprotocols=[Subprotocol("ocpp1.6")]) as socket:
        raw = Raw(socket)
        await raw.boot()
        answered = 0
        with pytest.raises(ConnectionClosed):
            while answered < 100:
                await raw.call("Authorize", {"idTag": f"A{answered}"})
                answered += 1
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 1 and b"Traceback" not in errors
    assert b"the books end here, and nothing was answered any more" in errors
    assert read_books(path).counts["authorize"] == answered > 3


@live
async def test_the_program_ends_with_its_input_and_refuses_nonsense() -> None:
    process = await program("--port", "0", "--prompt")
    out, _ = await process.communicate(b"stations\n")
    assert (process.returncode, out.startswith(b"listening on ws://127.0.0.1:")) == (0, True)
    process = await program("--card", "X:nice")
    _, errors = await process.communicate()
    assert (process.returncode, b"nice" in errors) == (2, True)
