"""Which light a lamp shows: the order of who may overrule whom, and what a state looks like (station.md §10). Pure.

The lights themselves are data (`station/words/lamps.py`). Not here: drivers, timers.
"""

from __future__ import annotations

from typing import Final

from hal.units import Colour, Light
from station.words.common import SlotStatus
from station.words.lamps import Lamps

OFF: Final = Light(Colour.OFF)
REFUSED: Final = Lamps().refused  # unless the configuration says otherwise
BLINK_MS: Final = 500  # of a signal that flickers

# status -> the name of its light in Lamps; Preparing and the like also depend on whether somebody is authorised
BY_STATUS: Final[dict[SlotStatus, str]] = {
    SlotStatus.AVAILABLE: "available",
    SlotStatus.PREPARING: "asking",
    SlotStatus.CHARGING: "charging",
    SlotStatus.SUSPENDED_EV: "suspended",
    SlotStatus.SUSPENDED_EVSE: "suspended",
    SlotStatus.FINISHING: "finishing",
    SlotStatus.RESERVED: "reserved",
    SlotStatus.UNAVAILABLE: "unavailable",
    SlotStatus.FAULTED: "fault",
}
_BEFORE_POWER: Final = (SlotStatus.AVAILABLE, SlotStatus.PREPARING, SlotStatus.UNAVAILABLE)


def highest(fault: Light | None, transient: Light | None, commanded: Light | None, state: Light) -> Light:
    """A safety fault, which nobody overrides; a signal that falls back by itself; a workflow's command; the state."""
    return fault or transient or commanded or state


def slot_light(
    lamps: Lamps, status: SlotStatus, authorized: bool, full: bool, transient: Light | None, commanded: Light | None
) -> Light:
    """The light of one slot. `authorized`: somebody is, with a vehicle here or about to plug one in."""
    name = "full" if full else BY_STATUS[status]
    if authorized and status in _BEFORE_POWER:
        name = "authorized"
    state: Light = getattr(lamps, name)
    return highest(lamps.fault if status is SlotStatus.FAULTED else None, transient, commanded, state)


def main_light(
    lamps: Lamps, usable: bool, asking: bool, authorized: bool, transient: Light | None, commanded: Light | None
) -> Light:
    """The station's own lamp: red only when no slot is usable or the station itself is at fault.

    `asking`: the CSMS is being asked about a card; `authorized`: an accepted card waits for a plug.
    """
    state = lamps.asking if asking else lamps.authorized if authorized else lamps.available
    return highest(None if usable else lamps.fault, transient, commanded, state)
