"""`station`: run a station from its `station.toml`, check the file, look into its outbox. Loads nothing of the simulator, unless
named as driver.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import traceback
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import msgspec

from hal.registry import ConfigError
from station import outbox_cli
from station.adapters.cloudevents import Compat, envelope
from station.adapters.delivery import Delivery
from station.adapters.event_file import EventFile
from station.adapters.os_time import clock_kept
from station.adapters.sqlite_file import StoreError
from station.config import Config, load
from station.core.effects import Note, Publish, Shutdown
from station.core.notes import SENTENCES, sentence
from station.shell.black_box import BlackBox, BoxedHost
from station.shell.host import SystemRng, os_boot_id
from station.shell.plan import Plan
from station.shell.runner import Sinks, Unit
from station.shell.signals import on_end

ROOTS = ("hal", "leds", "meter", "ocpp_client", "sim", "statemachine", "station")

EXAMPLE = """\
example station.toml:
  [station]
  id = "CP1"

  [csms]
  url = "ws://127.0.0.1:9000"

  [board]
  driver = "sim"

  [store]
  file = "station.db"
"""


class Lines(Sinks):
    """One line for each note and event on standard output: a sentence, or JSON, in which an event is a whole CloudEvent.

    A station goes on where nobody reads them, or where there is no room for them.
    """

    def __init__(self, as_json: bool, compat: Compat = "seed") -> None:
        self._json = as_json
        self._compat: Compat = compat
        self._untold = False
        self.done = asyncio.Event()

    def note(self, unit: Unit, note: Note) -> None:
        if note.level == "debug":
            return
        told = {"slot": note.slot, "values": list(note.values)} if note.slot or note.values else {}
        self._print(note.level, note.code, told, sentence(note) if note.code in SENTENCES else "")

    def publish(self, unit: Unit, event: Publish) -> bool:
        more: dict[str, object] = {"event": msgspec.Raw(envelope(unit.id, event, self._compat))} if self._json else {}
        self._print("event", event.kind, more, f"{event.kind} {event.subject} {bytes(event.data).decode()}")
        return True

    def complain(self, text: str) -> None:
        """Something outside the core does not work."""
        self._print("error", "events", {"text": text}, text)

    def tell(self, code: str, text: str) -> None:
        self._print("info", code, {"text": text}, text)

    def exited(self, unit: Unit) -> None:
        self.done.set()

    def bug(self, unit: Unit, error: Exception) -> None:
        self._print("error", "bug", {"error": repr(error)}, f"a bug stopped the station: {error!r}")
        traceback.print_exception(error)
        self.done.set()

    def _print(self, level: str, code: str, more: dict[str, object], text: str) -> None:
        """`text` is for people, `more` for programs; a note without a sentence is told by its code and values."""
        if self._json:
            self._write(msgspec.json.encode({"level": level, "code": code, **more}).decode())
        else:
            self._write(f"{level:7} {text or ' '.join([code, *(f'{k}={v}' for k, v in more.items())])}")

    def _write(self, line: str) -> None:
        try:
            print(line, flush=True)
        except OSError as error:
            if not self._untold:
                self._untold = True
                with contextlib.suppress(OSError):
                    print(f"station: standard output: {error.strerror}; the station goes on", file=sys.stderr)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def intruder() -> str | None:
    """Whether one of our seven top-level packages is somebody else's, as PyPI's python-statemachine brings one."""
    homes = {}
    for root in ROOTS:
        spec = find_spec(root)
        if spec is None or spec.origin is None:
            return f"the package {root!r} is missing: install ev-station again"
        homes[root] = Path(spec.origin).parent.parent
    ours = homes["station"]
    for root, home in homes.items():
        if home != ours:
            return f"the package {root!r} is another distribution's ({home}): uninstall that, or use an environment of its own"
    return None


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="station",
        description="An EV charging station: runs what a station.toml describes.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=_version(), help="print the version")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the station until SIGTERM or Ctrl-C")
    run.add_argument("file", type=Path, help="station.toml")
    run.add_argument("--json", action="store_true", help="JSON lines instead of text")
    check = commands.add_parser("check", help="check a station.toml and say what it would run")
    check.add_argument("file", type=Path, help="station.toml")
    check.add_argument("--json", action="store_true", help="the result as JSON")
    outbox = commands.add_parser("outbox", help="show what waits for the CSMS, and what was given up")
    outbox.add_argument("file", type=Path, help="station.toml, or a store")
    outbox.add_argument("--json", action="store_true", help="everything, as JSON")
    outbox.add_argument("--all", action="store_true", help="every line of a long list")
    return top


def _version() -> str:
    try:
        return version("ev-station")
    except PackageNotFoundError:
        return "not installed"


def check(config: Config, as_json: bool) -> int:
    """Print what the file describes."""
    slots = [
        f"{i}: {s.kind}, {s.max_current_ma // 1000} A, {s.phases} phases" for i, s in enumerate(config.shape.slots, 1)
    ]
    if as_json:
        print(msgspec.json.encode({"id": config.identity, "ok": True, "shape": config.shape}).decode())
        return 0
    print(
        f"station {config.identity}: {config.shape.vendor} {config.shape.model}, supply {config.shape.supply_ma // 1000} A"
    )
    for line in slots:
        print(f"  slot {line}")
    print(f"  board driver {config.tables['board']['driver']}")
    print(f"  store {config.store or 'none: everything is forgotten with the process'}")
    print(f"  events {config.events or 'on standard output only'}")
    print("the file is in order")
    return 0


async def serve(config: Config, as_json: bool) -> int:
    """Run until told to stop; power is withdrawn before the process ends. Status 1 after a bug."""
    lines = Lines(as_json, config.compat)
    try:
        files = [EventFile(config.events, lines.complain)] if config.events is not None else []
    except OSError as error:
        print(f"station: events.file: {config.events} cannot be opened ({error.strerror})", file=sys.stderr)
        return 2
    delivery = Delivery(lines, files, config.compat)
    try:
        host = delivery.runner = BoxedHost(delivery, lambda unit: config.profile, store=config.store)
    except StoreError as error:
        print(f"station: store.file: {error}", file=sys.stderr)
        return 2
    if config.store is not None:
        password = config.profile.password
        secrets = (password,) if password else ()
        host.box, host.tell = BlackBox(Path(config.store), _version(), secrets), partial(lines.tell, "black_box")
    kept = clock_kept()
    if not kept:
        lines.tell(
            "clock",
            "nobody keeps this machine's clock (no time server, no battery): it is believed once the CSMS has told the time",
        )
    plan = Plan(config.shape, config.settings, os_boot=os_boot_id(), os_trusted=kept)
    unit = Unit(config.identity, plan, config.board(), SystemRng())
    host.add(unit)
    on_end(host.loop, lambda: host.post(unit, Shutdown()))
    await lines.done.wait()
    await delivery.drain()
    await host.close()
    delivery.close()
    return 1 if host.bugs else 0


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 stopped by a bug, 2 the file or the call is wrong."""
    args = parser().parse_args(argv)
    problem = intruder()
    if problem:
        print(f"station: {problem}", file=sys.stderr)
        return 2
    if args.command == "outbox":
        return outbox_cli.show(args.file, args.json, args.all)
    try:
        config = load(args.file)
    except ConfigError as error:
        print(f"station: {error}", file=sys.stderr)
        return 2
    return check(config, args.json) if args.command == "check" else asyncio.run(serve(config, args.json))


if __name__ == "__main__":
    sys.exit(main())
