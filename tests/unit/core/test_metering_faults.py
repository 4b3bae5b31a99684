"""Meters that are silent, wrong or exchanged: which readings count, and what becomes of the session (station.md §§3, 4)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import PermitPower, ReadMeter
from hal.signals import MeterFailed, MeterRead, PowerReported
from hal.units import SECOND, Pilot, Reading
from meter.register import Register, rated_mw
from station.core.effects import Note, Publish
from station.words.settings import Settings, SlotShape, StationShape
from tests.builders import CARD, CoreBench
from tests.unit.core.test_transactions import booted, charging, stop, stopped

MINUTE = 60


class Meter:
    """The meter of slot 1. `jump` is added to the truth; `says` why there is no reading, or nothing at all."""

    def __init__(self, bench: CoreBench) -> None:
        self.bench = bench
        self.jump = 0
        self.says: str | None = None
        self.fails = 0  # so many times, then it is right
        self.asked = 0
        bench.meter = self.answer

    def answer(self, slot: int, ticket: int) -> MeterRead | MeterFailed | None:
        self.asked += 1
        if self.says == "":
            return None
        if self.says is not None or self.asked <= self.fails:
            return MeterFailed(slot, ticket, self.says or "garbled")
        energy = self.bench.register_mwh[slot] + self.jump
        return MeterRead(slot, ticket, Reading(max(0, energy), (16_000,) * 3, (230_000,) * 3, (3_680_000,) * 3))


def metered(**settings: Any) -> tuple[CoreBench, Meter]:
    bench = charging(**{"sample_interval_s": 10, "aligned_interval_s": 0, **settings})
    bench.wait(MINUTE)
    return bench, Meter(bench)


def registers(bench: CoreBench) -> list[int]:
    return [int(told["meterValue"][0]["sampledValue"][0]["value"]) for told in bench.actions("MeterValues")]


# --- which readings count ---


@pytest.mark.parametrize("jump", [-1_000_000, 5_000_000])
def test_a_reading_that_cannot_be_true_is_not_used(jump: int) -> None:
    bench, meter = metered()
    meter.jump = jump
    bench.wait(19)
    assert bench.notes().count("meter.refused") == 1
    meter.jump = 0
    bench.wait(MINUTE)
    assert registers(bench) == sorted(registers(bench)) and len(registers(bench)) == 6 + 6  # without the wrong one
    stop(bench)
    assert stopped(bench)["meterStop"] == bench.register_mwh[1] // 1000 and stopped(bench)["reason"] == "Local"
    assert "meter.register_break" not in bench.notes()


def test_a_register_never_runs_faster_than_the_slot_can() -> None:
    register, reading = Register(rated_mw(32_000, 3)), Reading
    assert register.take(reading(1_000_000), 0) == "used"
    hour = 3600 * SECOND
    assert (
        register.take(reading(1_000_000 + 26_490_000), hour) == "used"
    )  # 22.08 kW and a fifth; and half a minute of twice that
    assert register.take(reading(27_490_000 + 26_700_000), 2 * hour) == "refused"
    assert register.take(reading(27_490_000 - 1), 2 * hour) == "refused"
    assert register.take(reading(27_490_000), 2 * hour) == "used"
    assert register.last == reading(27_490_000)


def test_only_readings_that_agree_make_a_break() -> None:
    register = Register(rated_mw(32_000, 3))
    register.take(Reading(50_000_000), 0)
    verdicts = [register.take(Reading(wrong), n * SECOND) for n, wrong in enumerate((9, 3_000_000, 7, 900_000_000), 1)]
    assert verdicts == ["refused"] * 4
    verdicts = [register.take(Reading(1_000 + n), n * SECOND) for n in range(5, 8)]
    assert verdicts == ["refused", "refused", "break"]
    assert (register.before_mwh, register.last) == (50_000_000, Reading(1_007))


def test_it_begins_again_at_zero_only_where_it_is_said_to() -> None:
    wide, narrow = Register(rated_mw(32_000, 3)), Register(rated_mw(32_000, 3), 100_000_000)
    for register in (wide, narrow):
        register.take(Reading(99_999_000), 0)
    assert wide.take(Reading(3_000), 10 * SECOND) == "refused"
    assert narrow.take(Reading(3_000), 10 * SECOND) == "used"
    assert narrow.last == Reading(100_003_000)
    assert narrow.take(Reading(9_000), 20 * SECOND) == "used" and narrow.last == Reading(100_009_000)
    assert narrow.take(Reading(8_000), 30 * SECOND) == "refused"


def test_a_session_over_the_end_of_the_register() -> None:
    shape = StationShape(slots=(SlotShape(meter_width_mwh=10_000_000),))
    bench = CoreBench(shape=shape, settings=Settings(sample_interval_s=MINUTE, aligned_interval_s=0), answering=True)
    bench.register_mwh[1] = 9_900_000
    meter = Meter(bench)
    bench.connect()
    bench.charging()
    bench.wait(MINUTE / 2)
    meter.jump = -10_000_000
    bench.wait(10 * MINUTE)
    stop(bench)
    delivered = stopped(bench)["meterStop"] - bench.actions("StartTransaction")[0]["meterStart"]
    assert delivered == bench.register_mwh[1] // 1000 - 9900 > 1900
    assert "meter.refused" not in bench.notes()


# --- a register that breaks ---


@pytest.mark.parametrize("jump", [-150_000, 80_000_000])
def test_a_jump_that_persists_ends_the_session_with_the_last_good_value(jump: int) -> None:
    bench, meter = metered()
    good = bench.register_mwh[1]
    meter.jump = jump
    bench.wait(40)
    bench.pilot(Pilot.B)
    bench.answer_all()
    assert stopped(bench)["reason"] == "Other" and stopped(bench)["meterStop"] == good // 1000
    [broken] = [e for e in bench.effects if isinstance(e, Note) and e.code == "meter.register_break"]
    assert broken.values[0] == good and int(broken.values[1]) > good + jump
    assert "register-break.v1" in bench.events()
    assert registers(bench) == sorted(registers(bench))
    bench.unplug()
    bench.answer_all()
    bench.charging()  # the next one begins with the new register
    assert bench.actions("StartTransaction")[1]["meterStart"] == (bench.register_mwh[1] + jump) // 1000


def test_a_meter_that_was_exchanged_between_sessions_is_believed_after_three_readings() -> None:
    bench, meter = metered()
    stop(bench)
    bench.unplug()
    bench.wait(MINUTE)
    bench.register_mwh[1] = 17_000
    bench.charging()
    assert [start["meterStart"] for start in bench.actions("StartTransaction")] == [0, 17]
    assert "meter.first_missing" not in bench.notes()
    assert meter.asked >= 3


def test_a_meter_that_was_exchanged_while_the_power_was_off() -> None:
    bench = charging(sample_interval_s=10)
    bench.wait(130)
    good = bench.core.timekeeping.mark
    assert good is not None
    later = bench.restart(answering=True)
    later.register_mwh[1] = 3_000
    booted(later)
    assert stopped(later)["meterStop"] == good.registers[0][1] // 1000 > 300
    assert "meter.register_break" in later.notes()


# --- silence ---


def test_a_silent_meter_is_a_fault_after_half_a_minute_and_ends_the_session_after_five() -> None:
    bench, meter = metered()
    good = bench.register_mwh[1]
    meter.says = ""
    bench.wait(29)
    assert bench.statuses()[-1] == "Charging"
    bench.wait(1)
    bench.pilot(Pilot.B)
    bench.answer_all()
    last = bench.actions("StatusNotification")[-1]
    assert (last["status"], last["errorCode"]) == ("Faulted", "PowerMeterFailure")
    assert PermitPower(1, False) in bench.effects and bench.actions("StopTransaction") == []
    bench.wait(5 * MINUTE + 5)
    assert stopped(bench)["reason"] == "Other" and stopped(bench)["meterStop"] == good // 1000
    assert "meter.final_missing" in bench.notes()


@pytest.mark.parametrize("says", ["", "not a number"])
def test_one_that_speaks_again_in_time_goes_on(says: str) -> None:
    bench, meter = metered()
    meter.says = says
    bench.wait(31)
    bench.pilot(Pilot.B)
    bench.wait(2 * MINUTE)
    assert bench.statuses()[-1] == "Faulted"
    meter.says = None
    bench.wait(30)
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.wait(MINUTE)
    assert bench.statuses()[-1] == "Charging"
    stop(bench)
    assert stopped(bench)["meterStop"] == bench.register_mwh[1] // 1000


def test_a_meter_is_looked_at_however_rarely_samples_are_taken() -> None:
    bench, meter = metered(sample_interval_s=0)
    bench.wait(MINUTE)
    assert 2 <= meter.asked <= 4
    meter.says = ""
    bench.wait(31)
    bench.answer_all()
    assert bench.statuses()[-1] == "Faulted"


def test_no_power_without_a_first_reading() -> None:
    bench = CoreBench(answering=True)
    meter = Meter(bench)
    meter.says = "broken"
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.tap()
    bench.answer_all()
    bench.wait(3)
    assert meter.asked >= 3
    assert bench.actions("StartTransaction") == [] and not any(
        isinstance(e, PermitPower) and e.allowed for e in bench.effects
    )
    assert bench.statuses()[-1] == "Faulted"
    meter.says = None
    bench.wait(MINUTE)
    assert bench.statuses()[-1] != "Faulted"


# --- boundaries ---


def test_a_first_reading_that_fails_once_is_asked_for_again() -> None:
    bench = CoreBench(answering=True)
    meter = Meter(bench)
    bench.register_mwh[1] = 4_000
    bench.connect()
    bench.plug()
    bench.answer_all()
    meter.fails = 2
    bench.tap()
    bench.answer_all()
    assert bench.actions("StartTransaction")[0]["meterStart"] == 4
    assert "meter.first_missing" not in bench.notes()


@pytest.mark.parametrize("says", ["", "no answer"])
def test_without_a_final_reading_the_last_good_one_stands_marked(says: str) -> None:
    bench, meter = metered()
    good = bench.register_mwh[1]
    bench.wait(5)
    meter.says = says
    bench.tap(CARD)
    bench.pilot(Pilot.B)
    bench.wait(3)
    bench.answer_all()
    assert stopped(bench)["meterStop"] == good // 1000
    assert "meter.final_missing" in bench.notes()
    [ended] = [e for e in bench.effects if isinstance(e, Publish) and e.kind == "session-ended.v1"]
    assert b'"estimated":true' in bytes(ended.data)


def test_a_final_reading_is_taken_once_the_contactor_is_open() -> None:
    bench, meter = metered()
    bench.board = False
    bench.tap(CARD)
    bench.pilot(Pilot.B)
    asked = meter.asked
    bench.wait(0.5)
    assert meter.asked == asked
    bench.give(PowerReported(1, False))
    assert any(isinstance(e, ReadMeter) for e in bench.effects[-40:])


def test_a_sign_of_life_knows_the_register_of_a_session_that_nobody_has_taken_up_yet() -> None:
    bench = charging(sample_interval_s=10)
    bench.plug(2)
    bench.wait(3)
    bench.tap("04D4E5F6")
    bench.answer_all()
    bench.pilot(Pilot.C, 2)
    bench.answer_all()
    bench.wait(115)
    known = dict(bench.disk["alive"][""].registers)
    assert len(known) == 2
    for _ in range(2):  # in the first boot the other slot comes first, and leaves a sign of life
        bench = bench.restart(answering=True)
        Meter(bench).says = "still starting"
        booted(bench)
    bench.wait(400)
    assert {stop["transactionId"]: stop["meterStop"] for stop in bench.actions("StopTransaction")} == {
        number: register // 1000 for number, register in known.items()
    }


@pytest.mark.parametrize("silent_s", [0, 60, 400])
def test_what_a_cut_has_ended_waits_for_a_meter_that_boots_too(silent_s: int) -> None:
    bench = charging(sample_interval_s=10)
    bench.wait(115)
    known = bench.disk["alive"][""].registers[0][1]
    assert known // 1000 == registers(bench)[-1]  # the disk knows what was told
    later = bench.restart(answering=True)
    meter = Meter(later)
    meter.says = "still starting"
    booted(later)
    later.wait(silent_s)
    meter.says = None
    later.wait(5)
    at_last = bench.register_mwh[1] if silent_s < 300 else known
    assert stopped(later)["meterStop"] == at_last // 1000 and known < bench.register_mwh[1]
