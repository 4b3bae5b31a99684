"""The live view while it runs: looks at a station a few times a second, draws it, and passes keys on as commands to the one executor.

`Screen` is made before the stations are, hears what they send and tell, and is shown once they are there. Not here: how it is drawn
(`panel.py`), what keys mean (`keyboard.py`), what commands do (`executor.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

from rich.console import Console
from rich.live import Live as Display

from hal.units import UtcMs
from sim import commands as cmd
from sim.board import SimBoard
from sim.chaos import ShakyHost
from sim.executor import Executor
from sim.frames import Cleaner, iso
from sim.keyboard import Keys, Terminal, split
from sim.live import Live, LiveHost, Network
from sim.panel import MESSAGES, Message, Snapshot, render
from sim.people import CARDS
from sim.view import look
from station.core.effects import Note, Publish
from station.shell.runner import Sinks, Unit
from station.words.settings import StationShape

EACH_S: Final = 0.25  # real seconds between two looks
KEPT: Final = 200  # points of a power curve, one a second
LOOKED_BACK: Final = 4 * MESSAGES  # frames of a station, so that an answer finds its call
NO_TERMINAL: Final = "--view needs a terminal on standard output, and there is none: here are lines instead"


class Screen(Sinks):
    """The live view of a run. As a sink it keeps the last messages of each station and passes everything on to `inner`."""

    def __init__(self, cards: Sequence[str] = (), cleaner: Cleaner | None = None) -> None:
        self.inner: Sinks = Sinks()
        self._cards = tuple(cards) or CARDS
        self._cleaner = cleaner or Cleaner()
        self._frames: dict[str, deque[tuple[UtcMs, float, bool, str | bytes]]] = {}
        self._bugs: list[str] = []
        self._lines: deque[str] = deque(maxlen=MESSAGES * 2)
        self._task: asyncio.Task[None] | None = None

    def line(self, text: str) -> None:
        """One of the lines that would be printed without a view."""
        self._lines.append(text)

    def before(self, inner: Sinks) -> Screen:
        """Hear everything before this one does."""
        self.inner = inner
        return self

    def publish(self, unit: Unit, event: Publish) -> bool:
        return self.inner.publish(unit, event)

    def note(self, unit: Unit, note: Note) -> None:
        self.inner.note(unit, note)

    def exited(self, unit: Unit) -> None:
        self.inner.exited(unit)

    def bug(self, unit: Unit, error: Exception) -> None:
        self._bugs.append(f"a bug stopped {unit.id}: {error!r}")
        self.line(self._bugs[-1])
        self.inner.bug(unit, error)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        kept = self._frames.get(unit.id)
        if kept is None:
            kept = self._frames[unit.id] = deque(maxlen=LOOKED_BACK)
        now = unit.board.scheduler.now().os_utc_ms if isinstance(unit.board, SimBoard) else 0
        kept.append((now, asyncio.get_running_loop().time(), out, frame))
        self.inner.frame(unit, out, frame)

    def messages(self, identity: str) -> tuple[Message, ...]:
        """The last of a station, read only now: of thousands of stations one is looked at."""
        calls: dict[tuple[bool, str], tuple[str, float]] = {}
        read = [self._read(calls, *kept) for kept in self._frames.get(identity, ())]
        return tuple(read[-MESSAGES:])

    def _read(
        self, calls: dict[tuple[bool, str], tuple[str, float]], utc_ms: UtcMs, now_s: float, out: bool, raw: str | bytes
    ) -> Message:
        at, text = iso(utc_ms)[11:19], self._cleaner.clean(raw)
        try:
            frame = json.loads(text)
            kind, number = frame[0], str(frame[1])
            action = str(frame[2]) if kind == 2 else ""
        except (ValueError, LookupError, TypeError, RecursionError):
            return Message(at, out, f"no message: {text[:40]}", "error")
        if kind == 2:
            calls[out, number] = (action, now_s)
            return Message(at, out, action, "call")
        kind_of = "result" if kind == 3 else "error"
        action, since_s = calls.pop((not out, number), ("", now_s))
        if not action:
            return Message(at, out, "an answer", kind_of)
        return Message(at, out, action, kind_of, round((now_s - since_s) * 1000))

    # --- while it is shown ---

    def begin(self, live: Live, executor: Executor) -> asyncio.Task[None]:
        """Show it, until the task is over: by `q`, by the end of the terminal, or by `end`."""
        self._task = asyncio.create_task(_Show(self, live, executor).run())
        return self._task

    async def end(self) -> None:
        """The terminal is as it was once this returns. Raises what went wrong with the view, if anything did."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for text in self._bugs:  # what was said on the view is gone with it
                print(f"station-sim: {text}", file=sys.stderr)

    def snapshot(self, live: Live, keys: Keys, curve: Sequence[int], told: str) -> Snapshot:
        """All that is drawn of the station that the keys have chosen."""
        identity = live.ids[keys.station]
        return Snapshot(
            view=look(live, identity),
            utc_ms=live.host.clock.now().os_utc_ms,
            number=keys.station + 1,
            stations=len(live.ids),
            chosen=keys.slot,
            supply_a=live.unit(identity).plan.shape.supply_ma / 1000,
            card=keys.card,
            car=keys.car,
            messages=self.messages(identity),
            lines=tuple(self._lines),
            curve=tuple(curve),
            menu=keys.menu,
            told=told,
        )

    def keys(self, live: Live) -> Keys:
        return Keys(self._cards, live.shape.supply_ma, len(live.ids))


