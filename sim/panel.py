"""The live view as it is drawn: one station as a `Snapshot`, turned into something that rich can print. A function of its arguments.

Nothing here looks at a station, a clock or a terminal. Not here: who takes snapshots and when (`panel_app.py`), keys (`keyboard.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from hal.units import SlotId, UtcMs
from sim.frames import iso
from sim.view import SlotView, StationView

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
WIDE: Final = 100  # columns from which messages stand beside what happened
NARROW: Final = 72  # columns below which each slot takes three lines
LEAST: Final = 5  # lines that messages get, however many slots there are
MESSAGES: Final = 10
HELP: Final = "1-9 slot  t tap  T next card  p plug  u unplug  c next car  f faults  l link  o power  s supply  q quit"
HELP_MANY: Final = "n/N station"
_STATUS: Final = {
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
_LAMPS: Final = {"orange": "dark_orange", "off": "dim"}  # what rich calls them, where it is not the same
_PATTERNS: Final = {"breathe": "◐", "flicker": "◌", "steady": "●"}


class Message(msgspec.Struct, frozen=True):
    """One OCPP message. `out`: to the CSMS; `kind`: call, result, error; `took_ms`: how long an answer was waited for, in real time."""

    at: str
    out: bool
    action: str
    kind: str
    took_ms: int | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that is drawn. `curve`: watts, the newest last; `menu`: what keys mean now, if not the usual; `told`: what the last key did."""

    view: StationView
    utc_ms: UtcMs
    number: int = 1
    stations: int = 1
    chosen: SlotId = 1
    supply_a: float = 0.0
    card: str = ""
    car: str = ""
    messages: tuple[Message, ...] = ()
    lines: tuple[str, ...] = ()
    curve: tuple[int, ...] = ()
    menu: tuple[str, ...] = ()
    told: str = ""


def render(shot: Snapshot, width: int = 100, height: int = 40) -> RenderableType:
    """The whole view, no higher than `height` lines where that can be had: slots stay, messages give way."""
    foot = _foot(shot, width)
    fixed = 1 + 2 + 1 + len(foot)  # head, frame of the slots, curve
    shown = _shown(shot, width, height - fixed - (LEAST if height > fixed + 2 * LEAST else 0))
    left = height - fixed - (sum(_lines_of(slot, width) for slot in shown) or 1)
    parts: list[RenderableType] = [_head(shot, width), _slots(shot, shown, width), *_curve(shot, width)]
    if left >= 2:
        parts.append(_happenings(shot, width, left))
    return Group(*parts, *foot)


