"""The strict server itself: what is right passes, and what is wrong is reported. Without that its silence would mean nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from sim.csms.books import utc_ms
from tests.interop.strict import Line, StrictServer

pytestmark = pytest.mark.interop
NOON = "2026-03-01T12:00:00.000Z"
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
# A whole short day, as it stands on the wire.
DAY: list[tuple[str, Line]] = [
    ("BootNotification", {"chargePointVendor": "Raw", "chargePointModel": "Socket"}),
    ("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available", "timestamp": NOON}),
    ("StatusNotification", STATUS),
    ("Heartbeat", {}),
    ("Authorize", {"idTag": "DEADBEEF"}),
    ("StartTransaction", {"connectorId": 1, "idTag": "DEADBEEF", "meterStart": 1000, "timestamp": NOON}),
    (
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": 1,
            "meterValue": [{"timestamp": NOON, "sampledValue": [{"value": "20.5", "unit": "Celcius"}]}],
        },
    ),
    ("StopTransaction", {"transactionId": 1, "meterStop": 2345, "timestamp": NOON, "idTag": "DEADBEEF"}),
    ("DataTransfer", {"vendorId": "Nobody"}),
    ("FirmwareStatusNotification", {"status": "Idle"}),
    ("DiagnosticsStatusNotification", {"status": "Idle"}),
]


@asynccontextmanager
async def station(server: StrictServer, protocol: str = "ocpp1.6") -> AsyncIterator[ClientConnection]:
    async with connect(f"{server.url}/CP1", subprotocols=[Subprotocol(protocol)]) as socket:
        yield socket


async def call(socket: ClientConnection, message: str, action: str, payload: Line) -> list[Any]:
    await socket.send(json.dumps([2, message, action, payload]))
    return list(json.loads(await asyncio.wait_for(socket.recv(), 5)))


def test_a_day_without_a_violation() -> None:
    async def run() -> None:
        async with StrictServer() as server:
            async with station(server) as socket:
                answers = [await call(socket, f"m{n}", *one) for n, one in enumerate(DAY)]
                again = await call(socket, "m5", *DAY[5])
            assert [answer[:2] for answer in answers] == [[3, f"m{n}"] for n in range(len(DAY))]
            assert answers[5][2] == again[2] == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
            assert [one["action"] for one in server.all("call")] == [*(action for action, _ in DAY), "StartTransaction"]
            summary = await server.stop()
        assert (server.violations, server.all("callerror")) == ([], [])
        assert summary["calls"] == len(DAY) + 1
        assert (summary["violations"], summary["started"], summary["stopped"], summary["wh"]) == (0, 1, 1, 1345)

    asyncio.run(run())


def test_a_canary_with_a_wrong_enum_is_reported() -> None:
    async def run() -> None:
        async with StrictServer() as server, station(server) as socket:
            answer = await call(socket, "canary", "StatusNotification", STATUS | {"status": "Relaxing"})
            assert answer[:3] == [4, "canary", "FormationViolation"]
            seen = (await server.until("violation"))["violation"]
            assert (seen["station"], seen["what"], seen["id"]) == ("CP1", "call", "canary")
            assert seen["content"]["status"] == "Relaxing"
            assert (await server.stop())["violations"] == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Heartbeat", {"now": True}),
        ("Authorize", {"idTag": "X" * 21}),
        ("StartTransaction", {"connectorId": 1, "idTag": "X", "meterStart": 1.5, "timestamp": NOON}),
        ("StatusNotification", STATUS | {"timestamp": "yesterday"}),
        ("StatusNotification", {"connectorId": 1, "status": "Available"}),
        ("MakeCoffee", {}),
    ],
)
def test_whatever_does_not_fit_is_refused(action: str, payload: Line) -> None:
    async def run() -> None:
        async with StrictServer() as server, station(server) as socket:
            assert (await call(socket, "m", action, payload))[0] == 4
            await server.until("callerror", lambda line: line["callerror"]["by"] == "server")
            assert [one["action"] for one in server.violations] == [action]

    asyncio.run(run())


def test_answers_and_frames_of_a_station_are_judged_too() -> None:
    async def run() -> None:
        async with StrictServer() as server, station(server) as socket:
            for status, wrong in (("Accepted", False), ("Perhaps", True)):
                asked = asyncio.create_task(server.command("CP1", "Reset", {"type": "Soft"}))
                frame = json.loads(await socket.recv())
                assert frame[2:] == ["Reset", {"type": "Soft"}]
                await socket.send(json.dumps([3, frame[1], {"status": status}]))
                assert ("error" in await asked) == wrong
            assert [(one["what"], one["action"]) for one in server.violations] == [("result", "Reset")]
            await socket.send('[3,"never-asked",{}]')
            await socket.send("no JSON")
            await server.until("violation", lambda line: line["violation"].get("content") == "no JSON")
            assert [one["what"] for one in server.violations] == ["result", "frame", "frame"]

    asyncio.run(run())


def test_the_clock_is_that_of_our_own_csms() -> None:
    async def run() -> None:
        async with StrictServer("--speed", "600", "--epoch", NOON, "--interval", "60") as server:
            async with station(server) as socket:
                boot = (await call(socket, "b", *DAY[0]))[2]
                await asyncio.sleep(0.2)
                later = (await call(socket, "h", "Heartbeat", {}))[2]["currentTime"]
            assert (boot["status"], boot["interval"]) == ("Accepted", 60)
            assert 0 <= utc_ms(boot["currentTime"]) - utc_ms(NOON) < 1_200_000
            assert 110_000 <= utc_ms(later) - utc_ms(boot["currentTime"]) < 1_200_000

    asyncio.run(run())


def test_another_subprotocol_is_refused() -> None:
    async def run() -> None:
        async with StrictServer() as server:
            with pytest.raises(InvalidStatus, match="400"):
                async with station(server, "ocpp2.0.1"):
                    pass

    asyncio.run(run())
