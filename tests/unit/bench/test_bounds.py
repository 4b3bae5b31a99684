"""A bound that is broken is seen, and so is one that could not be measured."""

from __future__ import annotations

import pytest

from bench.bounds import passed, verdicts
from bench.results import Results
from tests.unit.bench.builders import plan, results, window


def test_all_bounds_hold_when_all_numbers_are_within() -> None:
    found = results()
    assert [verdict.held for verdict in verdicts(found)] == [True] * 4
    assert passed(found)


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        (results(memory_us=150.2, sqlite_us=160), "CPU a message at 2000 stations"),
        (results(memory_us=140, sqlite_us=160.1), "SQLite store over memory store"),
        (results(base_mib=60.1), "base"),
        (results(slope_kib=14.1), "slope"),
    ],
)
def test_each_bound_is_broken_alone(found: Results, broken: str) -> None:
    assert [verdict.name for verdict in verdicts(found) if not verdict.held] == [broken]
    assert not passed(found)


def test_what_lies_on_the_bound_holds() -> None:
    assert passed(results(memory_us=150, sqlite_us=170, base_mib=60, slope_kib=14))


def test_a_row_that_was_wanted_and_not_measured_holds_nothing() -> None:
    found = Results(plan(), failures={"memory": "does not exist"})
    assert not any(verdict.held for verdict in verdicts(found))
    assert not passed(found)


def test_a_row_that_was_not_wanted_is_not_judged() -> None:
    found = Results(plan(("bare", "naive")), windows={"bare": [window()], "naive": [window()]})
    assert verdicts(found) == []
    assert passed(found)


def test_only_what_was_measured_is_judged() -> None:
    assert [verdict.name for verdict in verdicts(results(plan(cpu=False)))] == ["base", "slope"]
    assert len(verdicts(results(plan(memory=False)))) == 2


def test_a_window_that_does_not_count_fails_the_bench() -> None:
    found = results()
    found.windows["memory"].append(window(140, ("3 connections lost",)))
    assert all(verdict.held for verdict in verdicts(found))
    assert not passed(found)
