"""A drill: `python -m tests.drills.power --cuts 1000` cuts the power under the real store and looks at what it finds afterwards.

A process writes through the store under strace; from what it told the operating system the disk is built anew as a cut may have left it, at
so many drawn points, each with another fate of what was not synced. The store must open it without a word, find it whole, have every change
that was answered, and no change in part: exactly the state after some number of changes, not fewer than were promised.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from station.adapters.sqlite import SqliteStore
from station.words.records import SettingRecord
from tests.drills.disk import CannotTrace, Disk, Told, record
from tests.drills.writer import BROKEN, COUNT, STATION, after, changes

ROOT: Final = Path(__file__).parents[2]
DATABASE: Final = "station.db"


class Result(msgspec.Struct):
    """`findings` are sentences. `promised`: changes that were answered before a cut, over all cuts; `more`: found, but not yet answered."""

    events: int = 0
    cuts: int = 0
    promised: int = 0
    more: int = 0
    findings: list[str] = []


def drill(folder: Path, cuts: int, count: int, seed: int, broken: str = "") -> Result:
    """Write so many changes, and cut at so many points. Raises CannotTrace."""
    written = folder / "written"
    written.mkdir()
    command = [sys.executable, "-m", "tests.drills.writer", str(written / DATABASE), str(seed), str(count), broken]
    events = record(command, written, DATABASE, folder / "trace", ROOT)
    result = Result(events=len(events))
    made, chance, disk, told, done = changes(seed, count), random.Random(seed), Disk(), 0, 0
    for number, point in enumerate(sorted(chance.randrange(len(events) + 1) for _ in range(cuts))):
        for event in events[done:point]:
            disk.follow(event)
            told = max(told, event.ticket) if isinstance(event, Told) else told
        done = point
        here = folder / f"cut-{number}"
        here.mkdir()
        for name, content in disk.crash(chance).items():
            (here / name).write_bytes(content)
        rows, problems = found(here / DATABASE)
        number_found = int(rows.get(COUNT, "0"))
        if not problems:
            problems = judge(rows, number_found, told, made)
        result.findings += [f"cut {number} after event {point} of {len(events)}: {one}" for one in problems]
        result.cuts += 1
        result.promised += told
        result.more += max(0, number_found - told)
        if not problems:
            for file in here.iterdir():
                file.unlink()
            here.rmdir()
    return result


def found(path: Path) -> tuple[dict[str, str], list[str]]:
    """What the store has after the cut, and what is wrong with it."""
    try:
        store = SqliteStore(path, lambda *_: None, lambda *_: None, ballast_bytes=0)
    except Exception as error:  # noqa: BLE001 whatever it is, it is a finding
        return {}, [f"the store does not open: {error!r}"]
    try:
        image = store.load(STATION)
        problems = [str(one) for one in store.damaged]
        with store._committing:
            problems += [one for (one,) in store._file._db.execute("PRAGMA integrity_check") if one != "ok"]
    except sqlite3.Error as error:
        return {}, [str(error)]
    finally:
        store.close()
    rows = {}
    for key, body in image.get("setting", {}).items():
        assert isinstance(body, SettingRecord)
        rows[key] = body.value
    return rows, problems


def judge(rows: dict[str, str], number: int, told: int, made: list) -> list[str]:  # type: ignore[type-arg]  # of changes
    """`number` changes are there, says the row "count"; a Forget after it leaves no trace in that row."""
    if number < told:
        return [f"change {told} was promised, and what is there ends with change {number}"]
    later = number
    while rows != after(made, later):
        later += 1
        if later > len(made) or not isinstance(made[later - 1], tuple):
            return [f"what is there is not the state after change {number}"]
    return []


def main() -> int:
    """Exit status: 0 nothing was lost, 1 something was, 2 there is no way to look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=1000, metavar="N", help="so many cuts (1000)")
    parser.add_argument("--changes", type=int, default=400, metavar="N", help="so many changes are written (400)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="which changes, and where the cuts are (1)")
    parser.add_argument("--broken", choices=BROKEN, default="", help="with a store that has a mistake, to see it found")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the trace and what a cut broke; must be empty"
    )
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drill-")))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"--keep {folder}: this folder is not empty")
        try:
            result = drill(folder.resolve(), args.cuts, args.changes, args.seed, args.broken)
        except CannotTrace as error:
            print(f"tests.drills.power: {error}", file=sys.stderr)
            return 2
    for finding in result.findings[:20]:
        print(f"BROKEN {finding}")
    print(
        f"{result.cuts} cuts among {result.events} writes, syncs and answers of {args.changes} changes: {len(result.findings)} findings;"
        f" {result.promised} promises looked up, {result.more} changes found that nobody had been promised yet"
    )
    return 1 if result.findings else 0


if __name__ == "__main__":
    sys.exit(main())
