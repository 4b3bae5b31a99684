"""The command line becomes a plan."""

from __future__ import annotations

import pytest

from bench.cli import plan_of
from bench.row import ROWS


def test_the_default_is_the_definition() -> None:
    plan, json = plan_of([], [0, 1])
    assert plan.rows == list(ROWS)
    assert (plan.stations, plan.many_stations) == (2_000, 10_000)
    assert (plan.runs, plan.warm_up_s, plan.window_s) == (5, 30, 60)
    assert (plan.cpu, plan.memory, json) == (True, False, False)
    assert (plan.row_processor, plan.csms_processor) == (1, 0)


def test_quick_is_shorter_and_still_lets_itself_be_told() -> None:
    quick, _ = plan_of(["--quick"], [0])
    assert (quick.runs, quick.warm_up_s, quick.window_s) == (1, 5, 10)
    told, _ = plan_of(["--quick", "--runs", "3", "--window", "20", "--warm-up", "0"], [0])
    assert (told.runs, told.warm_up_s, told.window_s) == (3, 0, 20)


def test_rows_and_parts_can_be_chosen() -> None:
    plan, json = plan_of(["--rows", "bare,naive", "--memory", "--no-cpu", "--json"], [0, 1])
    assert (plan.rows, plan.cpu, plan.memory, json) == (["bare", "naive"], False, True, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rows", "bare,fast"],
        ["--rows", ""],
        ["--stations", "0"],
        ["--stations", "10000"],
        ["--no-cpu"],
        ["--runs", "0"],
        ["--window", "0"],
        ["--window", "-1"],
    ],
)
def test_nonsense_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        plan_of(arguments, [0])
    assert ended.value.code == 2
