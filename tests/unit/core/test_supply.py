"""One supply for several slots (station.md §10): the arithmetic, and cars on a real board that are never given more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.units import Cause
from sim.slot import ContactorFault
from station.core.blocks.supply import MINIMUM_MA, Claim, shares
from station.words.settings import TEMPLATES, Settings, SlotShape, StationShape
from tests.unit.core.bay import CARD, Bay

OTHER = "04FFEE11"
FAST = Settings(sample_interval_s=10, aligned_interval_s=0)


# --- the arithmetic ---


@pytest.mark.parametrize(
    ("supply_a", "limits_a", "expected_a"),
    [
        (63, [32, 32], [31, 31]),  # equal, in whole amperes
        (64, [32, 32], [32, 32]),
        (40, [10, 32], [10, 30]),  # what one may not have, the other may
        (12, [32, 32], [6, 6]),
        (11, [32, 32], [11, 0]),  # nobody below six: the later one waits
        (19, [32, 32, 32], [6, 6, 6]),
        (17, [32, 32, 32], [8, 8, 0]),
        (5, [32], [0]),
        (32, [5, 32], [0, 32]),  # less than six cannot be said
        (63, [], []),
    ],
)
def test_shares(supply_a: int, limits_a: list[int], expected_a: list[int]) -> None:
    claims = [Claim(limit * 1000, "RST") for limit in limits_a]
    assert shares(supply_a * 1000, claims) == [each * 1000 for each in expected_a]


def test_each_phase_has_its_own_sum() -> None:
    """Two cars on one phase each, and one on all three."""
    claims = [Claim(32_000, "R"), Claim(32_000, "S"), Claim(32_000, "RST")]
    assert shares(30_000, claims) == [15_000, 15_000, 15_000]
    assert shares(30_000, claims[:2]) == [30_000, 30_000]
    assert shares(30_000, [Claim(10_000, "R"), claims[1], claims[2]]) == [10_000, 15_000, 15_000]
    assert shares(30_000, [claims[0]], {"R": 20_000}) == [10_000]


CLAIMS = st.lists(
    st.builds(Claim, st.integers(0, 80_000), st.sampled_from(["R", "S", "T", "RS", "RST", "STR"])), max_size=5
)


@given(st.integers(0, 200_000), CLAIMS)
def test_no_phase_is_overdrawn_and_nothing_is_wasted(supply_ma: int, claims: list[Claim]) -> None:
    grants = shares(supply_ma, claims)
    left = dict.fromkeys("RST", supply_ma)
    for claim, grant in zip(claims, grants, strict=True):
        assert grant == 0 or MINIMUM_MA <= grant <= claim.limit_ma
        assert grant % 1000 == 0
        for phase in claim.phases:
            left[phase] -= grant
    assert all(each >= 0 for each in left.values())
    more = [c for c, grant in zip(claims, grants, strict=True) if grant and grant + 1000 <= c.limit_ma]
    for claim in more:  # who could have an ampere more shares a phase that has none for each who could
        assert any(left[phase] < 1000 * sum(phase in c.phases for c in more) for phase in claim.phases)


# --- cars ---


class Shared(Bay):
    """A station whose supply is smaller than its slots; `run` looks every half second whether anybody takes too much."""

    supply_ma = 0

    def run(self, seconds: float) -> None:
        end_ns = self.world.clock.now().mono_ns + int(seconds * 1e9)
        while self.world.clock.now().mono_ns < end_ns:
            self.world.run(min(0.5, (end_ns - self.world.clock.now().mono_ns) / 1e9))
            if self.supply_ma:
                self.look()

    def look(self) -> None:
        offers, draws = dict.fromkeys("RST", 0), dict.fromkeys("RST", 0)
        for slot, truth in zip(self.core.slots, self.board.slots, strict=True):
            order = slot.shape.rotation
            for phase in order[: slot.shape.phases]:
                offers[phase] += slot.offered_ma or 0
            reading = truth.meter.read(self.world.clock.now().mono_ns)
            assert not isinstance(reading, str)
            for phase, current in zip(order, reading.current_ma, strict=True):
                draws[phase] += current
        assert max(offers.values()) <= self.supply_ma, offers
        assert max(draws.values()) <= self.supply_ma + 50, draws  # the meter rounds

    def offers(self) -> list[int | None]:
        return [slot.offered_ma and slot.offered_ma // 1000 for slot in self.core.slots]


def shared(monkeypatch: pytest.MonkeyPatch, supply_a: int, settings: Settings = FAST, **shape: object) -> Shared:
    slots = (SlotShape(), SlotShape(rotation="STR"))
    built = StationShape(slots=slots, supply_ma=supply_a * 1000, **shape)  # type: ignore[arg-type]
    monkeypatch.setitem(TEMPLATES, "shared", built)
    bay = Shared(settings, template="shared")
    bay.supply_ma = supply_a * 1000
    return bay


def test_equal_shares_and_all_of_it_again_when_the_other_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    bay = shared(monkeypatch, 40)
    bay.charge("zoe-r110")
    assert bay.offers() == [32, None]
    bay.charge("smart-eq-22", slot=2, card=OTHER)
    assert bay.offers() == [20, 20]
    assert bay.told(2)[-1] == ("Charging", "NoError")
    bay.tap(OTHER)
    bay.run(10)
    assert bay.offers() == [32, None]


def test_behind_a_welded_contactor_nothing_becomes_free_until_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    bay = shared(monkeypatch, 40)
    bay.charge("zoe-r110")
    bay.charge("smart-eq-22", slot=2, card=OTHER)
    bay.board.set_contactor_fault(2, ContactorFault.WELDED)
    bay.tap(OTHER)
    bay.run(10)
    assert bay.offers() == [8, None]  # what is left of 40 A when 32 may flow there
    bay.board.set_contactor_fault(2, None)
    bay.run(10)
    assert bay.offers() == [32, None]


def test_who_was_told_less_a_moment_before_its_end_counts_with_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    bay = shared(monkeypatch, 40)
    bay.charge("zoe-r110")
    bay.plug("zoe-r110", slot=2)
    bay.board.present(OTHER)
    bay.run(1)
    assert bay.offers() == [20, 8]  # the first had 32
    bay.board.present(CARD)
    bay.run(0.5)
    bay.board.raise_fault(2, Cause.WARM)  # its limit is 16 A now, and all is shared anew
    bay.run(0.1)
    assert bay.truth(1).closed
    assert bay.offers() == [None, 8]
    bay.run(10)
    assert bay.offers() == [None, 16]


def test_an_offer_goes_up_only_when_those_that_went_down_have_been_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is given at once, the rest six seconds later: a car has five to follow."""
    bay = shared(monkeypatch, 40)
    bay.charge("zoe-r110")
    bay.plug("zoe-r110", slot=2)
    bay.tap(OTHER)
    offers = [(at, what) for at, what in bay.acts("Offer(")]
    [down] = [at for at, what in offers if what == "Offer(slot=1, limit_ma=20000)"]
    assert (down, "Offer(slot=2, limit_ma=8000)") in offers
    bay.run(10)
    [up] = [at for at, what in bay.acts("Offer(") if what == "Offer(slot=2, limit_ma=20000)"]
    assert up - down == pytest.approx(6)


