"""People with cars and cards: they come, plug, tap, wait, come back, tap, unplug and leave.

A driver reacts to what a person can see or hear: lamps, the lock, whether the car charges, what the car's telephone app
says. Nobody looks at the station's state, and nobody polls: a driver waits for the app or for a time of their own, and
only tries a stuck plug a few times. Not here: who these people are to a central system (cards are just numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from hal.clock import Scheduler, TimerHandle
from hal.units import SECOND, Colour, Light, LockState, MonoNs, SlotId, TokenUid
from sim.board import SimBoard
from sim.profiles import PROFILES, Profile
from sim.rng import Stream
from sim.vehicle import News, Vehicle

Order: TypeAlias = Literal["plug", "card"]
Event: TypeAlias = Literal["arrived", "plugged", "tapped", "charging", "full", "unplugged", "left"]

CARDS: Final[tuple[TokenUid, ...]] = ("04A1B2C3", "04D4E5F6", "0411223344556680", "62E3086CED")
FAMILIAR: Final = ("zoe-r110", "leaf-40", "model-3-lr", "e-up-32", "kuga-phev", "i-miev", "e-tron-55-22", "i3-120")
QUICK: Final = ("zoe-r110", "model-3-lr", "kuga-phev", "i3-120")  # full within the hour from 85 %
_PATIENCE: Final = 3  # taps before giving up
_LOOK_S: Final = 30  # between doing something and looking whether it helped
_PULL_S: Final = 6
_PULLS: Final = 40
_QUEUE_S: Final = 120
_QUEUES: Final = 15


class Visit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What somebody is going to do. Times in seconds; `stay_s` from the plug, whatever the battery says.

    `until_full`: they come back `after_full_s` after the car says it is full, if that is before `stay_s`.
    """

    at_s: int
    slot: SlotId
    token: TokenUid
    profile: str
    soc_permille: int
    order: Order = "plug"
    pause_s: int = 20  # between plug and card
    until_full: bool = False
    after_full_s: int = 420
    stay_s: int = 3_600


OnEvent: TypeAlias = Callable[[Event, "Driver", str], None]


class Driver:
    """One visit of one person. `begin` sets it going; `gone` when they have left. `on_event(kind, driver, detail)`."""

    __slots__ = (
        "_board",
        "_on_event",
        "_return",
        "_scheduler",
        "gone",
        "slot",
        "vehicle",
        "visit",
    )

    def __init__(self, visit: Visit, board: SimBoard, on_event: OnEvent | None = None, seed: int = 0) -> None:
        self.visit = visit
        self.slot = visit.slot
        self.vehicle = Vehicle(PROFILES[visit.profile], visit.soc_permille, seed=seed ^ visit.at_s)
        self.gone = False
        self._board = board
        self._on_event = on_event
        self._scheduler: Scheduler | None = None
        self._return: TimerHandle = None

    def begin(self, scheduler: Scheduler, at_s: int | None = None) -> None:
        """They arrive so many seconds from now; None: as the visit says."""
        self._scheduler = scheduler
        self._after(self.visit.at_s if at_s is None else at_s, self._arrive, 0)

    def look_again(self, after_s: int) -> None:
        """The telephone says that the station was away: look after it then, and tap if the car does not charge."""
        if self._return is not None and not self.vehicle.full:
            self._after(after_s, self._look, 1)

    # -- coming ------------------------------------------------------------------------------------

    def _arrive(self, waited: int) -> None:
        if not waited:
            self._tell("arrived", f"{self.visit.profile} at {self.visit.soc_permille // 10} %")
        free = [slot.number for slot in self._board.slots if slot.vehicle is None and not slot.cable]
        if not free and waited < _QUEUES:
            self._after(_QUEUE_S, self._arrive, waited + 1)
        elif not free:
            self._leave("no free slot")
        else:
            if self.slot not in free:
                self.slot = free[0]
            first, second = (self._plug, self._tap) if self.visit.order == "plug" else (self._tap, self._plug)
            first()
            self._after(self.visit.pause_s, self._then, second)

    def _then(self, second: Callable[[], None]) -> None:
        if not self.gone:
            second()
            self._after(_LOOK_S, self._look, 1)

    def _plug(self) -> None:
        if not self._board.plug(self.slot, self.vehicle):
            self._leave("somebody else was faster")
            return
        self.vehicle.tell = self._hear
        self._tell("plugged", f"slot {self.slot}")
        self._return = self._after(self.visit.stay_s, self._come_back, 1)

    def _tap(self) -> None:
        self._tell("tapped", self.visit.token)
        self._board.present(self.visit.token)

    def _look(self, taps: int) -> None:
        """Has the station taken me? Else tap again, or try elsewhere."""
        if self.gone or self._accepted():
            return
        if taps < _PATIENCE:
            self._tap()
            self._after(_LOOK_S, self._look, taps + 1)
        else:
            self._cancel_return()
            self._pull(1, "the station did not want me")

    def _accepted(self) -> bool:
        place = self._board.slot(self.slot)
        blue = place.light.colour is Colour.BLUE
        return place.closed or blue or place.lock is LockState.CLOSED

    # -- staying -----------------------------------------------------------------------------------

    def _hear(self, news: News) -> None:
        """The app on the telephone. It rings from inside the car's doings, so it only sets a time."""
        if news == "charging":
            self._after(0, self._tell, "charging", f"slot {self.slot}")
        elif news == "full":
            self._after(0, self._tell, "full", f"slot {self.slot}")
            if self.visit.until_full and self._return is not None:
                self._cancel_return()
                self._return = self._after(self.visit.after_full_s, self._come_back, 1)

    # -- going -------------------------------------------------------------------------------------

    def _come_back(self, taps: int) -> None:
        """Tap, if something still holds the plug; then pull."""
        self._return = None
        place = self._board.slot(self.slot)
        before = place.light
        if place.lock is not LockState.OPEN or place.closed:
            self._tap()
        self._after(_PULL_S, self._pull, 1, "", taps, before)

    def _pull(self, pulls: int, why: str, taps: int = _PATIENCE, before: Light | None = None) -> None:
        """Pull, for a while; where nothing has changed, the tap was not heard."""
        place = self._board.slot(self.slot)
        if self._board.unplug(self.slot):
            self._tell("unplugged", f"{self._charged_wh() / 1000:.1f} kWh")
            self._after(_LOOK_S, self._leave, why)
        elif pulls % 10 == 0 and taps < _PATIENCE and (place.closed or place.light == before):
            self._come_back(taps + 1)
        elif pulls < _PULLS:
            self._after(_PULL_S, self._pull, pulls + 1, why, taps, before)
        else:
            self._leave("the plug is stuck")

    def _leave(self, why: str) -> None:
        if not self.gone:
            self.gone = True
            self._cancel_return()
            self._tell("left", why)

    # -- inside ------------------------------------------------------------------------------------

    def _charged_wh(self) -> int:
        return self.vehicle.drawn_mwh(self._clock.now().mono_ns) // 1000

    @property
    def _clock(self) -> Scheduler:
        if self._scheduler is None:
            raise RuntimeError("this visit has not begun")
        return self._scheduler

    def _after(self, seconds: int, call: Callable[..., None], *args: object) -> TimerHandle:
        return self._clock.call_at(self._clock.now().mono_ns + seconds * SECOND, call, *args)

    def _cancel_return(self) -> None:
        if self._return is not None:
            self._clock.cancel(self._return)
            self._return = None

    def _tell(self, kind: Event, detail: str) -> None:
        if self._on_event is not None:
            self._on_event(kind, self, detail)


