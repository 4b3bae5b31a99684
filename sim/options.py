"""Options that commands of `station-sim` share, and what they come to: the shape of a station, its settings, secrets, cards.

Not here: the commands. Mistakes are ValueErrors, whose texts are for people.
"""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ocpp_client.link import LinkProfile, check_identity, check_profile
from ocpp_client.tls import TlsProfile, context_for
from sim.csms.actions import known, messages
from sim.expect_report import FORMATS
from sim.plan import Plan
from station.words.common import TokenStatus
from station.words.settings import NAMES, TEMPLATES, Settings, SlotShape, StationShape, allowed, changed, parse, spell

CARD_STATUSES: Final = tuple(status.value for status in TokenStatus)
AUTH: Final = ("csms", "free")
SLOTS_MAX: Final = 64
TEMPLATE: Final = "two-sockets-22kw"
_ROTATIONS: Final = ("RST", "STR", "TRS")
_LONGEST: Final = {
    "vendor": 20,
    "model": 20,
    "serial": 25,
    "firmware": 50,
}  # characters, of OCPP 1.6's BootNotification


def add_station(parser: Any) -> None:
    """What each station is."""
    add = parser.add_argument_group("the station").add_argument
    add("--template", choices=sorted(TEMPLATES), help=f"what it is ({TEMPLATE})")
    add("--slots", type=int, metavar="N", help="so many slots like the template's; the supply grows with them")
    add("--vendor", metavar="TEXT", help="chargePointVendor, up to 20 characters")
    add("--model", metavar="TEXT", help="chargePointModel, up to 20 characters")
    add("--serial", metavar="TEXT", help="serial number, up to 25 characters; default: the identity")
    add("--firmware", metavar="TEXT", help="firmwareVersion, up to 50 characters")
    add("--auth", choices=AUTH, default="csms", help="who decides about cards; free: who plugs, charges")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting by its neutral name; `--set help` tells them",
    )


def add_plan(group: Any) -> None:
    """A plan, and what is told of its expectations."""
    add = group.add_argument
    add("--plan", type=Path, metavar="FILE", help="play a plan (YAML or JSON) in real time, heal everything, and end")
    add("--report", choices=FORMATS, help="how to tell at the end what became of its expectations (text)")
    add("--report-file", type=Path, metavar="FILE", help="write that there; default: standard output")


def take_plan(args: argparse.Namespace, plan: Plan | None) -> None:
    """What the options leave open about the stations is as the plan has it. ValueError for a report without a plan; OSError."""
    if args.plan is None and (args.report is not None or args.report_file is not None):
        raise ValueError("--report tells what became of a plan's expectations: it needs --plan")
    if args.report_file is not None:
        args.report_file.open("ab").close()
    if plan is not None:
        template = plan.shape.stations[0]  # one that is not there is told with the plan's other mistakes
        args.template = args.template or (template if template in TEMPLATES else None)
        args.count = len(plan.shape.stations) if args.count is None else args.count
        args.set = [*(f"{name}={value}" for name, value in plan.shape.settings.items()), *args.set]
    args.count = 1 if args.count is None else args.count


def add_output(parser: Any) -> None:
    """What is told, and where to."""
    add = parser.add_argument_group("what is told").add_argument
    add("--json", action="store_true", help="one JSON object a line")
    add("--quiet", action="store_true", help="no line for each thing that happens")
    add(
        "--frames", nargs="?", const="", metavar="ACTION,...", help="show OCPP messages: all, or those of these actions"
    )
    add("--pretty", action="store_true", help="show OCPP messages over several lines")
    add(
        "--record", type=Path, metavar="FILE", help="every OCPP message both ways into a file of JSON Lines, begun anew"
    )
    add("--events", type=Path, metavar="FILE", help="append every event (CloudEvents 1.0) to a file of JSON Lines")
    add(
        "--events-compat",
        choices=("seed", "strict"),
        default="seed",
        help="how data.type of a fault is spelt: as the seed's workflow has it, or as in the envelope (seed)",
    )


