"""Faults: what stands, what it does to power and session, and when it clears, all by the table in `statemachine/faults.py`.

Power first, then the store, then telling (station.md §4). Not here: the table; the power path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.clock import Due
from hal.signals import BoardFault
from hal.units import Cause, Pilot, Reading, SlotId
from statemachine.faults import FAULTS, Clears, Fate, Fault, Power
from statemachine.slot import Slot
from station.words.common import Why

if TYPE_CHECKING:
    from station.core.core import StationCore

OVER_CURRENT_S: Final = 10
OVER_PERCENT: Final = 110


class Faults:
    """Faults of the station stand in `station`, and on every slot as well where they are its business."""

    __slots__ = ("core", "number", "station")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.station: list[Fault] = []
        self.number = 0

    # --- begin and end ---

    def reported(self, item: BoardFault) -> None:
        if item.active:
            self.found(item.cause, item.slot, item.detail)
        else:
            self.over(item.cause, item.slot)

    def found(self, cause: Cause, slot: SlotId, detail: str = "") -> None:
        """A fault begins: power, then the session's fate, then the telling. Once while it stands."""
        core, row = self.core, FAULTS[cause]
        standing = self._find(cause, slot)
        if standing is not None:
            standing.present = True
            core.deadlines.cancel(Due.FAULT_RETRY, slot)
            return
        self.number += 1
        fault = Fault(cause, slot, f"{core.boot.nonce}-f{self.number}", detail)
        slots = core.slots if row.station or slot == 0 else tuple(s for s in core.slots if s.id == slot)
        if row.station or slot == 0:
            self.station.append(fault)
        for each in slots:
            if row.faulted or not row.station:
                each.faults = [*(each.faults or ()), fault]
            self._act(each, fault)
            core.touch(each)
        core.note("error" if row.faulted else "warning", "fault.found", slot, cause.value, detail)
        core.events.fault(fault, True)
        self._ends_later(fault)

    def _act(self, slot: Slot, fault: Fault) -> None:
        row, power = fault.row, self.core.power
        if row.power is Power.CUT:
            power.cut(slot)
        if row.fate is Fate.ENDS and slot.session is not None:
            power.end(slot, row.stop, Why.ABNORMAL)

    def _ends_later(self, fault: Fault) -> None:
        if fault.row.ends_after_s is not None:
            self.core.after(Due.FAULT_ENDS_SESSION, fault.row.ends_after_s, fault.slot)

    def over(self, cause: Cause, slot: SlotId) -> None:
        """The condition of a fault is gone; whether the fault is too depends on how it clears."""
        fault = self._find(cause, slot)
        if fault is None or not fault.present:
            return
        fault.present = False
        row = fault.row
        match row.clears:
            case Clears.SELF if row.stable_s:
                self.core.after(Due.FAULT_RETRY, row.stable_s, slot)
            case Clears.SELF:
                self._clear(fault)
            case Clears.RETRIES:
                fault.tries += 1
                if fault.tries <= row.retries:
                    self.core.after(Due.FAULT_RETRY, row.retry_s, slot)
            case _:
                pass

    def retry(self, number: SlotId) -> None:
        """The time to be stable, or to wait before another try, is over."""
        for fault in self._all(number):
            if not fault.present and fault.row.clears in (Clears.SELF, Clears.RETRIES):
                self._clear(fault)

    def acknowledged(self, number: SlotId) -> None:
        """Someone with a key says it has been dealt with. Ends what is latched and no longer present."""
        for fault in self._all(number) if number else [*self.station]:
            if not fault.present and fault.row.clears in (Clears.ACKNOWLEDGED, Clears.SERVICE, Clears.RETRIES):
                self._clear(fault)

    def unplugged(self, slot: Slot) -> None:
        for fault in [*(slot.faults or ())]:
            if fault.row.clears is Clears.UNPLUG:
                self._clear(fault)

    def _clear(self, fault: Fault) -> None:
        core = self.core
        if fault in self.station:
            self.station.remove(fault)
        for slot in core.slots:
            if fault in (slot.faults or ()):
                slot.faults = [f for f in slot.faults or () if f is not fault] or None
                if slot.session is None and not slot.plugged and slot.shape.has_lock:
                    core.power.unlock(slot)
            core.touch(slot)
        if fault.slot:
            slot_ = core.slots[fault.slot - 1]
            if not any(f.row.ends_after_s for f in slot_.faults or ()):
                core.deadlines.cancel(Due.FAULT_ENDS_SESSION, fault.slot)
        core.note("info", "fault.cleared", fault.slot, fault.cause.value)
        core.events.fault(fault, False)

    def ends_session(self, number: SlotId) -> None:
        """A suspended session has waited long enough for its fault to go."""
        slot = self.core.slot(number)
        if slot is None:
            return
        fault = next((f for f in slot.faults or () if f.row.fate is Fate.SUSPENDED), None)
        if fault is not None:
            self.core.power.end(slot, fault.row.stop, Why.ABNORMAL)

    # --- who is asked ---

    def _find(self, cause: Cause, slot: SlotId) -> Fault | None:
        pool = self.station if FAULTS[cause].station or slot == 0 else self._all(slot)
        return next((f for f in pool if f.cause is cause and (FAULTS[cause].station or f.slot == slot)), None)

    def _all(self, number: SlotId) -> list[Fault]:
        slot = self.core.slot(number)
        return [*self.station] if slot is None else [*(slot.faults or ())]

    def station_fault(self) -> Fault | None:
        """What the station itself shows: a fault that makes it Faulted, else a warning."""
        return next((f for f in self.station if f.row.faulted), None) or next(
            (f for f in self.station if f.row.error != "NoError"), None
        )

    # --- conditions that the core sees by itself ---

    def pilot(self, slot: Slot) -> None:
        if slot.pilot in (Pilot.E, Pilot.F):
            self.found(Cause.PILOT, slot.id)
        else:
            self.over(Cause.PILOT, slot.id)

    def over_current_check(self, slot: Slot, reading: Reading) -> None:
        """The car draws more than a tenth above the offer, for ten seconds."""
        due, offered = Due.OVER_CURRENT, slot.offered_ma
        over = offered is not None and any(c * 100 > offered * OVER_PERCENT for c in reading.current_ma)
        if not over:
            self.core.deadlines.cancel(due, slot.id)
        elif not self.core.deadlines.pending(due, slot.id):
            self.core.after(due, OVER_CURRENT_S, slot.id)

    def over_current(self, number: SlotId) -> None:
        self.found(Cause.OVER_CURRENT, number)

    def store_failed(self) -> None:
        self.found(Cause.STORE, 0)

    def store_works(self) -> None:
        self.over(Cause.STORE, 0)