class _Show:
    """One showing: the loop, the keys pressed, the curve of the station shown."""

    def __init__(self, screen: Screen, live: Live, executor: Executor) -> None:
        self.screen, self.live, self.executor = screen, live, executor
        self.keys = screen.keys(live)
        self.told = ""
        self._curve: deque[int] = deque(maxlen=KEPT)
        self._curve_of = 0  # the station
        self._point_at = 0.0
        self._awake = asyncio.Event()
        self._over = False
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def run(self) -> None:
        loop = self.live.host.loop
        file = _file_of(sys.stdin)
        console = Console(file=sys.stdout)
        with contextlib.ExitStack() as stack:
            terminal = stack.enter_context(Terminal(file))
            if terminal.there:
                loop.add_reader(file, self._read, file)
                stack.callback(loop.remove_reader, file)
            else:
                self.told = "standard input is no terminal: there are no keys, Ctrl-C ends"
            stack.enter_context(_signals(loop, {signal.SIGHUP: self._end, signal.SIGWINCH: self._awake.set}))
            display = stack.enter_context(
                Display(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            )
            try:
                while not self._over and not self.executor.quitting.is_set():
                    self._draw(display, console)
                    self._awake.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._awake.wait(), EACH_S)
            finally:
                for task in self._tasks:
                    task.cancel()

    def _draw(self, display: Display, console: Console) -> None:
        self._measure()
        shot = self.screen.snapshot(self.live, self.keys, self._curve, self.told)
        width, height = console.size
        try:
            display.update(render(shot, width, height), refresh=True)
        except OSError:  # the terminal has gone
            self._over = True

    def _measure(self) -> None:
        """One point of the curve a second; another station begins another curve."""
        if self._curve_of != self.keys.station:
            self._curve_of, self._point_at = self.keys.station, 0.0
            self._curve.clear()
        now_s = self.live.host.loop.time()
        if now_s - self._point_at >= 1:
            self._point_at = now_s
            board = self.live.boards[self.live.ids[self.keys.station]]
            self._curve.append(sum(board.true_power_mw(slot.number) for slot in board.slots) // 1000)

    # --- keys ---

    def _end(self) -> None:
        self._over = True
        self._awake.set()

    def _read(self, file: int) -> None:
        try:
            text = os.read(file, 1024).decode(errors="ignore")
        except OSError:
            text = ""
        if not text:  # nobody is there any more
            self.live.host.loop.remove_reader(file)
            self._end()
        for key in split(text):
            self._press(key)
        self._awake.set()

    def _press(self, key: str) -> None:
        identity = self.live.ids[self.keys.station]
        slots = len(self.live.boards[identity].slots)
        for command in self.keys.press(key, look(self.live, identity), slots):
            task = asyncio.create_task(self._do(command))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)

    async def _do(self, command: cmd.AnyCommand) -> None:
        self.told = f"{cmd.tag_of(type(command))} ..."
        answer = await self.executor.do(command)
        result = answer.result if isinstance(answer.result, dict) else {}
        facts = " ".join(f"{name}={value}" for name, value in result.items())
        self.told = f"{answer.do}: {facts or 'done'}" if answer.ok is True else f"{answer.do}: {answer.error}"
        self._awake.set()


def wanted(view: bool, command: str) -> bool:
    """Whether there is to be a view; where it is asked for and cannot be, a sentence on standard error says so."""
    there = view and _file_of(sys.stdout) >= 0 and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if view and not there:
        print(f"{command}: {NO_TERMINAL}", file=sys.stderr, flush=True)
    return there


class ViewedHost(LiveHost, ShakyHost):
    """A host of a demo that commands reach as well: a station whose mains were cut at the keyboard boots for nobody else."""

    def boot(self, unit: Unit) -> None:
        if unit.id not in self.live.dark:
            super().boot(unit)


def adopt(url: str, shape: StationShape, host: ViewedHost, unit: Unit, board: SimBoard) -> Live:
    """A fleet of one station that somebody else runs, so that commands reach it. To be made before the station boots."""
    live = Live(url, [unit.id], shape, sinks=host.sinks)
    live._host = host
    live.boards[unit.id] = board
    live.networks[unit.id] = Network(unit)
    host.live = live
    host.sinks = live.ear
    return live


@contextlib.asynccontextmanager
async def shown(screen: Screen | None, live: Live | None, over: Callable[[], None]) -> AsyncIterator[None]:
    """Meanwhile the view is there, if there is one at all; `over` is called when somebody ends it before."""
    if screen is None or live is None:
        yield
        return
    screen.begin(live, Executor(live)).add_done_callback(lambda task: None if task.cancelled() else over())
    try:
        yield
    finally:
        await screen.end()


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, calls: dict[int, Callable[[], Any]]) -> Iterator[None]:
    """These signals call these functions meanwhile."""
    for number, call in calls.items():
        loop.add_signal_handler(number, call)
    try:
        yield
    finally:
        for number in calls:
            loop.remove_signal_handler(number)


def _file_of(stream: Any) -> int:
    """Its descriptor; -1 where it has none."""
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return -1
