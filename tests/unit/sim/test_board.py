"""The healthy board: what it reports, when the contactor moves, what people can do, and in which order it all comes."""

from __future__ import annotations

import pytest

from hal.actions import Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.signals import (
    AnySignal,
    BoardReady,
    CableChanged,
    CardPresented,
    LockReported,
    MeterFailed,
    MeterRead,
    PowerReported,
    VehicleChanged,
)
from hal.units import Colour, Light, LockState, Pattern, Pilot
from sim.board import SimBoard
from sim.profiles import PROFILES
from sim.rng import Stream
from sim.scheduler import VirtualScheduler
from sim.vehicle import Vehicle
from station.words.settings import SlotShape, StationShape
from tests.unit.sim.hardware import SOCKETS, TETHERED, Bench


def test_a_start_reports_what_is_there() -> None:
    clock, said = VirtualScheduler(), list[AnySignal]()
    board = SimBoard(SOCKETS)
    board.plug(2, Vehicle(PROFILES["leaf-40"]), rating_ma=20_000)
    board.start(said.append, clock)
    assert said == [], "not from inside start"
    clock.run_for(0)
    assert said == [
        CableChanged(1, False),
        VehicleChanged(1, Pilot.A),
        LockReported(1, LockState.OPEN),
        PowerReported(1, False),
        CableChanged(2, True, 20_000),
        VehicleChanged(2, Pilot.B),
        LockReported(2, LockState.OPEN),
        PowerReported(2, False),
        BoardReady(),
    ]


def test_the_way_to_power() -> None:
    bench = Bench()
    bench.car("model-3-lr")
    plugged_ms = bench.now_ms
    bench.apply(SetLock(1, True))
    bench.run(1)
    bench.apply(PermitPower(1, True), Offer(1, 16_000))
    bench.run(1.2)  # a moment later the current is worth a reading: test_draw.py
    assert bench.said == [
        (plugged_ms, CableChanged(1, True, 32_000)),
        (plugged_ms, VehicleChanged(1, Pilot.B)),
        (plugged_ms + 300, LockReported(1, LockState.CLOSED)),
        (plugged_ms + 1_900, VehicleChanged(1, Pilot.C)),
        (plugged_ms + 1_940, PowerReported(1, True)),
    ]


@pytest.mark.parametrize("missing", ["permission", "offer", "vehicle"])
def test_the_contactor_needs_permission_offer_and_vehicle(missing: str) -> None:
    bench = Bench()
    if missing != "vehicle":
        bench.car()
    bench.apply(PermitPower(1, missing != "permission"))
    bench.apply(Offer(1, None if missing == "offer" else 16_000))
    bench.run(600)
    assert not bench.board.is_energised(1)


def test_it_opens_within_100_ms_of_losing_permission() -> None:
    bench = Bench()
    bench.charge()
    bench.run(30)
    bench.hush()
    cut_ms = bench.now_ms
    bench.apply(PermitPower(1, False))
    bench.run(1)
    [opened_ms] = bench.times(PowerReported(1, False))
    assert 0 < opened_ms - cut_ms <= 100


def test_it_opens_within_100_ms_of_the_vehicle_leaving_c_and_not_before() -> None:
    bench = Bench()
    bench.charge("model-3-lr")
    bench.run(30)
    bench.hush()
    bench.apply(Offer(1, None))
    bench.run(5)
    [left_ms] = bench.times(VehicleChanged(1, Pilot.B))
    [opened_ms] = bench.times(PowerReported(1, False))
    assert left_ms < opened_ms <= left_ms + 100


def test_an_open_contactor_answers_a_withdrawal_too() -> None:
    bench = Bench()
    bench.apply(PermitPower(1, False))
    bench.run(0)
    assert bench.said == [(bench.now_ms, PowerReported(1, False))]


def test_permission_that_is_gone_again_closes_nothing() -> None:
    bench = Bench()
    bench.car()
    bench.apply(Offer(1, 16_000))
    bench.run(10)
    bench.apply(PermitPower(1, True))
    bench.run(0.02)
    bench.apply(PermitPower(1, False))
    bench.run(60)
    assert bench.heard(PowerReported) == [PowerReported(1, False)]


def test_permission_does_not_close_on_a_car_that_is_about_to_leave_c() -> None:
    bench = Bench()
    bench.car("zoe-r110")
    bench.apply(Offer(1, 16_000))
    bench.run(10)
    bench.apply(Offer(1, None))
    bench.run(0.1)
    assert bench.board.slot(1).pilot is Pilot.C
    bench.apply(PermitPower(1, True))
    bench.run(10)
    assert not bench.heard(PowerReported)


