"""A car at the end of a cable: what it makes of the pilot, and what it draws, in closed form.

Between two events its power is one of three curves over time: constant, a straight ramp, or an exponential fall (power
linear in the state of charge). Energy is their integral, evaluated when somebody reads; only ends of curves are timers,
and nothing ticks. Powers are those taken from the mains, in mW; energies in mWh.
Not here: which cars there are (`sim/profiles.py`), the contactor (`sim/board.py`).

Source: IEC 61851-1, from secondary literature: B connected, C asks for power, out of C within 3 s of losing the offer.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from math import exp, expm1, log, sqrt
from typing import Final, Literal, Protocol, TypeAlias

from hal.clock import Scheduler, TimerHandle
from hal.units import MILLISECOND, SECOND, MilliAmps, MilliWh, MonoNs, Pilot
from sim.profiles import Profile
from sim.rng import key_of, number

HOUR_NS: Final = 3_600 * SECOND
FOREVER: Final[MonoNs] = 1 << 62
RAMP_UP_MS: Final = 10_000
RAMP_DOWN_MS: Final = 3_000
SLEEP_NS: Final = 600 * SECOND
PULSE_NS: Final = (3 * SECOND, 60 * SECOND)  # the offer gone for so long, and back, wakes a car that wakes by a pulse
TOP_UP_S: Final = (180, 600)
POWER_FACTOR: Final = 0.99
NOMINAL_MV: Final = 230_000
_ENOUGH: Final = 0.01  # mWh: closer to the target is there
_SMALL_MW: Final = 1_000.0  # a change smaller than this needs no ramp

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


class _Curve(enum.Enum):
    CONSTANT = 0
    RAMP = 1
    FALL = 2


class Outlet(Protocol):
    """What the car hangs on. It is told when the pilot changes by the car's own doing."""

    @property
    def scheduler(self) -> Scheduler: ...

    def pilot_moved(self) -> None: ...


