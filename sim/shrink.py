"""Making a failing plan small: drop actions and faults, keep one station, begin sooner, round times, while the same promise stays broken.

A delta debugger of our own for the swarm's plans; Hypothesis shrinks its own. Not here: running plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sim.plan import Plan

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails, most_tries: int = 600) -> Plan:
    """The smallest plan found that still fails; `fails` must be true of `plan`. Bounded by so many runs."""
    tries = 0
    changed = True
    while changed and tries < most_tries:
        changed = False
        for candidate in _smaller(plan):
            tries += 1
            if tries > most_tries:
                break
            if fails(candidate):
                plan, changed = candidate, True
                break
    return plan


def size(plan: Plan) -> int:
    """How many actions and faults a reader has to follow."""
    return len(plan.actions) + len(plan.faults)


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Candidates, the boldest first."""
    yield from _without_chunks(plan, "actions")
    yield from _without_chunks(plan, "faults")
    yield from _fewer_stations(plan)
    for name in plan.shape.settings:
        settings = {k: v for k, v in plan.shape.settings.items() if k != name}
        yield msgspec.structs.replace(plan, shape=msgspec.structs.replace(plan.shape, settings=settings))
    yield from _earlier(plan)
    yield from _sooner(plan)
    yield from _rounder(plan)


def _fewer_stations(plan: Plan) -> Iterator[Plan]:
    """Only one of the stations, as the first; what happens at others goes."""
    for number in range(len(plan.shape.stations) if len(plan.shape.stations) > 1 else 0):
        mine: dict[str, Any] = {"shape": msgspec.structs.replace(plan.shape, stations=(plan.shape.stations[number],))}
        for field in ("actions", "faults"):
            kept = [item for item in getattr(plan, field) if item.station == number]
            mine[field] = tuple(msgspec.structs.replace(item, station=0) for item in kept)
        yield msgspec.structs.replace(plan, **mine)


def _earlier(plan: Plan) -> Iterator[Plan]:
    """Nothing happens for the first minutes: all of it so much sooner."""
    first = min((item.at_s for item in (*plan.actions, *plan.faults)), default=0.0)
    for by in (float(int(first) - 10), float(int(first / 2))):
        if by >= 60:
            moved: dict[str, Any] = {
                field: tuple(msgspec.structs.replace(i, at_s=round(i.at_s - by, 1)) for i in getattr(plan, field))
                for field in ("actions", "faults")
            }
            yield msgspec.structs.replace(plan, **moved)


def _without_chunks(plan: Plan, field: str) -> Iterator[Plan]:
    items: tuple[Any, ...] = getattr(plan, field)
    chunk = len(items)
    while chunk >= 1:
        for start in range(0, len(items), chunk):
            yield msgspec.structs.replace(plan, **{field: items[:start] + items[start + chunk :]})
        chunk //= 2


def _sooner(plan: Plan) -> Iterator[Plan]:
    """The whole run shorter: nothing happens after the last thing that happens."""
    last = max((i.at_s + getattr(i, "for_s", 0.0) for i in (*plan.actions, *plan.faults)), default=0.0)
    for for_s in (60.0, 300.0, 900.0, float(int(last) + 60)):
        if for_s < plan.for_s and for_s >= last:
            yield msgspec.structs.replace(plan, for_s=for_s)


def _rounder(plan: Plan) -> Iterator[Plan]:
    """One time at a time to a whole ten seconds, or whole seconds; one duration likewise."""
    for field in ("actions", "faults"):
        items: tuple[Any, ...] = getattr(plan, field)
        for index, item in enumerate(items):
            for name in ("at_s", "for_s"):
                value = getattr(item, name, None)
                if value is None:
                    continue
                for rounded in (round(value, -1), float(round(value))):
                    if rounded != value and not (name == "for_s" and rounded == 0):
                        new = msgspec.structs.replace(item, **{name: rounded})
                        yield msgspec.structs.replace(plan, **{field: (*items[:index], new, *items[index + 1 :])})
                        break
