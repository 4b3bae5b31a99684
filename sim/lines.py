"""Lines of a story: what people do, what befalls the world, what a board says. Only words; a `<` comes to the station, as with frames.

Not here: which lines are shown (`replay.py`, `expect_story.py`).
"""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from hal.signals import (
    AnySignal,
    BoardFault,
    BoardReady,
    CableChanged,
    CardPresented,
    FaultAcknowledged,
    LockReported,
    MeterFailed,
    MeterRead,
    PowerFailing,
    PowerReported,
    VehicleChanged,
)
from sim.plan import Action, Fault

_COMMON: Final = ("at_s", "for_s", "station")


def said(item: Action | Fault) -> str:
    """`plug slot 1 car zoe-r110`."""
    fields = ((name, getattr(item, name)) for name in item.__struct_fields__ if name not in _COMMON)
    parts = (f"{name} {value_text(value)}" for name, value in fields if value not in ("", None, {}))
    return " ".join((str(type(item).__struct_config__.tag), *parts))


def value_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def reported(signal: AnySignal) -> str:
    """What a board says."""
    match signal:
        case CardPresented(token):
            return f"< card {token}"
        case CableChanged(slot, present):
            return f"< slot {slot}: cable {'in' if present else 'out'}"
        case VehicleChanged(slot, pilot):
            return f"< slot {slot}: pilot {pilot.value}"
        case LockReported(slot, state):
            return f"< slot {slot}: lock {state.value}"
        case PowerReported(slot, closed):
            return f"< slot {slot}: contactor {'closed' if closed else 'open'}"
        case MeterRead(slot, _, reading):
            return f"< slot {slot}: register {reading.energy_mwh} mWh"
        case MeterFailed(slot, _, why):
            return f"< slot {slot}: no reading: {why}"
        case BoardFault(slot, cause, active):
            return f"< {f'slot {slot}' if slot else 'station'}: {cause.value} {'begins' if active else 'ends'}"
        case FaultAcknowledged(slot):
            return f"< {f'slot {slot}' if slot else 'station'}: acknowledged"
        case BoardReady():
            return "< the board is ready"
        case PowerFailing():
            return "< the supply fails"
        case _:
            assert_never(signal)
