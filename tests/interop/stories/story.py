"""Plays one story: a real station on simulated hardware, against the CSMS, over a real socket, on one scaled clock.

A story is data (`*.yaml`): steps, and what each brings about in both columns (`columns.py`). After a step nothing else may happen
for a while, so a frame or a movement too many is found too. Times are simulated seconds. What the machine itself is late is measured
and allowed for. Not here: what is right; that stands in the stories, from the specification.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from ocpp_client.link import LinkProfile
from sim.account import compare
from sim.csms.clock import Clock
from sim.csms.control import Behaviour
from sim.rng import Stream
from station.shell.host import Host
from station.shell.plan import Plan
from station.shell.runner import Sinks, Unit
from station.words.settings import TEMPLATES, Settings
from tests.interop.stories.columns import Change, Column, Frame, frame_column, hardware_columns
from tests.interop.stories.deeds import Deeds
from tests.interop.stories.seen import WatchedBoard, WatchedCsms

CP = "CP1"
GRACE_S = 8.0  # real seconds a step may take longer than it should
QUIET_S = 1.5  # simulated: so long nothing more may come
QUIET_REAL_S = 0.05
AMBIENT = ("Heartbeat",)  # frames that belong to no step
MAIN_LAMP = (
    "white breathe",
    "blue steady",
    "green steady",
    "off steady",
)  # of no interest in a step that does not name it
SETTINGS = Settings(sample_interval_s=0, aligned_interval_s=0, ping_interval_s=0, backoff_min_s=1, backoff_random_s=0)


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """`do`: one deed or several at once; `within`: simulated seconds until all of it has happened."""

    do: str | list[str]
    frames: list[str | list[str]] = []
    hardware: list[str | list[str]] = []
    within: float = 20.0


class Story(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    steps: list[Step]
    spec: list[str] = []
    template: str = "two-sockets-22kw"
    settings: dict[str, Any] = {}
    csms: dict[str, Any] = {}
    cards: list[str] = []
    speed: int = 30
    meter_ms: int = 50  # what a meter takes to answer
    open: bool = False  # a transaction is still open at the end: no account to compare


def stories() -> Iterator[Story]:
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        yield from msgspec.convert(yaml.safe_load(file.read_text()), list[Story])


@dataclass
class Lateness:
    """How late this machine is, in real seconds: everything in the stories is allowed as much."""

    worst_s: float = 0.0
    _task: asyncio.Task[None] | None = field(default=None)

    async def _watch(self) -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            self.worst_s = max(self.worst_s, time.monotonic() - begun - 0.005)

    async def __aenter__(self) -> Lateness:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Teller:
    """One story while it is told. `settings` of a story are neutral names."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story, self.folder = story, folder
        cards = {card.partition(":")[0].upper(): None for card in story.cards}
        self.behaviour = Behaviour(**story.csms)
        for text in story.cards:
            self.behaviour.add_card(text)
        assert len(cards) == len(self.behaviour.cards)
        self.late = Lateness()

    async def tell(self) -> None:
        story = self.story
        async with (
            WatchedCsms(behaviour=self.behaviour, clock=Clock(story.speed), status_within_s=5) as csms,
            self.late,
        ):
            shape = TEMPLATES[story.template]
            settings = msgspec.structs.replace(SETTINGS, **story.settings)
            plan = Plan(shape, settings, real=story.speed, os_boot="first")
            profile = LinkProfile(csms.url, CP, ("ocpp1.6",))
            self.host = Host(
                Sinks(),
                lambda unit: profile,
                store=str(self.folder / "station.db"),
                speed=story.speed,
                epoch_ms=csms.clock.now_ms(),
            )
            self.board = WatchedBoard(shape, latency_ms=story.meter_ms, log_periods=True)
            self.unit = Unit(CP, plan, self.board, Stream(1, "core"))
            self.csms = csms
            self.deeds = Deeds(csms, self.host, self.unit, self.board)
            try:
                self.host.add(self.unit)
                await self._booted(len(shape.slots))
                for number, step in enumerate(story.steps, 1):
                    await self._step(number, step)
                self._account()
            finally:
                await self.host.close()

    async def _booted(self, slots: int) -> None:
        await self.csms.until(lambda books: books.counts["status"] > slots)
        await self._quiet()
        self.csms.frames.clear()
        self.board.changes.clear()

    @property
    def now_s(self) -> float:
        return self.host.scheduler.now().mono_ns / 1e9

    @property
    def slack_s(self) -> float:
        """Simulated seconds: what was measured, and a disk, a socket and a process that wait for their turn."""
        return self.story.speed * (0.06 + 3 * self.late.worst_s)

    async def _quiet(self) -> None:
        await asyncio.sleep(max(QUIET_REAL_S, QUIET_S / self.story.speed))

    async def _step(self, number: int, step: Step) -> None:
        frames, tracks = frame_column(step.frames), hardware_columns(step.hardware)
        begun_s = self.now_s
        for deed in [step.do] if isinstance(step.do, str) else step.do:
            await self.deeds.do(deed)
        seen = Seen(self.csms.frames, self.board.changes, begun_s)
        deadline = time.monotonic() + step.within / self.story.speed + GRACE_S
        while time.monotonic() < deadline:
            seen.hold(frames, tracks, self.slack_s)
            if seen.wrong or (frames.complete and all(one.complete for one in tracks.values())):
                break
            await asyncio.sleep(0.005)
        await self._quiet()
        seen.hold(frames, tracks, self.slack_s)
        missing = [*frames.missing(), *(line for one in tracks.values() for line in one.missing())]
        if seen.wrong or missing:
            raise AssertionError(self._report(number, step, seen, missing))
        self.csms.frames.clear()
        self.board.changes.clear()

    def _report(self, number: int, step: Step, seen: Seen, missing: list[str]) -> str:
        lines = [f"{self.story.name}, step {number}: {step.do}", *seen.wrong]
        lines += [f"missing: {one}" for one in missing]
        lines += ["frames seen:", *(f"  {one}" for one in seen.frames if one.action not in AMBIENT)]
        lines += ["hardware seen:", *(f"  {one}" for one in seen.all_changes())]
        lines.append(f"allowed for lateness: {self.slack_s:.2f} s; problems: {self.csms.books.problems}")
        return "\n".join(lines)

    def _account(self) -> None:
        """In the end: no violation, no CALLERROR in either direction, and books and meters agree."""
        books = self.csms.books
        assert books.problems == []
        assert [(note.action, note.answer, note.detail) for note in books.refused] == []
        if not self.story.open:
            assert compare(books, self.board.memories(CP)).differences == []


class Seen:
    """What a step brought about, held against its columns as it comes in."""

    def __init__(self, frames: list[Frame], changes: list[Change], begun_s: float) -> None:
        self.frames, self.changes, self.begun_s = frames, changes, begun_s
        self.wrong: list[str] = []
        self._frames = self._changes = 0

    def all_changes(self) -> list[Change]:
        return [Change(one.track, one.text, one.at_s - self.begun_s) for one in self.changes]

    def hold(self, frames: Column, tracks: dict[str, Column], slack_s: float) -> None:
        for frame in self.frames[self._frames :]:
            if frame.action not in AMBIENT:
                frames.take(frame, slack_s)
        self._frames = len(self.frames)
        for change in self.all_changes()[self._changes :]:
            if change.track == "lamp 0" and "lamp 0" not in tracks and change.text in MAIN_LAMP:
                continue
            tracks.setdefault(change.track, Column([])).take(change, slack_s)
        self._changes = len(self.changes)
        self.wrong = [one.wrong for one in (frames, *tracks.values()) if one.wrong]
