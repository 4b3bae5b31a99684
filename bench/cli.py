"""The command line of the bench, and the order in which rows are measured."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

from bench import load
from bench.bounds import passed
from bench.measure import RowFailed, running
from bench.report import as_json, as_text
from bench.results import Plan, Results
from bench.row import ROWS

USUAL: Final = {"runs": 5, "warm_up": 30.0, "window": 60.0}
QUICK: Final = {"runs": 1, "warm_up": 5.0, "window": 10.0}
MEMORY_ROWS: Final = ("memory", "bare")

DESCRIPTION: Final = """\
Measures what a message and a station cost, beside the bare protocol and a naive script in the same run.
Ends with status 1 when a bound is broken, a row cannot be measured or does not carry the load."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m bench", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rows", default=",".join(ROWS), help="some of %(default)s; bounds of other rows are left out")
    made.add_argument("--stations", type=int, default=load.STATIONS, help="stations of a row (default %(default)s)")
    made.add_argument(
        "--many", type=int, default=load.MANY_STATIONS, help="stations for the slope (default %(default)s)"
    )
    made.add_argument("--runs", type=int, metavar="N", help="windows of each row, interleaved (default 5)")
    made.add_argument("--warm-up", type=float, metavar="S", help="seconds before a window (default 30)")
    made.add_argument("--window", type=float, metavar="S", help="seconds of a window (default 60)")
    made.add_argument("--quick", action="store_true", help="the defaults become 1 window of 10 s after 5 s")
    made.add_argument("--memory", action="store_true", help="measure base and slope too (rows memory and bare)")
    made.add_argument("--no-cpu", action="store_true", help="leave the processor time out")
    made.add_argument("--json", action="store_true", help="JSON instead of the table, every window in it")
    return made


def plan_of(arguments: Sequence[str], processors: Sequence[int]) -> tuple[Plan, bool]:
    """What the command line asks for, and whether as JSON. Ends the process with status 2 when it makes no sense."""
    parsing = parser()
    options = parsing.parse_args(arguments)
    for name, value in (QUICK if options.quick else USUAL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    rows = options.rows.split(",")
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        parsing.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if not 0 < options.stations < options.many:
        parsing.error("--stations must be at least 1 and less than --many")
    if options.no_cpu and not options.memory:
        parsing.error("--no-cpu without --memory leaves nothing to measure")
    if options.window <= 0 or options.warm_up < 0 or options.runs < 1:
        parsing.error("--window and --runs must be more than nothing, --warm-up not less")
    plan = Plan(
        rows=rows,
        stations=options.stations,
        many_stations=options.many,
        runs=options.runs,
        warm_up_s=options.warm_up,
        window_s=options.window,
        cpu=not options.no_cpu,
        memory=options.memory,
        row_processor=processors[-1],
        csms_processor=processors[0],
    )
    return plan, options.json


async def measure(plan: Plan) -> Results:
    """All rows of the plan. A row that fails once is not tried again."""
    results = Results(plan)
    if plan.cpu:
        for run in range(plan.runs):
            for row in plan.rows:
                await cpu_of(results, row, f"run {run + 1} of {plan.runs}")
    if plan.memory:
        for row in MEMORY_ROWS:
            if row in plan.rows:
                await memory_of(results, row)
    return results


async def cpu_of(results: Results, row: str, which: str) -> None:
    if row in results.failures:
        return
    plan = results.plan
    try:
        async with running(plan, row, plan.stations) as run:
            window = await run.window()
    except RowFailed as error:
        results.failures[row] = str(error)
        say(f"{which}: {ROWS[row]}: {error}")
        return
    results.windows.setdefault(row, []).append(window)
    say(
        f"{which}: {ROWS[row]}: {window.cpu_us:.1f} us a message, {window.meter_values} MeterValues and "
        f"{window.heartbeats} Heartbeats in {window.window_s:.1f} s"
    )


async def memory_of(results: Results, row: str) -> None:
    plan = results.plan
    for count in (plan.stations, plan.many_stations):
        if row in results.failures:
            return
        try:
            async with running(plan, row, count) as run:
                point = run.memory()
        except RowFailed as error:
            results.failures[row] = str(error)
            say(f"memory: {ROWS[row]}: {error}")
            return
        results.memory.setdefault(row, []).append(point)
        say(f"memory: {ROWS[row]}: {point.memory.rss_kib / 1024:.1f} MiB at {count} stations")


def say(text: str) -> None:
    """Progress goes beside the report, not into it."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    if not sys.platform.startswith("linux"):
        print("the bench reads /proc and pins processors: it needs Linux", file=sys.stderr)
        return 2
    plan, json = plan_of(arguments, sorted(os.sched_getaffinity(0)))
    results = asyncio.run(measure(plan))
    print(as_json(results) if json else as_text(results))
    return 0 if passed(results) else 1
