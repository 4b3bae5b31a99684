"""What is written down while the CSMS runs: every event is judged, booked, put into the file and told to who listens.

Not here: connections (reception.py, server.py), what events mean (books.py) and what is wrong with them (judge.py).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.csms.bookfile import BookFile
from sim.csms.books import Books, Event, Note, Violation, utc_text
from sim.csms.clock import Clock
from sim.csms.control import Behaviour
from sim.csms.judge import judge
from sim.csms.recent import Recent


class Ledger:
    """The books, their file, and the clock and the behaviour that decide what gets into them."""

    def __init__(
        self,
        path: Path | None,
        behaviour: Behaviour | None,
        clock: Clock | None,
        listener: Callable[[Event], None] | None,
    ) -> None:
        """`path`: None keeps the books in memory. `listener` hears every event."""
        self.behaviour = behaviour or Behaviour()
        self.clock = clock or Clock()
        self.books = Books()
        self.recent = Recent()
        self.last_id = 0  # the transactionId given last
        self._file = BookFile(path)
        self._listener = listener
        self._counted: Counter[str] = Counter()
        self._news = asyncio.Event()

    def open(self) -> None:
        """Read what already stands in the file."""
        for event in self._file.open():
            self.books.apply(event)
        self.last_id = max((one.start.transaction for one in self.books.transactions), default=0)

    async def close(self) -> None:
        await self.durable()
        self._file.close()

    async def until(self, true: Callable[[Books], object], within_s: float = 10.0) -> None:
        """Wait for something to stand in the books. TimeoutError."""
        async with asyncio.timeout(within_s):
            while not true(self.books):
                self._news.clear()
                await self._news.wait()

    def at(self) -> str:
        return utc_text(self.clock.now_ms())

    def record(self, event: Event, action: str) -> None:
        """Judge, then book."""
        findings = list(judge(self.books, event))
        self._counted[action] += 1
        self._put(event, lost=(action, self._counted[action]) in self.behaviour.lose)
        for code, detail in findings:
            self.violation(event.station, event.message, code, detail)

    def violation(self, station: str, message: str, code: str, detail: str) -> None:
        self._put(Violation(at=self.at(), station=station, message=message, code=code, detail=detail))

    def note(self, what: str, station: str = "", message: str = "", **more: Any) -> None:
        self._put(Note(at=self.at(), station=station, message=message, what=what, **more))

    def _put(self, event: Event, lost: bool = False) -> None:
        self.books.apply(event)
        self._news.set()
        if lost:
            return
        self._file.append(event)
        if self._listener is not None:
            self._listener(event)

    async def durable(self) -> None:
        """Return when all that was booked so far would survive a power cut."""
        await self._file.sync()

    def next_id(self) -> int:
        match self.behaviour.ids:
            case "zero":
                return 0
            case "one":
                return 1
            case _:
                self.last_id += 1
                return self.last_id
