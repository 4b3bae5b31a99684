"""Events into a file: one JSON object a line, appended, on the disk before they count as delivered.

A thread of the loop's pool writes and syncs what has come together, one batch at a time. After a crash the last line may be torn: it
is taken away at the next start, for its event was not delivered and comes again. Not here: rotation; who reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

RETRY_S: Final = 1.0
_TAIL_BYTES: Final = 65_536
_LOOK_S: Final = 0.05

Line = tuple[bytes, Callable[[], None]]


class EventFile:
    """An `EventSink`. `trouble` hears a sentence when writing begins to fail, once until it works again. Raises OSError.

    One process writes to a file; others may read it meanwhile.
    """

    def __init__(self, path: Path, trouble: Callable[[str], None]) -> None:
        self._path = path
        self._trouble = trouble
        self._loop = asyncio.get_running_loop()
        self._file = cast(BinaryIO, path.open("a+b", buffering=0))
        self._regular = stat.S_ISREG(
            os.fstat(self._file.fileno()).st_mode
        )  # a pipe or a terminal can be no safer than it is
        self._end = _whole_lines(self._file) if self._regular else 0
        self._waiting: list[Line] = []
        self._busy = False
        self._failing = False
        self._closed = False
        self._writing = threading.Lock()
        self._batch = b""  # with the lock held: what is to be written

    def take(self, event: bytes, done: Callable[[], None]) -> None:
        self._waiting.append((event, done))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._begin)  # after this round of the loop, with whatever else came in it

    async def drain(self) -> None:
        """Gives up where the disk fails."""
        while self._busy and not self._failing:
            await asyncio.sleep(_LOOK_S)

    def close(self) -> None:
        with self._writing:
            if self._closed:
                return
            self._closed = True
            try:
                self._append(self._batch + _lines(self._waiting))
            except OSError as error:
                self._complain(error)
            self._file.close()

    # --- inside ---

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, []
        if self._closed or not batch:
            self._busy = False
            return
        with self._writing:
            self._batch = _lines(batch)
        self._loop.run_in_executor(None, self._write).add_done_callback(lambda future: self._written(batch, future))

    def _write(self) -> None:
        """On a thread of the pool. Raises OSError."""
        with self._writing:
            if not self._closed:
                data, self._batch = self._batch, b""
                self._append(data)

    def _written(self, batch: list[Line], future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None:
            self._failing = False
            for _, done in batch:
                done()
            self._begin()
            return
        self._waiting = batch + self._waiting
        self._complain(error)
        if not self._closed:
            self._loop.call_later(RETRY_S, self._begin)

    def _complain(self, error: BaseException) -> None:
        if not self._failing:
            self._failing = True
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._trouble(f"events cannot be written to {self._path}: {why}; they wait")

    def _append(self, data: bytes) -> None:
        """A batch that cannot be written whole leaves nothing behind. Raises OSError."""
        try:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            if self._regular:
                os.fsync(self._file.fileno())
        except OSError:
            if self._regular:
                with contextlib.suppress(OSError):
                    self._file.truncate(self._end)
            raise
        self._end += len(data)


def _lines(batch: list[Line]) -> bytes:
    return b"".join(line + b"\n" for line, _ in batch)


def _whole_lines(file: BinaryIO) -> int:
    """Where the next line goes: behind the last whole one. What is torn, and no JSON, is cut off."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    last = file.read().rpartition(b"\n")[2]
    if not last:
        return size
    try:
        msgspec.json.decode(last)
    except msgspec.DecodeError:
        file.truncate(size - len(last))
        return size - len(last)
    file.write(b"\n")
    return size + 1
