"""Waiting for something to be so at a virtual station, and the history of events that this needs.

Not here: the command (`commands.Wait`), who waits (`executor.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from sim.commands import Wait
from sim.live import Live
from sim.view import why
from station.adapters.cloudevents import CloudEvent, decode, envelope, kind_of
from station.core.effects import Publish
from station.shell.runner import Unit

KEPT: Final = 10_000  # events of a station; older ones are forgotten


class History:
    """The latest events of each station, in the order in which they were published; a redelivered one once."""

    def __init__(self) -> None:
        self._events: dict[str, deque[CloudEvent]] = {}
        self._ids: dict[str, dict[str, None]] = {}
        self._count: dict[str, int] = {}
        self._next: dict[str, int] = {}

    def heard(self, unit: Unit, event: Publish) -> None:
        """For `sim.live.Ear`."""
        ids = self._ids.setdefault(unit.id, {})
        if event.id in ids:
            return
        ids[event.id] = None
        events = self._events.setdefault(unit.id, deque())
        events.append(decode(envelope(unit.id, event)))
        self._count[unit.id] = self._count.get(unit.id, 0) + 1
        if len(events) > KEPT:
            del ids[events.popleft().id]

    def of(self, station: str) -> list[CloudEvent]:
        return list(self._events.get(station, ()))

    def take(self, station: str, kind: str) -> CloudEvent | None:
        """The first of this kind that came after the one taken last, and go on behind it; None: not yet."""
        events = self._events.get(station, deque())
        first = self._count.get(station, 0) - len(events)
        start = max(self._next.get(station, 0), first)
        for number in range(start, first + len(events)):
            if events[number - first].kind == kind:
                self._next[station] = number + 1
                return events[number - first]
        return None


async def wait(live: Live, history: History, station: str, wanted: Wait) -> tuple[dict[str, Any] | None, str]:
    """What came, or None and a sentence on what is so instead."""
    begin_ns = live.host.clock.mono_ns()
    true, instead = _condition(live, history, station, wanted)
    found = await live.until(station, true, wanted.within_s)
    if found is None:
        return None, f"{instead()}, after {wanted.within_s:g} s"
    return {**found, "waited_s": round((live.host.clock.mono_ns() - begin_ns) / 1e9, 3)}, ""


Condition = tuple[Callable[[], dict[str, Any] | None], Callable[[], str]]


def _condition(live: Live, history: History, station: str, wanted: Wait) -> Condition:
    """What gives something once it is so, and what says how it is meanwhile."""
    if wanted.status is not None:
        return _status(live, station, wanted.slot, wanted.status)
    if wanted.event is not None:
        kind = kind_of(wanted.event)

        def event() -> dict[str, Any] | None:
            taken = history.take(station, kind)
            return None if taken is None else {"event": msgspec.to_builtins(taken)}

        return event, lambda: f"no event {kind} has come{_latest(history, station)}"
    if wanted.sessions is not None:
        seen, number = live.ear.of(station), wanted.sessions
        return (
            lambda: {"sessions": seen.ended} if seen.ended >= number else None,
            lambda: f"{seen.ended} sessions have ended, not {number}",
        )
    return _online(live, station, bool(wanted.online))


def _status(live: Live, station: str, slot: int, status: str) -> Condition:
    unit = live.unit(station)

    def true() -> dict[str, Any] | None:
        there = unit.core.slots[slot - 1] if unit.core is not None else None
        if there is None:
            return None
        so = there.summary.value == "full" if status == "full" else there.status.value == status
        return {"slot": slot, "status": status} if so else None

    def instead() -> str:
        if unit.core is None:
            return "the station does not run"
        there = unit.core.slots[slot - 1]
        reason = "" if there.power_closed else why(there)
        return f"slot {slot} is {there.status.value}, not {status}{f' ({reason})' if reason else ''}"

    return true, instead


def _online(live: Live, station: str, online: bool) -> Condition:
    unit = live.unit(station)

    def true() -> dict[str, Any] | None:
        now = unit.core is not None and unit.core.connection.online
        return {"online": now} if now is online else None

    def instead() -> str:
        if not online:
            return "the CSMS still has the station accepted, over a link that stands"
        return "the station has no mains" if station in live.dark else live.ear.of(station).contact

    return true, instead


def _latest(history: History, station: str) -> str:
    events = history.of(station)
    return f"; the latest was {events[-1].kind}" if events else "; none has come at all"