class Vehicle:
    """One car with its battery. Made when it arrives; nothing of it is periodic.

    `soc_permille` and `target_percent` are of the usable capacity. `tell` hears "charging" (there is voltage now),
    "stopped" and "full" (once), as a driver's telephone would; it takes note and acts later, not from inside the call.
    `drawn_mwh` counts from the car's making and never falls.
    """

    __slots__ = (
        "_asleep",
        "_curve",
        "_drawn",
        "_draws",
        "_gain",
        "_key",
        "_live",
        "_mains_mv",
        "_mode",
        "_offer_ma",
        "_outlet",
        "_p0_mw",
        "_p1",
        "_quiet_ns",
        "_start_ns",
        "_stored",
        "_t0_ns",
        "_t1_ns",
        "_target",
        "_timer",
        "_was_full",
        "direct",
        "overdraw_ma",
        "phases",
        "pilot",
        "profile",
        "stalled",
        "tell",
    )

    def __init__(
        self, profile: Profile, soc_permille: int = 500, *, seed: int = 0, target_percent: int | None = None
    ) -> None:
        self.profile = profile
        self.pilot = Pilot.A
        self.phases = profile.phases
        self.direct = False
        self.overdraw_ma: MilliAmps = 0
        self.stalled = False
        self.tell: Callable[[News], None] | None = None
        self._outlet: Outlet | None = None
        self._mode = Mode.AWAY
        self._timer: TimerHandle = None
        self._key = seed
        self._draws = 0
        self._asleep = False
        self._live = False
        self._was_full = False
        self._offer_ma: MilliAmps | None = None
        self._mains_mv = 0
        self._quiet_ns: MonoNs = 0
        self._start_ns: MonoNs = 0
        self._curve = _Curve.CONSTANT
        self._t0_ns: MonoNs = 0
        self._t1_ns = FOREVER
        self._p0_mw = 0.0
        self._p1 = 0.0  # of a ramp: the power at its end in mW; of a fall: its rate per hour
        self._gain = 0.0  # how much of what is drawn reaches the battery
        self._drawn = 0.0  # mWh at t0
        self._stored = float(profile.capacity_wh * soc_permille)
        self._target = profile.capacity_wh * 10.0 * (target_percent or profile.target_percent)

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

    @property
    def reactive_ma(self) -> MilliAmps:
        return self.profile.reactive_ma

    def power_mw(self, now_ns: MonoNs) -> int:
        """Active power from the mains, all phases together."""
        self._roll(now_ns)
        return round(self._power(now_ns))

    def drawn_mwh(self, now_ns: MonoNs) -> MilliWh:
        """Energy from the mains since the car was made; whole mWh, rounded down, so that differences telescope."""
        self._roll(now_ns)
        return int(self._drawn + self._energy(now_ns))

    def battery_mwh(self, now_ns: MonoNs) -> MilliWh:
        self._roll(now_ns)
        return int(self._stored + self._gain * self._energy(now_ns))

    def soc_percent(self, now_ns: MonoNs) -> int:
        return min(100, self.battery_mwh(now_ns) // (self.profile.capacity_wh * 10))

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
        self._mode = Mode.FULL if self._done else Mode.WAITING
        self.pilot = Pilot.B

    def disconnect(self) -> None:
        """Pull the plug: no power, no pilot, no timers."""
        self._fold(self._now())
        self._hold(0.0)
        self._disarm()
        self._mode, self.pilot, self._outlet = Mode.AWAY, Pilot.A, None
        self._live, self._offer_ma, self._asleep = False, None, False

    def set_offer(self, limit_ma: MilliAmps | None) -> None:
        """The pilot offers so much per phase, or nothing."""
        now_ns, had = self._now(), self._usable
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
            self._charge(now_ns)

    def set_live(self, live: bool) -> None:
        """The contactor has closed or opened."""
        if live is self._live:
            return
        now_ns = self._now()
        self._fold(now_ns)
        self._hold(0.0)
        self._live = live
        if self._mode is Mode.CHARGING:
            self._charge(now_ns)
            if live and self.tell is not None:
                self.tell("charging")
        elif live and self._mode is Mode.TOPPING_UP:
            self._hold(min(self.profile.top_up_w * 1000.0, self._setpoint()))
        elif live and self._mode is Mode.FULL and self.pilot is Pilot.C:
            self._hold(self.profile.idle_w * 1000.0)

    def set_mains(self, mains_mv: tuple[int, ...]) -> None:
        """The voltage has changed; the current stays and the power follows within the ramp."""
        self._mains_mv = sum(mains_mv[: self.phases])
        if self._mode is Mode.CHARGING:
            self._charge(self._now())

    def misbehave(self, *, overdraw_ma: MilliAmps = 0, stalled: bool = False) -> None:
        """Draw more than offered, or stop drawing while staying in C; without arguments, behave again."""
        self.overdraw_ma, self.stalled = overdraw_ma, stalled
        if self._mode is Mode.CHARGING:
            self._charge(self._now())

    def wake(self) -> None:
        """Somebody opens the door: a sleeping car wakes."""
        self._asleep = False
        if self._outlet is not None:
            self._consider(self._now())

    # -- the pilot ---------------------------------------------------------------------------------

    @property
    def _done(self) -> bool:
        return self._stored >= self._target - _ENOUGH

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
            self._mode = Mode.READYING
            self._arm(now_ns + self.profile.ready_ms * MILLISECOND)

    def _lose_offer(self, now_ns: MonoNs) -> None:
        if self.pilot is Pilot.C and self._mode is not Mode.STOPPING:
            self._stop(now_ns)
        elif self._mode is not Mode.STOPPING:
            self._disarm()
            if self._mode is Mode.READYING:
                self._mode = Mode.WAITING

    def _stop(self, now_ns: MonoNs) -> None:
        self._mode = Mode.STOPPING
        self._fold(now_ns)
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

    def _go_on(self, now_ns: MonoNs) -> None:
        """Charging, at the end of a curve: follow the next, or be full."""
        if not self._done:
            self._arm(self._t1_ns)
        elif self.profile.full_in_c:
            self._fold(now_ns)
            self._hold(self.profile.idle_w * 1000.0)
            self._become_full()
        else:
            self._stop(now_ns)

    def _stopped(self, now_ns: MonoNs) -> None:
        self._hold(0.0)
        was_full = self._done
        self._move(Mode.FULL if was_full else Mode.WAITING, Pilot.B)
        if self._outlet is None:
            return  # pulled by somebody who watched the pilot
        self._consider(now_ns)
        if was_full:
            self._become_full()
        elif self.tell is not None:
            self.tell("stopped")

    def _become_full(self) -> None:
        self._mode = Mode.FULL
        if not self._was_full and self.tell is not None:
            self._was_full = True
            self.tell("full")

    def _move(self, mode: Mode, pilot: Pilot) -> None:
        self._mode = mode
        if pilot is not self.pilot:
            self.pilot = pilot
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

    def _arm_top_up(self, now_ns: MonoNs) -> None:
        every_s = self.profile.top_up_every_s
        if every_s and self.pilot is Pilot.B:
            self._arm(now_ns + self._between(every_s // 2, every_s * 3 // 2) * SECOND)

    def _between(self, low: int, high: int) -> int:
        self._draws += 1
        return low + number(key_of(self._key, "vehicle"), self._draws) % (high - low + 1)

    # -- the curves --------------------------------------------------------------------------------

    def _power(self, now_ns: MonoNs) -> float:
        if self._curve is _Curve.CONSTANT:
            return self._p0_mw
        since = now_ns - self._t0_ns
        if self._curve is _Curve.RAMP:
            return self._p0_mw + (self._p1 - self._p0_mw) * since / (self._t1_ns - self._t0_ns)
        return self._p0_mw * exp(-self._p1 * since / HOUR_NS)

    def _energy(self, now_ns: MonoNs) -> float:
        """mWh drawn on this curve so far."""
        if self._curve is _Curve.FALL:
            return -self._p0_mw / self._p1 * expm1(-self._p1 * (now_ns - self._t0_ns) / HOUR_NS)
        return (self._p0_mw + self._power(now_ns)) / 2 * (now_ns - self._t0_ns) / HOUR_NS

    def _roll(self, now_ns: MonoNs) -> None:
        """Go from curve to curve up to this instant. The curves do not depend on who reads, or when."""
        while now_ns >= self._t1_ns:
            end_ns = self._t1_ns
            self._bank(end_ns)
            if self._mode is Mode.CHARGING:
                self._cruise()
            else:
                self._hold(0.0)

    def _fold(self, now_ns: MonoNs) -> None:
        """Begin anew at this instant: something has changed the curve."""
        self._roll(now_ns)
        self._bank(now_ns)

    def _bank(self, now_ns: MonoNs) -> None:
        energy = self._energy(now_ns)
        self._p0_mw = self._power(now_ns)
        self._drawn += energy
        self._stored += self._gain * energy
        self._t0_ns = now_ns

    def _hold(self, power_mw: float, end_ns: MonoNs = FOREVER, gain: float = 0.0) -> None:
        self._curve, self._p0_mw, self._t1_ns, self._gain = _Curve.CONSTANT, power_mw, end_ns, gain

    def _ramp(self, power_mw: float, time_ms: int) -> None:
        self._curve, self._p1, self._t1_ns = _Curve.RAMP, power_mw, self._t0_ns + time_ms * MILLISECOND

    def _charge(self, now_ns: MonoNs) -> None:
        """Head for what offer and battery allow, and set the timer to the end of that."""
        self._fold(now_ns)
        self._gain = self.profile.efficiency_permille / 1000
        goal_mw = min(self._setpoint(), self._accepted())
        if abs(goal_mw - self._p0_mw) > _SMALL_MW:
            self._ramp(goal_mw, RAMP_UP_MS if goal_mw > self._p0_mw else RAMP_DOWN_MS)
        else:
            self._cruise()
        self._arm(now_ns if self._done else self._t1_ns)

    def _cruise(self) -> None:
        """At its level: constant until the battery takes less, then the fall, until the target."""
        setpoint_mw, gain = self._setpoint(), self.profile.efficiency_permille / 1000
        if self._done or setpoint_mw < _SMALL_MW:
            self._hold(self._p0_mw if setpoint_mw else 0.0, FOREVER, gain)
            return
        knee_mwh = self._knee(setpoint_mw)
        if self._stored < knee_mwh - _ENOUGH:
            need_mwh = min(knee_mwh, self._target) - self._stored
            self._hold(setpoint_mw, self._t0_ns + _ns(need_mwh / gain / setpoint_mw), gain)
            return
        power_mw = self._accepted()
        rate = self._slope() * gain
        left = 1 - rate * (self._target - self._stored) / gain / power_mw
        self._curve, self._p0_mw, self._p1, self._gain = _Curve.FALL, power_mw, rate, gain
        self._t1_ns = self._t0_ns + _ns(-log(left) / rate)

    def _setpoint(self) -> float:
        """mW that offer and charger allow."""
        if self._offer_ma is None or self.stalled or not self._live:
            return 0.0
        profile = self.profile
        limit_ma: float = profile.max_ma
        if self.direct:
            limit_ma = profile.dc_w * 1e6 / (self.phases * NOMINAL_MV * POWER_FACTOR)
        elif self.phases == 1 and profile.one_phase_ma:
            limit_ma = profile.one_phase_ma
        current_ma = min(limit_ma, self._offer_ma - profile.margin_ma)
        if self.overdraw_ma:
            current_ma = self._offer_ma + self.overdraw_ma
        active_ma = sqrt(max(0.0, current_ma**2 - profile.reactive_ma**2))
        return active_ma * self._mains_mv * POWER_FACTOR / 1000

    def _top_mw(self) -> float:
        """The most this car takes from such a supply; the taper begins there."""
        if self.direct:
            return self.profile.dc_w * 1000.0
        return self.profile.max_ma * self.profile.phases * NOMINAL_MV * POWER_FACTOR / 1000

    def _taper(self) -> float:
        percent = self.profile.dc_taper_percent if self.direct else self.profile.taper_percent
        return percent * self.profile.capacity_wh * 10.0

    def _slope(self) -> float:
        """mW less per mWh more, above the taper."""
        return (self._top_mw() - self.profile.end_w * 1000) / (self.profile.capacity_wh * 1000.0 - self._taper())

    def _accepted(self) -> float:
        """mW that the battery accepts now, seen from the mains."""
        over_mwh = self._stored - self._taper()
        if over_mwh <= 0:
            return self._top_mw() + self.overdraw_ma * self._mains_mv / 1000
        return max(self._top_mw() - self._slope() * over_mwh, self.profile.end_w * 1000.0)

    def _knee(self, power_mw: float) -> float:
        """mWh in the battery from which on it takes no more than this power."""
        return self._taper() + max(0.0, self._top_mw() - power_mw) / self._slope()


def _ns(hours: float) -> MonoNs:
    """Nanoseconds, at least one, so that a curve always ends after it began."""
    return max(1, round(hours * HOUR_NS))
