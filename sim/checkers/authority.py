"""Power only for whom somebody has accepted, by the rules in force (world.md; station.md §5; 1.6 §§3.4, 4.1, 5.11).

Who was accepted follows from cards presented, answers of the CSMS, remote starts, settings, and what the CSMS has said of cards before. A
session names its card and how it began when it goes to the disk; it must then have a grant: one that is not used, refused or expired,
and for that slot. Not here: what becomes of a card that is refused after the start (`orderly`).
"""

from __future__ import annotations

from typing import Any

from hal.actions import SetLock
from hal.signals import CardPresented
from hal.units import SlotId
from ocpp_client.link import LinkDown
from sim.checkers.cards import Cards
from sim.checkers.events import slot_of
from sim.checkers.eyes import Promise
from sim.checkers.grants import Grant
from sim.checkers.power import Giving
from sim.checkers.seen import Call, Payload, SlotView, info_of
from sim.checkers.view import View
from station.core.effects import Answer, Ask
from station.words.commands import StartSession
from station.words.common import Origin, Token
from station.words.outcomes import Verdict
from station.words.records import EventRecord, SessionRecord


class Expires(Promise):
    """A pending authorisation is over ConnectionTimeOut after it was given: a plug that comes later gets no power from it."""

    name = "a pending authorisation expires"


class RightSlot(Promise):
    """A pending authorisation for one slot does not start another, and a plug takes the one named for its slot, else the oldest."""

    name = "a plug takes the authorisation meant for it"


class Desk:
    """What is known at one station: `asks` are commands that wait for their answer, `begun` slots whose lock closes for a session."""

    def __init__(self) -> None:
        self.cards = Cards()
        self.grants: list[Grant] = []
        self.asks: dict[int, Grant] = {}
        self.begun: set[SlotId] = set()
        self.doubtful = False  # something in this boot may keep slots from being free