def arrivals(seed: int, sessions: int, slots: int = 2, cards: Sequence[TokenUid] = CARDS) -> list[Visit]:
    """A plausible day at one station: so many visits, one after the other on each slot, in order of arrival.

    About 80 minutes a visit and slot: eight sessions on two slots take five to six hours. Every second driver wants to
    be full, and comes so that this can be; batteries come at 50 to 85 %. Nobody's card is in two places at once while
    there are more cards than slots.
    """
    stream = Stream(seed, "arrivals")
    free_s = [20 + 600 * slot for slot in range(slots)]
    visits = []
    for index in range(sessions):
        slot = min(range(slots), key=free_s.__getitem__)
        until_full = index % 2 == 1
        profile = PROFILES[stream.choice(QUICK if until_full else FAMILIAR)]
        visit = _visit(stream, free_s[slot], slot + 1, cards[index % len(cards)], profile, until_full)
        visits.append(visit)
        free_s[slot] += visit.pause_s + visit.stay_s + stream.uniform(8, 20) * 60
    return visits


def come(visits: Iterator[Visit], scheduler: Scheduler, make: Callable[[Visit], Driver], since_ns: MonoNs) -> None:
    """Each is made only when they arrive, `at_s` from that moment on; visits in order of arrival. Thousands of stations have many."""
    visit = next(visits, None)
    if visit is not None:
        scheduler.call_at(since_ns + visit.at_s * SECOND, _comes, visit, visits, scheduler, make, since_ns)


def _comes(
    visit: Visit, visits: Iterator[Visit], scheduler: Scheduler, make: Callable[[Visit], Driver], since_ns: MonoNs
) -> None:
    make(visit).begin(scheduler, 0)
    come(visits, scheduler, make, since_ns)


def _visit(stream: Stream, at_s: int, slot: SlotId, token: TokenUid, profile: Profile, until_full: bool) -> Visit:
    return Visit(
        at_s=at_s,
        slot=slot,
        token=token,
        profile=profile.name,
        soc_permille=_before_full(profile, stream.uniform(20, 35)) if until_full else stream.uniform(500, 750),
        order="card" if stream.chance(30) else "plug",
        pause_s=stream.uniform(12, 30),
        until_full=until_full,
        after_full_s=stream.uniform(6, 12) * 60,
        stay_s=stream.uniform(75, 85) * 60 if until_full else stream.uniform(45, 75) * 60,
    )


def _before_full(profile: Profile, minutes: int) -> int:
    """The state of charge from which it takes so long to the target, not counting the taper; within 50 to 85 %."""
    phase_w = 230 * 0.99 * min(profile.max_ma, 31_500) / 1000
    gain_wh = phase_w * profile.phases * profile.efficiency_permille / 1000 * minutes / 60
    soc_permille = profile.target_percent * 10 - round(gain_wh * 1000 / profile.capacity_wh)
    return max(500, min(850, soc_permille))
