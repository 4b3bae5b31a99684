"""The file behind the books of a CSMS, appended to and synced. What its lines mean is in books.py."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import msgspec

from sim.csms.books import BooksError, Event, read_events

BEGINNING = b'{"kind":'  # of every line


class BookFile:
    """The file behind the books, or nothing at all without a path. One writer at a time; every line is there to read at once."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None
        self._written = self._synced = 0
        self._syncing = asyncio.Lock()

    def open(self) -> list[Event]:
        """What already stands in the file. A last line cut off by a power cut is taken away. Raises BooksError for what is none, and
        where another CSMS writes to it: two of them would give the same transactionIds."""
        if self._path is None:
            return []
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            _claim(self._file, self._path)
            events = list(read_events(self._path))  # before anything is taken away
            text = self._path.read_bytes()
            rest = text.rpartition(b"\n")[2]
            if not rest.startswith(BEGINNING[: len(rest)]):
                raise BooksError(f"{self._path}: its last line is none of these books, and does not end")
            os.truncate(self._file, len(text) - len(rest))
        except BaseException:
            self.close()
            raise
        return events

    def append(self, event: Event) -> None:
        """Raises OSError where there is no room, and leaves no half line."""
        if self._file is None:
            return
        line, end = msgspec.json.encode(event) + b"\n", os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.truncate(self._file, end)
            raise
        self._written += 1

    async def sync(self) -> None:
        """Return when all that was appended before is on the disk. Who comes meanwhile shares the next sync. Raises OSError."""
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


def _claim(file: int, path: Path) -> None:
    """Until it is closed, for us alone to write. Readers are not kept out; where there are no such locks, nobody is."""
    try:
        import fcntl
    except ImportError:  # nowhere on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BooksError(f"{path}: another CSMS writes these books; give this one a file of its own") from None
    except OSError:  # a file system without locks
        return
