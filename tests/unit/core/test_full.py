"""The four statuses, and when a vehicle counts as full (station.md §6), with cars that behave like cars."""

from __future__ import annotations

import msgspec
import pytest

from hal.signals import MeterRead
from hal.units import Cause, Pilot, Reading
from statemachine.faults import Fault
from statemachine.slot import Slot
from station.words.common import SlotStatus, Summary
from station.words.settings import Settings, SlotShape
from tests.builders import CoreBench
from tests.unit.core.bay import Bay


def summary(bay: Bay) -> str:
    return bay.slot().summary.value


def kinds(bay: Bay, kind: str) -> int:
    return sum(kind in event.kind for event in bay.world.trace.events)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (SlotStatus.AVAILABLE, Summary.AVAILABLE),
        (SlotStatus.RESERVED, Summary.AVAILABLE),
        (SlotStatus.PREPARING, Summary.CHARGING),
        (SlotStatus.CHARGING, Summary.CHARGING),
        (SlotStatus.SUSPENDED_EV, Summary.CHARGING),
        (SlotStatus.SUSPENDED_EVSE, Summary.CHARGING),
        (SlotStatus.FINISHING, Summary.FULL),
        (SlotStatus.UNAVAILABLE, Summary.FAULT),
        (SlotStatus.FAULTED, Summary.FAULT),
    ],
)
def test_each_status_is_one_of_four(status: SlotStatus, expected: Summary) -> None:
    slot = Slot(1, SlotShape())
    if status is SlotStatus.FAULTED:
        slot.faults = [Fault(Cause.OVER_VOLTAGE, 1, "f1", "", 1)]
    else:
        slot.state = status
    assert slot.summary is expected
    slot.full_since = 0
    drawing = status in (SlotStatus.SUSPENDED_EV, SlotStatus.CHARGING)
    assert slot.summary is (Summary.FULL if drawing else expected)


def test_a_target_of_80_percent_is_full_five_minutes_after_the_car_stops() -> None:
    bay = Bay()
    bay.charge("model-3-lr", 790)
    assert summary(bay) == "charging"
    bay.run(240)
    assert bay.told()[-1][0] == "SuspendedEV"
    assert summary(bay) == "charging" and kinds(bay, "vehicle-full") == 0
    bay.run(300)
    assert summary(bay) == "full" and kinds(bay, "vehicle-full") == 1
    bay.run(3600)
    assert summary(bay) == "full" and kinds(bay, "vehicle-full") == 1
    assert bay.statuses()[2:] == ["Charging", "SuspendedEV"]


def test_a_delayed_start_is_not_full() -> None:
    """Twenty minutes of nothing, and then it begins."""
    bay = Bay()
    bay.plug("kona-39")
    bay.tap()
    bay.run(1000)
    assert bay.told()[-1][0] == "SuspendedEV" and summary(bay) == "charging"
    bay.run(400)
    assert bay.told()[-1][0] == "Charging"
    assert kinds(bay, "vehicle-full") == 0


def test_little_energy_is_not_full() -> None:
    bay = Bay()
    bay.charge("model-3-lr", 797)  # 222 Wh to its target
    bay.run(1800)
    assert bay.told()[-1][0] == "SuspendedEV" and summary(bay) == "charging"


def test_a_climate_top_up_ends_full_after_a_minute_and_it_comes_back() -> None:
    """Three to ten minutes long; a car that is full stays so for the first minute of it."""
    bay = Bay()
    bay.charge("i3-120", 980)
    bay.run(900)
    assert summary(bay) == "full"
    for _ in range(5400):
        bay.run(1)
        if bay.told()[-1][0] == "Charging":
            break
    assert bay.told()[-1][0] == "Charging" and summary(bay) == "full"
    bay.run(58)
    assert summary(bay) == "full"
    bay.run(4)
    assert summary(bay) == "charging"
    bay.run(1000)
    assert bay.told()[-1][0] == "SuspendedEV" and summary(bay) == "full"
    events = [msgspec.json.decode(e.data) for e in bay.world.trace.events if e.kind.startswith("status-changed")]
    assert any(e["status"] == "charging" and e["summary"] == "charging" for e in events[-3:])


