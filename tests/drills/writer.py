"""What the store is given in the drill of power cuts, and the process that gives it.

    python -m tests.drills.writer FILE SEED COUNT [BROKEN]

Every change but a Forget puts the row "count", so that what is found after a cut says which prefix of the changes it must be. Each answer
is told on standard output the moment it is heard: from then on the change is promised. Not here: the cut (`disk.py`), the judge
(`power.py`).
"""

from __future__ import annotations

import os
import queue
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hal.disk import Persist, Record, RecordKey
from station.adapters.batches import GROUP_MS, Change
from station.adapters.sqlite import SqliteStore
from station.words.records import SettingRecord

STATION: Final = "s"
COUNT: Final = "count"
GROUPS: Final = 10
ROWS: Final = 4  # of a group; they are always written together
LONGEST: Final = 2_500  # characters of a value: some rows take more than a page of the file
PAGES: Final = 100  # in the log, until they are brought into the table and the log begins anew: not 1,000, so that it happens often
BROKEN: Final = {
    "never syncs": "OFF",
    "syncs only before a checkpoint": "NORMAL",
}  # mistakes, and the `synchronous` that makes them


def changes(seed: int, count: int) -> list[Change]:
    """Change n is at place n - 1; if it has a ticket, that is n."""
    chance = random.Random(seed)
    made: list[Change] = []
    for number in range(1, count + 1):
        group, kind = chance.randrange(GROUPS), chance.random()
        keys: tuple[RecordKey, ...] = tuple(("setting", f"{group}-{row}") for row in range(ROWS))
        if kind < 0.08:
            made.append(keys)
            continue
        counted = Record("setting", COUNT, SettingRecord(str(number)))
        if kind < 0.2:
            made.append(Persist(number, (counted,), keys, True))
            continue
        values = (SettingRecord(f"{number}:{'x' * chance.randrange(LONGEST)}") for _ in keys)
        puts = tuple(Record("setting", key, value) for (_, key), value in zip(keys, values, strict=True))
        made.append(Persist(0 if kind < 0.3 else number, (counted, *puts), (), kind > 0.4))
    return made


def after(made: list[Change], number: int) -> dict[str, str]:
    """The rows after so many changes."""
    rows: dict[str, str] = {}
    for change in made[:number]:
        gone = change if isinstance(change, tuple) else change.forgets
        for _, key in gone:
            rows.pop(key, None)
        if isinstance(change, Persist):
            for record in change.puts:
                assert isinstance(record.body, SettingRecord)
                rows[record.key] = record.body.value
    return rows


def write(path: Path, seed: int, count: int, broken: str) -> None:
    """Give the changes, hear most answers at once and some later; close the file and open it again twice on the way."""
    chance = random.Random(seed)
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    heard = 0

    def tell(station: str, answer: Any) -> None:
        nonlocal heard
        heard = answer.ticket
        os.write(1, b"told %d\n" % answer.ticket)

    def begin() -> SqliteStore:
        store = SqliteStore(path, tell, calls.put, group_ms=max(50, GROUP_MS // 5), ballast_bytes=0)
        with store._committing:
            store._file._db.execute(f"PRAGMA wal_autocheckpoint = {PAGES}")
            if broken:
                store._file._db.execute(f"PRAGMA synchronous = {BROKEN[broken]}")
        return store

    store = begin()
    for number, change in enumerate(changes(seed, count), 1):
        if isinstance(change, tuple):
            store.forget(STATION, change)
        else:
            store.persist(STATION, change)
            while change.ticket and heard < change.ticket and chance.random() < 0.8:
                calls.get(timeout=20)()
        if number in (count // 3, count * 2 // 3):
            store.close()
            store = begin()
    store.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), "".join(sys.argv[4:5]))
