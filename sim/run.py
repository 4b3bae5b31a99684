"""`station-sim run`: virtual chargers against any OCPP 1.6 backend, from one to thousands in this process.

Against a foreign backend time runs as it does. People with cars come on request (`--drivers`), buttons are pressed by lines
(`--commands`), by a plan (`--plan`) or at the keyboard (`--view`). Not here: the live view (`panel_app.py`); what the options come to
(`options.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from ocpp_client.secrets import Cleaner
from sim import expect_report, live_plan, open_files, options, panel_app, plan_file
from sim.executor import Executor
from sim.expect_live import Witness
from sim.frames import Exchange, FrameFile
from sim.lateness import Lateness
from sim.live import Live
from sim.people import Driver, arrivals, come
from sim.plan import Plan
from sim.prompt import Prompt, feed
from sim.telling import Contact, Teller
from station.adapters.delivery import Delivery
from station.adapters.event_file import EventFile
from station.adapters.sqlite_file import StoreError
from station.shell.runner import Sinks
from station.shell.signals import on_end
from station.words.common import TokenStatus
from station.words.settings import Settings, StationShape

LAST_S: Final = 2.0  # real seconds
FINE, WRONG, MISUSED, UNCONNECTED = 0, 1, 2, 3
EPILOG: Final = """\
exit status:
  0  ended in good order: by a signal, by quit, at the end of the commands or of the plan
  1  a command could not be done, or what it waited for did not come; a bug stopped a station; the plan expected something else, or was not
     played to its end
  2  the call is wrong; nothing was begun
  3  a station was never accepted by the CSMS

examples:
  station-sim run --csms ws://127.0.0.1:9000 --id CP1 --drivers
      people come, plug, tap, charge and leave, until Ctrl-C
  station-sim run --csms wss://csms.example/ocpp --id CP1 --password-file secret --ca ca.pem --frames --pretty
      basic authentication, a root of your own, and every message on the screen
  station-sim run --csms ws://127.0.0.1:9000 --count 2000 --ramp 200 --quiet
      CP1 to CP2000, two hundred more every second
  printf '%s\\n' 'wait online=true' 'plug 1' 'tap 04A1B2C3' 'wait 1 charging' quit |
      station-sim run --csms ws://127.0.0.1:9000 --commands - --quiet
      press buttons and wait, in words or as {"id": 1, "do": "plug", "slot": 1}; an answer a line, status 1 if one failed
  station-sim run --csms ws://127.0.0.1:9000 --plan plans/smoke-test.yaml --report junit --report-file report.xml
      a plan in real time, and what became of each thing that it expects
  station-sim run --csms ws://127.0.0.1:9000
      on a terminal: the charger on the screen, its buttons at the keyboard, where ? explains them; --no-view gives lines
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run",
        help="virtual chargers against your backend",
        description=__doc__.partition("\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--csms", required=True, metavar="URL", help="ws:// or wss://; the identity is appended")
    add("--id", default="CP1", help="identity; with --count the number at its end counts up (CP1)")
    add("--count", type=int, metavar="N", help="how many chargers (1, or as many as the plan has)")
    add("--ramp", type=int, default=200, metavar="N", help="how many start in a second; 0: all at once (200)")
    add("--store", metavar="FILE", help="keep the stations' records there, so that they survive this process")
    add("--connect-within", type=float, metavar="S", help="end with status 3 unless all are accepted within S seconds")
    add("--speed", type=int, default=1, help=argparse.SUPPRESS)
    options.add_station(parser)
    _add_happenings(parser.add_argument_group("what happens"))
    _add_security(parser.add_argument_group("security"))
    options.add_output(parser)
    parser.set_defaults(run=run)


