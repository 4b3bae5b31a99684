"""Pings of a whole station over a network that swallows everything (OCPP-J 1.6 §5.4; WebSocketPingInterval)."""

from __future__ import annotations

import pytest

from sim.world import World
from tests.spec import spec


def connected(interval_s: int | None) -> World:
    """`interval_s` is set over OCPP while the link is open."""
    world = World(21)
    world.run(5)
    if interval_s is not None:
        number = world.csms.call(
            "CP1", "ChangeConfiguration", {"key": "WebSocketPingInterval", "value": str(interval_s)}
        )
        world.run(1)
        assert world.csms.answers[number] == [{"status": "Accepted"}]
    return world


def lost_after(world: World, seconds: float) -> bool:
    """Whether the station finds out, within so many seconds, that nothing arrives any more."""
    world.networks["CP1"].begin("half_open", 0)
    before = len([note for note in world.trace.notes if note.code == "link.down"])
    world.run(seconds)
    return len([note for note in world.trace.notes if note.code == "link.down"]) > before


@spec("1.6", "J-39", "16-KEY-WebSocketPingInterval")
@pytest.mark.parametrize(("interval_s", "lost"), [(None, False), (5, True), (45, False)])
def test_a_shorter_interval_finds_a_dead_network_sooner(interval_s: int | None, lost: bool) -> None:
    assert lost_after(connected(interval_s), 40) is lost


@spec("1.6", "J-40")
def test_without_pings_nothing_is_found() -> None:
    assert not lost_after(connected(0), 280)


@spec("1.6", "J-39")
def test_after_a_missing_pong_the_station_dials_again() -> None:
    world = connected(5)
    assert lost_after(world, 40)
    world.networks["CP1"].end("half_open")
    world.run(120)
    core = world.units["CP1"].core
    assert core is not None and core.connection.online


@spec("1.6", "J-39")
def test_the_interval_holds_for_the_next_connection_and_after_a_restart() -> None:
    world = connected(5)
    world.network(False)
    world.network(True)
    world.run(60)
    world.csms.call("CP1", "Reset", {"type": "Hard"})
    world.run(60)
    assert lost_after(world, 40)
