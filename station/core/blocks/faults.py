"""Faults: what stands, what it does to power and session, and when it clears, all by the table in `statemachine/faults.py`.

Power first, then the store, then telling (station.md §4). Not here: the table; the power path; how a slot's status shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.clock import Due
from hal.disk import Record
from hal.signals import BoardFault
from hal.units import SECOND, Cause, Pilot, Reading, SlotId
from statemachine.faults import FAULTS, LATCHED, By, Clears, Fate, Fault, Power
from statemachine.slot import Slot
from station.words.common import Why
from station.words.records import FaultRecord, Image

if TYPE_CHECKING:
    from station.core.core import StationCore

COOLER_C: Final = 10  # than where it began
STORE_AGAIN_S: Final = 30
BY_READING: Final = (Cause.METER, Cause.WARM, Cause.TEMPERATURE)


class Faults:
    """Faults of the station stand in `station`, and on every slot as well where they are its business. `no_new`: no session may begin."""

    __slots__ = ("core", "no_new", "number", "station")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.station: list[Fault] = []
        self.number = 0
        self.no_new = False

    # --- the disk: what is latched outlives a restart ---

    def restore(self, image: Image) -> None:
        """What was latched and not yet dealt with; whether its condition still holds the board will say."""
        for record in image.get("fault", {}).values():
            assert isinstance(record, FaultRecord)
            fault = Fault(record.cause, record.slot, record.id, record.detail, 0)
            fault.latched = True
            self._stand(fault)

    def records(self) -> list[Record]:
        standing = {id(f): f for f in (*self.station, *(f for slot in self.core.slots for f in slot.faults or ()))}
        return [self._record(fault) for fault in standing.values() if self._lasts(fault)]

    def _lasts(self, fault: Fault) -> bool:
        return fault.latched and fault.cause is not Cause.INTERNAL  # of safe mode the boot record knows

    def _record(self, fault: Fault) -> Record:
        return Record("fault", _key(fault), FaultRecord(fault.cause, fault.slot, fault.id, fault.detail))

    # --- begin ---

    def reported(self, item: BoardFault) -> None:
        if item.active:
            self.found(item.cause, item.slot, item.detail, By.BOARD)
        else:
            self.over(item.cause, item.slot, By.BOARD)

    def found(self, cause: Cause, number: SlotId, detail: str = "", by: By = By.CORE, proven: bool = True) -> None:
        """A fault begins: power, then the session's fate, then the telling. Once while it stands. Not `proven`: it is not latched yet."""
        core = self.core
        standing = self._find(cause, number)
        if standing is not None:
            was, standing.by = standing.present, standing.by | by
            if not was:
                standing.clears_ns = None
                self._begins(standing)
            if proven and not standing.latched and standing.row.clears in LATCHED:
                standing.latched = True
                core.persist((self._record(standing),), (), True)
            return
        self.number += 1
        fault = Fault(cause, number, f"{core.boot.nonce}-f{self.number}", detail, by)
        fault.latched = fault.latched and proven
        self._stand(fault)
        self._begins(fault)
        core.note("error" if fault.row.faulted else "warning", "fault.found", number, cause.value, detail)
        if self._lasts(fault):
            core.persist((self._record(fault),), (), True)
        core.events.fault(fault, True)

    def _stand(self, fault: Fault) -> None:
        row = fault.row
        station = row.station or fault.slot == 0
        if station:
            self.station.append(fault)
            self.no_new = self.no_new or row.power is Power.WITHHELD
        for each in self._slots(fault):
            if row.faulted or not station:
                each.faults = [*(each.faults or ()), fault]
            self.core.touch(each)

    def _slots(self, fault: Fault) -> tuple[Slot, ...]:
        number = 0 if fault.row.station else fault.slot
        return self.core.slots if number == 0 else (self.core.visits.slot(number),)

    def _begins(self, fault: Fault) -> None:
        """Its condition holds, for the first time or again."""
        core, row = self.core, fault.row
        for slot in self._slots(fault):
            if row.power is Power.CUT:
                core.power.cut(slot)
            elif row.power is Power.DERATE:
                core.supply.share()
            if row.fate is Fate.ENDS:
                core.power.end(slot, row.stop, Why.ABNORMAL)
            core.touch(slot)
        if row.clears is Clears.RETRIES and not fault.latched:
            self._trip(fault)
        if row.ends_after_s and fault.ends_ns is None:
            fault.ends_ns = core.now.mono_ns + row.ends_after_s * SECOND
        if fault.cause in BY_READING and not core.deadlines.pending(Due.METER_LOST, fault.slot):
            core.metering.expect(self._slots(fault)[0])
        self._arm(fault.slot)

    def _trip(self, fault: Fault) -> None:
        """A ground fault: power comes back so many times in a visit, then it stays off until somebody has looked."""
        slot = self.core.visits.slot(fault.slot)
        slot.trips += 1
        if slot.trips <= fault.row.retries:
            fault.clears_ns = self.core.now.mono_ns + fault.row.retry_s * SECOND
            return
        fault.clears_ns, fault.latched = None, True
        self.core.persist((self._record(fault),), (), True)
        self.core.power.end(slot, fault.row.stop, Why.ABNORMAL)

    # --- end ---

    def over(self, cause: Cause, number: SlotId, by: By = By.CORE) -> None:
        """The condition of a fault is gone; whether the fault is too depends on how it clears."""
        fault = self._find(cause, number)
        if fault is None or not fault.by & by:
            return
        fault.by &= ~by
        row = fault.row
        if fault.present or fault.latched:
            return
        if row.clears is Clears.RETRIES:
            fault.clears_ns = self.core.now.mono_ns + row.retry_s * SECOND
        elif row.clears is Clears.SELF and row.stable_s:
            fault.clears_ns = self.core.now.mono_ns + row.stable_s * SECOND
        elif row.clears is not Clears.UNPLUG or not self.core.visits.slot(number).plugged:
            self._clear(fault)
        self._arm(number)

    def retry(self, number: SlotId) -> None:
        """The time to be stable, or to wait before another try, is over."""
        for fault in self._due(number):
            fault.clears_ns = None
            if fault.cause is Cause.STORE:
                self.core.timekeeping.leave_mark(
                    tell=True
                )  # what becomes of it is told to `store_failed` or `store_works`
                self._try_store(fault)
            elif not fault.present:
                self._clear(fault)
            elif fault.row.clears is Clears.RETRIES:
                self._trip(fault)
        self._arm(number)

    def _due(self, number: SlotId) -> list[Fault]:
        now_ns = self.core.now.mono_ns
        return [f for f in self._all(number) if f.clears_ns is not None and f.clears_ns <= now_ns]

    def acknowledged(self, number: SlotId) -> None:
        """Someone with a key says it has been dealt with. Ends what is latched and no longer present."""
        for fault in self._all(number):
            if fault.latched and not fault.present:
                for slot in self._slots(fault):
                    slot.trips = 0
                self._clear(fault)

    def unplugged(self, slot: Slot) -> None:
        """What only the visit had is over with it; what the board reports ends when it says so."""
        for fault in [*(slot.faults or ())]:
            if fault.row.clears is Clears.UNPLUG:
                fault.by &= ~By.CORE
                if not fault.present:
                    self._clear(fault)

    def _clear(self, fault: Fault) -> None:
        core = self.core
        if fault in self.station:
            self.station.remove(fault)
            self.no_new = any(f.row.power is Power.WITHHELD for f in self.station)
        for slot in self._slots(fault):
            slot.faults = [f for f in slot.faults or () if f is not fault] or None
            if not slot.plugged:
                core.locks.let_go(slot)
            core.touch(slot)
        if fault.row.power is Power.DERATE:
            core.supply.share()
        if fault.cause is Cause.LIGHTS:
            core.lights.again()
        self._arm(fault.slot)
        core.note("info", "fault.cleared", fault.slot, fault.cause.value)
        if self._lasts(fault):
            core.persist((), (("fault", _key(fault)),), True)
        core.events.fault(fault, False)

    # --- sessions that wait ---

    def wait(self, slot: Slot) -> None:
        """A session cannot begin because of what stands here: from now on its patience counts."""
        for fault in slot.faults or ():
            if fault.row.ends_after_s and fault.ends_ns is None:
                fault.ends_ns = self.core.now.mono_ns + fault.row.ends_after_s * SECOND
                self._arm(slot.id)

    def session_over(self, slot: Slot) -> None:
        """Whoever comes next has patience of his own."""
        for fault in slot.faults or ():
            fault.ends_ns = None
        if slot.faults is not None:
            self._arm(slot.id)

    def ends_session(self, number: SlotId) -> None:
        """A suspended session has waited long enough for its fault to go."""
        slot = self.core.visits.slot(number)
        for fault in slot.faults or ():
            if fault.ends_ns is not None and fault.ends_ns <= self.core.now.mono_ns:
                fault.ends_ns = None
                self.core.power.end(slot, fault.row.stop, Why.ABNORMAL)
        self._arm(number)

    def _arm(self, number: SlotId) -> None:
        """Wake for whatever comes first of what stands there."""
        deadlines, standing = self.core.deadlines, self._all(number)
        for due, times in (
            (Due.FAULT_RETRY, [f.clears_ns for f in standing if f.clears_ns is not None]),
            (Due.FAULT_ENDS_SESSION, [f.ends_ns for f in standing if f.ends_ns is not None]),
        ):
            if times:
                deadlines.set(due, min(times), number)
            else:
                deadlines.cancel(due, number)

    # --- who is asked ---

    def _find(self, cause: Cause, number: SlotId) -> Fault | None:
        station = FAULTS[cause].station
        return next((f for f in self._all(0 if station else number) if f.cause is cause), None)

    def _all(self, number: SlotId) -> list[Fault]:
        """What stands on a slot, or on the station for 0; nothing on a slot that is not there."""
        slot = self.core.slot(number)
        if slot is None:
            return [] if number else [*self.station]
        return [f for f in slot.faults or () if f.slot == number]

    def station_fault(self) -> Fault | None:
        """What the station itself shows: a fault that makes it Faulted, else a warning."""
        return next((f for f in self.station if f.row.faulted), None) or next(
            (f for f in self.station if f.row.error != "NoError"), None
        )

    def wants_reading(self, slot: Slot) -> bool:
        """Something stands here that a reading may end."""
        return any(f.cause in BY_READING for f in slot.faults or ())

    # --- conditions that the core sees by itself ---

    def pilot(self, slot: Slot) -> None:
        if slot.pilot in (Pilot.E, Pilot.F):
            self.found(Cause.PILOT, slot.id, f"Pilot{slot.pilot.value}")
        elif slot.faults is not None:
            self.over(Cause.PILOT, slot.id)

    def read(self, slot: Slot, reading: Reading) -> None:
        """The meter speaks, and says how warm it is. Each stage ends ten degrees below where it began."""
        self.over(Cause.METER, slot.id)
        if reading.temperature_mc is None:
            return
        settings = self.core.settings
        for cause, above_c in (
            (Cause.TEMPERATURE, settings.suspend_above_c),
            (Cause.WARM, settings.derate_above_c),
        ):
            if reading.temperature_mc >= above_c * 1000:
                self.found(cause, slot.id, f"{reading.temperature_mc // 1000} C")
            elif reading.temperature_mc <= (above_c - COOLER_C) * 1000:
                self.over(cause, slot.id)

    def store_failed(self, detail: str = "") -> None:
        """Or soon will. And is tried again every half minute, should nobody else want to write."""
        self.found(Cause.STORE, 0, detail)
        fault = self._find(Cause.STORE, 0)
        if fault is not None and fault.clears_ns is None:
            self._try_store(fault)

    def _try_store(self, fault: Fault) -> None:
        fault.clears_ns = self.core.now.mono_ns + STORE_AGAIN_S * SECOND
        self._arm(0)

    def store_works(self) -> None:
        if self.no_new and not self.core.delivery.full:
            self.over(Cause.STORE, 0)


def _key(fault: Fault) -> str:
    return f"{fault.slot}-{fault.cause.value}"
