"""A plan (`sim/plan.py`) played by virtual stations in real time: people's actions, and the faults that can happen outside a world.

What cannot is refused before anything begins, with a sentence for each.
Not here: files (`plan_file.py`), what is seen of it (`expect_live.py`), plans in virtual time (`world.py`, `runs.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, assert_never

import msgspec

from sim import commands as cmd
from sim import plan
from sim.commands import Answer
from sim.executor import Executor
from sim.live import Live, why_not_live
from sim.plan_check import Checking
from sim.plan_file import Place, Source


def not_live(wanted: plan.Plan) -> list[tuple[Place, str]]:
    """What of it cannot happen outside a world: where it stands, and the reason."""
    wrong: list[tuple[Place, str]] = []
    for list_, items in (("actions", wanted.actions), ("faults", wanted.faults)):
        wrong += [((list_, number), why) for number, item in enumerate(items) if (why := _why_not(item))]
    if len(set(wanted.shape.stations)) > 1:
        wrong.append((("shape", "stations"), "in one run all stations are of one template"))
    return wrong


def check(source: Source, stations: int, slots: int) -> plan.Plan:
    """The plan, if so many stations with so many slots each can play it in real time. Raises BadPlan, before anything begins."""
    draft = source.draft
    if draft is not None:
        Checking(draft, source.add, [slots] * stations).all()
        for place, why in not_live(draft):
            source.add(place, why)
    if source.plan is None:
        raise source.bad()
    return source.plan


def _why_not(item: plan.AnyAction | plan.AnyFault | None) -> str:
    """None: it could not be read."""
    if isinstance(item, plan.Fault):
        return why_not_live(item)
    if isinstance(item, plan.Command | plan.Cards):
        return "the CSMS is yours: what it sends and which cards it knows are not ours to say"
    return ""


def beside(wanted: plan.Plan, ids: Sequence[str]) -> str:
    """A sentence where some of these stations have no part in the plan, else nothing."""
    told = {one.station for one in (*wanted.actions, *wanted.faults, *wanted.expect) if hasattr(one, "station")}
    playing = [identity for number, identity in enumerate(ids) if number in told]
    others = len(ids) - len(playing)
    if not others:
        return ""
    names = f"{', '.join(playing[:5])}{', ...' if playing[5:] else ''}" if playing else "no charger"
    return f"the plan is about {names}; {others} of {len(ids)} chargers connect and do nothing else"


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
            return cmd.Tap(card=card, at_once=True, **at)
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
        case plan.Operate(what="start"):
            return cmd.Start(card=action.card, slot=action.slot, **at)
        case plan.Operate(what="stop"):
            return cmd.Stop(slot=action.slot, **at)
        case plan.Operate(what="unlock"):
            return cmd.Unlock(slot=action.slot, **at)
        case plan.Operate():
            return cmd.Reset(**at)
        case plan.Command() | plan.Cards():
            return None
        case _:
            assert_never(action)
