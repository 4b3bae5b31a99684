"""A plan (`sim/plan.py`) played by virtual stations in real time: people's actions, and the faults that can happen outside a world.

What cannot is refused before anything begins, with a sentence for each. Not here: plans in virtual time (`world.py`, `runs.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never

import msgspec
import yaml

from sim import commands as cmd
from sim import plan
from sim.commands import Answer
from sim.executor import Executor
from sim.live import Live, why_not_live
from sim.profiles import PROFILES


class BadPlan(ValueError):
    """The file cannot be read, or asks for what cannot happen here. `str()` has a line for each mistake."""


def load(path: Path) -> plan.Plan:
    """Read a plan as JSON, or as YAML where the name ends so. Raises BadPlan."""
    try:
        data = path.read_bytes()
        if path.suffix in (".yaml", ".yml"):
            return msgspec.convert(yaml.safe_load(data), plan.Plan)
        return plan.from_json(data)
    except OSError as error:
        raise BadPlan(f"{path} cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, msgspec.ValidationError, yaml.YAMLError) as error:
        raise BadPlan(f"{path}: {str(error).replace('`', '')}") from None


def check(wanted: plan.Plan, stations: int, slots: int) -> None:
    """Raises BadPlan when so many stations with so many slots each cannot play it in real time."""
    wrong = [f"actions[{i}]: {why}" for i, a in enumerate(wanted.actions) if (why := _why_not(a, stations, slots))]
    wrong += [f"faults[{i}]: {why}" for i, f in enumerate(wanted.faults) if (why := _why_not(f, stations, slots))]
    if wrong:
        raise BadPlan("\n".join(wrong))


def _why_not(item: plan.AnyAction | plan.AnyFault, stations: int, slots: int) -> str:
    if item.station >= stations:
        return f"station {item.station} is not there; there are 0 to {stations - 1}"
    if getattr(item, "slot", 0) > slots:
        return f"slot {getattr(item, 'slot', 0)} is not there; each station has {slots}"
    if isinstance(item, plan.Fault):
        return why_not_live(item)
    if isinstance(item, plan.Plug) and item.car not in PROFILES:
        return f"there is no car {item.car!r}; there are {', '.join(PROFILES)}"
    if isinstance(item, plan.Command | plan.Cards):
        return "the CSMS is yours: what it sends and which cards it knows are not ours to say"
    return ""


def play(wanted: plan.Plan, live: Live, executor: Executor, told: Callable[[Answer], None]) -> asyncio.Event:
    """Begin now; the event is set when `for_s` is over and everything has been healed. `told` gets an answer for each thing done.

    What cannot be done at its time (a slot that is taken, say) does nothing, as with people.
    """
    over, running = asyncio.Event(), set[asyncio.Task[None]]()

    async def do(command: cmd.AnyCommand) -> None:
        told(await executor.do(command))

    def begin(command: cmd.AnyCommand) -> None:
        task = asyncio.create_task(do(command))
        running.add(task)
        task.add_done_callback(running.discard)

    def end() -> None:
        executor.heal()
        over.set()

    for action in wanted.actions:
        command = _command(action, live.ids[action.station])
        if command is not None:
            live.later(action.at_s, begin, command)
    for fault in wanted.faults:
        live.later(fault.at_s, begin, cmd.Raise(station=live.ids[fault.station], fault=_bounded(fault, wanted.for_s)))
    live.later(wanted.for_s, end)
    return over


def _bounded(fault: plan.AnyFault, end_s: float) -> plan.AnyFault:
    """In a plan 0 seconds are a moment; to a command they are "until it is cleared"."""
    return msgspec.structs.replace(fault, for_s=max(0.001, min(fault.for_s, end_s - fault.at_s)))


def _command(action: plan.AnyAction, station: str) -> cmd.AnyCommand | None:
    """The button for what somebody does."""
    at: dict[str, Any] = {"station": station}
    match action:
        case plan.Tap(card=card):
            return cmd.Tap(card=card, **at)
        case plan.Plug():
            return cmd.Plug(
                slot=action.slot, car=action.car, soc_percent=action.soc_percent, rating_a=action.rating_a, **at
            )
        case plan.Unplug(slot=slot):
            return cmd.Unplug(slot=slot, **at)
        case plan.DriveOff(slot=slot):
            return cmd.DriveOff(slot=slot, **at)
        case plan.PressStop():
            return cmd.PressStop(**at)
        case plan.ReleaseStop():
            return cmd.ReleaseStop(**at)
        case plan.Acknowledge(slot=slot):
            return cmd.Acknowledge(slot=slot, **at)
        case plan.Command() | plan.Cards():
            return None
        case _:
            assert_never(action)
