"""`station-sim run`: virtual chargers against any OCPP 1.6 backend, from one to thousands in this process.

Against a foreign backend time runs as it does; people with cars come on request. Not here: the live view, plans, commands from a prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Any

from ocpp_client.link import LinkProfile, check_profile
from sim.fleet import Fleet
from sim.people import Driver, arrivals
from sim.telling import Teller
from station.words.settings import TEMPLATES

EXAMPLES = """\
examples:
  station-sim run --csms ws://127.0.0.1:9000/ocpp --id CP1 --drivers
  station-sim run --csms wss://csms.example/ocpp --id CP1 --password-file secret
  station-sim run --csms ws://127.0.0.1:9000 --id CP1 --count 2000 --ramp 200 --quiet
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run",
        help="virtual chargers against your backend",
        description=__doc__.partition("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--csms", required=True, metavar="URL", help="ws:// or wss://; the identity is appended")
    add("--id", default="CP1", help="identity; with --count the number at its end counts up (CP1)")
    add("--count", type=int, default=1, metavar="N", help="how many chargers (1)")
    add("--ramp", type=int, default=200, metavar="N", help="how many start in a second (200)")
    add("--template", choices=sorted(TEMPLATES), default="two-sockets-22kw", help="what each of them is")
    add("--drivers", action="store_true", help="people come, plug, tap, charge, tap and leave")
    add("--card", action="append", default=[], metavar="UID", help="a card the drivers have")
    add("--password-file", type=Path, metavar="FILE", help="basic authentication")
    add("--store", metavar="FILE", help="keep the stations' records there, so that they survive this process")
    add("--seed", type=int, default=1, help="who comes, when (1)")
    add("--speed", type=int, default=1, help=argparse.SUPPRESS)
    add("--json", action="store_true", help="one JSON object a line")
    add("--quiet", action="store_true", help="no line for each event")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: ended by a signal in good order; 1: a bug stopped a station; 2: the call is wrong."""
    if args.speed != 1:
        print(
            "station-sim run: --speed needs a CSMS on the same scaled clock, which a foreign one is not: its time-outs and timestamps"
            " would be wrong. Use `station-sim demo --speed`, whose CSMS takes part.",
            file=sys.stderr,
        )
        return 2
    try:
        password = args.password_file.read_bytes().strip() if args.password_file else None
        ids = names(args.id, args.count)
        check_profile(LinkProfile(args.csms, ids[0], ("ocpp1.6",), password))
    except (OSError, ValueError) as error:
        print(f"station-sim run: {error}", file=sys.stderr)
        return 2
    return asyncio.run(serve(args, ids, password))


def names(first: str, count: int) -> list[str]:
    """CP1, CP2, ... or CP008, CP009, CP010: the number at the end counts up. ValueError for a count below 1."""
    if count < 1:
        raise ValueError(f"--count {count}: at least 1")
    if count == 1:
        return [first]
    match = re.fullmatch(r"(.*?)(\d*)", first)
    assert match is not None
    stem, digits = match.groups()
    start = int(digits or 1)
    return [f"{stem}{number:0{len(digits)}}" for number in range(start, start + count)]


async def serve(args: argparse.Namespace, ids: list[str], password: bytes | None) -> int:
    teller = Teller(args.json, args.quiet)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    tick_ms = 50 if args.count > 10 else 0
    fleet = Fleet(
        args.csms,
        ids,
        args.template,
        password=password,
        store=args.store,
        tick_ms=tick_ms,
        ramp_per_s=args.ramp,
        seed=args.seed,
        sinks=teller,
    )
    async with fleet:
        teller.scheduler = fleet.host.scheduler
        teller.say("run", "started", f"{len(ids)} chargers against {args.csms}")
        if args.drivers:
            people(fleet, args, teller)
        await stopped.wait()
        bugs = fleet.host.bugs
    return 1 if bugs else 0


def people(fleet: Fleet, args: argparse.Namespace, teller: Teller) -> None:
    """Visits for every charger, for some days."""
    slots = len(TEMPLATES[args.template].slots)
    for number, (_, board) in enumerate(fleet.boards.items()):
        cards = {"cards": tuple(args.card)} if args.card else {}
        for visit in arrivals(args.seed + number, 50, slots, **cards):
            Driver(visit, board, teller.driver, args.seed + number).begin(fleet.host.scheduler)
