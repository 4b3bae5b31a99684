"""Availability: what is told of a slot's status, and ChangeAvailability (1.6 §§4.9, 5.2; 2.0.1 block G).

Not here: the state itself (`statemachine/slot.py`). After an offline time only what changed is told, and only as it is now (1.6 STAT-07).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.clock import Due
from hal.disk import Record
from hal.units import SlotId, Ticket
from statemachine.faults import Fault
from statemachine.slot import Phase, Slot
from station.words.commands import ChangeAvailability
from station.words.common import Origin, SlotStatus, Stamp, Why
from station.words.facts import NO_TROUBLE, StatusChanged, Trouble
from station.words.outcomes import ACCEPTED, REJECTED, SCHEDULED
from station.words.questions import AnyAnswer, LinkLost, TimedOut
from station.words.records import AvailabilityRecord, Image

if TYPE_CHECKING:
    from station.core.core import StationCore

Shown = tuple[SlotStatus, Trouble]

EV_SIDE: Final = Trouble(info="EV side disconnected")  # 1.6 STOP-13, STOP-14
EV_ERROR: Final = "EVCommunicationError"
EV_ERROR_IN: Final = (SlotStatus.PREPARING, SlotStatus.SUSPENDED_EV, SlotStatus.SUSPENDED_EVSE, SlotStatus.FINISHING)


class Availability:
    """`told[n]` is what the CSMS was last told of slot n (0: the station); None: nothing yet, or it was lost.

    `unseen`: slots of which this boot has published no status yet.
    `waiting` holds what has not lasted for MinimumStatusDuration yet, and since when; None until that is used.
    """

    __slots__ = ("core", "operative", "told", "unseen", "waiting")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.operative = True  # the station as a whole
        self.told: list[Shown | None] = [None] * (len(core.slots) + 1)
        self.unseen = tuple(slot.id for slot in core.slots)
        self.waiting: dict[SlotId, tuple[Shown, Stamp]] | None = None

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
        """Only what is out of operation, or will be."""
        inoperative = [] if self.operative else [0]
        inoperative += [slot.id for slot in self.core.slots if not self._wish(slot)]
        return [Record("availability", str(number), AvailabilityRecord(False)) for number in inoperative]

    def _wish(self, slot: Slot) -> bool:
        wanted = slot.scheduled
        return slot.operative if wanted is None else wanted

    # --- status ---

    def settle(self, slot: Slot) -> None:
        """Let the slot's state follow its facts, and tell what came of it."""
        core = self.core
        if not core.power.ready:
            return
        wanted = slot.scheduled
        if wanted is not None and slot.session is None:
            slot.operative, slot.scheduled = wanted, None
        before = slot.charging_state
        passed = slot.settle()
        if passed:
            if slot.state is SlotStatus.SUSPENDED_EV:
                core.demand.suspended(slot)
            else:
                core.deadlines.cancel(Due.FULL, slot.id)
            if slot.session is not None and slot.charging_state is not before:
                core.transactions.changed(slot, Why.CHARGING_STATE_CHANGED)
            core.events.status(slot)
            self._passed_through(slot, passed[:-1])
        elif slot.id in self.unseen:
            core.events.status(slot)
        if self.unseen:
            self.unseen = tuple(number for number in self.unseen if number != slot.id)
        core.lights.refresh(slot)
        self._report_soon(slot.id)
        self._report_soon(0)

    def shown(self, number: SlotId) -> Shown:
        """Status and trouble of a slot as the CSMS should see them; of the station for 0 (1.6 STAT-02)."""
        slot = self.core.slot(number)
        if slot is not None:
            status = slot.status
            fault = (slot.faulted() or slot.warning()) if slot.faults is not None else None
            if fault is not None:
                return status, self._trouble(fault, status)
            return status, EV_SIDE if self._left(slot, status) else NO_TROUBLE
        fault = self.core.faults.station_fault()
        if fault is not None and fault.row.faulted:
            status = SlotStatus.FAULTED
        else:
            status = SlotStatus.AVAILABLE if self.operative else SlotStatus.UNAVAILABLE
        return status, NO_TROUBLE if fault is None else self._trouble(fault, status)

    def _left(self, slot: Slot, status: SlotStatus) -> bool:
        """Unplugged at the vehicle's side in a session. While that is being ended nothing new is said of it."""
        if not slot.ev_left or status not in (SlotStatus.SUSPENDED_EV, SlotStatus.FINISHING):
            return False
        told = self.told[slot.id]
        return slot.phase.value <= Phase.RUNNING.value or (told is not None and told[1] is EV_SIDE)

    def _trouble(self, fault: Fault, status: SlotStatus) -> Trouble:
        """An error of the vehicle's communication is none where 1.6 has no vehicle (STAT-06)."""
        error = fault.row.error
        if error == EV_ERROR and status not in EV_ERROR_IN:
            error = "OtherError"
        return Trouble(error, fault.detail or fault.cause.value)

    def _passed_through(self, slot: Slot, passed: list[SlotStatus]) -> None:
        """The table has no direct way: who counts the transitions is told of the state in between too."""
        for status in passed:
            told = self.told[slot.id]
            if told is not None and self.core.settings.min_status_duration_s == 0 and slot.status is slot.state:
                self._tell(slot.id, (status, NO_TROUBLE), self.core.stamp())

    def _report_soon(self, number: SlotId) -> None:
        """Tell it now, or when it has lasted for MinimumStatusDuration (1.6 STAT-05)."""
        core, shown = self.core, self.shown(number)
        waiting = self.waiting.get(number) if self.waiting else None
        if self._resuming(number, shown) or self._closing(number):
            return
        if self.told[number] == shown:
            if waiting is not None and self.waiting:
                del self.waiting[number]
                core.deadlines.cancel(Due.STATUS, number)
            return
        wait = core.settings.min_status_duration_s
        if wait == 0 or self.told[number] is None:
            self.report(number)
        elif waiting is None or waiting[0] != shown:
            self.waiting = {**(self.waiting or {}), number: (shown, core.stamp())}
            core.after(Due.STATUS, wait, number)

    def _resuming(self, number: SlotId, shown: Shown) -> bool:
        """A fault has gone and power is offered again: within `ev_ready_s` the vehicle decides what comes after Faulted (rows I3, I4)."""
        told = self.told[number]
        if shown[0] is not SlotStatus.SUSPENDED_EVSE or told is None or told[0] is not SlotStatus.FAULTED:
            return False
        return not self.core.slots[number - 1].holds

    def _closing(self, number: SlotId) -> bool:
        """The session that the last boot left open is being ended: a moment later there is something true to tell."""
        slot = self.core.slot(number)
        return slot is not None and slot.session is not None and slot.session.resumed

    def report(self, number: SlotId) -> None:
        """It has lasted long enough: tell it, with the time at which it began."""
        if self._closing(number):
            return
        core, shown = self.core, self.shown(number)
        waiting = self.waiting.pop(number, None) if self.waiting else None
        if core.connection.online and self.told[number] != shown:
            self._tell(number, shown, waiting[1] if waiting is not None else core.stamp())

    def _tell(self, number: SlotId, shown: Shown, at: Stamp) -> None:
        if self.core.connection.online:
            self.told[number] = shown
            self.core.connection.put(StatusChanged(number, shown[0], at, shown[1]))

    def tell(self, number: SlotId) -> None:
        """Tell it although nothing changed: it was asked for."""
        shown = self.told[number] = self.shown(number)
        self.core.deadlines.cancel(Due.STATUS, number)
        self.core.connection.put(StatusChanged(number, shown[0], self.core.stamp(), shown[1]))

    def answered(self, told: StatusChanged, answer: AnyAnswer) -> None:
        if isinstance(answer, LinkLost | TimedOut):  # it may never have arrived
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
        keys = [str(s.id) for s in (core.slots if slot is None else (slot,))] + (["0"] if slot is None else [])
        if command.operative:
            core.persist((), tuple(("availability", key) for key in keys), True, self._changed, ticket, command)
        else:
            puts = tuple(Record("availability", key, AvailabilityRecord(False)) for key in keys)
            core.persist(puts, (), True, self._changed, ticket, command)

    def _changed(self, ok: bool, ticket: Ticket, command: ChangeAvailability) -> None:
        core = self.core
        slot = core.slot(command.slot)
        slots = core.slots if slot is None else (slot,)
        if not ok:
            self._undo([str(each.id) for each in slots] + (["0"] if slot is None else []))
            core.answer(ticket, REJECTED)
            return
        busy = False
        for each in slots:
            if each.session is not None and not command.operative:
                each.scheduled = False
                busy = True
            else:
                self._set(each, command.operative)
        if slot is None:
            self.operative = command.operative
        core.answer(ticket, SCHEDULED if busy else ACCEPTED)
        for each in slots:
            core.touch(each)

    def _undo(self, keys: list[str]) -> None:
        """The disk did not answer in time, and may have taken it all the same: what was refused must not come true at the next boot."""
        was = {record.key: record for record in self.records()}
        forgets = tuple(("availability", key) for key in keys if key not in was)
        self.core.persist(tuple(was[key] for key in keys if key in was), forgets, True)

    def _set(self, slot: Slot, operative: bool) -> None:
        """Who stands here when it comes back into operation begins anew: Preparing, not Finishing (1.6 row H2)."""
        if operative and not slot.operative:
            slot.finished = slot.stale = False
        slot.operative, slot.scheduled = operative, None
