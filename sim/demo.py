"""`station-sim demo`: drivers come to a virtual station that charges them against a CSMS of its own, over a real WebSocket.

The CSMS is a process of its own and keeps its books; the meters keep their memories; at the end a third process compares the
two. Its status is the demo's. Not here: the hardware (`board.py`), the people (`people.py`), the comparison (`account.py`), the live
view (`panel_app.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ocpp_client.link import LinkProfile
from ocpp_client.secrets import Cleaner
from sim import options, panel_app
from sim.batteries import batteries, write_batteries
from sim.board import SimBoard
from sim.chaos import Chaos, ShakyHost, mishaps
from sim.csms.books import utc_ms
from sim.csms.control import CARD_STATUS, Behaviour
from sim.frames import Exchange, FrameFile
from sim.meter import write_memories
from sim.people import Driver, arrivals
from sim.rng import Stream
from sim.telling import Teller, Watch
from station.adapters.delivery import Delivery
from station.adapters.event_file import EventFile
from station.core.effects import Note
from station.shell.host import Host
from station.shell.plan import Plan
from station.shell.runner import Unit
from station.shell.signals import on_end
from station.words.common import Measurand, TokenStatus
from station.words.settings import Settings, StationShape

IDENTITY = "DEMO-1"
SAMPLED = (Measurand.ENERGY_IMPORT, Measurand.POWER_IMPORT)
SAMPLES_S = 30  # between two powers a car may do anything; what they come to has to be within 2 % of what it drew
STUMBLE_S = 2  # real seconds that this machine may be busy with something else before a meter counts as lost
SETTLES_S = 20.0  # real seconds for the last messages to arrive
KEPT = (
    "books.jsonl",
    "meters.json",
    "batteries.json",
    "station.db",
)  # what a demo leaves behind, and files beside them
EXAMPLES = """\
examples:
  station-sim demo                                  four sessions at 300 times real speed, then the comparison
  station-sim demo --sessions 8 --speed 300 --seed 1 --exit --json
  station-sim demo --slots 4 --frames StartTransaction,StopTransaction --events events.jsonl
  station-sim demo --sessions 8 --speed 600 --chaos --exit   the link cut twice, the station killed, its power cut: the accounts agree
  station-sim demo --csms ws://127.0.0.1:9000 --epoch 2026-06-01T08:00:00.000Z@2026-09-01T12:34:56.789Z
      against a CSMS that you started with `station-sim csms --speed 300 --json`, whose first line says `epoch`

