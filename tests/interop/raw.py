"""A station that is nothing but literal frames over a real socket, for the tests of the CSMS. Holds no tests."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ParamSpec

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from sim.csms.server import Csms

P = ParamSpec("P")
BOOT = {"chargePointVendor": "Raw", "chargePointModel": "Socket"}
Payload = dict[str, Any]


def live(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """A test that is a coroutine: run it, for at most 20 s."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


class Raw:
    """A station that is nothing but frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, *frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def hear(self) -> list[Any]:
        return list(json.loads(await asyncio.wait_for(self.socket.recv(), 5)))

    async def call(self, action: str, payload: Payload | None = None, message: str = "") -> Payload:
        """One CALL and the payload of its CALLRESULT."""
        message = message or next(IDS)
        await self.say(2, message, action, payload or {})
        answer = await self.hear()
        assert answer[:2] == [3, message], answer
        return dict(answer[2])

    async def refused(self, action: str, payload: Payload | None = None) -> str:
        """One CALL and the code of its CALLERROR."""
        message = next(IDS)
        await self.say(2, message, action, payload or {})
        answer = await self.hear()
        assert answer[:2] == [4, message], answer
        return str(answer[2])

    async def status(self, connector: int, status: str) -> None:
        await self.call("StatusNotification", {"connectorId": connector, "errorCode": "NoError", "status": status})

    async def boot(self) -> Payload:
        answer = await self.call("BootNotification", BOOT)
        for connector in (0, 1):
            await self.status(connector, "Available")
        return answer

    async def start(self, csms: Csms, message: str = "", **changed: Any) -> Payload:
        told = {"connectorId": 1, "idTag": "DEADBEEF", "meterStart": 1000, "timestamp": csms.at()}
        return await self.call("StartTransaction", told | changed, message)

    async def stop(self, csms: Csms, transaction: int, meter: int, message: str = "") -> Payload:
        told = {"transactionId": transaction, "meterStop": meter, "timestamp": csms.at()}
        return await self.call("StopTransaction", told, message)


IDS = (f"id-{number}" for number in itertools.count(1))


@asynccontextmanager
async def station(csms: Csms, name: str = "CP1", **options: Any) -> AsyncIterator[Raw]:
    async with connect(f"{csms.url}/{name}", subprotocols=[Subprotocol("ocpp1.6")], **options) as socket:
        yield Raw(socket)


def codes(csms: Csms) -> list[str]:
    return [one.code for one in csms.books.violations]
