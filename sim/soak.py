"""`station-sim soak`: runs of the world for a while, each with another seed and plan, on all cores; a report at the end.

What breaks is shrunk and written to a file that `station-sim replay` shows. Not here: one run (`runs.py`), plans (`swarm.py`).
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

import msgspec

from hal.marks import SITUATIONS
from sim.checkers.all import every
from sim.faults import ways
from sim.options import sentence
from sim.runs import Outcome, breaks, counterexample, run, save
from sim.shrink import shrink, size
from sim.swarm import draw

CHUNK: Final = 4
MOST_JOBS: Final = 256
SLOWEST: Final = 5
SHRUNK: Final = 5  # of what broke
SHOWN: Final = 20
YEAR_H: Final = 8766.0
EXAMPLES: Final = """\
examples:
  station-sim soak --seconds 60 --seed 1
  station-sim soak --seeds 1000 --jobs 2 --json
"""


class Slow(msgspec.Struct, order=True):
    """How long one seed took, in seconds of a processor."""

    cpu_s: float
    seed: int


class Report(msgspec.Struct):
    """Everything a soak saw, by name and how often; what never came stands there with 0.

    `faults` are those that began, by kind and how; `armed`: how often a promise had something to judge; `situations`: `hal/marks.py`.
    `violations` are outcomes whose promise was broken, `files` the shrunk plans of the first of them.
    """

    first_seed: int
    seeds: int = 0
    real_s: float = 0.0
    hours: float = 0.0
    sessions: int = 0
    faults: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(ways(), 0))
    armed: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys((c.name for c in every()), 0))
    situations: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(SITUATIONS, 0))
    slowest: list[Slow] = []
    violations: list[Outcome] = []
    files: list[str] = []
    interrupted: bool = False

    def add(self, outcome: Outcome, cpu_s: float) -> None:
        self.seeds += 1
        self.hours += outcome.hours
        self.sessions += outcome.sessions
        counts = ((self.faults, outcome.faults), (self.armed, outcome.armed), (self.situations, outcome.marks))
        for mine, new in counts:
            for name, count in new.items():
                mine[name] = mine.get(name, 0) + count
        self.slowest = sorted([*self.slowest, Slow(cpu_s, outcome.seed)], reverse=True)[:SLOWEST]
        if outcome.promise:
            self.violations.append(outcome)

    @property
    def years(self) -> float:
        return self.hours / YEAR_H

    def summary(self) -> str:
        """One line of how far it is."""
        return (
            f"{self.real_s:5.0f} s  {self.seeds} seeds  {self.years:.2f} station-years  {self.sessions} sessions"
            f"  {len(self.violations)} broken"
        )


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
    add("--seeds", type=int, default=0, help="so many runs instead (0: by time)")
    add("--seed", type=int, default=1, help="the first seed; they count up from it (1)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all processors)")
    add("--out", type=Path, default=Path("counterexamples"), help="folder for what broke (counterexamples)")
    add("--json", action="store_true", help="the report as JSON")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Exit status 0: no promise was broken; 1: some were; 2: the call is wrong; 130: none were before Ctrl-C."""
    wrong = _wrong(args)
    if wrong:
        print(f"station-sim soak: {wrong}", file=sys.stderr)
        return 2
    report = soak(args.seed, args.seconds, args.seeds, args.jobs, Progress())
    _write(report, args.out)
    print(msgspec.json.encode(report).decode() if args.json else text(report))
    return 1 if report.violations else 130 if report.interrupted else 0


