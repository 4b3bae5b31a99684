"""Faults of the program itself and of its clock, the operator at the station, and owners who come for what is left, in a whole world."""

from __future__ import annotations

import pytest

from hal.units import Colour
from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.plan import (
    Acknowledge,
    AnyAction,
    AnyFault,
    ClockFault,
    Command,
    CsmsFault,
    MeterFault,
    Operate,
    Plan,
    Plug,
    PowerCut,
    ProgramFault,
    Shape,
    Tap,
)
from sim.runs import run
from sim.scheduler import START_UTC_MS
from sim.world import World

CARD = "04A1B2C3"
COMES: tuple[AnyAction, ...] = (Plug(at_s=10), Tap(at_s=20, card=CARD))


def world(*actions: AnyAction, faults: tuple[AnyFault, ...] = (), **settings: str) -> World:
    plan = Plan(for_s=1200, shape=Shape(settings=settings), actions=actions, faults=faults)
    return World(1, plan, checkers=every(), csms=Oracle())


def test_a_program_that_falls_over_is_started_again_and_ends_what_it_left() -> None:
    made = world(*COMES, faults=(ProgramFault(at_s=100),))
    made.play()
    [transaction] = made.csms.transactions.values()
    assert transaction.reason == "Reboot"
    assert len([d for d in made.csms.deliveries("CP1") if d.action == "BootNotification"]) == 2
    assert made.injected == {"program": 1}


@pytest.mark.parametrize(("times", "charges"), [(2, True), (3, False)])
def test_the_third_time_nobody_gets_power_until_somebody_has_looked(times: int, charges: bool) -> None:
    made = world(*COMES, Tap(at_s=500, card=CARD), Acknowledge(at_s=800), faults=(ProgramFault(at_s=100, times=times),))
    for action in made.plan.actions:
        made.later(action.at_s, made.act, action)
    made.later(100, made.fall, made.units["CP1"], times)
    made.run(700)
    assert made.boards["CP1"].is_energised(1) is charges
    assert (made.csms.believes("CP1", 0) == "Faulted") is not charges
    assert (made.boards["CP1"].light(0).colour is Colour.RED) is not charges
    made.run(200)
    assert made.csms.believes("CP1", 0) == "Available"


def test_the_operator_starts_and_ends_a_session_past_the_csms() -> None:
    start, stop = Operate(at_s=20, what="start"), Operate(at_s=600, what="stop")
    made = world(COMES[0], start, stop, Operate(at_s=700, what="unlock"), Operate(at_s=800, what="reset"))
    made.play()
    [transaction] = made.csms.transactions.values()
    assert (transaction.token, transaction.reason) == ("OPERATOR", "Remote")
    assert transaction.meter_stop > transaction.meter_start
    assert len([d for d in made.csms.deliveries("CP1") if d.action == "BootNotification"]) == 2


def test_a_clock_drifts_bit_by_bit() -> None:
    made = world()
    made.os_clocks.begin(made.units["CP1"], ClockFault(at_s=0, for_s=600, how="drift", by_s=60))
    off_ms = []
    for _ in range(12):
        made.run(60)
        off_ms.append(made.units["CP1"].now().os_utc_ms - made.true_utc_ms)
    assert off_ms == [*range(7_000, 61_000, 6_000), 60_000, 60_000, 60_000]


def test_each_station_has_a_clock_of_its_own() -> None:
    faults: tuple[AnyFault, ...] = (
        ClockFault(at_s=10, station=0, by_s=-600),
        ClockFault(at_s=10, station=1, how="1970"),
        PowerCut(at_s=20, station=1),
    )
    made = World(1, Plan(shape=Shape(stations=("tethered-11kw",) * 3), faults=faults, for_s=60))
    made.play()
    off_s = [(unit.now().os_utc_ms - made.true_utc_ms) // 1000 for unit in made.units.values()]
    assert off_s == [-600, -21 - START_UTC_MS // 1000, 0]


def test_a_register_that_rolls_over_breaks_the_session_and_no_promise() -> None:
    """It jumps to just before its end first, so that it is seen."""
    made = world(*COMES, faults=(MeterFault(at_s=300, for_s=3000, how="rollover"),), sample_interval_s="10")
    made.play()
    assert made.injected == {"meter.rollover": 1}
    [transaction] = made.csms.transactions.values()
    assert transaction.reason == "Other"
    assert made.boards["CP1"].slot(1).meter.wrap_mwh


def test_the_owner_ends_what_the_csms_does_not_know_and_the_car_does_not_end() -> None:
    """Its start became a dead letter: nobody can name it but the card."""
    payload = {"key": "StopTransactionOnEVSideDisconnect", "value": "false"}
    forget = Command(at_s=1000, action="ChangeConfiguration", payload=payload)
    refuses = CsmsFault(at_s=30, for_s=600, how="error", action="StartTransaction")
    comes = (COMES[0], Tap(at_s=40, card=CARD))
    outcome, _ = run(1, Plan(for_s=1200, actions=(*comes, forget), faults=(refuses,)))
    assert (outcome.promise, outcome.marks.get("outbox.dead_letter")) == ("", 1)
