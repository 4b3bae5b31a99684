"""Meter values: when a meter is asked, why, and what is told of its answer (1.6 §§3.16, 4.7; 2.0.1 block J).

First and final readings have two seconds; then the last good one stands in, marked. Not here: which readings are
believed (`meter/register.py`).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from hal.actions import ReadMeter
from hal.clock import Due
from hal.signals import MeterFailed, MeterRead
from hal.units import Cause, Reading, SlotId, Ticket
from meter.sampling import next_aligned, next_sample
from statemachine.slot import Phase, Slot
from station.words.common import Context, Sample, Why
from station.words.facts import MeterTold
from station.words.settings import SAMPLES_MAX, Measurands

if TYPE_CHECKING:
    from station.core.core import StationCore

BOUNDARY_S: Final = 2


class Ask(enum.IntEnum):
    """Why a meter was asked."""

    FIRST = 0
    FINAL = 1
    SAMPLE = 2
    ALIGNED = 3
    TRIGGER = 4


CONTEXTS: Final = {
    Ask.SAMPLE: Context.PERIODIC,
    Ask.ALIGNED: Context.CLOCK,
    Ask.TRIGGER: Context.TRIGGER,
    Ask.FINAL: Context.END,
}


class Metering:
    """`asked` maps a ticket to slot and purpose while an answer is outstanding."""

    __slots__ = ("asked", "core", "sampling_from")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.asked: dict[Ticket, tuple[SlotId, Ask]] = {}
        self.sampling_from = [0] * (len(core.shape.slots) + 1)  # monotonic ns, where the intervals of a slot count from

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

    def ask(self, slot: Slot, why: Ask) -> None:
        core = self.core
        ticket = core.ticket()
        self.asked[ticket] = (slot.id, why)
        core.emit(ReadMeter(slot.id, ticket))
        if slot.session is not None and not core.deadlines.pending(Due.METER_LOST, slot.id):
            core.after(Due.METER_LOST, core.settings.meter_lost_s, slot.id)

    def ask_first(self, slot: Slot) -> None:
        self.ask(slot, Ask.FIRST)
        self.core.after(Due.METER, BOUNDARY_S, slot.id)

    def ask_final(self, slot: Slot) -> None:
        self.ask(slot, Ask.FINAL)
        self.core.after(Due.METER, BOUNDARY_S, slot.id)

    def late(self, number: SlotId) -> None:
        """No first or final reading within two seconds."""
        slot = self.core.slot(number)
        assert slot is not None
        for ticket in [t for t, (n, why) in self.asked.items() if n == number and why in (Ask.FIRST, Ask.FINAL)]:
            del self.asked[ticket]
        self._boundary(slot, None)

    def lost(self, number: SlotId) -> None:
        """The meter has been silent for too long."""
        for ticket in [t for t, (n, _) in self.asked.items() if n == number]:
            del self.asked[ticket]
        slot = self.core.slot(number)
        if slot is not None and slot.session is not None:
            self.core.faults.found(Cause.METER, number)

    # --- answers ---

    def meter_read(self, item: MeterRead) -> None:
        core = self.core
        slot = core.slot(item.slot)
        number, why = self.asked.pop(item.ticket, (item.slot, None))
        if slot is None or number != item.slot:
            return
        verdict = slot.meter.take(item.reading, core.now.mono_ns)
        if verdict == "refused":
            core.note("warning", "meter.refused", slot.id, item.reading.energy_mwh)
            if why in (Ask.FIRST, Ask.FINAL):
                self._boundary(slot, None)
            return
        if verdict == "break":
            core.note("error", "meter.register_break", slot.id, item.reading.energy_mwh)
        core.deadlines.cancel(Due.METER_LOST, slot.id)
        core.faults.over(Cause.METER, slot.id)
        core.power.reading(slot, item.reading)
        if why is None:
            return
        if why in (Ask.FIRST, Ask.FINAL):
            self._boundary(slot, item.reading)
        else:
            self._tell(slot, why, item.reading)

    def meter_failed(self, item: MeterFailed) -> None:
        number, why = self.asked.pop(item.ticket, (item.slot, None))
        slot = self.core.slot(number)
        self.core.note("warning", "meter.failed", number, item.why)
        if slot is not None and why in (Ask.FIRST, Ask.FINAL):
            self._boundary(slot, None)

    def _boundary(self, slot: Slot, reading: Reading | None) -> None:
        """A first or final reading came, or did not: then the last good one stands for it."""
        core = self.core
        core.deadlines.cancel(Due.METER, slot.id)
        if slot.phase is Phase.READING:
            if reading is None and slot.meter.last is not None and slot.session is not None:
                slot.session.marked = True
                core.note("warning", "meter.first_missing", slot.id)
                reading = slot.meter.last
            core.power.first_reading(slot, reading)
        elif slot.phase is Phase.CLOSING_READ:
            final = None
            if core.settings.stop_sampled and (reading or slot.meter.last):
                final = self._sample(slot, Context.END, reading or slot.meter.last, core.settings.stop_sampled)
            core.power.final_reading(slot, reading, final)

    def _sample(self, slot: Slot, context: Context, reading: Reading, what: Measurands) -> Sample:
        return Sample(self.core.stamp(), context, reading, what, slot.offered_ma or 0, slot.shape.rotation)

    def _tell(self, slot: Slot, why: Ask, reading: Reading) -> None:
        core, settings = self.core, self.core.settings
        what = settings.aligned if why is Ask.ALIGNED else settings.sampled
        context = CONTEXTS[why]
        running = slot.tx is not None and slot.session is not None and slot.phase.value >= Phase.RUNNING.value
        if running and why is not Ask.TRIGGER:
            kept = settings.stop_aligned if why is Ask.ALIGNED else settings.stop_sampled
            if kept:
                core.transactions.kept(slot, self._sample(slot, context, reading, kept), SAMPLES_MAX)
        if not what:
            return
        sample = self._sample(slot, context, reading, what)
        if running and why is not Ask.TRIGGER:
            reason = Why.METER_CLOCK if why is Ask.ALIGNED else Why.METER_PERIODIC
            core.transactions.sampled(slot, reason, sample)
        elif core.connection.online or (core.connection.up and why is Ask.TRIGGER):
            told = MeterTold(slot.id, (sample,), slot.tx.id if running else None)
            queued = core.connection.put(told)
            queued.triggered = why is Ask.TRIGGER
            queued.durable = False

    # --- when ---

    def began(self, slot: Slot, reading: Reading) -> None:
        """The session has its first reading: intervals count from here, and it may be kept for the end."""
        settings = self.core.settings
        if settings.stop_sampled and slot.session is not None:
            slot.session.samples = (self._sample(slot, Context.BEGIN, reading, settings.stop_sampled),)

    def watch(self, slot: Slot) -> None:
        self.sampling_from[slot.id] = self.core.now.mono_ns
        self._next_sample(slot)

    def unwatch(self, slot: Slot) -> None:
        self.core.deadlines.cancel(Due.SAMPLE, slot.id)
        self.core.deadlines.cancel(Due.METER_LOST, slot.id)

    def _next_sample(self, slot: Slot) -> None:
        core, interval = self.core, self.core.settings.sample_interval_s
        if interval <= 0 or slot.session is None:
            core.deadlines.cancel(Due.SAMPLE, slot.id)
            return
        core.deadlines.set(Due.SAMPLE, next_sample(self.sampling_from[slot.id], interval, core.now.mono_ns), slot.id)

    def sample(self, number: SlotId) -> None:
        slot = self.core.slot(number)
        assert slot is not None
        if slot.session is not None and slot.phase is Phase.RUNNING:
            self.ask(slot, Ask.SAMPLE)
        self._next_sample(slot)

    def realign(self) -> None:
        """The clock moved, an interval changed, or the board is ready: work out anew what is due."""
        core = self.core
        interval = core.settings.aligned_interval_s
        if interval <= 0 or not core.power.ready:
            core.deadlines.cancel(Due.ALIGNED)
        else:
            core.deadlines.set(Due.ALIGNED, core.time.mono_ns(next_aligned(core.time.utc_ms(core.now), interval)))
        for slot in core.slots:
            if slot.phase is Phase.RUNNING:
                self._next_sample(slot)

    def aligned(self) -> None:
        for slot in self.core.slots:
            self.ask(slot, Ask.ALIGNED)
        self.realign()

    def trigger(self, slot: Slot) -> None:
        self.ask(slot, Ask.TRIGGER)