def _wrong(args: argparse.Namespace) -> str:
    """What is wrong with the call, or nothing."""
    if not 1 <= args.jobs <= MOST_JOBS:
        return f"--jobs {args.jobs}: from 1 to {MOST_JOBS}"
    if not 0 < args.seconds < math.inf:
        return f"--seconds {args.seconds:g}: above 0"
    if args.seeds < 0:
        return f"--seeds {args.seeds}: 1 or more, or 0 to go by time"
    there = next(folder for folder in (args.out.absolute(), *args.out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return f"--out {args.out}: {there} is no folder that can be written to"
    return ""


class Progress:
    """Says on standard error how far it is: on a terminal in one line, elsewhere now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next_s = 0.0

    def show(self, report: Report) -> None:
        if report.real_s >= self._next_s:
            self._next_s = report.real_s + (1 if self._terminal else 10)
            end = "\r" if self._terminal else "\n"
            print(report.summary(), end=end, file=sys.stderr, flush=True)

    def over(self, report: Report) -> None:
        print(report.summary(), file=sys.stderr, flush=True)


def soak(first: int, seconds: float, seeds: int, jobs: int, progress: Progress | None = None) -> Report:
    """Run seeds from `first` on; for so many seconds, or so many seeds where given. Ctrl-C ends it early, with what was seen so far."""
    report = Report(first)
    started = time.monotonic()
    chunks = _chunks(first, seeds, started + seconds)
    context = multiprocessing.get_context()
    with ProcessPoolExecutor(jobs, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        try:
            waiting = {pool.submit(_chunk, chunk) for chunk in itertools.islice(chunks, 2 * jobs)}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(_chunk, chunk) for chunk in itertools.islice(chunks, len(done))}
                for outcome, cpu_s in itertools.chain.from_iterable(future.result() for future in done):
                    report.add(outcome, cpu_s)
                report.real_s = time.monotonic() - started
                if progress is not None:
                    progress.show(report)
        except KeyboardInterrupt:
            report.interrupted = True
            pool.shutdown(wait=True, cancel_futures=True)
    if progress is not None:
        progress.over(report)
    report.violations.sort(key=lambda o: o.seed)
    return report


def _chunks(first: int, seeds: int, until: float) -> Iterator[list[int]]:
    """Seeds to run, as long as there is time."""
    number = first
    while number < first + seeds if seeds else time.monotonic() < until:
        end = min(number + CHUNK, first + seeds) if seeds else number + CHUNK
        yield list(range(number, end))
        number = end


def _chunk(seeds: list[int]) -> list[tuple[Outcome, float]]:
    return [_timed(seed) for seed in seeds]


def _timed(seed: int) -> tuple[Outcome, float]:
    began = time.process_time()
    outcome, _ = run(seed, draw(seed))
    return outcome, time.process_time() - began


def _write(report: Report, folder: Path) -> None:
    """Counterexamples of the first that broke, a promise each while there are others. Ctrl-C leaves the rest unwritten."""
    firsts = {outcome.promise: outcome for outcome in reversed(report.violations)}
    others = [outcome for outcome in report.violations if firsts[outcome.promise] is not outcome]
    try:
        for outcome in [*sorted(firsts.values(), key=lambda o: o.seed), *others][:SHRUNK]:
            report.files.append(str(_shrunk(outcome, folder)))
    except KeyboardInterrupt:
        report.interrupted = True
        print("station-sim soak: interrupted; the rest is not shrunk", file=sys.stderr)
    except OSError as error:
        print(f"station-sim soak: {sentence(error)}", file=sys.stderr)


def _shrunk(outcome: Outcome, folder: Path) -> Path:
    plan = shrink(draw(outcome.seed), breaks(outcome.seed, outcome.promise))
    example = counterexample(outcome.seed, plan)
    print(f"seed {outcome.seed}: {outcome.promise}: shrunk to {size(plan)} actions and faults", file=sys.stderr)
    return save(example, folder)


def text(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.seeds} seeds from {report.first_seed} in {report.real_s:.0f} s: {report.years:.2f} station-years"
        f" ({report.hours / max(report.real_s, 0.001):,.0f} station-hours a second), {report.sessions} sessions",
        "slowest: " + ", ".join(f"seed {slow.seed} {slow.cpu_s:.2f} s" for slow in report.slowest),
        *_table("faults injected", "never injected", report.faults),
        *_table("promises armed", "never armed", report.armed),
        *_table("named situations reached", "never reached", report.situations),
        "",
    ]
    if not report.violations:
        lines.append("no promise was broken")
    for outcome in report.violations[:SHOWN]:
        lines.append(f"BROKEN seed {outcome.seed} at {outcome.at_s:.1f} s: {outcome.promise}: {outcome.sentence}")
    for path in report.files:
        lines.append(f"  station-sim replay {path}")
    return "\n".join(lines)


def _table(title: str, never: str, counts: dict[str, int]) -> list[str]:
    """What came, and how often; then what never came."""
    came = [f"  {count:>12,}  {name}" for name, count in sorted(counts.items()) if count]
    missing = ", ".join(name for name, count in sorted(counts.items()) if not count)
    return ["", f"{title}:", *came, f"{never}: {missing or 'none'}"]
