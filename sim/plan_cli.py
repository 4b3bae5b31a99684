"""`station-sim plan`: is a file a plan that can be played, and the JSON Schema of plans, for editors.

Not here: playing them, in the world (`world_cli.py`) or in real time (`run.py`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from sim import live_plan
from sim.plan import Plan
from sim.plan_check import checked
from sim.plan_file import Source, read, spelt

FINE, WRONG, MISUSED = 0, 1, 2
EPILOG: Final = """\
exit status: 0 all can be played; 1 mistakes were found; 2 the call is wrong, or a file cannot be read

examples:
  station-sim plan check plans/*.yaml            every mistake with its line, and what is allowed there
  station-sim plan check story.yaml --json       the same for programs
  station-sim plan schema > plan.schema.json     what an editor needs to complete and check as you type:
                                                 begin a file with `# yaml-language-server: $schema=plan.schema.json`
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "plan",
        help="check plans, and print their schema",
        description=__doc__.partition("\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = parser.add_subparsers(dest="what", required=True, metavar="check|schema")
    check = whats.add_parser("check", help="every mistake in these files, and whether they can be played live")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="plans: YAML or JSON; - is standard input")
    check.add_argument("--json", action="store_true", help="one JSON array, an object for each file")
    check.set_defaults(run=run_check)
    schema = whats.add_parser("schema", help="the JSON Schema of a plan")
    schema.set_defaults(run=run_schema)


def run_schema(args: argparse.Namespace) -> int:
    """Always 0."""
    print(schema_text(), end="")
    return FINE


def schema_text() -> str:
    """The JSON Schema (2020-12) of a plan."""
    schema = msgspec.json.schema(Plan)
    for kind in schema["$defs"].values():
        kind["description"] = " ".join(kind["description"].split())
    settings = schema["$defs"]["Shape"]["properties"]["settings"]
    settings["additionalProperties"] = {"type": ["string", "integer", "boolean"]}  # a text, however it is written
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A plan for station-sim", **schema}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def run_check(args: argparse.Namespace) -> int:
    """Exit status: see EPILOG."""
    sources = [checked(read(path)) for path in args.files]
    if args.json:
        print(msgspec.json.format(msgspec.json.encode([_told(source) for source in sources]), indent=2).decode())
    else:
        for source in sources:
            _say(source)
    if any(source.unreadable for source in sources):
        return MISUSED
    return WRONG if any(source.plan is None for source in sources) else FINE


def _told(source: Source) -> dict[str, Any]:
    """`live` is there where the plan has no mistakes: what of it cannot be played in real time."""
    told: dict[str, Any] = {
        "file": str(source.path),
        "ok": source.plan is not None,
        "mistakes": [msgspec.to_builtins(mistake) for mistake in source.found],
    }
    if source.plan is not None:
        told["live"] = [{"path": spelt(place), "what": why} for place, why in live_plan.not_live(source.plan)]
    return told


def _say(source: Source) -> None:
    """Mistakes go to standard error, one a line; what is fine to standard output."""
    for mistake in source.found:
        print(mistake.at(source.path), file=sys.stderr)
    made = source.plan
    if made is None:
        return
    lists = {"action": made.actions, "fault": made.faults, "expectation": made.expect}
    counts = ", ".join(f"{len(items)} {name}{'' if len(items) == 1 else 's'}" for name, items in lists.items())
    print(f"{source.path}: fine: {counts} in {made.for_s:g} s", end="")
    not_live = live_plan.not_live(made)
    print("; it can be played live too" if not not_live else "; it cannot be played live:")
    for place, why in not_live:
        print(f"  {spelt(place)}: {why}")
