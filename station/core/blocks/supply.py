"""Sharing one supply among slots (station.md §10): who is offered how much, who waits, when they swap.

Offers go down at once, and up only as far as those that went down have been followed: the sum of offers on a phase never exceeds the
supply, and neither do the cars. Not here: the pilot itself (`power`), charging profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from hal.clock import Due
from hal.units import SECOND, MilliAmps, MonoNs, Reading, SlotId
from statemachine.claims import Hold
from statemachine.faults import Power
from statemachine.slot import Phase, Slot

if TYPE_CHECKING:
    from station.core.core import StationCore

MINIMUM_MA: Final = 6_000  # less cannot be said by a pilot
WHOLE_MA: Final = 1_000
DERATED_PERCENT: Final = 50  # of the slot's own limit, while it is too warm
FOLLOWED_NS: Final = 6 * SECOND  # a car follows a lower offer within 5 s
SPARE_NS: Final = 30 * SECOND  # drawing less for so long gives the rest away
SWAP_NS: Final = 900 * SECOND
NEAR_MA: Final = 1_500  # a car this near its offer would take more
ROOM_MA: Final = 2_000  # what one that draws less keeps above its draw, so that its wish for more shows


class Claim(NamedTuple):
    """A slot that wants current: at most so much, on these phases of the grid."""

    limit_ma: MilliAmps
    phases: str


def shares(supply_ma: MilliAmps, claims: Sequence[Claim], used: dict[str, MilliAmps] | None = None) -> list[MilliAmps]:
    """What each may draw: equal shares in whole amperes, no more than its limit, nobody between 0 and 6 A.

    `claims` in order of right: when there is not enough for all, the later ones get 0. `used` is spoken for, by phase. The sum on a phase
    never exceeds the supply, and nobody could have more without somebody with less or as little having less.
    """
    left = {phase: supply_ma - (used or {}).get(phase, 0) for phase in "RST"}
    grants = [0] * len(claims)
    for i, claim in enumerate(claims):
        if claim.limit_ma >= MINIMUM_MA and all(left[phase] >= MINIMUM_MA for phase in claim.phases):
            grants[i] = MINIMUM_MA
            for phase in claim.phases:
                left[phase] -= MINIMUM_MA
    rising = [i for i, grant in enumerate(grants) if grant]
    while rising := [i for i in rising if grants[i] + WHOLE_MA <= claims[i].limit_ma]:
        wanted = {phase: WHOLE_MA * sum(phase in claims[i].phases for i in rising) for phase in "RST"}
        short = [phase for phase in "RST" if wanted[phase] > left[phase]]
        if short:
            rising = [i for i in rising if not any(phase in claims[i].phases for phase in short)]
            continue
        for i in rising:
            grants[i] += WHOLE_MA
        for phase in "RST":
            left[phase] -= wanted[phase]
    return grants


class Need:
    """What is known of a slot's appetite while there is not enough for all."""

    __slots__ = ("gave_ns", "spare_since_ns", "turn_ns", "want_ma")

    def __init__(self, turn_ns: MonoNs) -> None:
        self.turn_ns = turn_ns  # its place in the queue
        self.want_ma: MilliAmps | None = None  # it draws less and gives the rest away; None: all that it may have
        self.spare_since_ns: MonoNs | None = None
        self.gave_ns: MonoNs = 0  # when it last gave something away


