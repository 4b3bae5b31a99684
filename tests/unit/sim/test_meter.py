"""A meter counts what is drawn, remembers it by itself, and may be wrong in seven ways."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hal.actions import Offer, PermitPower, ReadMeter
from hal.clock import Now
from hal.signals import MeterFailed, MeterRead
from hal.units import Reading
from sim.meter import MeterFault, MeterFaultKind, MeterMemory, Period, SimMeter, read_memories, write_memories
from sim.scheduler import START_UTC_MS
from tests.unit.sim.hardware import Bench


class Kettle:
    """A load that draws 3.6 kW from nanosecond 0 on: 1,000 mWh a second."""

    phases = 3
    reactive_ma = 0

    def drawn_mwh(self, now_ns: int) -> int:
        return now_ns // 1_000_000

    def power_mw(self, now_ns: int) -> int:
        return 3_600_000

    def soc_percent(self, now_ns: int) -> int:
        return 42


def at(seconds: float) -> int:
    return round(seconds * 1e9)


def shown(meter: SimMeter, seconds: float) -> Reading:
    reading = meter.read(at(seconds))
    assert isinstance(reading, Reading)
    return reading


def running(wrap_mwh: int = 0) -> SimMeter:
    meter = SimMeter(1, 5_000_000, wrap_mwh=wrap_mwh)
    meter.attach(Kettle(), at(10))
    return meter


def test_it_counts_from_where_it_was_and_only_while_something_is_attached() -> None:
    meter = running()
    assert meter.register_mwh(at(10)) == 5_000_000
    assert meter.register_mwh(at(70)) == 5_060_000
    meter.attach(None, at(100))
    assert meter.register_mwh(at(1_000)) == 5_090_000
    meter.attach(Kettle(), at(2_000))
    assert meter.register_mwh(at(2_001)) == 5_091_000


def test_what_it_shows_fits_together() -> None:
    reading = shown(running(), 40)
    assert reading.energy_mwh == 5_030_000
    assert reading.total_power_mw == 3_600_000
    for volts, amps, power in zip(reading.voltage_mv, reading.current_ma, reading.power_mw, strict=True):
        assert volts == pytest.approx(230_000, abs=600)
        assert power == pytest.approx(volts * amps * 0.99 / 1000, rel=0.005)
    assert reading.frequency_millihz == pytest.approx(50_000, abs=30)
    assert reading.soc_percent is None


def test_voltages_vary_a_little_and_always_the_same() -> None:
    meter = SimMeter(1)
    seen = [shown(meter, second).voltage_mv for second in range(100)]
    assert len({phase for voltages in seen for phase in voltages}) > 50
    assert seen == [shown(SimMeter(1), second).voltage_mv for second in range(100)]
    assert shown(meter, 5.1) == shown(meter, 5.9)


def test_the_state_of_charge_is_shown_where_it_is_known() -> None:
    meter = SimMeter(1, soc=True)
    assert shown(meter, 1).soc_percent is None
    meter.attach(Kettle(), 0)
    assert shown(meter, 1).soc_percent == 42


@pytest.mark.parametrize(
    ("kind", "amount_mwh", "register_mwh"),
    [
        (MeterFaultKind.FREEZE, 0, 5_010_000),
        (MeterFaultKind.SPIKE, 500_000_000, 505_050_000),
        (MeterFaultKind.BACKWARDS, 60_000, 4_990_000),
        (MeterFaultKind.BACKWARDS, 9_000_000, 0),
        (MeterFaultKind.SWAPPED, 0, 5_050_000),
    ],
)
def test_a_wrong_register_is_wrong_while_the_fault_lasts(
    kind: MeterFaultKind, amount_mwh: int, register_mwh: int
) -> None:
    meter = running()
    meter.set_fault(MeterFault(kind, amount_mwh), at(20))
    assert shown(meter, 60).energy_mwh == register_mwh
    assert meter.register_mwh(at(60)) == 5_050_000
    meter.set_fault(None, at(70))
    assert shown(meter, 80).energy_mwh == 5_070_000


def test_swapped_phases() -> None:
    meter = running()
    right = shown(meter, 20)
    meter.set_fault(MeterFault(MeterFaultKind.SWAPPED), at(20))
    wrong = shown(meter, 20)
    assert wrong.voltage_mv == (right.voltage_mv[1], right.voltage_mv[2], right.voltage_mv[0])
    assert wrong.power_mw == (right.power_mw[1], right.power_mw[2], right.power_mw[0])


@pytest.mark.parametrize(("kind", "why"), [(MeterFaultKind.SILENT, "no answer"), (MeterFaultKind.NAN, "not a number")])
def test_no_reading(kind: MeterFaultKind, why: str) -> None:
    meter = running()
    meter.set_fault(MeterFault(kind), at(20))
    assert meter.read(at(30)) == why


def test_a_register_rolls_over_at_its_width_only() -> None:
    meter = running(wrap_mwh=100_000_000)
    meter.set_fault(MeterFault(MeterFaultKind.ROLLOVER, 30_000), at(20))
    assert shown(meter, 20).energy_mwh == 99_970_000
    assert shown(meter, 49).energy_mwh == 99_999_000
    assert shown(meter, 51).energy_mwh == 1_000
    meter.set_fault(None, at(60))
    assert shown(meter, 61).energy_mwh == 11_000, "where it stands it stays"
    with pytest.raises(ValueError, match="never rolls over"):
        running().set_fault(MeterFault(MeterFaultKind.ROLLOVER), at(20))


def test_the_board_passes_readings_and_failures_on() -> None:
    bench = Bench()
    bench.apply(ReadMeter(1, 7))
    bench.run(0.049)
    assert bench.said == []
    bench.run(0.001)
    [read] = bench.heard(MeterRead)
    assert (read.slot, read.ticket) == (1, 7)
    bench.board.slot(1).meter.set_fault(MeterFault(MeterFaultKind.SILENT), bench.now_ns)
    bench.apply(ReadMeter(1, 8))
    bench.run(2)
    assert bench.times(MeterFailed(1, 8, "no answer")) == [1_050 + 1_000]


def test_a_load_profile_has_one_period_for_each_time_the_contactor_was_closed() -> None:
    bench = Bench(log_periods=True)
    bench.charge("model-3-lr", 500)
    bench.run(60)
    bench.apply(PermitPower(1, False))
    bench.run(60)
    bench.apply(PermitPower(1, True))
    bench.run(60)
    meter = bench.board.slot(1).meter
    assert meter.periods is not None
    [closed] = meter.periods
    assert closed.start_mwh == 0
    assert closed.opened_utc_ms is not None
    assert closed.opened_utc_ms - closed.closed_utc_ms == pytest.approx(59_120, abs=100)
    [first, still] = meter.memory("CP1", bench.now_ns).periods
    assert first == closed
    assert (still.opened_utc_ms, still.start_mwh) == (None, closed.end_mwh)
    assert still.end_mwh == meter.register_mwh(bench.now_ns) > closed.end_mwh
    assert START_UTC_MS < first.closed_utc_ms < still.closed_utc_ms


def test_a_load_profile_is_bounded() -> None:
    meter = SimMeter(1, log=True)
    for second in range(3_000):
        meter.note_contactor(second % 2 == 0, Now(at(second), second * 1000))
    assert meter.periods is not None
    assert len(meter.periods) == 1_000
    assert meter.periods[-1] == Period(2_998_000, 2_999_000, 0, 0)


def test_the_sum_of_the_periods_is_the_register() -> None:
    bench = Bench(log_periods=True)
    bench.charge("i3-120", 700)
    for _ in range(6):
        bench.run(1_000)
        bench.apply(Offer(1, None))
        bench.run(10)
        bench.apply(Offer(1, 16_000))
    bench.apply(Offer(1, None))
    bench.run(10)
    [memory, _] = bench.board.memories("CP1")
    assert len(memory.periods) > 2
    assert sum(period.end_mwh - period.start_mwh for period in memory.periods) == memory.register_mwh > 0


def test_memories_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    memories = [
        MeterMemory("CP1", 1, 12_345_678, 1_000_000_000, (Period(1, 2, 3, 4), Period(5, None, 6, 7))),
        MeterMemory("CP1", 2, 9),
    ]
    write_memories(path, memories[:1])
    write_memories(path, memories)
    assert read_memories(path) == memories
    assert [file.name for file in tmp_path.iterdir()] == ["meters.json"]
    meter = SimMeter.remember(memories[0], log=True)
    assert meter.memory("CP1", at(99)) == memories[0]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "meters.json"
    write_memories(path, [MeterMemory("CP1", 1, 1)])

    def broken(fd: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="no space"):
        write_memories(path, [MeterMemory("CP1", 1, 2)])
    assert read_memories(path) == [MeterMemory("CP1", 1, 1)]


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    path.write_text('[{"station": "CP1", "slot": "one", "register_mwh": 1}]')
    with pytest.raises(msgspec.DecodeError):
        read_memories(path)
