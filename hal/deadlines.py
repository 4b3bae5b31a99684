"""The table of deadlines that a core keeps. Not here: what they are for (`clock.Due`), any clock."""

from __future__ import annotations

from typing import Final

from hal.clock import DeadlineKey, Due
from hal.units import MonoNs, SlotId


class Deadlines:
    """The one table of deadlines of a station. Absolute monotonic nanoseconds; one entry a key.

    A handful of entries at a time: two short lists cost a third of a dict's memory, ten thousand times over.
    """

    __slots__ = ("_ats", "_earliest", "_keys")

    def __init__(self) -> None:
        self._keys: list[DeadlineKey] = []
        self._ats: list[MonoNs] = []
        self._earliest: MonoNs | None = None

    @property
    def earliest(self) -> MonoNs | None:
        return self._earliest

    def set(self, due: Due, at_ns: MonoNs, slot: SlotId = 0) -> None:
        key, keys = _key(due, slot), self._keys
        if key in keys:
            index = keys.index(key)
            was, self._ats[index] = self._ats[index], at_ns
        else:
            was = None
            keys.append(key)
            self._ats.append(at_ns)
        earliest = self._earliest
        if earliest is None or at_ns <= earliest:
            self._earliest = at_ns
        elif was == earliest:
            self._earliest = min(self._ats)

    def cancel(self, due: Due, slot: SlotId = 0) -> None:
        key = _key(due, slot)
        if key not in self._keys:
            return
        index = self._keys.index(key)
        del self._keys[index]
        was = self._ats.pop(index)
        if was == self._earliest:
            self._earliest = min(self._ats, default=None)

    def at(self, due: Due, slot: SlotId = 0) -> MonoNs | None:
        key = _key(due, slot)
        return self._ats[self._keys.index(key)] if key in self._keys else None

    def pending(self, due: Due, slot: SlotId = 0) -> bool:
        return _key(due, slot) in self._keys

    def pop_due(self, now_ns: MonoNs) -> list[DeadlineKey]:
        """All keys whose time has come, in order of (deadline, key); they are gone from the table."""
        if self._earliest is None or self._earliest > now_ns:
            return []
        due = sorted(entry for entry in zip(self._ats, self._keys, strict=True) if entry[0] <= now_ns)
        left = [entry for entry in zip(self._ats, self._keys, strict=True) if entry[0] > now_ns]
        self._ats = [at for at, _ in left]
        self._keys = [key for _, key in left]
        self._earliest = min(self._ats, default=None)
        return [key for _, key in due]


def _key(due: Due, slot: SlotId) -> DeadlineKey:
    shared = KEYS[due]
    return shared[slot] if slot < len(shared) else (due, slot)


# Shared keys, so that ten thousand stations do not hold ten thousand equal tuples.
KEYS: Final[dict[Due, list[DeadlineKey]]] = {due: [(due, slot) for slot in range(9)] for due in Due}
