"""Lamps follow the state: the effect is emitted only when a lamp changes. What is shown when is data in `leds/patterns.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hal.actions import ShowLight
from hal.clock import Due
from hal.units import Light, SlotId
from leds.patterns import OFF, REFUSED, TRANSIENT_MS, main_light, slot_light
from statemachine.slot import Slot

if TYPE_CHECKING:
    from station.core.core import StationCore


class Lights:
    """`shown[n]` is what lamp n shows now; `transient[n]` a signal that will fall back by itself."""

    __slots__ = ("core", "shown", "transient")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.shown: list[Light] = [OFF] * (len(core.slots) + 1)
        self.transient: dict[SlotId, Light] | None = None

    def refresh(self, slot: Slot) -> None:
        transient = (self.transient or {}).get(slot.id)
        self._show(slot.id, slot_light(slot.status, slot.full_since is not None, False, transient))
        self.refresh_main()

    def refresh_main(self) -> None:
        core = self.core
        usable = any(s.operative and s.faulted() is None for s in core.slots)
        station = core.faults.station_fault()
        usable = usable and (station is None or not station.row.faulted)
        asking = bool(core.authorization.attempts or core.authorization.pending)
        self._show(0, main_light(usable, asking, (self.transient or {}).get(0)))

    def _show(self, number: SlotId, light: Light) -> None:
        if self.shown[number] != light:
            self.shown[number] = light
            self.core.emit(ShowLight(number, light))

    def refused(self) -> None:
        self.signal(0, REFUSED)

    def signal(self, number: SlotId, light: Light) -> None:
        """Show something for three seconds, unless a fault stands above it."""
        self.transient = {**(self.transient or {}), number: light}
        self.core.after(Due.LIGHT, TRANSIENT_MS / 1000, number)
        self._refresh(number)

    def signal_over(self, number: SlotId) -> None:
        self.transient = {n: light for n, light in (self.transient or {}).items() if n != number} or None
        self._refresh(number)

    def _refresh(self, number: SlotId) -> None:
        slot = self.core.slot(number)
        if slot is None:
            self.refresh_main()
        else:
            self.refresh(slot)
