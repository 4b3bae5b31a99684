"""The live view while it runs: looks at a station a few times a second, draws it, and passes keys on as commands to the one executor.

`Screen` is made before the stations are, hears what they send and tell, and is shown once they are there. Not here: how it is drawn
(`panel.py`), what keys mean (`keyboard.py`), what commands do (`executor.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

from ocpp_client.secrets import Cleaner
from sim import commands as cmd
from sim.board import SimBoard
from sim.chaos import ShakyHost
from sim.executor import Executor
from sim.keyboard import Keys, Terminal, split
from sim.lateness import Lateness
from sim.live import Live, LiveHost, Network
from sim.panel import Snapshot, Summary, render
from sim.panel_faults import in_words
from sim.panel_fleet import Overview
from sim.panel_messages import Messages
from sim.panel_pane import Aside, Pane
from sim.people import CARDS
from sim.telling import WIDTH
from sim.view import look, to_come
from station.core.effects import Note, Publish
from station.shell.runner import Sinks, Unit
from station.words.settings import StationShape

EACH_S: Final = 0.25  # real seconds between two looks
POINTS: Final = 300  # of a power curve, one a second
LINES: Final = 60  # of what happened, of each station
NOT_SAID: Final = (
    f" {'event':{WIDTH}} "  # who tells it: what stands under `events` is one unless it says something else
)
REDRAW: Final = "\f"  # Ctrl-L
JUMPS: Final = {"!": ("faulted", "offline"), ">": ("charging",)}
NO_TERMINAL: Final = "--view needs a terminal on standard output, and there is none: here are lines instead"


class Screen(Sinks):
    """The live view of a run. As a sink it keeps the last messages of each station and passes everything on to `inner`."""

    def __init__(self, cards: Sequence[str] = (), cleaner: Cleaner | None = None) -> None:
        self.inner: Sinks = Sinks()
        self._cards = tuple(cards) or CARDS
        self._messages = Messages(cleaner)
        self._lines: dict[str, deque[tuple[int, str]]] = {}
        self._told = 0
        self._task: asyncio.Task[None] | None = None
        self._over = False

    def line(self, text: str, station: str = "") -> None:
        """One of the lines that would be printed without a view, and will be when it is over; of this station, or of all."""
        if self._over:
            print(text, flush=True)
            return
        self._told += 1
        text = text.replace(f" {station} ", " ", 1).replace(NOT_SAID, " ", 1) if station else text
        self._lines.setdefault(station, deque(maxlen=LINES)).append((self._told, text))

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
        self.inner.bug(unit, error)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        now_ms = unit.board.scheduler.now().os_utc_ms if isinstance(unit.board, SimBoard) else 0
        self._messages.heard(unit.id, now_ms, asyncio.get_running_loop().time(), out, frame)
        self.inner.frame(unit, out, frame)

    # --- while it is shown ---

    def begin(self, live: Live, executor: Executor, lateness: Lateness | None = None) -> asyncio.Task[None]:
        """Show it, until the task is over: by `q`, by the end of the terminal, or by `end`."""
        self._task = asyncio.create_task(_Show(self, live, executor, lateness).run())
        return self._task

    async def end(self) -> None:
        """The terminal is as it was once this returns. Raises what went wrong with the view, if anything did."""
        task, self._task, self._over = self._task, None, True
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def snapshot(self, live: Live, executor: Executor, keys: Keys, told: str, **more: Any) -> Snapshot:
        """All that is drawn of the station that the keys have chosen; `more` are further members."""
        identity = live.ids[keys.station]
        broken = executor.broken.get(identity, ())
        there = identity in live.boards
        lines = sorted([*self._lines.get("", ()), *self._lines.get(identity, ())])
        return Snapshot(
            view=look(live, identity) if there else to_come(identity),
            utc_ms=live.host.clock.now().os_utc_ms,
            number=keys.station + 1,
            stations=len(live.ids),
            chosen=keys.slot,
            supply_a=live.unit(identity).plan.shape.supply_ma / 1000 if there else None,
            card=keys.card,
            car=keys.car,
            messages=self._messages.of(identity),
            lines=tuple(text for _, text in lines),
            menu=keys.words(broken),
            told=keys.said or told,
            broken=tuple(map(in_words, broken)),
            help=keys.help,
            **more,
        )

    def keys(self, live: Live) -> Keys:
        return Keys(self._cards, live.shape.supply_ma, live.ids)


class _Show:
    """One showing: the loop, the keys pressed, the curve of the station shown."""

    def __init__(self, screen: Screen, live: Live, executor: Executor, lateness: Lateness | None) -> None:
        self.screen, self.live, self.executor, self.lateness = screen, live, executor, lateness
        self.keys = screen.keys(live)
        self.overview = Overview(live) if len(live.ids) > 1 else None
        self.told = ""
        self._beat = 0
        self._curve: deque[int] = deque(maxlen=POINTS)
        self._curve_of = 0  # the station
        self._point_at = 0.0
        self._awake = asyncio.Event()
        self._over = False
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def run(self) -> None:
        loop = self.live.host.loop
        file = _file_of(sys.stdin)
        with contextlib.ExitStack() as stack:
            terminal = stack.enter_context(Terminal(file))
            if terminal.there:
                loop.add_reader(file, self._read, file)
                stack.callback(loop.remove_reader, file)
            else:
                self.told = "standard input is no terminal: there are no keys, Ctrl-C ends"
            stack.enter_context(_signals(loop, {signal.SIGHUP: self._end, signal.SIGWINCH: self._awake.set}))
            stack.enter_context(_aside(self.screen.line))
            self.pane = stack.enter_context(Pane(sys.stdout))
            try:
                while not self._over and not self.pane.gone and not self.executor.quitting.is_set():
                    self._draw()
                    self._awake.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._awake.wait(), EACH_S)
            finally:
                for task in self._tasks:
                    task.cancel()

    def _draw(self) -> None:
        self._measure()
        if self.pane.busy:
            return
        self._beat = int(self.live.host.loop.time() / EACH_S)
        shot = self.screen.snapshot(
            self.live,
            self.executor,
            self.keys,
            self.told,
            curve=tuple(self._curve),
            beat=self._beat,
            summary=self._summary(),
        )
        size = self.pane.size
        self.pane.show(render(shot, *size), size)

    def _summary(self) -> Summary | None:
        if self.overview is None:
            return None
        self.overview.look()
        return Summary(self.overview.counts, str(self.lateness.figures()) if self.lateness is not None else "")

    def _measure(self) -> None:
        """One point of the curve a second; another station begins another curve."""
        if self._curve_of != self.keys.station:
            self._curve_of, self._point_at = self.keys.station, 0.0
            self._curve.clear()
        now_s = self.live.host.loop.time()
        if now_s - self._point_at >= 1:
            self._point_at = now_s
            board = self.live.boards.get(self.live.ids[self.keys.station])
            drawn_mw = [board.true_power_mw(slot.number) for slot in board.slots] if board is not None else []
            self._curve.append(sum(drawn_mw) // 1000)

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
        if key == REDRAW:
            self.pane.forget()
        elif key in JUMPS and self.overview is not None and self.keys.free:
            self._jump(self.overview, JUMPS[key])
        else:
            identity = self.live.ids[self.keys.station]
            there, broken = identity in self.live.boards, self.executor.broken.get(identity, ())
            view = look(self.live, identity) if there else to_come(identity)
            for command in self.keys.press(key, view, len(self.live.shape.slots), broken):
                if not there and not isinstance(command, cmd.Quit):
                    self.told = f"{identity} has not been started yet"
                    continue
                task = asyncio.create_task(self._do(command))
                self._tasks[task] = None
                task.add_done_callback(self._tasks.pop)

    def _jump(self, overview: Overview, words: tuple[str, ...]) -> None:
        place = overview.after(self.keys.station, words)
        if place is None:
            self.told = f"no station is {' or '.join(words)}"
        else:
            self.keys.go(place)

    async def _do(self, command: cmd.AnyCommand) -> None:
        self.told = f"{cmd.tag_of(type(command))} ..."
        answer = await self.executor.do(command)
        result = answer.result if isinstance(answer.result, dict) else {}
        facts = " ".join(f"{name}={value}" for name, value in result.items())
        self.told = f"{answer.do}: {facts or 'done'}" if answer.ok is True else f"{answer.do}: {answer.error}"
        self._awake.set()


def wanted(args: argparse.Namespace, command: str) -> bool:
    """Whether there is to be a view: as asked, else wherever there is a terminal that nothing else is wanted of.

    Where it is asked for and cannot be, a sentence on standard error says so.
    """
    if args.view is None:
        others = args.json or args.quiet or args.pretty or args.frames is not None or getattr(args, "commands", None)
        return not others and _on_terminal(sys.stdout) and _on_terminal(sys.stdin) and _in_front()
    if args.view and not _on_terminal(sys.stdout):
        print(f"{command}: {NO_TERMINAL}", file=sys.stderr, flush=True)
        return False
    return bool(args.view)


def _on_terminal(stream: Any) -> bool:
    return (
        os.name == "posix"
        and _file_of(stream) >= 0
        and os.isatty(_file_of(stream))
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def _in_front() -> bool:
    """Whether the terminal is ours to take: a job in the background would be stopped for it."""
    try:
        return os.tcgetpgrp(_file_of(sys.stdin)) == os.getpgrp()
    except OSError:  # nobody controls jobs there
        return True


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
def _aside(tell: Callable[[str], None]) -> Iterator[None]:
    """What would be written over the screen from standard error is told meanwhile, and written afterwards."""
    if not _on_terminal(sys.stderr):
        yield
        return
    aside = Aside(tell)
    try:
        with contextlib.redirect_stderr(aside):
            yield
    finally:
        sys.stderr.write(aside.getvalue())
        sys.stderr.flush()


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
