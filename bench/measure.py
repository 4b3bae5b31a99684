"""One row at a time: start the CSMS and the row on a processor each, wait until the load flows, read what they used."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from bench import load, process
from bench.desk import Books
from bench.results import MemoryPoint, Plan, Snapshot, Window, compare

ROOT: Final = Path(__file__).resolve().parent.parent
READY_WITHIN_S: Final = 180
"""So long after the last connection all stations must have sent MeterValues."""
SPARE_S: Final = 120
ANSWER_WITHIN_S: Final = 10


class RowFailed(Exception):
    """The row ended, or never carried its load."""


class Csms:
    """The CSMS's process, from the outside."""

    def __init__(self, child: asyncio.subprocess.Process, port: int) -> None:
        self._child = child
        self.url = f"ws://127.0.0.1:{port}"

    @classmethod
    async def start(cls, processor: int, lifetime_s: int) -> Csms:
        child = await spawn("bench.csms", processor, lifetime_s, [], None)
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), ANSWER_WITHIN_S)
        return cls(child, int(line))

    async def books(self) -> Books:
        """What it has counted until now. Raises RowFailed when it does not answer."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(b"\n")
        try:
            line = await asyncio.wait_for(self._child.stdout.readline(), ANSWER_WITHIN_S)
            return msgspec.json.decode(line, type=Books)
        except (TimeoutError, msgspec.DecodeError) as error:
            raise RowFailed("the CSMS of the bench does not answer") from error

    async def stop(self) -> None:
        await end(self._child)


class Running:
    """A row under its load, with its CSMS."""

    def __init__(
        self, plan: Plan, count: int, csms: Csms, child: asyncio.subprocess.Process, errors: IO[bytes]
    ) -> None:
        self._plan = plan
        self._count = count
        self._csms = csms
        self._child = child
        self._errors = errors

    async def ready(self) -> None:
        """Wait until every station samples and the warm-up is over."""
        deadline_s = time.monotonic() + load.ramp_s(self._count) + READY_WITHIN_S
        while (books := await self._csms.books()).sampling < self._count:
            if time.monotonic() > deadline_s:
                raise RowFailed(f"{books.sampling} of {self._count} stations sample, {books.open} are connected")
            await self._sleep(0.5)
        await self._sleep(self._plan.warm_up_s)

    async def window(self) -> Window:
        before = await self._snapshot()
        await self._sleep(self._plan.window_s)
        return compare(self._count, before, await self._snapshot())

    def memory(self) -> MemoryPoint:
        return MemoryPoint(self._count, process.memory(self._child.pid))

    async def _snapshot(self) -> Snapshot:
        books = await self._csms.books()
        self._check()
        return Snapshot(
            at_s=time.monotonic(),
            row_cpu_s=process.cpu_s(self._child.pid),
            processor_busy_s=process.processor_busy_s(self._plan.row_processor),
            books=books,
        )

    async def _sleep(self, seconds: float) -> None:
        """Raises RowFailed as soon as the row's process ends."""
        try:
            await asyncio.wait_for(self._child.wait(), seconds)
        except TimeoutError:
            return
        self._check()

    def _check(self) -> None:
        if self._child.returncode is not None:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            raise RowFailed(lines[-1] if lines else f"ended with status {self._child.returncode}")


@asynccontextmanager
async def running(plan: Plan, row: str, count: int) -> AsyncIterator[Running]:
    """A row with `count` stations, ready to be measured; both processes are gone afterwards. Raises RowFailed."""
    missing = process.files_missing(count)
    if missing:
        raise RowFailed(f"{count} connections need {missing} open files more than the hard limit allows (ulimit -Hn)")
    lifetime_s = int(load.ramp_s(count) + READY_WITHIN_S + plan.warm_up_s + plan.window_s + SPARE_S)
    csms = await Csms.start(plan.csms_processor, lifetime_s)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, tempfile.TemporaryFile() as errors:
            arguments = [row, "--url", csms.url, "--count", str(count), "--store", f"{folder}/store.sqlite"]
            child = await spawn("bench.row", plan.row_processor, lifetime_s, arguments, errors)
            try:
                run = Running(plan, count, csms, child, errors)
                await run.ready()
                yield run
            finally:
                await end(child)
    finally:
        await csms.stop()


async def spawn(
    module: str, processor: int, lifetime_s: int, arguments: list[str], errors: IO[bytes] | None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments, "--cpu", str(processor), "--lifetime", str(lifetime_s)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )


async def end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()
