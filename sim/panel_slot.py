"""One slot of the live view, in two or three lines, and what a lamp looks like in a character. Not here: what is around it (`panel.py`)."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from sim.frames import iso
from sim.view import SlotView

WIDE: Final = 100  # columns from which messages stand beside what happened, and lamps are named
WIDER: Final = 132  # columns from which all of a slot has room in two lines
NARROW: Final = 72  # columns below which the least is said
STATUS: Final = {
    "available": "green",
    "preparing": "yellow",
    "charging": "bold blue",
    "suspended_ev": "cyan",
    "suspended_evse": "cyan",
    "finishing": "yellow",
    "reserved": "magenta",
    "unavailable": "dim",
    "faulted": "bold red",
}
OFF: Final = "power is off because "  # as each reason begins
_LAMPS: Final = {"orange": "dark_orange"}  # what rich calls them, where it is not the same
_LIMITS: Final = {"heat": "it is too warm", "car": "the car takes no more"}
LEGEND: Final = (("lamps: ", "bold"), "● steady  ", "◐◑ breathing  ", "●○ flickering  ", "○ off")


def one_line(*parts: str | tuple[str, str]) -> Text:
    """One line that is cut where there is no more room."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def plain(text: str) -> str:
    """Without anything that a terminal would obey: the CSMS writes part of what is shown."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def lamp(light: str, beat: int) -> tuple[str, str]:
    """A character and its style at this beat (four a second): `blue breathe` swells and fades, `red flicker` goes on and off."""
    colour, _, pattern = light.partition(" ")
    style = _LAMPS.get(colour, colour)
    if colour == "off":
        return "○", "dim"
    match pattern:
        case "breathe":
            return "◐◑"[beat // 2 % 2], f"{'bold' if beat // 2 % 2 else 'not bold'} {style}"
        case "flicker":
            return "●○"[beat % 2], f"bold {style}"
        case _:
            return "●", f"bold {style}"


def lines_of(slot: SlotView, width: int) -> int:
    """Who is there gets a line for itself, unless it is very wide."""
    return 2 if slot.session is None or width >= WIDER else 3


def slot_text(slot: SlotView, chosen: bool, beat: int, width: int) -> Text:
    """What it is and why; what it gives and why no more; who is there."""
    sign, style = lamp(slot.lamp, beat)
    text = Text.assemble(("▶" if chosen else " ", "bold"), f"{slot.slot} ", (sign, style), " ")
    if width >= WIDE:
        text.append(f"{slot.lamp.removesuffix(' steady'):14} ", style)
    text.append(f"{slot.status.replace('_', ' '):14} ", STATUS.get(slot.status, ""))
    why = slot.why.removeprefix(OFF) if width < NARROW else slot.why
    text.append("power is on" if slot.power_on else plain(why) or "power is off")
    if slot.faults:
        text.append(f"  {plain(', '.join(slot.faults))}", "bold red")
    text.append(f"\n     {_numbers(slot, width)}")
    text.append("\n     " if lines_of(slot, width) > 2 else "  ")
    text.append(_who(slot), "dim" if slot.session is None else "")
    return text


def _numbers(slot: SlotView, width: int) -> str:
    power = (slot.car.power_w if slot.car is not None else 0) / 1000
    energy = (slot.session.drawn_wh if slot.session is not None else 0) / 1000
    charge = f"  {slot.car.soc_percent:3} %" if slot.car is not None else ""
    if width < NARROW:
        return f"{power:.2f} kW  {energy:.3f} kWh{charge}  {_offer(slot, True)}"
    lock = f"  lock {slot.lock}" if slot.lock != "none" else ""
    return f"{power:6.2f} kW  {energy:7.3f} kWh{charge}  {_offer(slot)}{lock}"


def _offer(slot: SlotView, short: bool = False) -> str:
    if slot.offered_a is None:
        return "no offer"
    if short:
        return f"{slot.offered_a:g} A ({slot.limited_by})" if slot.limited_by else f"{slot.offered_a:g} A"
    why = _LIMITS.get(slot.limited_by, f"by the {slot.limited_by}" if slot.limited_by else "")
    return f"offer {slot.offered_a:g} A{', ' if slot.limited_by in _LIMITS else ' '}{why}".rstrip()


def _who(slot: SlotView) -> str:
    car = plain(slot.car.name) if slot.car is not None else "a cable without a car" if slot.cable else "no car"
    if slot.session is None:
        return car
    seconds = slot.session.seconds
    lasts = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{car}, card {plain(slot.session.card)} since {iso(slot.session.started_ms)[11:19]} ({lasts})"
