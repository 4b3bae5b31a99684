"""How all stations of a run stand, for the live view: one word a station, counted. Not here: how one of them stands (`view.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sim.live import Live
from sim.panel import CLASSES
from station.words.common import SlotStatus

PART: Final = 500  # stations that one look counts; it takes about a millisecond
_WORD: Final = {
    SlotStatus.FAULTED: "faulted",
    SlotStatus.CHARGING: "charging",
    SlotStatus.UNAVAILABLE: "unavailable",
    SlotStatus.AVAILABLE: "available",
}
_RANK: Final = ("faulted", "charging", "occupied", "available", "unavailable")


def standing(live: Live, identity: str) -> str:
    """One of CLASSES: offline before all, then what counts most of its slots; `occupied` is every other status."""
    core = live.unit(identity).core if identity in live.boards else None
    if core is None or not core.connection.online:
        return "offline"
    if any(fault.row.faulted for fault in core.faults.station):
        return "faulted"
    words = {_WORD.get(slot.status, "occupied") for slot in core.slots}
    return next(word for word in _RANK if word in words)


class Overview:
    """Counts the stations, some at each look: thousands at once would hold up the loop."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._walk: Iterator[str] = iter(live.ids)
        self._counting: dict[str, int] = {}
        self.counts: dict[str, int] = dict.fromkeys(CLASSES, 0)

    def look(self) -> None:
        """Go on counting; `counts` is new when all have been looked at."""
        for _ in range(PART):
            identity = next(self._walk, None)
            if identity is None:
                self.counts = {word: self._counting.get(word, 0) for word in CLASSES}
                self._counting, self._walk = {}, iter(self._live.ids)
                return
            word = standing(self._live, identity)
            self._counting[word] = self._counting.get(word, 0) + 1

    def after(self, station: int, words: tuple[str, ...]) -> int | None:
        """The place of the next station that stands so, the one at `station` last; None where there is none."""
        ids = self._live.ids
        for step in range(1, len(ids) + 1):
            place = (station + step) % len(ids)
            if standing(self._live, ids[place]) in words:
                return place
        return None
