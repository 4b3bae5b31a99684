"""Hands the core's events to every sink as CloudEvents, and tells the core once all of them have one (station.md §11).

A sink that is slow holds nobody but itself: each has its own queue. What a sink has not confirmed stays in the core's store and comes again
after a restart: at least once, with the same id. Not here: the envelope (`cloudevents.py`), any sink (`event_file.py`; MQTT, HTTP).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from station.adapters.cloudevents import Compat, envelope
from station.core.core import StationCore
from station.core.effects import Delivered, Note, Publish
from station.shell.runner import Runner, Sinks, Unit


class EventSink(Protocol):
    """Where events go. All members are called on the loop's thread."""

    def take(self, event: bytes, done: Callable[[], None]) -> None:
        """One event as JSON without a line end. `done` is called once, on the loop's thread, when it cannot be lost any more."""
        ...

    async def drain(self) -> None:
        """Return when all that was taken is done, or when there is no hope of that."""
        ...

    def close(self) -> None:
        """Try once more to write what waits, then let go. May be called twice."""
        ...


class Delivery(Sinks):
    """Passes on everything to `inner` (lines for people, say), and events to `sinks` as well.

    `runner` is set once there is one: it carries `Delivered` back to the core.
    """

    def __init__(self, inner: Sinks, sinks: Sequence[EventSink] = (), compat: Compat = "seed") -> None:
        self.inner = inner
        self.sinks = tuple(sinks)
        self.compat: Compat = compat
        self.runner: Runner | None = None

    def publish(self, unit: Unit, event: Publish) -> bool:
        """True where all have it at once; else `Delivered` follows."""
        taken = self.inner.publish(unit, event)
        if not self.sinks:
            return taken
        waiting = _Waiting(self, unit, event.number, len(self.sinks))
        line = envelope(unit.id, event, self.compat)
        for sink in self.sinks:
            sink.take(line, waiting.done)
        waiting.later = True
        return taken and waiting.left == 0

    def note(self, unit: Unit, note: Note) -> None:
        self.inner.note(unit, note)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        self.inner.frame(unit, out, frame)

    def exited(self, unit: Unit) -> None:
        self.inner.exited(unit)

    def bug(self, unit: Unit, error: Exception) -> None:
        self.inner.bug(unit, error)

    async def drain(self) -> None:
        """Return when every sink has what it was given. Before the host is closed, so that the core hears of it."""
        for sink in self.sinks:
            await sink.drain()

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()


class _Waiting:
    """An event on its way: `left` sinks have not confirmed it. A core that came after publishes it again and is not told of this one."""

    __slots__ = ("_core", "_delivery", "_number", "_unit", "later", "left")

    def __init__(self, delivery: Delivery, unit: Unit, number: int, left: int) -> None:
        self._delivery = delivery
        self._unit = unit
        self._core: StationCore | None = unit.core
        self._number = number
        self.left = left
        self.later = False

    def done(self) -> None:
        self.left -= 1
        runner = self._delivery.runner
        if self.left == 0 and self.later and runner is not None and self._unit.core is self._core:
            runner.post(self._unit, Delivered(self._number))
