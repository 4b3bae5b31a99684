"""`station-sim world`: a plan in the deterministic world, judged by every promise of the station and by the plan's own expectations.

Time is virtual: a night takes a second, and the same file and seed tell the same story.
Not here: one run (`runs.py`), plans drawn at random (`soak.py`), plans in real time against a backend (`run.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from sim import expect_report, plan_check
from sim.expect_judge import Verdict
from sim.expect_report import FORMATS, Played
from sim.expect_seen import Seen
from sim.expect_story import story
from sim.expect_world import WatchedWorld
from sim.options import sentence
from sim.plan import Plan
from sim.plan_file import BadPlan
from sim.runs import run

FINE, WRONG, MISUSED, INTERRUPTED = 0, 1, 2, 130
SOON_S, SELDOM_S = 1.0, 10.0  # between two words of how far it is
EPILOG: Final = """\
exit status: 0 all was as expected; 1 something was not, or a promise was broken; 2 the call is wrong, or a file is no plan;
130 Ctrl-C: what had been played until then is told

examples:
  station-sim world plans/first-session.yaml                  the story, and what became of each expectation
  station-sim world plans/*.yaml --seeds 20                   each of them under twenty seeds
  station-sim world plans/*.yaml --format junit --out report.xml
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "world",
        help="play plans in the deterministic world and judge them",
        description=__doc__.partition("\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="plans: YAML or JSON; - is standard input")
    add("--seed", type=int, default=1, metavar="S", help="the first seed: whatever a plan leaves to chance (1)")
    add("--seeds", type=int, default=1, metavar="N", help="so many seeds, counting up (1)")
    add("--format", choices=FORMATS, default="text", help="how it is told (text)")
    add("--out", type=Path, metavar="FILE", help="write it there; default: standard output")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Exit status: see EPILOG."""
    try:
        if args.seeds < 1:
            raise ValueError(f"--seeds {args.seeds}: at least 1")
        plans = [(path, plan_check.load(path)) for path in args.files]
        if args.out is not None:
            args.out.open("ab").close()
        runs: list[Played] = []
        whole = False
        with contextlib.suppress(KeyboardInterrupt):
            for path, made in plans:
                for seed in range(args.seed, args.seed + args.seeds):
                    runs.append(play(str(path), made, seed))
            whole = True
        expect_report.write(told(runs), args.format, args.out)
    except BadPlan as bad:
        print(bad, file=sys.stderr)
        return MISUSED
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        print(f"station-sim world: {sentence(error)}", file=sys.stderr)
        return MISUSED
    if args.out is not None:
        print(f"{expect_report.summary(runs)}; {args.out}")
    if not whole:
        print("station-sim world: interrupted; the rest was not played", file=sys.stderr)
        return INTERRUPTED
    return FINE if all(one.passed for one in runs) else WRONG


def told(runs: list[Played]) -> list[Played]:
    """One run is told with its story; of many only those that failed are."""
    return runs if len(runs) == 1 else [msgspec.structs.replace(one, story=()) if one.passed else one for one in runs]


class Progress:
    """Says on standard error how far a long run is: on a terminal in one line, elsewhere every ten seconds."""

    def __init__(self, name: str, for_s: float) -> None:
        self._name, self._for_s = name, for_s
        self._terminal = sys.stderr.isatty()
        self._began_s = time.monotonic()
        self._next_s = self._began_s + (SOON_S if self._terminal else SELDOM_S)
        self._said = False

    def __call__(self, at_s: float) -> None:
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s, self._said = now_s + (SOON_S if self._terminal else SELDOM_S), True
        percent = min(100.0, at_s / self._for_s * 100) if self._for_s else 100.0
        far = f"{at_s / 3600:.1f} of {self._for_s / 3600:.1f} h, {percent:.0f} %" if percent < 100 else "comes to rest"
        line = f"{self._name}: {far} after {now_s - self._began_s:.0f} s"
        print(
            f"\r\x1b[K{line}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def over(self) -> None:
        if self._said and self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def play(name: str, made: Plan, seed: int) -> Played:
    """Run it once. What breaks a promise ends the run: expectations of what would have come later are skipped."""
    began = time.monotonic()
    progress = Progress(f"{name} (seed {seed})", made.for_s)
    outcome, world = run(seed, made, world=functools.partial(WatchedWorld, progress=progress))
    progress.over()
    whole = not outcome.promise or outcome.at_s > made.for_s
    seen = world.witness.finish(world, whole) if isinstance(world, WatchedWorld) else Seen()
    expected = "the station keeps all its promises"
    kept = Verdict(name="promises", result="passed", expected=expected)
    if outcome.promise:
        instead = f"{outcome.promise}: {outcome.sentence}, at {outcome.at_s:g} s"
        kept = Verdict(name="promises", result="failed", expected=expected, instead=instead, at_s=outcome.at_s)
    return Played(
        plan=name,
        seed=seed,
        ran_s=seen.until_s,
        real_s=round(time.monotonic() - began, 3),
        verdicts=[kept, *expect_report.verdicts(made, seen)],
        story=story(made, seen),
    )
