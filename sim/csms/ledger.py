"""What is written down while the CSMS runs: every event is judged, booked, put into the file and told to who listens.

Not here: connections (reception.py, server.py), what events mean (books.py) and what is wrong with them (judge.py).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.csms.bookfile import BookFile
from sim.csms.books import Books, BooksError, Event, Note, Violation, utc_text
from sim.csms.clock import Clock
from sim.csms.control import Behaviour
from sim.csms.judge import judge
from sim.csms.recent import Recent


class Ledger(ABC):
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
        self.broken = asyncio.Event()  # the file takes no more: from then on nothing is answered
        self._file, self._path, self._why = BookFile(path), path, ""
        self._listener = listener
        self._counted: Counter[str] = Counter()
        self._news = asyncio.Event()

    def open(self) -> None:
        """Read what already stands in the file."""
        for event in self._file.open():
            self.books.apply(event)
        self.last_id = max((one.start.transaction for one in self.books.transactions), default=0)

    async def close(self) -> None:
        """Raises BooksError where the file does not hold all that was booked."""
        await self.durable()
        self._file.close()
        if self._why:
            raise BooksError(f"{self._path}: {self._why}; the books end here, and nothing was answered any more")

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
        if lost or self._why:
            return
        try:
            self._file.append(event)
        except OSError as error:
            return self._break(error)
        if self._listener is not None:
            self._listener(event)
        return None

    def _break(self, error: OSError) -> None:
        self._why = error.strerror or str(error)
        self.broken.set()
        self.cut_off()

    @abstractmethod
    def cut_off(self) -> None:
        """Cut every connection without a word: what cannot be booked is not answered."""

    async def durable(self) -> None:
        """Return when all that was booked so far would survive a power cut, or never will."""
        try:
            await self._file.sync()
        except OSError as error:
            self._break(error)

    def next_id(self) -> int:
        match self.behaviour.ids:
            case "zero":
                return 0
            case "one":
                return 1
            case _:
                self.last_id += 1
                return self.last_id
