"""What a lamp shows for a state: data with a default, and the order of who may overrule whom (station.md §10). Pure.

The highest wins: safety fault, transient signal, workflow command, state pattern. Not here: drivers, or timers.
"""

from __future__ import annotations

from typing import Final

from hal.units import Colour, Light, Pattern
from station.words.common import SlotStatus

OFF: Final = Light(Colour.OFF)
FAULT: Final = Light(Colour.RED)
REFUSED: Final = Light(Colour.RED, Pattern.FLICKER)
THANKS: Final = Light(Colour.WHITE, Pattern.FLICKER)
ASKING: Final = Light(Colour.WHITE, Pattern.BREATHE)
FULL: Final = Light(Colour.GREEN, Pattern.BREATHE)
TRANSIENT_MS: Final = 3000

BY_STATUS: Final[dict[SlotStatus, Light]] = {
    SlotStatus.AVAILABLE: Light(Colour.GREEN),
    SlotStatus.PREPARING: Light(Colour.BLUE, Pattern.BREATHE),
    SlotStatus.CHARGING: Light(Colour.BLUE),
    SlotStatus.SUSPENDED_EV: Light(Colour.BLUE, Pattern.BREATHE),
    SlotStatus.SUSPENDED_EVSE: Light(Colour.BLUE, Pattern.BREATHE),
    SlotStatus.FINISHING: Light(Colour.WHITE),
    SlotStatus.RESERVED: Light(Colour.YELLOW),
    SlotStatus.UNAVAILABLE: Light(Colour.ORANGE),
    SlotStatus.FAULTED: FAULT,
}


def slot_light(status: SlotStatus, full: bool, asking: bool, transient: Light | None) -> Light:
    """The light of one slot."""
    if status is SlotStatus.FAULTED:
        return FAULT
    if transient is not None:
        return transient
    if asking:
        return ASKING
    return FULL if full else BY_STATUS[status]


def main_light(usable: bool, asking: bool, transient: Light | None) -> Light:
    """The station's own lamp: red only when no slot is usable or the station itself is at fault."""
    if not usable:
        return FAULT
    if transient is not None:
        return transient
    return ASKING if asking else BY_STATUS[SlotStatus.AVAILABLE]
