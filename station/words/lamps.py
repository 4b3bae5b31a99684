"""What lamps show, as data: one light for each thing worth showing, and how a configuration file spells one.

Not here: which of them a lamp shows now (`leds/patterns.py`), drivers.
"""

from __future__ import annotations

import msgspec

from hal.units import Colour, Light, Pattern


class Lamps(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A station's lights (station.md §10), shared by a fleet."""

    available: Light = Light(Colour.GREEN)
    asking: Light = Light(Colour.WHITE, Pattern.BREATHE)  # a vehicle waits for a card, or a card for the CSMS
    authorized: Light = Light(Colour.BLUE)
    charging: Light = Light(Colour.BLUE)
    suspended: Light = Light(Colour.BLUE, Pattern.BREATHE)
    full: Light = Light(Colour.CYAN)
    finishing: Light = Light(Colour.WHITE)
    reserved: Light = Light(Colour.YELLOW)
    unavailable: Light = Light(Colour.ORANGE)
    fault: Light = Light(Colour.RED)
    refused: Light = Light(Colour.RED, Pattern.FLICKER)  # for a moment


def light(text: str) -> Light:
    """Such as "blue" or "blue breathe". Raises ValueError, whose text says what is allowed."""
    colour, _, pattern = text.strip().lower().partition(" ")
    try:
        return Light(Colour(colour), Pattern(pattern.strip() or Pattern.STEADY.value))
    except ValueError:
        colours, patterns = ", ".join(c.value for c in Colour), ", ".join(p.value for p in Pattern)
        raise ValueError(f"{text!r} is no light: a colour ({colours}), and perhaps a pattern ({patterns})") from None
