"""One line for each thing that happens, for people or as JSON: what demo and run print. Not here: the live view."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import msgspec

from hal.clock import Scheduler
from hal.units import SECOND
from sim.people import Driver
from station.core.effects import Note, Publish
from station.core.notes import SENTENCES, sentence
from station.shell.runner import Sinks, Unit

WIDTH = 9


class Teller(Sinks):
    """Prints. `scheduler` is set once there is one; times are simulated seconds since the start."""

    def __init__(self, as_json: bool, quiet: bool = False, write: Callable[[str], None] | None = None) -> None:
        self._json = as_json
        self._quiet = quiet
        self._write = write or (lambda line: print(line, flush=True))
        self.scheduler: Scheduler | None = None
        self.events: dict[str, int] = {}
        self.problems: list[str] = []

    def say(self, who: str, what: str, text: str, **more: object) -> None:
        """One line: who, and a sentence; as JSON the same with its parts."""
        if self._quiet:
            return
        at_s = self.scheduler.now().mono_ns / SECOND if self.scheduler is not None else 0.0
        if self._json:
            self._write(json.dumps({"at_s": round(at_s, 3), "who": who, "what": what, "text": text, **more}))
        else:
            hours, rest = divmod(int(at_s), 3600)
            self._write(f"{hours:02}:{rest // 60:02}:{rest % 60:02} {who:{WIDTH}} {text}")

    def driver(self, kind: str, driver: Driver, detail: str) -> None:
        """For `sim.people.Driver`."""
        self.say(
            "driver",
            kind,
            f"{driver.visit.token} {kind}{': ' + detail if detail else ''}",
            card=driver.visit.token,
            slot=driver.slot,
        )

    # --- Sinks ---

    def publish(self, unit: Unit, event: Publish) -> bool:
        self.events[event.kind] = self.events.get(event.kind, 0) + 1
        data = msgspec.json.decode(event.data)
        text = " ".join(f"{key}={value}" for key, value in data.items())
        self.say("event", event.kind, f"{unit.id} {event.kind} {text}", station=unit.id, id=event.id, data=data)
        return True

    def note(self, unit: Unit, note: Note) -> None:
        if note.level in ("debug",) or note.code not in SENTENCES:
            return
        self.say("station", note.code, f"{unit.id} {sentence(note)}", station=unit.id, level=note.level, slot=note.slot)

    def bug(self, unit: Unit, error: Exception) -> None:
        self.problems.append(f"{unit.id}: {error!r}")
        print(f"station-sim: a bug stopped {unit.id}: {error!r}", file=sys.stderr)
