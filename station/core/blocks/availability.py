"""Availability: what is told of a slot's status, and ChangeAvailability (1.6 §§4.9, 5.2; 2.0.1 block G).

Not here: the state itself (`statemachine/slot.py`). After an offline time only what changed is told, and only as it is now (1.6 STAT-07).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hal.clock import Due
from hal.disk import Record
from hal.units import SlotId, Ticket
from statemachine.faults import Fault
from statemachine.slot import Slot
from station.words.commands import ChangeAvailability
from station.words.common import Origin, SlotStatus, Why
from station.words.facts import NO_TROUBLE, StatusChanged, Trouble
from station.words.outcomes import ACCEPTED, REJECTED, SCHEDULED
from station.words.questions import AnyAnswer, LinkLost
from station.words.records import AvailabilityRecord, Image

if TYPE_CHECKING:
    from station.core.core import StationCore

Shown = tuple[SlotStatus, Trouble]


class Availability:
    """`told[n]` is what the CSMS was last told of slot n (0: the station); None: nothing yet, or it was lost."""

    __slots__ = ("core", "operative", "told", "wanted")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.operative = True  # the station as a whole
        self.told: list[Shown | None] = [None] * (len(core.slots) + 1)
        self.wanted: list[bool | None] = [None] * (len(core.slots) + 1)  # scheduled for the end of a session

    def restore(self, image: Image) -> None:
        for key, record in image.get("availability", {}).items():
            assert isinstance(record, AvailabilityRecord)
            if key == "0":
                self.operative = record.operative
            else:
                slot = self.core.slot(int(key))
                if slot is not None:
                    slot.operative = record.operative
        for slot in self.core.slots:
            self.core.touch(slot)

    def records(self) -> list[Record]:
        rows = [] if self.operative else [Record("availability", "0", AvailabilityRecord(False))]
        rows += [
            Record("availability", str(s.id), AvailabilityRecord(False)) for s in self.core.slots if not self._wish(s)
        ]
        return rows

    def _wish(self, slot: Slot) -> bool:
        wanted = self.wanted[slot.id]
        return slot.operative if wanted is None else wanted

    # --- status ---

    def settle(self, slot: Slot) -> None:
        """Let the slot's state follow its facts, and tell what came of it."""
        core = self.core
        if not core.power.ready:
            return
        wanted = self.wanted[slot.id]
        if wanted is not None and slot.session is None:
            slot.operative, self.wanted[slot.id] = wanted, None
        before = slot.charging_state
        passed = slot.settle()
        if passed:
            if slot.state is SlotStatus.SUSPENDED_EV:
                core.power.ev_suspended(slot)
            else:
                core.deadlines.cancel(Due.FULL, slot.id)
            if slot.tx is not None and slot.session is not None and slot.charging_state is not before:
                core.transactions.changed(slot, Why.CHARGING_STATE_CHANGED)
            core.events.status(slot)
        core.lights.refresh(slot)
        self._report_soon(slot.id)
        self._report_soon(0)

    def shown(self, number: SlotId) -> Shown:
        """Status and trouble of a slot as the CSMS should see them; of the station for 0 (1.6 STAT-02)."""
        slot = self.core.slot(number)
        if slot is not None:
            fault = slot.faulted() or slot.warning()
            return slot.status, self._trouble(fault)
        fault = self.core.faults.station_fault()
        if fault is not None and fault.row.faulted:
            return SlotStatus.FAULTED, self._trouble(fault)
        status = SlotStatus.AVAILABLE if self.operative else SlotStatus.UNAVAILABLE
        return status, self._trouble(fault)

    def _trouble(self, fault: Fault | None) -> Trouble:
        return NO_TROUBLE if fault is None else Trouble(fault.row.error, fault.detail or fault.cause.value)

    def _report_soon(self, number: SlotId) -> None:
        """Tell it now, or when it has lasted for MinimumStatusDuration (1.6 STAT-05)."""
        core = self.core
        if self.told[number] == self.shown(number):
            core.deadlines.cancel(Due.STATUS, number)
            return
        wait = core.settings.min_status_duration_s
        if wait > 0 and self.told[number] is not None:
            core.after(Due.STATUS, wait, number)
        else:
            self.report(number)

    def report(self, number: SlotId) -> None:
        core = self.core
        shown = self.shown(number)
        if not core.connection.online or self.told[number] == shown:
            return
        self.told[number] = shown
        core.connection.put(StatusChanged(number, shown[0], core.stamp(), shown[1]))

    def tell(self, number: SlotId) -> None:
        """Tell it although nothing changed: it was asked for."""
        shown = self.shown(number)
        self.core.connection.put(StatusChanged(number, shown[0], self.core.stamp(), shown[1]))

    def answered(self, told: StatusChanged, answer: AnyAnswer) -> None:
        if isinstance(answer, LinkLost):
            self.told[told.slot] = None

    def reconnected(self, everything: bool) -> None:
        """Online again: tell what changed, or after a boot everything, the station first (1.6 BOOT-04, STAT-07)."""
        if not self.core.power.ready:
            return
        for number in range(len(self.core.slots) + 1):
            if everything:
                self.told[number] = None
            self.report(number)

    # --- ChangeAvailability ---

    def change(self, ticket: Ticket, origin: Origin, command: ChangeAvailability) -> None:
        """At once, or at the end of the session; the answer waits for the disk (1.6 AVAIL-01 to 06)."""
        core = self.core
        slot = core.slot(command.slot)
        if slot is None and command.slot != 0:
            core.answer(ticket, REJECTED)
            return
        slots = core.slots if slot is None else (slot,)
        puts = [Record("availability", str(s.id), AvailabilityRecord(command.operative)) for s in slots]
        if slot is None:
            puts.append(Record("availability", "0", AvailabilityRecord(command.operative)))
        core.persist(tuple(puts), (), True, self._changed, ticket, command)

    def _changed(self, ok: bool, ticket: Ticket, command: ChangeAvailability) -> None:
        core = self.core
        if not ok:
            core.answer(ticket, REJECTED)
            return
        slot = core.slot(command.slot)
        slots = core.slots if slot is None else (slot,)
        busy = False
        for each in slots:
            if each.session is not None and not command.operative:
                self.wanted[each.id] = False
                busy = True
            else:
                each.operative, self.wanted[each.id] = command.operative, None
        if slot is None:
            self.operative = command.operative
        core.answer(ticket, SCHEDULED if busy else ACCEPTED)
        for each in slots:
            core.touch(each)
