"""`station-sim replay FILE`: a counterexample as a story on one screen, step by step if asked, as HTML or SVG with `--out`.

Both halves are run: the plan, which must break the same promise or is reported as mended or stale, and the input log, which reproduces the
old story exactly. Not here: finding and shrinking (`soak.py`, `shrink.py`).
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from sim.lines import said
from sim.options import sentence
from sim.plan import Fault
from sim.runs import Counterexample, load, replay_log, run
from sim.trace import Line

LANES: Final = ("plan", "board", "station", "link")
TITLES: Final = {"plan": "people and world", "board": "board", "station": "station", "link": "link and CSMS"}
WIDTH: Final = 38  # of a column, where there is room
NARROW: Final = 14
TIME: Final = 13  # columns that the time takes
ROW: Final = 22
SHOWN: Final = 60  # lines, where there is no terminal whose height they have to fit
LEAST: Final = 15
SAME: Final = "gives the same effects as then"
AFTER: Final = 5  # lines that follow the moment in which it broke, where it breaks no more
DULL: Final[tuple[object, ...]] = ("Heartbeat", {}, ["currentTime"])
REPR: Final = re.compile(r"<\w+\.\w+: '?(\w+)'?>|light=Light\(colour=|pattern=|, percent=\d+\)")
SAMPLE: Final = re.compile(r"< slot (\d+): register |> \[2,\"[^\"]*\",\"MeterValues\",\{\"connectorId\":(\d+)")
SLOT: Final = re.compile(r"slot[ =](\d+)")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="show a counterexample, and whether it still breaks",
        description=__doc__.partition("\n")[0],
    )
    add = parser.add_argument
    add("file", type=Path, help="a counterexample written by soak, or one of tests/regressions")
    add("--step", action="store_true", help="wait for Enter after each line")
    add("--all", action="store_true", help="the whole story, not only what led to the break")
    add("--out", type=Path, metavar="FILE", help="write the timeline as .html or .svg instead")
    add("--json", action="store_true", help="what came of it, as JSON")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Exit status 0: the promise holds today; 1: it is broken; 2: the file or call is wrong; 3: stale, its marks are not reached."""
    try:
        example = load(args.file)
    except (OSError, ValueError, RecursionError) as error:
        what = sentence(error) if isinstance(error, OSError) else f"{args.file} is no counterexample: {error}"
        print(f"station-sim replay: {what}", file=sys.stderr)
        return 2
    if args.out is not None and args.out.suffix not in (".html", ".svg"):
        print(f"station-sim replay: --out {args.out}: its name must end with .html or .svg", file=sys.stderr)
        return 2
    outcome, world = run(example.seed, example.plan, keep=True)
    lines = world.trace.lines if world is not None else []
    same = {station: _log(example, station, digest) for station, digest in example.effects.items()}
    missed = sorted(set(example.marks) - set(outcome.marks))
    if args.out is not None:
        picture = svg(example, around(lines, example.at_s, 400))
        try:
            args.out.write_text(picture if args.out.suffix == ".svg" else page(example, picture), encoding="utf-8")
        except OSError as error:
            print(f"station-sim replay: {sentence(error)}", file=sys.stderr)
            return 2
        print(f"wrote {args.out}")
    elif args.json:
        told = {
            "promise": outcome.promise,
            "sentence": outcome.sentence,
            "same_story": {station: said == SAME for station, said in same.items()},
            "missed_marks": missed,
        }
        print(json.dumps(told))
    else:
        show(example, lines if args.all else around(telling(lines), example.at_s, _room(example)), args.step)
        print()
        print(f"then: {example.promise}: {example.sentence}")
        print(f"now:  {outcome.promise or 'no promise is broken'}{': ' + outcome.sentence if outcome.promise else ''}")
        for station, said in same.items():
            print(f"the log of {station} {said}")
        if missed:
            print(f"stale: it no longer reaches {', '.join(missed)}")
    if outcome.promise:
        return 1
    return 3 if missed else 0


def _log(example: Counterexample, station: str, digest: str) -> str:
    """What today's core makes of the inputs of then."""
    try:
        return SAME if replay_log(example, station) == digest else "gives other effects today"
    except Exception as error:  # noqa: BLE001 what was written for another version may do anything to this one
        return f"cannot be replayed, it is of another version: {error!r}"