def spark(watts: Sequence[int], columns: int) -> str:
    """The newest of these values as blocks, the highest a full one."""
    shown = list(watts)[-columns:]
    top = max(shown, default=0)
    return "".join(BLOCKS[0 if top <= 0 else -(-w * (len(BLOCKS) - 1) // top)] for w in (max(0, w) for w in shown))


def plain(text: str) -> str:
    """Without anything that a terminal would obey: the CSMS writes part of what is shown."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


# --- parts ------------------------------------------------------------------------------------------------------------


def _head(shot: Snapshot, width: int) -> Text:
    view = shot.view
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{_lamp(view.lamp)[0]} ", _lamp(view.lamp)[1])
    text.append(plain(view.id), "bold")
    if shot.stations > 1:
        text.append(f" ({shot.number} of {shot.stations})")
    text.append("  ")
    text.append(*_link(view))
    text.append(f"  queue {view.queue}", "yellow" if view.queue else "")
    if shot.supply_a:
        text.append(f"  supply {shot.supply_a:g} A")
    text.append(f"  {iso(shot.utc_ms)[:10] + ' ' if width >= WIDE else ''}{iso(shot.utc_ms)[11:19]} UTC")
    for fault in view.faults:
        text.append(f"  {plain(fault)}", "bold red")
    return text


def _link(view: StationView) -> tuple[str, str]:
    if view.state == "dark":
        return "no mains", "bold red"
    if view.state != "running":
        return view.state, "yellow"
    if view.online:
        return "online", "green"
    if view.link:
        return "connected, not accepted", "yellow"
    cut = "link cut" if not view.network else "offline"
    return (cut if view.next_attempt_s is None else f"{cut}, dials in {view.next_attempt_s} s"), "red"


def _shown(shot: Snapshot, width: int, room: int) -> tuple[SlotView, ...]:
    """As many slots as so many lines hold, the chosen one among them, and rather those after it."""
    slots = shot.view.slots
    first = last = min(max(0, shot.chosen - 1), max(0, len(slots) - 1))
    room -= _lines_of(slots[first], width) if slots else 0
    while True:
        if last + 1 < len(slots) and _lines_of(slots[last + 1], width) <= room:
            last += 1
            room -= _lines_of(slots[last], width)
        elif first > 0 and _lines_of(slots[first - 1], width) <= room:
            first -= 1
            room -= _lines_of(slots[first], width)
        else:
            return slots[first : last + 1]


def _lines_of(slot: SlotView, width: int) -> int:
    """Who is there gets a line for itself where it is narrow."""
    return 2 if width >= WIDE or (slot.session is None and width >= NARROW) else 3


def _slots(shot: Snapshot, shown: Sequence[SlotView], width: int) -> RenderableType:
    body: RenderableType
    if shown:
        body = Text("\n").join(_slot(slot, shot, width) for slot in shown)
        body.no_wrap, body.overflow = True, "ellipsis"
    else:
        why = "there are no mains: o gives them back" if shot.view.state == "dark" else "the station restarts"
        body = Text(why, "yellow")
    all_of_them = len(shot.view.slots)
    more = f" {shown[0].slot} to {shown[-1].slot} of {all_of_them}" if len(shown) < all_of_them else ""
    return Panel(body, title=f"slots{more}", title_align="left", box=box.ROUNDED, padding=(0, 1))


def _slot(slot: SlotView, shot: Snapshot, width: int) -> Text:
    """What it is and why; what it gives; who is there."""
    sign, style = _lamp(slot.lamp)
    text = Text.assemble(
        ("▶" if slot.slot == shot.chosen else " ", "bold"),
        f"{slot.slot} ",
        (sign, style),
        " ",
        (f"{slot.status.replace('_', ' '):14}", _STATUS.get(slot.status, "")),
    )
    text.append(f" {'power is on' if slot.power_on else plain(slot.why) or 'power is off'}")
    if slot.faults:
        text.append(f"  {plain(', '.join(slot.faults))}", "bold red")
    text.append("\n     ")
    text.append(_numbers(slot))
    text.append("\n     " if _lines_of(slot, width) > 2 else "   ")
    text.append(_who(slot, shot.utc_ms), "dim" if slot.session is None else "")
    return text


def _numbers(slot: SlotView) -> str:
    power = slot.car.power_w if slot.car is not None else 0
    energy = slot.session.energy_wh if slot.session is not None else 0
    offer = "no offer" if slot.offered_a is None else f"offer {slot.offered_a:g} A"
    charge = f"  {slot.car.soc_percent:3} %" if slot.car is not None else ""
    return f"{power / 1000:6.2f} kW  {energy / 1000:7.3f} kWh{charge}  {offer}"


def _who(slot: SlotView, utc_ms: UtcMs) -> str:
    car = plain(slot.car.name) if slot.car is not None else "a cable without a car" if slot.occupied else "no car"
    if slot.session is None:
        return car
    seconds = slot.session.seconds
    lasts = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{car}, card {plain(slot.session.card)} since {iso(max(0, utc_ms - seconds * 1000))[11:19]} ({lasts})"


def _lamp(light: str) -> tuple[str, str]:
    colour, _, pattern = light.partition(" ")
    return ("○" if colour == "off" else _PATTERNS.get(pattern, "●")), _LAMPS.get(colour, f"bold {colour}")


def _curve(shot: Snapshot, width: int) -> list[RenderableType]:
    now_w = shot.curve[-1] if shot.curve else 0
    head = f"power {now_w / 1000:6.2f} kW "
    top = f" of {max(shot.curve, default=0) / 1000:.2f}"
    blocks = spark(shot.curve, max(1, width - len(head) - len(top)))
    return [Text.assemble(head, (blocks, "blue"), (top, "dim"), no_wrap=True, overflow="crop")]


def _happenings(shot: Snapshot, width: int, room: int) -> RenderableType:
    """Messages and lines, side by side or one above the other."""
    if width >= WIDE:
        grid = Table.grid(expand=True, padding=(0, 1))
        grid.add_column(ratio=4, no_wrap=True)
        grid.add_column(ratio=5, no_wrap=True)
        most = min(MESSAGES, room - 1)
        grid.add_row(Rule("messages", align="left", style="dim"), Rule("events", align="left", style="dim"))
        grid.add_row(_messages(shot, most), _lines(shot, most))
        return grid
    most = min(MESSAGES, room - 1)
    parts: list[RenderableType] = [Rule("messages", align="left", style="dim"), _messages(shot, most)]
    rest = room - 2 - min(most, len(shot.messages))
    if rest > 0:
        parts += [Rule("events", align="left", style="dim"), _lines(shot, min(MESSAGES, rest))]
    return Group(*parts)


def _messages(shot: Snapshot, most: int) -> Text:
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(_message(one) for one in shot.messages[-most:])
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _message(one: Message) -> Text:
    style = {"error": "red", "call": ""}.get(one.kind, "dim")
    text = Text.assemble((f"{one.at} ", "dim"), ("→ " if one.out else "← ", "green" if one.out else "magenta"))
    text.append(plain(one.action), style)
    if one.kind == "error":
        text.append(" error", "red")
    if one.took_ms is not None:
        text.append(f" {one.took_ms} ms", "dim")
    return text


def _lines(shot: Snapshot, most: int) -> Text:
    return Text("\n".join(plain(line) for line in shot.lines[-most:]), no_wrap=True, overflow="ellipsis")


def _foot(shot: Snapshot, width: int) -> list[Text]:
    """What keys do, and what the last one did; each entry is one line."""
    told = Text(plain(shot.told) or " ", "bold", no_wrap=True, overflow="ellipsis")
    hand = Text(f"card {plain(shot.card)}  car {plain(shot.car)}", "cyan", no_wrap=True, overflow="ellipsis")
    words = list(shot.menu) or HELP.split("  ") + ([HELP_MANY] if shot.stations > 1 else [])
    return [told, hand, *(Text(line, "reverse", no_wrap=True, overflow="crop") for line in _wrapped(words, width))]


def _wrapped(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(word)
    return lines
