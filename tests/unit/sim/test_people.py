"""Drivers at a station that is only as clever as a person could see: they come, charge and go, and cope when it fails."""

from __future__ import annotations

import pytest

from hal.actions import Offer, PermitPower, SetLock, ShowLight
from hal.signals import AnySignal, CableChanged, CardPresented, LockReported, PowerReported, VehicleChanged
from hal.units import SECOND, Colour, Light, LockState, Pilot, SlotId
from sim.board import ReaderFault, SimBoard
from sim.people import CARDS, Driver, Event, Visit, arrivals, come
from sim.profiles import PROFILES
from sim.scheduler import VirtualScheduler
from sim.slot import LockFault
from station.words.settings import StationShape
from tests.unit.sim.hardware import SOCKETS, TETHERED


class Simpleton:
    """A station with free charging for known cards: a card starts the plugged slot or stops its own; `works` no more, no less."""

    def __init__(self, shape: StationShape = SOCKETS, works: bool = True) -> None:
        self.clock = VirtualScheduler()
        self.board = SimBoard(shape)
        self.works = works
        self.waiting: str | None = None
        self.sessions: dict[SlotId, str] = {}
        self.plugged: set[SlotId] = set()
        self.ended: list[tuple[SlotId, str]] = []
        self.board.start(self.hear, self.clock)
        self.clock.run_for(1)

    def hear(self, signal: AnySignal) -> None:
        match signal:
            case CardPresented(token) if self.works:
                self.tapped(token)
            case VehicleChanged(slot, Pilot.A):
                self.plugged.discard(slot)
                self.end(slot)
            case VehicleChanged(slot, Pilot.B):
                self.plugged.add(slot)
                if self.waiting is not None and slot not in self.sessions:
                    self.begin(slot, self.waiting)
            case LockReported(slot, LockState.CLOSED) if slot in self.sessions:
                self.give(slot)
            case PowerReported(slot, False) if slot not in self.sessions and self.has_lock(slot):
                self.board.apply(SetLock(slot, False))
            case CableChanged() | _:
                pass

    def has_lock(self, slot: SlotId) -> bool:
        return self.board.slot(slot).shape.has_lock

    def tapped(self, token: str) -> None:
        mine = [slot for slot, owner in self.sessions.items() if owner == token]
        free = sorted(self.plugged - self.sessions.keys())
        if mine:
            self.end(mine[0])
        elif free:
            self.begin(free[0], token)
        else:
            self.waiting = token

    def begin(self, slot: SlotId, token: str) -> None:
        self.waiting = None
        self.sessions[slot] = token
        self.board.apply(ShowLight(slot, Light(Colour.BLUE)))
        if self.has_lock(slot):
            self.board.apply(SetLock(slot, True))
        else:
            self.give(slot)

    def give(self, slot: SlotId) -> None:
        self.board.apply(PermitPower(slot, True))
        self.board.apply(Offer(slot, 32_000))

    def end(self, slot: SlotId) -> None:
        token = self.sessions.pop(slot, None)
        if token is not None:
            self.ended.append((slot, token))
            for action in (Offer(slot, None), PermitPower(slot, False), ShowLight(slot, Light(Colour.GREEN))):
                self.board.apply(action)


