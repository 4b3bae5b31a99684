"""The three stores behind one handle, so that tests/contracts/test_store.py can hold them to one contract.

Not here: any claim. A desk gives and takes; `cut` is the hardest end each store can have: for the simulated disk a power cut, for SQLite
a copy of its files as they lie there at that instant, for memory nothing at all.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hal.disk import Persist, Record, Stored
from hal.store import Answer, Image, Store
from hal.units import SECOND
from sim.disk import SimDisk
from sim.scheduler import VirtualScheduler
from station.adapters.memory import MemoryStore
from station.adapters.sqlite import SqliteStore
from station.words.records import SettingRecord

GROUP_MS = 60
PATIENCE_S = 20.0


class Desk(Protocol):
    """A store and the loop it lives on. `told` is in order of arrival."""

    told: list[tuple[str, Answer]]
    lasting: bool  # it knows cuts and failures

    @property
    def store(self) -> Store: ...

    def until(self, done: Callable[[], bool]) -> None:
        """Let the loop run until that is so. Fails the test when it never is."""
        ...

    def rest(self, seconds: float) -> None:
        """Let so much of its time pass and hear nobody."""
        ...

    def cut(self, keep: Callable[[int], int]) -> None:
        """End the store without a word and begin again on what is left."""
        ...

    def fail(self, failing: bool) -> None: ...

    def spoil(self, station: str, kind: str, key: str) -> None: ...

    def end(self) -> None: ...


class MemoryDesk:
    lasting = False

    def __init__(self, folder: Path) -> None:
        self.told: list[tuple[str, Answer]] = []
        self.calls: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.store = MemoryStore(
            lambda *item: self.told.append(item), lambda call, *args: self.calls.append((call, args))
        )

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            call, args = self.calls.pop(0)
            call(*args)

    def rest(self, seconds: float) -> None:
        pass

    def cut(self, keep: Callable[[int], int]) -> None:
        """Memory has no unsynced part."""

    def fail(self, failing: bool) -> None:
        raise NotImplementedError

    def spoil(self, station: str, kind: str, key: str) -> None:
        raise NotImplementedError

    def end(self) -> None:
        self.store.close()


class SimDesk:
    lasting = True

    def __init__(self, folder: Path) -> None:
        self.told: list[tuple[str, Answer]] = []
        self.scheduler = VirtualScheduler()
        self.store = SimDisk(self.scheduler, lambda *item: self.told.append(item), group_ms=GROUP_MS)

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            assert self.scheduler.run_next(), "nothing is left to happen"

    def rest(self, seconds: float) -> None:
        self.scheduler.run_for(seconds)

    def cut(self, keep: Callable[[int], int]) -> None:
        self.store.crash(keep)

    def fail(self, failing: bool) -> None:
        self.store.fail(self.scheduler.now().mono_ns + 1000 * SECOND if failing else 0)

    def spoil(self, station: str, kind: str, key: str) -> None:
        assert self.store.damage(station, kind, key)

    def end(self) -> None:
        self.store.close()


class SqliteDesk:
    lasting = True

    def __init__(self, folder: Path) -> None:
        self.told: list[tuple[str, Answer]] = []
        self.calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self.folder = folder
        self.path = folder / "0.db"
        self.opened = 0
        self.store = self._open()

    def _open(self) -> SqliteStore:
        calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self.calls = calls
        return SqliteStore(
            self.path,
            lambda *item: self.told.append(item),
            lambda call, *args: calls.put((call, args)),
            group_ms=GROUP_MS,
            ballast_bytes=0,
        )

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            call, args = self.calls.get(timeout=PATIENCE_S)
            call(*args)

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def cut(self, keep: Callable[[int], int]) -> None:
        """What was committed is in the files; what was not is not, and `keep` has no say."""
        self.opened += 1
        copy = self.folder / f"{self.opened}.db"
        with self.store._committing:  # between two commits: a copy is not one instant
            shutil.copyfile(self.path, copy)
            with contextlib.suppress(FileNotFoundError):  # closed in order
                shutil.copyfile(f"{self.path}-wal", f"{copy}-wal")
        self.store.close()
        self.path = copy
        self.store = self._open()

    def fail(self, failing: bool) -> None:
        with self.store._committing:
            self.store._file._db.execute(f"PRAGMA query_only = {int(failing)}")

    def spoil(self, station: str, kind: str, key: str) -> None:
        with sqlite3.connect(self.path) as other:
            where = "WHERE station = ? AND kind = ? AND key = ?"
            changed = other.execute(f"UPDATE record SET body = substr(body, 1, 3) {where}", (station, kind, key))
            assert changed.rowcount == 1
        other.close()

    def end(self) -> None:
        self.store.close()


def setting(key: str, value: str = "", *, v: int = 1) -> Record:
    return Record("setting", key, SettingRecord(value), v)


def batch(*puts: Record, ticket: int = 0, forgets: tuple[str, ...] = (), urgent: bool = False) -> Persist:
    return Persist(ticket, puts, tuple(("setting", key) for key in forgets), urgent)


def settings_of(image: Image) -> dict[str, str]:
    return {key: body.value for key, body in image.get("setting", {}).items()}


def stored(station: str, *tickets: int) -> list[tuple[str, Answer]]:
    return [(station, Stored(ticket)) for ticket in tickets]
