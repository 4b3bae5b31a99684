"""Every fault that can happen to a virtual station, each under two keys: which part of it (`l` lock), then how it fails (`j` jam).

Made of the classes in `plan.py`: a fault that is added there is here. Not here: raising them (`executor.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from hal.units import SlotId
from sim import commands as cmd
from sim import plan
from sim.live import why_not_live

LASTS_S: Final = 10.0  # of what needs a length: a card that lies on the reader
STANDS: Final = "*"
MORE: Final = {"x": "clear all", "z": "press stop", "y": "release stop", "a": "acknowledge"}


class Way(msgspec.Struct, frozen=True):
    """One way to fail, and its key."""

    key: str
    label: str
    fault: plan.AnyFault


class Part(msgspec.Struct, frozen=True):
    """One part of a station that may fail, and its key. `tag` as `clear` names it."""

    key: str
    tag: str
    ways: tuple[Way, ...]


def keys(words: Iterable[str], taken: str = "") -> dict[str, str]:
    """For each word a letter of its own, its first one that is still free where there is such."""
    found: dict[str, str] = {}
    for word in words:
        free = [c for c in (*word.lower(), *"abcdefghijklmnopqrstuvwxyz") if c.isalpha() and c not in taken]
        found[word] = free[0]
        taken += free[0]
    return found


def _faults(kind: type[plan.Fault]) -> dict[str, plan.AnyFault]:
    """All that there are of a kind, by what tells them apart; without those that need a simulated world."""
    modes = [(name, hint) for name, hint in get_type_hints(kind).items() if get_origin(hint) is Literal]
    made = {
        word: kind(at_s=0, for_s=LASTS_S if word == "stuck" else 0, **{name: word})
        for name, hint in modes
        for word in get_args(hint)
    } or {"fails": kind(at_s=0)}
    return {word: fault for word, fault in made.items() if not why_not_live(fault)}  # type: ignore[arg-type, misc]


def _parts() -> tuple[Part, ...]:
    found = {tag: faults for tag, kind in cmd.FAULTS.items() if (faults := _faults(kind))}
    letters = keys(found, "".join(MORE))
    return tuple(
        Part(letters[tag], tag, tuple(Way(key, word, faults[word]) for word, key in keys(faults, "x").items()))
        for tag, faults in found.items()
    )


PARTS: Final = _parts()


class Menu:
    """Which part has been chosen, if any. `press` gives the commands of a key; `over`: the menu is to be closed."""

    def __init__(self, station: str, slot: SlotId) -> None:
        self._station, self._slot = station, slot
        self._part: Part | None = None
        self.over = False

    def words(self, broken: Sequence[plan.AnyFault]) -> tuple[str, ...]:
        """What keys mean now; what stands is marked, and is mended by the same keys."""
        standing = [fault for fault in broken if getattr(fault, "slot", self._slot) == self._slot]
        if self._part is None:
            tags = {cmd.tag_of(type(fault)) for fault in standing}
            parts = (f"{part.key} {part.tag}{STANDS if part.tag in tags else ''}" for part in PARTS)
            return (*parts, *(f"{key} {label}" for key, label in MORE.items()), "Esc back")
        marks = {way.label: STANDS if self._stands(way, standing) else "" for way in self._part.ways}
        ways = (f"{way.key} {way.label.replace('_', ' ')}{marks[way.label]}" for way in self._part.ways)
        return (f"{self._part.tag}:", *ways, "x clear", "Esc back")

    def press(self, key: str, broken: Sequence[plan.AnyFault]) -> list[cmd.AnyCommand]:
        if self._part is None:
            self._part = next((part for part in PARTS if part.key == key), None)
            if self._part is not None and len(self._part.ways) > 1:
                return []
        self.over = True
        if self._part is None:
            return self._more(key)
        only = self._part.ways[0] if len(self._part.ways) == 1 else None
        way = only or next((way for way in self._part.ways if way.key == key), None)
        if (way is None and key == "x") or (way is not None and self._stands(way, broken)):
            slot = self._slot if "slot" in self._part.ways[0].fault.__struct_fields__ else None
            return [cmd.Clear(station=self._station, fault=self._part.tag, slot=slot)]
        return [cmd.Raise(station=self._station, fault=self._here(way.fault))] if way is not None else []

    def _more(self, key: str) -> list[cmd.AnyCommand]:
        match key:
            case "x":
                return [cmd.Clear(station=self._station)]
            case "z":
                return [cmd.PressStop(station=self._station)]
            case "y":
                return [cmd.ReleaseStop(station=self._station)]
            case "a":
                return [cmd.Acknowledge(station=self._station, slot=slot) for slot in (0, self._slot)]
            case _:
                return []

    def _here(self, fault: plan.AnyFault) -> plan.AnyFault:
        return msgspec.structs.replace(fault, slot=self._slot) if hasattr(fault, "slot") else fault

    def _stands(self, way: Way, broken: Sequence[plan.AnyFault]) -> bool:
        here = self._here(way.fault)
        return any(msgspec.structs.replace(fault, station=0) == here for fault in broken)


def in_words(fault: plan.AnyFault) -> str:
    """Such as `lock 1 jam`."""
    slot = getattr(fault, "slot", "")
    how = getattr(fault, "how", getattr(fault, "cause", ""))
    return " ".join(str(word) for word in (cmd.tag_of(type(fault)), slot, how.replace("_", " ")) if word)
