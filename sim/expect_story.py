"""The story of a run in a few lines: what people and the world did, what the station told, what the CSMS heard, when power flowed.

Not here: every frame and every step (`replay.py`, `show.py`), whether it was as expected (`expect_judge.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from sim.expect_seen import Call, Seen
from sim.lines import said, value_text
from sim.plan import Plan

Row: TypeAlias = tuple[float, int, str, str]

DULL: Final = ("Heartbeat", "MeterValues")  # counted, not told
LONGEST: Final = 200
_EVENT: Final = ("slotNumber", "card", "status", "energyWh", "reason")
_CALL: Final = (
    "connectorId",
    "idTag",
    "status",
    "errorCode",
    "transactionId",
    "meterStart",
    "meterStop",
    "reason",
    "key",
    "value",
)


def story(plan: Plan, seen: Seen) -> list[str]:
    """A line for each thing that happened, in order, and at the end what was left out."""
    planned = [row for row in _plan(plan) if row[0] <= seen.until_s]  # it may have been ended before
    rows = sorted([*planned, *_told(seen), *_power(plan, seen)], key=lambda row: row[0])
    many = len(plan.shape.stations) > 1 or any(number for _, number, _, _ in rows)
    lines = [f"{_clock(at_s)}  {f'{number} ' if many else ''}{who:8}{what}" for at_s, number, who, what in rows]
    if len(lines) > LONGEST:
        half = LONGEST // 2
        lines = [*lines[:half], f"... {len(lines) - LONGEST} lines left out ...", *lines[-half:]]
    dull = Counter(call.action for call in seen.calls if call.action in DULL)
    left = ", ".join(f"{count} {action}" for action, count in sorted(dull.items()))
    return [*lines, f"left out: {left}"] if left else lines


def _plan(plan: Plan) -> Iterator[Row]:
    for action in plan.actions:
        yield action.at_s, action.station, "people", said(action)
    for fault in plan.faults:
        lasts = f" for {fault.for_s:g} s" if fault.for_s else ""
        yield fault.at_s, fault.station, "world", f"{said(fault)}{lasts}"


def _told(seen: Seen) -> Iterator[Row]:
    for event in seen.events:
        error = event.data.get("error", {})
        more = f" {error['vendorErrorCode']}" if "vendorErrorCode" in error else ""
        yield event.at_s, event.station, "event", f"{event.type}{more}{_some(event.data, _EVENT)}"
    for call in seen.calls:
        if call.action not in DULL:
            arrow = "->" if call.sender == "station" else "<-"
            yield call.at_s, call.station, "csms", f"{arrow} {call.action}{_some(call.payload, _CALL)}{_answer(call)}"


def _answer(call: Call) -> str:
    if call.answer is None:
        return " (no answer)"
    info = call.answer.get("idTagInfo")
    said = call.answer.get("errorCode") or call.answer.get("status") or (info or {}).get("status")
    return f" = {said}" if said else ""


def _power(plan: Plan, seen: Seen) -> Iterator[Row]:
    for quantity, number, slot in seen.quantities():
        if quantity == "power":
            for at_s, on in seen.track("power", number, slot, -1.0, plan.for_s)[1:]:
                yield at_s, number, "power", f"slot {slot} {'energised' if on else 'without power'}"


def _some(data: dict[str, Any], names: tuple[str, ...]) -> str:
    return "".join(f" {name} {value_text(data[name])}" for name in names if name in data and data[name] != "NoError")


def _clock(at_s: float) -> str:
    minutes, rest = divmod(at_s, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:3}:{minutes:02}:{rest:06.3f}"
