"""Whether what a plan says can be: stations, slots, cars, templates, settings, names of messages, times. Every mistake, with its place.

Not here: reading a file (`plan_file.py`), whether it can be played outside a world (`live_plan.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from sim import expect, faults, plan
from sim.csms.actions import messages
from sim.plan_file import BadPlan, Place, Source, nearest, read
from sim.profiles import PROFILES
from station.words.settings import NAMES, TEMPLATES, BadSetting, parse

VERSIONS: Final = ("1.6",)


def load(path: Path) -> plan.Plan:
    """The plan of a file, with nothing in it that cannot be. Raises BadPlan."""
    source = checked(read(path))
    if source.plan is None:
        raise source.bad()
    return source.plan


def checked(source: Source) -> Source:
    """The same with what cannot be among its mistakes."""
    if source.draft is not None:
        Checking(source.draft, source.add).all()
    return source


class Checking:
    """One plan. `slots`: how many each station has; None: as the plan's own shape says. `add` is told each mistake."""

    def __init__(
        self, made: plan.Plan, add: Callable[[Place, str, Literal["error", "warning"]], None], slots: Sequence[int] = ()
    ) -> None:
        self._plan = made
        self._add = add
        self._slots = slots

    def all(self) -> None:
        self.shape()
        if not self._slots and all(name in TEMPLATES for name in self._plan.shape.stations):
            self._slots = [len(TEMPLATES[name].slots) for name in self._plan.shape.stations]
        if self._slots:
            self.things()
        self.times()

    def names(self) -> None:
        """Only whether everything is there that is named, wherever it is."""
        self.shape()
        for list_, items in self._lists():
            for number, item in items:
                self._names((list_, number), item)

    def shape(self) -> None:
        shape = self._plan.shape
        for number, name in enumerate(shape.stations):
            if name not in TEMPLATES:
                text = f"there is no template {name!r}{nearest(name, TEMPLATES)}; there are {', '.join(TEMPLATES)}"
                self._wrong(("shape", "stations", number), text)
        if shape.version not in VERSIONS:
            self._wrong(("shape", "version"), f"{shape.version!r} cannot be played; there is {', '.join(VERSIONS)}")
        for name, text in shape.settings.items():
            if name not in NAMES:
                what = f"there is no such setting{nearest(name, NAMES)}; there are {', '.join(NAMES)}"
                self._wrong(("shape", "settings", name), what)
                continue
            try:
                parse(name, text)
            except BadSetting as bad:
                self._wrong(("shape", "settings", name), str(bad).removeprefix(f"{name}: "))

    def things(self) -> None:
        """Stations, slots, and names in every action, fault and expectation."""
        for list_, items in self._lists():
            for number, item in items:
                place = (list_, number)
                if not 0 <= item.station < len(self._slots):
                    text = f"{item.station} is not there; there are 0 to {len(self._slots) - 1}"
                    self._wrong(
                        (*place, "station"), text if len(self._slots) > 1 else f"{item.station}: there is only 0"
                    )
                    continue
                slot, slots = getattr(item, "slot", None), self._slots[item.station]
                least = 0 if isinstance(item, plan.Acknowledge | expect.Status | expect.Offer) else 1
                if slot is not None and not least <= slot <= slots:
                    self._wrong((*place, "slot"), f"{slot} is not there; this station has {least} to {slots}")
                self._names(place, item)

    def _names(self, place: Place, item: Any) -> None:
        match item:
            case plan.Plug(car=car) if car not in PROFILES:
                self._wrong(
                    (*place, "car"), f"there is no car {car!r}{nearest(car, PROFILES)}; there are {', '.join(PROFILES)}"
                )
            case plan.Command(action=action) if action not in messages():
                self._wrong((*place, "action"), _no_message(action), "warning")
            case plan.CsmsFault(action=action) if action and action not in messages():
                self._wrong((*place, "action"), _no_message(action))
            case expect.Message(action=action) if action not in messages():
                self._wrong((*place, "action"), _no_message(action))
            case expect.Order(actions=actions):
                for number, action in enumerate(actions):
                    if action not in messages():
                        self._wrong((*place, "actions", number), _no_message(action))
            case expect.Offer(at_most_a=None, at_least_a=None):
                self._wrong(place, "'at_most_a' or 'at_least_a' is missing")
            case expect.Event() | expect.Message() | expect.Transaction():
                self._counts(place, item)
            case _:
                pass

    def _counts(self, place: Place, item: expect.Happening) -> None:
        if item.count is not None and (item.at_least != 1 or item.at_most is not None):
            self._wrong((*place, "count"), "says how often exactly: without 'at_least' and 'at_most'")
        elif item.at_most is not None and item.at_least > 1 and item.at_most < item.at_least:
            self._wrong((*place, "at_most"), f"{item.at_most} is less than 'at_least', {item.at_least}")

    def times(self) -> None:
        """Nothing after the end, and no window that is none."""
        end_s = self._plan.for_s
        for list_, items in self._lists():
            for number, item in items:
                for name in ("at_s", "from_s", "by_s"):
                    at_s = getattr(item, name, None)
                    if at_s is not None and at_s > end_s and not (name == "by_s" and isinstance(item, plan.Fault)):
                        self._wrong((list_, number, name), f"{at_s:g} s is after the end of the plan, {end_s:g} s")
                if isinstance(item, plan.Fault) and item.at_s <= end_s < item.at_s + item.for_s:
                    text = f"lasts until {item.at_s + item.for_s:g} s; it is healed at the end of the plan, {end_s:g} s"
                    self._wrong((list_, number, "for_s"), text, "warning")
                if isinstance(item, expect.Expectation):
                    self._window((list_, number), item)
        self._faults()

    def _faults(self) -> None:
        """Those that come to nothing, or lie over each other."""
        lasting: dict[tuple[object, ...], tuple[int, float]] = {}
        items = dict(self._lists())["faults"]
        for number, fault in sorted(items, key=lambda one: float(one[1].at_s)):
            if not fault.for_s and faults.way(fault) not in faults.MOMENTS:
                self._wrong(("faults", number), "lasts but a moment: 'for_s' says for how long", "warning")
            other, until_s = lasting.get(faults.place_of(fault), (0, 0.0))
            if fault.at_s < until_s:
                what = f"lies over faults[{other}], which befalls the same thing: while both last this one has its way"
                self._wrong(("faults", number), what, "warning")
            lasting[faults.place_of(fault)] = (number, max(until_s, fault.at_s + fault.for_s))

    def _window(self, place: Place, item: expect.Expectation) -> None:
        if item.by_s is not None and item.by_s < item.from_s:
            self._wrong((*place, "by_s"), f"{item.by_s:g} s is before 'from_s', {item.from_s:g} s")
        if isinstance(item, expect.State) and item.at_s is not None:
            if item.by_s is not None or item.from_s:
                self._wrong((*place, "at_s"), "is one moment: without 'from_s' and 'by_s'")
            if item.never:
                self._wrong((*place, "never"), "is of a time, not of the moment 'at_s': say 'from_s' and 'by_s'")

    def _lists(self) -> Iterator[tuple[str, Iterator[tuple[int, Any]]]]:
        """Each list with its items and their numbers; those that could not be read are None."""
        for name in ("actions", "faults", "expect"):
            yield name, ((number, item) for number, item in enumerate(getattr(self._plan, name)) if item is not None)

    def _wrong(self, place: Place, what: str, level: Literal["error", "warning"] = "error") -> None:
        self._add(place, what, level)


def _no_message(action: str) -> str:
    instead = nearest(action, messages()) or f"; it has {', '.join(messages())}"
    return f"OCPP 1.6 has no {action!r}{instead}"


__all__ = ["BadPlan", "Checking", "checked", "load", "messages"]
