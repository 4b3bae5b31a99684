"""`station-sim replay FILE`: a counterexample as a story on one screen, step by step if asked, as HTML or SVG with `--out`.

Both halves are run: the plan, which must break the same promise or is reported as mended or stale, and the input log, which reproduces the
old story exactly. Not here: finding and shrinking (`soak.py`, `shrink.py`).
"""

from __future__ import annotations

import argparse
import html
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from sim.options import sentence
from sim.runs import Counterexample, load, replay_log, run
from sim.trace import Line

LANES: Final = ("plan", "board", "station", "link")
TITLES: Final = {"plan": "people and world", "board": "board", "station": "station", "link": "link and CSMS"}
WIDTH: Final = 38  # of a column, where there is room
NARROW: Final = 14
TIME: Final = 13  # columns that the time takes
ROW: Final = 22


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="show a counterexample, and whether it still breaks",
        description=__doc__.partition("\n")[0],
    )
    add = parser.add_argument
    add("file", type=Path, help="a counterexample written by soak, or one of tests/regressions")
    add("--step", action="store_true", help="wait for Enter after each line")
    add("--all", action="store_true", help="the whole story, not only its last lines")
    add("--out", type=Path, metavar="FILE", help="write the timeline as .html or .svg instead")
    add("--json", action="store_true", help="what came of it, as JSON")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Exit status 0: the promise holds today; 1: it is broken; 2: the file or call is wrong; 3: stale, its marks are not reached."""
    try:
        example = load(args.file)
    except (OSError, msgspec.MsgspecError) as error:
        what = sentence(error) if isinstance(error, OSError) else f"{args.file} is no counterexample: {error}"
        print(f"station-sim replay: {what}", file=sys.stderr)
        return 2
    if args.out is not None and args.out.suffix not in (".html", ".svg"):
        print(f"station-sim replay: --out {args.out}: its name must end with .html or .svg", file=sys.stderr)
        return 2
    outcome, world = run(example.seed, example.plan, keep=True)
    lines = world.trace.lines if world is not None else []
    same = {station: replay_log(example, station) == digest for station, digest in example.effects.items()}
    missed = sorted(set(example.marks) - set(outcome.marks))
    if args.out is not None:
        picture = svg(example, lines)
        try:
            args.out.write_text(picture if args.out.suffix == ".svg" else page(example, picture), encoding="utf-8")
        except OSError as error:
            print(f"station-sim replay: {sentence(error)}", file=sys.stderr)
            return 2
        print(f"wrote {args.out}")
    elif args.json:
        told = {"promise": outcome.promise, "sentence": outcome.sentence, "same_story": same, "missed_marks": missed}
        print(json.dumps(told))
    else:
        show(example, lines if args.all else lines[-60:], args.step)
        print()
        print(f"then: {example.promise}: {example.sentence}")
        print(f"now:  {outcome.promise or 'no promise is broken'}{': ' + outcome.sentence if outcome.promise else ''}")
        for station, identical in same.items():
            print(
                f"the log of {station} {'gives the same effects as then' if identical else 'gives other effects today'}"
            )
        if missed:
            print(f"stale: it no longer reaches {', '.join(missed)}")
    if outcome.promise:
        return 1
    return 3 if missed else 0


def show(example: Counterexample, lines: Iterable[Line], step: bool) -> None:
    """Columns on a terminal, as wide as it allows; the whole width where there is none."""
    width = WIDTH
    if sys.stdout.isatty():
        width = max(NARROW, min(WIDTH, (shutil.get_terminal_size().columns - TIME) // len(LANES) - 2))
    print(f"seed {example.seed}, {len(example.plan.actions)} actions, {len(example.plan.faults)} faults")
    print("       time  " + "  ".join(TITLES[lane].ljust(width) for lane in LANES).rstrip())
    for line in lines:
        cells = [short(line.what, width).ljust(width) if line.lane == lane else " " * width for lane in LANES]
        print(f"{line.at_ns / 1e9:11.3f}  {'  '.join(cells)}".rstrip())
        if step and not sys.stdin.readline():  # its end: nobody is there to press Enter
            step = False


def short(what: str, width: int) -> str:
    """A line cut to a column: frames by direction and action."""
    if what[:2] in ("> ", "< "):
        try:
            frame = json.loads(what[2:])
        except ValueError:
            return what[:width]
        rest = frame[2] if frame[0] == 2 else {3: "answer", 4: "error"}.get(frame[0], "?")
        detail = frame[3] if frame[0] == 2 else frame[2]
        what = f"{what[0]} {rest} {json.dumps(detail) if detail else ''}"
    return what if len(what) <= width else what[: width - 1] + "…"


def svg(example: Counterexample, lines: list[Line]) -> str:
    """A timeline: a column a lane, a row a line, the broken promise at the foot."""
    lines = lines[-400:]
    width, height = 60 + 300 * len(LANES), 70 + ROW * (len(lines) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="monospace" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, lane in enumerate(LANES):
        x = 90 + 300 * number
        parts.append(f'<text x="{x}" y="20" font-weight="bold">{TITLES[lane]}</text>')
        parts.append(f'<line x1="{x - 8}" y1="28" x2="{x - 8}" y2="{height - 30}" stroke="#ccc"/>')
    colours = {"plan": "#a33", "board": "#06c", "station": "#080", "link": "#444"}
    for row, line in enumerate(lines):
        y = 45 + ROW * row
        x = 90 + 300 * LANES.index(line.lane) if line.lane in LANES else 90
        parts.append(f'<text x="4" y="{y}" fill="#888">{line.at_ns / 1e9:.2f}</text>')
        parts.append(f'<circle cx="{x - 8}" cy="{y - 4}" r="3" fill="{colours.get(line.lane, "#444")}"/>')
        text = html.escape(short(line.what, 40))
        parts.append(f'<text x="{x}" y="{y}" fill="{colours.get(line.lane, "#444")}">{text}</text>')
    foot = html.escape(f"{example.promise}: {example.sentence}"[:160])
    parts.append(f'<text x="4" y="{height - 10}" fill="#a00" font-weight="bold">{foot}</text></svg>')
    return "\n".join(parts)


def page(example: Counterexample, picture: str) -> str:
    plan = html.escape(msgspec.json.format(msgspec.json.encode(example.plan), indent=1).decode())
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(example.promise)}</title>"
        f"<h1>{html.escape(example.promise)}</h1><p>{html.escape(example.sentence)}</p>{picture}<h2>The plan</h2><pre>{plan}</pre>"
    )
