"""The SQLite file under the store: one table of rows, one lock, one ballast. Synchronous; whoever calls it waits for the disk.

Not here: threads, groups in waiting, tickets (station/adapters/sqlite.py). Write-ahead log with `synchronous=FULL`: a commit returns
after the log is on the disk, so what was committed before is there too. The ballast is a file of real blocks that is given up when the
disk is full and something urgent must still be written, and filled again when there is room.

One thing SQLite cannot promise: a commit that failed because its sync failed may be found written after a power cut.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from station.adapters.batches import Group, Row

APPLICATION: Final = 0x45565354  # "EVST", so that nobody else's database is written to by mistake
LAYOUT: Final = 1  # of the tables; the layout of a body is each row's `v`
ROOM_BYTES: Final = (
    16 << 20
)  # with less the disk is tight; beside the ballast it must be free before that is filled again
REFILL_S: Final = 60.0
LOG_BYTES: Final = 4 << 20

TABLE: Final = """CREATE TABLE IF NOT EXISTS record (
    station TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, v INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (station, kind, key)) STRICT"""
FIND: Final = "SELECT 1 FROM record WHERE station = ? AND kind = ? AND key = ?"
DROP: Final = "DELETE FROM record WHERE station = ? AND kind = ? AND key = ?"
PUT: Final = "INSERT INTO record VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET v = excluded.v, body = excluded.body"
READ: Final = "SELECT kind, key, v, body FROM record WHERE station = ? ORDER BY kind, key"

encode = msgspec.json.Encoder().encode


class StoreError(Exception):
    """The store's file cannot be used; `str()` is a sentence that names it."""


class RecordFile:
    """One open file. Raises StoreError when it is in use, is not ours, comes from a later program, or its folder cannot be written."""

    def __init__(self, path: Path, ballast_bytes: int) -> None:
        self.path = path
        self._lock = _take_lock(path)
        try:
            self._db = _open(path)
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise StoreError(f"cannot use {path} as a store: {error}") from error
        except StoreError:
            os.close(self._lock)
            raise
        self.ballast = Ballast(path.with_name(path.name + ".ballast"), ballast_bytes)
        self.ballast.fill()

    def write(self, group: Group) -> None:
        """Make a group durable as one transaction. Raises sqlite3.Error, OSError, or what encoding a body raises; then nothing of it is."""
        puts = [(*row, record.v, encode(record.body)) for row, record in group.puts.items()]
        helps = [self._reuse_log]
        if group.urgent:
            helps.append(self.ballast.drop)
        while True:
            try:
                self._transaction(list(group.drops), puts)
                break
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL or not helps:
                    raise
                helps.pop(0)()
        self.ballast.refill(self.free_bytes)

    def _transaction(self, drops: list[Row], puts: list[tuple[str, str, str, int, bytes]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(DROP, drops)
            self._db.executemany(PUT, puts)
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _reuse_log(self) -> None:
        """Bring the log into the table, so that its blocks can be written again from the start."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")

    def rows(self, station: str) -> Iterable[tuple[str, str, int, bytes]]:
        """A station's rows as (kind, key, v, body), in order. Raises sqlite3.Error, perhaps after some."""
        return self._db.execute(READ, (station,))

    def present(self, rows: Iterable[Row]) -> dict[Row, None]:
        """Those of the rows that are in the table; none where it cannot be read."""
        try:
            return {row: None for row in rows if self._db.execute(FIND, row).fetchone()}
        except sqlite3.Error:
            return {}

    @property
    def tight(self) -> bool:
        """Whether there is hardly room left. Not with none at all: then a disk cannot tell, or the next write fails and tells itself."""
        return 0 < self.free_bytes() < ROOM_BYTES

    def free_bytes(self) -> int:
        """What this user may still write to the file's disk, in bytes; 0 when the disk does not answer."""
        try:
            disk = os.statvfs(self.path.parent)
        except OSError:
            return 0
        return disk.f_bavail * disk.f_frsize

    def close(self) -> None:
        """Close the file and give up its lock."""
        self._db.close()
        os.close(self._lock)


class Ballast:
    """A file that only takes up room, to be given up in need. Size in bytes; 0 is none."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self._next_try = 0.0

    @property
    def held(self) -> bool:
        """Whether the room is taken up."""
        try:
            return self.path.stat().st_size == self._size  # a cut while it was being filled leaves less
        except OSError:
            return False

    def fill(self) -> None:
        """Take up the room if it can be had. Blocks are allocated for good: a sparse file would hold nothing."""
        if not self._size or self.held:
            return
        try:
            with self.path.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self._size)
                else:  # macOS
                    file.write(bytes(self._size))
                    file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Give the room up. Harmless when there is none."""
        self._next_try = time.monotonic() + REFILL_S
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def refill(self, free_bytes: Callable[[], int]) -> None:
        """Fill again after a while, if `free_bytes()` leaves plenty."""
        if not self._next_try or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + REFILL_S
        if free_bytes() >= self._size + ROOM_BYTES:
            self._next_try = 0.0
            self.fill()


def _take_lock(path: Path) -> int:
    """The lock lies in a file of its own: to close any descriptor of the database would drop SQLite's own locks on it."""
    try:
        import fcntl
    except ImportError:
        raise StoreError(f"cannot use {path} as a store: that needs Linux, macOS or another POSIX system") from None
    name = path.with_name(path.name + ".lock")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use {path} as a store: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 32).decode("ascii", "replace").strip()
        os.close(lock)
        raise StoreError(f"{path} is in use by process {holder or '?'}: a store serves one program at a time") from None
    os.truncate(lock, 0)
    os.write(lock, b"%d\n" % os.getpid())
    return lock


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))  # card numbers are nobody else's business
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _check(path, db)
        if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(f"cannot use {path} as a store: its file system does not allow a write-ahead log")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        for statement in (
            "BEGIN",
            TABLE,
            f"PRAGMA application_id = {APPLICATION}",
            f"PRAGMA user_version = {LAYOUT}",
            "COMMIT",
        ):
            db.execute(statement)
    except BaseException:
        db.close()
        raise
    db.text_factory = lambda raw: raw.decode(
        "utf-8", "replace"
    )  # a damaged key is one damaged row, not the end of the reading
    _sync_folder(path.parent)
    return db


def _check(path: Path, db: sqlite3.Connection) -> None:
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    layout: int = db.execute("PRAGMA user_version").fetchone()[0]
    tables: int = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables and application != APPLICATION:
        raise StoreError(f"{path} is a database, but not a store of this program: name another file")
    if layout > LAYOUT:
        raise StoreError(
            f"{path} has layout {layout}, this program knows up to {LAYOUT}: run the program that wrote it, or a later one"
        )


def _sync_folder(folder: Path) -> None:
    """The names of new files are durable only after their folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
