"""How each fault of a plan begins and ends in a world. What they may do and what must still hold is told in `plan.py`.

Only faults that can happen, within real bounds. Not here: when (the plan), whether the station copes (`checkers/`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from hal.units import SECOND, Cause, MonoNs
from sim import plan
from sim.board import ReaderFault as ReaderMode
from sim.meter import MeterFault as MeterState
from sim.meter import MeterFaultKind
from sim.slot import ContactorFault as ContactorMode
from sim.slot import LockFault as LockMode
from sim.slot import PilotFault as PilotMode

if TYPE_CHECKING:
    from sim.world import World
    from station.shell.runner import Unit

SPIKE_MWH: Final = 50_000_000
BACK_MWH: Final = 1_500_000
WRAP_LEFT_MWH: Final = 400_000
WRAP_MWH: Final = 100_000_000_000  # eight digits of watt-hours
UNDER_MV: Final = 180_000
OVER_MV: Final = 270_000
MAINS: Final = ("under_voltage", "over_voltage")
MOMENTS: Final = (
    "clock.step",
    "clock.1970",
    "program",
    "power_cut",
    "network.reset",
    "meter.rollover",
)  # have no duration


def way(fault: plan.AnyFault) -> str:
    """Its kind and how, such as `meter.nan`; only its kind where there is but one way."""
    how = getattr(fault, "how", "") or getattr(fault, "cause", "")
    return f"{_tag(type(fault))}.{how}" if how else _tag(type(fault))


def ways() -> list[str]:
    """All that a plan may inject, in the order of `plan.AnyFault`."""
    found = []
    for kind in get_args(plan.AnyFault):
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
        hows = get_args(fields.get("how") or fields.get("cause"))
        found += [f"{_tag(kind)}.{how}" for how in hows] or [_tag(kind)]
    return found


def _tag(kind: type[plan.Fault]) -> str:
    return str(kind.__struct_config__.tag)


COMBINING: Final = (
    plan.CsmsFault,
    plan.ClockFault,
    plan.ProgramFault,
    plan.PowerCut,
)  # any number at once, even of the same


def begin(world: World, fault: plan.AnyFault) -> bool:
    """The fault begins now. False: nothing is there that it could befall; plans are shrunk and merged."""
    unit = world.unit_at(fault.station)
    if unit is None or not _has_slot(world, unit, fault):
        return False
    if BEGIN[type(fault)](world, unit, fault) is False:
        return False
    world.standing.append(fault)
    return True


def end(world: World, fault: plan.AnyFault) -> None:
    """The fault ends now; harmless when it does not stand. Of two that befall the same thing the later one has its way, and when it
    ends, the other one goes on until its own end."""
    if fault not in world.standing:
        return
    place, unit = place_of(fault), world.unit_at(fault.station)
    same = [other for other in world.standing if place_of(other) == place]
    world.standing.remove(fault)
    assert unit is not None
    rest = [] if isinstance(fault, COMBINING) else same[:-1]
    if not rest or getattr(rest[-1], "how", "") == "rollover":  # which has come to pass
        END[type(fault)](world, unit, fault)
    elif same[-1] == fault:
        BEGIN[type(fault)](world, unit, rest[-1])


def place_of(fault: plan.AnyFault) -> tuple[object, ...]:
    """What it befalls: two of the same place exclude each other there."""
    match fault:
        case plan.BoardFault(cause=cause):
            part: object = "mains" if cause in MAINS else (fault.slot, cause)
        case plan.NetworkFault(how=how) | plan.DiskFault(how=how):
            part = how
        case plan.ReaderFault(how=how):
            part = how == "stuck"  # a card that lies there, whatever the reader does
        case _ if isinstance(fault, COMBINING):
            part = fault
        case _:
            part = getattr(fault, "slot", 0)
    return type(fault), fault.station, part


def _has_slot(world: World, unit: Unit, fault: plan.AnyFault) -> bool:
    slot = getattr(fault, "slot", 1)
    return 1 <= slot <= len(world.boards[unit.id].slots)


def _reader(world: World, unit: Unit, fault: plan.ReaderFault) -> None:
    if fault.how == "stuck":  # a card lies on the reader: it is read again and again
        for second in range(int(min(fault.for_s, 60))):
            world.later(second, world.boards[unit.id].present, world.plan.shape.cards[0])
        return
    world.boards[unit.id].set_reader_fault(ReaderMode(fault.how))


def _lock(world: World, unit: Unit, fault: plan.LockFault) -> bool:
    slot = world.boards[unit.id].slot(fault.slot)
    if slot.shape.has_lock:
        slot.lock_fault = LockMode(fault.how)
    return slot.shape.has_lock


def _meter(world: World, unit: Unit, fault: plan.MeterFault) -> None:
    amount = {"spike": SPIKE_MWH, "backwards": BACK_MWH, "rollover": WRAP_LEFT_MWH}.get(fault.how, 0)
    meter = world.boards[unit.id].slot(fault.slot).meter
    if fault.how == "rollover":
        meter.wrap_mwh = meter.wrap_mwh or WRAP_MWH
    meter.set_fault(MeterState(MeterFaultKind(fault.how), amount), world.clock.now().mono_ns)


def _reader_over(world: World, unit: Unit, fault: plan.ReaderFault) -> None:
    if fault.how != "stuck":
        world.boards[unit.id].set_reader_fault(None)


def _board(world: World, unit: Unit, fault: plan.BoardFault) -> None:
    board = world.boards[unit.id]
    if fault.cause in MAINS:
        board.set_mains(UNDER_MV if fault.cause == "under_voltage" else OVER_MV)
    cause = Cause(fault.cause)
    board.raise_fault(0 if cause is Cause.READER else fault.slot, cause)


def _board_over(world: World, unit: Unit, fault: plan.BoardFault) -> None:
    board = world.boards[unit.id]
    if fault.cause in MAINS:
        board.set_mains(230_000)
    cause = Cause(fault.cause)
    board.clear_fault(0 if cause is Cause.READER else fault.slot, cause)


def _vehicle(world: World, unit: Unit, fault: plan.VehicleFault) -> bool:
    vehicle = world.boards[unit.id].slot(fault.slot).vehicle
    if vehicle is not None:
        vehicle.misbehave(
            overdraw_ma=fault.over_a * 1000 if fault.how == "overdraws" else 0, stalled=fault.how == "stalls"
        )
    return vehicle is not None


def _vehicle_over(world: World, unit: Unit, fault: plan.VehicleFault) -> None:
    vehicle = world.boards[unit.id].slot(fault.slot).vehicle
    if vehicle is not None:
        vehicle.misbehave()


def _disk(world: World, unit: Unit, fault: plan.DiskFault) -> None:
    _spoil(world, unit, fault, int((fault.at_s + fault.for_s) * SECOND))


def _disk_over(world: World, unit: Unit, fault: plan.DiskFault) -> None:
    _spoil(world, unit, fault, world.clock.mono_ns)


def _spoil(world: World, unit: Unit, fault: plan.DiskFault, until_ns: MonoNs) -> None:
    disk = world.disks[unit.id]
    match fault.how:
        case "slow":
            disk.slow(until_ns, fault.latency_ms)
        case "full":
            disk.full(until_ns)
        case "failing":
            disk.fail(until_ns)


def _program(world: World, unit: Unit, fault: plan.ProgramFault) -> None:
    world.fall(unit, fault.times)


def _power(world: World, unit: Unit, fault: plan.PowerCut) -> None:
    world.arm_cut(unit, fault)


def _nothing(world: World, unit: Unit, fault: Any) -> None:
    """Ends by itself."""


BEGIN: Final[dict[type[plan.Fault], Callable[[World, Unit, Any], bool | None]]] = {  # False: it has not begun
    plan.ReaderFault: _reader,
    plan.LockFault: _lock,
    plan.ContactorFault: lambda w, u, f: w.boards[u.id].set_contactor_fault(f.slot, ContactorMode(f.how)),
    plan.MeterFault: _meter,
    plan.LightsFault: lambda w, u, f: w.boards[u.id].set_lights_dead(True),
    plan.PilotFault: lambda w, u, f: w.boards[u.id].set_pilot_fault(f.slot, PilotMode(f.how)),
    plan.BoardFault: _board,
    plan.VehicleFault: _vehicle,
    plan.ClockFault: lambda w, u, f: w.os_clocks.begin(u, f),
    plan.DiskFault: _disk,
    plan.ProgramFault: _program,
    plan.PowerCut: _power,
    plan.NetworkFault: lambda w, u, f: w.networks[u.id].begin(f.how, f.latency_ms),
    plan.CsmsFault: lambda w, u, f: w.csms.misbehave(u.id, f),
}

END: Final[dict[type[plan.Fault], Callable[[World, Unit, Any], None]]] = {
    plan.ReaderFault: _reader_over,
    plan.LockFault: lambda w, u, f: setattr(w.boards[u.id].slot(f.slot), "lock_fault", None),
    plan.ContactorFault: lambda w, u, f: w.boards[u.id].set_contactor_fault(f.slot, None),
    plan.MeterFault: lambda w, u, f: w.boards[u.id].slot(f.slot).meter.set_fault(None, w.clock.now().mono_ns),
    plan.LightsFault: lambda w, u, f: w.boards[u.id].set_lights_dead(False),
    plan.PilotFault: lambda w, u, f: w.boards[u.id].set_pilot_fault(f.slot, None),
    plan.BoardFault: _board_over,
    plan.VehicleFault: _vehicle_over,
    plan.ClockFault: lambda w, u, f: w.os_clocks.end(u, f),
    plan.DiskFault: _disk_over,
    plan.ProgramFault: _nothing,
    plan.PowerCut: _nothing,
    plan.NetworkFault: lambda w, u, f: w.networks[u.id].end(f.how),
    plan.CsmsFault: lambda w, u, f: w.csms.behave(u.id, f),
}
