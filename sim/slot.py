"""One slot of a simulated board: its lock, its pilot, its contactor, and what is wrong with them.

The contactor obeys hardware: it closes only with permission, a vehicle in C or D, and PWM on offer; it opens when
permission or the vehicle goes, and by itself on emergency stop, ground fault and diode fault, which also void the
permission. Not here: people and readers (`sim/board.py`), the car (`sim/vehicle.py`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from hal.clock import Now, Scheduler, TimerHandle
from hal.signals import CableChanged, LockReported, MeterFailed, MeterRead, PowerReported, VehicleChanged
from hal.units import MILLISECOND, Colour, Light, LockState, MilliAmps, Pilot, SlotId, Ticket
from sim.meter import SimMeter
from sim.rng import number as draw
from sim.speaker import Speaker
from sim.vehicle import Vehicle
from station.words.settings import SlotShape

LOCK_MS: Final = 300
LOCK_SLOW_MS: Final = 3_000
LOCK_GIVES_UP_MS: Final = 1_000  # neither end reached: jammed
CLOSES_MS: Final = 40
OPENS_MS: Final = 30
BOUNCE_MS: Final = 15
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
        "stopped",
        "tripped",
        "vehicle",
    )

    def __init__(self, board: Speaker, number: SlotId, shape: SlotShape, meter: SimMeter) -> None:
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
        self.stopped = False  # the emergency stop
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

    def report(self) -> None:
        """Say all there is to say of this slot, whatever was said before."""
        if self.shape.kind == "socket":
            self.board.say(CableChanged(self.number, self.cable, self.rating_ma))
        self.pilot = Pilot.A
        self.see()
        if self.pilot is Pilot.A:
            self.board.say(VehicleChanged(self.number, Pilot.A))
        if self.shape.has_lock:
            self.board.say(LockReported(self.number, self.lock))
        self.board.say(PowerReported(self.number, self.closed))

    def look(self, ticket: Ticket) -> MeterRead | MeterFailed:
        """What the meter says now."""
        reading = self.meter.read(self.now.mono_ns)
        if isinstance(reading, str):
            return MeterFailed(self.number, ticket, reading)
        return MeterRead(self.number, ticket, reading)

    def stop(self) -> None:
        """Nothing on offer, contactor open unless welded, lock as it is."""
        self.permitted = False
        self.set_offer(None)
        self.forget_contactor()
        self.forget_lock()
        if self.closed and self.contactor_fault is not ContactorFault.WELDED:
            self.set_contactor(False)

    # -- pilot -------------------------------------------------------------------------------------

    def pilot_moved(self) -> None:
        self.see()
        self.board.flush()

    def draw_moved(self) -> None:
        """The meter's own alarm: current begins or ends to flow."""
        reading = self.look(0)
        if isinstance(reading, MeterRead):
            self.board.say(reading)
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
        """Less than 6 A cannot be said by PWM and is no offer; more than 80 A neither and is 80 A, but for dc."""
        if limit_ma is not None and self.shape.kind != "dc":
            limit_ma = min(limit_ma, 80_000)
        self.offer_ma = None if limit_ma is None or limit_ma < 6_000 else limit_ma
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
        self.permitted = allowed and not self.tripped and not self.stopped
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


@lru_cache(maxsize=1024)
def mains(nominal_mv: int, variant: int, rotation: str) -> tuple[int, int, int]:
    """Voltages of L1 to L3 as a slot sees them: within 1 % of nominal, rotated as it is wired; shared by a fleet."""
    grid = [nominal_mv * (9_900 + draw(variant, phase) % 201) // 10_000 for phase in (1, 2, 3)]
    order = rotation + "".join(letter for letter in "RST" if letter not in rotation)  # a slot may have one phase only
    first, second, third = ("RST".index(letter) for letter in order)
    return grid[first], grid[second], grid[third]