class Supply:
    """`needs` is None while there is enough for all; `swap_ns`: when the first in the queue makes room for who waits.

    `lagging`: a car may still draw so much, for it was told less only a moment ago: current, and since when.
    """

    __slots__ = ("core", "lagging", "needs", "swap_ns")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.needs: dict[SlotId, Need] | None = None
        self.lagging: dict[SlotId, tuple[MilliAmps, MonoNs]] | None = None
        self.swap_ns: MonoNs | None = None

    # --- what moves it ---

    def share(self) -> None:
        """Somebody began, ended, wants more or less, or its time has come: divide anew."""
        core = self.core
        running = [s for s in core.slots if s.session is not None and s.phase is Phase.RUNNING]
        self._followed()
        used = self._used()
        if self._scarce(running, used):
            known = self.needs or {}
            self.needs = needs = {s.id: known.get(s.id) or Need(s.plugged_at_ns) for s in running}
            self._swap(needs)
            running.sort(key=lambda s: needs[s.id].turn_ns)
            claims = [self._claim(s, needs[s.id].want_ma) for s in running]
        else:
            self.needs = None
            claims = [self._claim(s, None) for s in running]
        grants = shares(core.shape.supply_ma, claims, used)
        self._lower(running, grants)
        self._raise(running, grants, used)
        if all(grants):
            self.swap_ns = None
        elif self.swap_ns is None:
            self.swap_ns = core.now.mono_ns + SWAP_NS
        self._arm()

    def finished(self, slot: Slot) -> None:
        """Its session is over, and its share free if the contactor is open."""
        slot.offer_ma = 0
        if self.lagging is not None:
            self.lagging.pop(slot.id, None)
        self.share()

    def drew(self, slot: Slot, reading: Reading) -> None:
        """A reading of a running session: does it use what it is offered?

        Who takes nothing is offered its whole share again every quarter of an hour: some cars do not begin with six amperes.
        """
        need = self.needs.get(slot.id) if self.needs else None
        if need is None or slot.offered_ma is None or not reading.current_ma:
            return
        draws, now_ns = max(reading.current_ma), self.core.now.mono_ns
        if draws + NEAR_MA > slot.offered_ma:
            self._wants_all(need, None)
        elif need.want_ma is not None and draws < WHOLE_MA and now_ns - need.gave_ns >= SWAP_NS:
            self._wants_all(need, now_ns)
        elif need.spare_since_ns is None:
            need.spare_since_ns = now_ns
        elif now_ns - need.spare_since_ns >= SPARE_NS:
            want = max(MINIMUM_MA, -(-draws // WHOLE_MA) * WHOLE_MA + ROOM_MA)
            if want < (need.want_ma or slot.offered_ma):
                need.want_ma, need.gave_ns = want, now_ns
                self.share()

    def wakes(self, slot: Slot) -> None:
        """It begins to draw: it may want all that it can have."""
        need = self.needs.get(slot.id) if self.needs else None
        if need is not None:
            self._wants_all(need, None)

    def _wants_all(self, need: Need, spare_since_ns: MonoNs | None) -> None:
        need.spare_since_ns = spare_since_ns
        if need.want_ma is not None:
            need.want_ma = None
            self.share()

    # --- how it is done ---

    def _limit(self, slot: Slot) -> MilliAmps:
        limit = slot.shape.max_current_ma
        if any(fault.row.power is Power.DERATE for fault in slot.faults or ()):
            limit = max(MINIMUM_MA, limit * DERATED_PERCENT // 100)
        return min(limit, slot.cable_ma) if slot.cable and slot.cable_ma is not None else limit

    def _claim(self, slot: Slot, want_ma: MilliAmps | None) -> Claim:
        limit = self._limit(slot)
        phases = _phases(slot)
        return Claim(limit if want_ma is None else min(limit, want_ma), phases)

    def _used(self) -> dict[str, MilliAmps]:
        """What sessions that are ending may still draw, until their contactor reports open; behind a welded one, all that it can carry.

        Who was told less a moment before the end counts with what it had then.
        """
        used: dict[str, MilliAmps] = {}
        for slot in self.core.slots:
            if slot.power_closed and slot.phase is not Phase.RUNNING:
                for phase in _phases(slot):
                    used[phase] = used.get(phase, 0) + (self._draws(slot) or self._limit(slot))
        return used

    def _scarce(self, running: list[Slot], used: dict[str, MilliAmps]) -> bool:
        wanted = dict(used)
        for claim in (self._claim(slot, None) for slot in running):
            for phase in claim.phases:
                wanted[phase] = wanted.get(phase, 0) + claim.limit_ma
        return any(current > self.core.shape.supply_ma for current in wanted.values())

    def _swap(self, needs: dict[SlotId, Need]) -> None:
        """Every quarter of an hour the first in the queue goes to its end, while somebody waits."""
        now_ns = self.core.now.mono_ns
        if self.swap_ns is not None and self.swap_ns <= now_ns:
            first = min(needs, key=lambda number: needs[number].turn_ns)
            needs[first].turn_ns = now_ns
            self.swap_ns = None

    def _followed(self) -> None:
        """Who was told less long enough ago draws no more than that."""
        now_ns = self.core.now.mono_ns
        self.lagging = {n: lag for n, lag in (self.lagging or {}).items() if now_ns - lag[1] < FOLLOWED_NS} or None

    def _lower(self, running: list[Slot], grants: list[MilliAmps]) -> None:
        now_ns = self.core.now.mono_ns
        lagging = self.lagging or {}
        for slot, grant in zip(running, grants, strict=True):
            if grant < slot.offer_ma or not grant:
                if slot.power_closed and grant < slot.offer_ma:
                    lagging[slot.id] = (max(slot.offer_ma, lagging.get(slot.id, (0, 0))[0]), now_ns)
                slot.offer_ma = grant
                slot.holds = slot.holds | Hold.SUPPLY if not grant else slot.holds & ~Hold.SUPPLY
                self.core.touch(slot)
        self.lagging = lagging or None

    def _raise(self, running: list[Slot], grants: list[MilliAmps], used: dict[str, MilliAmps]) -> None:
        """As far as there is room, now that some have been told to draw less and may not have followed yet."""
        room = {phase: self.core.shape.supply_ma - used.get(phase, 0) for phase in "RST"}
        for slot in running:
            for phase in _phases(slot):
                room[phase] -= self._draws(slot)
        for slot, grant in zip(running, grants, strict=True):
            most = min(room[phase] for phase in _phases(slot)) + self._draws(slot)
            offer = min(grant, most // WHOLE_MA * WHOLE_MA)
            if offer >= MINIMUM_MA and offer > slot.offer_ma:
                for phase in _phases(slot):
                    room[phase] -= max(0, offer - self._draws(slot))
                slot.offer_ma = offer
                slot.holds &= ~Hold.SUPPLY
                self.core.touch(slot)

    def _draws(self, slot: Slot) -> MilliAmps:
        """The most that it may draw at this moment."""
        lag = self.lagging.get(slot.id) if self.lagging else None
        return slot.offer_ma if lag is None else max(slot.offer_ma, lag[0])

    def _arm(self) -> None:
        """Wake for offers that wait to go up, and for the next swap."""
        times = [since_ns + FOLLOWED_NS for _, since_ns in (self.lagging or {}).values()]
        if self.swap_ns is not None:
            times.append(self.swap_ns)
        if times:
            self.core.deadlines.set(Due.SUPPLY, min(times))
        else:
            self.core.deadlines.cancel(Due.SUPPLY)


def _phases(slot: Slot) -> str:
    """The phases of the grid that it uses."""
    return slot.shape.rotation[: slot.shape.phases]
