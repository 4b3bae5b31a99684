"""The live view as it is drawn: one station as a `Snapshot`, turned into something that rich can print. A function of its arguments.

Nothing here looks at a station, a clock or a terminal. Not here: who takes snapshots and when (`panel_app.py`), keys (`keyboard.py`), one
slot and its lamp (`panel_slot.py`).
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
from sim.keyboard import HELP, HELP_FLEET
from sim.panel_messages import Message
from sim.panel_slot import LEGEND, NARROW, WIDE, lamp, lines_of, one_line, plain, slot_text
from sim.view import SlotView, StationView

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
LOW: Final = 20  # lines below which the keys get one line only
LEAST: Final = 5  # lines that messages get, however many slots there are
TALLEST: Final = 8  # lines of the power curve
MESSAGES: Final = 12  # lines that messages get before the curve grows
CLASSES: Final = {
    "available": "green",
    "occupied": "yellow",
    "charging": "blue",
    "unavailable": "magenta",
    "faulted": "bold red",
    "offline": "red",
}
_SELDOM: Final = ("occupied", "unavailable")  # not worth a place while there is none


class Summary(msgspec.Struct, frozen=True):
    """All stations of a run. `counts`: how many of each of CLASSES, all of them; `late`: how late the event loop is."""

    counts: dict[str, int]
    late: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that is drawn.

    `curve`: watts, the newest last; `menu`: what keys mean now, if not the usual; `told`: what the last key did; `broken`: what was raised
    and stands; `beat` counts quarters of a second, so that lamps breathe and flicker; `help`: the keys are explained instead.
    """

    view: StationView
    utc_ms: UtcMs
    number: int = 1
    stations: int = 1
    chosen: SlotId = 1
    supply_a: float | None = None
    card: str = ""
    car: str = ""
    messages: tuple[Message, ...] = ()
    lines: tuple[str, ...] = ()
    curve: tuple[int, ...] = ()
    menu: tuple[str, ...] = ()
    told: str = ""
    broken: tuple[str, ...] = ()
    beat: int = 0
    help: bool = False
    summary: Summary | None = None


