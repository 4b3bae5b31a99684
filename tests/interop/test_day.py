"""A day of use: people, every command of Core, an hour offline, a SIGKILL; against two CSMSs that others' code is the heart of.

Both ends count: no CALLERROR and no violation may be left unexplained, and books and meters agree. The station is another process; this
one knows frames, sockets, books and meters only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from sim.account import compare
from sim.csms.books import Books, read_books, utc_ms
from sim.csms.clock import Clock
from sim.csms.control import Behaviour
from sim.csms.server import Csms
from sim.meter import read_memories
from tests.interop.strict import StrictServer

pytestmark = [pytest.mark.interop, pytest.mark.slow]
CP = "CP1"
SPEED = 900
HOUR_S = 3600 / SPEED
KILL_AT_S = 6_000  # simulated; two cars charge then
Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
CORE = {
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "DataTransfer",
    "GetConfiguration",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
}
COMMIT_S = 1.0  # real: values may be told before they are on the disk, so the end after a SIGKILL may be so much earlier than they


class Cable:
    """A network cable between the station and a CSMS, to be pulled."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.rpartition("//")[2].partition(":")
        self._port = int(port)
        self._whole = True
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pull()
        self._server.close()

    def pull(self) -> None:
        self._whole = False
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._whole = True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._ends |= {writer, far_writer}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        self._ends -= {writer, far_writer}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


