"""The results as a table for people and as JSON for programs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec

from bench import load
from bench.bounds import passed, verdicts
from bench.process import Memory
from bench.results import Results, resolution_us
from bench.row import ROWS

HEADS = ("row", "us/message", "spread", "ratio", "base MiB", "slope KiB", "messages", "frame B", "CSMS us", "foreign")
FOREIGN_TOO_MUCH = 0.1


def as_text(results: Results) -> str:
    """The whole report: the terms, the table, what went wrong, the bounds."""
    parts = [terms(results), table([HEADS, *(line(results, row) for row in results.plan.rows)])]
    notes = [f"{row}: {why}" for row, why in results.failures.items()] + results.faults
    if any(window.foreign > FOREIGN_TOO_MUCH for windows in results.windows.values() for window in windows):
        notes.append(
            "the row's processor was busy with something else for more than a tenth of a window: measure again"
        )
    if notes:
        parts.append("\n".join(f"! {note}" for note in notes))
    found = verdicts(results)
    if found:
        parts.append(
            "\n".join(
                f"{'ok    ' if verdict.held else 'BROKEN'} {verdict.name}: "
                f"{number(verdict.value, 2, 'not measured')} {verdict.unit}, at most {verdict.limit:g}"
                for verdict in found
            )
        )
    return "\n\n".join(parts)


def terms(results: Results) -> str:
    """What was measured and how, in a few lines."""
    plan = results.plan
    lines = [
        f"Load: two slots, one charging; MeterValues with {load.SAMPLED_VALUES} values every "
        f"{load.SAMPLE_INTERVAL_S} s, Heartbeat every {load.HEARTBEAT_INTERVAL_S} s; tick {load.TICK_MS} ms; "
        "decoding validated at both ends."
    ]
    if plan.cpu:
        one = max((window.messages for windows in results.windows.values() for window in windows), default=0)
        lines += [
            f"CPU: {plan.stations} stations, user + system time of the whole process over {plan.window_s:g} s after "
            f"{plan.warm_up_s:g} s of warm-up, median of {plan.runs} interleaved run{'s' if plan.runs > 1 else ''}; "
            "messages are calls answered in a window; spread is lowest to highest; "
            f"one tick of the kernel's clock is {resolution_us(one):.2f} us/message.",
        ]
    if plan.memory:
        lines.append(
            f"Memory: resident set (RSS) at {plan.stations} and at {plan.many_stations} stations, "
            f"{plan.warm_up_s:g} s after all of them sample; base is the line through both at zero."
        )
    where = f"rows on processor {plan.row_processor}, the CSMS on processor {plan.csms_processor}"
    if plan.row_processor == plan.csms_processor:
        where += " (there is only this one: expect higher numbers)"
    lines.append(
        f"All rows in this run, {where}. Compare the ratios; microseconds belong to this machine and this hour."
    )
    return "\n".join(lines)


def line(results: Results, row: str) -> tuple[str, ...]:
    """One row of the table; a dash where nothing was measured."""
    windows = results.windows.get(row, [])
    cells = (ROWS[row], number(results.cpu_us(row), 1), "-", number(results.ratio(row), 2))
    sizes = (number(results.base_mib(row), 1), number(results.slope_kib(row), 2))
    if not windows:
        return (*cells, *sizes, *("-",) * 4)
    low, high = (pick(window.cpu_us for window in windows) for pick in (min, max))
    return (
        *cells[:2],
        f"{low:.1f}-{high:.1f}",
        cells[3],
        *sizes,
        f"{statistics.median(window.messages for window in windows):.0f}",
        f"{statistics.median(window.frame_bytes for window in windows):.0f}",
        f"{statistics.median(window.csms_cpu_us for window in windows):.1f}",
        f"{max(window.foreign for window in windows):.1%}",
    )


def table(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in lines
    )


def number(value: float | None, digits: int, missing: str = "-") -> str:
    return missing if value is None else f"{value:.{digits}f}"


def as_json(results: Results) -> str:
    """Everything, the single windows included."""
    rows: dict[str, Any] = {
        row: {
            "cpu_us": results.cpu_us(row),
            "ratio": results.ratio(row),
            "base_mib": {kind: results.base_mib(row, kind) for kind in Memory.__struct_fields__},
            "slope_kib": {kind: results.slope_kib(row, kind) for kind in Memory.__struct_fields__},
            "windows": results.windows.get(row, []),
            "memory": results.memory.get(row, []),
            "failure": results.failures.get(row),
        }
        for row in results.plan.rows
    }
    bounds = [
        {"name": v.name, "unit": v.unit, "limit": v.limit, "value": v.value, "held": v.held} for v in verdicts(results)
    ]
    report = {"plan": results.plan, "rows": rows, "bounds": bounds, "passed": passed(results)}
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
