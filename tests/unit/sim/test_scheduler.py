"""Virtual time runs calls in order and stands where it was told to stand."""

from __future__ import annotations

import pytest

from hal.clock import Now
from hal.units import SECOND
from sim.rng import Stream
from sim.scheduler import START_UTC_MS, VirtualScheduler


def test_calls_run_in_order_of_time_then_of_arrival() -> None:
    clock, ran = VirtualScheduler(), list[str]()
    for at, name in ((2, "c"), (1, "a"), (2, "d"), (1, "b")):
        clock.call_at(at * SECOND, ran.append, name)
    clock.run_until(5 * SECOND)
    assert ran == ["a", "b", "c", "d"]
    assert clock.now() == Now(5 * SECOND, START_UTC_MS + 5_000)


def test_a_call_sees_its_own_time_and_may_add_another() -> None:
    clock, seen = VirtualScheduler(), list[int]()

    def again(left: int) -> None:
        seen.append(clock.now().mono_ns // SECOND)
        if left:
            clock.call_at(clock.now().mono_ns + 3 * SECOND, again, left - 1)

    clock.call_at(SECOND, again, 2)
    clock.run_for(100)
    assert seen == [1, 4, 7]
    assert clock.pending == 0


def test_a_cancelled_call_does_not_run() -> None:
    clock, ran = VirtualScheduler(), list[str]()
    handle = clock.call_at(SECOND, ran.append, "no")
    clock.call_at(2 * SECOND, ran.append, "yes")
    clock.cancel(handle)
    clock.cancel(handle)
    assert clock.next_ns == 2 * SECOND
    clock.run_for(3)
    clock.cancel(handle)
    assert ran == ["yes"]


def test_the_past_means_now() -> None:
    clock, ran = VirtualScheduler(), list[int]()
    clock.run_for(10)
    clock.call_at(0, lambda: ran.append(clock.now().mono_ns))
    clock.post(ran.append, -1)
    clock.run_for(0)
    assert ran == [10 * SECOND, -1]


def test_ties_are_drawn_from_their_stream() -> None:
    def order(seed: int) -> str:
        clock, ran = VirtualScheduler(ties=Stream(seed, "ties")), list[str]()
        for name in "abcdefgh":
            clock.call_at(SECOND, ran.append, name)
        clock.run_for(1)
        return "".join(ran)

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == list("abcdefgh")


def test_nothing_to_do() -> None:
    clock = VirtualScheduler()
    assert clock.next_ns is None
    assert not clock.run_next()
    with pytest.raises(NotImplementedError):
        clock.add_reader(0, print)