class Authorised(Giving):
    """The session is authorised by the rules in force. `expires` and `right` judge the same grants under names of their own."""

    name = "power only for the authorised"

    def __init__(self, expires: Expires, right: RightSlot) -> None:
        super().__init__()
        self._expires, self._right = expires, right
        self._desks: dict[str, Desk] = {}
        self._why: dict[tuple[str, str], str] = {}  # station and session: why it has no right to power; empty: it has
        self._old: dict[str, set[str]] = {}  # sessions of earlier boots, by station

    # --- judging ---

    def judge(self, view: View, slot: SlotView, what: str) -> None:
        session = slot.session
        if session is None:
            raise self.fail(view, f"slot {slot.number}: {what} and there is no session")
        why = self._why.get((view.id, session.session), "nobody knows of its session")
        if session.session in self._old[view.id] and view.settings.after_restart == "end":
            why = "its session began before the restart"
        if why:
            raise self.fail(view, f"slot {slot.number}: {what} though {why}")

    def put_session(self, view: View, key: str, record: SessionRecord) -> None:
        slot, where = view.slots[record.slot - 1], (view.id, record.session)
        self._desks[view.id].begun.discard(record.slot)
        if where not in self._why and record.token is not None:
            self._why[where] = self._bind(view, slot, record, record.token)

    def _bind(self, view: View, slot: SlotView, record: SessionRecord, token: Token) -> str:
        """Find the grant that this session lives on. Returns why there is none."""
        uid, settings = token.uid, view.settings
        if record.origin is Origin.FREE:
            free = settings.cards_decided_by == "nobody" and uid == settings.free_vend_token
            return "" if free else "nobody was asked"
        mine = [g for g in self._desks[view.id].grants if g.uid == uid.upper() and g.origin is record.origin]
        if not mine:
            return f"{uid} was never shown or named ({record.origin.value})"
        grants = [g for g in mine if g.open and g.granted_ns is not None]
        if not grants:
            return f"{uid} was refused, not accepted, or has had its session"
        fitting = [g for g in grants if g.fits(slot)]
        if not fitting:
            raise self._right.fail(view, f"{uid} was accepted for slot {grants[0].slot} and slot {slot.number} started")
        grant = next((g for g in fitting if not g.expired(slot)), fitting[0])
        if grant.waited(slot):
            self._waited(view, slot, grant)
        grant.used = record.session
        return ""

    def _waited(self, view: View, slot: SlotView, grant: Grant) -> None:
        """A plug has taken an authorisation that was waiting."""
        self._expires.armed += 1
        if grant.expired(slot):
            late_s = (slot.plugged_ns - (grant.granted_ns or 0)) / 1e9
            raise self._expires.fail(
                view, f"slot {slot.number}: plugged in {late_s:.1f} s after {grant.uid} was accepted"
            )
        desk = self._desks[view.id]
        if desk.begun:
            return  # another plug came at the same time, and who goes where is not seen yet
        others = [g for g in desk.grants if g is not grant and g.surely_waited(slot)]
        self._right.armed += bool(others)
        for other in others:
            older = other.slot == grant.slot and (other.granted_ns or 0) < (grant.granted_ns or 0)
            if older or (other.slot and not grant.slot):
                raise self._right.fail(view, f"slot {slot.number} was taken by {grant.uid}, and {other.uid} came first")

    # --- what gives a right ---

    def boots(self, view: View) -> None:
        old = self._desks.get(view.id)
        desk = self._desks[view.id] = Desk()
        if old is not None:
            desk.cards.groups = old.cards.groups
        desk.cards.boot(view.image.get("token", {}))
        desk.doubtful = bool(view.image.get("availability")) or not all(slot.has_lock for slot in view.slots)
        self._old[view.id] = set(view.image.get("session", {}))

    def _add(self, view: View, grant: Grant) -> None:
        desk = self._desks[view.id]
        desk.grants = [g for g in desk.grants if not g.used][-50:]
        desk.grants.append(grant)

    def _grant(self, view: View, grant: Grant) -> None:
        """Sure to wait only where there are more free slots than who waits already."""
        desk = self._desks[view.id]
        free = [s for s in view.slots if not s.plugged and not s.cable and s.session is None]
        waiting = sum(g.open and g.granted_ns is not None for g in desk.grants)
        sure = not desk.doubtful and not desk.begun and not view.faults and len(free) > waiting
        akin = any(s.session is not None and desk.cards.akin(grant.uid, _uid(s.session)) for s in view.slots)
        grant.grant(view, sure and not akin)  # it may end what is its group's instead

    def told_CardPresented(self, view: View, item: CardPresented) -> None:
        if not view.ready or not view.card_taken:
            return
        desk, uid = self._desks[view.id], item.token.upper()
        known = [g for g in desk.grants if g.uid == uid]
        waited = any(g.open and g.granted_ns is not None for g in known)
        for grant in known:
            grant.sure = False
        mine = [g for g in known if g.origin is Origin.CARD]
        if any(g.call and g.open and g.granted_ns is None for g in mine):
            return  # the CSMS is being asked of this very card
        desk.grants = [g for g in desk.grants if g not in mine]
        if any(s.session is not None and _uid(s.session) == uid for s in view.slots):
            return  # it ends a session, and begins none
        grant = Grant(uid, Origin.CARD)
        self._decide(view, grant, desk.cards.here(view, uid))
        grant.sure = grant.sure and not waited  # it may take the one before back, or only say that its owner is here
        self._add(view, grant)

    def replied_RemoteStartTransaction(self, view: View, call: Call, payload: Payload | None) -> None:
        uid = call.payload.get("idTag")
        if payload is not None and payload.get("status") == "Accepted" and isinstance(uid, str):
            self._started(view, Grant(uid.upper(), Origin.CSMS, call.payload.get("connectorId") or 0))

    def _started(self, view: View, grant: Grant) -> None:
        self._decide(
            view, grant, not view.settings.authorize_remote or self._desks[view.id].cards.here(view, grant.uid)
        )
        self._add(view, grant)

    def _decide(self, view: View, grant: Grant, here: bool) -> None:
        """Accepted here and now, or the CSMS is asked; while it cannot be, nobody is asked later."""
        if here:
            self._grant(view, grant)
        else:
            grant.refused = not view.online

    def told_Ask(self, view: View, item: Ask) -> None:
        if isinstance(item.command, StartSession):
            grant = Grant(item.command.token.uid.upper(), item.origin, item.command.slot or 0)
            self._desks[view.id].asks[item.ticket] = grant

    def did_Answer(self, view: View, effect: Answer) -> None:
        grant = self._desks[view.id].asks.pop(effect.ticket, None)
        if grant is not None and isinstance(effect.outcome, Verdict) and effect.outcome.status == "accepted":
            self._started(view, grant)

    # --- who is asked ---

    def sent_Authorize(self, view: View, call: Call) -> None:
        uid = str(call.payload.get("idTag")).upper()
        for grant in self._desks[view.id].grants:
            if grant.uid == uid and grant.open and grant.granted_ns is None:
                grant.call = call.id

    def answered_Authorize(self, view: View, call: Call, payload: Payload) -> None:
        desk, info = self._desks[view.id], info_of(payload)
        desk.cards.learn(call.payload.get("idTag"), payload)
        for grant in desk.grants:
            if grant.call == call.id:
                if info is not None and info["status"] == "Accepted":
                    self._grant(view, grant)
                else:
                    grant.refused = True

    def failed_Authorize(self, view: View, call: Call, why: str) -> None:
        desk = self._desks[view.id]
        for grant in desk.grants:
            if grant.call == call.id and desk.cards.offline(view, grant.uid):
                self._grant(view, grant)

    def told_LinkDown(self, view: View, item: LinkDown) -> None:
        """Who waited for being asked about is decided as offline, whether the question had left or not."""
        desk = self._desks[view.id]
        for grant in desk.grants:
            if grant.open and grant.granted_ns is None and desk.cards.offline(view, grant.uid):
                self._grant(view, grant)

    def answered_StartTransaction(self, view: View, call: Call, payload: Payload) -> None:
        self._desks[view.id].cards.learn(call.payload.get("idTag"), payload)

    def answered_StopTransaction(self, view: View, call: Call, payload: Payload) -> None:
        self._desks[view.id].cards.learn(call.payload.get("idTag"), payload)

    def replied_ClearCache(self, view: View, call: Call, payload: Payload | None) -> None:
        if payload is not None and payload.get("status") == "Accepted":
            self._desks[view.id].cards.words.clear()

    # --- what makes it doubtful who waits ---

    def replied_ChangeAvailability(self, view: View, call: Call, payload: Payload | None) -> None:
        self._doubt(view)

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        """Who takes a slot on which something is wrong, as with its pilot, waits there for it to go."""
        if record.kind == "faulted.v1" or (record.kind == "warning.v1" and slot_of(record)):
            self._doubt(view)

    def did_SetLock(self, view: View, effect: SetLock) -> None:
        begun = self._desks[view.id].begun
        if effect.closed:
            begun.add(effect.slot)
        elif effect.slot in begun:
            begun.discard(effect.slot)
            self._doubt(view)

    def _doubt(self, view: View) -> None:
        desk = self._desks[view.id]
        desk.doubtful = True
        for grant in desk.grants:
            grant.sure = False


def _uid(session: SessionRecord) -> str:
    return session.token.uid.upper() if session.token is not None else ""


def authority() -> tuple[Any, ...]:
    """Promises that judge the same grants, each under its own name."""
    expires, right = Expires(), RightSlot()
    return Authorised(expires, right), expires, right
