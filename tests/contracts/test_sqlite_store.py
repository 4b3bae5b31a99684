"""The SQLite store in real time: which thread speaks, what comes before what, what a kill shows and what it does not."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hal.disk import Record, Stored, StoreFailed
from hal.store import Answer
from station.adapters.sqlite import SqliteStore
from station.adapters.sqlite_file import ROOM_BYTES, RecordFile, StoreError
from tests.contracts.stores import PATIENCE_S, batch, setting, settings_of

ROOT = Path(__file__).parent.parent.parent
A, B = "station-a", "station-b"


class Open:
    """A store whose loop is the test; `log` holds ("sync", n) and ("told", station, answer) in order."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.store = SqliteStore(
            path, self.tell, self.calls.put, on_sync=lambda n: self.log.append(("sync", n)), ballast_bytes=0, **options
        )

    def tell(self, station: str, answer: Answer) -> None:
        self.log.append(("told", station, answer))

    def until(self, count: int) -> list[tuple[Any, ...]]:
        """Run the loop until so many were told; their part of the log."""
        while len(told := [entry for entry in self.log if entry[0] == "told"]) < count:
            self.calls.get(timeout=PATIENCE_S)()
        return told

    def __enter__(self) -> Open:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


def test_a_thousand_boundaries_are_synced_before_anybody_hears(path: Path) -> None:
    """What durability is made of: the commit with a batch has returned before its ticket is told, hence before its bytes leave."""
    with Open(path) as opened:
        for number in range(1, 1001):
            opened.store.persist(A, batch(setting(f"{number:04}"), ticket=number, urgent=True))
        opened.until(1000)
    durable, told = 0, 0
    for entry in opened.log:
        if entry[0] == "sync":
            durable = entry[1]
        else:
            told += 1
            assert entry == ("told", A, Stored(told))
            assert told <= durable


@pytest.mark.parametrize("synchronous", ["FULL", "OFF"])
def test_a_kill_loses_nothing_even_where_nothing_is_synced(path: Path, synchronous: str) -> None:
    """So it proves nothing about power: the operating system keeps what a dead process has written. Only the order above does."""
    program = f"""
import queue
import shutil
from station.adapters.sqlite import SqliteStore
from tests.contracts.stores import batch, setting
calls = queue.SimpleQueue()
store = SqliteStore({str(path)!r}, lambda _, answer: print(answer.ticket, flush=True), calls.put, ballast_bytes=0)
store._file._db.execute("PRAGMA synchronous = {synchronous}")
for ticket in range(1, 1_000_000):
    store.persist("s", batch(setting(str(ticket)), ticket=ticket, urgent=True))
    calls.get()()
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(20)]
        with pytest.raises(StoreError, match=f"in use by process {child.pid}:"):
            Open(path)
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in child.stdout]
    with Open(path) as opened:
        assert {str(ticket) for ticket in told} <= set(settings_of(opened.store.load("s")))


TRACER = ("strace", "-f", "-qq", "-e", "trace=fdatasync,pwrite64,write", "-o")


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_system_s_own_account_of_the_order(path: Path) -> None:
    """Between asking and hearing lie the bytes in the log, and after the last of them a sync that has returned."""
    program = f"""
import os, queue
from station.adapters.sqlite import SqliteStore
from tests.contracts.stores import batch, setting
calls = queue.SimpleQueue()
store = SqliteStore({str(path)!r}, lambda _, answer: os.write(1, b"told"), calls.put, ballast_bytes=0)
for ticket in range(1, 11):
    os.write(1, b"asked")
    store.persist("s", batch(setting(str(ticket)), ticket=ticket, urgent=True))
    calls.get()()