def _add_happenings(group: Any) -> None:
    add = group.add_argument
    add("--drivers", action="store_true", help="people come, plug, tap, charge, tap and leave")
    add(
        "--card",
        action="append",
        default=[],
        metavar="UID[:STATUS]",
        help="a card the drivers have; with a status the station's own cache knows that of it from the start",
    )
    add("--seed", type=int, help="who comes, when, with which car; and the same ids in every run, but with --store")
    add("--commands", metavar="FILE", help="do what these lines say; - is standard input; `help` lists the commands")
    options.add_view(group)
    options.add_plan(group)


def _add_security(group: Any) -> None:
    add = group.add_argument
    add(
        "--password",
        metavar="TEXT",
        help="basic authentication; others see it in the list of processes, so rather --password-file",
    )
    add("--password-file", type=Path, metavar="FILE", help="basic authentication with what this file holds")
    add("--ca", type=Path, metavar="FILE", help="roots to trust (PEM); default: those of the operating system")
    add("--cert", type=Path, metavar="FILE", help="the station's own certificate chain (PEM)")
    add("--key", type=Path, metavar="FILE", help="the key of --cert (PEM)")


class Wanted(msgspec.Struct, frozen=True):
    """What the options come to, checked."""

    ids: list[str]
    serials: list[str]
    shape: StationShape
    settings: Settings
    password: bytes | None
    cards: dict[str, TokenStatus | None]
    plan: Plan | None

    def __repr__(self) -> str:
        return f"Wanted({self.ids})"  # never the password


def run(args: argparse.Namespace) -> int:
    """Exit status: see EPILOG."""
    try:
        return asyncio.run(Run(args, wanted(args)).play())
    except (OSError, StoreError, ValueError) as error:
        for line in options.sentence(error).splitlines():
            print(f"station-sim run: {line}", file=sys.stderr)
        return MISUSED


def wanted(args: argparse.Namespace) -> Wanted:
    """Check everything that can be checked before anything begins. Raises ValueError, OSError."""
    if args.speed != 1:
        raise ValueError(
            "--speed needs a CSMS on the same scaled clock, which a foreign one is not: its time-outs and timestamps"
            " would be wrong. Use `station-sim demo --speed`, whose CSMS takes part."
        )
    source = plan_file.read(args.plan) if args.plan is not None else None
    options.take_plan(args, source.plan if source is not None else None)
    shape = options.shape(args)
    ids = options.names(args.id, args.count)
    secret = options.password(args)
    options.check_url(args.csms, ids, secret, options.tls(args))
    if doubt := options.doubt(ids):
        print(f"station-sim run: {doubt}", file=sys.stderr)
    plan = live_plan.check(source, len(ids), len(shape.slots)) if source is not None else None
    options.check_run(args)
    open_files.allow(len(ids))
    if args.view and (args.commands is not None or args.json):  # asked for
        raise ValueError("--view takes the screen and the keyboard: without --commands and --json")
    return Wanted(
        ids,
        options.serials(args),
        shape,
        options.settings(args),
        secret,
        options.cards(args.card),
        plan,
    )


