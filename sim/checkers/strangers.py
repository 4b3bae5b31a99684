"""A card ends or opens what is its own or its group's, never a stranger's (world.md; station.md §5; 1.6 §3.4).

Judged in the step in which the card is presented, or in which the CSMS answers of it: power or lock of a slot that belongs to somebody
else must not move for it. Armed when that card and another one's session meet. A plug is somebody's from the record of a session on until
its lock is told to move when that session is over: open, or closed for the next one, of which nothing may be on record yet.
"""

from __future__ import annotations

from typing import Any, Final

from hal.actions import Offer, PermitPower, SetLock
from hal.signals import CardPresented
from hal.units import SlotId
from ocpp_client.link import FrameReceived
from sim.checkers.cards import Cards
from sim.checkers.eyes import Promise
from sim.checkers.seen import Call, Payload, SlotView
from sim.checkers.view import View
from station.words.records import SessionRecord


class Strangers(Promise):
    name = "a stranger's card ends nothing"

    def __init__(self) -> None:
        super().__init__()
        self._cards: dict[str, Cards] = {}
        self._card = ""  # whose step this is
        self._owners: dict[tuple[str, SlotId], str] = {}

    def boots(self, view: View) -> None:
        self._card = ""
        self._cards.setdefault(view.id, Cards()).boot(view.image.get("token", {}))
        for slot in view.slots:
            if slot.session is not None:
                self.put_session(view, "", slot.session)

    def put_session(self, view: View, key: str, record: SessionRecord) -> None:
        if record.token is not None:
            self._owners[view.id, record.slot] = record.token.uid

    # --- whose step it is ---

    def told_CardPresented(self, view: View, item: CardPresented) -> None:
        self._meet(view, item.token)

    def then_CardPresented(self, view: View, item: CardPresented) -> None:
        self._card = ""

    def answered_Authorize(self, view: View, call: Call, payload: Payload) -> None:
        self._cards[view.id].learn(call.payload.get("idTag"), payload)
        self._meet(view, str(call.payload.get("idTag")))

    def then_FrameReceived(self, view: View, item: FrameReceived) -> None:
        self._card = ""

    def _meet(self, view: View, uid: str) -> None:
        self._card = uid
        others = [s for s in view.slots if s.session is not None and s.permitted and self._strange(view, s)]
        self.armed += bool(others)

    def answered_StartTransaction(self, view: View, call: Call, payload: Payload) -> None:
        self._cards[view.id].learn(call.payload.get("idTag"), payload)

    def answered_StopTransaction(self, view: View, call: Call, payload: Payload) -> None:
        self.answered_StartTransaction(view, call, payload)

    # --- what must not move ---

    def _strange(self, view: View, slot: SlotView) -> bool:
        owner = self._owners.get((view.id, slot.number))
        return owner is not None and not self._cards[view.id].akin(owner, self._card)

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        if self._card and not effect.allowed:
            self._judge(view, view.slots[effect.slot - 1], "took power from")

    def did_Offer(self, view: View, effect: Offer) -> None:
        if self._card and effect.limit_ma is None:
            self._judge(view, view.slots[effect.slot - 1], "took the offer from")

    def did_SetLock(self, view: View, effect: SetLock) -> None:
        slot = view.slots[effect.slot - 1]
        if self._card and not effect.closed:
            self._judge(view, slot, "opened the lock of")
        if slot.session is None or not effect.closed:
            self._owners.pop((view.id, slot.number), None)

    def _judge(self, view: View, slot: SlotView, what: str) -> None:
        if self._strange(view, slot):
            owner = self._owners[view.id, slot.number]
            raise self.fail(view, f"slot {slot.number}: card {self._card}, a stranger's, {what} the session of {owner}")


STRANGERS: Final[tuple[Any, ...]] = (Strangers,)
