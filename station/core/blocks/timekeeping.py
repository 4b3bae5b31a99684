"""Timekeeping: signs of life while a session runs, and what follows when the time becomes known (station.md §§7, 8).

Not here: the clock itself (`station/core/time.py`), who says what time it is (`provisioning`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hal.clock import Due
from hal.disk import Record
from hal.marks import mark
from ocpp_client.outbox import Queued, Told
from station.core.time import ALIVE_MS, CUT_MS
from station.words.common import Sample, Stamp
from station.words.facts import TransactionTold
from station.words.records import AliveRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

ALIVE_S: Final = ALIVE_MS // 1000


def _heard(ok: bool) -> None:
    """Whoever follows what the disk can do has heard it."""


class Timekeeping:
    """`mark` is the last sign of life, of this boot or of the one before."""

    __slots__ = ("core", "mark")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.mark: AliveRecord | None = core.boot.alive

    def records(self) -> list[Record]:
        return [] if self.mark is None else [Record("alive", "", self.mark)]

    # --- signs of life ---

    def watch(self) -> None:
        """A session runs: leave signs of life on the disk."""
        due_ns = self.core.deadlines.at(Due.ALIVE)
        if due_ns is None or due_ns > self.core.now.mono_ns + ALIVE_S * 1_000_000_000:
            self.core.after(Due.ALIVE, ALIVE_S)
            self.leave_mark()

    def alive(self) -> None:
        """Once a minute while there is a session, and whenever something old has to be looked after."""
        core = self.core
        core.delivery.again()
        if any(slot.session is not None for slot in core.slots):
            self.leave_mark()
            core.after(Due.ALIVE, ALIVE_S)
        core.delivery.look()

    def leave_mark(self, tell: bool = False) -> None:
        """`tell`: what the disk makes of it is wanted (by `faults`, when it has failed before)."""
        self._mark()
        self.core.persist(tuple(self.records()), (), False, _heard if tell else None)

    def cut(self) -> Stamp:
        """When the last boot ended, as nearly as is known: its next sign of life did not come. What it told is not later than this."""
        alive, now = self.core.boot.alive, self.core.stamp()
        at = now if alive is None else self.core.time.mended(alive.at)
        return now if at.utc_ms + CUT_MS >= now.utc_ms else Stamp(at.utc_ms + CUT_MS, at.boot, at.mono_ms)

    def _mark(self) -> None:
        core = self.core
        running = [(slot.id, slot.session.last_mwh) for slot in core.slots if slot.session is not None]
        registers = tuple((number, register) for number, register in running if register is not None)
        self.mark = AliveRecord(core.stamp(), core.now.mono_ns, registers)

    # --- the time is known ---

    def begin(self) -> None:
        """Everything is restored: this boot may know the time that the one before did not."""
        if self.core.time.trusted and self.mark is not None and self.mark.at.boot:
            self.trusted()

    def trusted(self) -> None:
        """What was stamped before the time was known gets its UTC now, in one batch with a sign of life, and is sent only when that is on
        the disk: after a cut it would be mended otherwise. What is out keeps its bytes.
        """
        core, mend = self.core, self._mend
        mark("time.mended")
        puts, changed = [], []
        for queued in core.connection.outbox.records:
            told = queued.told if queued is core.connection.rpc.out else self._mended(queued.told)
            if told is not queued.told:
                queued.told, queued.stored = told, False
                changed.append(queued)
                puts.append(Record("outbox", queued.key, queued.record(core.policies.version)))
        running = [(slot.session, slot.tx) for slot in core.slots]
        for session, tx in [*running, *core.transactions.left.values()]:
            if session is not None:
                session.started = mend(session.started)
            if tx is not None:
                tx.started = mend(tx.started)
                tx.last_ms = tx.started.utc_ms
                tx.samples = self._samples(tx.samples)
        if self.mark is not None:
            self.mark = AliveRecord(mend(self.mark.at), self.mark.mono_ns, self.mark.registers)
        core.persist((*puts, *core.transactions.records(), *self.records()), (), True, self._stored, changed)
        core.metering.told_ms = 0  # and what was told before has a time that is not of these instants
        core.metering.realign()

    def _stored(self, ok: bool, changed: list[Queued]) -> None:
        if not ok:
            self.core.delivery.owe(changed)
        for queued in changed if ok else ():
            queued.stored = True

    def _mend(self, stamp: Stamp) -> Stamp:
        """Nothing that waits to be told lies in the future."""
        mended, now = self.core.time.mended(stamp), self.core.stamp()
        return now if mended.utc_ms > now.utc_ms else mended

    def _samples(self, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        return tuple(msgspec.structs.replace(s, at=self._mend(s.at)) for s in samples)

    def _mended(self, told: Told) -> Told:
        if not isinstance(told, TransactionTold):
            return told
        at = self._mend(told.at)
        if at is told.at and not any(sample.at.boot for sample in told.samples):
            return told
        return msgspec.structs.replace(told, at=at, samples=self._samples(told.samples))
