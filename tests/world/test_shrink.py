"""Shrinking: what remains is what it takes. The stations here are pure functions of a plan, so that it is quick and exact."""

from __future__ import annotations

from sim.plan import LockFault, NetworkFault, Plan, PowerCut, Shape, Tap, Unplug
from sim.shrink import shrink, size
from sim.swarm import draw


def test_only_what_it_takes_remains() -> None:
    plan = Plan(
        for_s=3000.0,
        actions=tuple(Tap(at_s=100.3 + 50 * n, card=f"04{n:02}") for n in range(12)),
        faults=(*(NetworkFault(at_s=200.0 + n, for_s=33.3) for n in range(5)), PowerCut(at_s=700.0, for_s=12.0)),
    )

    def fails(plan: Plan) -> bool:
        return any(isinstance(f, PowerCut) for f in plan.faults) and any(
            isinstance(a, Tap) and a.card == "0407" for a in plan.actions
        )

    small = shrink(plan, fails)
    assert size(small) == 2
    assert fails(small)
    assert small.for_s <= 900


def test_a_pair_that_needs_each_other_is_kept() -> None:
    plan = Plan(actions=tuple(Tap(at_s=float(n), card=str(n)) for n in range(20)))
    small = shrink(plan, lambda p: {"3", "17"} <= {a.card for a in p.actions if isinstance(a, Tap)})
    assert [a.card for a in small.actions if isinstance(a, Tap)] == ["3", "17"]


def test_one_of_two_stations_is_enough_and_becomes_the_first() -> None:
    shape = Shape(stations=("two-sockets-22kw", "tethered-11kw"), settings={"sample_interval_s": "10"})
    plan = Plan(shape=shape, actions=(Unplug(at_s=5.0, station=1), Tap(at_s=9.0, card="04", station=0)))
    small = shrink(plan, lambda p: any(isinstance(a, Unplug) and a.at_s <= 9 for a in p.actions))
    assert small.shape == Shape(stations=("tethered-11kw",))
    assert [a.station for a in small.actions] == [0]


def test_it_begins_sooner_and_at_round_times() -> None:
    plan = Plan(for_s=3600.0, faults=(LockFault(at_s=2817.3, for_s=41.7, how="jam"),))
    [fault] = shrink(plan, lambda p: any(isinstance(f, LockFault) and f.for_s > 30 for f in p.faults)).faults
    assert fault.at_s < 120
    assert fault.at_s % 10 == 0
    assert fault.for_s == 40


def test_what_fails_always_shrinks_to_nothing() -> None:
    assert size(shrink(draw(1), lambda _: True)) == 0


def test_tries_are_bounded() -> None:
    tries = 0

    def fails(_: Plan) -> bool:
        nonlocal tries
        tries += 1
        return False

    plan = draw(1)
    assert shrink(plan, fails, most_tries=30) == plan
    assert tries == 30
