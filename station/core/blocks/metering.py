"""Meter values: when a meter is asked, why, and what is told of its answer (1.6 §§3.16, 4.7; 2.0.1 block J).

First and final readings have two seconds and three tries; then the last good one stands in, marked. Not here: which readings are believed
(`meter/register.py`), what becomes of values of a transaction (`transactions`).
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Final

from hal.actions import ReadMeter
from hal.clock import Due
from hal.marks import mark
from hal.signals import MeterFailed, MeterRead
from hal.units import SECOND, STATION, Cause, Reading, SlotId, Ticket, UtcMs
from meter.register import Register, rated_mw
from meter.sampling import DAY_MS, next_aligned, next_sample
from statemachine.slot import Phase, Slot
from station.words.common import Context, Measurand, Sample, Stamp, StopReason, Why
from station.words.facts import MeterTold
from station.words.settings import Measurands, rotation_of

if TYPE_CHECKING:
    from station.core.core import StationCore
    from station.core.session import Session

BOUNDARY_S: Final = 2
TRIES: Final = 3  # within these two seconds; as many as make a register break
BOOT_S: Final = 300  # for a meter that was without power too, where a session has to be ended after a boot
UNASKED: Final[Measurands] = (Measurand.ENERGY_IMPORT,)  # where nothing is said of what a value should hold


class Ask(enum.IntEnum):
    """Why a meter was asked."""

    FIRST = 0
    FINAL = 1
    END = 2  # of a transaction whose session goes on
    SAMPLE = 3
    ALIGNED = 4
    TRIGGER = 5
    PROBE = 6  # only whether it answers, and what the vehicle draws


class Metering:
    """`asked` maps a ticket to slot, purpose and try while an answer is outstanding.

    `told_ms` is when the latest clock-aligned values were taken, by the station's clock as it was then. `main`: the register of a main
    meter, where the station has one; it is slot 0.
    """

    __slots__ = ("asked", "booted_ns", "core", "main", "told_ms")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.asked: dict[Ticket, tuple[SlotId, Ask, int]] = {}
        self.booted_ns = core.now.mono_ns
        self.told_ms: UtcMs = 0
        self.main = Register(rated_mw(core.shape.supply_ma, 3)) if core.shape.main_meter else None

    def offers(self, name: str, value: object) -> bool:
        """Whether the meters have every measurand of a list (1.6 MV-09)."""
        if name not in ("sampled", "aligned", "stop_sampled", "stop_aligned"):
            return True
        return (
            isinstance(value, tuple)
            and all(m in self.core.shape.measurands for m in value)
            and len(set(value)) == len(value)
        )

    # --- asking ---

    def ask(self, number: SlotId, why: Ask, attempt: int = 1) -> None:
        ticket = self.core.ticket()
        self.asked[ticket] = (number, why, attempt)
        self.core.emit(ReadMeter(number, ticket))

    def ask_first(self, slot: Slot) -> None:
        self._ask_boundary(slot, Ask.FIRST)

    def ask_final(self, slot: Slot) -> None:
        self._ask_boundary(slot, Ask.FINAL)

    def ask_end(self, slot: Slot) -> None:
        self._ask_boundary(slot, Ask.END)

    def _ask_boundary(self, slot: Slot, why: Ask) -> None:
        self.ask(slot.id, why)
        self.core.after(Due.METER, BOUNDARY_S, slot.id)

    def late(self, number: SlotId) -> None:
        """No first or final reading within two seconds."""
        slot = self.core.slots[number - 1]
        for ticket, (asked, why, _) in list(self.asked.items()):
            if asked == number and why <= Ask.END:
                del self.asked[ticket]
        if self._patient(slot):
            self.ask_final(slot)
        else:
            self._boundary(slot, None)

    def _patient(self, slot: Slot) -> bool:
        """What a cut has ended may wait for its register: what the disk knows of it is a minute old."""
        if slot.phase is not Phase.CLOSING_READ or not slot.session.resumed:
            return False
        return self.core.now.mono_ns - self.booted_ns < BOOT_S * SECOND

    def trigger(self, slot: Slot) -> None:
        self.ask(slot.id, Ask.TRIGGER)

    def probe(self, number: SlotId) -> None:
        """What does the vehicle draw now?"""
        self.ask(number, Ask.PROBE)

    # --- is it there? ---

    def expect(self, slot: Slot) -> None:
        """The next good reading is wanted within `meter_lost_s` from now, or before a refused session can have had its energy."""
        if self.core.settings.meter_lost_s > 0:
            wait_s = min(self.core.settings.meter_lost_s * 2 / 3, self._allowance_s(slot))
            self.core.after(Due.METER_LOST, wait_s, slot.id)

    def _allowance_s(self, slot: Slot) -> float:
        """How long what MaxEnergyOnInvalidId leaves to a session lasts at full power, but no less than a second (1.6 OFFA-06)."""
        session: Session | None = slot.session
        register: Register = slot.meter
        if session is None or session.energy_left_mwh is None or register.last is None:
            return math.inf
        return max(1.0, (session.energy_left_mwh - register.last.energy_mwh) * 3600 / register.rated_mw)

    def lost(self, number: SlotId) -> None:
        """No good reading for most of `meter_lost_s`, say: one is asked for; for all of it: the meter is lost, and asked until it speaks.

        So a running session has its meter looked at every now and then, however rarely samples are taken.
        """
        core, slot = self.core, self.core.slots[number - 1]
        if slot.phase is not Phase.RUNNING and not core.faults.wants_reading(slot):
            return
        lost_s = core.settings.meter_lost_s
        silent_ns = core.now.mono_ns - max(slot.meter.at_ns, slot.sampling_from_ns)
        if silent_ns >= lost_s * SECOND:
            for ticket, (asked, why, _) in list(self.asked.items()):
                if asked == number and why > Ask.END:
                    del self.asked[ticket]
            core.faults.found(Cause.METER, number)
            core.after(Due.METER_LOST, lost_s, number)
        else:
            core.after(Due.METER_LOST, lost_s - silent_ns / SECOND, number)
        self.ask(number, Ask.PROBE)

    # --- answers ---

    def meter_read(self, item: MeterRead) -> None:
        core, number = self.core, item.slot
        asked, why, attempt = self.asked.pop(item.ticket, (number, None, 0))
        if not self.asked:
            self.asked = {}  # an emptied dict keeps its room
        slot = core.slot(number)
        register = slot.meter if slot is not None else self.main
        if asked != number or register is None:
            return
        verdict = register.take(item.reading, core.now.mono_ns)
        if verdict == "refused":
            core.note("warning", "meter.refused", number, item.reading.energy_mwh)
            if slot is not None and slot.phase is Phase.RUNNING and item.reading.current_ma:
                core.demand.drew(slot, max(item.reading.current_ma))
            self._unusable(slot, why, attempt)
            return
        if verdict == "break":
            self._broke(number, slot, register)
        reading = register.last
        assert reading is not None
        if slot is None:
            if why is Ask.ALIGNED:
                self._tell_apart(number, Context.CLOCK, reading, core.settings.aligned, False)
            return
        broken = slot.session is not None and slot.session.broken
        if not broken:
            core.demand.reading(slot, reading)
        if slot.phase is Phase.RUNNING:
            self.expect(slot)
        if why is not None and why is not Ask.PROBE and (not broken or why <= Ask.END):
            self._use(slot, why, reading)

    def meter_failed(self, item: MeterFailed) -> None:
        number, why, attempt = self.asked.pop(item.ticket, (item.slot, None, 0))
        self.core.note("warning", "meter.failed", number, item.why)
        self._unusable(self.core.slot(number), why, attempt)

    def _unusable(self, slot: Slot | None, why: Ask | None, attempt: int) -> None:
        """Whoever waits for a boundary asks again."""
        if slot is None or why is None or why > Ask.END:
            return
        if attempt < TRIES:
            self.ask(slot.id, why, attempt + 1)
        elif not self._patient(slot):  # else again in two seconds
            self._boundary(slot, None)

    def _broke(self, number: SlotId, slot: Slot | None, register: Register) -> None:
        """The register jumped and stayed there: what it counted cannot be known, so a session ends with the last good value.

        The next one begins with the new register; in no transaction does a register go back (1.6 MV-18).
        """
        core, after = self.core, register.last
        assert after is not None
        mark("meter.register_break")
        core.note("error", "meter.register_break", number, register.before_mwh, after.energy_mwh)
        core.events.register_break(number, register.before_mwh, after.energy_mwh)
        if slot is not None and slot.session is not None and slot.session.first_mwh is not None:
            slot.session.broken = slot.session.marked = True
            core.power.end(slot, StopReason.OTHER, Why.ABNORMAL)

    def _use(self, slot: Slot, why: Ask, reading: Reading) -> None:
        core, settings, tx = self.core, self.core.settings, slot.tx
        if why <= Ask.END:
            self._boundary(slot, reading)
            return
        if why is Ask.TRIGGER:
            self._tell_apart(slot.id, Context.TRIGGER, reading, settings.sampled or UNASKED, True, tx and tx.id)
            return
        aligned = why is Ask.ALIGNED
        running = slot.session is None or slot.phase.value >= Phase.RUNNING.value
        if tx is not None and tx.ending is None and running:
            if aligned:
                core.transactions.sampled(slot, Context.CLOCK, reading, settings.aligned, settings.stop_aligned)
            else:
                core.transactions.sampled(slot, Context.PERIODIC, reading, settings.sampled, settings.stop_sampled)
        elif aligned:
            self._tell_apart(slot.id, Context.CLOCK, reading, settings.aligned, False)

    def _boundary(self, slot: Slot, reading: Reading | None) -> None:
        """A first or final reading came, or did not: then the last good one stands for it."""
        core, session = self.core, slot.session
        core.deadlines.cancel(Due.METER, slot.id)
        if slot.phase is Phase.READING:
            if reading is None and slot.meter.last is not None and session is not None:
                session.marked = True
                core.note("warning", "meter.first_missing", slot.id)
                reading = slot.meter.last
            if reading is not None and session is not None and session.first_mwh is not None:
                core.transactions.interrupted(slot, reading)
            core.power.first_reading(slot, reading)
        elif slot.phase is Phase.CLOSING_READ:
            core.power.final_reading(slot, None if session is None or session.broken else reading)
        else:
            if reading is not None and session is not None:
                session.last_mwh = reading.energy_mwh
            core.transactions.end_read(slot)

    def sample(self, slot: Slot, context: Context, reading: Reading, what: Measurands, at: Stamp) -> Sample:
        rotation, changed = slot.shape.rotation, self.core.settings.phase_rotation
        if changed:
            rotation = rotation_of(changed, slot.id) or rotation
        return Sample(at, context, reading, what, slot.offered_ma or 0, rotation)

    def _tell_apart(
        self,
        number: SlotId,
        context: Context,
        reading: Reading,
        what: Measurands,
        triggered: bool,
        session: str | None = None,
    ) -> None:
        """Values outside of a transaction, and those that were asked for; of no use when there is nobody to tell (1.6 MV-03, MV-19)."""
        core = self.core
        if not what or not (core.connection.up if triggered else core.connection.online):
            return
        slot = core.slot(number)
        if slot is not None:
            sample = self.sample(slot, context, reading, what, core.stamp())
        else:
            rotation = rotation_of(core.settings.phase_rotation, STATION) or "RST"
            sample = Sample(core.stamp(), context, reading, what, None, rotation)
        core.connection.put(MeterTold(number, (sample,), session)).triggered = triggered

    # --- when ---

    def watch(self, slot: Slot) -> None:
        slot.sampling_from_ns = self.core.now.mono_ns
        self.expect(slot)
        self._next_sample(slot)

    def unwatch(self, slot: Slot) -> None:
        self.core.deadlines.cancel(Due.SAMPLE, slot.id)
        if slot.faults is None:
            self.core.deadlines.cancel(Due.METER_LOST, slot.id)

    def _next_sample(self, slot: Slot) -> None:
        core, interval = self.core, self.core.settings.sample_interval_s
        if interval <= 0 or slot.session is None:
            core.deadlines.cancel(Due.SAMPLE, slot.id)
            return
        core.deadlines.set(Due.SAMPLE, next_sample(slot.sampling_from_ns, interval, core.now.mono_ns), slot.id)

    def take_sample(self, number: SlotId) -> None:
        slot = self.core.slots[number - 1]
        if slot.session is not None and slot.phase is Phase.RUNNING:
            self.ask(number, Ask.SAMPLE)
        self._next_sample(slot)

    def realign(self) -> None:
        """The clock moved, an interval changed, or the board is ready: work out anew what is due.

        An instant that has been is not repeated after a step back, and those that a step forward passes over are not made up. While
        nobody knows what time it is there are no such instants.
        """
        core = self.core
        interval = core.settings.aligned_interval_s
        if interval <= 0 or not core.power.ready or not core.time.trusted:
            core.deadlines.cancel(Due.ALIGNED)
        else:
            now_ms = core.time.utc_ms(core.now)
            if self.told_ms - now_ms > DAY_MS:
                self.told_ms = 0  # the clock was wrong by days: that is not waited for
            core.deadlines.set(Due.ALIGNED, core.time.mono_ns(next_aligned(max(now_ms, self.told_ms), interval)))
        for slot in core.slots:
            if slot.phase is Phase.RUNNING:
                self._next_sample(slot)

    def aligned(self) -> None:
        core = self.core
        self.told_ms = core.time.utc_ms(core.now)
        if self.main is not None:
            self.ask(STATION, Ask.ALIGNED)
        for slot in core.slots:
            self.ask(slot.id, Ask.ALIGNED)
        self.realign()
