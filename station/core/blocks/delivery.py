"""Delivery: what is promised to the CSMS is queued, on the disk, told, and forgotten; or given up, and kept for a month (station.md §9).

A boundary of a transaction leaves only when it is durable. When more waits than may, periodic values are thinned; when only boundaries are
left, no new session starts and the operator is told. Not here: what is promised (`transactions`), the queue itself (`ocpp_client/outbox`),
sending (`connection`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from hal.clock import Due
from hal.disk import Forget, Record, RecordKey
from hal.marks import mark
from hal.units import Cause
from ocpp_client.outbox import Queued, Told
from statemachine.faults import By
from statemachine.slot import Slot
from station.words.facts import TransactionTold
from station.words.records import DeadLetter, DialectRecord, Image, OutboxRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

KEPT_MS: Final = 30 * 86_400_000
DEAD_BOUND: Final = 10_000  # letters; a CSMS that refuses everything for a month must not fill the disk
LOOK_AGAIN: Final = 1024  # records, after nothing more could be thinned
AGAIN_S: Final = 10  # after the disk has refused something
DAY_S: Final = 86_400


class Delivery:
    """`dead` are letters by key; `owed` is what the disk refused: records to be put, and keys (None) to be forgotten.

    `full`: only boundaries are left. `look_at`: the number of the record from which on thinning is worth a look.
    """

    __slots__ = ("core", "dead", "full", "look_at", "owed")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.dead: dict[str, DeadLetter] | None = None
        self.owed: dict[RecordKey, Queued | None] | None = None
        self.full = False
        self.look_at = 0

    # --- the disk ---

    def restore(self, image: Image) -> None:
        connection = self.core.connection
        for key, record in sorted(image.get("outbox", {}).items()):
            assert isinstance(record, OutboxRecord)
            connection.outbox.restore(int(key), record)
        for key, record in image.get("dialect", {}).items():
            assert isinstance(record, DialectRecord)
            connection.transactions[key] = record.transaction
        for key, record in sorted(image.get("dead", {}).items()):
            assert isinstance(record, DeadLetter)
            self.dead = self.dead or {}
            self.dead[key] = record
            connection.outbox.counter = max(connection.outbox.counter, int(key))

    def begin(self) -> None:
        """Everything is restored."""
        self.look()
        self._room()

    def records(self) -> list[Record]:
        rows = [
            Record("dialect", key, DialectRecord(number)) for key, number in self.core.connection.transactions.items()
        ]
        return rows + [Record("dead", key, letter) for key, letter in (self.dead or {}).items()]

    # --- promises ---

    def tell(self, told: Told, more: tuple[Record, ...]) -> None:
        """Queue a value and write it, with what goes with it; it may leave before the disk has it, and is lost with it at worst."""
        core = self.core
        queued = core.connection.put(told)
        core.persist((Record("outbox", queued.key, queued.record(core.policies.version)), *more))
        self._room()

    def promise(
        self,
        told: Told,
        puts: tuple[Record, ...],
        forgets: tuple[RecordKey, ...],
        urgent: bool,
        waits: Slot | None = None,
    ) -> None:
        """Queue a record and write it in one batch with what goes with it; only then does it leave.

        `waits`: power waits for it on this slot, and if the disk refuses, it has not happened. Else it waits until the disk works again:
        what was told and is not on the disk would be told twice after a cut.
        """
        core = self.core
        queued = core.connection.put(told)
        queued.stored = False
        record = Record("outbox", queued.key, queued.record(core.policies.version))
        core.persist((record, *puts), forgets, urgent, self._stored, queued, forgets, waits)
        self._room()

    def keep(self, puts: tuple[Record, ...], forgets: tuple[RecordKey, ...], waits: Slot | None = None) -> None:
        """Write what belongs to a boundary that nobody is told of."""
        self.core.persist(puts, forgets, True, self._stored, None, forgets, waits)

    def _stored(self, ok: bool, queued: Queued | None, forgets: tuple[RecordKey, ...], waits: Slot | None) -> None:
        core = self.core
        if ok and queued is not None:
            queued.stored = True
        elif not ok and waits is None:
            self.owe(() if queued is None else (queued,), forgets)
        elif not ok and queued is not None and waits is not None:
            core.connection.outbox.done(queued)
            core.emit(Forget((("outbox", queued.key),)))  # it may have been slow, and be there after all
            if isinstance(queued.told, TransactionTold) and queued.told.kind == "started":
                waits.tx = None
        if waits is not None:
            core.power.stored(waits, ok)
        core.provisioning.progress()

    def owe(self, records: Iterable[Queued], forgets: Iterable[RecordKey] = ()) -> None:
        """The disk has refused these; they wait, and others need not wait for them."""
        mark("delivery.owed")
        rows: dict[RecordKey, Queued | None] = {("outbox", queued.key): queued for queued in records}
        for queued in records:
            self.core.connection.outbox.let_pass(queued)
        self.owed = {**(self.owed or {}), **rows, **dict.fromkeys(forgets)}
        self.core.after(Due.ALIVE, AGAIN_S)

    def again(self) -> None:
        """Try what the disk refused, and the sessions as they are now."""
        owed, self.owed = self.owed, None
        if owed is None:
            return
        core = self.core
        records = [queued for queued in owed.values() if queued is not None]
        forgets = tuple(key for key, queued in owed.items() if queued is None)
        puts = [Record("outbox", queued.key, queued.record(core.policies.version)) for queued in records]
        core.persist((*puts, *core.transactions.records()), forgets, True, self._again_stored, records, forgets)

    def _again_stored(self, ok: bool, records: list[Queued], forgets: tuple[RecordKey, ...]) -> None:
        if not ok:
            self.owe(records, forgets)
            return
        for queued in records:
            queued.stored = True
        self.core.provisioning.progress()

    def _room(self) -> None:
        core, outbox = self.core, self.core.connection.outbox
        if not outbox.over or outbox.counter < self.look_at:
            return
        thinned = outbox.thin()
        if thinned:
            mark("outbox.thinned")
            core.emit(Forget(tuple(("outbox", queued.key) for queued in thinned)))
            core.note("warning", "outbox.thinned", 0, len(thinned))
        if outbox.over:
            self.look_at = outbox.counter + LOOK_AGAIN
            if not self.full:
                mark("outbox.full")
                self.full = True
                core.note("error", "outbox.full", 0, outbox.waiting)
                core.faults.found(Cause.STORE, 0, "nothing more can wait for the CSMS", By.QUEUE)

    # --- what becomes of them ---

    def numbered(self, told: Told, transaction: int) -> None:
        """The CSMS's own number for a transaction: kept until its end has been delivered."""
        if isinstance(told, TransactionTold):
            self.core.connection.transactions[told.session] = transaction
            self.core.persist((Record("dialect", told.session, DialectRecord(transaction)),))

    def delivered(self, queued: Queued) -> None:
        """It leaves the disk, and with the end of a transaction its number."""
        self.core.emit(Forget((("outbox", queued.key), *self._number(queued.told))))
        self._less()

    def _number(self, told: Told) -> tuple[RecordKey, ...]:
        numbers = self.core.connection.transactions
        if isinstance(told, TransactionTold) and told.kind == "ended" and numbers.pop(told.session, None) is not None:
            return (("dialect", told.session),)
        return ()

    def _less(self) -> None:
        if self.full and not self.core.connection.outbox.over:
            self.full = False
            self.core.faults.over(Cause.STORE, 0, By.QUEUE)

    def attempted(self, queued: Queued, gone: bool, why: str) -> None:
        """A try failed while connected; given up, the record becomes a dead letter."""
        core = self.core
        record = queued.record(core.policies.version)
        if not gone:
            core.persist((Record("outbox", queued.key, record),))
            return
        mark("outbox.dead_letter")
        letter = DeadLetter(record, why, core.stamp())
        if self.dead is None:
            self.dead = {}
        self.dead[queued.key] = letter
        core.note("error", "outbox.dead_letter", 0, queued.message_id, why)
        core.persist((Record("dead", queued.key, letter),), (("outbox", queued.key), *self._number(queued.told)))
        core.events.dead_letter(queued.key, letter)
        self.look()
        self._less()

    def look(self) -> None:
        """Dead letters that are too old, or too many, go."""
        if self.dead is None:
            return
        core = self.core
        before_ms = core.time.utc_ms(core.now) - KEPT_MS
        old = [key for key, letter in self.dead.items() if letter.at.utc_ms < before_ms]
        old += [key for key in self.dead if key not in old][: max(0, len(self.dead) - len(old) - DEAD_BOUND)]
        for key in old:
            del self.dead[key]
        if old:
            core.emit(Forget(tuple(("dead", key) for key in old)))
        if not self.dead:
            self.dead = None
        elif not core.deadlines.pending(Due.ALIVE):
            core.after(Due.ALIVE, DAY_S)
