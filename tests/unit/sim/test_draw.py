"""A reading that nobody asked for: when current begins or ends to flow while the contactor stays closed."""

from __future__ import annotations

import pytest

from hal.actions import PermitPower
from hal.signals import MeterRead
from hal.units import Reading
from sim.profiles import PROFILES
from sim.vehicle import Mode
from tests.unit.sim.hardware import Bench


def pushed(bench: Bench) -> list[Reading]:
    return [said.reading for said in bench.heard(MeterRead) if said.ticket == 0]


def flows(reading: Reading) -> bool:
    return max(reading.current_ma) >= 1_000


@pytest.mark.parametrize("name", PROFILES)
def test_a_draw_that_begins_is_told_once_as_it_passes_an_ampere(name: str) -> None:
    bench = Bench()
    bench.charge(name)
    bench.run(1_300)
    [reading] = pushed(bench)
    assert 1_000 <= max(reading.current_ma) < (1_200 if PROFILES[name].reactive_ma < 1_000 else 10_000)


def test_a_car_that_stops_drawing_in_c_is_told_and_so_is_its_return() -> None:
    bench = Bench()
    car = bench.charge("model-3-lr")
    bench.run(60)
    bench.hush()
    car.misbehave(stalled=True)
    bench.run(60)
    car.misbehave()
    bench.run(60)
    assert [flows(reading) for reading in pushed(bench)] == [False, True]


def test_a_full_car_that_stays_in_c_is_told_and_its_long_trickle_is_not() -> None:
    bench = Bench()
    car = bench.charge("i-miev", 990)
    bench.run(20)
    bench.hush()
    bench.run(6 * 3_600)
    assert car.mode is Mode.FULL
    [reading] = pushed(bench)
    assert max(reading.current_ma) < 1_000


def test_a_contactor_that_opens_says_enough() -> None:
    bench = Bench()
    bench.charge("model-3-lr")
    bench.run(60)
    bench.hush()
    bench.apply(PermitPower(1, False))
    bench.run(60)
    assert pushed(bench) == []


def test_a_top_up_begins_and_ends() -> None:
    bench = Bench()
    bench.charge("i3-120", 1_000)
    bench.run(2 * 3_600)
    said = [flows(reading) for reading in pushed(bench)]
    assert said[:2] == [True, False]
    assert len(said) % 2 == 0


def test_a_silent_meter_pushes_nothing() -> None:
    from sim.meter import MeterFault, MeterFaultKind

    bench = Bench()
    bench.charge("model-3-lr")
    bench.board.slot(1).meter.set_fault(MeterFault(MeterFaultKind.SILENT), bench.now_ns)
    bench.run(60)
    assert pushed(bench) == []
