"""Without connection for a long time, and then back: the whole station in virtual time, under all promises where they are affordable."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hal.units import SECOND
from ocpp_client.dialects.values import read_moment
from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.plan import ClockFault, Plan, Shape
from sim.world import World
from station.words.common import Measurand
from station.words.settings import Settings
from tests.spec import spec
from tests.world import stories

MINUTE = 60
HOUR = 3600
DAY = 86_400


def told(world: World, *actions: str) -> list[dict[str, Any]]:
    """The payloads that were sent, in order."""
    return [frame[3] for frame in sent(world) if frame[2] in actions]


def sent(world: World) -> list[list[Any]]:
    """The calls of the stations, in order."""
    texts = (line.what[2:] for line in world.trace.lines if line.lane == "link" and line.what.startswith("> [2,"))
    return [msgspec.json.decode(text) for text in texts]


def judged(**settings: Any) -> World:
    """A world in which every promise is looked after."""
    plan = Plan(shape=Shape(stations=("two-sockets-22kw",)))
    return World(7, plan, settings=Settings(**settings), csms=Oracle(7), checkers=every())


def charge(world: World, slot: int = 1, card: str = stories.CARD) -> None:
    stories.plug(world, slot, soc_permille=100)
    world.run(3)
    stories.tap(world, card)
    world.run(20)


@spec("1.6", "16-TXQ-01", "16-TXQ-02", "16-TXQ-03")
@pytest.mark.parametrize("days", [0.5, pytest.param(7, marks=pytest.mark.slow)])
def test_a_week_of_values_every_ten_seconds_and_then_the_connection_is_back(days: float) -> None:
    """A card is answered within two seconds while the queue drains; all of it arrives in order, once in effect."""
    sampled = (Measurand.ENERGY_IMPORT,)
    world = World(1, settings=Settings(sample_interval_s=10, sampled=sampled), effects=False)
    world.run(5)
    charge(world)
    world.run(40)
    before = world.csms.transactions[1].values
    core = world.units["CP1"].core
    assert core is not None
    world.network(False)
    world.run(days * DAY)
    waiting = core.connection.outbox.waiting
    assert waiting == len(world.disks["CP1"].durable("CP1")["outbox"]) > days * 8640
    world.network(True)
    while not core.connection.online:
        world.run(1)
    stories.plug(world, 2)
    world.run(5)
    stories.tap(world, "04FFEE11")
    world.run(2)
    assert core.slots[1].session is not None and core.connection.outbox.waiting > waiting / 2
    world.run(waiting * 0.05 + HOUR)
    assert core.connection.outbox.waiting == 0 and not world.disks["CP1"].durable("CP1").get("outbox")
    values = [one for one in told(world, "MeterValues") if one.get("transactionId") == 1]
    at = [one["meterValue"][0]["timestamp"] for one in values]
    assert at == sorted(at) and len(set(at)) == len(at) == world.csms.transactions[1].values > before + waiting - 10
    registers = [int(one["meterValue"][0]["sampledValue"][0]["value"]) for one in values]
    assert registers == sorted(registers)
    assert world.bugs == 0


@spec("1.6", "16-TXQ-08", "TC_036_CS")
def test_an_offline_hour_with_a_power_cut_in_it_loses_and_doubles_nothing() -> None:
    world = judged(sample_interval_s=10, after_restart="resume", allow_offline_unknown=True)
    world.run(5)
    charge(world)
    world.network(False)
    world.run(20 * MINUTE)
    world.cut_power(world.units["CP1"])
    world.run(40 * MINUTE)
    world.network(True)
    world.run(10 * MINUTE)
    stories.tap(world)
    world.run(MINUTE)
    world.heal()
    world.settle()
    assert [one.meter_stop is not None for one in world.csms.transactions.values()] == [True]
    assert len(told(world, "StartTransaction")) == len(told(world, "StopTransaction")) == 1


@spec("1.6", "TC_039_CS", "16-TXQ-09")
def test_a_boot_in_1970_without_connection_and_then_the_time() -> None:
    world = judged(allow_offline_unknown=True, sample_interval_s=MINUTE)
    world.run(MINUTE)
    unit = world.units["CP1"]
    world.network(False)
    world.os_clocks.begin(unit, ClockFault(at_s=0, how="1970"))
    world.cut_power(unit)
    world.run(10 * MINUTE)
    began_ms = world.true_utc_ms
    charge(world)
    world.run(HOUR)
    stories.tap(world)
    ended_ms = world.true_utc_ms
    world.run(MINUTE)
    assert stories.unplug(world)
    world.run(HOUR)
    world.network(True)
    world.run(10 * MINUTE)
    [start], [stop] = told(world, "StartTransaction"), told(world, "StopTransaction")
    assert abs(utc_ms(start["timestamp"]) - began_ms) < 3_000 + 2_000  # the card comes three seconds after the plug
    assert abs(utc_ms(stop["timestamp"]) - ended_ms) < 2_000 + 3_000  # the car has three seconds to let go
    assert len(told(world, "MeterValues")) >= 60
    world.heal()
    world.settle()


def utc_ms(text: str) -> int:
    at = read_moment(text)
    assert at is not None
    return at


@spec("1.6", "16-TXQ-04", "16-TXQ-07")
def test_a_csms_that_is_silent_for_an_hour_gets_everything_in_the_end() -> None:
    world = World(3, settings=Settings(sample_interval_s=MINUTE, transaction_attempts=1000, transaction_retry_s=5))
    world.run(5)
    world.csms.silent = {"StartTransaction"}
    charge(world)
    world.run(HOUR)
    assert world.csms.transactions == {}
    assert not [one for one in told(world, "MeterValues", "StopTransaction") if "transactionId" in one]
    world.csms.silent = set()
    world.run(10 * MINUTE)
    stories.tap(world)
    world.run(MINUTE)
    assert stories.unplug(world)
    world.run(10 * MINUTE)
    stories.nothing_promised_is_lost(world)
    starts = [frame[1] for frame in sent(world) if frame[2] == "StartTransaction"]
    assert len(starts) > 10 and len(set(starts)) == 1
    assert len(world.csms.transactions) == 1
    assert world.csms.transactions[1].values >= 60


def test_a_card_is_served_while_the_csms_takes_seconds_for_everything() -> None:
    world = World(4, settings=Settings(sample_interval_s=10))
    world.run(5)
    charge(world)
    world.network(False)
    world.run(HOUR)
    world.network(True)
    world.networks["CP1"].latency_ns = SECOND // 2
    core = world.units["CP1"].core
    assert core is not None
    while not core.connection.online:
        world.run(1)
    world.run(20)
    stories.plug(world, 2)
    world.run(3)
    stories.tap(world, "04FFEE11")
    world.run(2.5)  # one answer for what is out, one for the card
    assert core.slots[1].session is not None and core.connection.outbox.waiting > 200