def test_a_short_top_up_does_not_end_full() -> None:
    bench = nearly_full()
    since = bench.core.slots[0].full_since
    assert since is not None
    bench.pilot(Pilot.C)
    bench.wait(50)
    bench.pilot(Pilot.B)
    bench.wait(600)
    assert bench.core.slots[0].full_since == since
    assert bench.core.slots[0].summary is Summary.FULL


def nearly_full() -> CoreBench:
    """Half an hour of charging, and then six minutes of nothing."""
    bench = CoreBench(answering=True)
    bench.connect()
    bench.charging()
    bench.wait(1800)
    bench.pilot(Pilot.B)
    bench.wait(360)
    return bench


def test_a_pause_by_a_limit_is_never_full_and_ends_no_fullness_that_was_there() -> None:
    """SuspendedEVSE, however long."""
    bay = Bay()
    bay.charge("model-3-lr", 300)
    bay.run(600)
    bay.board.set_mains(180_000)
    bay.run(3600)
    assert bay.slot().state is SlotStatus.SUSPENDED_EVSE and bay.slot().full_since is None
    bay.board.set_mains(230_000)
    bay.run(90)
    assert bay.told()[-1][0] == "Charging"
    assert kinds(bay, "vehicle-full") == 0


def test_a_car_that_wakes_up_charges_and_is_full_again_later() -> None:
    """Somebody raises its target."""
    bay = Bay()
    car = bay.charge("model-3-lr", 790)
    bay.run(900)
    assert summary(bay) == "full"
    car._target = car.profile.capacity_wh * 10.0 * 82
    car._be(type(car.mode).WAITING)
    car.wake()
    bay.run(30)
    assert bay.told()[-1][0] == "Charging" and summary(bay) == "full"
    bay.run(60)
    assert summary(bay) == "charging"
    bay.run(2400)
    assert summary(bay) == "full"
    assert kinds(bay, "vehicle-full") == 2


def test_a_car_that_stays_in_c_and_draws_a_trickle_is_suspended_after_ten_seconds_and_full_after_five_minutes() -> None:
    bay = Bay()
    bay.charge("i-miev", 900)
    assert bay.truth().closed
    while bay.told()[-1][0] == "Charging":
        bay.run(1)
    assert bay.truth().closed and bay.told()[-1][0] == "SuspendedEV"
    draw = bay.truth().meter.read(bay.world.clock.now().mono_ns)
    assert isinstance(draw, Reading) and 0 < max(draw.current_ma) < 1000
    bay.run(310)
    assert summary(bay) == "full"


# --- noise near the threshold ---


def push(bench: CoreBench, current_ma: int) -> None:
    bench.current_ma = current_ma
    bench.give(MeterRead(1, 0, bench.reading(1)))
    bench.answer_all()


@pytest.mark.parametrize("every_s", [1, 4, 9, 12, 25])
@pytest.mark.parametrize("first", [900, 1100])
def test_noise_near_the_threshold_is_at_most_one_change(every_s: int, first: int) -> None:
    """Around an ampere, up and down, for a quarter of an hour."""
    bench = CoreBench(answering=True)
    bench.connect()
    bench.charging()
    before = len(bench.statuses())
    for n in range(900 // every_s):
        push(bench, first if n % 2 == 0 else 2000 - first)
        bench.wait(every_s)
    assert len(bench.statuses()) - before <= 1


def test_a_draw_that_falls_for_nine_seconds_is_no_pause_and_one_of_eleven_is() -> None:
    bench = CoreBench(answering=True, settings=Settings(sample_interval_s=0))
    bench.connect()
    bench.charging()
    push(bench, 200)
    bench.wait(9)
    push(bench, 12_000)
    bench.wait(30)
    assert bench.statuses()[-1] == "Charging"
    push(bench, 200)
    bench.wait(9.9)
    assert bench.statuses()[-1] == "Charging"
    bench.wait(0.2)
    assert bench.statuses()[-1] == "SuspendedEV"
    push(bench, 12_000)
    assert bench.statuses()[-1] == "Charging"


def test_one_phase_is_enough_to_draw() -> None:
    bench = CoreBench(answering=True)
    bench.connect()
    bench.charging()
    for _ in range(10):
        energy = bench.register_mwh[1]
        bench.give(MeterRead(1, 0, Reading(energy, (0, 8_000, 0), (230_000,) * 3, (0, 1_840_000, 0))))
        bench.wait(2)
    assert bench.statuses()[-1] == "Charging"
