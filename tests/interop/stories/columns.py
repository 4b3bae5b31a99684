"""The two columns of a story: what is expected, line by line, held against what was seen.

Frames:   `StopTransaction reason=Local idTag=-`    members: `a|b` either, `-` absent, `+` there, whatever it is
Hardware: `lock closed @0..2`                       seconds since the step began; without them @0..5
A `?` in front: may be missing. ` x3` behind: three of them. A list instead of a line: in any order.
Not here: how things come to be seen (`story.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Lines: TypeAlias = Sequence[str | list[str]]
DEFAULT_S = (0.0, 5.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One CALL of the station, as the CSMS received it."""

    action: str
    payload: dict[str, Any]

    @property
    def context(self) -> str | None:
        """Of the first sampled value, if it has some."""
        for meter_value in self.payload.get("meterValue", ()):
            return str(meter_value["sampledValue"][0].get("context", "Sample.Periodic"))
        return None

    def __str__(self) -> str:
        shown = {key: value for key, value in self.payload.items() if key != "meterValue"}
        if self.context:
            shown["context"] = self.context
        return " ".join([self.action, *(f"{key}={value}" for key, value in shown.items())])


@dataclass(frozen=True, slots=True)
class Change:
    """One thing the hardware did. `track`: what has an order among itself: a slot's power and lock, or one lamp."""

    track: str
    text: str
    at_s: float

    def __str__(self) -> str:
        return f"{self.track} {self.text} @{self.at_s:.2f}"


class Line(Protocol):
    """One expected thing."""

    optional: bool

    def fits(self, seen: Any, slack_s: float) -> bool: ...


@dataclass(slots=True)
class FrameLine:
    text: str
    optional: bool = False
    action: str = ""
    members: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> FrameLine:
        action, *rest = shlex.split(text.removeprefix("?"))
        pairs = [one.partition("=") for one in rest]
        return cls(text, text.startswith("?"), action, {key: value for key, _, value in pairs})

    def fits(self, seen: Frame, slack_s: float) -> bool:
        return seen.action == self.action and all(self._agrees(seen, key, text) for key, text in self.members.items())

    @staticmethod
    def _agrees(seen: Frame, key: str, text: str) -> bool:
        there = seen.context if key == "context" else seen.payload.get(key)
        choices = text.split("|")
        if there is None:
            return "-" in choices
        return "+" in choices or str(there) in choices


@dataclass(slots=True)
class HardwareLine:
    text: str
    optional: bool = False
    track: str = ""
    choices: tuple[str, ...] = ()
    from_s: float = DEFAULT_S[0]
    to_s: float = DEFAULT_S[1]

    @classmethod
    def parse(cls, text: str) -> HardwareLine:
        what, _, window = text.removeprefix("?").strip().partition("@")
        lo, _, hi = window.partition("..")
        words = what.split()
        if words[0] == "lamp":
            track, rest = f"lamp {words[1]}", words[2:]
        elif words[0].isdigit():
            track, rest = f"slot {words[0]}", words[1:]
        else:
            track, rest = "slot 1", words
        span = (float(lo), float(hi)) if window else DEFAULT_S
        head, tail = " ".join(rest[:-1]), rest[-1].split("|")
        choices = tuple(f"{head} {one}".strip() for one in tail)
        return cls(text, text.startswith("?"), track, choices, *span)

    def fits(self, seen: Change, slack_s: float) -> bool:
        told = seen.text in self.choices or (
            self.choices[0].endswith(" *") and seen.text.split()[0] == self.choices[0].split()[0]
        )
        return seen.track == self.track and told and self.from_s - 0.1 <= seen.at_s <= self.to_s + slack_s


class Column:
    """A column being filled: `take` what is seen, one after the other; `wrong` says what does not fit."""

    def __init__(self, groups: Sequence[Sequence[Line]]) -> None:
        self._groups = [
            sorted(group, key=lambda line: line.optional) for group in groups
        ]  # what must come is found first
        self.wrong: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing any more. What may be missing does not count."""
        return all(line.optional for group in self._groups for line in group)

    def missing(self) -> list[str]:
        return [getattr(line, "text", "") for group in self._groups for line in group if not line.optional]

    def take(self, seen: object, slack_s: float) -> None:
        if self.wrong:
            return
        for index, group in enumerate(self._groups):
            for line in group:
                if line.fits(seen, slack_s):
                    group.remove(line)
                    self._groups = self._groups[index:]
                    return
            if any(not line.optional for line in group):
                break
        self.wrong = f"unexpected: {seen}; missing before it: {self.missing() or 'nothing'}"


def frame_column(lines: Lines) -> Column:
    return Column([[FrameLine.parse(one) for one in _group(line)] for line in lines])


def hardware_columns(lines: Lines) -> dict[str, Column]:
    """One column a track: between tracks there is no order."""
    tracks: dict[str, list[list[Line]]] = {}
    for line in lines:
        group = [HardwareLine.parse(one) for one in _group(line)]
        for track in dict.fromkeys(one.track for one in group):
            tracks.setdefault(track, []).append([one for one in group if one.track == track])
    return {track: Column(groups) for track, groups in tracks.items()}


def _group(line: str | list[str]) -> list[str]:
    """A list of lines; `... x3` is three of the same."""
    lines = [line] if isinstance(line, str) else line
    spread = []
    for one in lines:
        text, _, times = one.rpartition(" x")
        spread += [text] * int(times) if times.isdigit() and text else [one]
    return spread