class Street:
    """Some visits to one station, and what was seen of them."""

    def __init__(self, station: Simpleton, *visits: Visit) -> None:
        self.station = station
        self.seen: list[tuple[int, Event, Driver, str]] = []
        self.drivers = [Driver(visit, station.board, self.see) for visit in visits]
        for driver in self.drivers:
            driver.begin(station.clock)

    def see(self, kind: Event, driver: Driver, detail: str) -> None:
        self.seen.append((self.station.clock.now().mono_ns // 1_000_000_000, kind, driver, detail))

    def run(self, hours: float = 3) -> None:
        self.station.clock.run_for(hours * 3_600)

    def story(self, driver: int = 0) -> list[str]:
        return [kind for _, kind, who, _ in self.seen if who is self.drivers[driver]]

    def at(self, kind: Event, driver: int = 0) -> int:
        return next(at for at, seen, who, _ in self.seen if seen == kind and who is self.drivers[driver])

    def why(self, driver: int = 0) -> str:
        return next(why for _, kind, who, why in self.seen if kind == "left" and who is self.drivers[driver])


def visit(**changes: object) -> Visit:
    chosen: dict[str, object] = {
        "at_s": 10,
        "slot": 1,
        "token": CARDS[0],
        "profile": "model-3-lr",
        "soc_permille": 600,
        **changes,
    }
    return Visit(**chosen)  # type: ignore[arg-type]


ALL = ["arrived", "plugged", "tapped", "charging", "tapped", "unplugged", "left"]


def test_plug_tap_wait_tap_leave() -> None:
    street = Street(Simpleton(), visit(stay_s=1_800))
    street.run()
    assert street.story() == ALL
    assert street.at("unplugged") - street.at("plugged") == pytest.approx(1_810, abs=10)
    assert street.station.ended == [(1, CARDS[0])]
    assert street.drivers[0].gone
    assert street.why() == ""
    assert street.station.clock.pending == 0


def test_card_first() -> None:
    street = Street(Simpleton(), visit(order="card", pause_s=25))
    street.run()
    assert street.story() == ["arrived", "tapped", "plugged", "charging", "tapped", "unplugged", "left"]
    assert street.at("plugged") - street.at("tapped") == 25


def test_who_waits_for_full_comes_back_after_it_and_not_much_later() -> None:
    street = Street(Simpleton(), visit(soc_permille=780, until_full=True, after_full_s=600, stay_s=7_200))
    street.run()
    assert street.story() == [*ALL[:4], "full", *ALL[4:]]
    assert street.at("unplugged") - street.at("full") == pytest.approx(606, abs=8)


def test_nobody_waits_for_full_for_ever() -> None:
    street = Street(Simpleton(), visit(soc_permille=500, until_full=True, stay_s=1_800))
    street.run()
    assert "full" not in street.story()
    assert street.at("unplugged") - street.at("plugged") < 1_830


def test_a_tethered_cable_needs_no_lock_to_tell_that_it_works() -> None:
    street = Street(Simpleton(TETHERED), visit(profile="kona-39", stay_s=3_600))
    street.run()
    assert street.story() == ALL


def test_who_is_not_taken_taps_three_times_and_leaves() -> None:
    street = Street(Simpleton(works=False), visit())
    street.run()
    assert street.story() == ["arrived", "plugged", "tapped", "tapped", "tapped", "unplugged", "left"]
    assert street.why() == "the station did not want me"
    assert street.station.board.slot(1).vehicle is None


def test_a_reader_that_misses_one_tap_gets_another() -> None:
    station = Simpleton()
    station.board.set_reader_fault(ReaderFault.GARBLED)
    street = Street(station, visit())
    station.clock.run_for(45)
    station.board.set_reader_fault(None)
    street.run()
    assert street.story() == ["arrived", "plugged", "tapped", "tapped", "charging", "tapped", "unplugged", "left"]


def test_a_plug_that_is_slow_to_come_free_is_pulled_again() -> None:
    station = Simpleton()
    station.board.slot(1).lock_fault = LockFault.SLOW
    street = Street(station, visit())
    street.run()
    assert street.story() == ALL


def test_a_plug_that_stays_stuck_is_given_up() -> None:
    station = Simpleton()
    street = Street(station, visit(stay_s=600))
    station.clock.run_for(60)
    station.board.slot(1).lock_fault = LockFault.JAM
    street.run()
    assert street.why() == "the plug is stuck"
    assert street.drivers[0].gone
    assert street.story().count("tapped") == 2, "the lamp has changed: the second tap was heard"
    assert station.clock.pending == 0


def test_a_tap_to_stop_that_was_not_heard_is_repeated() -> None:
    station = Simpleton()
    street = Street(station, visit(stay_s=600))
    station.clock.run_for(300)
    station.board.set_reader_fault(ReaderFault.GARBLED)
    station.clock.run_for(350)
    station.board.set_reader_fault(None)
    street.run()
    assert street.story() == [*ALL[:4], "tapped", "tapped", "unplugged", "left"]


def test_who_finds_the_plug_free_does_not_tap() -> None:
    """It would start another session."""
    station = Simpleton()
    street = Street(station, visit(stay_s=1_200))
    station.clock.run_for(600)
    station.end(1)
    street.run()
    assert street.story() == [*ALL[:4], "unplugged", "left"]
    assert len(station.ended) == 1


def test_who_finds_the_slot_taken_takes_the_other_or_waits() -> None:
    street = Street(
        Simpleton(),
        visit(slot=1),
        visit(slot=1, at_s=100, token=CARDS[1]),
        visit(slot=1, at_s=2_500, token=CARDS[2], stay_s=600),
    )
    street.run()
    assert [driver.slot for driver in street.drivers] == [1, 2, 1]
    assert all(street.story(driver) == ALL for driver in range(3))
    assert street.at("plugged", 2) > street.at("unplugged", 0)


def test_nobody_queues_for_ever() -> None:
    street = Street(Simpleton(TETHERED), visit(stay_s=9_000), visit(at_s=600, token=CARDS[1]))
    street.run()
    assert street.story(1) == ["arrived", "left"]
    assert street.why(1) == "no free slot"


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    assert arrivals(1, 8) == arrivals(1, 8) != arrivals(2, 8)
    assert arrivals(1, 8)[:4] == arrivals(1, 4)


@pytest.mark.parametrize("seed", range(1, 21))
def test_eight_visits_take_five_to_six_and_a_half_hours_and_some_get_full(seed: int) -> None:
    """At 300 times the speed that is 60 to 78 seconds."""
    plan = arrivals(seed, 8)
    street = Street(Simpleton(), *plan)
    street.run(8)
    ends = [at for at, kind, *_ in street.seen if kind == "left"]
    assert len(ends) == 8
    assert 5 * 3_600 < max(ends) < 6.5 * 3_600
    assert all(street.why(driver) == "" for driver in range(8))
    assert sum(kind == "full" for _, kind, *_ in street.seen) >= 3
    assert len(street.station.ended) == 8


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_plan_is_plausible(seed: int) -> None:
    plan = arrivals(seed, 8)
    assert [visit.at_s for visit in plan] == sorted(visit.at_s for visit in plan)
    assert {visit.slot for visit in plan} == {1, 2}
    for each in plan:
        assert 500 <= each.soc_permille <= 850
        assert 10 * each.soc_permille < 100 * PROFILES[each.profile].target_percent
        assert 45 * 60 <= each.stay_s <= 85 * 60
        others = [other for other in plan if other is not each and other.token == each.token]
        assert all(abs(other.at_s - each.at_s) > each.stay_s / 2 for other in others)
    assert len({each.profile for each in plan}) >= 3


def test_who_comes_later_is_made_only_then() -> None:
    """And comes at the same moment as somebody who was made at once."""
    scheduler = VirtualScheduler()
    scheduler.run_until(5 * SECOND)
    made: list[tuple[int, int]] = []
    visits = arrivals(3, 6)

    class Noted:
        def __init__(self, visit: Visit) -> None:
            self.at_s = visit.at_s
            made.append((scheduler.mono_ns, visit.at_s))

        def begin(self, _: object, at_s: int | None = None) -> None:
            assert at_s == 0

    come(iter(visits), scheduler, Noted, 5 * SECOND)  # type: ignore[arg-type]  # only begun
    assert not made
    scheduler.run_until(5 * SECOND + visits[2].at_s * SECOND)
    assert made == [((5 + visit.at_s) * SECOND, visit.at_s) for visit in visits[:3]]
    scheduler.run_until(10**15)
    assert len(made) == 6