def frame_actions(args: argparse.Namespace) -> list[str]:
    """Those of --frames, in whatever case; none: all. ValueError for one that OCPP 1.6 does not have."""
    named = {one.lower(): one for one in messages()}
    asked = [one.strip() for one in (args.frames or "").split(",")]
    return [named.get(one.lower()) or known(one) for one in asked if one]


def add_view(parser: Any) -> None:
    parser.add_argument(
        "--view",
        action=argparse.BooleanOptionalAction,
        help="the station on the screen, its buttons at the keyboard; --no-view: lines. Default: the view on a terminal,"
        " unless --json, --quiet, --frames, --pretty or --commands want something else of it",
    )


def shape(args: argparse.Namespace) -> StationShape:
    """The station that the options describe. ValueError."""
    return built(args.template or TEMPLATE, args.slots, **{name: getattr(args, name) for name in _LONGEST})


def built(template: str, slots: int | None = None, **texts: str | None) -> StationShape:
    """A station like the template, with so many slots; `texts` are vendor, model, serial, firmware. ValueError."""
    if template not in TEMPLATES:
        raise ValueError(f"there is no template {template!r}; there are {', '.join(TEMPLATES)}")
    made = TEMPLATES[template]
    changes: dict[str, Any] = {}
    for name, text in texts.items():
        if text is None:
            continue
        if not 1 <= len(text) <= _LONGEST[name] or not text.isprintable():
            raise ValueError(f"--{name} {text!r}: 1 to {_LONGEST[name]} printable characters")
        changes[name] = text
    if slots is not None:
        if not 1 <= slots <= SLOTS_MAX:
            raise ValueError(f"--slots {slots}: from 1 to {SLOTS_MAX}")
        changes["slots"] = _slots(made.slots, slots)
        changes["supply_ma"] = made.supply_ma * slots // len(made.slots)
    return msgspec.structs.replace(made, **changes)


def serials(args: argparse.Namespace) -> list[str]:
    """One for each station, counted up like their identities; none: their identities. ValueError."""
    made = names(args.serial, args.count) if args.serial else []
    if made and len(made[-1]) > _LONGEST["serial"]:
        raise ValueError(f"--serial {args.serial!r}: {made[-1]!r} would have more than {_LONGEST['serial']} characters")
    return made


def _slots(like: tuple[SlotShape, ...], count: int) -> tuple[SlotShape, ...]:
    """The template's, over and over, each wired one phase further on."""
    more = (
        msgspec.structs.replace(like[i % len(like)], rotation=_ROTATIONS[i % 3])
        for i in range(len(like), max(count, 1))
    )
    return (*like, *more)[:count]


def settings(args: argparse.Namespace, base: Settings | None = None) -> Settings:
    """The settings that differ from their defaults. ValueError; `--set help` is one, which lists them."""
    pairs = [text.partition("=") for text in args.set]
    for name, equals, _ in pairs:
        if not equals:
            names = "\n".join(f"  {one}: {allowed(one)}" for one in NAMES)
            raise ValueError(f"--set {name}: NAME=VALUE is needed, where NAME is\n{names}")
    return differing(args.auth, {name: value for name, _, value in pairs}, base)


def differing(auth: str, values: Mapping[str, object], base: Settings | None = None) -> Settings:
    """Settings with these values, as text or as what they are. ValueError."""
    if auth not in AUTH:
        raise ValueError(f"there is no auth {auth!r}; there are {', '.join(AUTH)}")
    made = changed(base or Settings(), "cards_decided_by", "nobody" if auth == "free" else "csms")
    for name, value in values.items():
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1)
            perhaps = f"; {near[0]!r} perhaps" if near else ""
            raise ValueError(f"there is no setting {name!r}{perhaps}; there are {', '.join(NAMES)}")
        made = changed(made, name, parse(name, spell(value)))
    return made


