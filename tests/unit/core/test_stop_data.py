"""transactionData of StopTransaction: what is kept of a whole transaction, its first and last values, and how much of it (1.6 §4.8)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.signals import PowerReported
from hal.units import Pilot
from meter.sampling import fewer
from station.words.common import Measurand
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec
from tests.unit.core.test_transactions import booted

ENERGY = (Measurand.ENERGY_IMPORT,)
POWER = (Measurand.POWER_IMPORT,)
MINUTE = 60


def session(minutes: float, **settings: Any) -> CoreBench:
    """A whole session of so many minutes."""
    defaults = {"sample_interval_s": MINUTE, "aligned_interval_s": 0}
    bench = CoreBench(settings=Settings(**{**defaults, **settings}), answering=True)
    bench.connect()
    bench.charging()
    bench.wait(minutes * MINUTE)
    finish(bench)
    return bench


def finish(bench: CoreBench) -> None:
    bench.tap(CARD)
    bench.pilot(Pilot.B)
    bench.answer_all()


def data(bench: CoreBench) -> list[tuple[str, str, list[str]]]:
    """Context, time within the day, and measurands of each item of transactionData."""
    [stop] = bench.actions("StopTransaction")
    return [
        (one["sampledValue"][0]["context"], one["timestamp"][11:19], [v["measurand"] for v in one["sampledValue"]])
        for one in stop.get("transactionData", [])
    ]


@spec("1.6", "16-MV-11", "16-MV-14")
def test_samples_of_the_whole_transaction_between_its_first_and_last_value() -> None:
    bench = session(3.5, stop_sampled=ENERGY)
    energy = ["Energy.Active.Import.Register"]
    assert data(bench) == [
        ("Transaction.Begin", "00:00:03", energy),
        ("Sample.Periodic", "00:01:03", energy),
        ("Sample.Periodic", "00:02:03", energy),
        ("Sample.Periodic", "00:03:03", energy),
        ("Transaction.End", "00:03:33", energy),
    ]
    [stop], [start] = bench.actions("StopTransaction"), bench.actions("StartTransaction")
    values = [one["sampledValue"][0]["value"] for one in stop["transactionData"]]
    assert values[0] == str(start["meterStart"]) and values[-1] == str(stop["meterStop"])
    assert values == sorted(values, key=int)


@spec("1.6", "16-MV-12")
def test_clock_aligned_values_of_the_whole_transaction() -> None:
    bench = session(31, sample_interval_s=0, aligned_interval_s=900, stop_aligned=POWER)
    assert [row[:2] for row in data(bench)] == [
        ("Transaction.Begin", "00:00:03"),
        ("Sample.Clock", "00:15:00"),
        ("Sample.Clock", "00:30:00"),
        ("Transaction.End", "00:31:03"),
    ]
    assert data(bench)[1][2] == ["Power.Active.Import"] * 4  # the sum, and each phase


@spec("1.6", "16-MV-11", "16-MV-12")
def test_both_kinds_in_order_of_time_each_with_its_own_measurands() -> None:
    bench = session(31, sample_interval_s=600, aligned_interval_s=900, stop_sampled=ENERGY, stop_aligned=POWER)
    kept = [(context, what[0]) for context, _, what in data(bench)[1:-1]]
    periodic, clock = ("Sample.Periodic", "Energy.Active.Import.Register"), ("Sample.Clock", "Power.Active.Import")
    assert kept == [periodic, clock, periodic, clock, periodic]


@spec("1.6", "16-MV-13")
@pytest.mark.parametrize("set_late", [False, True])
def test_no_data_where_nothing_is_wanted(set_late: bool) -> None:
    bench = CoreBench(settings=Settings(stop_sampled=ENERGY if set_late else ()), answering=True)
    bench.connect()
    bench.charging()
    bench.wait(90)
    bench.call("ChangeConfiguration", {"key": "StopTxnSampledData", "value": ""})
    finish(bench)
    assert "transactionData" not in bench.actions("StopTransaction")[0]


@spec("1.6", "16-MV-14")
@pytest.mark.parametrize("interval_s", [0, 3600])
def test_first_and_last_value_are_there_however_short_it_was(interval_s: int) -> None:
    bench = session(0.5, sample_interval_s=interval_s, stop_sampled=(*ENERGY, *POWER))
    assert [row[:2] for row in data(bench)] == [("Transaction.Begin", "00:00:03"), ("Transaction.End", "00:00:33")]


@spec("1.6", "16-MV-14")
def test_and_however_late_they_were_asked_for() -> None:
    bench = CoreBench(settings=Settings(sample_interval_s=MINUTE, aligned_interval_s=0), answering=True)
    bench.register_mwh[1] = 5_000_000
    bench.connect()
    bench.charging()
    bench.wait(90)
    bench.call("ChangeConfiguration", {"key": "StopTxnSampledData", "value": "Energy.Active.Import.Register"})
    bench.wait(MINUTE)
    finish(bench)
    assert [row[0] for row in data(bench)] == ["Transaction.Begin", "Sample.Periodic", "Transaction.End"]
    first = bench.actions("StopTransaction")[0]["transactionData"][0]
    assert first["timestamp"] == bench.actions("StartTransaction")[0]["timestamp"]
    assert first["sampledValue"][0]["value"] == "5000"


@spec("1.6", "16-MV-15", "16-KEY-StopTransactionMaxMeterValues")
def test_of_too_many_values_the_first_and_the_last_stay() -> None:
    bench = session(200.5, stop_sampled=ENERGY, stop_values_max=20)
    told = bench.call("GetConfiguration", {"key": ["StopTransactionMaxMeterValues"]})
    [key] = bench.reply(told)["configurationKey"]
    assert key == {"key": "StopTransactionMaxMeterValues", "readonly": True, "value": "20"}
    kept = data(bench)
    assert 10 <= len(kept) <= 20
    assert kept[0][:2] == ("Transaction.Begin", "00:00:03") and kept[-1][:2] == ("Transaction.End", "03:20:33")
    times = [time for _, time, _ in kept]
    assert times == sorted(set(times))


def test_every_second_one_in_between_goes() -> None:
    assert fewer(tuple(range(10)), 10) == tuple(range(10))
    assert fewer(tuple(range(11)), 10) == (0, 2, 4, 6, 8, 10)
    assert fewer(tuple(range(1000)), 2) == (0, 999)
    assert fewer((1, 2, 3), 0) == (1, 3)


@spec("1.6", "16-MV-11", "16-TXQ-08")
def test_what_was_kept_survives_a_power_cut() -> None:
    settings = Settings(sample_interval_s=MINUTE, aligned_interval_s=0, stop_sampled=ENERGY)
    bench = CoreBench(settings=settings, answering=True)
    bench.connect()
    bench.charging()
    bench.wait(3.5 * MINUTE)
    later = bench.restart(settings=settings, answering=True)
    booted(later)
    assert [row[:2] for row in data(later)] == [
        ("Transaction.Begin", "00:00:03"),
        ("Sample.Periodic", "00:01:03"),
        ("Sample.Periodic", "00:02:03"),
        ("Sample.Periodic", "00:03:03"),
        ("Transaction.End", "00:03:33"),
    ]


def test_the_last_value_of_a_session_whose_meter_fell_silent_is_the_last_good_one() -> None:
    bench = CoreBench(
        settings=Settings(sample_interval_s=MINUTE, aligned_interval_s=0, stop_sampled=ENERGY), answering=True
    )
    bench.connect()
    bench.charging()
    bench.wait(70)
    bench.board = False
    bench.wait(10)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.give(PowerReported(1, False))
    bench.wait(3)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    values = [one["sampledValue"][0]["value"] for one in stop["transactionData"]]
    assert values[-1] == values[-2] == str(stop["meterStop"])
    assert data(bench)[-1][0] == "Transaction.End"
