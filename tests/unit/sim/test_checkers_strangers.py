"""A stranger's card ends nothing: the promise of `sim/checkers/strangers.py`, on a bench that plays the station."""

from __future__ import annotations

import pytest

from hal.actions import Offer, PermitPower, SetLock
from hal.signals import CardPresented, VehicleChanged
from hal.units import Pilot
from sim.checkers.strangers import Strangers
from station.core.effects import Wake
from tests.unit.sim.checker_bench import CARD, OTHER, Bench, broken, withdraw


def stranger(card: str = OTHER, group: str | None = None) -> tuple[Bench, Strangers]:
    """A session of CARD runs, and `card` is shown."""
    promise = Strangers()
    bench = Bench(promise)
    bench.online()
    bench.plug()
    bench.tap()
    info = {"status": "Accepted", **({"parentIdTag": "fleet"} if group else {})}
    bench.heard(bench.out("Authorize", {"idTag": CARD}), {"idTagInfo": info})
    bench.power()
    bench.wait(10)
    return bench, promise


def test_the_owners_card_ends_its_session() -> None:
    bench, promise = stranger()
    bench.give(CardPresented(CARD), *withdraw())
    assert not promise.armed


def test_a_strangers_card_ends_nothing() -> None:
    bench, promise = stranger()
    bench.give(CardPresented(OTHER))
    assert promise.armed == 1
    with broken(promise, "took power"):
        bench.give(CardPresented(OTHER), PermitPower(1, False))
    bench, promise = stranger()
    bench.give(CardPresented(OTHER))
    bench.wait(5, Offer(1, None))  # for another reason, in a step of its own
    bench, promise = stranger()
    with broken(promise, "took the offer"):
        bench.give(CardPresented(OTHER), Offer(1, None))


@pytest.mark.parametrize("group", ["fleet", "others", None])
def test_a_groups_card_ends_what_is_its_groups(group: str | None) -> None:
    bench, promise = stranger(group="fleet")
    bench.give(CardPresented(OTHER))
    info = {"status": "Accepted", **({"parentIdTag": group} if group else {})}
    number = bench.out("Authorize", {"idTag": OTHER})
    if group == "fleet":
        bench.heard(number, {"idTagInfo": info}, Offer(1, None))
    else:
        with broken(promise, "a stranger's"):
            bench.heard(number, {"idTagInfo": info}, Offer(1, None))


def test_a_strangers_card_opens_no_lock() -> None:
    bench, promise = stranger()
    bench.give(Wake(), *withdraw())
    bench.store(bench.persist(forgets=(("session", "s1"),)))
    with broken(promise, "opened the lock"):
        bench.give(CardPresented(OTHER), SetLock(1, False))
    bench.give(CardPresented(CARD), SetLock(1, False))


def test_an_owner_is_remembered_over_a_boot() -> None:
    bench, promise = stranger()
    bench.cut()
    bench.boot()
    bench.give(VehicleChanged(1, Pilot.B))
    with broken(promise, "opened the lock"):
        bench.give(CardPresented(OTHER), SetLock(1, False))


@pytest.mark.parametrize("opened", [True, False])
def test_a_plug_that_was_let_go_is_whose_the_lock_closes_for_next(opened: bool) -> None:
    """And who takes that back opens it, even before anything of it is on record; also where the lock stood open by itself."""
    bench, promise = stranger()
    bench.give(Wake(), *withdraw())
    bench.store(bench.persist(forgets=(("session", "s1"),)))
    if opened:
        bench.give(Wake(), SetLock(1, False))
    bench.give(CardPresented(OTHER), SetLock(1, True))
    bench.give(CardPresented(OTHER), SetLock(1, False))
    bench.power(card=OTHER, name="s2")
    with broken(promise, "opened the lock"):
        bench.give(CardPresented(CARD), SetLock(1, False))


def test_a_lock_that_closes_again_in_a_session_is_still_its_owners() -> None:
    bench, promise = stranger()
    bench.give(Wake(), SetLock(1, True))
    with broken(promise, "opened the lock"):
        bench.give(CardPresented(OTHER), SetLock(1, False))