"""
    trace = path.with_name("trace")
    run = [*TRACER, str(trace), sys.executable, "-c", program]
    if subprocess.run(run, cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("tracing is not allowed here")
    asked = trace.read_text().split('write(1, "asked"')[1:]
    assert len(asked) == 10
    for account in asked:
        before = account.split('write(1, "told"')[0]
        synced = [line for line in before[before.rindex("pwrite64") :].splitlines() if "fdatasync" in line]
        assert synced, before
        assert synced[-1].endswith("= 0")


def test_what_waits_is_one_commit_whatever_the_station(path: Path) -> None:
    with Open(path, group_ms=1000) as opened:
        for number in range(50):
            opened.store.persist(f"s{number}", batch(setting("a"), ticket=number + 1))
        assert opened.log == []
        opened.store.persist(A, batch(ticket=99, urgent=True))
        opened.until(51)
    assert [entry for entry in opened.log if entry[0] == "sync"] == [("sync", 51)]


def test_a_batch_with_a_ticket_waits_no_longer_than_its_group(path: Path) -> None:
    with Open(path, group_ms=50) as opened:
        opened.store.persist(A, batch(setting("a")))
        opened.store.persist(A, batch(setting("b"), ticket=1))
        opened.until(1)


def test_what_nobody_waits_for_is_written_all_the_same(path: Path) -> None:
    synced = threading.Event()
    store = SqliteStore(path, lambda *_: None, lambda *_: None, ballast_bytes=0, on_sync=lambda _: synced.set())
    store.persist(A, batch(setting("a")))
    assert synced.wait(PATIENCE_S)
    store.close()


@pytest.mark.parametrize("group_ms", [0, 49, 1001])
def test_a_group_outside_of_its_bounds_is_refused(path: Path, group_ms: int) -> None:
    with pytest.raises(ValueError, match=f"group_ms is {group_ms}; it must be 50 to 1000"):
        Open(path, group_ms=group_ms)


def test_answers_arrive_on_the_loop_s_thread(path: Path) -> None:
    async def run() -> list[tuple[int, str, Answer]]:
        loop = asyncio.get_running_loop()
        told: list[tuple[int, str, Answer]] = []
        enough = asyncio.Event()

        def tell(station: str, answer: Answer) -> None:
            told.append((threading.get_ident(), station, answer))
            enough.set()

        store = SqliteStore(path, tell, loop.call_soon_threadsafe, ballast_bytes=0)
        store.persist(A, batch(setting("a"), ticket=1, urgent=True))
        await asyncio.wait_for(enough.wait(), PATIENCE_S)
        store.close()
        return told

    assert asyncio.run(run()) == [(threading.get_ident(), A, Stored(1))]


@pytest.mark.parametrize(("free_bytes", "tight"), [(0, False), (ROOM_BYTES - 1, True), (ROOM_BYTES, False)])
def test_a_disk_with_hardly_any_room_is_told_with_what_it_took(
    path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, tight: bool
) -> None:
    monkeypatch.setattr(RecordFile, "free_bytes", lambda file: free_bytes)
    with Open(path) as desk:
        desk.store.persist(A, batch(setting("a"), ticket=1, urgent=True))
        assert desk.until(1) == [("told", A, Stored(1, tight))]


BROKEN: Any = object()


@pytest.mark.parametrize("record", [setting("a", BROKEN), setting("a\ud800")], ids=["body", "key"])
def test_a_record_that_cannot_be_encoded_fails_its_station_only(path: Path, record: Record) -> None:
    with Open(path) as opened:
        opened.store.persist(A, batch(record, ticket=1))
        opened.store.persist(A, batch(setting("b"), ticket=2))
        opened.store.persist(B, batch(setting("b"), ticket=3, urgent=True))
        told = {entry[2].ticket: entry[2] for entry in opened.until(3)}
        assert [type(told[ticket]) for ticket in (1, 2, 3)] == [StoreFailed, StoreFailed, Stored]
        assert told[1].why.startswith("a record cannot be written: ")
        assert settings_of(opened.store.load(B)) == {"b": ""}
        assert opened.store.load(A) == {}


def test_a_mistake_in_who_is_told_does_not_silence_the_others(path: Path) -> None:
    with Open(path) as opened:
        tell = opened.store._tell

        def stumble(station: str, answer: Answer) -> None:
            tell(station, answer)
            if answer.ticket == 1:
                raise IndexError("a mistake of the core")

        opened.store._tell = stumble
        for ticket in (1, 2):
            opened.store.persist(A, batch(setting("a"), ticket=ticket, urgent=ticket == 2))
        with pytest.raises(IndexError, match="a mistake of the core"):
            opened.until(2)
        opened.until(2)


def read_only(opened: Open, *, yes: bool) -> None:
    with opened.store._committing:
        opened.store._file._db.execute(f"PRAGMA query_only = {int(yes)}")


def test_nothing_is_durable_beyond_a_failure_that_nobody_has_heard_of(path: Path) -> None:
    """The writer is faster than the loop here: the disk has healed before the loop learns that it was ill."""
    with Open(path) as opened:
        read_only(opened, yes=True)
        opened.store.persist(A, batch(setting("lost"), ticket=1, urgent=True))
        news = opened.calls.get(timeout=PATIENCE_S)
        read_only(opened, yes=False)
        opened.store.persist(A, batch(setting("too"), ticket=2, urgent=True))
        opened.store.persist(A, batch(setting("kept"), urgent=True))
        while opened.store._ops:
            time.sleep(0.001)
        with opened.store._committing:
            assert list(opened.store._file.rows(A)) == []
        news()
        opened.store.persist(A, batch(setting("new"), ticket=3, urgent=True))
        told = [(type(answer), answer.ticket) for _, _, answer in opened.until(3)]
        assert told == [(StoreFailed, 1), (StoreFailed, 2), (Stored, 3)]
        assert settings_of(opened.store.load(A)) == {"kept": "", "new": ""}


def test_a_disk_that_stays_broken_does_not_fill_the_memory(path: Path) -> None:
    with Open(path) as opened:
        opened.store.persist(A, batch(setting("there"), ticket=1, urgent=True))
        opened.until(1)
        read_only(opened, yes=True)
        for number in range(100):
            opened.store.persist(A, batch(setting("same", str(number))))
            opened.store.forget(A, (("setting", str(number)), ("setting", "there")))
        opened.store.persist(A, batch(ticket=2, urgent=True))
        opened.until(2)
        with opened.store._committing:
            assert opened.store._kept == [(A, batch(setting("same", "99"), forgets=("there",)))]


def test_a_damaged_file_gives_what_can_still_be_read(path: Path) -> None:
    with Open(path) as opened:
        for number in range(200):
            opened.store.persist(A, batch(setting(f"{number:03}", "x" * 1000)))
    with path.open("r+b") as file:
        page = len(path.read_bytes()) // 4096 * 3 // 4
        file.seek(page * 4096)
        file.write(bytes(4096))
    with Open(path) as opened:
        image = settings_of(opened.store.load(A))
        (damaged,) = opened.store.damaged
    assert 0 < len(image) < 200
    assert str(damaged).startswith("station-a: part of the store is damaged and was left out: ")
