"""`station-sim soak`: runs of the world for a while, each with another seed and plan, on all cores; a report at the end.

What breaks is shrunk and written to a file that `station-sim replay` shows. Not here: one run (`runs.py`), plans (`swarm.py`).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sim.runs import Outcome, breaks, counterexample, run, save
from sim.shrink import shrink, size
from sim.swarm import KINDS, draw

CHUNK = 4
EXAMPLES = """\
examples:
  station-sim soak --seconds 60 --seed 1
  station-sim soak --seeds 1000 --jobs 2 --json
"""


class Report(msgspec.Struct):
    """Everything a soak saw. `violations` are outcomes whose promise was broken; `files` their shrunk plans."""

    first_seed: int
    seeds: int = 0
    real_s: float = 0.0
    hours: float = 0.0
    sessions: int = 0
    faults: dict[str, int] = {}
    armed: dict[str, int] = {}
    marks: dict[str, int] = {}
    violations: list[Outcome] = []
    files: list[str] = []

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.hours += outcome.hours
        self.sessions += outcome.sessions
        for mine, new in ((self.faults, outcome.faults), (self.armed, outcome.armed), (self.marks, outcome.marks)):
            for name, count in new.items():
                mine[name] = mine.get(name, 0) + count
        if outcome.promise:
            self.violations.append(outcome)

    @property
    def never_armed(self) -> list[str]:
        return sorted(name for name, count in self.armed.items() if not count)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "soak",
        help="hunt for broken promises in the deterministic world",
        description=__doc__.partition("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seconds", type=float, default=60.0, help="for so long (60)")
    add("--seeds", type=int, default=0, help="so many runs instead")
    add("--seed", type=int, default=1, help="the first seed; they count up from it (1)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all processors)")
    add("--out", type=Path, default=Path("counterexamples"), help="folder for what broke (counterexamples)")
    add("--json", action="store_true", help="the report as JSON")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Exit status 0: no promise was broken; 1: some were; 2: the call is wrong."""
    if args.jobs < 1 or args.seconds <= 0 or args.seeds < 0:
        print("station-sim soak: --jobs at least 1, --seconds above 0, --seeds not below 0", file=sys.stderr)
        return 2
    report = soak(args.seed, args.seconds, args.seeds, args.jobs, None if args.json else sys.stderr)
    for outcome in report.violations[:5]:
        report.files.append(str(_shrunk(outcome, args.out)))
    print(msgspec.json.encode(report).decode() if args.json else text(report))
    return 1 if report.violations else 0


def soak(first: int, seconds: float, seeds: int, jobs: int, progress: Any = None) -> Report:
    """Run seeds from `first` on; for so many seconds, or so many seeds where given."""
    report = Report(first)
    started = time.monotonic()
    last_shown = 0.0
    room = threading.Semaphore(2 * jobs)  # the pool would take all there is
    with multiprocessing.Pool(jobs) as pool:
        for outcomes in pool.imap_unordered(_chunk, _chunks(first, seeds, started + seconds, room)):
            room.release()
            for outcome in outcomes:
                report.add(outcome)
            report.real_s = time.monotonic() - started
            if progress is not None and report.real_s - last_shown > 1:
                last_shown = report.real_s
                years = report.hours / 8766
                print(
                    f"\r{report.real_s:5.0f} s  {report.seeds} seeds  {years:.2f} station-years  {report.sessions} sessions"
                    f"  {len(report.violations)} broken",
                    end="",
                    file=progress,
                    flush=True,
                )
    if progress is not None:
        print(file=progress)
    report.violations.sort(key=lambda o: o.seed)
    return report


def _chunks(first: int, seeds: int, until: float, room: threading.Semaphore) -> Iterator[list[int]]:
    """Seeds to run, as long as there is time, and never far ahead of those who run them."""
    number = first
    while room.acquire() and ((seeds and number < first + seeds) or (not seeds and time.monotonic() < until)):
        end = min(number + CHUNK, first + seeds) if seeds else number + CHUNK
        yield list(range(number, end))
        number = end


def _chunk(seeds: list[int]) -> list[Outcome]:
    return [run(seed, draw(seed))[0] for seed in seeds]


def _shrunk(outcome: Outcome, folder: Path) -> Path:
    plan = shrink(draw(outcome.seed), breaks(outcome.seed, outcome.promise))
    example = counterexample(outcome.seed, plan)
    print(f"seed {outcome.seed}: {outcome.promise}: shrunk to {size(plan)} actions and faults", file=sys.stderr)
    return save(example, folder)


def text(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.seeds} seeds from {report.first_seed} in {report.real_s:.0f} s: {report.hours:,.0f} station-hours"
        f" ({report.hours / max(report.real_s, 0.001):,.0f} a second), {report.sessions} sessions",
        "",
        "faults injected: " + (_counts(report.faults) or "none"),
        "never injected: " + (", ".join(sorted(set(KINDS) - {n.split(".")[0] for n in report.faults})) or "none"),
        "",
        "promises armed:",
        *(f"  {count:>10,}  {name}" for name, count in sorted(report.armed.items())),
        "never armed: " + (", ".join(report.never_armed) or "none"),
        "",
        "rare situations reached: " + (_counts(report.marks) or "none"),
        "",
    ]
    if not report.violations:
        lines.append("no promise was broken")
    for outcome in report.violations[:20]:
        lines.append(f"BROKEN seed {outcome.seed} at {outcome.at_s:.1f} s: {outcome.promise}: {outcome.sentence}")
    for path in report.files:
        lines.append(f"  station-sim replay {path}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(counts).items()))
