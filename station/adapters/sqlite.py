"""The durable store: one SQLite file for all stations of a host, written by one thread, many batches to a commit.

The loop's thread only appends to a queue; the writer folds what waits, encodes it, commits, and posts one call to the loop that tells
everybody. Not here: the file (station/adapters/sqlite_file.py), and what a group of batches comes to (station/adapters/batches.py).

To kill the process proves nothing about durability: it loses nothing even where nothing was ever synced. What counts is the order of
sync and answer, and `on_sync` lets a test see it.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from hal.disk import Persist, RecordKey, Stored
from hal.store import Answer, Damaged, Image, Post, Tell
from station.adapters.batches import (
    BALLAST_BYTES,
    GROUP_MS,
    IDLE_MS,
    Group,
    Op,
    check_group,
    failures,
    image_of,
    ticket_of,
    unanswerable,
)
from station.adapters.sqlite_file import RecordFile, encode

RETRY_S: Final = 1.0  # what nobody waits for is tried again so long after a failure

# What encoding raises.
UNWRITABLE: Final = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


class SqliteStore:
    """See hal.store.Store.

    `group_ms` is how long a batch with a ticket may wait for company (50 to 1000). `ballast_bytes` is the reserve beside the file, 0 for
    none. `on_sync(n)` is called by whichever thread committed, right after the commit has returned and before anybody is told: all of
    the first n calls of `persist` and `forget` are durable, save those told as failed. Raises StoreError when the file cannot be used.
    """

    def __init__(
        self,
        path: Path | str,
        tell: Tell,
        post: Post,
        *,
        group_ms: int = GROUP_MS,
        ballast_bytes: int = BALLAST_BYTES,
        on_sync: Callable[[int], None] | None = None,
    ) -> None:
        self.damaged: list[Damaged] = []
        self._group_s = check_group(group_ms) / 1000
        self._file = RecordFile(Path(path), ballast_bytes)
        self._tell = tell
        self._post = post
        self._on_sync = on_sync
        # Both queues have one end at the loop and one at the writer. None among the ops: here the loop had heard of one failure more.
        # None among the answers: a commit failed, and the loop owes the writer that None.
        self._ops: deque[Op | None] = deque()
        self._answers: deque[tuple[str, Answer] | None] = deque()
        self._due = math.inf  # monotonic seconds; set by the loop, cleared by the writer before it empties the queue
        self._wake = threading.Event()
        # Below: only with `_committing` held.
        self._committing = threading.Lock()
        self._kept: list[Op] = []  # survivors of a failed commit
        self._retry_at = math.inf
        self._unheard = 0  # failures the loop had not heard of when it gave the next op
        self._why = ""
        self._count = 0
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)
        self._thread.start()

    # On the loop's thread

    def persist(self, station: str, batch: Persist) -> None:
        self._ops.append((station, batch))
        if batch.urgent:
            self._wake_by(0.0)
        else:
            self._wake_by(time.monotonic() + (self._group_s if batch.ticket else IDLE_MS / 1000))

    def forget(self, station: str, keys: tuple[RecordKey, ...]) -> None:
        self._ops.append((station, keys))
        self._wake_by(time.monotonic() + IDLE_MS / 1000)

    def _wake_by(self, due: float) -> None:
        if due < self._due:
            self._due = due
            self._wake.set()

    def load(self, station: str) -> Image:
        with self._committing:
            self._commit(patient=False)
            told = [item for item in self._answers if item is None or item[0] != station]
            self._answers.clear()
            self._answers.extend(told)
            rows: list[tuple[str, str, int, bytes]] = []
            broken = []
            try:
                rows.extend(self._file.rows(station))
            except sqlite3.Error as error:
                broken = [Damaged(station, "", "", str(error))]
        image, damaged = image_of(station, rows)
        self.damaged = [item for item in self.damaged if item.station != station] + damaged + broken
        return image

    def _answer(self) -> None:
        try:
            for _ in range(len(self._answers)):
                if not self._answers:  # a `load` in between has taken some
                    break
                item = self._answers.popleft()
                if item is None:
                    self._ops.append(None)
                    self._wake_by(0.0)
                else:
                    self._tell(*item)
        finally:
            if self._answers:
                self._post(self._answer)

    def free_bytes(self) -> int | None:
        return self._file.free_bytes()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        self._thread.join()
        with self._committing:
            self._commit(patient=False)
            self._answers.clear()
            self._file.close()

    # On the writer's thread, or on the loop's while the writer is kept out

    def _write(self) -> None:
        while not self._closed:
            wait = min(self._due, self._retry_at) - time.monotonic()
            if wait > 0:
                self._wake.wait(None if math.isinf(wait) else wait)
                self._wake.clear()
            else:
                with self._committing:
                    self._commit(patient=True)

    def _commit(self, *, patient: bool) -> None:
        """Take all that waits, make it durable or not, and let the loop know.

        When the loop has yet to hear of a failure, patience keeps back what came after it: nothing may be durable beyond a batch that
        nobody knows to be lost.
        """
        self._due = self._retry_at = math.inf
        answers: list[tuple[str, Answer] | None] = []
        ops = self._take(answers)
        if self._unheard and patient:
            self._kept = ops
        elif ops:
            answers += self._settle(ops)
        if answers and not self._closed:
            self._answers.extend(answers)
            self._post(self._answer)

    def _take(self, answers: list[tuple[str, Answer] | None]) -> list[Op]:
        """What is to be written now. Batches given before their sender could know of a failure fail with it."""
        ops, self._kept = self._kept, []
        for _ in range(len(self._ops)):
            op = self._ops.popleft()
            if op is None:
                self._unheard -= 1
                continue
            self._count += 1
            if self._unheard and ticket_of(op[1]):
                answers += failures([op], self._why)
            else:
                ops.append(op)
        return ops

    def _settle(self, ops: list[Op]) -> list[tuple[str, Answer] | None]:
        group = Group(ops)
        try:
            self._file.write(group)
        except (sqlite3.Error, OSError) as error:
            return self._fail(ops, f"the store cannot write: {error}")
        except UNWRITABLE:
            culprits = unwritable(group)
            if not culprits:
                raise
            return self._leave_out(ops, culprits)
        if self._on_sync is not None:
            self._on_sync(self._count)
        tight = self._file.tight
        return [(station, Stored(ticket, tight)) for station, change in ops if (ticket := ticket_of(change))]

    def _fail(self, ops: list[Op], why: str) -> list[tuple[str, Answer] | None]:
        kept = Group(unanswerable(ops))
        kept.drops = self._file.present(kept.drops)  # or a disk that stays broken would in time fill the memory
        self._kept = kept.ops()
        self._retry_at = time.monotonic() + RETRY_S if self._kept else math.inf
        self._wake.set()  # `load` may have come here in the writer's place
        failed = failures(ops, why)
        if not failed:
            return []
        self._unheard += 1
        self._why = why
        return [None, *failed]

    def _leave_out(self, ops: list[Op], culprits: dict[str, str]) -> list[tuple[str, Answer] | None]:
        """Somebody's record cannot be encoded, a mistake of ours: that station loses what it asked for, the others do not."""
        answers: list[tuple[str, Answer] | None] = []
        for station, why in culprits.items():
            answers += failures((op for op in ops if op[0] == station), f"a record cannot be written: {why}")
        rest = [op for op in ops if op[0] not in culprits]
        return answers + self._settle(rest) if rest else answers


def unwritable(group: Group) -> dict[str, str]:
    """The stations with records that cannot be encoded, and why."""
    culprits: dict[str, str] = {}
    for row in (*group.drops, *group.puts):
        try:
            "".join(row).encode()
            if row in group.puts:
                encode(group.puts[row].body)
        except UNWRITABLE as error:
            culprits.setdefault(row[0], str(error))
    return culprits
