"""The file under the SQLite store: who may open it, what it does when the disk is full, and what a damaged one still gives."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from station.adapters import sqlite_file
from station.adapters.batches import Group
from station.adapters.sqlite_file import Ballast, RecordFile, StoreError
from tests.contracts.stores import batch, setting

BALLAST = 256 << 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def file(path: Path) -> Iterator[RecordFile]:
    opened = RecordFile(path, BALLAST)
    yield opened
    opened.close()


def puts(*keys: str, urgent: bool = False) -> Group:
    return Group([("s", batch(*(setting(key) for key in keys), urgent=urgent))])


def keys_in(file: RecordFile) -> list[str]:
    return [row[1] for row in file.rows("s")]


def test_the_log_is_synced_at_every_commit(file: RecordFile) -> None:
    assert file._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"


def test_only_its_owner_reads_it(file: RecordFile) -> None:
    file.write(puts("a"))
    for name in (file.path, f"{file.path}-wal", f"{file.path}.lock"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600


@pytest.mark.parametrize("count", [0, 1, 500])
def test_any_number_of_rows_goes_in_and_out(file: RecordFile, count: int) -> None:
    keys = [f"{number:03}" for number in range(count)]
    file.write(puts(*keys, "zzz"))
    assert keys_in(file) == [*keys, "zzz"]
    file.write(Group([("s", tuple(("setting", key) for key in keys)), ("t", (("setting", "zzz"),))]))
    assert keys_in(file) == ["zzz"]


def test_a_group_that_only_forgets_what_is_not_there_writes_nothing(file: RecordFile) -> None:
    file.write(puts("a"))
    log = Path(f"{file.path}-wal")
    before = log.read_bytes()
    file.write(Group([("s", batch(setting("b"))), ("s", (("setting", "b"),))]))
    assert log.read_bytes() == before


def test_one_file_serves_one_program(path: Path) -> None:
    first = RecordFile(path, 0)
    with pytest.raises(StoreError, match=rf"station\.db is in use by process {os.getpid()}:"):
        RecordFile(path, 0)
    first.close()
    RecordFile(path, 0).close()


def test_another_program_s_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"station\.db is a database, but not a store of this program"):
        RecordFile(path, 0)
    assert path.read_bytes() == before


def test_a_later_layout_is_refused_and_the_lock_given_back(path: Path) -> None:
    RecordFile(path, 0).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 2")
    other.close()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"station\.db has layout 2, this program knows up to 1"):
            RecordFile(path, 0)


def test_what_is_no_database_or_no_folder_is_named(path: Path) -> None:
    path.write_bytes(b"a page of something else" * 100)
    with pytest.raises(StoreError, match=r"cannot use .*station\.db as a store: file is not a database"):
        RecordFile(path, 0)
    with pytest.raises(StoreError, match=r"cannot use .*nowhere/x\.db as a store: .*No such file"):
        RecordFile(path.parent / "nowhere" / "x.db", 0)


def test_a_write_that_fails_leaves_nothing_behind(file: RecordFile) -> None:
    file.write(puts("a"))
    pages = file._db.execute("PRAGMA page_count").fetchone()[0]
    file._db.execute(f"PRAGMA max_page_count = {pages}")
    group = Group([("s", batch(setting("b"), setting("c", "x" * 100_000), forgets=("a",)))])
    with pytest.raises(sqlite3.OperationalError, match="full"):
        file.write(group)
    assert keys_in(file) == ["a"]
    file._db.execute("PRAGMA max_page_count = 1000000")
    file.write(group)
    assert keys_in(file) == ["b", "c"]


class LastRoom(RecordFile):
    """On a disk where nothing is left but what the ballast takes up; or so many times."""

    fulls = 0

    def _transaction(self, *rows: Any) -> None:
        if self.ballast.held or self.fulls:
            self.fulls = max(0, self.fulls - 1)
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        super()._transaction(*rows)


def test_the_ballast_is_given_up_for_what_is_urgent_and_only_for_that(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LastRoom(path, BALLAST)
    ballast = Path(f"{path}.ballast")
    assert ballast.stat().st_blocks * 512 >= BALLAST, "real blocks"
    with pytest.raises(sqlite3.OperationalError):
        file.write(puts("values"))
    assert ballast.exists()
    monkeypatch.setattr(file, "free_bytes", lambda: 0)
    monkeypatch.setattr(sqlite_file, "REFILL_S", 0.0)
    file.write(puts("end of session", urgent=True))
    assert keys_in(file) == ["end of session"]
    assert not ballast.exists()
    monkeypatch.setattr(file, "free_bytes", lambda: BALLAST + sqlite_file.ROOM_BYTES)
    file.write(puts("more"))
    assert file.ballast.held, "filled again when there is room"
    file.close()


def test_a_full_disk_is_tried_once_more_with_the_log_s_own_room(path: Path) -> None:
    file = LastRoom(path, 0)
    log = Path(f"{path}-wal")
    file.write(puts("a", "b"))
    begun = log.read_bytes()[:4096]
    file.fulls = 1
    file.write(puts("c"))
    assert keys_in(file) == ["a", "b", "c"]
    assert log.read_bytes()[:4096] != begun, "written again from its start"
    file.close()


def test_a_ballast_that_was_cut_off_while_it_was_filled_is_filled_again(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "b", BALLAST)
    ballast.path.write_bytes(b"")
    ballast.fill()
    assert ballast.path.stat().st_size == BALLAST
    assert not Ballast(tmp_path / "none", 0).path.exists()


def test_a_disk_without_room_for_the_ballast_still_opens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    file = RecordFile(path, BALLAST)
    assert not file.ballast.path.exists()
    file.write(puts("a"))
    file.close()


def test_free_bytes_are_those_of_its_disk(file: RecordFile) -> None:
    assert 0 < file.free_bytes() < 1 << 60
    file.path = file.path.parent / "gone" / "x.db"
    assert file.free_bytes() == 0
