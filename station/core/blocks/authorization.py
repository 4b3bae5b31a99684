"""Authorisation: what a card means, who may charge, and for which slot (1.6 §§3.4, 3.5, 4.1; 2.0.1 block C; station.md §5).

A tap is resolved in this order: opens a lock that waits for its owner; ends a session of its own or of its group; takes back a pending
authorisation; starts where a vehicle waits; else is kept at the station until a plug comes. Where nothing can come of it the CSMS is not
asked. Not here: what the station knows of tokens (`tokens`); what happens on the slot then (`power`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from hal.clock import Due
from hal.disk import Record
from hal.units import MILLISECOND, SECOND, LockState, MonoNs, SlotId, TokenUid
from statemachine.slot import Phase, Slot
from station.core.intent import Intent, Owner, seats
from station.core.session import Session
from station.words.common import Origin, StopReason, Token, TokenInfo, TokenKind, TokenStatus, Why
from station.words.questions import AnyAnswer, Authorize
from station.words.records import Image, KeptRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

ACCEPTED_INFO: Final = TokenInfo(TokenStatus.ACCEPTED)
ASKED_MOST: Final = 16  # cards that the CSMS is being asked about at a time
NEVER_S: Final = 31_536_000  # ConnectionTimeOut 0 switches it off


class Authorization:
    """`attempts` the CSMS is being asked about, `pending` wait for a plug; neither survives a restart. `reads` are the latest taps."""

    __slots__ = ("attempts", "core", "owners", "pending", "reads")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.attempts: tuple[Intent, ...] = ()
        self.pending: tuple[Intent, ...] = ()
        self.owners: dict[SlotId, Owner] | None = None
        self.reads: tuple[tuple[TokenUid, MonoNs], ...] = ()

    def restore(self, image: Image) -> None:
        for key, record in image.get("kept", {}).items():
            assert isinstance(record, KeptRecord)
            self.owners = {**(self.owners or {}), int(key): Owner(record.token, record.group, True)}

    def records(self) -> list[Record]:
        return [self._record(number, owner) for number, owner in (self.owners or {}).items() if owner.locked]

    def _record(self, number: SlotId, owner: Owner) -> Record:
        return Record("kept", str(number), KeptRecord(owner.token, owner.group))

    # --- a card is shown ---

    def presented(self, uid: TokenUid, reader: int) -> None:
        core = self.core
        if self._repeated(uid):
            return
        core.events.card_scanned(uid, reader)
        if not core.power.ready:
            return
        card = Intent(Token(uid), Origin.CARD, None, core.shape.served(reader))
        if len(uid) > core.policies.token_max:
            self._refuse("longer than this language can say", card)
            return
        if self._opens(card) or self._stops(card) or self._takes_back(card):
            return
        self._wants(card)

    def _repeated(self, uid: TokenUid) -> bool:
        """The same card again, too soon after it was last taken for one (station.md §5)."""
        now_ns, key = self.core.now.mono_ns, uid.casefold()
        guard_ns = self.core.settings.repeat_guard_ms * MILLISECOND
        self.reads = tuple(read for read in self.reads if now_ns - read[1] < guard_ns)
        if any(read[0] == key for read in self.reads):
            return True
        self.reads = (*self.reads, (key, now_ns))
        return False

    def counts_from(self, uid: TokenUid) -> MonoNs:
        """When the next read of this card is a new one; 0: at once."""
        guard_ns, key = self.core.settings.repeat_guard_ms * MILLISECOND, uid.casefold()
        return max((read[1] + guard_ns for read in self.reads if read[0] == key), default=0)

    def _wants(self, card: Intent) -> None:
        """Not the owner of anything here: may it start, or end another's session as one of its group?"""
        if any(a.origin is Origin.CARD and a.token.same_as(card.token) for a in self.attempts):
            return
        start = self.can_start(card)
        if not start and not self._could_end(card):
            self._refuse("no slot is free", card)
        elif self.core.settings.cards_decided_by == "nobody":
            self._granted(card, ACCEPTED_INFO)
        else:
            self._decide(card, "start" if start else "stop")

    # --- may it? ---

    def _decide(self, intent: Intent, purpose: Literal["start", "stop", "remote"]) -> None:
        """By what is known here where that counts, else the CSMS, else the rules for being offline (1.6 AUTH-02, AUTH-03)."""
        core, known = self.core, self.core.tokens.known(intent.token)
        if not core.connection.online:
            self._decide_offline(intent)
        elif core.settings.local_pre_authorize and known is not None and known.status is TokenStatus.ACCEPTED:
            self._granted(intent, known)
        elif len(self.attempts) < ASKED_MOST:
            self.attempts = (*self.attempts, intent)
            core.connection.put(Authorize(intent.token, purpose))
            core.lights.refresh_main()
        else:
            self._refuse("too many are being asked about", intent)

    def _decide_offline(self, intent: Intent) -> None:
        """Nobody can be asked (1.6 OFFA-01 to 03): what is known to be bad stays bad."""
        settings, known = self.core.settings, self.core.tokens.known(intent.token)
        if known is not None and known.status is not TokenStatus.ACCEPTED:
            self._refuse(known.status.value, intent)
        elif known is not None and settings.local_authorize_offline:
            self._granted(intent, known)
        elif settings.allow_offline_unknown:
            self._granted(intent, ACCEPTED_INFO)
        else:
            self._refuse("nobody can be asked", intent)

    def answered(self, told: Authorize, answer: AnyAnswer) -> None:
        intent = next((a for a in self.attempts if a.token == told.token), None)
        if intent is None:
            return
        self.attempts = tuple(a for a in self.attempts if a is not intent)
        self.core.lights.refresh_main()
        if not isinstance(answer, TokenInfo):
            self._decide_offline(intent)
            return
        self.core.tokens.learn(told.token, answer)
        if answer.status is TokenStatus.ACCEPTED:
            self._granted(intent, answer)
        else:
            self._refuse(answer.status.value, intent)

    def _refuse(self, why: str, intent: Intent) -> None:
        self.core.note("info", "authorization.refused", intent.slot, why)
        self.core.lights.refused()

    # --- it may ---

    def _granted(self, intent: Intent, info: TokenInfo) -> None:
        """It opens or ends something of its group, or starts, or waits for a plug."""
        intent.group = info.group
        if intent.origin is Origin.CARD and (self._opens(intent) or self._stops(intent)):
            return
        slot = self._waiting(intent)
        if slot is not None:
            self._start(slot, intent)
        elif self._has_room(intent):
            self._keep(intent)
        else:
            self._refuse("no slot is free", intent)

    def _start(self, slot: Slot, intent: Intent) -> None:
        self.core.deadlines.cancel(Due.CONNECTION, slot.id)
        self.visit_over(slot.id)
        self.core.transactions.open(slot, intent.token, intent.group, intent.origin, intent.request)
        self._mark()

    def _keep(self, intent: Intent) -> None:
        core = self.core
        seconds = core.settings.connection_timeout_s or NEVER_S
        intent.expires_ns = core.now.mono_ns + seconds * SECOND
        self.pending = (*self.pending, intent)
        self._pending_changed()

    def _drop(self, intent: Intent) -> None:
        self.pending = tuple(p for p in self.pending if p is not intent)
        self._pending_changed()

    def _pending_changed(self) -> None:
        if self.pending:
            self.core.deadlines.set(Due.CONNECTION, min(p.expires_ns for p in self.pending))
        else:
            self.core.deadlines.cancel(Due.CONNECTION)
        self._mark()
        self.core.lights.refresh_main()

    def _mark(self) -> None:
        """A slot is being prepared where it is the only one left that someone authorised can mean (1.6 A2)."""
        meant = {p.slot for p in self.pending}
        for pending in self.pending:
            left = [s.id for s in self._served(pending) if self.free(s) and s.id not in meant]
            if pending.slot == 0 and len(left) == 1:
                meant.add(left[0])
        for slot in self.core.slots:
            if slot.waiting_auth != (slot.id in meant):
                slot.waiting_auth = not slot.waiting_auth
                self.core.touch(slot)

    # --- a plug comes, or does not ---

    def plugged(self, slot: Slot) -> None:
        """A vehicle has connected and nobody is authorised for it yet; `vehicle_waits` follows in the same step."""
        core = self.core
        core.transactions.changed(slot, Why.CABLE_PLUGGED_IN)
        if not self.keeps(slot.id):
            self.visit_over(slot.id)  # of before
        if core.settings.connection_timeout_s > 0:
            core.after(Due.CONNECTION, core.settings.connection_timeout_s, slot.id)

    def vehicle_waits(self, slot: Slot) -> None:
        """A vehicle stands here that had no session yet: who is meant for this slot takes it, else the oldest who may; else free vend."""
        if self._owner(slot) is not None or not self._startable(slot):
            return
        fits = [p for p in self.pending if slot.id in p.slots]
        if fits:
            intent = min(fits, key=lambda p: p.slot == 0)
            self._drop(intent)
            self._start(slot, intent)
        elif self.core.settings.cards_decided_by == "nobody":
            free = Token(self.core.settings.free_vend_token, TokenKind.NONE)
            self._start(slot, Intent(free, Origin.FREE, None, (slot.id,)))

    def connection_timeout(self, number: SlotId) -> None:
        """No plug for an authorisation (slot 0), or no authorisation for a plug."""
        slot = self.core.slot(number)
        if slot is not None:
            slot.stale = slot.session is None
            self.core.touch(slot)
            return
        for pending in self.pending:
            if pending.expires_ns <= self.core.now.mono_ns:
                self.core.note("info", "authorization.expired", pending.slot)
                self._drop(pending)

    # --- it ends something ---

    def _stops(self, card: Intent) -> bool:
        """The token, or one of its group, has a session here: end the oldest that is not ending yet."""
        mine = [s for s in self._served(card) if s.session is not None and s.session.same_token(card.token, card.group)]
        if not mine:
            return False
        slot = min(mine, key=lambda s: (s.session.ending is not None, s.session.started.utc_ms))
        if slot.session.ending is None:
            slot.session.stop_token = card.token
            self.core.power.end(slot, StopReason.LOCAL, Why.STOP_AUTHORIZED)
        return True

    def _takes_back(self, card: Intent) -> bool:
        """Shown again while it waits for a plug: taken back (1.6 AUTH-10). Who was started from afar and now shows the card is here."""
        pending = next((p for p in self.pending if p.token.same_as(card.token)), None)
        if pending is None:
            return False
        if pending.origin is not Origin.CARD:
            if self._waiting(card) is not None:  # but at another slot, with a vehicle
                self._drop(pending)
                return False
            return True
        self.core.note("info", "authorization.taken_back", pending.slot)
        self._drop(pending)
        return True

    def _could_end(self, card: Intent) -> bool:
        """There is something here that belongs to a group; whether to this card's, the CSMS knows."""
        for slot in self._served(card):
            owner = self._owner(slot)
            if owner is not None and owner.locked and owner.group is not None:
                return True
            if slot.session is not None and slot.session.ending is None and slot.session.group is not None:
                return True
        return False

    # --- a plug that stays locked until its owner's card is shown ---

    def keeps_cable(self, slot: Slot, session: Session) -> bool:
        """A session is about to be over: remember whose it was. True: the plug stays locked (1.6 OFFA-04, STOP-15).

        Where nobody holds a card (free vend), or the CSMS is asking for the lock, it opens.
        """
        kept = session.ending is StopReason.DEAUTHORIZED or (
            session.ending is StopReason.EV_DISCONNECTED and not self.core.settings.unlock_on_ev_disconnect
        )
        held = slot.cable and slot.tx is not None and slot.shape.has_lock and slot.lock is not LockState.OPEN
        locked = self.keeps(slot.id) or (kept and held)
        locked = locked and session.origin is not Origin.FREE and not self.core.remote.wants_open(slot.id)
        if not slot.plugged and not slot.cable:
            return False
        owner = Owner(session.token, session.group, locked)
        self.owners = {**(self.owners or {}), slot.id: owner}
        if locked:
            self.core.persist((self._record(slot.id, owner),), (), True)
        return locked

    def _owner(self, slot: Slot) -> Owner | None:
        return self.owners.get(slot.id) if self.owners else None

    def keeps(self, number: SlotId) -> bool:
        owner = self.owners.get(number) if self.owners else None
        return owner is not None and owner.locked

    def let_go(self, number: SlotId) -> None:
        """The lock waits for nobody any more."""
        if self.keeps(number) and self.owners:
            self.owners[number].locked = False
            self.core.persist((), (("kept", str(number)),), True)

    def visit_over(self, number: SlotId) -> None:
        """Vehicle and cable are gone, or somebody starts anew."""
        self.let_go(number)
        if self.owners and self.owners.pop(number, None) and not self.owners:
            self.owners = None

    def _opens(self, card: Intent) -> bool:
        for slot in self._served(card):
            owner = self._owner(slot)
            if owner is not None and owner.locked and owner.is_(card):
                self.let_go(slot.id)
                self.core.locks.unlock(slot)
                return True
        return False

    # --- which slot ---

    def _served(self, intent: Intent) -> list[Slot]:
        return [slot for slot in self.core.slots if slot.id in intent.slots]

    def free(self, slot: Slot) -> bool:
        """Nobody is here, and somebody may come."""
        if not slot.open_to_new or slot.reserved or self.core.faults.no_new:
            return False
        return not slot.plugged and not slot.cable and slot.session is None

    def _startable(self, slot: Slot) -> bool:
        """A vehicle is connected, and nothing stands in the way of a session."""
        if not slot.open_to_new or slot.session is not None or self.core.faults.no_new:
            return False
        return slot.plugged and slot.phase is Phase.IDLE

    def _waiting(self, intent: Intent) -> Slot | None:
        """The slot that a start would take at once: the one plugged last.

        A vehicle that had its session is for who had it (1.6 F2), or for whom the CSMS says by naming the slot; for others only where
        there is no free slot for them to mean instead, and never while its plug waits for its owner.
        """
        here = [s for s in self._served(intent) if self._startable(s)]
        mine = [s for s in here if self._is_for(s, intent)]
        if not mine and not any(self.free(s) for s in self._served(intent)):
            mine = [s for s in here if not self.keeps(s.id)]
        return max(mine, key=lambda s: s.plugged_at_ns) if mine else None

    def _is_for(self, slot: Slot, intent: Intent) -> bool:
        if intent.origin is not Origin.CARD and intent.slot:
            return True
        owner = self._owner(slot)
        return owner is None or owner.is_(intent)

    def _has_room(self, intent: Intent) -> bool:
        """Whether everybody who waits for a plug, and this one too, could have a slot."""
        free = frozenset(slot.id for slot in self.core.slots if self.free(slot))
        return seats(sorted([*(p.slots for p in self.pending), intent.slots], key=len), free)

    # --- from afar (1.6 §5.11) ---

    def intent(self, token: Token, origin: Origin, request: int | None, slot: SlotId | None) -> Intent:
        """A start that did not come from a reader; `slot` None: wherever it fits."""
        return Intent(token, origin, request, self.core.shape.served(0) if slot is None else (slot,))

    def can_start(self, intent: Intent) -> bool:
        return self._waiting(intent) is not None or self._has_room(intent)

    def start(self, intent: Intent) -> None:
        """Tried at once, or once the token is authorised (1.6 RSTART-02, RSTART-03)."""
        if self.core.settings.authorize_remote:
            self._decide(intent, "remote")
        else:
            self._granted(intent, ACCEPTED_INFO)