class Station:
    """The process of the station. `told` is all that it said, over all its lives."""

    def __init__(self, folder: Path, url: str, epoch: str) -> None:
        self._arguments = [str(folder), url, epoch, str(SPEED)]
        self.told: list[dict[str, Any]] = []
        self.process: asyncio.subprocess.Process

    async def start(self, *numbers: int) -> None:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.interop.stories.day_station", *self._arguments, *map(str, numbers)),
            stdin=pipe,
            stdout=pipe,
            cwd=Path(__file__).parents[2],
        )

    async def says(self, what: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.told.append(json.loads(line))
            if what in self.told[-1]:
                return self.told[-1]
        raise AssertionError(f"the station ended with {await self.process.wait()}: {self.told}")

    async def end(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.close()
        last = await self.says("frames")
        assert await self.process.wait() == 0
        return last

    def end_at_once(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class Operator:
    """Who sends commands, and keeps how they were answered."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.answers: Counter[str] = Counter()

    async def __call__(self, action: str, *allowed: str, **payload: Any) -> dict[str, Any]:
        answer = await self._ask(action, payload)
        self.answers[action] += 1
        assert not allowed or answer.get("status") in allowed, (action, payload, answer)
        return answer

    async def morning(self) -> None:
        """What changes nothing that people would notice."""
        told = await self("GetConfiguration")
        keys = [one["key"] for one in told["configurationKey"]]
        for number in range(0, len(keys), 5):
            await self("GetConfiguration", key=keys[number : number + 5])
        await self("ChangeConfiguration", "Accepted", key="MeterValueSampleInterval", value="240")
        await self("ChangeConfiguration", "Rejected", key="MeterValueSampleInterval", value="often")
        await self("ChangeConfiguration", "NotSupported", key="CoffeeStrength", value="7")
        await self("ChangeConfiguration", "Rejected", key="NumberOfConnectors", value="3")
        await self("DataTransfer", "UnknownVendorId", vendorId="org.example.nobody", data="{}")
        await self("ClearCache", "Accepted")
        await self("RemoteStopTransaction", "Rejected", transactionId=987654)
        await self("UnlockConnector", "NotSupported", connectorId=9)
        await self("ChangeAvailability", "Rejected", connectorId=9, type="Inoperative")
        await self("TriggerMessage", "Accepted", requestedMessage="Heartbeat")
        await self("TriggerMessage", "Accepted", requestedMessage="MeterValues", connectorId=1)
        await self("TriggerMessage", "Accepted", requestedMessage="StatusNotification")

    async def evening(self) -> None:
        """When all people have left: the slots are free."""
        await self("ChangeAvailability", "Accepted", connectorId=0, type="Inoperative")
        await self("RemoteStartTransaction", "Rejected", connectorId=1, idTag="OPERATOR")
        await self("ChangeAvailability", "Accepted", connectorId=0, type="Operative")
        await self("UnlockConnector", "Unlocked", connectorId=1)
        await self("RemoteStartTransaction", "Accepted", connectorId=1, idTag="OPERATOR")
        await self("Reset", "Accepted", type="Soft")


async def day(
    folder: Path, url: str, epoch: str, operator: Operator, running: Callable[[], list[int]], boots: Callable[[], int]
) -> dict[str, Any]:
    """The day itself. The summary of the station's last life; what is true of the day at large is checked here."""
    async with Cable(url) as cable:
        station = Station(folder, cable.url, epoch)
        try:
            await station.start(1, 8, KILL_AT_S)
            await until(lambda: running())
            await operator.morning()
            assert await asyncio.wait_for(station.process.wait(), 30) == -signal.SIGKILL
            before = boots()
            await station.start(2, 6)
            await until(lambda: boots() > before and len(running()) == 2)
            await operator("RemoteStopTransaction", "Accepted", transactionId=running()[0])
            cable.pull()
            await asyncio.sleep(HOUR_S)
            cable.mend()
            await station.says("gone")
            await until(lambda: not running())
            before = boots()
            await operator.evening()
            await until(lambda: boots() > before)
            await asyncio.sleep(0.5)
            await operator("Reset", "Accepted", type="Hard")
            await until(lambda: boots() > before + 1)
            await asyncio.sleep(0.5)
            return await station.end()
        finally:
            station.end_at_once()


async def until(true: Callable[[], object], within_s: float = 45) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)


def of_this_end(summary: dict[str, Any], operator: Operator) -> None:
    assert summary["call_errors"] == []
    assert summary["bugs"] == []
    assert set(operator.answers) >= CORE, "a command of Core was left out"


def test_against_the_csms_on_ocpp(tmp_path: Path) -> None:
    async def play() -> tuple[dict[str, Any], Operator]:
        async with Csms(
            path=tmp_path / "books.jsonl", clock=Clock(SPEED), behaviour=Behaviour(heartbeat_s=600)
        ) as csms:

            async def ask(action: str, payload: dict[str, Any]) -> dict[str, Any]:
                return await csms.command(CP, action, payload=payload)

            operator = Operator(ask)
            summary = await day(
                tmp_path,
                csms.url,
                csms.listening["epoch"],
                operator,
                lambda: [one.start.transaction for one in csms.books.open],
                lambda: csms.books.counts["boot"],
            )
            return summary, operator

    summary, operator = asyncio.run(play())
    books = read_books(tmp_path / "books.jsonl")
    of_this_end(summary, operator)
    assert [(note.action, note.answer, note.detail) for note in books.refused] == []
    differences = compare(books, read_memories(tmp_path / "meters.json")).differences
    assert [one for one in differences if not explained(one)] == []
    assert len(books.transactions) >= 8
    assert _messages(books) + sum(operator.answers.values()) >= 200
    assert {one.stop.reason for one in books.transactions if one.stop} >= {"Remote", "Reboot"}


def explained(difference: str) -> bool:
    """A StopTransaction from the disk of a killed station, later than which values had been told within one commit."""
    found = re.search(r"time-fell: StopTransaction at (\S+) after (\S+)$", difference)
    return found is not None and utc_ms(found[2]) - utc_ms(found[1]) <= COMMIT_S * 1000 * SPEED


def _messages(books: Books) -> int:
    return sum(books.counts[kind] for kind in ("boot", "status", "start", "meter", "stop", "authorize"))


def test_against_others_strict_server(tmp_path: Path) -> None:
    async def play() -> tuple[dict[str, Any], dict[str, Any], Operator, StrictServer]:
        server = StrictServer("--speed", str(SPEED), "--interval", "600")
        async with server:

            async def ask(action: str, payload: dict[str, Any]) -> dict[str, Any]:
                line = await server.command(CP, action, payload)
                assert "answer" in line, line
                return dict(line["answer"])

            def calls(action: str) -> list[dict[str, Any]]:
                """Each once, however often it was sent."""
                return list(
                    {one["id"]: one["params"] for one in server.all("call") if one["action"] == action}.values()
                )

            def running() -> list[int]:
                over = {one["transactionId"] for one in calls("StopTransaction")}
                return [number for number in range(1, len(calls("StartTransaction")) + 1) if number not in over]

            operator = Operator(ask)
            listening = await server.until("listening")
            summary = await day(
                tmp_path, server.url, listening["epoch"], operator, running, lambda: len(calls("BootNotification"))
            )
            return summary, await server.stop(), operator, server

    summary, told, operator, server = asyncio.run(play())
    of_this_end(summary, operator)
    assert server.violations == []
    assert told["callerrors"] == told["violations"] == 0
    assert told["calls"] + sum(operator.answers.values()) >= 200
    assert told["started"] == told["stopped"] >= 8
    memories = read_memories(tmp_path / "meters.json")
    assert told["wh"] == sum(one.register_mwh // 1000 for one in memories) > 10_000
