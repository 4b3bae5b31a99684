"""The file behind the books of a CSMS, appended to and synced. What its lines mean is in books.py."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec

from sim.csms.books import BooksError, Event, read_events

BEGINNING = b'{"kind":'  # of every line


class BookFile:
    """The file behind the books, or nothing at all without a path. One writer; every line is there to read at once."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None
        self._written = self._synced = 0
        self._syncing = asyncio.Lock()

    def open(self) -> list[Event]:
        """What already stands in the file. A last line cut off by a power cut is taken away. Raises BooksError for what is none."""
        if self._path is None:
            return []
        if self._path.exists():
            events = list(read_events(self._path))  # before anything is taken away
            rest = self._path.read_bytes().rpartition(b"\n")[2]
            if not rest.startswith(BEGINNING[: len(rest)]):
                raise BooksError(f"{self._path}: its last line is none of these books, and does not end")
        else:
            events = []
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        os.truncate(self._file, self._path.read_bytes().rfind(b"\n") + 1)
        return events

    def append(self, event: Event) -> None:
        if self._file is not None:
            os.write(self._file, msgspec.json.encode(event) + b"\n")
            self._written += 1

    async def sync(self) -> None:
        """Return when all that was appended before is on the disk. Who comes meanwhile shares the next sync."""
        needed = self._written
        async with self._syncing:
            if self._file is not None and needed > self._synced:
                reached = self._written
                await asyncio.to_thread(os.fsync, self._file)
                self._synced = reached

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
