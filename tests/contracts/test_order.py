"""The order that durability is made of: the disk has synced a boundary before a byte of it leaves the station.

A thousand boundaries through the real host and the real SQLite store, twenty stations at once. Not here: what survives (`test_store.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from hal.actions import AnyAction, PermitPower, ReadMeter, SetLock
from hal.clock import Scheduler
from hal.disk import Persist
from hal.ports import Emit
from hal.signals import BoardReady, LockReported, MeterRead, PowerReported, VehicleChanged
from hal.store import Store
from hal.units import LockState, Pilot, Reading
from ocpp_client.link import FrameReceived, LinkProfile, LinkUp
from sim.rng import Stream
from station.adapters.sqlite import SqliteStore
from station.shell.host import Host
from station.shell.plan import Plan
from station.shell.runner import Deliver, Sinks, Unit
from station.words.settings import Settings, SlotShape, StationShape

STATIONS = 20
BOUNDARIES = 1000


class Obedient:
    """A board of one tethered slot that does at once what it is told."""

    def __init__(self) -> None:
        self.emit: Emit | None = None
        self.scheduler: Scheduler | None = None

    def start(self, emit: Emit, scheduler: Scheduler) -> None:
        self.emit, self.scheduler = emit, scheduler
        self.say(BoardReady())

    def say(self, *signals: object) -> None:
        assert self.scheduler is not None and self.emit is not None
        for signal in signals:
            self.scheduler.call_at(0, self.emit, signal)

    def apply(self, action: AnyAction) -> None:
        match action:
            case SetLock(slot, closed):
                self.say(LockReported(slot, LockState.CLOSED if closed else LockState.OPEN))
            case ReadMeter(slot, ticket):
                self.say(MeterRead(slot, ticket, Reading(0)))
            case PermitPower(slot, allowed):
                self.say(PowerReported(slot, allowed))
            case _:
                pass

    def stop(self) -> None:
        self.emit = None


class Logbook:
    """What happened, in order: ("sync", so many calls of the store are durable) from the writer, ("sent", message id) from the wire."""

    def __init__(self, store: Store) -> None:
        self.log: list[tuple[str, int | str]] = []
        self.calls = 0
        self.written: dict[str, int] = {}
        persist, forget = store.persist, store.forget

        def counted(station: str, batch: Persist) -> None:
            self.calls += 1
            for record in batch.puts:
                if record.kind == "outbox" and batch.urgent:
                    self.written[station + record.body.message_id] = self.calls  # type: ignore[attr-defined]
            persist(station, batch)

        def forgot(station: str, keys: tuple[tuple[str, str], ...]) -> None:
            self.calls += 1
            forget(station, keys)

        store.persist = counted  # type: ignore[method-assign]
        store.forget = forgot  # type: ignore[method-assign]


class Wire:
    """Answers every call at once; a start is followed by leaving, an end by coming again."""

    def __init__(self, unit: Unit, deliver: Deliver, book: Logbook, done: Callable[[], None]) -> None:
        self.unit, self.deliver, self.book, self.done = unit, deliver, book, done
        assert isinstance(unit.board, Obedient)
        self.board = unit.board
        asyncio.get_running_loop().call_soon(deliver, LinkUp("ocpp1.6"))

    def send(self, frame: str | bytes, tell: int | None = None) -> None:
        _, number, action, _ = msgspec.json.decode(frame)
        answer: dict[str, object] = {}
        if action == "BootNotification":
            answer = {"status": "Accepted", "currentTime": "2026-06-01T00:00:00Z", "interval": 300}
            self.board.say(VehicleChanged(1, Pilot.C))
        elif action == "StartTransaction":
            answer = {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
            self.board.say(VehicleChanged(1, Pilot.A))
        elif action == "StopTransaction":
            self.board.say(VehicleChanged(1, Pilot.C))
        if action in ("StartTransaction", "StopTransaction"):
            self.book.log.append(("sent", self.unit.id + number))
            self.done()
        reply = FrameReceived(msgspec.json.encode([3, number, answer]).decode())
        asyncio.get_running_loop().call_soon(self.deliver, reply)

    def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...

    def set_ping_interval(self, interval_ns: int) -> None: ...


async def run(path: Path) -> Logbook:
    host = Host(Sinks(), lambda unit: LinkProfile("ws://x", unit.id, ("ocpp1.6",)))
    log: list[tuple[str, int | str]] = []
    store = SqliteStore(path, host.confirm, host.clock.post, on_sync=lambda n: log.append(("sync", n)))
    host.store = store
    book = Logbook(store)
    book.log = log
    sent, enough = 0, asyncio.Event()

    def count() -> None:
        nonlocal sent
        sent += 1
        if sent >= BOUNDARIES:
            enough.set()

    host.dial = lambda unit, offered, deliver: Wire(unit, deliver, book, count)
    shape = StationShape(slots=(SlotShape("tethered"),))
    plan = Plan(shape, Settings(cards_decided_by="nobody", repeat_guard_ms=0))
    for number in range(STATIONS):
        host.add(Unit(f"S{number:02}", plan, Obedient(), Stream(number)))
    await asyncio.wait_for(enough.wait(), 60)
    await host.close()
    return book


def test_sync_returns_before_bytes_leave(tmp_path: Path) -> None:
    book = asyncio.run(run(tmp_path / "station.db"))
    durable, checked = 0, 0
    for what, which in book.log:
        if what == "sync":
            durable = max(durable, int(which))
        else:
            call = book.written[str(which)]
            assert call <= durable, f"{which} left before its record was synced"
            checked += 1
    assert checked >= BOUNDARIES
