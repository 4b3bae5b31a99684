"""Contactor, lock and weld, judged on what the mirror contact said (world.md; station.md §4).

Not here: whether the contactor really is where its mirror says (`truth`).
"""

from __future__ import annotations

from typing import Any, Final

from hal.actions import PermitPower, SetLock
from hal.signals import BoardReady, FaultAcknowledged, PowerReported
from hal.units import SECOND, Cause, MonoNs, SlotId
from sim.checkers.events import body, slot_of
from sim.checkers.eyes import Promise
from sim.checkers.seen import SlotView
from sim.checkers.view import View
from station.words.records import EventRecord, FaultRecord

ENDS_S: Final = 15.0  # three to let go, one to open, six for the meter, and some for the disk
BOOT_S: Final = 330.0  # so long a meter that was without supply too may need
OPENS_S: Final = 1.2  # one second, and a little for the report that the contactor did not move


class Unlock(Promise):
    """No unlock while the mirror last said closed. Armed with every unlock."""

    name = "no unlock under a closed contactor"

    def did_SetLock(self, view: View, effect: SetLock) -> None:
        slot = view.slots[effect.slot - 1]
        if effect.closed:
            return
        self.armed += 1
        if slot.mirror:
            raise self.fail(
                view, f"slot {slot.number}: the lock was told to open though the contactor last said closed"
            )


class Weld(Promise):
    """A contactor whose mirror says closed more than a second after the withdrawal, or when the board reports what it found, is told as
    Faulted PowerSwitchFailure before anything else happens on the slot; no power then until somebody has acknowledged it and the mirror
    has said open; over a reboot too, if the disk has the fault. A session on it ends within 15 s, five minutes after a boot. One that the
    board finds closed has a second to open all the same."""

    name = "a weld is told and latched"

    def __init__(self) -> None:
        super().__init__()
        self._told: set[tuple[str, SlotId]] = set()
        self._opened: set[tuple[str, SlotId]] = set()
        self._found: dict[tuple[str, SlotId], MonoNs] = {}  # when the board was ready, and nobody knew of it before

    def boots(self, view: View) -> None:
        for slot in view.slots:
            self._told.discard((view.id, slot.number))
            self._opened.discard((view.id, slot.number))
            self._found.pop((view.id, slot.number), None)
        for record in view.image.get("fault", {}).values():
            assert isinstance(record, FaultRecord)
            if record.cause is Cause.CONTACTOR_WELDED:
                self._told.add((view.id, record.slot))

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        if record.kind == "faulted.v1" and body(record)["error"].get("code") == "PowerSwitchFailure":
            number = slot_of(record)
            slot = view.slot(number)
            if slot is not None and slot.mirror:
                if view.item_name == "BoardReady" and (view.id, number) not in self._told:
                    self._found[view.id, number] = view.now_ns
                self._told.add((view.id, number))
                self._opened.discard((view.id, number))
                if slot.session is not None:
                    self._expect_end(view, slot, slot.session.session)

    def _expect_end(self, view: View, slot: SlotView, session: str) -> None:
        old = session in view.image.get("session", {})

        def late(view: View) -> None:
            if slot.session is not None and slot.session.session == session:
                raise self.fail(view, f"slot {slot.number}: the contactor is welded and the session goes on")

        view.expect(BOOT_S if old else ENDS_S, late)

    def told_PowerReported(self, view: View, item: PowerReported) -> None:
        where = (view.id, item.slot)
        if item.closed or where not in self._told:
            return
        found_ns = self._found.pop(where, None)
        if found_ns is not None and view.now_ns - found_ns <= OPENS_S * SECOND:
            self._told.discard(where)
        else:
            self._opened.add(where)

    def told_FaultAcknowledged(self, view: View, item: FaultAcknowledged) -> None:
        if (view.id, item.slot) in self._opened:
            self._told.discard((view.id, item.slot))
            self._opened.discard((view.id, item.slot))

    def then_BoardReady(self, view: View, item: BoardReady) -> None:
        for slot in view.slots:
            if slot.mirror and not slot.permitted:
                self.armed += 1
                self._demand(view, slot)

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        slot = view.slots[effect.slot - 1]
        if not effect.allowed:
            if slot.mirror:
                self._watch(view, slot)
        elif (view.id, slot.number) in self._told:
            raise self.fail(view, f"slot {slot.number}: power was permitted on a contactor that is welded")

    def _watch(self, view: View, slot: SlotView) -> None:
        since_ns = view.now_ns

        def late(view: View) -> None:
            if slot.mirror and slot.mirror_ns <= since_ns and not slot.permitted:
                self.armed += 1
                self._demand(view, slot)

        view.expect(OPENS_S, late)

    def _demand(self, view: View, slot: SlotView) -> None:
        if (view.id, slot.number) not in self._told:
            raise self.fail(view, f"slot {slot.number}: the contactor does not open and nobody was told")


LOCKS: Final[tuple[Any, ...]] = (Unlock, Weld)
