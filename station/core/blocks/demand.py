"""What the vehicle makes of the offer, as meter and clock tell it: drawing or not, full or not, too much (station.md §§4, 6).

SuspendedEV: the pilot went back to B, or every phase is below `idle_current_ma` for ten seconds. Full: SuspendedEV for `full_after_s`
after at least `full_min_wh`; drawing again for a minute ends it. A change is believed when a second reading, asked for, says the same.
Not here: the base state that follows (`statemachine/slot.py`), which readings are believed (`meter/register.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.clock import Due
from hal.units import SECOND, Cause, MilliAmps, Reading
from statemachine.claims import Hold
from statemachine.slot import Phase, Slot

if TYPE_CHECKING:
    from station.core.core import StationCore

IDLE_S: Final = 10
OVER_S: Final = 10
DRAWING_S: Final = 60
OVER_PERCENT: Final = 110  # of the offer
AGAIN_PERCENT: Final = 150  # of the idle current: noise around it is no change


class Demand:
    """Has no state of its own: `drawing`, `changing_ns`, `over_since_ns` and `full_since` are the slots'."""

    __slots__ = ("core",)

    def __init__(self, core: StationCore) -> None:
        self.core = core

    def reading(self, slot: Slot, reading: Reading) -> None:
        """A good reading. On the way of every sample: no more than comparisons unless something is out of the ordinary."""
        core, settings = self.core, self.core.settings
        if slot.faults is not None or (reading.temperature_mc or 0) >= settings.derate_above_c * 1000:
            core.faults.read(slot, reading)
        session = slot.session
        if session is None or slot.phase is not Phase.RUNNING:
            return
        session.last_mwh = reading.energy_mwh
        if session.energy_left_mwh is not None and reading.energy_mwh >= session.energy_left_mwh:
            session.energy_left_mwh = None
            core.power.hold(slot, Hold.REFUSED)
        if core.supply.needs is not None:
            core.supply.drew(slot, reading)
        if not slot.power_closed or not reading.current_ma:
            return
        draws = max(reading.current_ma)
        if not slot.drawing:
            self._not_drawing(slot, draws)
        elif draws < settings.idle_current_ma:
            self._fading(slot)
        elif slot.changing_ns is not None:
            self._forget(slot)
        self.drew(slot, draws)

    def drew(self, slot: Slot, draws: MilliAmps) -> None:
        """How much flows, by a reading whose register need not be credible: one that draws too much counts too fast."""
        if slot.offered_ma is not None and draws * 100 > slot.offered_ma * OVER_PERCENT:
            self._too_much(slot)
        else:
            slot.over_since_ns = None

    def look(self, number: int) -> None:
        """A change was seen some seconds ago: is it still so?"""
        self.core.metering.probe(number)

    # --- drawing or not ---

    def energised(self, slot: Slot) -> None:
        """The contactor has closed because the vehicle asks: it draws until it is seen not to."""
        slot.drawing = True
        self._forget(slot)
        self._draws(slot)

    def opened(self, slot: Slot) -> None:
        slot.drawing = False
        slot.over_since_ns = None
        self._forget(slot)

    def _fading(self, slot: Slot) -> None:
        core = self.core
        if slot.changing_ns is None:
            slot.changing_ns = core.now.mono_ns
            core.after(Due.IDLE, IDLE_S, slot.id)
        elif core.now.mono_ns - slot.changing_ns >= IDLE_S * SECOND:
            slot.drawing = False
            self._forget(slot)
            core.touch(slot)

    def _not_drawing(self, slot: Slot, draws: MilliAmps) -> None:
        core, idle = self.core, self.core.settings.idle_current_ma
        if draws * 100 >= idle * AGAIN_PERCENT:
            slot.drawing = True
            self._forget(slot)
            self._draws(slot)
            core.touch(slot)
        elif draws < idle:
            self._forget(slot)
        elif slot.changing_ns is None:  # on its way up, perhaps
            slot.changing_ns = core.now.mono_ns
            core.after(Due.IDLE, IDLE_S, slot.id)

    def _forget(self, slot: Slot) -> None:
        if slot.changing_ns is not None:
            slot.changing_ns = None
            self.core.deadlines.cancel(Due.IDLE, slot.id)

    def _too_much(self, slot: Slot) -> None:
        core = self.core
        if slot.over_since_ns is None:
            slot.over_since_ns = core.now.mono_ns
            core.after(Due.OVER_CURRENT, OVER_S, slot.id)
        elif core.now.mono_ns - slot.over_since_ns >= OVER_S * SECOND:
            slot.over_since_ns = None
            core.faults.found(Cause.OVER_CURRENT, slot.id)

    # --- full or not ---

    def _draws(self, slot: Slot) -> None:
        """It draws: no longer counts towards full, and ends full if it goes on."""
        core = self.core
        core.deadlines.cancel(Due.FULL, slot.id)
        if slot.full_since is not None and not core.deadlines.pending(Due.DRAWING, slot.id):
            core.after(Due.DRAWING, DRAWING_S, slot.id)
        if core.supply.needs is not None:
            core.supply.wakes(slot)

    def suspended(self, slot: Slot) -> None:
        """The slot has become SuspendedEV: after a while of it the vehicle counts as full."""
        self.core.deadlines.cancel(Due.DRAWING, slot.id)
        if slot.full_since is None and slot.plugged:
            self.core.after(Due.FULL, self.core.settings.full_after_s, slot.id)

    def full(self, number: int) -> None:
        slot = self.core.slots[number - 1]
        session = slot.session
        if session is None or session.first_mwh is None or session.last_mwh is None:
            return
        if slot.plugged and session.last_mwh - session.first_mwh >= self.core.settings.full_min_wh * 1000:
            slot.full_since = self.core.now.mono_ns
            self.core.events.full(slot, session)
            self.core.touch(slot)

    def drawing_again(self, number: int) -> None:
        slot = self.core.slots[number - 1]
        slot.full_since = None
        self.core.events.status(slot)
        self.core.touch(slot)