def test_less_than_6_a_is_no_offer() -> None:
    bench = Bench()
    bench.charge(offer_ma=5_900)
    bench.run(60)
    assert bench.board.slot(1).pilot is Pilot.B
    assert bench.board.slot(1).offer_ma is None
    bench.apply(Offer(1, 100_000))
    assert bench.board.slot(1).offer_ma == 80_000


@pytest.mark.parametrize("shape", [SOCKETS, TETHERED])
def test_nothing_is_said_from_inside_apply(shape: StationShape) -> None:
    bench = Bench(shape, latency_ms=0)
    bench.apply(PermitPower(1, False), ReadMeter(1, 1), Offer(1, 6_000), ShowLight(1, Light(Colour.RED)))
    if shape is SOCKETS:
        bench.apply(SetLock(1, False))
    assert bench.said == []
    bench.run(0)
    assert len(bench.said) == (3 if shape is SOCKETS else 2)


def test_nor_while_a_core_that_acts_at_once_is_listening() -> None:
    """The answer to an action comes after the emission that caused it has returned, in the same instant."""
    clock, story = VirtualScheduler(), list[str]()
    board = SimBoard(SOCKETS, latency_ms=0)

    def core(signal: AnySignal) -> None:
        story.append(f"hears {type(signal).__name__}")
        if isinstance(signal, CardPresented):
            board.apply(ReadMeter(1, 1))
            board.apply(PermitPower(1, False))
            story.append("is done")

    board.start(core, clock)
    clock.run_for(1)
    story.clear()
    board.present("04A1B2C3")
    assert story == ["hears CardPresented", "is done", "hears MeterRead", "hears PowerReported"]


def test_what_is_done_to_the_board_while_it_speaks_is_told_afterwards() -> None:
    clock, story = VirtualScheduler(), list[str]()
    board = SimBoard(SOCKETS)

    def core(signal: AnySignal) -> None:
        story.append(f"hears {type(signal).__name__}")
        if isinstance(signal, CardPresented):
            board.acknowledge()
            story.append("is done")

    board.start(core, clock)
    clock.run_for(1)
    story.clear()
    board.present("04A1B2C3")
    assert story == ["hears CardPresented", "is done", "hears FaultAcknowledged"]


def test_order_is_kept_although_ties_are_drawn() -> None:
    """In the world calls of one instant run in any order; signals of one board do not."""
    orders = set()
    for seed in range(20):
        clock, said = VirtualScheduler(ties=Stream(seed, "ties")), list[AnySignal]()
        board = SimBoard(SOCKETS, latency_ms=0)
        board.start(said.append, clock)
        board.apply(ReadMeter(1, 1))
        board.apply(ReadMeter(2, 2))
        board.apply(PermitPower(2, False))
        clock.run_for(0)
        orders.add(tuple(type(signal).__name__ for signal in said))
    assert len(orders) == 1


def test_a_lock_takes_its_time_and_the_last_word_counts() -> None:
    bench = Bench()
    bench.apply(SetLock(1, True))
    bench.run(0.2)
    bench.apply(SetLock(1, False))
    bench.run(1)
    assert bench.said == [(1_200, LockReported(1, LockState.OPEN))]
    bench.apply(SetLock(1, True))
    bench.run(0.299)
    assert bench.board.slot(1).lock is LockState.OPEN
    bench.run(0.001)
    assert bench.board.slot(1).lock is LockState.CLOSED


def test_a_locked_plug_stays() -> None:
    bench = Bench()
    bench.car()
    bench.apply(SetLock(1, True))
    bench.run(1)
    assert not bench.board.unplug(1)
    assert not bench.board.plug(1, Vehicle(PROFILES["leaf-40"]))
    bench.apply(SetLock(1, False))
    bench.run(1)
    assert bench.board.unplug(1)
    assert not bench.board.unplug(1), "there is nothing to pull"


def test_a_locked_empty_socket_takes_no_plug() -> None:
    bench = Bench()
    bench.apply(SetLock(1, True))
    bench.run(1)
    assert not bench.board.plug(1, Vehicle(PROFILES["leaf-40"]))


def test_a_cable_may_wait_for_its_car_and_stay_behind() -> None:
    bench = Bench()
    assert bench.board.plug(1, None, rating_ma=20_000)
    assert bench.board.plug(1, Vehicle(PROFILES["leaf-40"]))
    assert bench.board.drive_off(1)
    assert bench.board.unplug(1)
    assert [signal for _, signal in bench.said] == [
        CableChanged(1, True, 20_000),
        VehicleChanged(1, Pilot.B),
        VehicleChanged(1, Pilot.A),
        CableChanged(1, False),
    ]


