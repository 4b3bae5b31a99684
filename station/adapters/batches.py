"""Batches on their way to a disk: how long they may wait, what a group of them comes to, and how rows become an image again.

What the stores with a disk have in common. Not here: any disk, thread or clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from hal.disk import Persist, Record, RecordKey, StoreFailed
from hal.store import Answer, Damaged, Image
from hal.units import Ticket
from station.words import records

Change: TypeAlias = Persist | tuple[RecordKey, ...]  # a batch, or the keys of a Forget
Op: TypeAlias = tuple[str, Change]  # the station, and what it asked for
Row: TypeAlias = tuple[str, str, str]  # station, kind, key

IDLE_MS: Final = 1000  # how long a batch may wait for company when nobody waits for it
GROUP_MS: Final = (
    250  # ... and when somebody does: long enough for most calls to be answered, so that their records never get here
)
BALLAST_BYTES: Final = 4 << 20


def check_group(group_ms: int) -> int:
    """The same number. Raises ValueError outside of 50 to 1000 ms, the bounds of the contract."""
    if not 50 <= group_ms <= IDLE_MS:
        raise ValueError(f"group_ms is {group_ms}; it must be 50 to {IDLE_MS}")
    return group_ms


class Group:
    """What a run of changes comes to: rows to remove, then rows to put. Later changes win; nothing is encoded here."""

    __slots__ = ("drops", "puts", "urgent")

    def __init__(self, ops: Iterable[Op]) -> None:
        self.puts: dict[Row, Record] = {}
        self.drops: dict[Row, None] = {}
        self.urgent = False
        for station, change in ops:
            if isinstance(change, tuple):
                self._remove(station, change)
                continue
            if change.forgets:
                self._remove(station, change.forgets)
            for record in change.puts:
                self.puts[station, record.kind, record.key] = record
            if change.urgent:
                self.urgent = True

    def _remove(self, station: str, keys: tuple[RecordKey, ...]) -> None:
        for kind, key in keys:
            row = (station, kind, key)
            self.puts.pop(row, None)
            self.drops[row] = None  # an older put of this key may be on the disk

    def ops(self) -> list[Op]:
        """The same changes as one batch a station for which nobody waits."""
        gone: dict[str, list[RecordKey]] = {}
        for station, kind, key in self.drops:
            gone.setdefault(station, []).append((kind, key))
        puts: dict[str, list[Record]] = {}
        for (station, _, _), record in self.puts.items():
            puts.setdefault(station, []).append(record)
        stations = dict.fromkeys((*gone, *puts))
        return [(name, Persist(0, tuple(puts.get(name, ())), tuple(gone.get(name, ())))) for name in stations]


def ticket_of(change: Change) -> Ticket:
    """Who waits for it; 0 is nobody."""
    return 0 if isinstance(change, tuple) else change.ticket


def failures(ops: Iterable[Op], why: str) -> list[tuple[str, Answer]]:
    """One StoreFailed for everybody who waits."""
    return [(station, StoreFailed(ticket, why)) for station, change in ops if (ticket := ticket_of(change))]


def unanswerable(ops: Iterable[Op]) -> list[Op]:
    """The changes whose loss could be told to nobody: they are tried again after a failure."""
    return [op for op in ops if not ticket_of(op[1])]


def image_of(station: str, rows: Iterable[tuple[str, str, int, bytes]]) -> tuple[Image, list[Damaged]]:
    """Fold rows (kind, key, v, body) into an image; rows that cannot be read come back as the second part. Raises NewerRecord."""
    image: Image = {}
    damaged: list[Damaged] = []
    for kind, key, v, body in rows:
        try:
            value = records.read(kind, v, body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            damaged.append(Damaged(station, kind, key, str(error)))
            continue
        if value is not None:
            image.setdefault(kind, {})[key] = value
    return image, damaged
