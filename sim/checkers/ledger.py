"""The transaction messages of one station, as its disk was given them and as they went over the wire. Data and bookkeeping; no judgement.

A row stands for one outbox record from its first batch until it is forgotten; a `Life` for one transaction, over any number of boots.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from hal.units import MonoNs
from station.words.facts import TransactionTold
from station.words.records import Image, OutboxRecord

GONE: Final = 512


class Row:
    """One record. `durable`: the disk has confirmed it; `refused`: the disk has refused it; `tries` failed while connected, as seen."""

    __slots__ = (
        "answered",
        "attempts",
        "call",
        "durable",
        "fact",
        "id",
        "key",
        "put_ns",
        "refused",
        "sent_id",
        "sent_ns",
        "tries",
    )

    def __init__(self, key: str, record: OutboxRecord, now_ns: MonoNs) -> None:
        self.key = key
        self.id = record.message_id
        self.fact = record.fact
        self.attempts = self.tries = record.attempts
        self.durable = self.refused = self.answered = False
        self.put_ns = now_ns  # 0: before the boot in which it was found on the disk, and not known from then
        self.sent_id = ""
        self.sent_ns: MonoNs = 0
        self.call: tuple[str, dict[str, Any]] | None = None  # action and payload as sent last

    @property
    def transaction(self) -> str:
        return self.fact.session or ""

    @property
    def kind(self) -> Literal["started", "updated", "ended", "meter"]:
        return self.fact.kind if isinstance(self.fact, TransactionTold) else "meter"

    @property
    def boundary(self) -> bool:
        return self.kind in ("started", "ended")


class Life:
    """One transaction. `number` is the CSMS's; `lost`: a record of it became a dead letter; `promised`: its start was confirmed."""

    __slots__ = ("ended", "lost", "number", "promised", "slot", "started")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.promised = False
        self.started = False  # the CSMS has answered its start
        self.ended = False  # and its end
        self.lost = False
        self.number: int | None = None


class Ledger:
    """`rows` by key in the order in which they were put; `by_id` finds a row by its message id; `lives` by our id of the transaction."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.by_id: dict[str, str] = {}
        self.lives: dict[str, Life] = {}
        self._gone: dict[str, Row] = {}  # forgotten lately: a cut may bring them back

    def row(self, message_id: str) -> Row | None:
        """The record behind an own call."""
        key = self.by_id.get(message_id)
        return None if key is None else self.rows.get(key)

    def load(self, image: Image) -> None:
        """A core begins: what is on the disk is what there is."""
        old = {**self._gone, **self.rows}
        self._gone = {}
        self.rows, self.by_id = {}, {}
        for key, record in sorted(image.get("outbox", {}).items()):
            assert isinstance(record, OutboxRecord)
            row = self.rows[key] = Row(key, record, 0)
            row.durable = True
            self.by_id[row.id] = key
            before = old.get(key)
            if before is not None and before.transaction == row.transaction and before.kind == row.kind:
                row.call, row.sent_id, row.sent_ns = before.call, before.sent_id, before.sent_ns
                row.put_ns, row.tries = before.put_ns, max(row.tries, before.tries)
            self._life(row).promised |= row.kind == "started"

    def _life(self, row: Row) -> Life:
        life = self.lives.get(row.transaction)
        if life is None:
            life = self.lives[row.transaction] = Life(row.fact.slot)
        return life

    def put(self, key: str, record: Any, now_ns: MonoNs) -> None:
        assert isinstance(record, OutboxRecord)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row(key, record, now_ns)
            self._life(row)
        else:
            self.by_id.pop(row.id, None)
        row.id, row.fact, row.attempts = record.message_id, record.fact, record.attempts
        self.by_id[row.id] = key

    def forgot(self, key: str) -> None:
        row = self.rows.pop(key, None)
        if row is not None:
            self.by_id.pop(row.id, None)
            self._gone[key] = row
            if len(self._gone) > GONE:
                self._gone = dict(list(self._gone.items())[-GONE // 2 :])

    def stored(self, key: str) -> None:
        row = self.rows.get(key)
        if row is not None:
            row.durable = True
            if row.kind == "started":
                self._life(row).promised = True

    def store_failed(self, key: str) -> None:
        row = self.rows.get(key)
        if row is not None:
            row.refused = True

    def sent(self, key: str | None, action: str, payload: dict[str, Any], now_ns: MonoNs) -> None:
        row = self.rows.get(key) if key is not None else None
        if row is not None:
            row.call, row.sent_id, row.sent_ns = (action, payload), row.id, now_ns

    def answered(self, key: str, payload: dict[str, Any]) -> None:
        row = self.rows.get(key)
        if row is None:
            return
        row.answered = True
        life = self._life(row)
        if row.kind == "started":
            life.started, life.number = True, payload.get("transactionId")
        elif row.kind == "ended":
            life.ended = True
