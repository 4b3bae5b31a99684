"""Runs cores: hands them inputs one at a time and does what they want done. Without asyncio, so that host and world share it.

A unit is one station: its core, its board, its connection. Inputs of all units go through one queue, so that no core is ever entered
twice. Not here: real time, sockets, threads (`host.py`), virtual time (`sim/world.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from hal.actions import Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.clock import Now, Rng, Scheduler, TimerHandle
from hal.disk import Forget, Persist, Stored, StoreFailed
from hal.ports import Driver
from hal.signals import AnySignal
from hal.store import Store
from hal.units import SECOND, MonoNs, Ticket
from ocpp_client.dialects import load
from ocpp_client.link import FrameFlushed, FrameReceived, LinkDown, LinkUp
from station.core.boot import BootInfo
from station.core.core import StationCore
from station.core.effects import (
    Answer,
    Ask,
    CloseLink,
    Delivered,
    Effect,
    Input,
    Note,
    OpenLink,
    Publish,
    Restart,
    SendFrame,
    SetPing,
    Wake,
)
from station.shell.plan import Plan
from station.words.commands import AnyCommand
from station.words.common import Origin
from station.words.outcomes import AnyOutcome


class Wire(Protocol):
    """An open or opening connection, as `station/shell/tcp.py` and the world's pipe offer it."""

    def send(self, frame: str | bytes, tell: int | None = None) -> None: ...

    def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...

    def set_ping_interval(self, interval_ns: MonoNs) -> None: ...


Deliver = Callable[[LinkUp | LinkDown | FrameReceived | FrameFlushed], None]
Dial = Callable[["Unit", tuple[str, ...], Deliver], Wire]


class Sinks:
    """Who listens. Override what is of interest; the defaults take everything in silence."""

    def publish(self, unit: Unit, event: Publish) -> bool:
        """An event. True: taken, it may be forgotten."""
        return True

    def note(self, unit: Unit, note: Note) -> None: ...

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None: ...

    def exited(self, unit: Unit) -> None: ...

    def bug(self, unit: Unit, error: Exception) -> None:
        raise error


class Unit:
    """One station that runs. `core` is None while it restarts or after it stopped."""

    __slots__ = (
        "_asks",
        "_generation",
        "_timer",
        "_timer_at",
        "board",
        "core",
        "frames",
        "id",
        "now",
        "plan",
        "port",
        "rng",
        "wire",
    )

    def __init__(self, identity: str, plan: Plan, board: Driver, rng: Rng) -> None:
        self.id = identity
        self.plan = plan
        self.board = board
        self.rng = rng
        self.core: StationCore | None = None
        self.wire: Wire | None = None
        self.port: Port | None = None
        self.now: Callable[[], Now]  # what its machine takes for the time; the runner's, unless somebody knows better
        self.frames = False  # whether sinks want to see its frames
        self._timer: TimerHandle | None = None
        self._timer_at: MonoNs = 0
        self._asks: dict[Ticket, Callable[[AnyOutcome], None]] | None = None
        self._generation = 0


class Port:
    """Where the board and the connection of one boot of a unit are heard; deaf once that boot is over."""

    __slots__ = ("_generation", "_runner", "_unit")

    def __init__(self, runner: Runner, unit: Unit) -> None:
        self._runner = runner
        self._unit = unit
        self._generation = unit._generation

    @property
    def open(self) -> bool:
        return self._generation == self._unit._generation

    def signal(self, signal: AnySignal) -> None:
        if self._generation == self._unit._generation:
            self._runner.post(self._unit, signal)

    def deliver(self, told: LinkUp | LinkDown | FrameReceived | FrameFlushed) -> None:
        if self._generation == self._unit._generation:
            if type(told) is LinkDown:
                self._unit.wire = None
            self._runner.post(self._unit, told)


