"""The station of a day of use, as a process of its own: people come and go, and at a given time it dies without a word.

    python -m tests.interop.stories.day_station FOLDER URL EPOCH SPEED SEED VISITS [KILL_AT]

FOLDER holds the disk and the meters, which outlive the process as they do in a street; a car that was plugged in still is. EPOCH is
SHOWN@REAL. KILL_AT: simulated seconds after the start. Standard output: {"gone": n} when all people have left; in the end, once
standard input is closed, what this end counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from hal.units import SECOND, LockState
from sim.board import SimBoard
from sim.csms.books import utc_ms
from sim.fleet import Fleet
from sim.meter import SimMeter, read_memories, write_memories
from sim.people import Driver, arrivals
from sim.profiles import PROFILES
from sim.rng import Stream
from sim.vehicle import Vehicle
from station.core.effects import Note
from station.shell.plan import Plan
from station.shell.runner import Sinks, Unit
from station.words.settings import TEMPLATES, Settings

CP = "CP1"
SHAPE = TEMPLATES["two-sockets-22kw"]
SETTINGS = Settings(
    sample_interval_s=300,
    aligned_interval_s=900,
    connection_timeout_s=600,
    meter_lost_s=1200,  # a machine that stumbles for 40 ms has not lost its meter
    backoff_min_s=1,
    backoff_random_s=0,
)
SNATCH_S = 120  # whoever was there when the station died goes so long after its return


class Count(Sinks):
    """This end's count of what went wrong."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.call_errors: list[str] = []
        self.notes: Counter[str] = Counter()
        self.bugs: list[str] = []

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        kind = json.loads(frame)[0]
        self.frames[f"{'out' if out else 'in'} {kind}"] += 1
        if kind == 4:
            self.call_errors.append(f"{'out' if out else 'in'} {frame!r}")

    def note(self, unit: Unit, note: Note) -> None:
        self.notes[note.code] += 1

    def bug(self, unit: Unit, error: Exception) -> None:
        self.bugs.append(repr(error))


def found(folder: Path) -> tuple[SimBoard, list[int]]:
    """The hardware as the last process left it, and the slots where a car stands."""
    if not (folder / "meters.json").exists():
        return SimBoard(SHAPE, log_periods=True), []
    meters = [SimMeter.remember(one, log=True) for one in read_memories(folder / "meters.json")]
    board = SimBoard(SHAPE, meters=meters)
    slots = json.loads((folder / "slots.json").read_text())
    for number, state in slots.items():
        if state["car"]:
            board.plug(int(number), Vehicle(PROFILES[state["car"]], 500))
        if state["locked"]:
            board.slot(int(number)).lock = LockState.CLOSED
    return board, [int(number) for number, state in slots.items() if state["car"]]


def leave(folder: Path, board: SimBoard) -> None:
    """Write down what would still be there without us."""
    slots = {
        place.number: {
            "car": place.vehicle.profile.name if place.vehicle is not None else "",
            "locked": place.lock is LockState.CLOSED,
        }
        for place in board.slots
    }
    (folder / "slots.json").write_text(json.dumps(slots))
    write_memories(folder / "meters.json", board.memories(CP))


def die(folder: Path, board: SimBoard) -> None:
    leave(folder, board)
    os.kill(os.getpid(), signal.SIGKILL)


def pull(board: SimBoard, slot: int) -> None:
    board.unplug(slot)


def tell(**line: Any) -> None:
    print(json.dumps(line), flush=True)


async def run(folder: Path, url: str, epoch: str, speed: int, seed: int, visits: int, kill_at_s: int) -> None:
    shown, _, real = epoch.partition("@")
    now_ms = utc_ms(shown) + round((time.time() * 1000 - utc_ms(real)) * speed)
    count = Count()
    store = str(folder / "station.db")
    async with Fleet(
        url, (), settings=SETTINGS, store=store, tick_ms=0, speed=speed, epoch_ms=now_ms, sinks=count
    ) as fleet:
        board, there = found(folder)
        unit = Unit(CP, Plan(SHAPE, SETTINGS, real=speed), board, Stream(seed, "core"))
        unit.frames = True
        fleet.host.add(unit)
        clock = fleet.host.scheduler
        for slot in there:
            clock.call_at(clock.now().mono_ns + SNATCH_S * SECOND, pull, board, slot)
        people = []
        for visit in arrivals(seed, visits):
            late = msgspec.structs.replace(visit, at_s=visit.at_s + (2 * SNATCH_S if there else 0))
            people.append(Driver(late, board, seed=seed))
            people[-1].begin(clock)
        if kill_at_s:
            clock.call_at(clock.now().mono_ns + kill_at_s * SECOND, die, folder, board)
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        while not all(one.gone for one in people):
            await asyncio.sleep(0.05)
        tell(gone=len(people))
        await told
        leave(folder, board)
    tell(
        frames=count.frames, call_errors=count.call_errors, notes=count.notes, bugs=count.bugs + [""] * fleet.host.bugs
    )


if __name__ == "__main__":
    where, at, since, *numbers = sys.argv[1:]
    fast, chance, guests, kill = [*map(int, numbers), 0][:4]
    asyncio.run(run(Path(where), at, since, fast, chance, guests, kill))
