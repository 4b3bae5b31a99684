"""`python -m tools.make_picture`: `docs/pictures/live-view.svg`, the live view of a station in the middle of two sessions.

It is drawn by what draws it on a terminal, of a station that runs in virtual time, so that it comes out the same on each machine. Not here:
how the view looks (`sim/panel.py`).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from rich.console import Console

from hal.units import SECOND
from sim.live import Live
from sim.panel import Snapshot, render
from sim.panel_messages import Messages
from sim.plan import AnyAction, Plug, Tap
from sim.telling import Teller
from sim.view import look
from sim.world import World
from station.core.effects import Note, Publish
from station.shell.runner import Sinks, Unit
from station.words.settings import Settings

FILE: Final = Path(__file__).parent.parent / "docs" / "pictures" / "live-view.svg"
WIDTH, HEIGHT = 110, 34
STATION: Final = "CP1"
HAPPENS: Final[tuple[AnyAction, ...]] = (
    Plug(at_s=40, slot=1, car="zoe-r110", soc_percent=35),
    Tap(at_s=55, card="04A1B2C3"),
    Plug(at_s=540, slot=2, car="model-3-lr", soc_percent=52),
    Tap(at_s=556, card="04D4E5F6"),
)
LASTS_S: Final = 1000
POINT_S: Final = 10  # of the curve; the view itself takes one a second
LATENCY_MS: Final = 12


class Ears(Sinks):
    """Hears what the live view hears."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages = Messages()
        self.lines: list[str] = []
        self._teller = Teller(False, write=lambda line, station: self.lines.append(line))
        self._teller.scheduler = world.clock

    def publish(self, unit: Unit, event: Publish) -> bool:
        return self._teller.publish(unit, event)

    def note(self, unit: Unit, note: Note) -> None:
        self._teller.note(unit, note)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        now = self._world.clock.now()
        self.messages.heard(unit.id, now.os_utc_ms, now.mono_ns / SECOND, out, frame)


def snapshot() -> Snapshot:
    """Of a station at work."""
    world = World(seed=1, settings=Settings(sample_interval_s=60))
    ears = Ears(world)
    world.sinks = ears
    world.networks[STATION].begin("latency", LATENCY_MS)
    for action in HAPPENS:
        world.clock.call_at(int(action.at_s * SECOND), world.act, action)
    board, curve = world.boards[STATION], []
    for _ in range(LASTS_S // POINT_S):
        world.run(POINT_S)
        curve.append(sum(board.true_power_mw(slot.number) for slot in board.slots) // 1000)
    return Snapshot(
        view=look(seen(world), STATION),
        utc_ms=world.clock.now().os_utc_ms,
        supply_a=world.units[STATION].plan.shape.supply_ma / 1000,
        card="04D4E5F6",
        car="model-3-lr",
        messages=ears.messages.of(STATION),
        lines=tuple(ears.lines),
        curve=tuple(curve),
        told="tap: card=04D4E5F6",
    )


def seen(world: World) -> Live:
    """The world as what `look` looks at."""
    host: Any = SimpleNamespace(clock=world.clock)
    host.clock = SimpleNamespace(mono_ns=lambda: world.clock.mono_ns, now=world.clock.now)
    live: Any = SimpleNamespace(
        boards=world.boards, networks=world.networks, dark={}, host=host, unit=world.units.__getitem__
    )
    return cast(Live, live)


def picture(shot: Snapshot) -> str:
    """As SVG, with fonts of whoever looks."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True)
    console.print(render(shot, WIDTH, HEIGHT))
    svg = console.export_svg(title="station-sim run --csms ws://127.0.0.1:9000", unique_id="live-view")
    svg = re.sub(r"\s*@font-face \{.*?\}|\s*<!--.*?-->", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, monospace") + "\n"


def main() -> None:
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(picture(snapshot()), encoding="utf-8")


if __name__ == "__main__":
    main()
