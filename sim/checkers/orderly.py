"""Stops in order (station.md §2): once the reason is told, power is withdrawn three seconds later at most.

Reasons that are judged: the owner's card, RemoteStopTransaction accepted, UnlockConnector answered, a card that the CSMS refused after the
start (with its grace of MaxEnergyOnInvalidId), Reset accepted, voltage out of bounds, over-current for ten seconds. Not here: cuts
(`power`), whose card it was (`authority`), stops that the core finds reasons for by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hal.actions import Offer, PermitPower
from hal.signals import BoardFault, CardPresented, MeterRead
from hal.units import SECOND, MonoNs, SlotId
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.power import ORDERLY
from sim.checkers.seen import Call, Payload, SlotView, info_of
from sim.checkers.view import View
from sim.plan import MeterFault
from station.words.records import SessionRecord

WITHIN_S: Final = 3.1  # three seconds, and a little for what stands at the same instant
FLUSH_S: Final = 2.0  # an answer may take so long to leave before a Reset goes on
OVER_PERCENT: Final = 110
OVER_S: Final = 10.0
LOOK_S: Final = 1.5  # a second reading may be asked for before a car is cut


def transaction_of(session: SessionRecord) -> str:
    return session.transaction or session.session


class Orderly(Promise):
    """An orderly stop takes three seconds at most."""

    name = "an orderly stop takes three seconds at most"

    def _stop(
        self,
        view: View,
        slots: list[SlotView],
        why: str,
        within_s: float = WITHIN_S,
        stands: Callable[[View], bool] = lambda view: True,
    ) -> None:
        """At least one of these slots must have lost its power by then, if the reason still stands."""
        if not slots or not all(slot.permitted for slot in slots):
            return
        self.armed += 1
        told_ns = view.now_ns

        def late(view: View) -> None:
            if stands(view) and all(slot.permitted and slot.permitted_ns <= told_ns for slot in slots):
                raise self.fail(
                    view, f"slot {slots[0].number}: {why} {within_s:.1f} s ago and power is still permitted"
                )

        view.expect(within_s, late)

    def told_CardPresented(self, view: View, item: CardPresented) -> None:
        if not view.ready or not view.card_taken:
            return
        mine = [s for s in view.slots if s.session is not None and _same(s.session, item.token)]
        kept = any(
            s.session is None and s.has_lock and s.shut for s in view.slots
        )  # the card may open that one instead
        served = view.shape.served(item.reader)
        if mine and not kept and all(s.number in served for s in mine):
            self._stop(view, mine, f"card {item.token} of the session was shown")

    def replied_RemoteStopTransaction(self, view: View, call: Call, payload: Payload | None) -> None:
        if payload is not None and payload.get("status") == "Accepted":
            number = call.payload.get("transactionId")
            self._stop(view, [s for s in view.slots if _number(view, s) == number], "a remote stop was accepted")

    def replied_UnlockConnector(self, view: View, call: Call, payload: Payload | None) -> None:
        """A session on that slot has ended by then (1.6 §5.18)."""
        slot = view.slot(call.payload.get("connectorId") or 0)
        if payload is None or slot is None or not slot.has_lock:
            return
        self.armed += 1
        if slot.permitted and slot.permitted_ns <= call.at_ns:
            raise self.fail(
                view, f"slot {slot.number}: an unlock is answered {payload.get('status')} and power is permitted"
            )

    def replied_Reset(self, view: View, call: Call, payload: Payload | None) -> None:
        if payload is not None and payload.get("status") == "Accepted":
            for slot in view.slots:
                self._stop(view, [slot], "a reset was accepted", WITHIN_S + FLUSH_S)

    def told_BoardFault(self, view: View, item: BoardFault) -> None:
        if not item.active or item.cause not in ORDERLY:
            return
        fault = (item.slot, item.cause)
        for slot in view.concerned(item.slot):
            self._stop(view, [slot], f"{item.cause.value} was told", stands=lambda view: fault in view.faults)


def _same(session: SessionRecord, uid: str) -> bool:
    return session.token is not None and session.token.uid.casefold() == uid.casefold()


def _number(view: View, slot: SlotView) -> int | None:
    if slot.session is None:
        return None
    life = view.ledger.lives.get(transaction_of(slot.session))
    return life.number if life is not None else None


class Refused(Promise):
    """A card that the CSMS refuses in its answer to StartTransaction: power goes within three seconds and does not come back; with
    StopTransactionOnInvalidId off, MaxEnergyOnInvalidId may be drawn first, by the readings told."""

    name = "a refused card gets no more than its grace"

    def __init__(self) -> None:
        super().__init__()
        self._limits: dict[tuple[str, str], int] = {}  # station and session: register up to which there is power

    def answered_StartTransaction(self, view: View, call: Call, payload: Payload) -> None:
        info = info_of(payload)
        row = view.ledger.rows.get(call.key or "")
        if info is None or info["status"] == "Accepted" or row is None:
            return
        for slot in view.slots:
            session = slot.session
            if session is not None and transaction_of(session) == row.transaction:
                self._refused(view, slot, session)

    def _refused(self, view: View, slot: SlotView, session: SessionRecord) -> None:
        settings, key = view.settings, (view.id, session.session)
        if key in self._limits or session.register_mwh is None:
            return
        grace = 0 if settings.stop_on_invalid else settings.max_energy_on_invalid_wh * 1000
        self._limits[key] = session.register_mwh + grace
        if slot.permitted:
            self.armed += 1
        self._look(view, slot)

    def told_MeterRead(self, view: View, item: MeterRead) -> None:
        slot = view.slot(item.slot)
        if self._limits and slot is not None and slot.permitted:
            self._look(view, slot)

    def _spent(self, view: View, slot: SlotView) -> bool:
        session = slot.session
        limit = self._limits.get((view.id, session.session)) if session is not None else None
        if limit is None or session is None or session.register_mwh is None:
            return False
        reached = slot.reading.energy_mwh if slot.reading is not None else session.register_mwh
        if broken(view, MeterFault, slot.number):
            reached = session.register_mwh  # nobody need believe it
        return limit == session.register_mwh or reached >= limit

    def _look(self, view: View, slot: SlotView) -> None:
        if not slot.permitted or not self._spent(view, slot):
            return
        told_ns = view.now_ns

        def late(view: View) -> None:
            if slot.permitted and slot.permitted_ns <= told_ns:
                raise self.fail(view, f"slot {slot.number}: the card was refused 3 s ago and power is still permitted")

        view.expect(WITHIN_S, late)

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        slot = view.slots[effect.slot - 1]
        if effect.allowed and self._spent(view, slot):
            raise self.fail(view, f"slot {slot.number}: power was permitted to a session whose card was refused")


class OverCurrent(Promise):
    """A car that draws more than a tenth above its offer for ten seconds, by the readings told, is cut (station.md §4)."""

    name = "over-current is cut after ten seconds"

    def __init__(self) -> None:
        super().__init__()
        self._since: dict[tuple[str, SlotId], MonoNs] = {}

    def did_Offer(self, view: View, effect: Offer) -> None:
        self._since.pop((view.id, effect.slot), None)

    def stops(self, view: View, cut: bool) -> None:
        for slot in view.slots:
            self._since.pop((view.id, slot.number), None)

    def told_MeterRead(self, view: View, item: MeterRead) -> None:
        slot, key = view.slot(item.slot), (view.id, item.slot)
        if slot is None:
            return
        offer, drawn = slot.offer_ma, max(item.reading.current_ma, default=0)
        if offer is None or not slot.mirror or drawn * 100 <= offer * OVER_PERCENT:
            self._since.pop(key, None)
            return
        since_ns = self._since.setdefault(key, view.now_ns)
        if view.now_ns - since_ns >= OVER_S * SECOND:
            self.armed += 1
            view.expect(LOOK_S, lambda view: self._judge(view, slot, key, since_ns))

    def _judge(self, view: View, slot: SlotView, key: tuple[str, SlotId], since_ns: MonoNs) -> None:
        if slot.permitted and self._since.get(key) == since_ns:
            raise self.fail(view, f"slot {slot.number}: the car drew too much for over ten seconds and was not cut")


ORDERLY_STOPS: Final[tuple[Any, ...]] = (Orderly, Refused, OverCurrent)
