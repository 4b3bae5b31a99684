"""The core: `step(now, input) -> list[Effect]`, no I/O, no clock, no threads; the same code on a charger and in every simulation.

It is made of slots (`statemachine/slot.py`) and of blocks named after the specification, each owning its part of state and deadlines. A
step hands the input to one block, then lets changed slots settle, then lets the connection send. Not here: how a version speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hal.clock import Due, Now, Rng
from hal.deadlines import Deadlines
from hal.disk import Persist, Record, RecordKey, Stored, StoreFailed
from hal.signals import (
    BoardFault,
    BoardReady,
    CableChanged,
    CardPresented,
    FaultAcknowledged,
    LockReported,
    MeterFailed,
    MeterRead,
    PowerFailing,
    PowerReported,
    VehicleChanged,
)
from hal.units import SECOND, MonoNs, SlotId, Ticket
from ocpp_client.link import FrameFlushed, FrameReceived, LinkDown, LinkUp
from statemachine.slot import Slot
from station.core.blocks.authorization import Authorization
from station.core.blocks.availability import Availability
from station.core.blocks.connection import Connection
from station.core.blocks.delivery import Delivery
from station.core.blocks.demand import Demand
from station.core.blocks.events import Events
from station.core.blocks.faults import Faults
from station.core.blocks.lights import Lights
from station.core.blocks.locks import Locks
from station.core.blocks.metering import Metering
from station.core.blocks.power import Power
from station.core.blocks.provisioning import Provisioning
from station.core.blocks.remote import Remote
from station.core.blocks.supply import Supply
from station.core.blocks.timekeeping import Timekeeping
from station.core.blocks.tokens import Tokens
from station.core.blocks.transactions import Transactions
from station.core.blocks.visits import Visits
from station.core.boot import BootInfo, begin
from station.core.effects import Answer, Ask, Bug, Delivered, Effect, Input, Note, Shutdown, Wake, rank
from station.core.time import StationTime
from station.core.vendors import NO_VENDORS, Vendors
from station.words.commands import (
    ChangeAvailability,
    ChangeSettings,
    ClearCache,
    ReadSettings,
    Reset,
    StartSession,
    StopSession,
    Trigger,
    UnlockSlot,
    VendorMessage,
)
from station.words.common import Stamp
from station.words.outcomes import AnyOutcome
from station.words.policies import Policies
from station.words.records import Image
from station.words.settings import Settings, StationShape

STORE_PATIENCE_NS: Final = 5 * SECOND


class StationCore:
    """One station. Build it with `restore`; a station that never ran has an empty image.

    `real` multiplies the waits that belong to the network, which do not scale when simulated time runs faster than real time.
    """

    __slots__ = (
        "authorization",
        "availability",
        "boot",
        "connection",
        "deadlines",
        "delivery",
        "demand",
        "dirty",
        "effects",
        "events",
        "faults",
        "lights",
        "locks",
        "metering",
        "now",
        "policies",
        "power",
        "provisioning",
        "real",
        "remote",
        "rng",
        "serial",
        "settings",
        "shape",
        "slots",
        "stores",
        "supply",
        "tickets",
        "time",
        "timekeeping",
        "tokens",
        "transactions",
        "vendors",
        "visits",
    )

    def __init__(
        self,
        shape: StationShape,
        serial: str,
        settings: Settings,
        boot: BootInfo,
        policies: Policies,
        now: Now,
        rng: Rng,
        real: int,
        vendors: Vendors,
    ) -> None:
        self.shape = shape
        self.serial = serial
        self.settings = settings
        self.boot = boot
        self.policies = policies
        self.now = now
        self.rng = rng
        self.real = real
        self.vendors = vendors
        self.time = StationTime(now, boot)
        self.deadlines = Deadlines()
        self.effects: list[Effect] = []
        self.dirty: list[Slot] = []
        self.tickets: Ticket = 0
        self.stores: dict[Ticket, tuple[MonoNs, Callable[..., None], tuple[Any, ...]]] = {}
        self.slots = tuple(Slot(i, slot) for i, slot in enumerate(shape.slots, 1))
        self.connection = Connection(self)
        self.provisioning = Provisioning(self)
        self.tokens = Tokens(self)
        self.authorization = Authorization(self)
        self.transactions = Transactions(self)
        self.delivery = Delivery(self)
        self.timekeeping = Timekeeping(self)
        self.power = Power(self)
        self.visits = Visits(self)
        self.locks = Locks(self)
        self.demand = Demand(self)
        self.supply = Supply(self)
        self.metering = Metering(self)
        self.availability = Availability(self)
        self.faults = Faults(self)
        self.remote = Remote(self)
        self.lights = Lights(self)
        self.events = Events(self)

    @classmethod
    def restore(
        cls,
        shape: StationShape,
        serial: str,
        settings: Settings,
        image: Image,
        boot: BootInfo,
        policies: Policies,
        now: Now,
        rng: Rng,
        real: int = 1,
        vendors: Vendors = NO_VENDORS,
    ) -> tuple[StationCore, list[Effect]]:
        """A station as its disk remembers it, and the first effects. `boot.count` and the like are taken from the image."""
        boot = begin(image, boot, now.mono_ns)
        core = cls(shape, serial, settings, boot, policies, now, rng, real, vendors)
        core.provisioning.restore(image)
        core.delivery.restore(image)
        core.transactions.restore(image)
        core.tokens.restore(image)
        core.authorization.restore(image)
        core.availability.restore(image)
        core.faults.restore(image)
        core.events.restore(image)
        core.provisioning.begin()
        core.delivery.begin()
        core.timekeeping.begin()
        core.connection.dial()
        return core, core._finish()

    # --- the one entry point ---

    def step(self, now: Now, item: Input) -> list[Effect]:
        """What this input makes the station do. Never blocks, never raises for anything the world did."""
        self.now = now
        HANDLERS[type(item)](self, item)
        return self._finish()

    @property
    def wake_at(self) -> MonoNs | None:
        """When `Wake` is wanted, on the monotonic clock."""
        return self.deadlines.earliest

    def image(self) -> Image:
        """What the disk should hold: equal to the fold of its durable records whenever nothing is on its way there."""
        image: Image = {}
        keepers = (self.provisioning, self.transactions, self.delivery, self.timekeeping, self.tokens)
        for block in (*keepers, self.authorization, self.availability, self.faults, self.events, self.connection):
            for record in block.records():
                image.setdefault(record.kind, {})[record.key] = record.body  # type: ignore[assignment]
        return image

    def _finish(self) -> list[Effect]:
        rounds = 0
        while self.dirty:
            rounds += 1
            if rounds > 100:
                raise Bug(f"slots of {self.serial} do not settle")
            dirty, self.dirty = self.dirty, []
            for slot in dirty:
                self.power.evaluate(slot)
                self.availability.settle(slot)
        self.connection.pump()
        effects, self.effects = self.effects, []
        if len(effects) > 1:
            effects.sort(key=rank)
        return effects

    # --- what blocks use ---

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def note(self, level: str, code: str, slot: SlotId = 0, *values: str | int) -> None:
        self.effects.append(Note(level, code, slot, values))  # type: ignore[arg-type]

    def touch(self, slot: Slot) -> None:
        """Something about this slot changed: it is looked at again before the step ends."""
        if slot not in self.dirty:
            self.dirty.append(slot)

    def ticket(self) -> Ticket:
        self.tickets += 1
        return self.tickets

    def slot(self, number: SlotId) -> Slot | None:
        return self.slots[number - 1] if 0 < number <= len(self.slots) else None

    def stamp(self) -> Stamp:
        return self.time.stamp(self.now)

    def after(self, due: Due, seconds: float, slot: SlotId = 0) -> None:
        self.deadlines.set(due, self.now.mono_ns + int(seconds * SECOND), slot)

    def persist(
        self,
        puts: tuple[Record, ...],
        forgets: tuple[RecordKey, ...] = (),
        urgent: bool = False,
        then: Callable[..., None] | None = None,
        *args: Any,
    ) -> None:
        """Write a batch; `then(ok, *args)` is called when it is durable, or has failed, or has not been confirmed for 5 s."""
        if then is None:
            self.effects.append(Persist(0, puts, forgets, urgent))
            return
        ticket = self.ticket()
        self.stores[ticket] = (self.now.mono_ns + STORE_PATIENCE_NS * self.real, then, args)
        if not self.deadlines.pending(Due.STORE):
            self.deadlines.set(Due.STORE, self.now.mono_ns + STORE_PATIENCE_NS * self.real)
        self.effects.append(Persist(ticket, puts, forgets, urgent))

    def answer(self, ticket: Ticket, outcome: AnyOutcome, tell: bool = False) -> None:
        """The one answer to a command: to the CSMS if it asked, else to whoever did."""
        if not self.connection.answer(ticket, outcome, tell):
            self.effects.append(Answer(ticket, outcome))

    # --- inputs that belong to no block ---

    def wake(self, item: Wake) -> None:
        for due, slot in self.deadlines.pop_due(self.now.mono_ns):
            DUE[due](self, slot)

    def ask(self, item: Ask) -> None:
        COMMANDS[type(item.command)](self, item.ticket, item.origin, item.command)

    def stored(self, item: Stored) -> None:
        if item.tight:
            self.faults.store_failed("hardly any room left on its disk")
        elif item.ticket in self.stores:
            self.faults.store_works()
        self._settle_store(item.ticket, True)

    def acknowledged(self, item: FaultAcknowledged) -> None:
        self.faults.acknowledged(item.slot)
        self.provisioning.acknowledged()

    def store_failed(self, item: StoreFailed) -> None:
        self.note("error", "store.failed", 0, item.why)
        self.faults.store_failed()
        self._settle_store(item.ticket, False)

    def store_late(self, _: SlotId) -> None:
        late = [t for t, (at, _, _) in self.stores.items() if at <= self.now.mono_ns]
        for ticket in late:
            self.store_failed(StoreFailed(ticket, "not confirmed for 5 s"))
        if self.stores:
            self.deadlines.set(Due.STORE, min(at for at, _, _ in self.stores.values()))

    def _settle_store(self, ticket: Ticket, ok: bool) -> None:
        waiting = self.stores.pop(ticket, None)
        if waiting is None:
            return
        if not self.stores:
            self.stores = {}  # an emptied dict keeps its room
            self.deadlines.cancel(Due.STORE)
        _, then, args = waiting
        then(ok, *args)


HANDLERS: Final[dict[type, Callable[[StationCore, Any], None]]] = {
    Wake: StationCore.wake,
    Ask: StationCore.ask,
    Stored: StationCore.stored,
    StoreFailed: StationCore.store_failed,
    Shutdown: lambda core, item: core.provisioning.shutdown(),
    Delivered: lambda core, item: core.events.delivered(item.number),
    LinkUp: lambda core, item: core.connection.link_up(item),
    LinkDown: lambda core, item: core.connection.link_down(item),
    FrameReceived: lambda core, item: core.connection.received(item.frame),
    FrameFlushed: lambda core, item: core.provisioning.flushed(item.tell),
    BoardReady: lambda core, item: core.visits.board_ready(),
    CardPresented: lambda core, item: core.authorization.presented(item.token, item.reader),
    CableChanged: lambda core, item: core.visits.cable_changed(item),
    VehicleChanged: lambda core, item: core.visits.vehicle_changed(item),
    LockReported: lambda core, item: core.locks.reported(item),
    PowerReported: lambda core, item: core.power.power_reported(item),
    MeterRead: lambda core, item: core.metering.meter_read(item),
    MeterFailed: lambda core, item: core.metering.meter_failed(item),
    BoardFault: lambda core, item: core.faults.reported(item),
    FaultAcknowledged: StationCore.acknowledged,
    PowerFailing: lambda core, item: core.power.power_failing(),
}

COMMANDS: Final[dict[type, Callable[[StationCore, Ticket, Any, Any], None]]] = {
    StartSession: lambda core, t, o, c: core.remote.start(t, o, c),
    StopSession: lambda core, t, o, c: core.remote.stop(t, o, c),
    UnlockSlot: lambda core, t, o, c: core.remote.unlock(t, o, c),
    Trigger: lambda core, t, o, c: core.remote.trigger(t, o, c),
    VendorMessage: lambda core, t, o, c: core.remote.vendor(t, o, c),
    ChangeSettings: lambda core, t, o, c: core.provisioning.change(t, o, c),
    ReadSettings: lambda core, t, o, c: core.provisioning.read(t, o, c),
    Reset: lambda core, t, o, c: core.provisioning.reset(t, o, c),
    ChangeAvailability: lambda core, t, o, c: core.availability.change(t, o, c),
    ClearCache: lambda core, t, o, c: core.tokens.clear(t, o, c),
}

DUE: Final[dict[Due, Callable[[StationCore, SlotId], None]]] = {
    Due.BOARD_READY: lambda core, slot: core.visits.board_late(),
    Due.POWER_OPENS: lambda core, slot: core.power.vehicle_had_its_time(slot),
    Due.POWER_OPENED: lambda core, slot: core.power.still_closed(slot),
    Due.POWER_CLOSED: lambda core, slot: core.power.still_open(slot),
    Due.LOCK: lambda core, slot: core.locks.late(slot),
    Due.UNLOCK: lambda core, slot: core.locks.again(slot),
    Due.METER: lambda core, slot: core.metering.late(slot),
    Due.METER_LOST: lambda core, slot: core.metering.lost(slot),
    Due.EV_READY: lambda core, slot: core.power.ev_ready_passed(slot),
    Due.CONNECTION: lambda core, slot: core.authorization.connection_timeout(slot),
    Due.IDLE: lambda core, slot: core.demand.look(slot),
    Due.OVER_CURRENT: lambda core, slot: core.demand.look(slot),
    Due.FULL: lambda core, slot: core.demand.full(slot),
    Due.DRAWING: lambda core, slot: core.demand.drawing_again(slot),
    Due.FAULT_RETRY: lambda core, slot: core.faults.retry(slot),
    Due.FAULT_ENDS_SESSION: lambda core, slot: core.faults.ends_session(slot),
    Due.SUPPLY: lambda core, slot: core.supply.share(),
    Due.STORE: StationCore.store_late,
    Due.STATUS: lambda core, slot: core.availability.report(slot),
    Due.SAMPLE: lambda core, slot: core.metering.take_sample(slot),
    Due.ALIGNED: lambda core, slot: core.metering.aligned(),
    Due.ALIVE: lambda core, slot: core.timekeeping.alive(),
    Due.LIGHT: lambda core, slot: core.lights.signal_over(slot),
    Due.CONNECT: lambda core, slot: core.connection.dial(),
    Due.REGISTER: lambda core, slot: core.provisioning.register(),
    Due.HEARTBEAT: lambda core, slot: core.provisioning.heartbeat(),
    Due.CALL: lambda core, slot: core.connection.call_late(),
    Due.RETRY: lambda core, slot: None,  # waking is enough: the connection pumps at the end of every step
    Due.ASK: lambda core, slot: core.connection.ask_late(),
    Due.RESTART: lambda core, slot: core.provisioning.restart_due(),
}
