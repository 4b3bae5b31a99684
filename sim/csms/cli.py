"""`station-sim csms`: the options of the CSMS, its lines on the screen, and its prompt.

Mounted with `add_parser(subparsers)`; `run(args)` serves until SIGINT, SIGTERM, `quit` or the end of standard input.
Not here: how the CSMS answers (server.py, control.py) and what its file means (books.py).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import math
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sim import open_files
from sim.csms.actions import known
from sim.csms.books import BooksError, Boot, Event, Meter, Note, Start, Status, Stop, Violation
from sim.csms.clock import Clock
from sim.csms.control import HANDSHAKES, HELP, IDS, Behaviour, CommandFailed, later, obey
from sim.csms.server import Csms, check_call
from station.shell.signals import on_end

ABOUT = """\
A small real CSMS for OCPP 1.6-J. It accepts every station and every card until told otherwise, keeps books of what it
heard, and writes down what a station does against the specification (the violations)."""

EXAMPLES = f"""\
examples:
  station-sim csms
      listens on ws://127.0.0.1:9000/<identity>, all cards are good
  station-sim csms --books books.jsonl --card DEADBEEF --card 04A1B2C3:blocked --card 04D1E2F3:accepted:FLEET7
      two good cards and a blocked one; one belongs to group FLEET7; others may read the file of the books meanwhile
  station-sim csms --registration pending:2 --on-boot 'get {{id}} --now' --on-boot 'trigger {{id}} Heartbeat --now'
      the first two BootNotifications are answered Pending; two commands follow each answer at once
  station-sim csms --delay 20:Authorize --silent Heartbeat
      Authorize is answered after 20 s, Heartbeat never
  station-sim csms --speed 300 --port 0 --json
      its clock runs 300 times as fast; the first line of output says where it listens and what the clock shows
  station-sim csms --password CP1:0123456789abcdef --tls-cert server.pem --tls-key server.key --client-ca stations.pem
      wss, basic authentication, and a client certificate
  station-sim csms --prompt
      then, for example: remote-start CP1 --card DEADBEEF --connector 1