def test_a_car_that_draws_less_gives_the_rest_away_after_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """And has it back as soon as it wants it."""
    bay = shared(monkeypatch, 40)
    bay.charge("e-tron-55-22")
    bay.plug("kuga-phev", slot=2)  # 16 A
    bay.tap(OTHER)
    bay.run(20)
    assert bay.offers() == [20, 20]
    bay.run(60)
    assert bay.offers() == [22, 18]
    bay.run(1800)
    assert bay.offers() == [22, 18]
    big = bay.truth(1).vehicle
    assert big is not None
    big.misbehave(stalled=True)
    bay.run(90)
    assert bay.offers() == [6, 18]
    big.misbehave()
    bay.run(30)
    assert bay.offers() == [22, 18]


def test_a_car_that_takes_nothing_is_offered_its_share_again_every_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This one does not begin below eight amperes."""
    bay = shared(monkeypatch, 24)
    picky = bay.charge("zoe-r110")
    picky.misbehave(stalled=True)
    bay.charge("e-tron-55-22", slot=2, card=OTHER)
    bay.run(120)
    assert bay.offers() == [6, 18]
    picky.misbehave()
    bay.run(600)
    assert bay.offers() == [6, 18] and bay.told()[-1][0] == "SuspendedEV"
    bay.run(300)
    assert bay.offers() == [12, 12] and bay.told()[-1][0] == "Charging"


def test_the_moment_a_car_wakes_is_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with the six amperes that were kept for it; more comes when the other has gone down."""
    bay = shared(monkeypatch, 32)
    bay.plug("kona-39", slot=2)  # wants nothing for twenty minutes
    bay.tap(OTHER)
    bay.charge("zoe-r110")
    bay.run(60)
    assert bay.offers() == [26, 6]
    bay.run(1300)
    assert bay.told(2)[-1] == ("Charging", "NoError")
    assert bay.offers() == [16, 16]


def test_too_little_for_two_they_take_turns_of_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    bay = shared(monkeypatch, 10)
    bay.charge("model-3-lr")
    bay.plug("model-3-lr", slot=2)
    bay.tap(OTHER)
    bay.run(20)
    assert (bay.told(1)[-1][0], bay.told(2)[-1][0]) == ("Charging", "SuspendedEVSE")
    bay.run(850)
    assert bay.offers() == [10, None]
    bay.run(60)
    assert bay.offers() == [None, 10]
    assert (bay.told(1)[-1][0], bay.told(2)[-1][0]) == ("SuspendedEVSE", "Charging")
    bay.run(900)
    assert bay.offers() == [10, None]
    assert bay.statuses(1)[2:] == ["Charging", "SuspendedEVSE", "Charging"]
    bay.tap()
    bay.run(10)
    assert bay.offers() == [None, 10]


def test_the_cable_and_the_heat_are_limits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    bay = shared(monkeypatch, 63)
    bay.plug("zoe-r110", rating_ma=20_000)
    bay.tap()
    bay.run(30)
    assert bay.offers() == [20, None]
    bay.board.raise_fault(1, Cause.WARM)
    bay.run(10)
    assert bay.offers() == [16, None]
    bay.board.clear_fault(1, Cause.WARM)
    bay.run(10)
    assert bay.offers() == [20, None]


def test_cars_that_come_go_stop_and_wake_never_take_more_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """An afternoon; `run` looks twice a second."""
    bay = shared(monkeypatch, 24)
    for round_, (one, two) in enumerate([("i3-120", "zoe-r110"), ("e-up-32", "leaf-40"), ("i-miev", "e-tron-55-22")]):
        bay.charge(one, 900, card=f"04AA0{round_}")
        bay.charge(two, 850, slot=2, card=f"04BB0{round_}")
        bay.run(2400)
        bay.tap(f"04AA0{round_}")
        bay.run(60)
        bay.tap(f"04BB0{round_}")
        bay.run(60)
        assert bay.board.unplug(1) and bay.board.unplug(2)
        bay.run(10)
    assert len(bay.heard("StopTransaction")) == 6
