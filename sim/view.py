"""How a virtual station stands, as data: link, queue, slots, sessions, faults, and why there is no power. A look costs nothing but itself.

From both sides: what the station believes, and what the hardware really does. Not here: how it is shown.
"""

from __future__ import annotations

import msgspec

from hal.clock import Due, Now
from hal.units import SECOND, MilliWh, MonoNs, SlotId, UtcMs
from sim.board import SimBoard
from sim.live import Live
from statemachine.claims import why_off
from statemachine.faults import Fault, Power
from statemachine.slot import Slot
from station.core.core import StationCore


class CarView(msgspec.Struct, frozen=True, kw_only=True):
    """A car at a slot. `pilot`: its state as IEC 61851 names it; `power_w` is what it really draws."""

    name: str
    soc_percent: int
    pilot: str
    power_w: int


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session that runs, since `started_ms` (UTC). `energy_wh` by the latest reading, `drawn_wh` as it has really flowed until now."""

    id: str
    card: str
    energy_wh: int
    drawn_wh: int
    started_ms: UtcMs
    seconds: int


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """One slot. `why`: why there is no power, in words; `offered_a`: what the pilot says; `lamp`: `blue breathe`; `cable`: one is in it.

    `limited_by`: why no more is offered: slot, cable, heat, supply (others need some of it), car (it takes no more); or nothing is.
    """

    slot: SlotId
    status: str
    summary: str
    why: str
    occupied: bool
    cable: bool
    lock: str
    power_on: bool
    offered_a: float | None
    limited_by: str
    register_wh: int
    lamp: str
    car: CarView | None
    session: SessionView | None
    faults: tuple[str, ...]


class StationView(msgspec.Struct, frozen=True, kw_only=True):
    """One station. `state`: running, restarting (or stopped by a bug), dark (no mains), to come. `queue`: what waits for the CSMS."""

    id: str
    state: str
    link: bool
    online: bool
    queue: int
    next_attempt_s: int | None
    network: bool
    lamp: str
    faults: tuple[str, ...]
    slots: tuple[SlotView, ...]


def look(live: Live, identity: str) -> StationView:
    """How a station stands now. KeyError for one that is not there."""
    board, core = live.boards[identity], live.unit(identity).core
    connection = core.connection if core is not None else None
    return StationView(
        id=identity,
        state=_state(live, identity),
        link=connection is not None and connection.up,
        online=connection is not None and connection.online,
        queue=len(connection.outbox.records) if connection is not None else 0,
        next_attempt_s=next_attempt_s(core, live.host.clock.mono_ns()),
        network=live.networks[identity].there,
        lamp=_lamp(board, 0) if identity not in live.dark else "off",
        faults=tuple(map(_in_words, core.faults.station)) if core is not None else (),
        slots=tuple(_slot(board, core, slot) for slot in core.slots) if core is not None else (),
    )


def to_come(identity: str) -> StationView:
    """A station that has not been started yet."""
    return StationView(
        id=identity,
        state="to come",
        link=False,
        online=False,
        queue=0,
        next_attempt_s=None,
        network=True,
        lamp="off",
        faults=(),
        slots=(),
    )


def why(slot: Slot) -> str:
    """Why there is no power on a slot, in words, by what the station knows; a fault by its name."""
    standing = [fault for fault in slot.faults or () if fault.row.withholds]
    if standing:
        return f"power is off because of {', '.join(map(_in_words, standing))}"
    if slot.session is None:
        if not slot.operative:
            return "power is off because the slot is out of operation"
        missing = "nobody is authorised" if slot.plugged else "no vehicle is connected"
        return f"power is off because {missing}"
    return why_off(slot.holds) or ("" if slot.pilot.asks else "power is off because the vehicle does not ask for it")


def limited_by(core: StationCore, slot: Slot) -> str:
    """What keeps the offer from being higher: slot, cable, heat, supply, car; empty where nothing is offered."""
    if not slot.offered_ma:
        return ""
    shape_ma, cable_ma = slot.shape.max_current_ma, slot.cable_ma if slot.cable else None
    if any(fault.row.power is Power.DERATE for fault in slot.faults or ()):
        return "heat"
    if slot.offered_ma < min(shape_ma, cable_ma or shape_ma):
        need = (core.supply.needs or {}).get(slot.id)
        return "car" if need is not None and need.want_ma is not None else "supply"
    return "cable" if cable_ma is not None and cable_ma < shape_ma else "slot"


def next_attempt_s(core: StationCore | None, now_ns: MonoNs) -> int | None:
    """In how many seconds a station without connection dials again."""
    at_ns = core.deadlines.at(Due.CONNECT) if core is not None else None
    return None if at_ns is None else max(0, (at_ns - now_ns) // SECOND)


def _state(live: Live, identity: str) -> str:
    if identity in live.dark:
        return "dark"
    return "running" if live.unit(identity).core is not None else "restarting"


def _slot(board: SimBoard, core: StationCore, slot: Slot) -> SlotView:
    place = board.slot(slot.id)
    return SlotView(
        slot=slot.id,
        status=slot.status.value,
        summary=slot.summary.value,
        why="" if place.closed else why(slot),
        occupied=slot.occupied,
        cable=place.cable,
        lock=place.lock.value if slot.shape.has_lock else "none",
        power_on=place.closed,
        offered_a=place.offer_ma / 1000 if place.offer_ma is not None else None,
        limited_by=limited_by(core, slot),
        register_wh=board.true_energy_mwh(slot.id) // 1000,
        lamp=_lamp(board, slot.id),
        car=_car(board, slot.id),
        session=_session(core, slot, board.true_energy_mwh(slot.id), board.scheduler.now()),
        faults=tuple(map(_in_words, slot.faults or ())),
    )


def _car(board: SimBoard, number: SlotId) -> CarView | None:
    vehicle = board.slot(number).vehicle
    if vehicle is None:
        return None
    now_ns = board.scheduler.now().mono_ns
    return CarView(
        name=vehicle.profile.name,
        soc_percent=vehicle.soc_percent(now_ns),
        pilot=vehicle.pilot.value,
        power_w=board.true_power_mw(number) // 1000,
    )


def _session(core: StationCore, slot: Slot, register_mwh: MilliWh, now: Now) -> SessionView | None:
    session = slot.session
    if session is None:
        return None
    first, last = session.first_mwh or 0, session.last_mwh or session.first_mwh or 0
    if slot.meter.last is not None and session.first_mwh is not None:
        last = max(last, slot.meter.last.energy_mwh)
    started_ms = core.time.mended(session.started).utc_ms
    drawn_mwh = max(0, register_mwh - first) if session.first_mwh is not None else 0
    return SessionView(
        id=session.id,
        card=session.token.uid,
        energy_wh=(last - first) // 1000,
        drawn_wh=drawn_mwh // 1000,
        started_ms=started_ms,
        seconds=max(0, core.time.utc_ms(now) - started_ms) // 1000,
    )


def _lamp(board: SimBoard, number: SlotId) -> str:
    light = board.light(number)
    return f"{light.colour.value} {light.pattern.value}"


def _in_words(fault: Fault) -> str:
    words = fault.cause.value.replace("_", " ")
    return f"{words} ({fault.detail})" if fault.detail else words
