"""The simulated board: sockets or cables with lock, pilot, contactor, lamps, meters and card readers; and its faults.

It satisfies `hal.ports.Driver` with nothing but now, call_at and cancel, so the same objects run in a demo, in a fleet
and in the world. Nothing ticks: between deadlines a board costs memory only. Signals leave in the order in which things
happened. **None is emitted from inside `apply`**: what an action causes at once is handed over by a call at the same
instant, or, if `apply` was itself called from inside an emission, as soon as that emission has returned. What people do
(`present`, `plug`, ...) is emitted before the method returns.

Not here: any decision; what one slot does by itself (`sim/slot.py`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated, Final, assert_never

import msgspec
from msgspec import Meta

from hal.actions import AnyAction, Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.clock import Scheduler
from hal.ports import Emit
from hal.signals import (
    BoardFault,
    BoardReady,
    CableChanged,
    CardPresented,
    FaultAcknowledged,
    MeterFailed,
    PowerFailing,
)
from hal.units import STATION, Cause, Light, LockState, MilliAmps, MilliWh, Pilot, SlotId, Ticket, TokenUid
from sim.meter import MeterFaultKind, MeterMemory, SimMeter
from sim.rng import key_of, number
from sim.slot import DARK, ContactorFault, PilotFault, SimSlot, mains
from sim.speaker import Speaker
from sim.vehicle import Vehicle
from station.words.settings import TEMPLATES, StationShape

METER_GIVES_UP_MS: Final = 1_000
TAP_AGAIN_MS: Final = 300
READER_SLOW_MS: Final = 2_000
HOLD_UP_MS: Final = 300
NOMINAL_MV: Final = 230_000


class ReaderFault(enum.Enum):
    SILENT = "silent"  # dead; the driver notices
    DOUBLE = "double"  # each card is read twice
    GARBLED = "garbled"  # frames fail their checksum: no card is read
    SLOW = "slow"  # two seconds late


class SimBoard(Speaker):
    """A whole simulated station's hardware. Ground truth is in `slot(n)`; meters may be handed in and outlive it.

    `shape` says what it is built of and may be shared; `seed` varies the mains a little; `latency_ms` is what a meter
    takes to answer (0: within the instant). `register_mwh` and `log_periods` are for meters that are not handed in.
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

    __slots__ = ("_faults", "_slots", "lamp", "latency_ms", "lights_dead", "reader_fault", "seed")

    def __init__(
        self,
        shape: StationShape,
        *,
        seed: int = 0,
        latency_ms: int = 50,
        meters: Iterable[SimMeter] | None = None,
        register_mwh: MilliWh = 0,
        log_periods: bool = False,
    ) -> None:
        if meters is None:
            meters = (
                SimMeter(number, register_mwh, soc=built.kind == "dc", log=log_periods)
                for number, built in enumerate(shape.slots, start=1)
            )
        super().__init__()
        self.seed = seed
        self.latency_ms = latency_ms
        self.lamp = DARK
        self.lights_dead = False
        self.reader_fault: ReaderFault | None = None
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
        return cls(
            shape,
            seed=config.seed,
            latency_ms=config.meter_latency_ms,
            register_mwh=config.register_mwh,
            log_periods=config.log_periods,
        )

    # -- hal.ports.Driver --------------------------------------------------------------------------

    def start(self, emit: Emit, scheduler: Scheduler) -> None:
        """Report the state found, then `BoardReady`: at this instant, but after this call. Again after `stop`."""
        self._emit, self._scheduler = emit, scheduler
        self._boot += 1
        self._queue = None
        for slot in self._slots:
            if slot.vehicle is not None and slot.vehicle.pilot is Pilot.A:
                slot.connect(slot.vehicle)  # it was here before there was a clock
            slot.report()
        for (where, cause), detail in (self._faults or {}).items():
            self.say(BoardFault(where, cause, True, detail))
        self.say(BoardReady())
        self.later(0, self.flush)

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
            self.later(0, self.flush)

    def stop(self) -> None:
        """Contactors open, nothing on offer, locks and lamps as they are; no signal from now on. Harmless twice."""
        self._emit, self._queue = None, None
        if self._scheduler is None:
            return
        for slot in self._slots:
            slot.stop()

    # -- what people do ----------------------------------------------------------------------------

    def present(self, token: TokenUid, reader: int = 1) -> None:
        """Hold a card to a reader once; how long it stays there makes no difference."""
        if self.reader_fault in (ReaderFault.SILENT, ReaderFault.GARBLED):
            return
        card = CardPresented(token, reader)
        if self.reader_fault is ReaderFault.SLOW:
            self.say_later(READER_SLOW_MS, card)
            return
        self.say(card)
        self.flush()
        if self.reader_fault is ReaderFault.DOUBLE:
            self.say_later(TAP_AGAIN_MS, card)

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
        self.raise_fault(STATION, Cause.EMERGENCY_STOP)

    def release_emergency_stop(self) -> None:
        self.clear_fault(STATION, Cause.EMERGENCY_STOP)

    def acknowledge(self, slot: SlotId = STATION) -> None:
        """Somebody with a key says that it has been dealt with."""
        self.say(FaultAcknowledged(slot))
        self.flush()

    # -- what breaks -------------------------------------------------------------------------------

    def raise_fault(self, slot: SlotId, cause: Cause, detail: str = "") -> None:
        """The board sees a fault begin. Emergency stop and ground fault open the contactor by hardware."""
        if self._faults is None:
            self._faults = {}
        self._faults[slot, cause] = detail
        self.say(BoardFault(slot, cause, True, detail))
        self._trip(slot, cause, True)
        self.flush()

    def clear_fault(self, slot: SlotId, cause: Cause) -> None:
        """The board sees it end. Harmless if there was none."""
        if self._faults is None or self._faults.pop((slot, cause), None) is None:
            return
        self._trip(slot, cause, False)
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
        self.later(hold_up_ms, self._fade, self._boot)

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

    def _read_meter(self, slot: SlotId, ticket: Ticket) -> None:
        if slot == STATION:
            self.say(MeterFailed(slot, ticket, "there is no main meter"))
            return
        place = self.slot(slot)
        fault = place.meter.fault
        silent = fault is not None and fault.kind is MeterFaultKind.SILENT
        time_ms = METER_GIVES_UP_MS if silent else self.latency_ms
        if time_ms:
            self.later(time_ms, self._answer, self._boot, place, ticket)
        else:
            self.say(place.look(ticket))

    def _answer(self, boot: int, place: SimSlot, ticket: Ticket) -> None:
        if boot == self._boot and self._emit is not None:
            self.say(place.look(ticket))
            self.flush()

    def _trip(self, slot: SlotId, cause: Cause, tripped: bool) -> None:
        for place in self._slots if slot == STATION else (self.slot(slot),):
            if cause is Cause.EMERGENCY_STOP:
                place.stopped = tripped
            elif cause is Cause.GROUND_FAULT:
                place.tripped = tripped
            if (place.tripped or place.stopped) and self._scheduler is not None:
                place.cut()

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
            place.meter.mains_mv = mains(nominal_mv, variant, place.shape.rotation)
