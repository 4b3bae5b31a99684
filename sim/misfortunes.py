"""Misfortunes that seldom come alone: combinations of faults, and of faults and people, that single draws would hardly ever make.

Each draws from a stream of its own, so that a new one moves none of the others. Not here: single faults, whole plans (`swarm.py`).
"""

from __future__ import annotations

from typing import Final, Literal

from sim import plan
from sim.rng import Stream

CARDS: Final = ("04A1B2C3", "04D4E5F6", "04FFEE11", "04BAD0BAD0")
CARS: Final = ("zoe-r110", "model-3-lr", "leaf-40", "kuga-phev", "e-up-32")


def how_long(s: Stream, most: int) -> float:
    """How long: mostly short, sometimes long."""
    return float(s.uniform(1, 30) if s.chance(50) else s.uniform(30, most))


def a_slot(s: Stream) -> int:
    return s.uniform(1, 2)


def any_time(s: Stream, for_s: float) -> float:
    return round(s.uniform(0, int(for_s * 10)) / 10, 1)


def near(s: Stream, actions: list[plan.AnyAction], for_s: float) -> float:
    """A moment shortly before or after something that people do: most of what can go wrong goes wrong there."""
    at = s.choice(actions).at_s + s.uniform(0, 400) / 10 - 10
    return round(min(max(at, 0.0), for_s), 1)


def refused_later(s: Stream, for_s: float) -> list[plan.AnyAction]:
    """Started from afar, and refused in the answer to StartTransaction: there is a grace to be drawn, then it waits."""
    at, slot = any_time(s, for_s / 2), a_slot(s)
    payload: dict[str, object] = {"idTag": CARDS[0], "connectorId": slot}
    return [
        plan.Cards(at_s=0.0, card=CARDS[0], status="Blocked"),
        plan.Plug(at_s=at, slot=slot, car=s.choice(CARS), soc_percent=20),
        plan.Command(at_s=at + s.uniform(1, 30), action="RemoteStartTransaction", payload=payload),
    ]


def unseen(s: Stream, faults: list[plan.AnyFault]) -> list[plan.AnyFault]:
    """What turned a lamp red goes while the lamps cannot be told."""
    return [
        plan.BoardFault(
            at_s=max(dark.at_s - 10, 0.0),
            for_s=10 + float(int(dark.for_s / 2)),
            station=dark.station,
            slot=a_slot(s),
            cause=s.choice(("temperature", "ground_fault")),
        )
        for dark in faults
        if isinstance(dark, plan.LightsFault) and s.chance(60)
    ]


def back_in_1970(s: Stream, faults: list[plan.AnyFault]) -> list[plan.AnyFault]:
    """A clock without a battery is not noticed before the supply has gone."""
    return [
        plan.PowerCut(at_s=round(flat.at_s + s.uniform(1, 600), 1), for_s=how_long(s, 120), station=flat.station)
        for flat in faults
        if isinstance(flat, plan.ClockFault) and flat.how == "1970" and s.chance(70)
    ]


def site_outage(s: Stream, at: float, station: int) -> list[plan.AnyFault]:
    """The supply of the whole site goes: the network comes back later than the station, whose clock may have no battery."""
    off_s, dark_s = float(s.uniform(1, 60)), s.uniform(10, 600)
    faults: list[plan.AnyFault] = [
        plan.PowerCut(at_s=at, for_s=off_s, station=station),
        plan.NetworkFault(at_s=at, for_s=off_s + dark_s, station=station),
    ]
    if s.chance(60):  # it comes back for a while only
        faults.append(plan.PowerCut(at_s=round(at + off_s + s.uniform(5, dark_s), 1), for_s=5.0, station=station))
    if s.chance(70):
        faults.append(plan.ClockFault(at_s=max(at - 1, 0.0), station=station, how="1970"))
    return faults


def rare(s: Stream, actions: list[plan.AnyAction], for_s: float, stations: int) -> list[plan.AnyFault]:
    """What hides everything else if it comes often: a program that falls over, and what is much like something else."""
    at, n = any_time(s, for_s), s.uniform(0, stations - 1)
    if s.chance(6):
        return [plan.ProgramFault(at_s=at, station=n, times=s.choice((1, 1, 2, 3, 4)))]
    if s.chance(5):  # from the first moment on
        how: Literal["pending", "rejected"] = s.choice(("pending", "rejected"))
        return [plan.CsmsFault(at_s=0.0, for_s=float(s.uniform(60, 1200)), station=n, how=how)]
    beside = near(s, actions, for_s)
    if s.chance(6):
        return [plan.ContactorFault(at_s=beside, for_s=how_long(s, 600), station=n, slot=a_slot(s), how="welded")]
    if s.chance(6):
        action = s.choice(("StartTransaction", "StopTransaction", "MeterValues"))
        refuses = plan.CsmsFault(at_s=beside, for_s=float(s.uniform(30, 300)), station=n, how="error", action=action)
        if at % 1 < 0.3:  # so late that nobody waits any more
            late_s = float(s.uniform(31, 45))
            return [refuses, plan.CsmsFault(at_s=beside, for_s=refuses.for_s, station=n, how="late", late_s=late_s)]
        return [refuses]
    if s.chance(4):
        return [plan.BoardFault(at_s=at, for_s=how_long(s, 300), station=n, slot=a_slot(s), cause="over_current")]
    if s.chance(4):  # the register cannot be asked when the supply is back
        silent = plan.MeterFault(at_s=beside, for_s=float(s.uniform(330, 900)), station=n, slot=a_slot(s), how="silent")
        return [silent, plan.PowerCut(at_s=round(beside + s.uniform(1, 20), 1), for_s=5.0, station=n)]
    if s.chance(4):
        by_s = s.uniform(0, 120) - 60
        return [plan.ClockFault(at_s=at, for_s=float(s.uniform(60, 3600)), station=n, how="drift", by_s=float(by_s))]
    return []


