"""What a plan has broken, and when: a promise about healthy hardware is not judged where the hardware was not.

Not here: what is wrong with a network or a CSMS; promises judge those by what came through.
"""

from __future__ import annotations

from hal.units import SECOND, MonoNs, SlotId
from sim import plan
from sim.checkers.view import View


def broken(view: View, kind: type[plan.Fault], slot: SlotId = 0, since_ns: MonoNs = 0, how: str = "") -> bool:
    """Whether the plan had a fault of this kind at the station (and slot, where given) at some time since then."""
    number = int(view.id.removeprefix("CP")) - 1
    until_s, since_s = view.now_ns / SECOND, since_ns / SECOND
    for fault in view.world.plan.faults:
        if type(fault) is not kind or fault.station != number or fault.at_s > until_s:
            continue
        if slot and getattr(fault, "slot", slot) != slot:
            continue
        if how and getattr(fault, "how", "") != how:
            continue
        end_s = fault.at_s + fault.for_s if fault.for_s else view.world.plan.for_s
        if end_s >= since_s:
            return True
    return False