class Runner:
    """`dial` opens connections; `store` serves all units; `sinks` hears what comes out."""

    def __init__(self, scheduler: Scheduler, dial: Dial, sinks: Sinks) -> None:
        self.scheduler = scheduler
        self.dial = dial
        self.sinks = sinks
        self.store: Store | None = None
        self.units: dict[str, Unit] = {}
        self.bugs = 0
        self._now = scheduler.now  # bound once, not once a station
        self._queue: deque[tuple[Unit, int, Input]] = deque()
        self._busy = False
        self._tickets: Ticket = 0

    def confirm(self, station: str, item: Stored | StoreFailed) -> None:
        """The store's voice: build it with this."""
        unit = self.units.get(station)
        if unit is not None:
            self.post(unit, item)

    # --- life of a unit ---

    def add(self, unit: Unit) -> None:
        """Take in a station and boot it."""
        self.units[unit.id] = unit
        unit.now = self._now
        self.boot(unit)

    def boot(self, unit: Unit) -> None:
        """Restore the core from the disk and start the board; it reports what it finds."""
        assert self.store is not None
        plan = unit.plan
        boot = BootInfo(plan.os_boot, plan.os_trusted, f"{unit.rng.draw(32):08x}")
        image = self.store.load(unit.id)
        unit._generation += 1
        now = unit.now()
        policies = load(plan.version).policies
        unit.core, effects = StationCore.restore(
            plan.shape, unit.id, plan.settings, image, boot, policies, now, unit.rng, plan.real, plan.vendors
        )
        unit.port = Port(self, unit)
        busy, self._busy = self._busy, True
        self._stepped(unit, None, effects)
        self._perform_all(unit, effects)
        self._busy = busy
        unit.board.start(unit.port.signal, self.scheduler)
        self._drain()
        self._arm(unit)

    def halt(self, unit: Unit) -> None:
        """Drop the core: what is not on the disk is gone. The hardware stays as it is."""
        unit.core = None
        unit._generation += 1
        if unit._timer is not None:
            self.scheduler.cancel(unit._timer)
            unit._timer = None
        wire, unit.wire = unit.wire, None
        if wire is not None:
            wire.abort()

    def remove(self, unit: Unit) -> None:
        self.halt(unit)
        unit.board.stop()
        self.units.pop(unit.id, None)

    # --- inputs ---

    def post(self, unit: Unit, item: Input) -> None:
        """Hand an input to a station; it is worked on before this returns unless a step is going on."""
        self._queue.append((unit, unit._generation, item))
        if not self._busy:
            self._drain()

    def ask(
        self, unit: Unit, command: AnyCommand, done: Callable[[AnyOutcome], None], origin: Origin = Origin.LOCAL
    ) -> None:
        """Give a command; `done` is called once with its outcome."""
        self._tickets -= 1
        unit._asks = {**(unit._asks or {}), self._tickets: done}
        self.post(unit, Ask(self._tickets, origin, command))

    def _drain(self) -> None:
        if self._busy:
            return
        self._busy = True
        queue = self._queue
        try:
            while queue:
                unit, generation, item = queue.popleft()
                core = unit.core
                if core is None or generation != unit._generation:
                    continue
                self._step(unit, core, item)
        finally:
            self._busy = False

    def _step(self, unit: Unit, core: StationCore, item: Input) -> None:
        if unit.frames and type(item) is FrameReceived:
            self.sinks.frame(unit, False, item.frame)
        try:
            effects = core.step(unit.now(), item)
        except Exception as error:  # noqa: BLE001 our own bug stops this station, and only this one
            self._fell(unit, error)
            return
        self._stepped(unit, item, effects)
        self._perform_all(unit, effects)
        if unit.core is core:
            self._arm(unit)

    def _fell(self, unit: Unit, error: Exception) -> None:
        self.bugs += 1
        self.halt(unit)
        unit.board.stop()
        self.sinks.bug(unit, error)

    def _stepped(self, unit: Unit, item: Input | None, effects: list[Effect]) -> None:
        """For those who watch: a core answered this input (None: its boot) with these effects, not yet performed."""

    # --- effects ---

    def _perform_all(self, unit: Unit, effects: list[Effect]) -> None:
        for effect in effects:
            PERFORM[type(effect)](self, unit, effect)

    def _act(self, unit: Unit, effect: Any) -> None:
        unit.board.apply(effect)

    def _persist(self, unit: Unit, effect: Persist) -> None:
        assert self.store is not None
        self.store.persist(unit.id, effect)

    def _forget(self, unit: Unit, effect: Forget) -> None:
        assert self.store is not None
        self.store.forget(unit.id, effect.keys)

    def _send(self, unit: Unit, effect: SendFrame) -> None:
        if unit.wire is not None:
            if unit.frames:
                self.sinks.frame(unit, True, effect.frame)
            unit.wire.send(effect.frame, effect.tell)

    def _open(self, unit: Unit, effect: OpenLink) -> None:
        port = unit.port
        assert port is not None
        wire = self.dial(unit, effect.subprotocols, port.deliver)
        if port.open:
            unit.wire = wire

    def _close(self, unit: Unit, effect: CloseLink) -> None:
        if unit.wire is not None:
            unit.wire.close(1000, effect.reason)

    def _ping(self, unit: Unit, effect: SetPing) -> None:
        if unit.wire is not None:
            unit.wire.set_ping_interval(effect.interval_s * SECOND)

    def _answer(self, unit: Unit, effect: Answer) -> None:
        done = unit._asks.pop(effect.ticket, None) if unit._asks else None
        if done is not None:
            done(effect.outcome)

    def _publish(self, unit: Unit, effect: Publish) -> None:
        if self.sinks.publish(unit, effect):
            self.post(unit, Delivered(effect.number))

    def _restart(self, unit: Unit, effect: Restart) -> None:
        self.halt(unit)
        unit.board.stop()
        if effect.reason is None:
            self.sinks.exited(unit)
        else:
            self.scheduler.call_at(self.scheduler.now().mono_ns + unit.plan.reboot_ns, self._reboot, unit)

    def _reboot(self, unit: Unit) -> None:
        if unit.core is None and unit.id in self.units:
            self.boot(unit)

    def _note(self, unit: Unit, effect: Note) -> None:
        self.sinks.note(unit, effect)

    # --- time ---

    def _arm(self, unit: Unit) -> None:
        """Keep one timer a unit, at its core's earliest deadline or before; none where the last thing that it heard was its last."""
        core = unit.core
        if core is None:
            return
        wake_at = core.wake_at
        if wake_at is None or (unit._timer is not None and unit._timer_at <= wake_at):
            return
        if unit._timer is not None:
            self.scheduler.cancel(unit._timer)
        unit._timer_at = wake_at
        unit._timer = self.scheduler.call_at(wake_at, self._wake, unit)

    def _wake(self, unit: Unit) -> None:
        unit._timer = None
        core = unit.core
        if core is None:
            return
        wake_at = core.wake_at
        if wake_at is not None and wake_at <= self.scheduler.now().mono_ns:
            self.post(unit, WAKE)
        else:
            self._arm(unit)


WAKE: Final = Wake()

PERFORM: Final[dict[type, Callable[[Runner, Unit, Any], None]]] = {
    PermitPower: Runner._act,
    Offer: Runner._act,
    SetLock: Runner._act,
    ReadMeter: Runner._act,
    ShowLight: Runner._act,
    Persist: Runner._persist,
    Forget: Runner._forget,
    SendFrame: Runner._send,
    OpenLink: Runner._open,
    CloseLink: Runner._close,
    SetPing: Runner._ping,
    Answer: Runner._answer,
    Publish: Runner._publish,
    Restart: Runner._restart,
    Note: Runner._note,
}