def test_a_tethered_cable_has_no_lock_and_can_always_be_pulled() -> None:
    bench = Bench(TETHERED)
    with pytest.raises(TypeError, match="no lock"):
        bench.apply(SetLock(1, True))
    bench.charge()
    bench.run(30)
    assert bench.board.is_energised(1)
    assert bench.board.unplug(1)
    assert not bench.heard(CableChanged)
    assert not bench.heard(LockReported)
    bench.run(0.1)
    assert not bench.board.is_energised(1)


def test_energy_stays_with_the_meter_of_its_slot() -> None:
    bench = Bench()
    bench.charge("model-3-lr", slot=2)
    bench.run(3_600)
    bench.board.unplug(2, force=True)
    one, two = bench.board.true_energy_mwh(1), bench.board.true_energy_mwh(2)
    assert one == 0
    assert two == pytest.approx(10_900_000, rel=0.02)
    bench.run(3_600)
    assert bench.board.true_energy_mwh(2) == two


def test_phases_are_rotated_as_the_slots_are_wired() -> None:
    board = Bench().board
    first, second = (board.slot(slot).meter.mains_mv for slot in (1, 2))
    assert len(set(first)) == 3
    assert second == (first[1], first[2], first[0])


def test_lamps_remember_what_they_show() -> None:
    bench = Bench()
    bench.apply(ShowLight(1, Light(Colour.BLUE)), ShowLight(0, Light(Colour.RED, Pattern.FLICKER)))
    assert bench.board.light(1) == Light(Colour.BLUE)
    assert bench.board.light(2) == Light(Colour.OFF)
    assert bench.board.light(0) == Light(Colour.RED, Pattern.FLICKER)
    assert bench.clock.pending == 0


def test_there_is_no_main_meter_and_no_slot_0_or_3() -> None:
    bench = Bench()
    bench.apply(ReadMeter(0, 5))
    bench.run(0)
    assert bench.heard(MeterFailed) == [MeterFailed(0, 5, "there is no main meter")]
    for slot in (0, 3):
        with pytest.raises(IndexError):
            bench.apply(Offer(slot, None))


def test_stop_is_safe_silent_and_harmless_twice() -> None:
    bench = Bench()
    bench.charge()
    bench.run(30)
    bench.apply(ReadMeter(1, 1), SetLock(1, False))
    bench.hush()
    for _ in range(2):
        bench.board.stop()
        assert not bench.board.is_energised(1)
        assert bench.board.slot(1).offer_ma is None
        assert bench.board.slot(1).lock is LockState.CLOSED, "locks are left alone"
    bench.apply(PermitPower(1, True), Offer(1, 16_000))
    bench.board.present("04A1B2C3")
    bench.run(600)
    assert bench.said == []
    assert not bench.board.is_energised(1)
    assert bench.board.slot(1).vehicle is not None


def test_stop_before_start_is_harmless() -> None:
    SimBoard(SOCKETS).stop()


def test_a_second_start_finds_the_car_and_forgets_old_tickets() -> None:
    bench = Bench()
    bench.charge()
    bench.run(30)
    bench.apply(ReadMeter(1, 1))
    bench.board.stop()
    bench.hush()
    bench.board.start(bench.hear, bench.clock)
    bench.run(1)
    said = [signal for _, signal in bench.said]
    assert said.index(CableChanged(1, True, 32_000)) < said.index(VehicleChanged(1, Pilot.C)) < said.index(BoardReady())
    assert PowerReported(1, False) in said
    assert LockReported(1, LockState.CLOSED) in said
    assert not bench.heard(MeterRead)
    energy_mwh = bench.board.true_energy_mwh(1)
    assert energy_mwh > 0, "the meter kept its register"


def test_the_next_start_is_not_told_what_the_last_one_left_unsaid() -> None:
    """A core that goes down while it is being told something: the rest of that batch is not for its successor."""
    clock, first, second = VirtualScheduler(), list[AnySignal](), list[AnySignal]()
    board = SimBoard(SOCKETS)

    def dies(signal: AnySignal) -> None:
        first.append(signal)
        board.stop()
        board.start(second.append, clock)

    board.start(dies, clock)
    clock.run_for(1)
    assert len(first) == 1
    assert len(second) == 9
    assert second[-1] == BoardReady()


def test_a_single_phase_slot() -> None:
    bench = Bench(StationShape(slots=(SlotShape(phases=1, rotation="S"),)))
    bench.charge("zoe-r110")
    bench.run(60)
    assert bench.reading().current_ma[0] > 30_000
    assert bench.reading().current_ma[1:] == (0, 0)
