"""The judges are judged: `python -m tests.mutants.run` plants one mistake at a time and lets the swarm hunt for it.

Each mutant of `mutants.toml` is applied to a copy of the sources and run in a process of its own; the tree itself is never touched. Exit
status 1 if one is not found within the seeds, or by another promise than the named one only. Not here: the promises (`sim/checkers`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from tests.mutants.hunter import Hunt

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
SOURCES: Final = ("hal", "station", "statemachine", "ocpp_client", "leds", "meter", "sim")
MOST: Final = 6  # actions and faults of a shrunk plan
PASSES: Final = "passes"


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mistake: in `file` stands `old`, exactly once; `new` takes its place. `promise` must find it.

    `ordinary`: `PASSES` where no test but the world notices, else which one does first; measured by `survey.py`.
    """

    name: str
    file: str
    promise: str
    old: str
    new: str
    ordinary: str = ""  # not measured yet


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mutant: list[Mutant]


def load() -> list[Mutant]:
    return msgspec.convert(tomllib.loads((HERE / "mutants.toml").read_text(encoding="utf-8")), Table).mutant


def broken(mutant: Mutant, text: str) -> str:
    """The source with the mistake in it. ValueError if its place is not there, or not clear."""
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.file} has its place {text.count(mutant.old)} times, not once")
    return text.replace(mutant.old, mutant.new)


@contextmanager
def planted(mutant: Mutant | None) -> Iterator[Path]:
    """A copy of the sources with the mistake in it, or without one, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        plant(mutant, Path(name))
        yield Path(name)


def plant(mutant: Mutant | None, copy: Path) -> None:
    """Make that copy in a folder."""
    for source in SOURCES:
        shutil.copytree(ROOT / source, copy / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "hunter.py", copy)
    if mutant is not None:
        path = copy / mutant.file
        path.write_text(broken(mutant, path.read_text(encoding="utf-8")), encoding="utf-8")


def environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def hunt(mutant: Mutant, seeds: int, out: Path | None = None) -> Hunt:
    """Plant it and hunt. RuntimeError if the copy does not even run."""
    with planted(mutant) as copy:
        command = [sys.executable, "hunter.py", mutant.promise, "--seeds", str(seeds)]
        command += ["--out", str(out.resolve())] if out is not None else []
        done = subprocess.run(command, cwd=copy, env=environment(copy), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{mutant.name}: {done.stderr[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Hunt)


def line(mutant: Mutant, found: Hunt) -> str:
    """A row of the table: what the ordinary tests made of it; what was found, after how many seeds, how small it became."""
    head = f"{mutant.name[:60]:60}  {mutant.promise[:46]:46}  {mutant.ordinary.partition(' ')[0]:8}"
    if not found.seeds:
        return f"{head}  NOT FOUND ({found.hunt_s:.0f} s); others: {found.others or 'none'}"
    late = "" if found.size <= MOST else "  (too large)"
    return f"{head}  {found.seeds:5}  {found.size:4}{late}  {found.plan}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="mutants whose name holds this")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a folder for the counterexamples")
    parser.add_argument(
        "--plant", type=Path, help="hunt for nothing: leave the first of them in this new folder, to be looked at"
    )
    args = parser.parse_args(arguments)
    mutants = [m for m in load() if args.only in m.name]
    if not mutants:
        parser.error(f"no mutant's name holds {args.only!r}")
    if args.plant is not None:
        plant(mutants[0], args.plant)
        print(f"{args.plant}: {mutants[0].name} ({mutants[0].file})")
        return 0
    missed = 0
    print(f"{'mutant':60}  {'promise':46}  ordinary  {'seeds':>5}  {'size':>4}  shrunk plan")
    with ThreadPoolExecutor(args.jobs) as pool:
        for mutant, found in zip(mutants, pool.map(lambda m: _hunted(m, args.seeds, args.out), mutants), strict=True):
            if isinstance(found, str):
                print(f"{mutant.name}: {found}", flush=True)
                missed += 1
            else:
                print(line(mutant, found), flush=True)
                missed += not found.seeds or found.size > MOST
    print(
        f"{len(mutants) - missed} of {len(mutants)} found within {args.seeds} seeds, by the promise named, in at most {MOST} steps"
    )
    print(
        f"{sum(m.ordinary == PASSES for m in mutants)} of them pass the ordinary tests, as `tests.mutants.survey` has measured"
    )
    return 1 if missed else 0


def _hunted(mutant: Mutant, seeds: int, out: Path | None) -> Hunt | str:
    try:
        return hunt(mutant, seeds, out)
    except (RuntimeError, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