exit status: 0 the accounts agree; 1 they differ, or a driver was not served; 2 the call is wrong
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="a station charges cars against a CSMS of its own",
        description=__doc__.partition("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--sessions", type=int, default=4, metavar="N", help="how many drivers come (4)")
    add("--speed", type=int, default=300, metavar="N", help="simulated time runs N times as fast as real time (300)")
    add("--seed", type=int, default=1, metavar="S", help="who comes, when, with which car (1)")
    add("--exit", action="store_true", help="end when the last driver has left, instead of waiting for Ctrl-C")
    add(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep books, meters' memories and the station's disk there; those of an earlier demo are replaced",
    )
    add(
        "--csms",
        metavar="URL",
        help="use this CSMS, which must run on the same clock; needs --epoch from its first line",
    )
    add("--epoch", default="", metavar="UTC@REAL", help="what the clock of --csms showed at which real time")
    add(
        "--chaos",
        action="store_true",
        help="cut the link twice, kill the station once, cut its power once (drawn from --seed)",
    )
    add("--lose", default="", metavar="ACTION:NTH", help="let the CSMS lose this from its books, to see it found")
    add(
        "--card",
        action="append",
        default=[],
        metavar="UID[:STATUS]",
        help="a card the drivers have, and what the CSMS says of it (accepted)",
    )
    options.add_view(parser)
    options.add_station(parser)
    options.add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: books and meters agree; 1: they differ, or a driver was not served; 2: the call is wrong."""
    try:
        if args.sessions < 1:
            raise ValueError(f"--sessions {args.sessions}: at least 1")
        if not 1 <= args.speed <= 3600:
            raise ValueError(f"--speed {args.speed}: from 1 to 3600")
        shape = options.shape(args)
        meter_lost_s = max(Settings().meter_lost_s, STUMBLE_S * args.speed)
        base = Settings(sampled=SAMPLED, sample_interval_s=SAMPLES_S, ping_interval_s=30, meter_lost_s=meter_lost_s)
        settings = options.settings(args, base)
        cards = options.cards(args.card)
        for uid, status in cards.items():
            if status is not None and status.value not in CARD_STATUS:
                raise ValueError(f"--card {uid}: its status is one of {', '.join(CARD_STATUS)}")
        options.check_files(args)
        options.frame_actions(args)
        _check_csms(args)
        if args.view and args.json:
            raise ValueError("--view takes the screen: without --json")
        if args.keep is not None:
            if args.keep.is_file():
                raise ValueError(f"--keep {args.keep}: this is a file; name a folder that is empty or new")
            args.keep.mkdir(parents=True, exist_ok=True)
            _check_kept(args.keep)
    except (OSError, ValueError) as error:
        print(f"station-sim demo: {options.sentence(error)}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="station-sim-")))
        for old in folder.iterdir():
            old.unlink()
        return asyncio.run(Demo(args, folder, shape, settings, cards).play())


def _check_kept(folder: Path) -> None:
    """ValueError for a folder that holds anything but what an earlier demo left there, which goes."""
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(KEPT) or not path.is_file():
            raise ValueError(
                f"--keep {folder}: {path.name} is not of an earlier demo; name a folder that is empty or new"
            )


def _check_csms(args: argparse.Namespace) -> None:
    """ValueError for what no CSMS could be told, ours or another."""
    if args.lose:
        Behaviour().set_loss(args.lose)
    if args.csms is None:
        if args.epoch:
            raise ValueError("--epoch is of the clock of another CSMS: it needs --csms")
        return
    options.check_url(args.csms, [IDENTITY], None, None)
    if args.lose:
        raise ValueError("--lose is told to the CSMS of the demo: without --csms")
    shown, _, real = args.epoch.partition("@")
    if not shown or not real:
        raise ValueError("--csms needs --epoch UTC@REAL, from the first line of `station-sim csms --json`")
    utc_ms(shown), utc_ms(real)


class Heard(Watch):
    """Knows whether the CSMS has ever accepted the station."""

    accepted = False

    def note(self, unit: Unit, note: Note) -> None:
        self.accepted |= note.code == "registered" and note.values[0] == "accepted"
        super().note(unit, note)


class Demo:
    """One run. `folder` holds what the three accounts are made of."""

    def __init__(
        self,
        args: argparse.Namespace,
        folder: Path,
        shape: StationShape,
        settings: Settings,
        cards: dict[str, TokenStatus | None],
    ) -> None:
        self.args = args
        self.folder = folder
        self.shape, self.settings, self.cards = shape, settings, cards
        self.stopped = asyncio.Event()
        cleaner, shows = Cleaner(), args.frames is not None or args.pretty
        actions = options.frame_actions(args)
        shown = panel_app.wanted(args, "station-sim demo")
        self.screen = panel_app.Screen(list(cards), cleaner) if shown else None
        self.teller = Teller(
            args.json,
            args.quiet,
            self.screen.line if self.screen is not None else None,
            exchange=Exchange(actions) if shows else None,
            pretty=args.pretty,
            compat=args.events_compat,
            utc=shown,
            broken=self.stopped.set,
        )
        self.record = FrameFile(args.record) if args.record is not None else None
        self.frames = shows or self.record is not None or shown
        self.watch = Heard(self.teller, self.record, cleaner)
        self.drivers: list[Driver] = []
        self.started_s = time.monotonic()

    async def play(self) -> int:
        on_end(asyncio.get_running_loop(), self.stopped.set)
        csms, url, epoch = await self._csms()
        try:
            await self._station(url, epoch)
        finally:
            if csms is not None:
                csms.terminate()
                await csms.wait()
        if self.record is not None and self.record.broken:
            self.teller.problems.append("the recording is not whole")
        if csms is not None:
            return await self._compare()
        if not self.watch.accepted:
            print("station-sim demo: the station was never accepted by the CSMS", file=sys.stderr)
        return 0 if self.watch.accepted and not self.teller.problems else 1

    # --- the three processes ---

    async def _csms(self) -> tuple[asyncio.subprocess.Process | None, str, str]:
        """Start the CSMS, unless there is one; its first line says where it listens and what its clock shows."""
        args = self.args
        if args.csms:
            return None, args.csms, args.epoch
        command = ["-m", "sim.cli", "csms", "--port", "0", "--json", "--quiet", "--speed", str(args.speed)]
        command += ["--books", str(self.folder / "books.jsonl")]
        if args.lose:
            command += ["--lose", args.lose]
        for uid, status in self.cards.items():
            command += ["--card", f"{uid}:{status.value if status is not None else 'accepted'}"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            told = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        except (TimeoutError, ValueError):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise OSError("the CSMS of the demo has not begun to listen") from None
        self.teller.say("csms", "listening", f"listens on {told['listening']}", url=told["listening"])
        return process, told["listening"], told["epoch"]

    async def _compare(self) -> int:
        command = ["-m", "sim.cli", "account", "--books", str(self.folder / "books.jsonl")]
        command += ["--batteries", str(self.folder / "batteries.json")]
        command += ["--meters", str(self.folder / "meters.json"), *(["--json"] if self.args.json else [])]
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        print(out.decode().rstrip(), flush=True)
        unserved = [d for d in self.drivers if not d.gone]
        if unserved and not self.stopped.is_set():
            print(f"station-sim demo: {len(unserved)} drivers were not served", file=sys.stderr)
            return 1
        if unserved and process.returncode:
            self._complain("it was ended before all drivers had left: what is still being charged is in no book yet")
        return process.returncode or (1 if self.teller.problems else 0)

    # --- the station ---

    async def _station(self, url: str, epoch: str) -> None:
        args = self.args
        profile = LinkProfile(url, IDENTITY, ("ocpp1.6",))
        plan = Plan(self.shape, self.settings, real=args.speed, os_boot=f"{args.seed}")
        sinks = [EventFile(args.events, self._complain)] if args.events is not None else []
        inner = self.screen.before(self.watch) if self.screen is not None else self.watch
        delivery = Delivery(inner, sinks, args.events_compat)
        kind = panel_app.ViewedHost if self.screen is not None else ShakyHost
        host = delivery.runner = kind(
            delivery,
            lambda unit: profile,
            store=str(self.folder / "station.db"),
            speed=args.speed,
            epoch_ms=_now_ms(epoch, args.speed),
        )
        self.teller.scheduler = host.scheduler
        board = SimBoard(plan.shape, seed=args.seed, log_periods=True)
        unit = Unit(IDENTITY, plan, board, Stream(args.seed, "core"))
        unit.frames = self.frames
        live = panel_app.adopt(url, self.shape, host, unit, board) if isinstance(host, panel_app.ViewedHost) else None
        host.add(unit)
        cards = {"cards": tuple(self.cards)} if self.cards else {}
        visits = arrivals(args.seed, args.sessions, len(plan.shape.slots), **cards)
        self.chaos = Chaos(host, unit, board, self.drivers, self.teller.say)
        if args.chaos:
            self.chaos.begin(mishaps(args.seed, visits))
        for visit in visits:
            driver = Driver(visit, board, self.teller.driver, args.seed)
            driver.begin(host.scheduler)
            self.drivers.append(driver)
        async with panel_app.shown(self.screen, live, self.stopped.set):
            await self._watch(host, unit, board)
        write_memories(self.folder / "meters.json", board.memories(IDENTITY))
        cars = batteries(self.drivers, host.scheduler.now().mono_ns)
        write_batteries(self.folder / "batteries.json", cars)
        await delivery.drain()
        await host.close()
        delivery.close()
        if self.record is not None:
            self.record.close()

    def _complain(self, text: str) -> None:
        print(f"station-sim demo: {text}", file=sys.stderr, flush=True)

    async def _watch(self, host: Host, unit: Unit, board: SimBoard) -> None:
        """Until every driver has left and every message has arrived, or somebody stops us."""
        first_wh = False
        while not self.stopped.is_set():
            if not first_wh and any(board.true_energy_mwh(s.number) >= 1000 for s in board.slots):
                first_wh = True
                real_s = time.monotonic() - self.started_s
                self.teller.say(
                    "demo", "first-wh", f"the first Wh flowed {real_s:.1f} s after the start", real_s=round(real_s, 3)
                )
            if self.chaos.over and all(driver.gone for driver in self.drivers):
                if self.args.chaos:
                    self.chaos.clear()
                if self.args.exit:
                    await self._settled(host, unit)
                    return
                self.args.exit = True
                self.teller.say(
                    "demo", "waiting", "all drivers have left; Ctrl-C ends the demo and compares the accounts"
                )
                await self.stopped.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopped.wait(), 0.05)

    async def _settled(self, host: Host, unit: Unit) -> None:
        deadline = time.monotonic() + SETTLES_S
        while time.monotonic() < deadline:
            core = unit.core
            idle = core is not None and not core.connection.outbox.records and not core.events.waiting
            if core is not None and idle and all(s.session is None for s in core.slots):
                await asyncio.sleep(0.2)
                return
            await asyncio.sleep(0.05)


def _now_ms(epoch: str, speed: int) -> int | None:
    """What a clock shows now that showed SHOWN at REAL (`SHOWN@REAL`) and runs `speed` times as fast."""
    shown, _, real = epoch.partition("@")
    if not shown or not real:
        return None
    return utc_ms(shown) + round((time.time() * 1000 - utc_ms(real)) * speed)
