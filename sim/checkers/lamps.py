"""Lamps and statuses that people see (station.md §§6, 10; world.md).

Faults are taken from the events that tell of them; lamps as commanded, and at the end as they really shine. Not here: other colours.
"""

from __future__ import annotations

from typing import Any, Final

from hal.actions import ShowLight
from hal.signals import BoardReady
from hal.units import Colour, Pattern, SlotId
from sim.checkers.events import body, slot_of
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.view import View
from sim.plan import LightsFault
from station.words.records import EventRecord

TOLD: Final = {"faulted.v1": True, "fault-cleared.v1": False}


class Red(Promise):
    """The lamp of a slot is red from the step in which a fault of it, or of the station, is told, until all are cleared; before the board
    has reported its state lamps are dark. Armed with every fault told."""

    name = "a faulted slot shows red"

    def __init__(self) -> None:
        super().__init__()
        self._faults: dict[tuple[str, SlotId], set[str]] = {}
        self._lamps: dict[tuple[str, SlotId], Colour] = {}

    def boots(self, view: View) -> None:
        for number in range(len(view.slots) + 1):
            self._faults[view.id, number] = set()
            self._lamps[view.id, number] = Colour.OFF

    def did_ShowLight(self, view: View, effect: ShowLight) -> None:
        self._lamps[view.id, effect.slot] = effect.light.colour
        if effect.slot == 0 or effect.light.colour is Colour.RED or not self._faulted(view, effect.slot):
            return
        if not self._clears(view):
            raise self.fail(view, f"slot {effect.slot} is Faulted and its lamp turned {effect.light.colour.value}")

    def _faulted(self, view: View, number: SlotId) -> bool:
        return bool(self._faults[view.id, number] or self._faults[view.id, 0])

    def _clears(self, view: View) -> bool:
        """A fault is told to be over in this very step: the lamp comes before the event."""
        puts = [record for effect in view.effects for record in getattr(effect, "puts", ())]
        return any(isinstance(r.body, EventRecord) and r.body.kind == "fault-cleared.v1" for r in puts)

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        begins = TOLD.get(record.kind)
        if begins is None:
            return
        number, fault = slot_of(record), str(body(record).get("faultId"))
        standing = self._faults[view.id, number]
        if not begins:
            standing.discard(fault)
            return
        self.armed += 1
        standing.add(fault)
        if view.ready:
            self._look(view, number)

    def then_BoardReady(self, view: View, item: BoardReady) -> None:
        for number in range(len(view.slots) + 1):
            if self._faults[view.id, number]:
                self._look(view, number)

    def _look(self, view: View, number: SlotId) -> None:
        for slot in view.concerned(number):
            shown = [e.light.colour for e in view.effects if type(e) is ShowLight and e.slot == slot.number]
            colour = shown[-1] if shown else self._lamps[view.id, slot.number]
            if colour is not Colour.RED:
                raise self.fail(view, f"slot {slot.number} is Faulted and its lamp shows {colour.value}")


class Recovered(Promise):
    """At rest no lamp shines red where nothing is wrong: the main lamp neither, unless no slot is in operation."""

    name = "no lamp stays red"

    def ends(self, view: View) -> None:
        board, shut = view.world.boards[view.id], self._shut(view)
        for number in range(len(view.slots) + 1):
            light = board.light(number)
            if number == 0 and shut:
                continue
            self.armed += 1
            if light.colour is Colour.RED and light.pattern is Pattern.STEADY:
                lamp = f"the lamp of slot {number}" if number else "the main lamp"
                after = " (the lamps' bus had failed)" if broken(view, LightsFault) else ""
                raise self.fail(view, f"{lamp} is red and nothing is wrong{after}")

    def _shut(self, view: View) -> bool:
        rows = view.world.disks[view.id].durable(view.id).get("availability", {})
        return any(not row.operative for row in rows.values())


class Full(Promise):
    """The summary `full` is never said of a slot that the station itself keeps from charging (SuspendedEVSE), nor is its vehicle called
    full. A full car that tops up is charging and stays full for a minute. Armed with every status that is full or SuspendedEVSE."""

    name = "full never from SuspendedEVSE"

    def __init__(self) -> None:
        super().__init__()
        self._status: dict[tuple[str, SlotId], str] = {}

    def boots(self, view: View) -> None:
        for slot in view.slots:
            self._status.pop((view.id, slot.number), None)

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        if record.kind == "status-changed.v1":
            data, where = body(record), (view.id, slot_of(record))
            status, before = str(data["status"]), self._status.get(where, "")
            self.armed += data["summary"] == "full" or status == "suspended_evse"
            self._status[where] = status
            if data["summary"] == "full" and status not in ("suspended_ev", "finishing", "charging"):
                raise self.fail(view, f"slot {where[1]}: full while {status}, after {before or 'nothing'}")
        elif record.kind == "vehicle-full.v1":
            self.armed += 1
            if self._status.get((view.id, slot_of(record))) == "suspended_evse":
                raise self.fail(
                    view, f"slot {slot_of(record)}: the vehicle is called full while the station suspends it"
                )


LAMPS: Final[tuple[Any, ...]] = (Red, Recovered, Full)
