"""Lamps follow the state; the effect is emitted only when a lamp changes. Who overrules whom: `leds/patterns.py`; the lights: the shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hal.actions import ShowLight
from hal.clock import Due
from hal.units import Colour, Light, SlotId
from leds.patterns import BLINK_MS, OFF, main_light, slot_light
from statemachine.slot import Slot
from station.words.common import SlotStatus, Summary

if TYPE_CHECKING:
    from station.core.core import StationCore


class Lights:
    """`shown[n]` is what lamp n shows now (0: the station's own).

    `transient[n]` is a signal that will fall back by itself, `commanded[n]` what somebody outside wants until session end, fault or off.
    """

    __slots__ = ("commanded", "core", "shown", "transient")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.shown: list[Light] = [OFF] * (len(core.slots) + 1)
        self.transient: dict[SlotId, Light] | None = None
        self.commanded: dict[SlotId, Light] | None = None

    def refresh(self, slot: Slot) -> None:
        status = slot.status
        if status is SlotStatus.FAULTED and self.commanded is not None:
            self.commanded.pop(slot.id, None)
        full = slot.summary is Summary.FULL and status is not SlotStatus.FINISHING
        transient, commanded = self._over(slot.id)
        authorized = slot.session is not None or slot.waiting_auth
        self._show(slot.id, slot_light(self.core.shape.lamps, status, authorized, full, transient, commanded))
        self.refresh_main()

    def refresh_main(self) -> None:
        core = self.core
        station = core.faults.station_fault()
        usable = station is None or not station.row.faulted
        usable = usable and any(s.operative and s.faulted() is None for s in core.slots)
        if not usable and self.commanded is not None:
            self.commanded.pop(0, None)
        asking, authorized = bool(core.authorization.attempts), bool(core.authorization.pending)
        self._show(0, main_light(core.shape.lamps, usable, asking, authorized, *self._over(0)))

    def refresh_all(self) -> None:
        for slot in self.core.slots:
            self.refresh(slot)

    def again(self) -> None:
        """The lamps are back: what they show is not what they were told meanwhile."""
        self.shown = [OFF] * len(self.shown)
        self.refresh_all()
        self.refresh_main()

    def _over(self, number: SlotId) -> tuple[Light | None, Light | None]:
        transient = self.transient.get(number) if self.transient else None
        return transient, self.commanded.get(number) if self.commanded else None

    def _show(self, number: SlotId, light: Light) -> None:
        percent = self.core.settings.light_percent
        if percent != 100 and light.colour is not Colour.OFF:
            light = Light(light.colour, light.pattern, percent)
        if self.shown[number] != light:
            self.shown[number] = light
            self.core.emit(ShowLight(number, light))

    # --- what overrules the state ---

    def refused(self) -> None:
        self.signal(0, self.core.shape.lamps.refused)

    def signal(self, number: SlotId, light: Light) -> None:
        """Show something for so many blinks, unless a fault stands above it."""
        if self.core.settings.blink_repeat == 0:
            return
        self.transient = {**(self.transient or {}), number: light}
        self.core.after(Due.LIGHT, self.core.settings.blink_repeat * BLINK_MS / 1000, number)
        self._refresh(number)

    def signal_over(self, number: SlotId) -> None:
        self.transient = {n: light for n, light in (self.transient or {}).items() if n != number} or None
        self._refresh(number)

    def command(self, number: SlotId, light: Light | None) -> None:
        """Somebody outside wants this shown, or (None) no longer."""
        others = {n: each for n, each in (self.commanded or {}).items() if n != number}
        self.commanded = ({**others, number: light} if light is not None else others) or None
        self._refresh(number)

    def _refresh(self, number: SlotId) -> None:
        slot = self.core.slot(number)
        if slot is None:
            self.refresh_main()
        else:
            self.refresh(slot)
