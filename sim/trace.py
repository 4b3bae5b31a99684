"""What was seen in a run, in order, one line each: the story a person reads and the hash that two runs are compared by.

Not here: judgement (`checkers/`), pictures (`replay.py`).
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from hal.clock import Scheduler
from station.core.effects import Note, Publish
from station.core.notes import SENTENCES, sentence
from station.shell.runner import Sinks, Unit


class Line(NamedTuple):
    """`lane`: board, station, link, csms, plan. `who` is the station's identity. Times in monotonic ns of the world."""

    at_ns: int
    who: str
    lane: str
    what: str

    def __str__(self) -> str:
        return f"{self.at_ns} {self.who} {self.lane} {self.what}"


class Trace(Sinks):
    """All lines since the start. `keep` False: only the hash and the events grow, for long soaks."""

    def __init__(self, scheduler: Scheduler, keep: bool = True) -> None:
        self._scheduler = scheduler
        self._keep = keep
        self._hash = hashlib.sha256()
        self.lines: list[Line] = []
        self.notes: list[Note] = []
        self.events: list[Publish] = []
        self.bugs: list[Exception] = []

    def add(self, who: str, lane: str, what: str) -> None:
        line = Line(self._scheduler.now().mono_ns, who, lane, what)
        self._hash.update(str(line).encode())
        if self._keep:
            self.lines.append(line)

    def note(self, unit: Unit, note: Note) -> None:
        if self._keep:
            self.notes.append(note)
        self.add(unit.id, "station", sentence(note) if note.code in SENTENCES else f"{note.code} {note.values}")

    def publish(self, unit: Unit, event: Publish) -> bool:
        self.events.append(event)
        self.add(unit.id, "station", f"event {event.kind} {event.id} {bytes(event.data).decode()}")
        return True

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        self.add(unit.id, "link", f"{'>' if out else '<'} {text}")

    def bug(self, unit: Unit, error: Exception) -> None:
        self.bugs.append(error)
        self.add(unit.id, "station", f"bug {error!r}")

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()
