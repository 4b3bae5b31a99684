"""The store of simulated stations: records held in memory, lost with the process.

Not here: durability, delays, failures. It keeps the contract of hal/store.py as a perfect disk would: what it took is stored. Made for
ten thousand stations: bodies are kept as they came, never encoded, and a station that stores nothing costs nothing.
"""

from __future__ import annotations

from collections import deque
from functools import cache

import msgspec

from hal.disk import Persist, Record, RecordKey, Stored
from hal.store import Damaged, Image, Post, Tell
from hal.units import Ticket
from station.words import records


class MemoryStore:
    """See hal.store.Store. `post` may be any first-in-first-out queue of the loop; one call of it serves all answers of a burst."""

    __slots__ = ("_post", "_posted", "_rows", "_tell", "_waiting", "damaged")

    def __init__(self, tell: Tell, post: Post) -> None:
        self.damaged: list[Damaged] = []
        self._tell = tell
        self._post = post
        # the body, or the whole record in the rare case that its layout is not this program's
        self._rows: dict[str, dict[RecordKey, msgspec.Struct]] = {}
        self._waiting: deque[tuple[str, Ticket]] = deque()
        self._posted = False

    def load(self, station: str) -> Image:
        if self._waiting:
            self._waiting = deque(item for item in self._waiting if item[0] != station)
        image: Image = {}
        for (kind, key), body in sorted(self._rows.get(station, {}).items(), key=lambda row: row[0]):
            value: msgspec.Struct | None = body
            if isinstance(body, Record):
                value = records.read(kind, body.v, msgspec.json.encode(body.body))
            if value is not None:
                image.setdefault(kind, {})[key] = value
        return image

    def persist(self, station: str, batch: Persist) -> None:
        rows = self._rows.get(station)
        if rows is None:
            rows = self._rows[station] = {}
        for gone in batch.forgets:
            rows.pop(gone, None)
        for record in batch.puts:
            key = (record.kind, record.key) if record.key else _only(record.kind)
            rows[key] = record.body if record.v == records.LAYOUT else record
        if not rows:
            del self._rows[station]
        if batch.ticket:
            self._waiting.append((station, batch.ticket))
            if not self._posted:
                self._posted = True
                self._post(self._answer)

    def forget(self, station: str, keys: tuple[RecordKey, ...]) -> None:
        rows = self._rows.get(station)
        if rows is None:
            return
        for key in keys:
            rows.pop(key, None)
        if not rows:
            del self._rows[station]

    def _answer(self) -> None:
        """Tell those who waited when this began; who comes meanwhile is served by the next round."""
        try:
            for _ in range(len(self._waiting)):
                if self._waiting:  # a `load` in between may have emptied it
                    station, ticket = self._waiting.popleft()
                    self._tell(station, Stored(ticket))
        finally:
            self._posted = bool(self._waiting)
            if self._posted:
                self._post(self._answer)

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._waiting.clear()


@cache
def _only(kind: str) -> RecordKey:
    """The key of a kind of which a station has one; shared by all stations."""
    return (kind, "")
