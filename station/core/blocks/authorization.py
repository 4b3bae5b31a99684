"""Authorisation: what a card means, who may charge, and for which slot (1.6 §§3.4, 3.5, 4.1; 2.0.1 block C; station.md §5).

A tap is resolved in this order: ends a session of its own or of its group; takes back a pending authorisation; starts where a vehicle
waits; else is kept at the station until a plug comes. Not here: what happens on the slot then (`power`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from hal.clock import Due
from hal.disk import Record, RecordKey
from hal.units import MILLISECOND, SECOND, MonoNs, SlotId, Ticket, TokenUid
from statemachine.slot import Phase, Slot
from station.core.session import Session
from station.words.commands import ClearCache
from station.words.common import Origin, StopReason, Token, TokenInfo, TokenKind, TokenStatus, Why
from station.words.outcomes import ACCEPTED, REJECTED
from station.words.questions import AnyAnswer, Authorize
from station.words.records import Image, TokenRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

CACHE_BOUND: Final = 1000
ACCEPTED_INFO: Final = TokenInfo(TokenStatus.ACCEPTED)


class Pending:
    """An authorisation that waits for a plug. `slot`: only there; None: the first served slot that is plugged."""

    __slots__ = ("expires_ns", "group", "origin", "request", "slot", "token")

    def __init__(
        self,
        token: Token,
        group: TokenUid | None,
        origin: Origin,
        request: int | None,
        slot: SlotId | None,
        expires_ns: MonoNs,
    ) -> None:
        self.token = token
        self.group = group
        self.origin = origin
        self.request = request
        self.slot = slot
        self.expires_ns = expires_ns


class Attempt:
    """A token that the CSMS is being asked about."""

    __slots__ = ("origin", "request", "slot", "token")

    def __init__(self, token: Token, origin: Origin, request: int | None, slot: SlotId | None) -> None:
        self.token = token
        self.origin = origin
        self.request = request
        self.slot = slot


class Authorization:
    """The cache is kept on the disk; attempts and pending authorisations are not."""

    __slots__ = ("attempts", "cache", "core", "kept", "last_read", "pending")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.attempts: list[Attempt] = []
        self.pending: list[Pending] = []
        self.cache: dict[TokenUid, TokenRecord] | None = None
        self.kept: dict[SlotId, tuple[Token, TokenUid | None]] | None = None  # cables that wait for their owner's card
        self.last_read: tuple[TokenUid, MonoNs] = ("", 0)

    def restore(self, image: Image) -> None:
        for key, record in image.get("token", {}).items():
            assert isinstance(record, TokenRecord)
            self.cache = self.cache or {}
            self.cache[key] = record

    def records(self) -> list[Record]:
        return [Record("token", key, record) for key, record in (self.cache or {}).items()]

    # --- a card is shown ---

    def presented(self, uid: TokenUid) -> None:
        core = self.core
        last, at_ns = self.last_read
        self.last_read = (uid, core.now.mono_ns)
        if uid == last and core.now.mono_ns - at_ns < core.settings.repeat_guard_ms * MILLISECOND:
            return
        core.events.card_scanned(uid)
        if not core.power.ready:
            return
        token = Token(uid)
        if self._releases_cable(token) or self._stops(token, self._known_group(token)) or self._takes_back(token):
            return
        self._wants_to_start(token)

    def _wants_to_start(self, token: Token) -> None:
        """Not the owner of anything here: may it start, or end another's session as one of its group?"""
        core = self.core
        if self.waiting() is None and not self._has_room() and not any(s.session for s in core.slots):
            self._refuse("no_slot", None)
            return
        if any(a.token.same_as(token) for a in self.attempts):
            return
        if core.settings.cards_decided_by == "nobody":
            self._granted(Attempt(token, Origin.CARD, None, None), ACCEPTED_INFO)
            return
        attempt = Attempt(token, Origin.CARD, None, None)
        purpose: Literal["start", "stop"] = "start" if self.waiting() is not None or self._has_room() else "stop"
        self._decide(attempt, purpose)

    def _decide(self, attempt: Attempt, purpose: Literal["start", "stop", "remote"]) -> None:
        """By the rules in force: cache, CSMS, or offline (1.6 AUTH-02, AUTH-03, OFFA-01 to 03)."""
        core, settings = self.core, self.core.settings
        known = self.known(attempt.token)
        accepted = known is not None and known.status is TokenStatus.ACCEPTED
        if not core.connection.online:
            self._decide_offline(attempt, known)
        elif settings.local_pre_authorize and accepted and known is not None:
            self._granted(attempt, known)
        else:
            self.attempts.append(attempt)
            core.connection.put(Authorize(attempt.token, purpose))
            core.lights.refresh_main()

    def _decide_offline(self, attempt: Attempt, known: TokenInfo | None) -> None:
        settings = self.core.settings
        if known is not None and settings.local_authorize_offline:
            if known.status is TokenStatus.ACCEPTED:
                self._granted(attempt, known)
            else:
                self._refuse(known.status.value, attempt.slot)
        elif known is None and settings.allow_offline_unknown:
            self._granted(attempt, ACCEPTED_INFO)
        else:
            self._refuse("offline", attempt.slot)

    def answered(self, told: Authorize, answer: AnyAnswer) -> None:
        attempt = next((a for a in self.attempts if a.token == told.token), None)
        if attempt is None:
            return
        self.attempts.remove(attempt)
        self.core.lights.refresh_main()
        if not isinstance(answer, TokenInfo):
            self._decide_offline(attempt, self.known(attempt.token))
            return
        self.learn(told.token, answer)
        if answer.status is TokenStatus.ACCEPTED:
            self._granted(attempt, answer)
        else:
            self._refuse(answer.status.value, attempt.slot)

    # --- it may ---

    def _granted(self, attempt: Attempt, info: TokenInfo) -> None:
        """Accepted: it ends a session of its group, or starts one, or waits for a plug."""
        if attempt.origin is Origin.CARD and self._stops(attempt.token, info.group):
            return
        slot = self.waiting(attempt.slot)
        if slot is not None:
            self._start(slot, attempt.token, info.group, attempt.origin, attempt.request)
        elif self._has_room(attempt.slot):
            self._keep(attempt, info.group)
        else:
            self._refuse("no_slot", attempt.slot)

    def _start(self, slot: Slot, token: Token, group: TokenUid | None, origin: Origin, request: int | None) -> None:
        self.core.deadlines.cancel(Due.CONNECTION, slot.id)
        self.core.transactions.open(slot, token, group, origin, request)

    def _keep(self, attempt: Attempt, group: TokenUid | None) -> None:
        """Authorised, and nothing plugged: wait for it at the station, or at the one slot that is meant or free."""
        core = self.core
        slot = core.slot(attempt.slot or 0)
        if slot is None:
            free = [s for s in core.slots if self.free(s)]
            slot = free[0] if len(free) == 1 else None
        expires = core.now.mono_ns + core.settings.connection_timeout_s * SECOND
        self.pending.append(
            Pending(attempt.token, group, attempt.origin, attempt.request, slot.id if slot else None, expires)
        )
        if slot is not None:
            slot.waiting_auth = True
            core.touch(slot)
        self._arm()
        core.lights.refresh_main()

    def _arm(self) -> None:
        if self.pending:
            self.core.deadlines.set(Due.CONNECTION, min(p.expires_ns for p in self.pending))
        else:
            self.core.deadlines.cancel(Due.CONNECTION)

    def _drop(self, pending: Pending) -> None:
        self.pending.remove(pending)
        slot = self.core.slot(pending.slot or 0)
        if slot is not None and not any(p.slot == slot.id for p in self.pending):
            slot.waiting_auth = False
            self.core.touch(slot)
        self._arm()
        self.core.lights.refresh_main()

    def plugged(self, slot: Slot) -> None:
        """A vehicle connected here: the oldest authorisation that fits takes the slot, one made for this slot first."""
        core = self.core
        core.transactions.changed(slot, Why.CABLE_PLUGGED_IN)
        if not slot.open_to_new:
            return
        fits = [p for p in self.pending if p.slot == slot.id] or [p for p in self.pending if p.slot is None]
        if fits:
            pending = fits[0]
            self._drop(pending)
            self._start(slot, pending.token, pending.group, pending.origin, pending.request)
        elif core.settings.cards_decided_by == "nobody":
            self._start(slot, Token(core.settings.free_vend_token, TokenKind.NONE), None, Origin.FREE, None)
        elif core.settings.connection_timeout_s > 0:
            core.after(Due.CONNECTION, core.settings.connection_timeout_s, slot.id)

    def connection_timeout(self, number: SlotId) -> None:
        """No plug for an authorisation (slot 0), or no authorisation for a plug."""
        slot = self.core.slot(number)
        if slot is not None:
            slot.stale = slot.session is None
            self.core.touch(slot)
            return
        for pending in [p for p in self.pending if p.expires_ns <= self.core.now.mono_ns]:
            self.core.note("info", "authorization.expired", pending.slot or 0)
            self._drop(pending)

    # --- it ends something ---

    def _stops(self, token: Token, group: TokenUid | None) -> bool:
        """The token, or one of its group, has a session here: end the oldest."""
        mine = [s for s in self.core.slots if s.session is not None and s.session.same_token(token, group)]
        if not mine:
            return False
        slot = min(mine, key=lambda s: s.session.started.utc_ms)
        slot.session.stop_token = token
        self.core.power.end(slot, StopReason.LOCAL, Why.STOP_AUTHORIZED)
        return True

    def _takes_back(self, token: Token) -> bool:
        """Shown again while it waits for a plug: the authorisation is taken back (1.6 AUTH-10)."""
        pending = next((p for p in self.pending if p.token.same_as(token)), None)
        if pending is None:
            return False
        self.core.note("info", "authorization.taken_back", pending.slot or 0)
        self._drop(pending)
        return True

    def keeps_cable(self, slot: Slot, session: Session) -> bool:
        """After this end the plug stays locked until its owner's card is shown (1.6 OFFA-04, STOP-15)."""
        kept = session.ending is StopReason.DEAUTHORIZED or (
            session.ending is StopReason.EV_DISCONNECTED and not self.core.settings.unlock_on_ev_disconnect
        )
        if kept and slot.shape.has_lock and slot.lock is not slot.lock.OPEN:
            self.kept = {**(self.kept or {}), slot.id: (session.token, session.group)}
            return True
        return False

    def _releases_cable(self, token: Token) -> bool:
        group = self._known_group(token)
        for number, (owner, owners) in (self.kept or {}).items():
            if owner.same_as(token) or (
                group is not None and owners is not None and group.casefold() == owners.casefold()
            ):
                self.kept = {n: k for n, k in (self.kept or {}).items() if n != number} or None
                slot = self.core.slot(number)
                assert slot is not None
                self.core.power.unlock(slot)
                return True
        return False

    # --- which slot ---

    def free(self, slot: Slot) -> bool:
        """Nobody is here, and somebody may come."""
        return slot.open_to_new and not slot.occupied and not slot.reserved

    def waits(self, slot: Slot) -> bool:
        """A vehicle is connected and nobody is authorised for it."""
        if not slot.open_to_new or slot.session is not None:
            return False
        return slot.plugged and slot.phase is Phase.IDLE

    def waiting(self, wanted: SlotId | None = None) -> Slot | None:
        """The slot that a start would take at once: the one plugged last."""
        waiting = [s for s in self.core.slots if self.waits(s) and wanted in (None, s.id)]
        return max(waiting, key=lambda s: s.plugged_at_ns) if waiting else None

    def _has_room(self, wanted: SlotId | None = None) -> bool:
        free = [s for s in self.core.slots if self.free(s) and wanted in (None, s.id)]
        unbound = sum(p.slot is None for p in self.pending)
        return len(free) > unbound

    # --- remote (1.6 §5.11) ---

    def remote(self, token: Token, slot: SlotId | None, request: int | None) -> None:
        """An accepted remote start: authorised at once, or asked for first."""
        attempt = Attempt(token, Origin.CSMS, request, slot)
        if self.core.settings.authorize_remote:
            self._decide(attempt, "remote")
        else:
            self._granted(attempt, ACCEPTED_INFO)

    def can_start(self, slot: SlotId | None) -> bool:
        return self.waiting(slot) is not None or self._has_room(slot)

    # --- what is known of tokens (1.6 §3.5) ---

    def known(self, token: Token) -> TokenInfo | None:
        """What the cache says; a past expiry counts as expired (1.6 CACHE-04)."""
        if self.cache is None or not self.core.settings.cache_enabled:
            return None
        record = self.cache.get(token.uid.upper())
        if record is None:
            return None
        info = record.info
        if info.expires is not None and info.expires <= self.core.time.utc_ms(self.core.now):
            return TokenInfo(TokenStatus.EXPIRED, info.expires, info.group)
        return info

    def _known_group(self, token: Token) -> TokenUid | None:
        known = self.known(token)
        return known.group if known is not None and known.status is TokenStatus.ACCEPTED else None

    def learn(self, token: Token, info: TokenInfo) -> None:
        """The CSMS has said something of this token (1.6 CACHE-03)."""
        core = self.core
        if not core.settings.cache_enabled or token.kind is TokenKind.NONE:
            return
        key = token.uid.upper()
        cache = self.cache = self.cache if self.cache is not None else {}
        was = cache.get(key)
        if was is not None and was.info == info:
            return
        forgets: tuple[RecordKey, ...] = ()
        if was is None and len(cache) >= CACHE_BOUND:
            bad = [k for k, r in cache.items() if r.info.status is not TokenStatus.ACCEPTED]
            oldest = min(bad or list(cache), key=lambda k: cache[k].seen)
            del cache[oldest]
            forgets = (("token", oldest),)
        cache[key] = TokenRecord(info, core.time.utc_ms(core.now))
        core.persist((Record("token", key, cache[key]),), forgets)

    def clear_cache(self, ticket: Ticket, origin: Origin, command: ClearCache) -> None:
        if not self.core.settings.cache_enabled:
            self.core.answer(ticket, REJECTED)
            return
        forgets = tuple(("token", key) for key in self.cache or ())
        self.cache = None
        if forgets:
            self.core.persist((), forgets, True, self._cleared, ticket)
        else:
            self.core.answer(ticket, ACCEPTED)

    def _cleared(self, ok: bool, ticket: Ticket) -> None:
        self.core.answer(ticket, ACCEPTED if ok else REJECTED)

    def _refuse(self, why: str, slot: SlotId | None) -> None:
        self.core.note("info", "authorization.refused", slot or 0, why)
        self.core.lights.refused()
        waiting = self.waiting(slot)
        if waiting is not None:
            self.core.touch(waiting)
