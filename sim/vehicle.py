"""A car at the end of a cable: what it makes of the pilot, and when it wants to charge.

It has a timer for the end of a wait or of a curve of its charger, and one for when its draw crosses an ampere; nothing is periodic.
Not here: what it draws (`sim/charger.py`), which cars there are (`sim/profiles.py`), the contactor (`sim/slot.py`).

Source: IEC 61851-1, from secondary literature: B connected, C asks for power, out of C within 3 s of losing the offer.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias

from hal.clock import Scheduler, TimerHandle
from hal.units import MILLISECOND, SECOND, MilliAmps, MonoNs, Pilot
from sim.charger import FOREVER, Charger
from sim.profiles import Profile
from sim.rng import key_of, number

SLEEP_NS: Final = 600 * SECOND
PULSE_NS: Final = (3 * SECOND, 60 * SECOND)  # the offer gone for so long, and back, wakes a car that wakes by a pulse
TOP_UP_S: Final = (180, 600)
DRAW_MA: Final = (1_050, 950)  # so much more, or less, is told: a draw that begins, one that ends

News: TypeAlias = Literal["charging", "stopped", "full"]


class Mode(enum.Enum):
    """What the car is about."""

    AWAY = "away"
    WAITING = "waiting"  # B: no offer, asleep, or not yet
    READYING = "readying"  # B: an offer is there, C follows
    CHARGING = "charging"  # C
    STOPPING = "stopping"  # C, ramping down to B
    FULL = "full"  # B, or C with a little current
    TOPPING_UP = "topping up"  # C, for climate or the small battery


class Outlet(Protocol):
    """What the car hangs on. It is told when the pilot changes by the car's own doing, and when a draw begins or ends under voltage."""

    @property
    def scheduler(self) -> Scheduler: ...

    def pilot_moved(self) -> None: ...

    def draw_moved(self) -> None: ...