class Run:
    """One run, from the first dialling to the exit status."""

    def __init__(self, args: argparse.Namespace, wants: Wanted) -> None:
        self.args, self.wants = args, wants
        self.stopped = asyncio.Event()
        self.ramped = False  # all stations have been started
        self.coming: asyncio.Task[None] | None = None  # people
        self.prompt: Prompt | None = None
        cleaner = Cleaner([wants.password] if wants.password else [])
        shows = args.frames is not None or args.pretty
        actions = options.frame_actions(args)
        shown = panel_app.wanted(args, "station-sim run")
        self.screen = panel_app.Screen(list(wants.cards), cleaner) if shown else None
        self.teller = Teller(
            args.json or args.commands is not None,
            args.quiet,
            self.screen.line if self.screen is not None else None,
            exchange=Exchange(actions) if shows else None,
            cleaner=cleaner,
            pretty=args.pretty,
            compat=args.events_compat,
            events=args.commands is not None,
            utc=shown,
            broken=self.stopped.set,
        )
        self.record = FrameFile(args.record) if args.record is not None else None
        self.watch = Contact(
            self.teller,
            self.record,
            cleaner,
            speak=not shown and (args.quiet or args.json or args.commands is not None),
        )
        self.witness = Witness(wants.plan) if wants.plan is not None and (wants.plan.expect or args.report) else None
        self.frames = shows or self.record is not None or shown or self.witness is not None

    async def play(self) -> int:
        """Exit status."""
        args, wants = self.args, self.wants
        on_end(asyncio.get_running_loop(), self.stopped.set)
        sinks = [EventFile(args.events, self._complain)] if args.events is not None else []
        inner: Sinks = self.screen.before(self.watch) if self.screen is not None else self.watch
        if self.witness is not None:
            inner = self.witness.before(inner)
        delivery = Delivery(inner, sinks, args.events_compat)
        live = Live(
            args.csms,
            wants.ids,
            wants.shape,
            serials=wants.serials,
            settings=wants.settings,
            password=wants.password,
            tls=options.tls(args),
            store=args.store,
            tick_ms=50 if args.count > 10 else 0,
            ramp_per_s=args.ramp,
            seed=args.seed,
            sinks=delivery,
            frames=self.frames,
            cache={uid: status for uid, status in wants.cards.items() if status is not None},
            begun=lambda host: self._begun(delivery, host),
        )
        self.lateness = Lateness(asyncio.get_running_loop())
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(live.close)
            timely = await self._until_over(live)
            if self.witness is not None:
                self.witness.end()
            await self._last_events(live)
            await delivery.drain()
        self._ended(live)
        delivery.close()
        if self.record is not None:
            self.record.close()
        unmet = self._report()
        return self._verdict(live, timely) or unmet

    def _begun(self, delivery: Delivery, host: Any) -> None:
        delivery.runner = host
        self.teller.scheduler = host.scheduler

    def _complain(self, text: str) -> None:
        print(f"station-sim run: {text}", file=sys.stderr, flush=True)

    async def _until_over(self, live: Live) -> bool:
        """Until a signal, the end of what was to be done, or no connection in time: then False."""
        ends: list[asyncio.Task[Any]] = [asyncio.create_task(self.stopped.wait())]
        executor = Executor(live)
        try:
            if not await self._all_started(live, executor, ends):
                return True
            self._begin_rest(live, executor, ends)
            within_s = self.args.connect_within
            if within_s is not None and not await self._connected(live, ends, within_s):
                return False
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.lateness.end()
            for task in (*ends, *([self.coming] if self.coming is not None else [])):
                task.cancel()
            if self.prompt is not None:
                self.prompt.cancel()
            if self.screen is not None:
                await self.screen.end()
        return True

    async def _all_started(self, live: Live, executor: Executor, ends: list[asyncio.Task[Any]]) -> bool:
        """Bring up one after the other, under the eyes of who looks; False where somebody ends it before all are there."""
        ramp = asyncio.create_task(live.start())
        await asyncio.sleep(0)  # the first is there, or has failed
        self.lateness.begin()
        if self.screen is not None and live.boards:
            ends.append(self.screen.begin(live, executor, self.lateness))
        await asyncio.wait([ramp, *ends], return_when=asyncio.FIRST_COMPLETED)
        self.ramped = ramp.done()
        if not self.ramped:
            ramp.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ramp
        self.lateness.begin()  # of a fleet at work
        return self.ramped

    def _begin_rest(self, live: Live, executor: Executor, ends: list[asyncio.Task[Any]]) -> None:
        """Whatever is to happen to stations, now that they are all there."""
        args = self.args
        self.teller.say("run", "started", f"{_chargers(live)} against {args.csms.partition('?')[0]}")
        if args.commands is not None:
            self.prompt = Prompt(executor, self.teller.answer)
            feed(self.prompt, args.commands)
            ends.append(asyncio.create_task(self.prompt.ended.wait()))
        if self.wants.plan is not None:
            beside = live_plan.beside(self.wants.plan, live.ids)
            if beside:
                self._complain(beside)
            over = live_plan.play(self.wants.plan, live, executor, self.teller.planned)
            ends.append(asyncio.create_task(over.wait()))
            if self.witness is not None:
                self.witness.begin(live, over)
        if args.drivers:
            coming = people(live, args.seed or 1, list(self.wants.cards), self.teller, args.ramp)
            self.coming = asyncio.create_task(coming)

    def _ended(self, live: Live) -> None:
        """The last line: how late the loop was while all stations were there."""
        if self.ramped:
            late = self.lateness
            text = f"{_chargers(live)}; the event loop was late by {late.figures()}"
            self.teller.say("run", "ended", text, **late.as_json())

    async def _connected(self, live: Live, ends: list[asyncio.Task[Any]], within_s: float) -> bool:
        """Whether all stations have been accepted in time, or it is over before."""
        deadline = live.host.loop.time() + within_s
        while not all(live.ear.of(identity).accepted for identity in live.ids):
            left = deadline - live.host.loop.time()
            if left <= 0:
                return False
            done, _ = await asyncio.wait(ends, timeout=min(left, 0.1), return_when=asyncio.FIRST_COMPLETED)
            if done:
                break
        return True

    async def _last_events(self, live: Live) -> None:
        """What has just happened is on its way to the disk: its events follow, unless somebody is in a hurry."""
        deadline = live.host.loop.time() + LAST_S
        while not self.stopped.is_set() and live.host.loop.time() < deadline:
            if not any(unit.core is not None and unit.core.events.waiting for unit in live.host.units.values()):
                return
            await asyncio.sleep(0.02)

    def _report(self) -> int:
        """What became of the plan's expectations."""
        if self.witness is None:
            return FINE
        run = self.witness.played(str(self.args.plan))
        lines = self.args.json or self.args.commands is not None
        expect_report.write([run], self.args.report or ("json" if lines else "text"), self.args.report_file)
        return FINE if run.passed else WRONG

    def _verdict(self, live: Live, timely: bool) -> int:
        if live.host.bugs or (self.record is not None and self.record.broken):
            return WRONG
        if self.teller.gone:  # whoever read our output has had enough
            return WRONG if self.teller.problems else FINE
        seen = {identity: live.ear.of(identity) for identity in live.ids}
        never = [id for id, one in seen.items() if not one.accepted and (self.ramped or one.failure)]
        if never:
            within = f" within {self.args.connect_within:g} s" if not timely else ""
            count = "the charger was" if len(live.ids) == 1 else f"{len(never)} of {len(live.ids)} chargers were"
            one, why = seen[never[0]], ""
            if one.failure and not one.connected:
                self.watch.complain(never[0], one.failure)
            else:
                why = f"; {'it is' if len(live.ids) == 1 else f'{never[0]} is'} {one.contact}"
            print(f"station-sim run: {count} never accepted by the CSMS{within}{why}", file=sys.stderr)
            return UNCONNECTED
        return WRONG if self.prompt is not None and self.prompt.failed else FINE


def _chargers(live: Live) -> str:
    return "1 charger" if len(live.ids) == 1 else f"{len(live.ids)} chargers"


async def people(live: Live, seed: int, cards: list[str], teller: Teller, a_second: int) -> None:
    """Visits for every charger, for some days; they begin at so many chargers a second, for nowhere do thousands come at once."""
    more = {"cards": tuple(cards)} if cards else {}
    for number, board in enumerate(live.boards.values()):
        await asyncio.sleep(1 / a_second if number and a_second else 0)
        visits = arrivals(seed + number, 50, len(live.shape.slots), **more)
        make = functools.partial(Driver, board=board, on_event=teller.driver, seed=seed + number)
        come(iter(visits), live.host.scheduler, make, live.host.clock.mono_ns())
