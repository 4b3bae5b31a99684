"""Timekeeping: signs of life while a session runs, and what follows when the time becomes known (station.md §§7, 8).

Not here: the clock itself (`station/core/time.py`), who says what time it is (`provisioning`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hal.clock import Due
from hal.disk import Record
from hal.marks import mark
from hal.units import MILLISECOND, MilliWh, MonoNs, SlotId, UtcMs
from ocpp_client.outbox import Queued, Told
from station.core.session import Session, Transaction
from station.core.time import ALIVE_MS, CUT_MS
from station.words.common import Sample, SessionId, Stamp
from station.words.facts import TransactionTold
from station.words.records import AliveRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

ALIVE_S: Final = ALIVE_MS // 1000


def _known_ms(alive: AliveRecord) -> UtcMs:
    """The last sign of life of which the time was known."""
    return alive.known_ms if alive.at.boot else alive.at.utc_ms


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
        self.core.persist(self.sign(), (), False, _heard if tell else None)

    def sign(self) -> tuple[Record, ...]:
        """A sign of life of this moment, to be written."""
        self._mark()
        return tuple(self.records())

    def cut(self) -> Stamp:
        """When the last boot ended, as nearly as is known: its next sign of life did not come. What it told is not later than this."""
        alive, now = self.core.boot.alive, self.core.stamp()
        at = now if alive is None else self.core.time.mended(alive.at)
        if at.utc_ms + CUT_MS >= now.utc_ms:
            return now
        known = at if at.boot else now  # while nobody knows the time, nobody knows how long the cut lasted
        return Stamp(at.utc_ms + CUT_MS, known.boot, known.mono_ms)

    def _mark(self) -> None:
        sessions = [(number, session) for number, session, _ in self._running() if session is not None]
        registers = tuple((number, s.last_mwh) for number, s in sessions if s.last_mwh is not None)
        self.mark = self._alive(self.core.stamp(), self.core.now.mono_ns, registers)

    def _alive(self, at: Stamp, mono_ns: MonoNs, registers: tuple[tuple[SlotId, MilliWh], ...]) -> AliveRecord:
        """With what was told of a later time: the clock has gone back since."""
        before = self.core.boot.alive if at.boot else None
        told = {} if before is None else dict(before.told)
        told.update(
            (number, tx.last_ms) for number, _, tx in self._running() if tx is not None and tx.last_ms > at.utc_ms
        )
        return AliveRecord(at, mono_ns, registers, tuple(told.items()), 0 if before is None else _known_ms(before))

    def _running(self) -> list[tuple[SlotId, Session | None, Transaction | None]]:
        """What runs, and what the last boot left and nobody has taken up yet."""
        core = self.core
        running = [(slot.id, slot.session, slot.tx) for slot in core.slots]
        return running + [(number, *left) for number, left in core.transactions.left.items()]

    def moved(self) -> None:
        """The clock has moved: the last sign of life no longer says what is told of running transactions."""
        if any(slot.session is not None for slot in self.core.slots):
            self.leave_mark()

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
        fresh: set[SessionId] = set()  # nothing was told of these yet
        last: dict[SessionId, UtcMs] = {}
        for queued in core.connection.outbox.records:
            told = queued.told
            if isinstance(told, TransactionTold) and told.kind == "started" and told.at.boot:
                fresh.add(told.session)
            told = self._mended(told, fresh)
            if isinstance(told, TransactionTold):
                last[told.session] = told.at.utc_ms
            if told is not queued.told:
                queued.told, queued.stored = told, False
                changed.append(queued)
                puts.append(Record("outbox", queued.key, queued.record(core.policies.version)))
        for number, session, tx in self._running():
            if session is not None:
                session.started = mend(session.started)
            if tx is not None:
                least = 0 if tx.id in fresh else self._least(number)
                tx.started = mend(tx.started)
                tx.last_ms = max(tx.started.utc_ms, least, last.get(tx.id, 0))
                tx.samples = self._samples(tx.samples, least)
        if self.mark is not None:
            self.mark = self._alive(mend(self.mark.at), self.mark.mono_ns, self.mark.registers)
        core.persist((*puts, *core.transactions.records(), *self.records()), (), True, self._stored, changed)
        core.metering.told_ms = 0  # and what was told before has a time that is not of these instants
        core.metering.realign()

    def _stored(self, ok: bool, changed: list[Queued]) -> None:
        if not ok:
            self.core.delivery.owe(changed)
        for queued in changed if ok else ():
            queued.stored = True

    def _mend(self, stamp: Stamp, least: UtcMs = 0) -> Stamp:
        """Not to before what was told earlier of the same transaction. What has a time may have been sent."""
        mended = self.core.time.mended(stamp)
        return stamp if mended is stamp else Stamp(max(mended.utc_ms, least))

    def _least(self, slot: SlotId) -> UtcMs:
        """What earlier boots told of a transaction on this slot is not later: by their last sign of life, and by when this boot began.

        Where the time that has become known contradicts the two it may be right; but what was told was told.
        """
        alive, core = self.core.boot.alive, self.core
        known_ms = 0 if alive is None else _known_ms(alive)
        if alive is None or not known_ms:
            return 0
        least = max(known_ms, dict(alive.told).get(slot, 0))
        began_ms = core.time.utc_ms(core.now) - (core.now.mono_ns - core.metering.booted_ns) // MILLISECOND
        most = max(least, known_ms + CUT_MS)
        if began_ms >= least:
            return min(most, began_ms)
        mark("time.contradicted")
        return most

    def _samples(self, samples: tuple[Sample, ...], least: UtcMs) -> tuple[Sample, ...]:
        return tuple(msgspec.structs.replace(s, at=self._mend(s.at, least)) for s in samples)

    def _mended(self, told: Told, fresh: set[SessionId]) -> Told:
        if not isinstance(told, TransactionTold):
            return told
        least = 0 if told.session in fresh else self._least(told.slot)
        at = self._mend(told.at, least)
        if at is told.at and not any(sample.at.boot for sample in told.samples):
            return told
        return msgspec.structs.replace(told, at=at, samples=self._samples(told.samples, least))
