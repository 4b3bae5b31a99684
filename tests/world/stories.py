"""Stories for the small world, and what must be true at their end. Read only ground truth: the meters, the CSMS's books, the disk."""

from __future__ import annotations

from hal.units import LockState
from sim.profiles import PROFILES
from sim.vehicle import Vehicle
from sim.world import World

CARD = "04A1B2C3"
CAR = "zoe-r110"


def car(soc_permille: int = 400) -> Vehicle:
    return Vehicle(PROFILES[CAR], soc_permille)


def plug(world: World, slot: int = 1, station: str = "CP1", soc_permille: int = 400) -> None:
    assert world.boards[station].plug(slot, car(soc_permille))


def tap(world: World, card: str = CARD, station: str = "CP1") -> None:
    world.boards[station].present(card)


def unplug(world: World, slot: int = 1, station: str = "CP1") -> bool:
    return world.boards[station].unplug(slot)


def short_session(world: World) -> None:
    """Plug, tap, charge for two and a half minutes, tap, leave. Who finds the station dark taps again when it is back."""
    world.run(5)
    plug(world)
    world.run(3)
    tap(world)
    world.run(20)
    core = world.units["CP1"].core
    if core is None or core.slots[0].session is None:
        world.run(60)
        tap(world)
    world.run(130)
    core = world.units["CP1"].core
    if core is None:
        world.run(60)
    if world.boards["CP1"].is_energised(1):
        tap(world)
    world.run(60)
    for _ in range(5):
        if unplug(world):
            break
        world.run(60)
    world.run(120)


def nothing_promised_is_lost(world: World, station: str = "CP1") -> None:
    """Every started transaction is ended once, all energy is billed once, nothing waits, both ends agree."""
    core = world.units[station].core
    assert core is not None
    mine = [t for t in world.csms.transactions.values() if t.station == station]
    assert all(t.meter_stop is not None for t in mine), [t for t in mine if t.meter_stop is None]
    for slot in world.boards[station].slots:
        register = world.boards[station].true_energy_mwh(slot.number) // 1000
        billed = sum((t.meter_stop or 0) - t.meter_start for t in mine if t.connector == slot.number)
        assert billed == register, f"slot {slot.number}: billed {billed} Wh, metered {register} Wh"
        assert not slot.closed
        assert slot.lock is LockState.OPEN
    assert not core.connection.outbox.records
    for number, slot_state in enumerate(core.slots, 1):
        assert world.csms.status[station, number].lower() == slot_state.status.value.replace("_", "")
    assert core.image() == {k: v for k, v in world.disks.load(station).items() if v}
    assert world.bugs == 0
