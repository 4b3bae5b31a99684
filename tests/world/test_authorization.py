"""Cards and plugs on a whole station: lock, disk and CSMS together."""

from __future__ import annotations

import pytest

from hal.units import LockState
from sim.world import World
from station.words.settings import Settings
from tests.spec import spec
from tests.world import stories

MATE = "04A1B2C4"
STRANGER = "04FFFF01"
INVALID = {"status": "Invalid", "parentIdTag": "Family"}


def open_lock(world: World) -> bool:
    return world.boards["CP1"].slot(1).lock is LockState.OPEN


def show(world: World, card: str) -> None:
    world.run(5)
    stories.tap(world, card)
    world.run(5)


@spec("1.6", "16-OFFA-04")
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("owner", [stories.CARD, MATE])
def test_a_card_refused_after_an_offline_start_holds_its_plug(owner: str, cut: bool) -> None:
    """Until it, or one of its group, is shown; over a power cut too."""
    world = World(7, settings=Settings(allow_offline_unknown=True))
    world.run(5)
    world.network(False)
    stories.plug(world)
    world.run(3)
    stories.tap(world)
    world.run(120)
    assert world.boards["CP1"].is_energised(1)
    world.csms.tokens[stories.CARD] = INVALID
    world.csms.tokens[MATE] = {"status": "Accepted", "parentIdTag": "family"}
    world.network(True)
    world.run(120)
    [transaction] = world.csms.transactions.values()
    assert (transaction.token, transaction.reason) == (stories.CARD, "DeAuthorized")
    assert not stories.unplug(world), "the lock holds the plug"
    if cut:
        world.cut_power(world.units["CP1"])
        world.run(120)
        assert not open_lock(world)
    show(world, STRANGER)
    assert not open_lock(world)
    show(world, owner)
    assert stories.unplug(world)
    world.run(60)
    stories.nothing_promised_is_lost(world)


@spec("1.6", "TC_018_1_CS")
def test_unlock_in_a_transaction() -> None:
    world = World(8)
    world.run(5)
    stories.plug(world)
    world.run(3)
    stories.tap(world)
    world.run(120)
    assert not open_lock(world)
    number = world.csms.call("CP1", "UnlockConnector", {"connectorId": 1})
    world.run(20)
    assert world.csms.answers[number] == [{"status": "Unlocked"}]
    assert open_lock(world) and stories.unplug(world)
    world.run(60)
    [transaction] = world.csms.transactions.values()
    assert transaction.reason == "UnlockCommand"
    stories.nothing_promised_is_lost(world)


def test_two_people_in_each_other_s_way() -> None:
    """Two cards, two cars, in any order: each transaction is on a card that was shown, and every plug comes out again."""
    world = World(9)
    world.run(5)
    for card in (stories.CARD, STRANGER):
        stories.tap(world, card)
    world.run(10)
    stories.plug(world, 2)
    world.run(5)
    stories.plug(world, 1)
    world.run(120)
    assert sorted((t.connector, t.token) for t in world.csms.transactions.values()) == [
        (1, STRANGER),
        (2, stories.CARD),
    ]
    for card in (stories.CARD, STRANGER):
        show(world, card)
    world.run(20)
    assert stories.unplug(world, 1) and stories.unplug(world, 2)
    world.run(60)
    stories.nothing_promised_is_lost(world)


def test_who_left_two_cars_shows_the_card_for_each() -> None:
    """A card opens one plug at a time; the second time within two seconds is no new read, so its owner comes again."""
    world = World(10, settings=Settings(unlock_on_ev_disconnect=False, authorize_remote=False))
    world.run(5)
    for slot in (1, 2):
        stories.plug(world, slot)
        world.run(3)
        world.csms.call("CP1", "RemoteStartTransaction", {"idTag": stories.CARD, "connectorId": slot})
        world.run(120)
    for slot in (1, 2):
        assert world.boards["CP1"].drive_off(slot)
    world.run(60)
    assert set(world.disks["CP1"].durable("CP1")["kept"]) == {"1", "2"}
    world.settle()
    assert world.at_rest()
    assert all(slot.lock is LockState.OPEN and not slot.cable for slot in world.boards["CP1"].slots)
