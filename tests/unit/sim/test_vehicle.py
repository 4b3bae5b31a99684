"""What a car makes of the pilot: asking, stopping, sleeping, waking, topping up; and energy that does not depend on reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.actions import Offer, PermitPower
from hal.signals import VehicleChanged
from hal.units import SECOND, Pilot
from sim.profiles import PROFILES
from sim.scheduler import VirtualScheduler
from sim.vehicle import Mode, Vehicle
from tests.unit.sim.hardware import Bench

EACH = pytest.mark.parametrize("name", PROFILES)


def pilots(bench: Bench) -> list[tuple[int, Pilot]]:
    return [(at, said.pilot) for at, said in bench.said if isinstance(said, VehicleChanged)]


def test_plugged_is_b_offered_is_c_gone_is_a() -> None:
    bench = Bench()
    bench.car("model-3-lr")
    bench.run(3_600)
    assert bench.board.slot(1).pilot is Pilot.B
    bench.apply(Offer(1, 16_000))
    bench.run(1)
    assert bench.board.slot(1).pilot is Pilot.C
    bench.board.unplug(1)
    assert [pilot for _, pilot in pilots(bench)] == [Pilot.B, Pilot.C, Pilot.A]
    bench.run(60)
    assert bench.clock.pending == 0


def test_without_voltage_it_waits_in_c_and_draws_nothing() -> None:
    bench = Bench()
    bench.car()
    bench.apply(Offer(1, 16_000))
    bench.run(600)
    assert bench.board.slot(1).pilot is Pilot.C
    assert bench.board.true_energy_mwh(1) == 0


@EACH
def test_it_leaves_c_within_three_seconds_of_losing_the_offer(name: str) -> None:
    bench = Bench()
    bench.charge(name)
    bench.until_live()
    bench.run(20)
    bench.hush()
    lost_ms = bench.now_ms
    bench.apply(Offer(1, None))
    bench.run(10)
    [(at_ms, pilot)] = pilots(bench)
    assert pilot is Pilot.B
    assert at_ms - lost_ms == PROFILES[name].stop_ms <= 3_000
    assert bench.board.true_power_mw(1) == 0


def test_it_ramps_down_before_it_leaves_c() -> None:
    bench = Bench()
    bench.charge("model-3-lr")
    bench.run(30)
    full_mw = bench.board.true_power_mw(1)
    bench.apply(Offer(1, None))
    bench.run(0.4)
    assert bench.board.true_power_mw(1) == pytest.approx(full_mw / 2, rel=0.01)


def test_an_offer_that_comes_back_while_it_stops_is_taken_afterwards() -> None:
    bench = Bench()
    bench.charge("model-3-lr")
    bench.run(30)
    bench.apply(Offer(1, None))
    bench.run(0.2)
    bench.hush()
    bench.apply(Offer(1, 10_000))
    bench.run(30)
    assert [pilot for _, pilot in pilots(bench)] == [Pilot.B, Pilot.C]
    assert bench.board.true_power_mw(1) > 6_000_000


def test_an_offer_taken_back_before_it_asked_leaves_it_in_b() -> None:
    bench = Bench()
    bench.car("zoe-r110")
    bench.apply(Offer(1, 16_000))
    bench.run(1)
    bench.apply(Offer(1, None))
    bench.run(60)
    assert bench.board.slot(1).pilot is Pilot.B


def test_a_delayed_start() -> None:
    bench = Bench()
    bench.charge("kona-39")
    bench.run(1_199)
    assert bench.board.slot(1).pilot is Pilot.B
    bench.run(5)
    assert bench.board.slot(1).pilot is Pilot.C
    bench.run(60)
    assert bench.board.true_power_mw(1) > 7_000_000


def test_it_starts_again_from_nothing_when_the_contactor_does() -> None:
    bench = Bench()
    bench.charge("model-3-lr")
    bench.run(60)
    bench.apply(PermitPower(1, False))
    bench.run(10)
    assert bench.board.slot(1).pilot is Pilot.C
    assert bench.board.true_power_mw(1) == 0
    bench.apply(PermitPower(1, True))
    bench.until_live()
    assert bench.board.true_power_mw(1) == 0
    bench.run(12)
    assert bench.board.true_power_mw(1) > 10_000_000


@pytest.mark.parametrize(
    ("name", "quiet_s", "wakes"),
    [
        ("model-3-lr", 700, True),
        ("zoe-r110", 599, True),
        ("zoe-r110", 600, False),
        ("smart-eq-22", 600, False),
    ],
)
def test_ten_minutes_without_an_offer_send_some_to_sleep(name: str, quiet_s: int, wakes: bool) -> None:
    bench = Bench()
    bench.car(name)
    bench.run(quiet_s)
    bench.apply(Offer(1, 16_000))
    bench.run(600)
    assert (bench.board.slot(1).pilot is Pilot.C) is wakes


@pytest.mark.parametrize(
    ("name", "pulse_s", "wakes"),
    [("zoe-r110", 4, True), ("zoe-r110", 2, False), ("zoe-r110", 61, False), ("smart-eq-22", 4, False)],
)
def test_a_pulse_wakes_some(name: str, pulse_s: int, wakes: bool) -> None:
    bench = Bench()
    car = bench.car(name)
    bench.run(700)
    bench.apply(Offer(1, 16_000))
    bench.run(30)
    assert car.asleep
    bench.apply(Offer(1, None))
    bench.run(pulse_s)
    bench.apply(Offer(1, 16_000))
    bench.run(10)
    assert car.asleep is not wakes
    assert (car.pilot is Pilot.C) is wakes


def test_opening_the_door_wakes_all() -> None:
    bench = Bench()
    car = bench.car("smart-eq-22")
    bench.run(700)
    bench.apply(Offer(1, 16_000))
    bench.run(30)
    car.wake()
    bench.run(3)
    assert car.pilot is Pilot.C


def test_top_ups_after_full_last_three_to_ten_minutes_and_warm_no_battery() -> None:
    bench = Bench()
    car = bench.charge("i3-120", 990)
    news: list[str] = []
    car.tell = news.append
    bench.run(1_800)
    assert car.mode is Mode.FULL
    bench.hush()
    stored, counted = car.battery_mwh(bench.now_ns), bench.board.true_energy_mwh(1)
    bench.run(24 * 3_600)
    moves = pilots(bench)
    lengths = [end - start for (start, _), (end, _) in zip(moves[::2], moves[1::2], strict=False)]
    assert len(lengths) > 20
    assert all(180_000 <= length <= 602_000 for length in lengths)
    assert len(set(lengths)) > 10
    assert car.battery_mwh(bench.now_ns) == stored
    assert bench.board.true_energy_mwh(1) - counted == pytest.approx(2_500 * sum(lengths) / 3_600, rel=0.01)
    assert news == ["charging", "full"]


def test_top_ups_need_an_offer() -> None:
    bench = Bench()
    bench.charge("i3-120", 990)
    bench.run(1_800)
    bench.apply(Offer(1, None))
    bench.run(10)
    assert bench.clock.pending == 0


def test_a_full_car_never_asks() -> None:
    bench = Bench()
    bench.charge("model-3-lr", 800)
    bench.run(3_600)
    assert bench.board.slot(1).pilot is Pilot.B


def test_a_new_limit_in_the_moment_of_being_full_changes_nothing() -> None:
    """The timer is late: the battery is full already when the limit changes, which the car does not even notice."""
    bench = Bench(tick_s=60)
    car = bench.charge("model-3-lr", 795)
    while not car.full:
        bench.run(1)
        car.power_mw(bench.now_ns)
    assert bench.board.slot(1).pilot is Pilot.C
    bench.apply(Offer(1, 31_000))
    bench.run(200)
    assert car.mode is Mode.FULL
    assert bench.board.slot(1).pilot is Pilot.B


@pytest.mark.parametrize("read", [False, True])
def test_a_limit_changes_nothing_that_was_before_it(read: bool) -> None:
    """The timer is late: a ramp has ended, unseen or seen, when the limit changes."""
    bench = Bench(tick_s=60)
    bench.charge("model-3-lr")
    bench.until_live()
    bench.run(40)
    if read:
        bench.board.true_power_mw(1)
    bench.apply(Offer(1, 10_000))
    full_mw = 3 * 16_000 * 0.99 * sum(bench.board.slot(1).mains_mv) / 3 / 1000
    assert bench.board.true_energy_mwh(1) == pytest.approx(full_mw * 35 / 3_600, rel=0.001)


def test_a_car_that_is_pulled_forgets_what_it_was_about_to_do() -> None:
    bench = Bench()
    car = bench.car("zoe-r110")
    bench.apply(Offer(1, 16_000))
    bench.run(1)
    bench.board.unplug(1)
    bench.run(60)
    assert car.pilot is Pilot.A
    assert bench.board.plug(2, car), "and may be plugged in elsewhere"


def test_each_visit_has_its_own_news() -> None:
    bench, news = Bench(), list[str]()
    car = bench.charge("model-3-lr", 795)
    car.tell = news.append
    bench.run(3_600)
    bench.board.unplug(1, force=True)
    assert news == ["charging", "full"]
    bench.apply(Offer(2, 16_000), PermitPower(2, True))
    car._target += 100_000  # the driver has asked for a little more
    bench.board.plug(2, car)
    bench.run(3_600)
    assert news == ["charging", "full"] * 2


def test_nothing_ticks() -> None:
    """From empty to full in ten hours and a day beyond it, a board makes a handful of calls."""
    bench = Bench()
    car = bench.charge("leaf-40", 50)
    bench.run(34 * 3_600)
    assert car.mode is Mode.FULL
    assert bench.clock.calls <= 16
    assert bench.clock.pending == 0


def test_the_target_may_be_another() -> None:
    bench = Bench()
    car = Vehicle(PROFILES["model-3-lr"], 800, target_percent=90)
    bench.board.plug(1, car)
    bench.apply(PermitPower(1, True), Offer(1, 32_000))
    bench.run(2 * 3_600)
    assert car.soc_percent(bench.now_ns) == 90


def test_the_car_holds_the_plug_while_it_charges() -> None:
    bench = Bench()
    tesla, ford = bench.car("model-3-lr"), bench.car("kuga-phev", slot=2)
    assert [tesla.holds_plug, ford.holds_plug] == [False, False]
    bench.apply(Offer(1, 16_000), Offer(2, 16_000))
    bench.run(10)
    assert [tesla.holds_plug, ford.holds_plug] == [True, False]


def test_it_may_draw_more_than_offered_or_nothing_at_all() -> None:
    bench = Bench()
    car = bench.charge("model-3-lr", offer_ma=10_000)
    bench.run(30)
    car.misbehave(overdraw_ma=3_000)
    bench.run(15)
    assert bench.reading().current_ma == pytest.approx((13_000,) * 3, rel=0.01)
    car.misbehave(stalled=True)
    bench.run(15)
    assert bench.reading().power_mw == (0, 0, 0)
    assert car.pilot is Pilot.C
    car.misbehave()
    bench.run(15)
    assert bench.reading().current_ma == pytest.approx((9_800,) * 3, rel=0.01)


def test_one_car_is_at_one_place() -> None:
    bench = Bench()
    car = bench.car()
    with pytest.raises(ValueError, match="cannot be plugged in here"):
        bench.board.plug(2, car)
    assert bench.board.slot(2).vehicle is None


OFFERS = st.lists(
    st.tuples(st.integers(1, 3_000), st.sampled_from([None, 6_000, 8_000, 13_000, 32_000])), min_size=1, max_size=6
)


@given(
    st.sampled_from(sorted(PROFILES)),
    st.integers(300, 999),
    OFFERS,
    st.lists(st.integers(1, 20_000), max_size=30),
    st.sampled_from([0, 1, 17]),
)
def test_energy_does_not_depend_on_who_reads_and_never_falls(
    name: str, soc_permille: int, offers: list[tuple[int, int | None]], reads_s: list[int], tick_s: int
) -> None:
    """The same story told twice, once read at many instants: to the mWh the same, and what was read only rises.

    Also where the clock is late, so that curves have ended before anybody was told.
    """

    def story(read_at_s: list[int]) -> tuple[int, int]:
        bench, seen = Bench(tick_s=tick_s), list[int]()
        car = bench.charge(name, soc_permille)
        for at_s in read_at_s:
            VirtualScheduler.call_at(bench.clock, at_s * SECOND, lambda: seen.append(bench.board.true_energy_mwh(1)))
        for seconds, offer_ma in offers:
            bench.run(seconds)
            bench.apply(Offer(1, offer_ma))
        bench.run(3_600)
        assert seen == sorted(seen)
        return bench.board.true_energy_mwh(1), car.battery_mwh(bench.now_ns)

    assert story(reads_s) == story([])


@given(st.sampled_from(sorted(PROFILES)), st.integers(300, 990))
def test_the_register_is_the_integral_of_the_power(name: str, soc_permille: int) -> None:
    """Summed up second by second by the trapezoid rule, which is blind to nothing but the corners of the curves."""
    bench = Bench()
    bench.charge(name, min(soc_permille, PROFILES[name].target_percent * 10 - 5))
    bench.until_live()
    summed, before = 0.0, bench.board.true_power_mw(1)
    start = bench.board.true_energy_mwh(1)
    for _ in range(1_500):
        bench.run(1)
        power = bench.board.true_power_mw(1)
        summed += (before + power) / 2 / 3_600
        before = power
    assert summed == pytest.approx(bench.board.true_energy_mwh(1) - start, rel=0.002, abs=3_500)
