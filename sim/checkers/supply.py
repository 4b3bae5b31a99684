"""The supply is shared and never exceeded: the sum of offers on each phase, as commanded, after every step (world.md; station.md §10).
A car follows a lower offer within five seconds: for so long, while its contactor is closed, the higher one counts; not where the
contactor was ever broken.

Armed with every offer that leaves two slots or more with one. Not here: what cars make of their offers.
"""

from __future__ import annotations

from typing import Any, Final

from hal.actions import Offer
from hal.signals import PowerReported
from hal.units import SECOND, MilliAmps, MonoNs, SlotId
from sim.checkers.eyes import Promise
from sim.checkers.seen import SlotView
from sim.checkers.view import View

FOLLOWS_NS: Final[MonoNs] = 5 * SECOND


class Supply(Promise):
    name = "the supply is never exceeded"

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[tuple[str, SlotId], list[tuple[MilliAmps, MonoNs]]] = {}  # offers, and until when they count

    def boots(self, view: View) -> None:
        for slot in view.slots:
            self._before.pop((view.id, slot.number), None)

    def told_PowerReported(self, view: View, item: PowerReported) -> None:
        if not item.closed:
            self._before.pop((view.id, item.slot), None)

    def did_Offer(self, view: View, effect: Offer) -> None:
        self._lower(view, view.slots[effect.slot - 1], effect.limit_ma or 0)
        offers = [max(slot.offer_ma or 0, self._lags(view, slot)) for slot in view.slots]
        for other in view.effects:
            if type(other) is Offer:
                slot = view.slots[other.slot - 1]
                offers[other.slot - 1] = max(other.limit_ma or 0, self._lags(view, slot))
        if sum(offer > 0 for offer in offers) > 1:
            self.armed += 1
        for phase in "RST":
            used = sum(o for o, s in zip(offers, view.shape.slots, strict=True) if phase in s.rotation[: s.phases])
            if used > view.shape.supply_ma:
                most = view.shape.supply_ma
                raise self.fail(view, f"phase {phase}: {used // 1000} A are on offer, the supply has {most // 1000} A")

    def _lower(self, view: View, slot: SlotView, offer_ma: MilliAmps) -> None:
        if offer_ma < (slot.offer_ma or 0) and slot.mirror:
            before = self._before.get((view.id, slot.number), [])
            before = [(ma, until_ns) for ma, until_ns in before if until_ns > view.now_ns]
            self._before[view.id, slot.number] = [*before, (slot.offer_ma or 0, view.now_ns + FOLLOWS_NS)]

    def _lags(self, view: View, slot: SlotView) -> MilliAmps:
        before = self._before.get((view.id, slot.number))
        if not before or not slot.plugged:
            return 0
        return max((ma for ma, until_ns in before if view.now_ns < until_ns), default=0)


SUPPLY: Final[tuple[Any, ...]] = (Supply,)