def in_the_act(s: Stream, actions: list[plan.AnyAction]) -> list[plan.AnyFault]:
    """Power has to go at once in the very seconds in which something else makes it come or go in order."""
    if not s.chance(20):
        return []
    act = s.choice(actions)
    at, n, slot = round(act.at_s + s.uniform(0, 40) / 10, 1), act.station, getattr(act, "slot", a_slot(s))
    if s.chance(50):
        how: Literal["E", "F", "diode"] = s.choice(("E", "F", "diode"))
        return [plan.PilotFault(at_s=at, for_s=how_long(s, 120), station=n, slot=slot, how=how)]
    return [plan.BoardFault(at_s=at, for_s=how_long(s, 120), station=n, slot=slot, cause="ground_fault")]


def with_a_key(s: Stream, faults: list[plan.AnyFault]) -> list[plan.AnyAction]:
    """Somebody says that it has been dealt with, whether it has or not."""
    return [
        plan.Acknowledge(
            at_s=round(fault.at_s + s.uniform(1, 900) / 10, 1), station=fault.station, slot=getattr(fault, "slot", 0)
        )
        for fault in faults
        if isinstance(fault, plan.BoardFault | plan.ContactorFault | plan.ProgramFault) and s.chance(15)
    ]


def fallen(s: Stream, actions: list[plan.AnyAction], faults: list[plan.AnyFault], for_s: float) -> None:
    """A card that was accepted, then refused, comes back when nobody can be asked: the last word counts."""
    if not s.chance(5):
        return
    at, slot, card = any_time(s, for_s / 3), a_slot(s), s.choice(CARDS)
    refused, dark = at + s.uniform(150, 300), at + s.uniform(350, 500)
    actions += [
        plan.Plug(at_s=at, slot=slot, car=s.choice(CARS), soc_percent=50),
        plan.Tap(at_s=at + 5, card=card),
        plan.Tap(at_s=at + 100, card=card),
        plan.Unplug(at_s=at + 130, slot=slot),
        plan.Cards(at_s=at + 140, card=card, status=s.choice(("Blocked", "Invalid", "Expired"))),
        plan.Tap(at_s=refused, card=card),
        plan.Plug(at_s=dark + 5, slot=slot, car=s.choice(CARS), soc_percent=50),
        plan.Tap(at_s=dark + 10, card=card),
    ]
    faults += [
        plan.NetworkFault(at_s=dark, how="refuse", for_s=float(s.uniform(60, 600))),
        plan.NetworkFault(at_s=dark + 0.1, how="reset"),
    ]


def operator(s: Stream, for_s: float, stations: int) -> list[plan.AnyAction]:
    """Somebody at the station itself, with a card that nobody else has."""
    if not s.chance(10):
        return []
    at, slot, n = any_time(s, for_s * 0.8), a_slot(s), s.uniform(0, stations - 1)
    start = plan.Operate(at_s=at, station=n, slot=slot, what="start")
    what: Literal["stop", "unlock", "reset"] = s.choice(("stop", "stop", "unlock", "reset"))
    actions: list[plan.AnyAction] = [plan.Operate(at_s=at + s.uniform(1, 1200), station=n, slot=slot, what=what)]
    if s.chance(80):
        actions.append(start)
    if s.chance(60):
        plug = plan.Plug(at_s=at + s.uniform(0, 50), station=n, slot=slot, car=s.choice(CARS), soc_percent=50)
        actions.append(plug)
    return actions


def slow_csms(s: Stream, for_s: float) -> plan.AnyFault:
    """A CSMS that takes its time all along, or says another time than it is for a while."""
    if s.chance(30):
        return plan.CsmsFault(at_s=any_time(s, for_s), for_s=float(s.uniform(300, 1200)), how="wrong_time")
    return plan.CsmsFault(at_s=0.0, for_s=for_s, how="late", late_s=float(s.uniform(1, 25)))
