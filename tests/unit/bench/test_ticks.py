"""Timers in ticks: never early, in order, one timer of the loop at a time."""

from __future__ import annotations

import pytest

from bench import load
from bench.ticks import TickHeap, Timers, ticks
from tests.unit.bench.builders import VirtualLoop


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, 0), (0.05, 1), (0.050_001, 2), (0.04, 1), (10, 200), (0.1 + 0.2, 6)]
)
def test_time_is_rounded_up_to_ticks(seconds: float, expected: int) -> None:
    assert ticks(seconds) == expected


def test_the_heap_runs_what_is_due_in_order_and_also_what_is_put_meanwhile() -> None:
    heap, seen = TickHeap(), list[str]()
    heap.put(3, lambda tick: seen.append("later"))
    heap.put(2, lambda tick: seen.append("second"))
    heap.put(1, lambda tick: heap.put(2, lambda tick: seen.append("put meanwhile")))
    heap.put(2, lambda tick: seen.append("third"))
    heap.run_due(2)
    assert seen == ["second", "third", "put meanwhile"]
    assert heap.next_tick == 3


def test_calls_of_one_tick_share_one_timer_of_the_loop() -> None:
    loop, seen = VirtualLoop(), list[int]()
    timers = Timers(loop)
    for _ in range(100):
        timers.at(4, seen.append)
    loop.run_until(1.0)
    assert seen == [4] * 100
    assert loop.fired == 1


def test_an_earlier_call_is_not_kept_waiting_by_a_later_one() -> None:
    loop, seen = VirtualLoop(), list[tuple[int, float]]()
    timers = Timers(loop)
    for tick in (9, 2, 5):
        timers.at(tick, lambda tick: seen.append((tick, round(loop.time(), 3))))
    loop.run_until(1.0)
    assert seen == [(2, 0.1), (5, 0.25), (9, 0.45)]


def test_what_repeats_does_not_drift_when_the_loop_is_late() -> None:
    loop, seen = VirtualLoop(), list[int]()
    timers = Timers(loop)

    def again(tick: int) -> None:
        seen.append(tick)
        timers.at(tick + 200, again)

    timers.at(200, again)
    loop.run_until(60.1, late_s=0.03)
    assert seen == [200, 400, 600, 800, 1000, 1200]


def test_a_loop_that_was_held_up_does_all_that_is_overdue_at_once() -> None:
    loop, seen = VirtualLoop(), list[int]()
    timers = Timers(loop)
    for tick in range(1, 11):
        timers.at(tick, seen.append)
    loop.run_until(2.0, late_s=20 * load.TICK_S)
    assert seen == list(range(1, 11))
    assert loop.fired == 1
