"""The port to a store: what keeps the records of all stations of a host. Shapes only; hal/disk.py says what its words promise.

Not here: any store. They are `station/adapters/sqlite.py`, `station/adapters/memory.py` and `sim/disk.py`, and
`tests/contracts/test_store.py` holds all three to the sentences below. Bodies are `Any` because records live one floor up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import msgspec

from hal.disk import Persist, RecordKey, Stored, StoreFailed

Image: TypeAlias = dict[str, dict[str, Any]]  # kind -> key -> body: the fold of a station's durable records
Answer: TypeAlias = Stored | StoreFailed
Tell: TypeAlias = Callable[
    [str, Answer], None
]  # station, answer; called on the loop's thread, never from inside `persist` or `load`
Post: TypeAlias = Callable[..., object]  # Scheduler.post


class Damaged(msgspec.Struct, frozen=True, gc=False):
    """A row that is on the disk and cannot be read; `str()` is a sentence for the operator. The row stays until put or forgotten again.

    With an empty `kind` the file itself is damaged, and rows after this point are missing.
    """

    station: str
    kind: str
    key: str
    why: str

    def __str__(self) -> str:
        what = f"record {self.kind!r} {self.key!r}" if self.kind else "part of the store"
        return f"{self.station}: {what} is damaged and was left out: {self.why}"


class Store(Protocol):
    """Keeps records by (station, kind, key). Every member is called on the loop's thread.

    - `Stored` only when durable. A batch is whole or not at all. If a batch is durable, so are all before it.
    - Answers come in the order of their batches. Ticket 0 is never answered.
    - `urgent` is written at once, a batch with a ticket within 50 ms to 1 s, all else within 1 s of the oldest that waits.
    - A `forget` that meets its own unwritten put removes both.
    - After `StoreFailed` every batch given before it was told has failed too. What has ticket 0, and every `forget`, is kept and tried
      again, because nobody could be told that it was lost.
    """

    damaged: list[Damaged]  # found by `load`, the latest look at each station

    def load(self, station: str) -> Image:
        """Write what waits, then read: all records of a station, keys in order.

        Tickets given before are not answered any more: a restarted core counts its own. Damaged rows are left out and listed in
        `damaged`. Raises station.words.records.NewerRecord when a later program wrote the station's records.
        """
        ...

    def persist(self, station: str, batch: Persist) -> None:
        """Take a batch; returns at once. Its `forgets` apply before its `puts`."""
        ...

    def forget(self, station: str, keys: tuple[RecordKey, ...]) -> None:
        """Remove records some time soon; keys that are not there do no harm. Returns at once."""
        ...

    def free_bytes(self) -> int | None:
        """Room left on the disk in bytes; None where there is no disk to fill."""
        ...

    def close(self) -> None:
        """Write what waits and let go of the disk. Nothing is told afterwards. May be called twice."""
        ...
