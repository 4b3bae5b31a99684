"""`station-sim run` as a process of its own, for the tests of what it does and how it ends."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from sim.csms.control import Behaviour
from sim.csms.server import Csms

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
        return [line for line in self.lines if "ok" in line and "who" not in line]

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
