"""A bench for promises: a station whose inputs and effects are made by hand, on a board and a disk that are what the test says. No core.

`give` hands in one input with the effects that it is said to have had; `out`, `heard`, `asked` and `replied` are frames. The disk takes
what a Persist holds when `Stored` is given for its ticket. Healthy sequences of a session are methods, so that a test breaks one step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hal.actions import Offer, PermitPower, ReadMeter, SetLock
from hal.disk import Persist, Record, Stored, StoreFailed
from hal.signals import (
    BoardReady,
    CardPresented,
    LockReported,
    MeterRead,
    PowerReported,
    VehicleChanged,
)
from hal.units import MILLISECOND, Colour, Light, LockState, Pilot, Reading
from ocpp_client.link import FrameReceived, LinkUp
from sim.checkers import Broken
from sim.checkers.eyes import Eyes, Promise
from sim.csms.oracle_books import moment_text
from sim.plan import Plan
from sim.scheduler import START_UTC_MS, VirtualScheduler
from station.core.effects import Effect, Input, Wake
from station.words.common import ChargingState, Origin, Sample, Stamp, StopReason, Token, Why
from station.words.facts import TransactionTold
from station.words.records import EventRecord, OutboxRecord, SessionRecord
from station.words.settings import TEMPLATES, Settings, StationShape

CARD = "04A1B2C3"
OTHER = "04D4E5F6"
ACCEPTED = {"idTagInfo": {"status": "Accepted"}}


class Place:
    """One slot of the board, as it really is."""

    def __init__(self, number: int, shape: Any) -> None:
        self.number, self.shape = number, shape
        self.closed = self.cable = False
        self.lock = LockState.OPEN
        self.lock_fault = self.contactor_fault = self.vehicle = None
        self.meter = SimpleNamespace(fault=None)
        self.energy_mwh = 0
        self.light = Light(Colour.GREEN)


class Board:
    def __init__(self, shape: StationShape) -> None:
        self.slots = tuple(Place(n, s) for n, s in enumerate(shape.slots, 1))
        self.lamp = Light(Colour.GREEN)

    def slot(self, number: int) -> Place:
        return self.slots[number - 1]

    def light(self, number: int) -> Light:
        return self.slot(number).light if number else self.lamp

    def is_energised(self, number: int) -> bool:
        return self.slot(number).closed

    def true_energy_mwh(self, number: int) -> int:
        return self.slot(number).energy_mwh


class Disk:
    def __init__(self) -> None:
        self.image: dict[str, dict[str, Any]] = {}

    def durable(self, station: str) -> dict[str, dict[str, Any]]:
        return {kind: dict(rows) for kind, rows in self.image.items()}


class Bench:
    """One station, seen by the eyes of some promises. `boot` it first; that is done unless told otherwise."""

    def __init__(
        self,
        *promises: Promise,
        settings: Settings | None = None,
        template: str = "two-sockets-22kw",
        plan: Plan | None = None,
        boot: bool = True,
    ) -> None:
        shape = TEMPLATES[template]
        self.eyes = Eyes(promises)
        self.clock = VirtualScheduler()
        self.board, self.disk = Board(shape), Disk()
        papers = SimpleNamespace(shape=shape, settings=settings or Settings(), real=1, os_trusted=True, version="1.6")
        self.unit: Any = SimpleNamespace(id="CP1", plan=papers, core=object(), now=self.clock.now)
        self.csms = SimpleNamespace(violations=[], transactions={}, status={})
        self.world: Any = SimpleNamespace(
            clock=self.clock,
            bugs=0,
            plan=plan or Plan(),
            boards={"CP1": self.board},
            disks={"CP1": self.disk},
            units={"CP1": self.unit},
            csms=self.csms,
        )
        self.ids = self.tickets = 0
        self._batches: dict[int, Persist] = {}
        self._tell_time()
        if boot:
            self.boot()

    # --- a core's life ---

    def boot(self, *effects: Effect, ready: bool = True) -> None:
        self.eyes.booted(self.world, self.unit, list(effects))
        if ready:
            for slot in self.board.slots:
                self.give(VehicleChanged(slot.number, Pilot.A))
                if slot.shape.has_lock:
                    self.give(LockReported(slot.number, slot.lock))
                self.give(PowerReported(slot.number, slot.closed))
            self.give(BoardReady())

    def cut(self) -> None:
        self.eyes.cut(self.world, self.unit)

    def settle(self) -> None:
        self.eyes.settled(self.world)

    def wait(self, seconds: float, *effects: Effect) -> None:
        """Time passes; then the core wakes, with these effects."""
        self.clock.run_for(seconds)
        self._tell_time()
        self.give(Wake(), *effects)

    def _tell_time(self) -> None:
        self.world.true_utc_ms = START_UTC_MS + self.clock.now().mono_ns // MILLISECOND

    def give(self, item: Input, *effects: Effect) -> None:
        for effect in effects:
            if isinstance(effect, Persist) and effect.ticket:
                self._batches[effect.ticket] = effect
        if isinstance(item, Stored):
            self._write(self._batches.pop(item.ticket))
        self.eyes.stepped(self.world, self.unit, item, list(effects))

    def _write(self, batch: Persist) -> None:
        for kind, key in batch.forgets:
            self.disk.image.get(kind, {}).pop(key, None)
        for record in batch.puts:
            self.disk.image.setdefault(record.kind, {})[record.key] = record.body

    # --- frames ---

    def _frame(self, out: bool, *frame: Any) -> None:
        self.eyes.framed(self.world, self.unit, out, list(frame))

    def out(self, action: str, payload: dict[str, Any], number: str = "") -> str:
        """An own call leaves."""
        self.ids += 1
        number = number or f"m{self.ids}"
        self._frame(True, 2, number, action, payload)
        return number

    def heard(self, number: str, payload: dict[str, Any] | None, *effects: Effect) -> None:
        """The CSMS answers it (None: with a CALLERROR); the core's effects."""
        if payload is None:
            self._frame(False, 4, number, "InternalError", "", {})
        else:
            self._frame(False, 3, number, payload)
        self.give(FrameReceived(""), *effects)

    def asked(self, number: str, action: str, payload: dict[str, Any], *effects: Effect) -> None:
        self._frame(False, 2, number, action, payload)
        self.give(FrameReceived(""), *effects)

    def replied(self, number: str, payload: dict[str, Any]) -> None:
        self._frame(True, 3, number, payload)

    def online(self) -> None:
        """Connected and accepted."""
        self.give(LinkUp("ocpp1.6"))
        now = self.iso()
        self.heard(self.out("BootNotification", {}), {"status": "Accepted", "currentTime": now, "interval": 300})

    def iso(self, off_s: float = 0.0) -> str:
        return moment_text(self.world.true_utc_ms + round(off_s * 1000))

    # --- a healthy session, step by step ---

    def tap(self, card: str = CARD, *effects: Effect) -> None:
        scan = EventRecord("card-scanned.v1", "reader/1", self.stamp(), raw({"card": card}), f"e{self.tickets}")
        self.give(CardPresented(card), self.persist(Record("event", f"{self.tickets:012d}", scan)), *effects)

    def accept(self, card: str = CARD, *effects: Effect) -> None:
        self.heard(self.out("Authorize", {"idTag": card}), ACCEPTED, *effects)

    def plug(self, slot: int = 1, *effects: Effect) -> None:
        self.give(VehicleChanged(slot, Pilot.B), *effects)

    def lock(self, slot: int = 1) -> None:
        self.give(Wake(), SetLock(slot, True))
        self.board.slot(slot).lock = LockState.CLOSED
        self.give(LockReported(slot, LockState.CLOSED), ReadMeter(slot, 1))

    def read(self, slot: int = 1, *effects: Effect) -> None:
        """The meter says what has flowed."""
        self.give(MeterRead(slot, 1, self.reading(slot)), *effects)

    def reading(self, slot: int = 1, current_ma: int = 0) -> Reading:
        return Reading(self.board.slot(slot).energy_mwh, (current_ma, 0, 0))

    def began(self, slot: int = 1, card: str = CARD, name: str = "s1", **changes: Any) -> Persist:
        """The batch that a session and its start are written with."""
        fact = self.fact("started", slot, card, name)
        return self.persist(self.session(slot, card, name, **changes), self.outbox(fact, f"{name}-start"), urgent=True)

    def session(self, slot: int = 1, card: str = CARD, name: str = "s1", **changes: Any) -> Record:
        values = {"origin": Origin.CARD, "register_mwh": self.board.slot(slot).energy_mwh, "seq": 1, **changes}
        return Record("session", name, SessionRecord(name, slot, Token(card), started=self.stamp(), **values))

    def fact(self, kind: Any, slot: int = 1, card: str = CARD, name: str = "s1", **changes: Any) -> TransactionTold:
        values: dict[str, Any] = {"register_mwh": self.board.slot(slot).energy_mwh, "token": Token(card), **changes}
        if kind == "ended":
            values.setdefault("stop", StopReason.LOCAL)
        at = values.pop("at", self.stamp())
        return TransactionTold(kind, name, slot, 0, Why.AUTHORIZED, at, ChargingState.CONNECTED, **values)

    def outbox(self, fact: TransactionTold, number: str, key: str = "", attempts: int = 0) -> Record:
        return Record("outbox", key or number, OutboxRecord(number, fact, "1.6", attempts))

    def sample(self, slot: int, context: Any) -> Sample:
        return Sample(self.stamp(), context, self.reading(slot), ())

    def persist(self, *puts: Record, forgets: tuple[tuple[str, str], ...] = (), urgent: bool = False) -> Persist:
        self.tickets += 1
        return Persist(self.tickets, puts, forgets, urgent)

    def store(self, batch: Persist, *effects: Effect) -> None:
        """The core asks for the batch, and the disk confirms it: these are the effects then."""
        self.give(Wake(), batch)
        self.give(Stored(batch.ticket), *effects)

    def refuse(self, batch: Persist, *effects: Effect) -> None:
        self.give(Wake(), batch)
        self.give(StoreFailed(batch.ticket, "I/O error"), *effects)

    def stamp(self, off_s: float = 0.0) -> Stamp:
        return Stamp(self.world.true_utc_ms + round(off_s * 1000))

    def power(self, slot: int = 1, card: str = CARD, name: str = "s1", **changes: Any) -> None:
        """From a plug to power, with all that has to come before."""
        if self.board.slot(slot).shape.has_lock:
            self.lock(slot)
        self.read(slot)
        self.store(self.began(slot, card, name, **changes), *permit(slot))

    def charge(self, slot: int = 1, energy_mwh: int = 5_000_000) -> None:
        """The vehicle asks, the contactor closes, energy flows."""
        self.give(VehicleChanged(slot, Pilot.C))
        self.board.slot(slot).closed = True
        self.give(PowerReported(slot, True))
        self.board.slot(slot).energy_mwh += energy_mwh

    def stop(self, slot: int = 1) -> None:
        """Withdrawn, and open."""
        self.give(Wake(), Offer(slot, None))
        self.wait(1, PermitPower(slot, False))
        self.board.slot(slot).closed = False
        self.give(PowerReported(slot, False))

    def visit(self, card: str = CARD, slot: int = 1, name: str = "s1") -> None:
        """Plug, tap, accepted, powered."""
        self.plug(slot)
        self.tap(card)
        self.accept(card)
        self.power(slot, card, name)


def permit(slot: int = 1, limit_ma: int = 16_000) -> tuple[Effect, Effect]:
    return Offer(slot, limit_ma), PermitPower(slot, True)


def withdraw(slot: int = 1) -> tuple[Effect, Effect]:
    return PermitPower(slot, False), Offer(slot, None)


def event(kind: str, subject: str, number: int = 1, **data: Any) -> Record:
    return Record("event", f"{number:012d}", EventRecord(kind, subject, Stamp(START_UTC_MS), raw(data), f"x{number}"))


def raw(data: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(data))


@contextmanager
def broken(promise: type[Promise] | Promise, words: str = "") -> Iterator[None]:
    """This promise, and no other, is broken in here, and says so with these words."""
    with pytest.raises(Broken) as caught:
        yield
    assert caught.value.promise == promise.name
    assert words in caught.value.sentence
