"""Promises, and who holds the station to them.

A checker reads only what the world shows it: commands the core gave and what it had been told (`stepped`), the ground truth of board, disk
and CSMS (`looked`), frames (`framed`). Never the core's private state. It counts how often its promise was armed, and raises `Broken`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from station.core.effects import Effect, Input

if TYPE_CHECKING:
    from sim.world import World
    from station.shell.runner import Unit

PENDING: Final = ("outbox", "session", "kept", "event")  # records of what is still to be done


class Broken(Exception):
    """A promise was broken. `promise` is its name, `sentence` says what happened, `at_ns` when."""

    def __init__(self, promise: str, sentence: str, at_ns: int) -> None:
        super().__init__(f"{promise}: {sentence} (at {at_ns / 1e9:.3f} s)")
        self.promise = promise
        self.sentence = sentence
        self.at_ns = at_ns


class Checker:
    """Base of all: overrides what it needs. `name` is the promise's name in reports; `armed` how often its precondition was true."""

    name = ""

    def __init__(self) -> None:
        self.armed = 0

    def stepped(self, world: World, unit: Unit, item: Input, effects: list[Effect]) -> None:
        """A core was given an input and answered with these effects, in order; called before they are performed."""

    def looked(self, world: World) -> None:
        """After every event of the world: the ground truth may be looked at."""

    def framed(self, world: World, unit: Unit, out: bool, frame: list[Any]) -> None:
        """A frame left (out) or reached the station, decoded."""

    def booted(self, world: World, unit: Unit, effects: list[Effect]) -> None:
        """A core was restored; its first effects."""

    def cut(self, world: World, unit: Unit) -> None:
        """The power of a station was cut."""

    def settled(self, world: World) -> None:
        """All faults are healed and the world has come to rest: liveness is judged here."""

    def broken(self, world: World, sentence: str) -> Broken:
        return Broken(self.name, sentence, world.clock.mono_ns)