def render(shot: Snapshot, width: int = 100, height: int = 40) -> RenderableType:
    """The whole view, no higher than `height` lines where that can be had: slots stay, messages give way."""
    if shot.help:
        return _explained(shot, width, height)
    foot = _foot(shot, width, height)
    head = [_head(shot, width), *_summary(shot, width, height)]
    fixed = len(head) + 2 + 1 + len(foot)  # frame of the slots, curve
    shown = _shown(shot, width, height - fixed - (LEAST if height > fixed + 2 * LEAST else 0))
    left = height - fixed - (sum(lines_of(slot, width) for slot in shown) or 1)
    tall = max(1, min(TALLEST, (left - MESSAGES) // 2)) if any(shot.curve) else 1
    curve = _curve(shot, width, tall)
    left -= len(curve) - 1
    body = [_slots(shot, shown, width), *curve, *([_happenings(shot, width, left)] if left >= 2 else [])]
    return Group(*head, *body, *foot)


def spark(watts: Sequence[int], columns: int, rows: int = 1) -> list[str]:
    """The newest of these values as columns of blocks, so many lines high; the highest fills them all."""
    shown = [max(0, w) for w in list(watts)[-columns:]]
    top, steps = max(shown, default=0), len(BLOCKS) - 1
    levels = [0 if top <= 0 else -(-w * steps * rows // top) for w in shown]
    return ["".join(BLOCKS[max(0, min(steps, n - row * steps))] for n in levels) for row in range(rows - 1, -1, -1)]


# --- parts ------------------------------------------------------------------------------------------------------------


def _head(shot: Snapshot, width: int) -> Text:
    view = shot.view
    text = one_line(lamp(view.lamp, shot.beat), " ", (plain(view.id), "bold"))
    if shot.stations > 1:
        text.append(f" ({shot.number} of {shot.stations})")
    text.append("  ")
    text.append(*_link(view))
    for fault in view.faults:
        text.append(f"  {plain(fault)}", "bold red")
    text.append(f"  queue {view.queue}", "yellow" if view.queue else "")
    if shot.supply_a is not None:
        text.append(f"  supply {shot.supply_a:g} A", "" if shot.supply_a else "bold red")
    day, time = iso(shot.utc_ms)[:10], iso(shot.utc_ms)[11:19]
    text.append(f"  {day} {time} UTC" if width >= WIDE else f"  {time} UTC" if width >= NARROW else f"  {time}")
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


def _summary(shot: Snapshot, width: int, height: int) -> list[Text]:
    """How all stations stand, and the loop; two lines where that is too long for one and there is room."""
    if shot.summary is None:
        return []
    counts = shot.summary.counts
    text = one_line(*(_counted(name, counts[name]) for name in CLASSES if counts[name] or name not in _SELDOM))
    late = one_line((f"loop late by {shot.summary.late}", "dim"))
    if text.cell_len + late.cell_len <= width:
        return [text.append_text(late)]
    return [text, late] if height >= LOW else [text]


def _counted(name: str, count: int) -> tuple[str, str]:
    return f"{count} {name}  ", CLASSES[name] if count else "dim"


def _shown(shot: Snapshot, width: int, room: int) -> tuple[SlotView, ...]:
    """As many slots as so many lines hold, the chosen one among them, and rather those after it."""
    slots = shot.view.slots
    first = last = min(max(0, shot.chosen - 1), max(0, len(slots) - 1))
    room -= lines_of(slots[first], width) if slots else 0
    while True:
        if last + 1 < len(slots) and lines_of(slots[last + 1], width) <= room:
            last += 1
            room -= lines_of(slots[last], width)
        elif first > 0 and lines_of(slots[first - 1], width) <= room:
            first -= 1
            room -= lines_of(slots[first], width)
        else:
            return slots[first : last + 1]


def _slots(shot: Snapshot, shown: Sequence[SlotView], width: int) -> RenderableType:
    if shown:
        body = Text("\n").join(slot_text(slot, slot.slot == shot.chosen, shot.beat, width) for slot in shown)
        body.no_wrap, body.overflow = True, "ellipsis"
    else:
        whys = {"dark": "there are no mains: o gives them back", "to come": "the station has not been started yet"}
        body = Text(whys.get(shot.view.state, "the station restarts"), "yellow")
    all_of_them = len(shot.view.slots)
    more = f" {shown[0].slot} to {shown[-1].slot} of {all_of_them}" if len(shown) < all_of_them else ""
    return Panel(body, title=f"slots{more}", title_align="left", box=box.ROUNDED, padding=(0, 1))


def _curve(shot: Snapshot, width: int, rows: int) -> list[RenderableType]:
    now_w, top_w = shot.curve[-1] if shot.curve else 0, max(shot.curve, default=0)
    head = f"power {now_w / 1000:6.2f} kW "
    top = f" of {top_w / 1000:.2f}"
    if rows == 1:
        (blocks,) = spark(shot.curve, max(1, width - len(head) - len(top)))
        return [one_line(head, (blocks, "blue"), (top, "dim"))]
    title = Text(f"{head}{top} at most")
    lines = [one_line((line, "blue")) for line in spark(shot.curve, width, rows)]
    return [Rule(title, align="left", style="dim"), *lines]


def _happenings(shot: Snapshot, width: int, room: int) -> RenderableType:
    """Messages and lines, side by side or one above the other; exactly so many lines."""
    if width >= WIDE:
        grid = Table.grid(expand=True, padding=(0, 1))
        grid.add_column(ratio=4, no_wrap=True)
        grid.add_column(ratio=5, no_wrap=True)
        grid.add_row(Rule("messages", align="left", style="dim"), Rule("events", align="left", style="dim"))
        grid.add_row(_messages(shot, room - 1), _lines(shot, room - 1))
        return grid
    both = room >= 2 * LEAST
    most = (room - 2) // 2 if both else room - 1
    parts: list[RenderableType] = [Rule("messages", align="left", style="dim"), _messages(shot, most)]
    if both:
        parts += [Rule("events", align="left", style="dim"), _lines(shot, room - 2 - most)]
    return Group(*parts)


def _filled(lines: Sequence[Text], most: int) -> Text:
    """The last of them, one each, and blank ones up to that number."""
    shown = [*lines[-most:], *[Text()] * (most - len(lines))]
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(shown)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _messages(shot: Snapshot, most: int) -> Text:
    return _filled([_message(one) for one in shot.messages[-most:]], most)


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
    return _filled([Text(plain(line)) for line in shot.lines[-most:]], most)


# --- keys -------------------------------------------------------------------------------------------------------------


def _foot(shot: Snapshot, width: int, height: int) -> list[Text]:
    """What keys do, and what the last one did; each entry is one line."""
    told = one_line((plain(shot.told) or " ", "bold"))
    hand = one_line((f"card {plain(shot.card)}  car {plain(shot.car)}", "cyan"))
    if shot.broken:
        hand.append(f"  broken: {', '.join(shot.broken)}", "red")
    lines = _wrapped(list(shot.menu) or _usual(shot), width)
    if height >= LOW:
        return [told, hand, *map(_bar, lines)]
    lines = lines if shot.menu else lines[:1]
    return [told if shot.told else hand, *map(_bar, lines)]


def _usual(shot: Snapshot) -> list[str]:
    """The keys in a word each, those that explain the others first: who has one line has them."""
    entries = (*HELP[-2:], *(HELP_FLEET if shot.stations > 1 else ()), *HELP[:-2])
    return [f"{key} {word}" for key, word, _ in entries]


def _bar(line: str) -> Text:
    return Text(line, "reverse", no_wrap=True, overflow="crop")


def _wrapped(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(word)
    return [line.ljust(width) for line in lines]


def _explained(shot: Snapshot, width: int, height: int) -> RenderableType:
    """Each key in a sentence, and what lamps look like."""
    entries = [one for one in (*HELP, *(HELP_FLEET if shot.stations > 1 else ())) if one[0] != "?"]
    lines = [one_line((f"{key:>4} ", "bold"), (f"{word:9}", "cyan"), sentence) for key, word, sentence in entries]
    if height >= len(lines) + 4:
        lines += [Text(), one_line(*LEGEND)]
    if height >= len(lines) + 2:
        return Panel(
            Group(*lines), title="keys; any of them goes back", title_align="left", box=box.ROUNDED, padding=(0, 1)
        )
    return Group(*lines)
