"""How each action of a plan is done in a world: by people at the board, the operator at the station, or the CSMS.

What cannot be done now (no such slot, no connection) does nothing, as with people. Not here: when (the plan), buttons of stations in real
time (`executor.py`), faults (`faults.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from sim import plan
from sim.lines import said
from sim.profiles import PROFILES
from sim.vehicle import Vehicle
from station.words.commands import AnyCommand, Reset, StartSession, StopSession, UnlockSlot
from station.words.common import SessionId, Token, TokenKind
from station.words.records import SessionRecord

if TYPE_CHECKING:
    from sim.world import World
    from station.shell.runner import Unit


def act(world: World, action: plan.AnyAction) -> None:
    """Do it now."""
    unit = world.unit_at(action.station)
    if unit is None:
        return
    world.trace.add(unit.id, "plan", said(action))
    board = world.boards[unit.id]
    least = 0 if isinstance(action, plan.Acknowledge) else 1
    if not least <= getattr(action, "slot", least) <= len(board.slots):
        return
    match action:
        case plan.Tap():
            board.present(action.card)
        case plan.Plug():
            _plug(world, unit, action)
        case plan.Unplug():
            board.unplug(action.slot)
        case plan.DriveOff():
            board.drive_off(action.slot)
        case plan.PressStop():
            board.press_emergency_stop()
        case plan.ReleaseStop():
            board.release_emergency_stop()
        case plan.Acknowledge():
            board.acknowledge(action.slot)
        case plan.Operate():
            wanted = _wanted(world, unit, action)
            world.ask(unit, wanted, lambda outcome: world.trace.add(unit.id, "plan", str(outcome)))
        case plan.Command():
            _command(world, unit, action)
        case plan.Cards():
            info = {"status": action.status, **({"parentIdTag": action.group} if action.group else {})}
            world.csms.tokens[action.card] = info
        case _:
            assert_never(action)


def _plug(world: World, unit: Unit, action: plan.Plug) -> None:
    board = world.boards[unit.id]
    if board.slot(action.slot).vehicle is None and not board.slot(action.slot).cable:
        vehicle = Vehicle(PROFILES[action.car], action.soc_percent * 10)
        board.plug(action.slot, vehicle, action.rating_a * 1000)


def _wanted(world: World, unit: Unit, action: plan.Operate) -> AnyCommand:
    match action.what:
        case "start":
            return StartSession(Token(action.card, TokenKind.LOCAL), action.slot)
        case "stop":
            return StopSession(_session(world, unit, action.slot))
        case "unlock":
            return UnlockSlot(action.slot)
        case "reset":
            return Reset(hard=False)


def _session(world: World, unit: Unit, slot: int) -> SessionId | None:
    """The one that runs on this slot, as the disk knows it."""
    for key, row in world.disks[unit.id].durable(unit.id).get("session", {}).items():
        if isinstance(row, SessionRecord) and row.slot == slot and row.token is not None:
            return key
    return None


def _command(world: World, unit: Unit, action: plan.Command) -> None:
    if world.csms.pipe(unit.id) is not None:
        payload = {key: _filled(world, unit, value) for key, value in action.payload.items()}
        world.csms.call(unit.id, action.action, payload)


def _filled(world: World, unit: Unit, value: object) -> object:
    if isinstance(value, str) and value.startswith("{transaction:"):
        connector = int(value[13:-1])
        mine = [t for t in world.csms.transactions.values() if t.station == unit.id and t.connector == connector]
        return mine[-1].number if mine else 0
    return value
