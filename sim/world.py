"""The small world: whole stations in virtual time on one heap, without asyncio, reproducible from a seed.

The unchanged core, link, board and vehicles; a disk that forgets what was not synced; a pipe with a real WebSocket server at its far end; a
CSMS. `cut_power` drops a core between any two effects. Not here: plans, faults, checkers.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from hal.actions import Action
from hal.units import MILLISECOND, SECOND, MonoNs
from ocpp_client.link import Link, LinkProfile
from sim.board import SimBoard
from sim.csms.toy import ToyCsms
from sim.disk import SimDisk
from sim.pipe import Deliver, Pipe
from sim.rng import Stream
from sim.scheduler import VirtualScheduler
from station.core.core import StationCore
from station.core.effects import Effect, Input, Note, Publish
from station.shell.runner import Plan, Runner, Sinks, Unit
from station.words.common import Measurand
from station.words.settings import TEMPLATES, Settings

LATENCY_NS: MonoNs = 20 * MILLISECOND


class PowerCut(Exception):
    """The supply is gone between two effects. Only the world raises and catches it."""


class Trace(Sinks):
    """Everything that was seen, in order, as one line each, and its hash."""

    def __init__(self, scheduler: VirtualScheduler) -> None:
        self.scheduler = scheduler
        self.lines: list[str] = []
        self.notes: list[Note] = []
        self.events: list[Publish] = []

    def add(self, who: str, what: str) -> None:
        self.lines.append(f"{self.scheduler.now().mono_ns} {who} {what}")

    def note(self, unit: Unit, note: Note) -> None:
        self.notes.append(note)
        self.add(unit.id, f"note {note.code} {note.slot} {note.values}")

    def publish(self, unit: Unit, event: Publish) -> bool:
        self.events.append(event)
        self.add(unit.id, f"event {event.kind} {bytes(event.data).decode()}")
        return True

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        self.add(unit.id, f"{'>' if out else '<'} {text}")

    @property
    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


class WorldRunner(Runner):
    """Counts the effects it performs, and cuts the power before the `cut_at`th (counting from 1) when asked to."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.performed = 0
        self.cut_at: int | None = None
        self.trace_effects = False

    def _perform_all(self, unit: Unit, effects: list[Effect]) -> None:
        for effect in effects:
            if unit.core is None and unit._generation:
                return
            self.performed += 1
            if self.performed == self.cut_at:
                raise PowerCut
            if self.trace_effects and isinstance(effect, Action):
                assert isinstance(self.sinks, Trace)
                self.sinks.add(unit.id, str(effect))
            super()._perform_all(unit, [effect])

    def _step(self, unit: Unit, core: StationCore, item: Input) -> None:
        try:
            super()._step(unit, core, item)
        except PowerCut:
            self.on_cut(unit)

    def on_cut(self, unit: Unit) -> None:
        raise NotImplementedError


class World(WorldRunner):
    """Stations, their boards and disks, and a CSMS, under one seed. Time is virtual; `run` moves it."""

    def __init__(
        self,
        seed: int = 1,
        template: str = "two-sockets-22kw",
        stations: tuple[str, ...] = ("CP1",),
        settings: Settings | None = None,
        trace_effects: bool = True,
        **plan: Any,
    ) -> None:
        self.seed = seed
        self.clock = VirtualScheduler(ties=Stream(seed, "ties"))
        self.trace = Trace(self.clock)
        super().__init__(self.clock, self._dial, self.trace)
        self.trace_effects = trace_effects
        self._crashes = Stream(seed, "crashes")
        self.plugged_in = True  # whether there is a network
        self.outage_ns: MonoNs = 30 * SECOND
        shape = TEMPLATES[template]
        settings = settings or Settings(
            sampled=(Measurand.ENERGY_IMPORT, Measurand.POWER_IMPORT), free_vend_token="FREEVEND"
        )
        self.disk = SimDisk(self.clock, self.confirm)
        self.store = self.disk
        self.csms = ToyCsms(self._iso_now)
        self.boards: dict[str, SimBoard] = {}
        self._plan = Plan(shape, settings, **plan)
        for number, identity in enumerate(stations):
            board = SimBoard(shape, seed=seed + number)
            self.boards[identity] = board
            unit = Unit(identity, self._plan, board, Stream(seed, "core", number))
            unit.frames = True
            self.add(unit)

    def _iso_now(self) -> str:
        at = datetime.fromtimestamp(self.clock.now().os_utc_ms / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _dial(self, unit: Unit, subprotocols: tuple[str, ...], deliver: Deliver) -> Pipe:
        profile = LinkProfile("ws://csms/ocpp", unit.id, subprotocols, ping_interval_ns=60 * SECOND)
        link = Link(profile, lambda n: unit.rng.draw(8 * n).to_bytes(n, "big"))
        return Pipe(link, deliver, self.clock, self.csms if self.plugged_in else None, LATENCY_NS)

    # --- what may happen ---

    def run(self, seconds: float) -> None:
        self.clock.run_for(seconds)

    def network(self, there: bool) -> None:
        """Plug the network in or out."""
        self.plugged_in = there
        if not there:
            for identity in self.units:
                pipe = self.csms.pipe(identity)
                if pipe is not None:
                    pipe.cut()

    def cut_power(self, unit: Unit) -> None:
        """The supply of a station is gone now, and comes back after the outage."""
        self.trace.add(unit.id, "power cut")
        self.halt(unit)
        self.boards[unit.id].stop()
        self.disk.crash(self._keep, unit.id)
        unit.plan = msgspec.structs.replace(unit.plan, os_boot=f"after {self.clock.now().mono_ns}")
        self.clock.call_at(self.clock.now().mono_ns + self.outage_ns, self._reboot, unit)

    def _keep(self, waiting: int) -> int:
        """How many of the unsynced writes made it all the same: any prefix may."""
        return self._crashes.draw(16) % (waiting + 1)

    def on_cut(self, unit: Unit) -> None:
        self.cut_at = None
        self.cut_power(unit)
