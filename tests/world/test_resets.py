"""Resets of a whole station: the CSMS asks, the program ends, another begins on the same disk and the same hardware (1.6 §5.14)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.world import World
from tests.spec import spec
from tests.world import stories


def calls(world: World, action: str) -> list[dict[str, Any]]:
    frames = [json.loads(frame) for frame in world.csms.frames]
    return [frame[3] for frame in frames if frame[0] == 2 and frame[2] == action]


def reset(world: World, kind: str) -> Any:
    number = world.csms.call("CP1", "Reset", {"type": kind})
    world.run(0.2)
    return world.csms.answers.get(number)


def charging(world: World) -> None:
    world.run(5)
    stories.plug(world)
    world.run(3)
    stories.tap(world)
    world.run(300)
    assert world.boards["CP1"].is_energised(1)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param("Soft", "SoftReset", marks=spec("1.6", "TC_016_CS")),
        pytest.param("Hard", "HardReset", marks=spec("1.6", "TC_015_CS")),
    ],
)
def test_in_a_transaction(kind: str, reason: str) -> None:
    world = World(11)
    charging(world)
    assert reset(world, kind) == [{"status": "Accepted"}]
    world.run(30)
    assert not world.boards["CP1"].is_energised(1)
    [transaction] = world.csms.transactions.values()
    assert transaction.reason == reason
    assert transaction.meter_stop == world.boards["CP1"].true_energy_mwh(1) // 1000
    assert len(calls(world, "BootNotification")) == 2
    stories.unplug(world)
    world.run(60)
    stories.nothing_promised_is_lost(world)


@pytest.mark.parametrize(
    "kind", [pytest.param("Soft", marks=spec("1.6", "TC_014_CS")), pytest.param("Hard", marks=spec("1.6", "TC_013_CS"))]
)
def test_of_an_idle_station(kind: str) -> None:
    world = World(12)
    world.run(5)
    told = len(calls(world, "StatusNotification"))
    assert reset(world, kind) == [{"status": "Accepted"}]
    world.run(30)
    assert len(calls(world, "BootNotification")) == 2
    assert len(calls(world, "StatusNotification")) == told + 3
    stories.short_session(world)
    stories.nothing_promised_is_lost(world)


@spec("1.6", "16-RESET-03")
def test_a_soft_reset_whose_stop_the_csms_does_not_take() -> None:
    world = World(13)
    charging(world)
    world.csms.silent.add("StopTransaction")
    assert reset(world, "Soft") == [{"status": "Accepted"}]
    world.run(60)
    [transaction] = world.csms.transactions.values()
    assert transaction.meter_stop is None
    world.csms.silent.clear()
    stories.unplug(world)
    world.run(300)
    assert transaction.reason == "SoftReset"
    stories.nothing_promised_is_lost(world)


def test_a_power_cut_within_a_reset_loses_nothing() -> None:
    """Before each effect of a hard reset in a transaction."""
    whole = World(14)
    charging(whole)
    first = whole.performed
    reset(whole, "Hard")
    whole.run(30)
    last = whole.performed
    assert last - first > 15
    for cut_at in range(first + 1, last + 1):
        world = World(14)
        world.cut_at = cut_at
        charging(world)
        reset(world, "Hard")
        world.run(120)
        stories.unplug(world)
        world.run(600)
        stories.nothing_promised_is_lost(world)
