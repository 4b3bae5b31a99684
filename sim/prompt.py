"""Lines in, answers out: `station-sim run --commands -`. JSON Lines or words, one command a line; `#` begins a comment.

Commands for one station are done one after the other, each when the one before has been answered; stations do not wait for each
other. At the end of the input, or after `quit`, everything that was told before is still done. What fails stops nothing: it is counted.
Not here: what commands are (`commands.py`) and do (`executor.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

from sim.command_lines import read
from sim.commands import Answer, AnyCommand, BadCommand, Quit
from sim.executor import Executor

MOST: int = 100_000  # characters of a line


class Prompt:
    """`answer` gets one Answer for each command. `ended` is set once the input has ended and all is done; `failed` counts what was not."""

    def __init__(self, executor: Executor, answer: Callable[[Answer], None]) -> None:
        self.executor = executor
        self._answer = answer
        self._last: dict[str, asyncio.Task[None]] = {}
        self._ending: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        self.failed = 0
        self.done = 0

    def take(self, line: str) -> None:
        """One line, on the loop's thread. After `quit` nothing is taken any more."""
        line = line.strip()
        if not line or line.startswith("#") or self._ending is not None:
            return
        try:
            if len(line) > MOST:
                raise BadCommand(f"a line may have {MOST} characters, this one has {len(line)}")
            command = read(line)
        except BadCommand as bad:
            self._queue("", self._refuse(Answer(id=bad.id, ok=False, do=bad.do, error=str(bad))))
            return
        if isinstance(command, Quit):
            self._end(command)
        else:
            self._queue(command.station, self._do(command))

    def _queue(self, station: str, work: Coroutine[None, None, None]) -> None:
        """Behind what was told before for this station, or where there is only one, before."""
        queue = station if len(self.executor.live.ids) > 1 else ""
        self._last[queue] = asyncio.create_task(_after(self._last.get(queue), work))

    def end(self) -> None:
        """The input has ended."""
        self._end(None)

    def cancel(self) -> None:
        """Nobody waits for anything any more."""
        for task in (*self._last.values(), *((self._ending,) if self._ending else ())):
            task.cancel()

    async def _do(self, command: AnyCommand) -> None:
        self._tell(await self.executor.do(command))

    async def _refuse(self, answer: Answer) -> None:
        self._tell(answer)

    def _end(self, command: Quit | None) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._finish(command))

    async def _finish(self, command: Quit | None) -> None:
        if self._last:
            await asyncio.wait(set(self._last.values()))
        if command is not None:
            self._tell(await self.executor.do(command))
        self.ended.set()

    def _tell(self, answer: Answer) -> None:
        self.done += 1
        self.failed += answer.ok is not True
        self._answer(answer)


async def _after(before: asyncio.Task[None] | None, work: Coroutine[None, None, None]) -> None:
    try:
        if before is not None:
            await asyncio.wait({before})
        await work
    finally:
        work.close()


def feed(prompt: Prompt, source: str) -> None:
    """Read lines from standard input (`-`) or a file, on a thread, for as long as there are any. Raises OSError."""
    file = 0 if source == "-" else os.open(Path(source), os.O_RDONLY)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(file, loop, prompt), name="commands", daemon=True).start()


def _read(file: int, loop: asyncio.AbstractEventLoop, prompt: Prompt) -> None:
    """A thread reads, so that a terminal, a pipe and a file are alike; not sys.stdin, whose lock would be in the way of an orderly exit."""
    rest = b""
    with contextlib.suppress(RuntimeError):  # the loop is closed
        with contextlib.suppress(OSError):
            while chunk := os.read(file, 65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    loop.call_soon_threadsafe(prompt.take, line.decode(errors="replace"))
        if rest:
            loop.call_soon_threadsafe(prompt.take, rest.decode(errors="replace"))
        loop.call_soon_threadsafe(prompt.end)