def around(lines: list[Line], at_s: float, most: int) -> list[Line]:
    """So many lines up to where it broke then, and a few more; of a run that ends before, its last ones."""
    until = sum(line.at_ns <= at_s * 1e9 for line in lines) if at_s else len(lines)
    end = min(until + AFTER, len(lines))
    return lines[max(0, end - most) : end]


def telling(lines: list[Line]) -> list[Line]:
    """Without heartbeats, answers that say nothing, and values of a slot after which others come before anything else happens there."""
    kept: list[Line] = []
    followed: set[tuple[str, bool, str]] = set()
    for line in reversed(lines):
        sample = SAMPLE.match(line.what)
        if sample is not None:
            what = (line.who, bool(sample[1]), sample[1] or sample[2])
            if what not in followed:
                kept.append(line)
            followed.add(what)
        elif not _dull(line):
            kept.append(line)
            slot = SLOT.search(line.what)
            followed -= (
                {each for each in followed if slot is None or each[2] == slot[1]} if line.lane != "link" else set()
            )
    return kept[::-1]


def _dull(line: Line) -> bool:
    if line.lane != "link":
        return line.what.endswith(": acknowledged")
    try:
        frame = json.loads(line.what[2:])
    except ValueError:
        return False
    what = frame[2] if isinstance(frame, list) and len(frame) > 2 else None
    return what in DULL or (isinstance(what, dict) and [*what] in DULL)


def _room(example: Counterexample) -> int:
    """How many lines fit on the screen beside the plan and what came of it."""
    if not sys.stdout.isatty():
        return SHOWN
    around = len(example.plan.actions) + len(example.plan.faults) + len(example.effects) + 7
    return max(LEAST, shutil.get_terminal_size().lines - around)


def show(example: Counterexample, lines: Iterable[Line], step: bool) -> None:
    """The plan, then columns on a terminal, as wide as it allows; the whole width where there is none."""
    width = WIDTH
    if sys.stdout.isatty():
        width = max(NARROW, min(WIDTH, (shutil.get_terminal_size().columns - TIME) // len(LANES) - 2))
    plan, many = example.plan, len(example.plan.shape.stations) > 1
    settings = "".join(f", {name}={value}" for name, value in plan.shape.settings.items())
    print(f"seed {example.seed}, {', '.join(plan.shape.stations)}{settings}, {plan.for_s:g} s")
    for item in sorted((*plan.actions, *plan.faults), key=lambda item: item.at_s):
        lasts = f" for {item.for_s:g} s" if isinstance(item, Fault) and item.for_s else ""
        print(f"{item.at_s:11.3f}  {f'CP{item.station + 1} ' if many else ''}{said(item)}{lasts}")
    print("\n       time  " + "  ".join(TITLES[lane].ljust(width) for lane in LANES).rstrip())
    broke = False
    for line in lines:
        if not broke and example.at_s and line.at_ns > example.at_s * 1e9:
            broke = True
            print(f"{example.at_s:11.3f}  -- then it broke here")
        what = f"{line.who} {line.what}" if many else line.what
        cells = [short(what, width).ljust(width) if line.lane == lane else " " * width for lane in LANES]
        print(f"{line.at_ns / 1e9:11.3f}  {'  '.join(cells)}".rstrip())
        if step and not sys.stdin.readline():  # its end: nobody is there to press Enter
            step = False


def short(what: str, width: int) -> str:
    """A line cut to a column: frames by direction and action."""
    head, _, rest = what.partition(" ")
    if head.startswith("CP"):
        return f"{head} {short(rest, max(1, width - len(head) - 1))}"
    if what[:2] in ("> ", "< ") and what[2:3] == "[":
        try:
            frame = json.loads(what[2:])
        except ValueError:
            return what[:width]
        rest = frame[2] if frame[0] == 2 else {3: "answer", 4: "error"}.get(frame[0], "?")
        detail = frame[3] if frame[0] == 2 else frame[2]
        what = f"{what[0]} {rest} {json.dumps(detail) if detail else ''}"
    elif what.startswith("ShowLight("):
        what = REPR.sub(r"\1", what)
    return what if len(what) <= width else what[: width - 1] + "…"


def svg(example: Counterexample, lines: list[Line]) -> str:
    """A timeline: a column a lane, a row a line, the broken promise at the foot."""
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
