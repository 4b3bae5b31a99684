"""What a run of the world shows to expectations: a checker that breaks no promise and only looks, and the world that has one.

It reads the ground truth of boards and CSMS, events as they were published, and frames. Not here: the judgement (`expect_judge.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from hal.units import SECOND
from sim.board import SimBoard
from sim.checkers import Checker
from sim.expect_seen import Seen, Transaction
from sim.world import World
from station.core.effects import Effect, Input, Publish

if TYPE_CHECKING:
    from station.shell.runner import Unit

PHASES: Final = "RST"
EVERY: Final = 1024  # events between two words of how far it is


class Witness(Checker):
    """Sees until `end_s`, the end of the plan: what happens while the world is healed and comes to rest is no part of the story."""

    name = ""

    def __init__(self, end_s: float, progress: Callable[[float], None] | None = None) -> None:
        super().__init__()
        self.seen = Seen()
        self._end_s = end_s
        self._progress = progress
        self._looks = 0
        self._read: dict[str, int] = {}  # deliveries of each station that have been read

    def booted(self, world: World, unit: Unit, effects: list[Effect]) -> None:
        self._published(world, unit, effects)

    def stepped(self, world: World, unit: Unit, item: Input, effects: list[Effect]) -> None:
        self._published(world, unit, effects)

    def looked(self, world: World) -> None:
        at_s = self._now(world)
        self._looks += 1
        if self._progress is not None and self._looks % EVERY == 0:
            self._progress(at_s)
        if at_s > self._end_s:
            return
        self.seen.until_s = at_s
        for number, (identity, board) in enumerate(world.boards.items()):
            self._deliveries(world, number, identity, at_s)
            look(self.seen, at_s, number, board)

    def framed(self, world: World, unit: Unit, out: bool, frame: list[Any]) -> None:
        at_s, number = self._now(world), _number(unit.id)
        if at_s > self._end_s:
            return
        match frame:
            case [2, str(id_), str(action), payload, *_] if not out:
                self.seen.call(at_s, number, "csms", id_, action, payload)
            case [3 | 4, *_]:
                if not out:
                    self._deliveries(world, number, unit.id, at_s)
                self.seen.answer(number, "csms" if out else "station", frame)
            case _:
                pass

    def finish(self, world: World, whole: bool) -> Seen:
        """What was seen, with the books of the CSMS. `whole`: the run came to its end."""
        if whole:
            self.seen.until_s = self._end_s
        arrived = {(c.station, c.id): c.at_s for c in self.seen.calls if c.sender == "station"}
        for one in world.csms.transactions.values():
            number = _number(one.station)
            begun_s = arrived.get((number, one.start.id)) if one.start is not None else None
            if begun_s is None:
                continue
            told = Transaction(number, one.connector, one.token, begun_s)
            ended_s = arrived.get((number, one.stop.id)) if one.stop is not None else None
            if ended_s is not None and one.meter_stop is not None:
                told.ended_s, told.reason = ended_s, one.reason
                told.energy_wh = one.meter_stop - one.meter_start
            self.seen.transactions.append(told)
        return self.seen

    def _published(self, world: World, unit: Unit, effects: list[Effect]) -> None:
        at_s = self._now(world)
        if at_s <= self._end_s:
            for effect in effects:
                if type(effect) is Publish:
                    self.seen.event(at_s, _number(unit.id), effect.id, effect.kind, bytes(effect.data))

    def _deliveries(self, world: World, number: int, identity: str, at_s: float) -> None:
        deliveries, read = world.csms.deliveries(identity), self._read.get(identity, 0)
        if len(deliveries) > read:
            self._read[identity] = len(deliveries)
            for delivery in deliveries[read:]:
                self.seen.call(at_s, number, "station", delivery.message_id, delivery.action, delivery.payload)

    def _now(self, world: World) -> float:
        return world.clock.now().mono_ns / SECOND


def look(seen: Seen, at_s: float, number: int, board: SimBoard) -> None:
    """How the contactors and offers of a station really are now."""
    for slot in board.slots:
        seen.changed(at_s, "power", number, slot.number, slot.closed)
        seen.changed(at_s, "offer", number, slot.number, (slot.offer_ma or 0) / 1000)
    phases = [sum(s.offer_ma or 0 for s in board.slots if one in s.shape.rotation[: s.shape.phases]) for one in PHASES]
    seen.changed(at_s, "offer", number, 0, max(phases) / 1000)


def _number(identity: str) -> int:
    return int(identity.removeprefix("CP")) - 1


class WatchedWorld(World):
    """A world with a witness, for `runs.run`. `progress` is told now and then how far it is, in seconds."""

    def __init__(
        self,
        seed: int,
        plan: Any,
        *,
        checkers: Sequence[Checker] = (),
        progress: Callable[[float], None] | None = None,
        **options: Any,
    ) -> None:
        self.witness = Witness(plan.for_s, progress)
        super().__init__(seed, plan, checkers=[*checkers, self.witness], **options)