on the prompt, or as {{"id": 1, "station": "CP1", "action": "Reset", "payload": {{"type": "Soft"}}}}:
{HELP}
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Register `csms`; the parsed arguments carry `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "csms",
        help="a small real CSMS for OCPP 1.6",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_place(parser.add_argument_group("where it listens, and what it keeps"))
    _add_answers(parser.add_argument_group("how it answers"))
    _add_mischief(parser.add_argument_group("deliberate misbehaviour"))
    return parser


def _add_place(group: Any) -> None:
    add = group.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add("--port", type=int, default=9000, help="0 picks a free one (9000)")
    add("--books", type=Path, metavar="FILE", help="append the books to FILE; without it they are kept in memory")
    add("--speed", type=float, default=1.0, metavar="N", help="the clock runs N times as fast as the real one")
    add("--epoch", default="", metavar="UTC[@REAL]", help="what the clock shows at the start, or showed at a real time")
    add("--json", action="store_true", help="JSON lines instead of text")
    add("--quiet", action="store_true", help="no line for each event")
    add("--prompt", action="store_true", help="read commands from standard input; its end is the end")
    add("--tls-cert", type=Path, metavar="PEM", help="certificate chain: wss instead of ws")
    add("--tls-key", type=Path, metavar="PEM", help="its private key")
    add("--client-ca", type=Path, metavar="PEM", help="stations must show a certificate signed by it")
    add("--no-validate", action="store_true", help="do not check payloads against the schemas: for load")


def _add_answers(group: Any) -> None:
    add = group.add_argument
    add("--card", action="append", default=[], metavar="UID[:STATUS[:GROUP[:EXPIRY]]]", help="a card it knows")
    unknown = group.add_mutually_exclusive_group()
    unknown.add_argument(
        "--accept-unknown-cards",
        action="store_true",
        default=None,
        dest="accept_unknown",
        help="cards not given by --card are good: the default as long as no --card is given",
    )
    unknown.add_argument(
        "--reject-unknown-cards",
        action="store_false",
        dest="accept_unknown",
        help="cards not given by --card are Invalid: the default otherwise",
    )
    add("--one-at-a-time", action="store_true", help="a card in an open transaction is ConcurrentTx for another one")
    add("--registration", default="accepted", metavar="STATUS[:N]", help="accepted, pending, rejected; N times")
    add("--registration-interval", type=int, default=10, metavar="S", help="interval of pending and rejected (10)")
    add("--heartbeat", type=int, default=300, metavar="S", help="interval of accepted (300)")
    add("--password", action="append", default=[], metavar="ID:PW", help="basic authentication; others are refused")
    add("--known", action="append", default=[], metavar="ID", help="only these identities, 404 for others")
    add("--vendor", action="append", default=[], metavar="ID", help="accept DataTransfer of this vendor")


def _add_mischief(group: Any) -> None:
    add = group.add_argument
    add("--delay", action="append", default=[], metavar="S[:ACTION]", help="answer after S real seconds")
    add("--silent", action="append", default=[], metavar="ACTION", help="never answer, as if it had not come; * is all")
    add("--lose", action="append", default=[], metavar="ACTION:NTH", help="answer it, but leave it out of the file")
    add("--ids", choices=IDS, default="unique", help="transactionIds: unique, always 0, always 1")
    add("--handshake", choices=HANDSHAKES, default="ok", help="how every connection is received")
    add("--on-boot", action="append", default=[], metavar="LINE", help="command after each answer to a boot; {id}")
    add("--call-timeout", type=float, default=30.0, metavar="S", help="a CALL left unanswered is out for so long (30)")


def behaviour(args: argparse.Namespace) -> Behaviour:
    """The behaviour the options describe. ValueError for what is malformed."""
    _check(args)
    made = Behaviour(
        accept_unknown=not args.card if args.accept_unknown is None else args.accept_unknown,
        one_at_a_time=args.one_at_a_time,
        registration_interval_s=args.registration_interval,
        heartbeat_s=args.heartbeat,
        ids=args.ids,
        vendors=set(args.vendor),
        known=set(args.known),
        handshake=args.handshake,
        on_boot=args.on_boot,
        call_timeout_s=args.call_timeout,
    )
    for option, reader, texts in (
        ("registration", made.set_registration, [args.registration]),
        ("card", made.add_card, args.card),
        ("delay", made.set_delay, args.delay),
        ("lose", made.set_loss, args.lose),
        ("silent", made.set_silent, args.silent),
        ("on-boot", _check_later, args.on_boot),
    ):
        for text in texts:
            with _of_option(option, text):
                reader(text)
    for text in args.password:
        station, colon, password = text.partition(":")
        if not station or not colon or not password:
            raise ValueError("--password is ID:PW, for one station")
        made.passwords[station] = password
    return made


@contextlib.contextmanager
def _of_option(option: str, text: str) -> Iterator[None]:
    """A ValueError of its reader names the option."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"--{option} {text}: {error}") from None


def _check_later(line: str) -> None:
    """ValueError for a line of --on-boot that no boot could make right."""
    request = later(line)
    if request is not None:
        try:
            asyncio.run(check_call(known(request.action), request.payload))
        except CommandFailed as error:
            raise ValueError(error.text) from None


def _check(args: argparse.Namespace) -> None:
    """ValueError for a number out of bounds, for texts that are empty, and for options that need others."""
    for name in ("known", "vendor", "on_boot"):
        if not all(text.strip() for text in getattr(args, name)):
            raise ValueError(f"--{name.replace('_', '-')}: it is empty")
    if not 0 <= args.port <= 65535:
        raise ValueError(f"--port {args.port}: from 0 to 65535")
    if not 0 < args.speed < math.inf:
        raise ValueError(f"--speed {args.speed:g}: above 0")
    for name in ("heartbeat", "registration_interval", "call_timeout"):
        if not 0 <= getattr(args, name) < math.inf:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name):g}: 0 or more")
    if args.tls_cert is None and (args.tls_key is not None or args.client_ca is not None):
        raise ValueError("--tls-key and --client-ca need --tls-cert")
    for name in ("tls_cert", "tls_key", "client_ca"):
        path = getattr(args, name)
        if path is not None and not path.is_file():
            raise ValueError(f"--{name.replace('_', '-')} {path}: there is no such file")


def _listening(error: OSError, args: argparse.Namespace) -> str:
    """What was wrong, for people."""
    if error.errno == errno.EADDRINUSE:
        return f"port {args.port} of {args.host} is taken; take another, or --port 0 for a free one"
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return error.strerror or str(error)


def _clock(args: argparse.Namespace) -> Clock:
    with _of_option("epoch", args.epoch):
        return Clock(args.speed, args.epoch)


def _tls(args: argparse.Namespace) -> ssl.SSLContext | None:
    if not args.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(args.tls_cert, args.tls_key, password="")  # else it would ask for one
    except (ssl.SSLError, ValueError):
        where = f"--tls-cert {args.tls_cert}" + (f" with --tls-key {args.tls_key}" if args.tls_key else "")
        hint = "" if args.tls_key else "; a key in a file of its own is given with --tls-key"
        raise ValueError(f"{where}: no certificate (PEM) with its key, without a passphrase{hint}") from None
    if args.client_ca:
        try:
            context.load_verify_locations(args.client_ca)
        except ssl.SSLError:
            raise ValueError(f"--client-ca {args.client_ca}: no certificate (PEM) in it") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 after an orderly end, 1 if it could not listen or read its books, 2 for options that make no sense."""
    try:
        csms = Csms(
            host=args.host,
            port=args.port,
            path=args.books,
            behaviour=behaviour(args),
            clock=_clock(args),
            validate=not args.no_validate,
            tls=_tls(args),
            listener=None if args.quiet else _show_json if args.json else _show_text,
        )
    except ValueError as error:
        print(f"station-sim csms: {error}", file=sys.stderr)
        return 2
    open_files.allow_many()
    try:
        asyncio.run(_serve(csms, args))
    except BooksError as error:
        print(f"station-sim csms: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"station-sim csms: {_listening(error, args)}", file=sys.stderr)
        return 1
    return 0


async def _serve(csms: Csms, args: argparse.Namespace) -> None:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    on_end(loop, end.set)
    async with csms:
        clock = f", clock {csms.clock.speed:g} times as fast" if csms.clock.speed != 1 else ""
        with contextlib.suppress(BrokenPipeError):  # a full disk is told: somebody may wait for this line
            print(json.dumps(csms.listening) if args.json else f"listening on {csms.url}/<id>{clock}", flush=True)
        if args.prompt:
            _read_prompt(csms, loop, end, args.json)
        waits = [asyncio.create_task(one.wait()) for one in (end, csms.broken)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    books = csms.books
    summary = {
        "transactions": len(books.transactions),
        "open": len(books.open),
        "wh": books.total_wh,
        "violations": len(books.violations),
        "duplicates": len(books.duplicates),
        "unknown_stops": len(books.unknown_stops),
        "refused": len(books.refused),
    }
    text = ", ".join(f"{value} {_counted(key, value)}" for key, value in summary.items())
    _print(json.dumps({"closed": summary}) if args.json else text)


def _counted(key: str, count: int) -> str:
    """What is counted, in words."""
    words = "Wh" if key == "wh" else key.replace("_", " ")
    return words.removesuffix("s") if count == 1 else words


def _read_prompt(csms: Csms, loop: asyncio.AbstractEventLoop, end: asyncio.Event, as_json: bool) -> None:
    """Obey the lines of standard input as they come. A thread reads, so a terminal, a pipe and a file are alike."""
    running: set[asyncio.Task[None]] = set()

    async def answer(line: str) -> None:
        result = await obey(csms, line)
        text = "\n".join(result.get("text", ())) or f"{result.get('error') or result.get('answer', 'done')}"
        _print(json.dumps(result) if as_json else text)

    def take(line: str) -> None:
        if line.strip() in ("quit", "exit"):
            end.set()
        elif line.strip():
            task = loop.create_task(answer(line))
            running.add(task)
            task.add_done_callback(running.discard)

    threading.Thread(target=_read_lines, args=(loop, take, end.set), daemon=True).start()


def _read_lines(loop: asyncio.AbstractEventLoop, take: Callable[[str], None], end: Callable[[], None]) -> None:
    rest = b""
    with contextlib.suppress(RuntimeError):  # the loop is closed
        while chunk := os.read(0, 65536):  # not sys.stdin: its lock would be in the way of an orderly exit
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(take, line.decode(errors="replace"))
        loop.call_soon_threadsafe(end)


def _print(text: str) -> None:
    """It serves on where nobody reads, or there is no room."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _is_own(event: Event) -> bool:
    """Of the CSMS itself: its first and its last line say that already."""
    return isinstance(event, Note) and event.what in ("opened", "closed")


def _show_json(event: Event) -> None:
    if not _is_own(event):
        _print(msgspec.json.encode(event).decode())


def _show_text(event: Event) -> None:
    match event:
        case Boot():
            text = f"boot of {event.vendor} {event.model}: {event.answer}"
        case Status():
            text = f"connector {event.connector} {event.status}" + f" {event.error}" * (event.error != "NoError")
        case Start():
            text = f"transaction {event.transaction} begins: connector {event.connector}, card {event.id_tag} "
            text += f"{event.answer}, {event.meter_start_wh} Wh"
        case Stop():
            text = f"transaction {event.transaction} ends: {event.reason or 'Local'}, {event.meter_stop_wh} Wh"
        case Violation():
            text = f"VIOLATION {event.code}: {event.detail}"
        case Note():
            text = " ".join(one for one in (event.what, event.action, event.answer, event.detail) if one)
        case Meter():
            return
    if not _is_own(event):
        _print(f"{event.at[11:19]} {event.station} {text}")