class Vehicle(Charger):
    """One car. Made when it arrives.

    `soc_permille` and `target_percent` are of the usable capacity; `seed` is for its top-ups. `tell` hears "charging"
    (there is voltage now), "stopped" and "full" (once), as a driver's telephone would; whoever listens takes note and
    acts later, not from inside the call.
    """

    __slots__ = (
        "_asleep",
        "_crossing",
        "_drawing",
        "_draws",
        "_mode",
        "_outlet",
        "_quiet_ns",
        "_seed",
        "_start_ns",
        "_timer",
        "_was_full",
        "pilot",
        "tell",
    )

    def __init__(
        self, profile: Profile, soc_permille: int = 500, *, seed: int = 0, target_percent: int | None = None
    ) -> None:
        super().__init__(profile, soc_permille, target_percent)
        self.pilot = Pilot.A
        self.tell: Callable[[News], None] | None = None
        self._outlet: Outlet | None = None
        self._mode = Mode.AWAY
        self._timer: TimerHandle = None
        self._crossing: TimerHandle = None
        self._drawing = False  # as the outlet was last told
        self._seed = seed
        self._draws = 0
        self._asleep = False
        self._was_full = False
        self._quiet_ns: MonoNs = 0  # since when there is no offer
        self._start_ns: MonoNs = 0

    # -- what can be seen --------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def asleep(self) -> bool:
        return self._asleep

    @property
    def holds_plug(self) -> bool:
        """Whether the car's own lock holds the plug now."""
        return self.profile.locks_inlet and self.pilot is Pilot.C

    # -- what is done to it ------------------------------------------------------------------------

    def connect(self, outlet: Outlet, mains_mv: tuple[int, ...], direct: bool = False) -> None:
        """Plug in: the pilot is B at once. `mains_mv`: one voltage per phase there; `direct`: direct current.

        Raises ValueError where the car takes no direct current, or is plugged already.
        """
        if self._mode is not Mode.AWAY or (direct and not self.profile.dc_w):
            raise ValueError(f"{self.profile.name} cannot be plugged in here")
        now_ns = outlet.scheduler.now().mono_ns
        self._outlet, self.direct = outlet, direct
        self.phases = len(mains_mv) if direct else min(self.profile.phases, len(mains_mv))
        self._mains_mv = sum(mains_mv[: self.phases])
        self._t0_ns = self._quiet_ns = now_ns
        self._start_ns = now_ns + self.profile.delay_s * SECOND
        self._hold(0.0)
        self._be(Mode.FULL if self.full else Mode.WAITING)
        self.pilot = Pilot.B

    def disconnect(self) -> None:
        """Pull the plug: no power, no pilot, no timers."""
        self._fold(self._now())
        self._hold(0.0)
        self._disarm()
        self._live = False
        self._foresee()
        self._be(Mode.AWAY)
        self.pilot, self._outlet = Pilot.A, None
        self._live, self._offer_ma, self._asleep, self._was_full = False, None, False, False

    def set_offer(self, limit_ma: MilliAmps | None) -> None:
        """The pilot offers so much per phase, or nothing."""
        now_ns, had = self._now(), self._usable
        self._roll(now_ns)
        if limit_ma is None and self._offer_ma is not None:
            self._quiet_ns = now_ns
        elif limit_ma is not None and self._offer_ma is None:
            self._doze(now_ns)
        self._offer_ma = limit_ma
        if had and not self._usable:
            self._lose_offer(now_ns)
        elif not had:
            self._consider(now_ns)
        elif self._mode is Mode.CHARGING:
            self._go_for_it(now_ns)
        self._foresee()

    def set_live(self, live: bool) -> None:
        """The contactor has closed or opened."""
        if live is self._live:
            return
        now_ns = self._now()
        self._fold(now_ns)
        self._hold(0.0)
        self._live = live
        self._draw(now_ns)
        self._foresee()

    def set_mains(self, mains_mv: tuple[int, ...]) -> None:
        """The voltage has changed; the current stays and the power follows within the ramp."""
        now_ns = self._now()
        self._roll(now_ns)
        self._mains_mv = sum(mains_mv[: self.phases])
        if self._mode is Mode.CHARGING:
            self._go_for_it(now_ns)
        self._foresee()

    def misbehave(self, *, overdraw_ma: MilliAmps = 0, stalled: bool = False) -> None:
        """Draw more than offered, or stop drawing while staying in C; without arguments, behave again."""
        if self._mode is Mode.CHARGING:
            self._roll(self._now())
        self.overdraw_ma, self.stalled = overdraw_ma, stalled
        if self._mode is Mode.CHARGING:
            self._go_for_it(self._now())
        self._foresee()

    def wake(self) -> None:
        """Somebody opens the door: a sleeping car wakes."""
        self._asleep = False
        if self._outlet is not None:
            self._consider(self._now())

    # -- the pilot ---------------------------------------------------------------------------------

    @property
    def _usable(self) -> bool:
        return self._offer_ma is not None and self._offer_ma >= self.profile.min_ma

    def _now(self) -> MonoNs:
        if self._outlet is None:
            raise RuntimeError("this car is not plugged in")
        return self._outlet.scheduler.now().mono_ns

    def _doze(self, now_ns: MonoNs) -> None:
        """An offer arrives: has the car fallen asleep meanwhile, or was this the pulse that wakes it?"""
        quiet_ns = now_ns - self._quiet_ns
        if self.profile.wake == "offer":
            return
        if quiet_ns >= SLEEP_NS:
            self._asleep = True
        elif self.profile.wake == "pulse" and PULSE_NS[0] <= quiet_ns <= PULSE_NS[1]:
            self._asleep = False

    def _consider(self, now_ns: MonoNs) -> None:
        """Does it want what is on offer?"""
        if not self._usable or self._asleep:
            return
        if self._mode is Mode.FULL:
            self._arm_top_up(now_ns)
        elif self._mode is Mode.WAITING and now_ns < self._start_ns:
            self._arm(self._start_ns)
        elif self._mode is Mode.WAITING:
            self._be(Mode.READYING)
            self._arm(now_ns + self.profile.ready_ms * MILLISECOND)

    def _lose_offer(self, now_ns: MonoNs) -> None:
        if self.pilot is Pilot.C and self._mode is not Mode.STOPPING:
            self._stop(now_ns)
        elif self._mode is not Mode.STOPPING:
            self._disarm()
            if self._mode is Mode.READYING:
                self._be(Mode.WAITING)

    def _stop(self, now_ns: MonoNs) -> None:
        self._fold(now_ns)
        self._be(Mode.STOPPING)
        self._ramp(0.0, self.profile.stop_ms)
        self._arm(now_ns + self.profile.stop_ms * MILLISECOND)

    def _tick(self) -> None:
        """The one timer: the end of a curve, or of a wait."""
        self._timer = None
        now_ns = self._now()
        self._roll(now_ns)
        match self._mode:
            case Mode.WAITING:
                self._consider(now_ns)
            case Mode.READYING:
                self._move(Mode.CHARGING, Pilot.C)
            case Mode.CHARGING:
                self._go_on(now_ns)
            case Mode.STOPPING:
                self._stopped(now_ns)
            case Mode.FULL:
                self._arm(now_ns + self._between(*TOP_UP_S) * SECOND)
                self._move(Mode.TOPPING_UP, Pilot.C)
            case Mode.TOPPING_UP:
                self._stop(now_ns)
            case Mode.AWAY:
                pass
        self._foresee()

    def _go_on(self, now_ns: MonoNs) -> None:
        """Charging, at the end of a curve: follow the next, or be full."""
        if not self.full:
            self._arm(self._t1_ns)
        elif self.profile.full_in_c:
            self._fold(now_ns)
            self._hold(self.profile.idle_w * 1000.0)
            self._become_full()
        else:
            self._stop(now_ns)

    def _stopped(self, now_ns: MonoNs) -> None:
        self._hold(0.0)
        was_full = self.full
        self._move(Mode.FULL if was_full else Mode.WAITING, Pilot.B)
        if self._outlet is None:
            return  # pulled by somebody who watched the pilot
        self._consider(now_ns)
        if was_full:
            self._become_full()
        elif self.tell is not None:
            self.tell("stopped")

    def _become_full(self) -> None:
        self._be(Mode.FULL)
        if not self._was_full and self.tell is not None:
            self._was_full = True
            self.tell("full")

    def _be(self, mode: Mode) -> None:
        self._mode = mode
        self._wants = mode is Mode.CHARGING

    def _go_for_it(self, now_ns: MonoNs) -> None:
        """Charge as offer and battery allow, and set the timer to the end of that."""
        self._head_for(now_ns)
        self._arm(now_ns if self.full else self._t1_ns)

    def _draw(self, now_ns: MonoNs) -> None:
        """There is voltage and the car asks, or one of the two has just gone."""
        if self._mode is Mode.CHARGING:
            self._go_for_it(now_ns)
            if self._live and self.tell is not None:
                self.tell("charging")
        elif self._live and self._mode is Mode.TOPPING_UP:
            self._hold(min(self.profile.top_up_w * 1000.0, self._setpoint()))
        elif self._live and self._mode is Mode.FULL and self.pilot is Pilot.C:
            self._hold(self.profile.idle_w * 1000.0)

    def _move(self, mode: Mode, pilot: Pilot) -> None:
        self._be(mode)
        if pilot is not self.pilot:
            self.pilot = pilot
            if self._live:  # a welded contactor
                self._fold(self._now())
                self._draw(self._t0_ns)
            if self._outlet is not None:
                self._outlet.pilot_moved()

    def _arm(self, at_ns: MonoNs) -> None:
        self._disarm()
        if self._outlet is not None and at_ns < FOREVER:
            self._timer = self._outlet.scheduler.call_at(at_ns, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None and self._outlet is not None:
            self._outlet.scheduler.cancel(self._timer)
        self._timer = None

    def _foresee(self) -> None:
        """Set the second timer to when the draw next begins or ends: a moment after a jump, or when the present curve passes the level."""
        if self._outlet is None:
            return
        if self._crossing is not None:
            self._outlet.scheduler.cancel(self._crossing)
            self._crossing = None
        if not self._live:
            self._drawing = False  # the contactor says so
            return
        now_ns, level_mw = self._now(), self.level_mw(DRAW_MA[self._drawing])
        self._roll(now_ns)
        jumped = (self._power(now_ns) >= level_mw) is not self._drawing
        at_ns = now_ns if jumped else self.passes(level_mw, not self._drawing)
        if at_ns is not None:
            self._crossing = self._outlet.scheduler.call_at(at_ns + MILLISECOND, self._crossed)

    def _crossed(self) -> None:
        self._crossing = None
        self._drawing = not self._drawing
        if self._outlet is not None:
            self._outlet.draw_moved()
        self._foresee()

    def _arm_top_up(self, now_ns: MonoNs) -> None:
        every_s = self.profile.top_up_every_s
        if every_s and self.pilot is Pilot.B:
            self._arm(now_ns + self._between(every_s // 2, every_s * 3 // 2) * SECOND)

    def _between(self, low: int, high: int) -> int:
        self._draws += 1
        return low + number(key_of(self._seed, "vehicle"), self._draws) % (high - low + 1)
