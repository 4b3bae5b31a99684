"""Starts strict_server.js, the CSMS on npm's `ocpp-rpc` in strict mode, and listens to what it says.

async with StrictServer("--speed", "10") as server:
    ...                                    # stations connect to server.url + "/" + identity
    summary = await server.stop()
assert server.violations == []
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.node import HERE, command

SCRIPT = Path(__file__).with_name("strict_server.js")
Line = dict[str, Any]


def node() -> list[str]:
    """The command line of Node.js: the one NODE names, or the one of node.py. RuntimeError without any."""
    return [os.environ["NODE"]] if os.environ.get("NODE") else command("node")


class StrictServer:
    """One such server, as an asynchronous context manager. `lines` is everything it said so far."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.lines: list[Line] = []
        self.url = ""
        self._news = asyncio.Event()
        self._process: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *node(), str(SCRIPT), *self.options, cwd=HERE, stdin=pipe, stdout=pipe
        )
        self._reader = asyncio.create_task(self._read())
        try:
            self.url = (await self.until("listening"))["listening"]
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> Line:
        """End it in good order, and return its summary; empty if it had ended by itself."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader
        return next((line["summary"] for line in self.lines if "summary" in line), {})

    def all(self, kind: str) -> list[Any]:
        """The contents of all lines of one kind: call, violation, callerror, ..."""
        return [line[kind] for line in self.lines if kind in line]

    @property
    def violations(self) -> list[Line]:
        return self.all("violation")

    async def until(self, kind: str, true: Callable[[Line], object] = bool, within_s: float = 10.0) -> Line:
        """The first line of a kind for which `true` holds. TimeoutError; RuntimeError if the server ended before."""
        async with asyncio.timeout(within_s):
            while True:
                self._news.clear()
                for line in self.lines:
                    if kind in line and true(line):
                        return line
                if self._reader.done():
                    raise RuntimeError(f"{SCRIPT.name} ended; are its packages installed (make interop)?")
                await self._news.wait()

    async def command(self, station: str, action: str, payload: Line | None = None) -> Line:
        """Ask a station. The line has `answer` (the payload of its CALLRESULT) or `error`."""
        number = len(self.lines)  # grows with every answer, so it names this request alone
        line = {"id": number, "station": station, "action": action, "payload": payload or {}}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()
        return await self.until("action", lambda one: one.get("id") == number)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(json.loads(line))
            self._news.set()
        self._news.set()
