"""The supply is shared and never exceeded: the sum of offers on each phase, as commanded, after every step (world.md; station.md §10).

Armed with every offer that leaves two slots or more with one. Not here: what cars make of their offers.
"""

from __future__ import annotations

from typing import Any, Final

from hal.actions import Offer
from sim.checkers.eyes import Promise
from sim.checkers.view import View


class Supply(Promise):
    name = "the supply is never exceeded"

    def did_Offer(self, view: View, effect: Offer) -> None:
        offers = [slot.offer_ma or 0 for slot in view.slots]
        for other in view.effects:
            if type(other) is Offer:
                offers[other.slot - 1] = other.limit_ma or 0
        if sum(offer > 0 for offer in offers) > 1:
            self.armed += 1
        for phase in "RST":
            used = sum(o for o, s in zip(offers, view.shape.slots, strict=True) if phase in s.rotation[: s.phases])
            if used > view.shape.supply_ma:
                most = view.shape.supply_ma
                raise self.fail(view, f"phase {phase}: {used // 1000} A are on offer, the supply has {most // 1000} A")


SUPPLY: Final[tuple[Any, ...]] = (Supply,)
