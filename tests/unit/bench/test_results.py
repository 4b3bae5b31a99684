"""From snapshots to numbers."""

from __future__ import annotations

import pytest

from bench.desk import Books
from bench.results import Results, Snapshot, compare
from tests.unit.bench.builders import plan, results, window

STATIONS = 2_000
AT_START = Books(
    open=STATIONS,
    booted=STATIONS,
    sampling=STATIONS,
    meter_values=6_000,
    heartbeats=200,
    others=2_000,
    meter_values_bytes=6_000 * 900,
    cpu_s=1.0,
)


def later(**changes: object) -> Books:
    """The books a minute later, after exactly the load."""
    books = Books(
        open=STATIONS,
        booted=STATIONS,
        sampling=STATIONS,
        meter_values=18_000,
        heartbeats=600,
        others=2_000,
        meter_values_bytes=18_000 * 900,
        cpu_s=1.5,
    )
    for name, value in changes.items():
        setattr(books, name, value)
    return books


def test_cost_is_processor_time_by_answered_calls() -> None:
    found = compare(STATIONS, Snapshot(100, 5.0, 50.0, AT_START), Snapshot(160, 5.62, 53.62, later()))
    assert (found.messages, found.meter_values, found.heartbeats, found.others) == (12_400, 12_000, 400, 0)
    assert found.cpu_us == pytest.approx(50)
    assert found.csms_cpu_us == pytest.approx(0.5e6 / 12_400)
    assert found.frame_bytes == pytest.approx(900)
    assert found.foreign == pytest.approx(3.0 / 60)
    assert found.faults == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"meter_values": 17_000}, "11000 MeterValues in a window in which 12000 are due"),
        ({"meter_values": 19_000}, "13000 MeterValues in a window in which 12000 are due"),
        ({"lost": 1}, "1 connections lost"),
        ({"refused": 2, "complaint": "why"}, "2 frames refused, first: why"),
        ({"off_schema": 3}, "3 payloads against the JSON schema"),
        ({"off_load": 4}, "4 MeterValues that are not the load's"),
    ],
)
def test_a_window_without_the_whole_load_does_not_count(changes: dict[str, object], fault: str) -> None:
    found = compare(STATIONS, Snapshot(100, 5.0, 50.0, AT_START), Snapshot(160, 5.62, 53.62, later(**changes)))
    assert found.faults == [fault]


def test_a_dead_row_gives_a_fault_and_no_division_by_zero() -> None:
    found = compare(STATIONS, Snapshot(100, 5.0, 50.0, AT_START), Snapshot(160, 5.0, 50.0, AT_START))
    assert found.messages == 0
    assert found.faults


def test_runs_are_summed_up_by_their_median() -> None:
    found = Results(plan(), windows={"bare": [window(us) for us in (50, 40, 500, 45, 60)], "naive": [window(700)]})
    assert found.cpu_us("bare") == 50
    assert found.ratio("naive") == 14
    assert found.cpu_us("memory") is None
    assert found.ratio("memory") is None


def test_memory_is_a_base_and_a_slope() -> None:
    found = results(base_mib=41, slope_kib=11.5)
    assert found.slope_kib("memory") == pytest.approx(11.5, abs=0.01)
    assert found.base_mib("memory") == pytest.approx(41, abs=0.01)
    assert found.slope_kib("naive") is None
    assert found.base_mib("naive") is None


def test_one_point_is_no_slope() -> None:
    found = results()
    del found.memory["memory"][1]
    assert found.slope_kib("memory") is None
