"""What a car draws, and what of it reaches the battery, in closed form.

Between two events the power is one of three curves over time: constant, a straight ramp, or an exponential fall (power
linear in the state of charge). Energy is their integral, evaluated when somebody reads. Powers are those taken from the
mains, in mW; energies in mWh. Not here: when a car wants to charge (`sim/vehicle.py`), which cars there are
(`sim/profiles.py`), any timer.
"""

from __future__ import annotations

import enum
from math import exp, expm1, log, sqrt
from typing import Final

from hal.units import MILLISECOND, SECOND, MilliAmps, MilliWh, MonoNs
from sim.profiles import Profile

HOUR_NS: Final = 3_600 * SECOND
FOREVER: Final[MonoNs] = 1 << 62
RAMP_UP_MS: Final = 10_000
RAMP_DOWN_MS: Final = 3_000
POWER_FACTOR: Final = 0.99
NOMINAL_MV: Final = 230_000
_ENOUGH: Final = 0.01  # mWh: closer to the target is there
_SMALL_MW: Final = 1_000.0  # a change smaller than this needs no ramp


class _Curve(enum.Enum):
    CONSTANT = 0
    RAMP = 1
    FALL = 2


class Charger:
    """Battery and charger of one car. `drawn_mwh` counts from its making and never falls.

    `overdraw_ma` (drawn above the offer) and `stalled` (nothing drawn) are misbehaviour; `phases` how many it uses here;
    `direct` whether it is charged with direct current.
    """

    __slots__ = (
        "_curve",
        "_drawn",
        "_gain",
        "_live",
        "_mains_mv",
        "_offer_ma",
        "_p0_mw",
        "_p1",
        "_stored",
        "_t0_ns",
        "_t1_ns",
        "_target",
        "_wants",
        "direct",
        "overdraw_ma",
        "phases",
        "profile",
        "stalled",
    )

    def __init__(self, profile: Profile, soc_permille: int, target_percent: int | None) -> None:
        self.profile = profile
        self.phases = profile.phases
        self.direct = False
        self.overdraw_ma: MilliAmps = 0
        self.stalled = False
        self._wants = False  # it follows offer and battery; else it holds what it was told
        self._live = False
        self._offer_ma: MilliAmps | None = None
        self._mains_mv = 0  # sum over the phases it uses
        self._curve = _Curve.CONSTANT
        self._t0_ns: MonoNs = 0
        self._t1_ns = FOREVER
        self._p0_mw = 0.0
        self._p1 = 0.0  # of a ramp: the power at its end in mW; of a fall: its rate per hour
        self._gain = 0.0  # how much of what is drawn reaches the battery
        self._drawn = 0.0  # mWh at t0
        self._stored = float(profile.capacity_wh * soc_permille)  # mWh at t0
        self._target = profile.capacity_wh * 10.0 * (target_percent or profile.target_percent)

    @property
    def reactive_ma(self) -> MilliAmps:
        return self.profile.reactive_ma

    @property
    def full(self) -> bool:
        """Whether the battery has reached its target."""
        return self._stored >= self._target - _ENOUGH

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
        """Of the usable capacity."""
        return min(100, self.battery_mwh(now_ns) // (self.profile.capacity_wh * 10))

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

    def level_mw(self, current_ma: MilliAmps) -> float:
        """The power at which so much flows in each phase; at least a watt."""
        active_ma = sqrt(max(0, current_ma**2 - self.profile.reactive_ma**2))
        return max(_SMALL_MW, active_ma * self._mains_mv * POWER_FACTOR / 1000)

    def passes(self, power_mw: float, up: bool) -> MonoNs | None:
        """When the present curve passes this power, upwards or downwards; None: it does not."""
        start, span = self._p0_mw, self._t1_ns - self._t0_ns
        low, high = (start, self._p1) if up else (self._p1, start)
        if self._curve is _Curve.RAMP and low < power_mw < high:
            return self._t0_ns + round((power_mw - start) / (self._p1 - start) * span)
        if self._curve is _Curve.FALL and not up and start * exp(-self._p1 * span / HOUR_NS) < power_mw < start:
            return self._t0_ns + round(log(start / power_mw) / self._p1 * HOUR_NS)
        return None

    def _roll(self, now_ns: MonoNs) -> None:
        """Go from curve to curve up to this instant. The curves do not depend on who reads, or when."""
        while now_ns >= self._t1_ns:
            end_ns = self._t1_ns
            self._bank(end_ns)
            if self._wants:
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

    def _head_for(self, now_ns: MonoNs) -> None:
        """Ramp to what offer and battery allow, then follow it."""
        self._fold(now_ns)
        self._gain = self.profile.efficiency_permille / 1000
        goal_mw = self._setpoint()
        if self._stored > self._knee(goal_mw):
            goal_mw = min(goal_mw, self._accepted())
        if abs(goal_mw - self._p0_mw) > _SMALL_MW:
            self._ramp(goal_mw, RAMP_UP_MS if goal_mw > self._p0_mw else RAMP_DOWN_MS)
        else:
            self._cruise()

    def _cruise(self) -> None:
        """At its level: constant until the battery takes less, then the fall, until the target."""
        setpoint_mw, gain = self._setpoint(), self.profile.efficiency_permille / 1000
        if self.full or setpoint_mw < _SMALL_MW:
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
        limit_ma = float(profile.max_ma)
        if self.direct:
            limit_ma = profile.dc_w * 1e6 / (self.phases * NOMINAL_MV * POWER_FACTOR)
        elif self.phases == 1 and profile.one_phase_ma:
            limit_ma = float(profile.one_phase_ma)
        current_ma = min(limit_ma, float(self._offer_ma - profile.margin_ma))
        if self.overdraw_ma:
            current_ma = float(self._offer_ma + self.overdraw_ma)
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
        """mW that the battery accepts above the taper, seen from the mains."""
        over_mwh = max(0.0, self._stored - self._taper())
        return max(self._top_mw() - self._slope() * over_mwh, self.profile.end_w * 1000.0)

    def _knee(self, power_mw: float) -> float:
        """mWh in the battery from which on it takes no more than this power."""
        return self._taper() + max(0.0, self._top_mw() - power_mw) / self._slope()


def _ns(hours: float) -> MonoNs:
    """Nanoseconds, at least one, so that a curve always ends after it began."""
    return max(1, round(hours * HOUR_NS))
