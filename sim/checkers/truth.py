"""Ground truth of the board, judged only while actuators and sensors are healthy (world.md).

The contactor opens within 200 ms of the withdrawal; energy flows only between permission and withdrawal; the plug is locked while there is
voltage, where there is a lock. Looked at with the inputs of the core: between two of them nothing moves that it is not told of.
"""

from __future__ import annotations

from typing import Any, Final

from hal.actions import PermitPower
from hal.signals import LockReported, PowerReported
from hal.units import MILLISECOND, LockState, MilliWh, MonoNs, SlotId
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.seen import SlotView
from sim.checkers.view import View
from sim.plan import ContactorFault, LockFault

OPENS_NS: Final[MonoNs] = 200 * MILLISECOND
MOST_MWH: Final[MilliWh] = 2_500  # three phases, 64 A, 200 ms


class Opens(Promise):
    """The contactor is open within 200 ms of the withdrawal."""

    name = "the contactor opens within 200 ms"

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        slot = view.slots[effect.slot - 1]
        if effect.allowed or not slot.permitted or not slot.mirror:
            return
        self.armed += 1
        view.expect(OPENS_NS / 1e9, lambda view: self._look(view, slot))

    def told_PowerReported(self, view: View, item: PowerReported) -> None:
        slot = view.slots[item.slot - 1]
        if item.closed or slot.permitted or slot.withdrawn_ns < 0 or slot.mirror_ns != view.now_ns:
            return
        late_ns = view.now_ns - slot.withdrawn_ns
        if late_ns > OPENS_NS and not _contactor_broken(view, slot):
            late_ms = late_ns // MILLISECOND
            raise self.fail(view, f"slot {slot.number}: the contactor opened {late_ms} ms after it had to")

    def _look(self, view: View, slot: SlotView) -> None:
        if slot.permitted or not view.world.boards[view.id].is_energised(slot.number):
            return
        if not _contactor_broken(view, slot):
            raise self.fail(view, f"slot {slot.number}: the contactor is closed 200 ms after the withdrawal")


def _contactor_broken(view: View, slot: SlotView) -> bool:
    wrong = view.world.boards[view.id].slot(slot.number).contactor_fault is not None
    return wrong or broken(view, ContactorFault, slot.number)


class OnlyPermitted(Promise):
    """Energy flows only between permission and withdrawal (and the 200 ms that a contactor may take), by the true register. Armed with
    every permission, and at the end."""

    name = "energy only under permission"

    def __init__(self) -> None:
        super().__init__()
        self._at: dict[tuple[str, SlotId], MilliWh] = {}  # the register when permission went

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        slot = view.slots[effect.slot - 1]
        if effect.allowed and not slot.permitted:
            self._judge(view, slot)
            self._at.pop((view.id, slot.number), None)
        elif not effect.allowed and slot.permitted:
            self._note(view, slot)

    def stops(self, view: View, cut: bool) -> None:
        for slot in view.slots:
            if slot.permitted:
                self._note(view, slot)

    def ends(self, view: View) -> None:
        for slot in view.slots:
            if not slot.permitted:
                self._judge(view, slot)

    def _note(self, view: View, slot: SlotView) -> None:
        self._at[view.id, slot.number] = view.world.boards[view.id].true_energy_mwh(slot.number)

    def _judge(self, view: View, slot: SlotView) -> None:
        before = self._at.get((view.id, slot.number), 0)
        after = view.world.boards[view.id].true_energy_mwh(slot.number)
        self.armed += 1
        if after - before > MOST_MWH and not _contactor_broken(view, slot):
            raise self.fail(view, f"slot {slot.number}: {(after - before) / 1000:.1f} Wh flowed without permission")


class LockedWhileLive(Promise):
    """The plug is locked while there is voltage at it."""

    name = "locked while energised"

    def told_PowerReported(self, view: View, item: PowerReported) -> None:
        if item.closed:
            self._look(view, view.slots[item.slot - 1])

    def told_LockReported(self, view: View, item: LockReported) -> None:
        self._look(view, view.slots[item.slot - 1])

    def _look(self, view: View, slot: SlotView) -> None:
        place = view.world.boards[view.id].slot(slot.number)
        if not slot.has_lock or not place.closed:
            return
        self.armed += 1
        if place.lock is LockState.CLOSED or broken(view, LockFault, slot.number, how="lies"):
            return
        if not _contactor_broken(view, slot) and place.lock_fault is None:
            raise self.fail(view, f"slot {slot.number}: there is voltage and the plug is not locked")


TRUTH: Final[tuple[Any, ...]] = (Opens, OnlyPermitted, LockedWhileLive)
