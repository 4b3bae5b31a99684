"""All promises together, over whole stations: silent and armed in healthy runs, and each mutant found by the promise that speaks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.checkers import Broken
from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.plan import (
    Acknowledge,
    AnyAction,
    AnyFault,
    BoardFault,
    Cards,
    ClockFault,
    Command,
    ContactorFault,
    CsmsFault,
    NetworkFault,
    Operate,
    Plan,
    Plug,
    PowerCut,
    PressStop,
    ProgramFault,
    ReleaseStop,
    Shape,
    Tap,
    Unplug,
    VehicleFault,
)
from sim.world import World
from station.core.blocks.authorization import Authorization
from station.core.blocks.events import Events
from station.core.blocks.lights import Lights
from station.core.blocks.locks import Locks
from station.core.blocks.power import Power

CARD, OTHER = "04A1B2C3", "04D4E5F6"
VISIT: tuple[AnyAction, ...] = (Plug(at_s=10), Tap(at_s=20, card=CARD), Tap(at_s=600, card=CARD), Unplug(at_s=630))
INOPERATIVE = Command(at_s=700, action="ChangeAvailability", payload={"connectorId": 2, "type": "Inoperative"})


def play(*actions: AnyAction, faults: tuple[AnyFault, ...] = (), **settings: str) -> dict[str, int]:
    """How often each promise was armed by this plan. Raises Broken."""
    checkers = every()
    plan = Plan(for_s=1200, shape=Shape(settings=settings), actions=actions, faults=faults)
    World(1, plan, checkers=checkers, csms=Oracle(), keep=False, effects=False).play()
    return {checker.name: checker.armed for checker in checkers}


def test_promises_have_names_of_their_own() -> None:
    names = [checker.name for checker in every()]
    assert all(names) and len(set(names)) == len(names) >= 50
    assert not any(checker.armed for checker in every())


def test_a_visit_arms_most_promises_and_breaks_none() -> None:
    armed = play(*VISIT)
    never = {name for name, count in armed.items() if not count}
    assert never == {
        "a pending authorisation expires",
        "a plug takes the authorisation meant for it",
        "a cut comes first and at once",
        "a refused card gets no more than its grace",
        "over-current is cut after ten seconds",
        "a weld is told and latched",
        "the supply is never exceeded",
        "a stranger's card ends nothing",
        "no power in safe mode",
        "out of operation survives a reboot",
        "what was accepted is on the disk",
        "every copy is the same",
        "a retry keeps its time-stamp",
        "attempts count only while connected",
        "nothing is dropped before its time",
        "calls of the CSMS come first",
        "every call of the CSMS is answered once, in order",
        "every Ask is answered once",
        "a faulted slot shows red",
        *(
            f"OCPP {rule}"
            for rule in (
                *("retry-bytes", "asked-again", "told-twice", "boot-interval", "start-denied", "transaction-data"),
                *("answer-known", "answer-once", "answer-due", "answer-status", "answer-refused", "error-code"),
            )
        ),
    }


@pytest.mark.parametrize(
    ("promise", "actions", "faults", "settings"),
    [
        ("a pending authorisation expires", (Tap(at_s=5, card=CARD), Plug(at_s=30)), (), {}),
        (
            "a plug takes the authorisation meant for it",
            (Tap(at_s=5, card=CARD), Tap(at_s=9, card=OTHER), Plug(at_s=30)),
            (),
            {},
        ),
        ("a cut comes first and at once", (*VISIT, PressStop(at_s=300), ReleaseStop(at_s=400)), (), {}),
        ("a cut comes first and at once", VISIT, (BoardFault(at_s=300, for_s=20),), {}),
        (
            "a refused card gets no more than its grace",
            (*VISIT[:2], Cards(at_s=0, card=CARD, status="Blocked")),
            (NetworkFault(at_s=1, for_s=100, how="reset"), NetworkFault(at_s=1, for_s=100)),
            {"allow_offline_unknown": "true"},
        ),
        (
            "over-current is cut after ten seconds",
            VISIT,
            (VehicleFault(at_s=100, for_s=300, how="overdraws", over_a=4),),
            {"sample_interval_s": "10"},
        ),
        ("a weld is told and latched", VISIT, (ContactorFault(at_s=100, for_s=600),), {}),
        (
            "the supply is never exceeded",
            (*VISIT, Plug(at_s=90, slot=2), Tap(at_s=99, card=OTHER), Unplug(at_s=900, slot=2)),
            (),
            {},
        ),
        ("a stranger's card ends nothing", (*VISIT, Tap(at_s=300, card=OTHER)), (), {}),
        ("out of operation survives a reboot", (INOPERATIVE,), (PowerCut(at_s=800, for_s=20),), {}),
        ("what was accepted is on the disk", (INOPERATIVE,), (), {}),
        ("every copy is the same", VISIT, (NetworkFault(at_s=20.3, for_s=200, how="half_open"),), {}),
        ("calls of the CSMS come first", (INOPERATIVE,), (), {}),
        ("a faulted slot shows red", (), (BoardFault(at_s=100, for_s=30),), {}),
        ("every Ask is answered once", (Operate(at_s=100, what="unlock"),), (), {}),
        ("no power in safe mode", VISIT, (ProgramFault(at_s=100, times=3),), {}),
        ("OCPP boot-interval", (), (CsmsFault(at_s=0, for_s=900, how="rejected"),), {}),
        ("time-stamps are right once the clock is trusted", VISIT, (ClockFault(at_s=100, by_s=-600),), {}),
    ],
)
def test_a_story_that_arms_it(
    promise: str, actions: tuple[AnyAction, ...], faults: tuple[AnyFault, ...], settings: dict[str, str]
) -> None:
    assert play(*actions, Acknowledge(at_s=1100), faults=faults, **settings)[promise] > 0


def test_the_same_run_is_judged_alike() -> None:
    faults = (NetworkFault(at_s=100, for_s=60, how="reset"), PowerCut(at_s=300, for_s=30))
    assert play(*VISIT, faults=faults) == play(*VISIT, faults=faults)


# --- deliberately broken stations ---


def nothing(*args: Any, **kwargs: Any) -> None:
    """What a block no longer does."""


def unlock_at_once(self: Locks, slot: Any) -> bool:
    self._move(slot, False)
    return True


def never_repeated(self: Authorization, uid: str) -> bool:
    return False


def raises(self: Lights, *args: Any) -> None:
    raise RuntimeError("a lamp fell down")


LATE_PLUG = (Tap(at_s=5, card=CARD), Plug(at_s=100))


@pytest.mark.parametrize(
    ("block", "method", "mutant", "promise", "actions", "faults"),
    [
        (Power, "cut", nothing, "a cut comes first and at once", (*VISIT, PressStop(at_s=300)), ()),
        (Power, "vehicle_had_its_time", nothing, "an orderly stop takes three seconds at most", VISIT, ()),
        (
            Locks,
            "unlock",
            unlock_at_once,
            "no unlock under a closed contactor",
            VISIT,
            (ContactorFault(at_s=100, for_s=600),),
        ),
        (Power, "still_closed", nothing, "a weld is told and latched", VISIT, (ContactorFault(at_s=100, for_s=600),)),
        (
            Authorization,
            "_repeated",
            never_repeated,
            "a card read is one event",
            (*VISIT, Tap(at_s=601, card=CARD)),
            (),
        ),
        (Authorization, "connection_timeout", nothing, "a pending authorisation expires", LATE_PLUG, ()),
        (Events, "_publish", nothing, "an event arrives, under one id", VISIT, ()),
        (Lights, "refresh", raises, "nothing raises", VISIT, ()),
    ],
)
def test_a_broken_station_is_found_by_the_promise_that_speaks_of_it(
    monkeypatch: pytest.MonkeyPatch,
    block: type[Any],
    method: str,
    mutant: Callable[..., Any],
    promise: str,
    actions: tuple[AnyAction, ...],
    faults: tuple[AnyFault, ...],
) -> None:
    monkeypatch.setattr(block, method, mutant)
    with pytest.raises(Broken) as caught:
        play(*actions, faults=faults)
    assert caught.value.promise == promise
