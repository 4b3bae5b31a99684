"""One line for each thing that happens, for people or as JSON: what demo and run print. Not here: the live view.

As JSON each line is an object: what was told has `who`, `what` and `text`; an event has `event`, a CloudEvent, besides; a frame has
`frame`, `direction` and `station`; the answer to a command has `ok`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from hal.clock import Now, Scheduler
from hal.units import SECOND
from ocpp_client.secrets import Cleaner
from sim.commands import Answer
from sim.frames import Exchange, FrameFile, iso
from sim.people import Driver
from station.adapters.cloudevents import Compat, envelope
from station.core.effects import Note, Publish
from station.core.notes import SENTENCES, sentence
from station.shell.runner import Sinks, Unit

WIDTH = 9
_SHOWN = ("slotNumber", "card", "status", "energyWh", "reason", "durationS")  # of an event, in a line for people


class Teller(Sinks):
    """Prints. `scheduler` is set once there is one; times are simulated seconds since the start, or the stations' clock (`utc`).

    `quiet`: nothing but answers and frames, and with `events` those too. `exchange` shows frames, `pretty` over several lines. `broken` is
    called once when whoever reads our output has gone, or there is no room for it (`gone`). `write` gets each line and the station it is
    of, if of one.
    """

    def __init__(
        self,
        as_json: bool,
        quiet: bool = False,
        write: Callable[[str, str], None] | None = None,
        *,
        exchange: Exchange | None = None,
        cleaner: Cleaner | None = None,
        pretty: bool = False,
        compat: Compat = "seed",
        events: bool = False,
        utc: bool = False,
        broken: Callable[[], None] = lambda: None,
    ) -> None:
        self._json = as_json
        self._quiet = quiet
        self._put = write or (lambda line, station: print(line, flush=True))
        self._exchange = exchange
        self._cleaner = cleaner or Cleaner()
        self._pretty = pretty
        self._compat: Compat = compat
        self._all_events = events
        self._utc = utc
        self._broken = broken
        self.gone = False
        self.scheduler: Scheduler | None = None
        self.events: dict[str, int] = {}
        self.problems: list[str] = []

    def say(self, who: str, what: str, text: str, **more: object) -> None:
        """One line: who, and a sentence; as JSON the same with its parts."""
        if not self._quiet:
            self._line(who, what, text, more)

    def answer(self, answer: Answer) -> None:
        """What became of a command: always JSON, quiet or not."""
        self._write(msgspec.json.encode(answer).decode())

    def planned(self, answer: Answer) -> None:
        """What became of something a plan had done."""
        text = f"{answer.station} {answer.do}{'' if answer.ok else f': not possible, {answer.error}'}"
        self.say("plan", answer.do, text, station=answer.station, ok=answer.ok is True)

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
        if self._quiet and not self._all_events:
            return True
        data: dict[str, Any] = msgspec.json.decode(event.data)
        facts = [f"{key}={data[key]}" for key in _SHOWN if key in data]
        facts += [f"{data['error']['code']} ({data['error']['info']})"] if "error" in data else []
        kind = event.kind.removesuffix(".v1")
        more = {"station": unit.id}
        if self._json:
            more["event"] = json.loads(envelope(unit.id, event, self._compat))
        self._line("event", kind, " ".join([unit.id, kind, *facts]), more)
        return True

    def note(self, unit: Unit, note: Note) -> None:
        if note.level in ("debug",) or note.code not in SENTENCES:
            return
        self.say("station", note.code, f"{unit.id} {sentence(note)}", station=unit.id, level=note.level, slot=note.slot)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        if self._exchange is None:
            return
        text = self._cleaner.clean(frame)
        now_ns = self.scheduler.now().mono_ns if self.scheduler is not None else 0
        line = self._exchange.line(unit.id, out, text, now_ns, self._pretty and not self._json)
        if line is None:
            return
        more: dict[str, object] = {"station": unit.id}
        if self._json:
            more |= {"direction": "out" if out else "in", "frame": _parsed(text)}
        self._line("frame", line.split(" ", 2)[1], f"{unit.id} {line}", more)

    def bug(self, unit: Unit, error: Exception) -> None:
        self.problems.append(f"{unit.id}: {error!r}")
        print(f"station-sim: a bug stopped {unit.id}: {error!r}", file=sys.stderr)

    # --- inside ---

    def _line(self, who: str, what: str, text: str, more: dict[str, Any]) -> None:
        now = self.scheduler.now() if self.scheduler is not None else Now(0, 0)
        at_s = now.mono_ns / SECOND
        if self._json:
            self._write(json.dumps({"at_s": round(at_s, 3), "who": who, "what": what, "text": text, **more}))
        else:
            hours, rest = divmod(int(at_s), 3600)
            at = iso(now.os_utc_ms)[11:19] if self._utc else f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
            self._write(f"{at} {who:{WIDTH}} {text}", str(more.get("station", "")))

    def _write(self, line: str, station: str = "") -> None:
        if self.gone:
            return
        try:
            self._put(line, station)
        except OSError as error:
            self.gone = True
            if not isinstance(error, BrokenPipeError):
                self.problems.append(f"standard output: {error.strerror}")
                print(f"station-sim: standard output: {error.strerror}", file=sys.stderr)
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # so that nothing fails at the very end either
            self._broken()


class Watch(Sinks):
    """Passes on everything to a teller, and frames to a recording as well, cleaned of secrets."""

    def __init__(self, inner: Teller, record: FrameFile | None, cleaner: Cleaner) -> None:
        self.inner = inner
        self._record, self._cleaner = record, cleaner

    def publish(self, unit: Unit, event: Publish) -> bool:
        return self.inner.publish(unit, event)

    def note(self, unit: Unit, note: Note) -> None:
        self.inner.note(unit, note)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        if self._record is not None:
            utc_ms = self.inner.scheduler.now().os_utc_ms if self.inner.scheduler is not None else 0
            self._record.write(utc_ms, unit.id, out, self._cleaner.clean(frame))
        self.inner.frame(unit, out, frame)

    def bug(self, unit: Unit, error: Exception) -> None:
        self.inner.bug(unit, error)


class Contact(Watch):
    """Says on standard error why there is no connection, once for each reason, until there was one."""

    def __init__(self, inner: Teller, record: FrameFile | None, cleaner: Cleaner, speak: bool) -> None:
        super().__init__(inner, record, cleaner)
        self._speak = speak
        self._told: set[str] = set()
        self._up: set[str] = set()

    def note(self, unit: Unit, note: Note) -> None:
        if note.code == "link.up":
            self._up.add(unit.id)
        elif note.code == "link.down" and self._speak and unit.id not in self._up:
            self.complain(unit.id, str(note.values[0]))
        super().note(unit, note)

    def complain(self, identity: str, why: str) -> None:
        """Say it, unless that has been said, of this station or of another."""
        reason = why.replace(identity, "ID")
        if reason not in self._told:
            self._told.add(reason)
            print(f"station-sim run: {why}", file=sys.stderr, flush=True)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