def cards(texts: list[str]) -> dict[str, TokenStatus | None]:
    """Cards as UID[:STATUS], in order. ValueError."""
    made: dict[str, TokenStatus | None] = {}
    for text in texts:
        uid, colon, status = text.partition(":")
        if not 1 <= len(uid) <= 20 or not uid.isprintable():
            raise ValueError(f"--card {text!r}: a card has 1 to 20 printable characters")
        if colon and status.lower() not in CARD_STATUSES:
            raise ValueError(f"--card {text!r}: {status!r} is no status; there are {', '.join(CARD_STATUSES)}")
        made[uid] = TokenStatus(status.lower()) if colon else None
    return made


def password(args: argparse.Namespace) -> bytes | None:
    """As given, or from its file. ValueError for both, and for an empty one; OSError."""
    if args.password is not None and args.password_file is not None:
        raise ValueError("--password and --password-file: one of them")
    if args.password_file is not None:
        secret = bytes(args.password_file.read_bytes().strip())
        if not secret:
            raise ValueError(f"--password-file {args.password_file}: it is empty")
        return secret
    if args.password == "":
        raise ValueError("--password: it is empty")
    return args.password.encode() if args.password is not None else None


def tls(args: argparse.Namespace) -> TlsProfile | None:
    """Certificates as files. ValueError."""
    for name in ("ca", "cert", "key"):
        path = getattr(args, name)
        if path is not None and not path.is_file():
            raise ValueError(f"--{name} {path}: there is no such file")
    if (args.cert is None) != (args.key is None):
        raise ValueError("--cert and --key: a certificate needs its key, and the other way round")
    if args.ca is None and args.cert is None:
        return None
    return TlsProfile(ca_file=str(args.ca or ""), certificate_file=str(args.cert or ""), key_file=str(args.key or ""))


def sentence(error: Exception) -> str:
    """What was wrong, for people."""
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error)


def check_files(args: argparse.Namespace) -> None:
    """Raises OSError when a file that is to be written cannot be."""
    for path in (args.record, args.events):
        if path is not None:
            path.open("ab").close()


def check_run(args: argparse.Namespace) -> None:
    """ValueError for numbers out of bounds, and for commands that cannot come."""
    if args.commands not in (None, "-") and not Path(args.commands).exists():
        raise ValueError(f"--commands {args.commands}: there is no such file")
    if args.commands not in (None, "-") and Path(args.commands).is_dir():
        raise ValueError(f"--commands {args.commands}: this is a folder")
    if args.ramp < 0:
        raise ValueError(f"--ramp {args.ramp}: so many a second; 0: all at once")
    if args.connect_within is not None and not 0 < args.connect_within < math.inf:
        raise ValueError(f"--connect-within {args.connect_within:g}: a number of seconds above 0")


def doubt(ids: list[str]) -> str:
    """What OCPP 2.x would say against these identities; 1.6 has no rule, and a CSMS is to be tried with any. Empty: nothing."""
    for identity in ids:
        try:
            check_identity(identity)
        except ValueError as error:
            return f"{identity!r}: {error}, in OCPP 2.x; in 1.6 it is for the CSMS to say"
    return ""


def check_url(url: str, ids: list[str], secret: bytes | None, profile: TlsProfile | None) -> None:
    """Raises ValueError when it cannot be dialled, or certificates cannot be loaded."""
    check_profile(LinkProfile(url, ids[0], ("ocpp1.6",), secret, profile))
    if profile is None:
        return
    own = " and ".join(file for file in (profile.certificate_file, profile.key_file) if file)
    for files, one in ((profile.ca_file, TlsProfile(ca_file=profile.ca_file)), (own, profile)):
        try:
            context_for(one)
        except (OSError, ValueError) as error:
            raise ValueError(f"{files}: cannot be loaded, PEM is needed, keys without a passphrase ({error})") from None


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
