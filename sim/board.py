"""The simulated board: sockets or cables with lock, pilot, contactor, lamps, meters and card readers; and its faults.

It satisfies `hal.ports.Driver` with nothing but now, call_at and cancel, so the same objects run in a demo, in a fleet
and in the world. Nothing ticks: between deadlines a board costs memory only. Signals leave in the order in which things
happened. **None is emitted from inside `apply`**: what an action causes at once is handed over by a call at the same
instant, or, if `apply` was itself called from inside an emission, as soon as that emission has returned. What people do
(`present`, `plug`, ...) is emitted before the method returns.

Here the contactor obeys hardware: it closes only with permission, a vehicle in C or D, and PWM on offer; it opens when
permission or the vehicle goes, and by itself on emergency stop, ground fault and diode fault, which also void the
permission. Not here: any decision.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Final, assert_never

import msgspec
from msgspec import Meta

from hal.actions import AnyAction, Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.clock import Now, Scheduler, TimerHandle
from hal.ports import Emit
from hal.signals import (
    AnySignal,
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
from hal.units import (
    MILLISECOND,
    STATION,
    Cause,
    Colour,
    Light,
    LockState,
    MilliAmps,
    MilliWh,
    Pilot,
    SlotId,
    Ticket,
    TokenUid,
)
from sim.meter import MeterFaultKind, MeterMemory, SimMeter
from sim.rng import key_of, number
from sim.vehicle import Vehicle
from station.words.settings import TEMPLATES, SlotShape, StationShape

LOCK_MS: Final = 300
LOCK_SLOW_MS: Final = 3_000
LOCK_GIVES_UP_MS: Final = 1_000  # neither end reached: jammed
CLOSES_MS: Final = 40
OPENS_MS: Final = 30
BOUNCE_MS: Final = 15
METER_GIVES_UP_MS: Final = 1_000
TAP_AGAIN_MS: Final = 300
READER_SLOW_MS: Final = 2_000
HOLD_UP_MS: Final = 300
NOMINAL_MV: Final = 230_000
DARK: Final = Light(Colour.OFF)


class LockFault(enum.Enum):
    JAM = "jam"  # does not move, and says so
    HALF = "half"  # stops half-way, and says so
    LIES = "lies"  # does not move, and says it did
    SLOW = "slow"  # moves in three seconds


class ContactorFault(enum.Enum):
    WELDED = "welded"  # does not open; the mirror contact says so
    STUCK_OPEN = "stuck_open"  # does not close
    BOUNCES = "bounces"  # opens and closes once more after closing


class PilotFault(enum.Enum):
    E = "E"  # pilot shorted to earth
    F = "F"  # the board puts out -12 V
    DIODE = "diode"  # the negative half-wave is wrong: a board fault, the contactor opens by hardware


class ReaderFault(enum.Enum):
    SILENT = "silent"  # dead; the driver notices
    DOUBLE = "double"  # each card is read twice
    GARBLED = "garbled"  # frames fail their checksum: no card is read
    SLOW = "slow"  # two seconds late


class SimSlot:
    """One socket or cable of a board. Attributes are the ground truth; only the board changes them."""

    __slots__ = (
        "_contactor_timer",
        "_lock_timer",
        "board",
        "cable",
        "closed",
        "contactor_fault",
        "light",
        "lock",
        "lock_fault",
        "meter",
        "number",
        "offer_ma",
        "permitted",
        "pilot",
        "pilot_fault",
        "rating_ma",
        "shape",
        "tripped",
        "vehicle",
    )

    def __init__(self, board: SimBoard, number: SlotId, shape: SlotShape, meter: SimMeter) -> None:
        self.board = board
        self.number = number
        self.shape = shape
        self.meter = meter
        self.vehicle: Vehicle | None = None
        self.cable = False
        self.rating_ma: MilliAmps | None = None
        self.pilot = Pilot.A  # as last reported
        self.offer_ma: MilliAmps | None = None
        self.permitted = False
        self.closed = False
        self.tripped = False  # the residual current device
        self.lock = LockState.OPEN
        self.light = DARK
        self.lock_fault: LockFault | None = None
        self.contactor_fault: ContactorFault | None = None
        self.pilot_fault: PilotFault | None = None
        self._lock_timer: TimerHandle = None
        self._contactor_timer: TimerHandle = None

    @property
    def scheduler(self) -> Scheduler:
        return self.board.scheduler

    @property
    def mains_mv(self) -> tuple[int, ...]:
        return self.meter.mains_mv[: self.shape.phases]

    # -- pilot -------------------------------------------------------------------------------------

    def pilot_moved(self) -> None:
        self.see()
        self.board.flush()

    def see(self) -> None:
        """Report the pilot if it is not what it was, and let the contactor follow."""
        pilot = self.vehicle.pilot if self.vehicle is not None else Pilot.A
        if self.pilot_fault is PilotFault.E:
            pilot = Pilot.E
        elif self.pilot_fault is PilotFault.F:
            pilot = Pilot.F
        if pilot is not self.pilot:
            self.pilot = pilot
            self.board.say(VehicleChanged(self.number, pilot))
        self.settle()

    def set_offer(self, limit_ma: MilliAmps | None) -> None:
        """Less than 6 A cannot be said by PWM and is no offer; more than 80 A neither and is 80 A."""
        self.offer_ma = None if limit_ma is None or limit_ma < 6_000 else min(limit_ma, 80_000)
        self.tell_vehicle()
        self.settle()

    def tell_vehicle(self) -> None:
        if self.vehicle is not None:
            self.vehicle.set_offer(self.offer_ma if self.pilot_fault is None else None)

    def connect(self, vehicle: Vehicle) -> None:
        """Plug it in. Raises ValueError for a car that cannot be, and nothing has changed."""
        vehicle.connect(self, self.mains_mv, self.shape.kind == "dc")
        self.vehicle = vehicle
        self.meter.attach(vehicle, self.now.mono_ns)
        vehicle.set_live(self.closed)
        self.tell_vehicle()

    def disconnect(self) -> None:
        vehicle, self.vehicle = self.vehicle, None
        if vehicle is not None and vehicle.pilot is not Pilot.A:
            vehicle.disconnect()
            self.meter.attach(None, self.now.mono_ns)

    # -- contactor ---------------------------------------------------------------------------------

    @property
    def now(self) -> Now:
        return self.board.scheduler.now()

    def permit(self, allowed: bool) -> None:
        self.permitted = allowed and not self.tripped and not self.board.stopped
        self.settle()
        if self._contactor_timer is None and not (allowed and self.permitted and not self.closed):
            self.board.say(PowerReported(self.number, self.closed))

    @property
    def wanted(self) -> bool:
        """Whether the contactor has to be closed."""
        asks = self.pilot.asks and self.pilot_fault is not PilotFault.DIODE
        return self.permitted and asks and (self.closed or self.offer_ma is not None)

    def settle(self) -> None:
        """Start the contactor towards where it has to be."""
        wanted = self.wanted
        if wanted == self.closed:
            self.forget_contactor()
        elif self._contactor_timer is None:
            self._move_contactor(CLOSES_MS if wanted else OPENS_MS, self._switch, wanted)

    def forget_contactor(self) -> None:
        if self._contactor_timer is not None:
            self.scheduler.cancel(self._contactor_timer)
            self._contactor_timer = None

    def cut(self) -> None:
        """Hardware takes the permission away."""
        self.permitted = False
        self.settle()

    def _move_contactor(self, time_ms: int, call: Callable[[bool], None], close: bool) -> None:
        self._contactor_timer = self.scheduler.call_at(self.now.mono_ns + time_ms * MILLISECOND, call, close)

    def _switch(self, close: bool) -> None:
        self._contactor_timer = None
        if close and self.contactor_fault is not ContactorFault.STUCK_OPEN:
            self.set_contactor(True)
            if self.contactor_fault is ContactorFault.BOUNCES:
                self._move_contactor(BOUNCE_MS, self._bounce, False)
        elif not close and self.contactor_fault is not ContactorFault.WELDED:
            self.set_contactor(False)
        elif not close and not self.permitted:
            self.board.say(PowerReported(self.number, True))  # the answer to PermitPower(no): it did not open
        self.board.flush()

    def _bounce(self, close: bool) -> None:
        self._contactor_timer = None
        if not close:
            self.set_contactor(False)
            self._move_contactor(BOUNCE_MS, self._bounce, True)
        elif self.wanted:
            self.set_contactor(True)
        self.board.flush()

    def set_contactor(self, closed: bool) -> None:
        if closed is not self.closed:
            self.closed = closed
            if self.vehicle is not None:
                self.vehicle.set_live(closed)
            self.meter.note_contactor(closed, self.now)
        self.board.say(PowerReported(self.number, closed))

    # -- lock --------------------------------------------------------------------------------------

    def set_lock(self, closed: bool) -> None:
        """Raises TypeError where there is no lock."""
        if not self.shape.has_lock:
            raise TypeError(f"slot {self.number} is {self.shape.kind}: it has no lock")
        goal = LockState.CLOSED if closed else LockState.OPEN
        self.forget_lock()
        if self.lock is goal:
            self.board.say(LockReported(self.number, goal))
            return
        time_ms = LOCK_MS
        if self.lock_fault is LockFault.SLOW:
            time_ms = LOCK_SLOW_MS
        elif self.lock_fault in (LockFault.JAM, LockFault.HALF):
            time_ms = LOCK_GIVES_UP_MS
        self._lock_timer = self.scheduler.call_at(self.now.mono_ns + time_ms * MILLISECOND, self._lock_arrived, goal)

    def _lock_arrived(self, goal: LockState) -> None:
        self._lock_timer = None
        said = goal
        match self.lock_fault:
            case LockFault.JAM:
                said = LockState.JAMMED
            case LockFault.HALF:
                said = self.lock = LockState.JAMMED
            case LockFault.LIES:
                pass
            case LockFault.SLOW | None:
                self.lock = goal
        self.board.say(LockReported(self.number, said))
        self.board.flush()

    def forget_lock(self) -> None:
        if self._lock_timer is not None:
            self.scheduler.cancel(self._lock_timer)
            self._lock_timer = None


class SimBoard:
    """A whole simulated station's hardware. Ground truth is in `slot(n)`; meters may be handed in and outlive it.

    `shape` says what it is built of and may be shared; `seed` varies the mains a little; `latency_ms` is what a meter
    takes to answer.
    """

    class Config(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
        """`[board]` with `driver = "sim"`. `template` overrides the station's own shape.

        Registers start at `register_mwh`; with `log_periods` meters keep a load profile.
        """

        template: str = ""
        seed: int = 0
        meter_latency_ms: Annotated[int, Meta(ge=0, le=10_000)] = 50
        register_mwh: Annotated[int, Meta(ge=0)] = 0
        log_periods: bool = False

    __slots__ = (
        "_boot",
        "_busy",
        "_emit",
        "_faults",
        "_queue",
        "_scheduler",
        "_slots",
        "lamp",
        "latency_ms",
        "lights_dead",
        "reader_fault",
        "seed",
        "stopped",
    )

    def __init__(
        self,
        shape: StationShape,
        *,
        seed: int = 0,
        latency_ms: int = 50,
        meters: Iterable[SimMeter] | None = None,
        log_periods: bool = False,
    ) -> None:
        if meters is None:
            meters = (
                SimMeter(number, soc=built.kind == "dc", log=log_periods)
                for number, built in enumerate(shape.slots, start=1)
            )
        self.seed = seed
        self.latency_ms = latency_ms
        self.stopped = False  # the emergency stop is pressed
        self.lamp = DARK
        self.lights_dead = False
        self.reader_fault: ReaderFault | None = None
        self._emit: Emit | None = None
        self._scheduler: Scheduler | None = None
        self._boot = 0
        self._busy = False
        self._queue: list[AnySignal] | None = None
        self._faults: dict[tuple[SlotId, Cause], str] | None = None
        self._slots = tuple(
            SimSlot(self, number, built, meter)
            for number, (built, meter) in enumerate(zip(shape.slots, meters, strict=True), start=1)
        )
        self._wire_mains(NOMINAL_MV)

    @classmethod
    def from_config(cls, config: Config, shape: StationShape) -> SimBoard:
        """See `hal/registry.py`. Raises ValueError for a template that does not exist."""
        if config.template:
            if config.template not in TEMPLATES:
                raise ValueError(f"template: no such template {config.template!r}; there are {', '.join(TEMPLATES)}")
            shape = TEMPLATES[config.template]
        meters = [
            SimMeter(number, config.register_mwh, soc=built.kind == "dc", log=config.log_periods)
            for number, built in enumerate(shape.slots, start=1)
        ]
        return cls(shape, seed=config.seed, latency_ms=config.meter_latency_ms, meters=meters)

    # -- hal.ports.Driver --------------------------------------------------------------------------

    def start(self, emit: Emit, scheduler: Scheduler) -> None:
        """Report the state found, then `BoardReady`: at this instant, but after this call. Again after `stop`."""
        self._emit, self._scheduler = emit, scheduler
        self._boot += 1
        self._queue = None
        for slot in self._slots:
            if slot.vehicle is not None and slot.vehicle.pilot is Pilot.A:
                slot.connect(slot.vehicle)  # it was here before there was a clock
            self._report(slot)
        for (where, cause), detail in (self._faults or {}).items():
            self.say(BoardFault(where, cause, True, detail))
        self.say(BoardReady())
        self._flush_soon()

    def apply(self, action: AnyAction) -> None:
        """Do it. Raises TypeError for a lock that is not there, IndexError for a slot that is not.

        After `stop` nothing happens.
        """
        if self._emit is None:
            return
        waiting = self._queue is not None
        match action:
            case PermitPower(slot, allowed):
                self.slot(slot).permit(allowed)
            case Offer(slot, limit_ma):
                self.slot(slot).set_offer(limit_ma)
            case SetLock(slot, closed):
                self.slot(slot).set_lock(closed)
            case ReadMeter(slot, ticket):
                self._read_meter(slot, ticket)
            case ShowLight(slot, light):
                self._show(slot, light)
            case _:
                assert_never(action)
        if self._queue is not None and not waiting and not self._busy:
            self._flush_soon()

    def stop(self) -> None:
        """Contactors open, nothing on offer, locks and lamps as they are; no signal from now on. Harmless twice."""
        self._emit, self._queue = None, None
        if self._scheduler is None:
            return
        for slot in self._slots:
            slot.permitted = False
            slot.set_offer(None)
            slot.forget_contactor()
            slot.forget_lock()
            if slot.closed and slot.contactor_fault is not ContactorFault.WELDED:
                slot.set_contactor(False)

    # -- what people do ----------------------------------------------------------------------------

    def present(self, token: TokenUid, reader: int = 1) -> None:
        """Hold a card to a reader once; how long it stays there makes no difference."""
        if self.reader_fault in (ReaderFault.SILENT, ReaderFault.GARBLED):
            return
        card = CardPresented(token, reader)
        if self.reader_fault is ReaderFault.SLOW:
            self._say_later(READER_SLOW_MS, card)
            return
        self.say(card)
        self.flush()
        if self.reader_fault is ReaderFault.DOUBLE:
            self._say_later(TAP_AGAIN_MS, card)

    def plug(self, slot: SlotId, vehicle: Vehicle | None, rating_ma: MilliAmps = 32_000) -> bool:
        """Plug a car in; with None only the cable goes into the socket.

        False if something is there already, or the lock is shut on an empty socket. Raises ValueError for a car that is
        plugged in elsewhere, or takes no direct current where there is nothing else.
        """
        place = self.slot(slot)
        if place.vehicle is not None or (not place.cable and place.lock is not LockState.OPEN):
            return False
        if vehicle is not None and self._scheduler is not None:
            place.connect(vehicle)
        place.vehicle = vehicle
        if place.shape.kind == "socket" and not place.cable:
            place.cable, place.rating_ma = True, rating_ma
            self.say(CableChanged(slot, True, rating_ma))
        if self._scheduler is not None:
            place.see()
        self.flush()
        return True

    def unplug(self, slot: SlotId, *, force: bool = False) -> bool:
        """Pull the plug: out of a socket, or a tethered cable out of the car.

        False while a lock holds it, unless by `force`, or if there is none.
        """
        place = self.slot(slot)
        if place.shape.has_lock and place.lock is not LockState.OPEN and not force:
            return False
        had_cable = place.cable
        if had_cable:
            place.cable, place.rating_ma = False, None
            self.say(CableChanged(slot, False))
        return self.drive_off(slot) or had_cable

    def drive_off(self, slot: SlotId) -> bool:
        """The car goes; a loose cable stays in the socket. False if there is no car."""
        place = self.slot(slot)
        was_there = place.vehicle is not None
        if self._scheduler is not None:
            place.disconnect()
            place.see()
        place.vehicle = None
        self.flush()
        return was_there

    def press_emergency_stop(self) -> None:
        """All contactors open by hardware, and permissions are void until given again after the release."""
        self.stopped = True
        self.raise_fault(STATION, Cause.EMERGENCY_STOP)

    def release_emergency_stop(self) -> None:
        self.stopped = False
        self.clear_fault(STATION, Cause.EMERGENCY_STOP)

    def acknowledge(self, slot: SlotId = STATION) -> None:
        """Somebody with a key says that it has been dealt with."""
        self.say(FaultAcknowledged(slot))
        self.flush()

    # -- what breaks -------------------------------------------------------------------------------

    def raise_fault(self, slot: SlotId, cause: Cause, detail: str = "") -> None:
        """The board sees a fault begin. A ground fault trips the slot's residual current device: the contactor opens."""
        if self._faults is None:
            self._faults = {}
        self._faults[slot, cause] = detail
        self.say(BoardFault(slot, cause, True, detail))
        for place in self._slots:
            if cause is Cause.GROUND_FAULT and slot in (STATION, place.number):
                place.tripped = True
            if (place.tripped or self.stopped) and self._scheduler is not None:
                place.cut()
        self.flush()

    def clear_fault(self, slot: SlotId, cause: Cause) -> None:
        """The board sees it end. Harmless if there was none."""
        if self._faults is None or self._faults.pop((slot, cause), None) is None:
            return
        if cause is Cause.GROUND_FAULT:
            for place in self._slots:
                place.tripped = place.tripped and slot not in (STATION, place.number)
        self.say(BoardFault(slot, cause, False))
        self.flush()

    def set_pilot_fault(self, slot: SlotId, fault: PilotFault | None) -> None:
        place = self.slot(slot)
        was, place.pilot_fault = place.pilot_fault, fault
        place.tell_vehicle()
        if fault is PilotFault.DIODE:
            place.cut()
            self.raise_fault(slot, Cause.PILOT, "DiodeFault")
        elif was is PilotFault.DIODE:
            self.clear_fault(slot, Cause.PILOT)
        place.see()
        self.flush()

    def set_contactor_fault(self, slot: SlotId, fault: ContactorFault | None) -> None:
        """A contactor welds when it next has to open; mended, it goes where it belongs."""
        place = self.slot(slot)
        place.contactor_fault = fault
        if self._scheduler is not None:
            place.settle()

    def set_reader_fault(self, fault: ReaderFault | None) -> None:
        was, self.reader_fault = self.reader_fault, fault
        self._follow(Cause.READER, was is ReaderFault.SILENT, fault is ReaderFault.SILENT)

    def set_lights_dead(self, dead: bool) -> None:
        """The lamps keep what they showed last."""
        was, self.lights_dead = self.lights_dead, dead
        self._follow(Cause.LIGHTS, was, dead)

    def set_mains(self, nominal_mv: int) -> None:
        """The voltage of the house, 230,000 by default; outside -15 % to +10 % every slot has a fault."""
        self._wire_mains(nominal_mv)
        for place in self._slots:
            if place.vehicle is not None and place.vehicle.pilot is not Pilot.A:
                place.vehicle.set_mains(place.mains_mv)
            for cause, wrong in (
                (Cause.UNDER_VOLTAGE, nominal_mv < NOMINAL_MV * 85 // 100),
                (Cause.OVER_VOLTAGE, nominal_mv > NOMINAL_MV * 110 // 100),
            ):
                had = (place.number, cause) in (self._faults or {})
                if wrong and not had:
                    self.raise_fault(place.number, cause)
                elif had and not wrong:
                    self.clear_fault(place.number, cause)

    def brown_out(self, hold_up_ms: int = HOLD_UP_MS) -> None:
        """The supply goes: `PowerFailing`, and a little later the board is off (`stop`). It comes back with `start`."""
        self.say(PowerFailing())
        self.flush()
        self._later(hold_up_ms, self._fade, self._boot)

    # -- ground truth ------------------------------------------------------------------------------

    @property
    def slots(self) -> tuple[SimSlot, ...]:
        return self._slots

    def slot(self, number: SlotId) -> SimSlot:
        """Slot 1..n, with what is really so. Raises IndexError."""
        if number < 1:
            raise IndexError(f"there is no slot {number}")
        return self._slots[number - 1]

    def light(self, slot: SlotId) -> Light:
        """What the lamp of a slot, or the main lamp (0), shows."""
        return self.lamp if slot == STATION else self.slot(slot).light

    def is_energised(self, slot: SlotId) -> bool:
        """Whether there is voltage at the vehicle's side."""
        return self.slot(slot).closed

    def true_power_mw(self, slot: SlotId) -> int:
        vehicle = self.slot(slot).vehicle
        return vehicle.power_mw(self.scheduler.now().mono_ns) if vehicle is not None else 0

    def true_energy_mwh(self, slot: SlotId) -> MilliWh:
        """The register as it really is, whatever the meter shows."""
        return self.slot(slot).meter.register_mwh(self.scheduler.now().mono_ns)

    def memories(self, station: str) -> list[MeterMemory]:
        """The meters' memories, for `sim.meter.write_memories`."""
        now_ns = self.scheduler.now().mono_ns
        return [place.meter.memory(station, now_ns) for place in self._slots]

    # -- inside ------------------------------------------------------------------------------------

    @property
    def scheduler(self) -> Scheduler:
        if self._scheduler is None:
            raise RuntimeError("the board was never started")
        return self._scheduler

    def say(self, signal: AnySignal) -> None:
        """Put a signal in line; whoever calls from outside flushes."""
        if self._emit is None:
            return
        if self._queue is None:
            self._queue = [signal]
        else:
            self._queue.append(signal)

    def flush(self) -> None:
        """Hand over what was said, in order, also what is said meanwhile; from inside an emission this does nothing."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue is not None:
                queue, self._queue = self._queue, None
                for signal in queue:
                    if self._emit is not None:
                        self._emit(signal)
        finally:
            self._busy = False

    def _flush_soon(self) -> None:
        self._later(0, self.flush)

    def _later(self, time_ms: int, call: Callable[..., None], *args: object) -> None:
        self.scheduler.call_at(self.scheduler.now().mono_ns + time_ms * MILLISECOND, call, *args)

    def _say_later(self, time_ms: int, signal: AnySignal) -> None:
        self._later(time_ms, self._say_now, self._boot, signal)

    def _say_now(self, boot: int, signal: AnySignal) -> None:
        if boot == self._boot:
            self.say(signal)
            self.flush()

    def _report(self, place: SimSlot) -> None:
        if place.shape.kind == "socket":
            self.say(CableChanged(place.number, place.cable, place.rating_ma))
        place.pilot = Pilot.A
        place.see()
        if place.pilot is Pilot.A:
            self.say(VehicleChanged(place.number, Pilot.A))
        if place.shape.has_lock:
            self.say(LockReported(place.number, place.lock))
        self.say(PowerReported(place.number, place.closed))

    def _read_meter(self, slot: SlotId, ticket: Ticket) -> None:
        fault = self.slot(slot).meter.fault if slot != STATION else None
        silent = fault is not None and fault.kind is MeterFaultKind.SILENT
        time_ms = METER_GIVES_UP_MS if silent else self.latency_ms
        if time_ms:
            self._later(time_ms, self._answer, self._boot, slot, ticket)
        else:
            self.say(self._reading(slot, ticket))

    def _answer(self, boot: int, slot: SlotId, ticket: Ticket) -> None:
        if boot == self._boot and self._emit is not None:
            self.say(self._reading(slot, ticket))
            self.flush()

    def _reading(self, slot: SlotId, ticket: Ticket) -> MeterRead | MeterFailed:
        if slot == STATION:
            return MeterFailed(slot, ticket, "there is no main meter")
        reading = self.slot(slot).meter.read(self.scheduler.now().mono_ns)
        if isinstance(reading, str):
            return MeterFailed(slot, ticket, reading)
        return MeterRead(slot, ticket, reading)

    def _show(self, slot: SlotId, light: Light) -> None:
        if self.lights_dead:
            return
        if slot == STATION:
            self.lamp = light
        else:
            self.slot(slot).light = light

    def _follow(self, cause: Cause, was: bool, now: bool) -> None:
        if now and not was:
            self.raise_fault(STATION, cause)
        elif was and not now:
            self.clear_fault(STATION, cause)

    def _fade(self, boot: int) -> None:
        if boot == self._boot:
            self.stop()

    def _wire_mains(self, nominal_mv: int) -> None:
        variant = number(key_of(self.seed, "mains"), 1) % 16
        for place in self._slots:
            place.meter.mains_mv = _mains(nominal_mv, variant, place.shape.rotation)


@lru_cache(maxsize=1024)
def _mains(nominal_mv: int, variant: int, rotation: str) -> tuple[int, int, int]:
    """Voltages of L1 to L3 as a slot sees them: within 1 % of nominal, rotated as the slot is wired; shared by a fleet."""
    grid = [nominal_mv * (9_900 + number(variant, phase) % 201) // 10_000 for phase in (1, 2, 3)]
    first, second, third = ("RST".index(letter) for letter in rotation)
    return grid[first], grid[second], grid[third]
