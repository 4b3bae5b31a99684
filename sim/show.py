"""`station-sim show`: a recording of OCPP messages as a sequence diagram, on the terminal or as SVG or HTML.

Reads what `--record` writes (`frames.py`). An answer is shown with the action it answers and the time since that, on the clock of the
station that recorded: in a demo this is simulated time. Not here: drawing as SVG (`show_svg.py`), replaying a run (`replay.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from sim.csms.books import utc_ms
from sim.options import sentence

Kind: TypeAlias = Literal["call", "result", "error", "other"]

NARROW: Final = 60
WIDE: Final = 1000
EXAMPLES: Final = """\
examples:
  station-sim run --csms ws://127.0.0.1:9000 --id CP1 --record frames.jsonl
  station-sim show frames.jsonl                                    the whole story
  station-sim show frames.jsonl --action StartTransaction,StopTransaction --station CP1
  station-sim show frames.jsonl --out story.svg                    a picture; --out story.html: a page with whole messages

exit status: 0 shown; 1 no message is left by the filters; 2 the file is no recording, or the call is wrong
"""
_KINDS: Final[dict[int, Kind]] = {2: "call", 3: "result", 4: "error", 5: "error", 6: "call"}
_LENGTHS: Final = {2: 4, 3: 3, 4: 4, 5: 4, 6: 4}
_MEMBERS: Final = ("at", "station", "direction", "frame")
_PLAIN: Final = str.maketrans({"─": "-", "▶": ">", "◀": "<", "│": "|", "…": "~"})


class RecordingError(ValueError):
    """The file is no recording; says which line, and what is wrong with it."""


class Row(msgspec.Struct, frozen=True):
    """One message. `out`: from the station. `took_ms` of an answer; None where there is no call, or the clock was set in between."""

    at: str
    station: str
    out: bool
    kind: Kind
    action: str
    short: str
    whole: str
    took_ms: int | None = None

    @property
    def label(self) -> str:
        """What stands on its arrow."""
        took = "" if self.took_ms is None else f" {self.took_ms} ms"
        return f"{self.action}{took}{' CALLERROR' if self.kind == 'error' else ''} {self.short}".rstrip()


# --- reading ----------------------------------------------------------------------------------------------------------


def read_recording(path: Path) -> list[Row]:
    """All messages in order. OSError; RecordingError for a line that is none. A last line without its end is still being written."""
    calls: dict[tuple[str, bool, str], tuple[str, int]] = {}
    rows: list[Row] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                try:
                    json.loads(line)
                except (ValueError, RecursionError):
                    if rows:
                        break
            try:
                rows.append(_row(_members(line), calls))
            except (ValueError, RecursionError) as error:
                raise RecordingError(f"{path}, line {number}: {error}") from None
    if not rows:
        raise RecordingError(f"{path}: there is no message in it")
    return rows


def _members(line: bytes) -> dict[str, Any]:
    """The line, with what a recording has in each. ValueError says what is wrong."""
    try:
        told = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("this is not UTF-8") from None
    except ValueError as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise ValueError("this is not an object with at, station, direction and frame")
    for name in _MEMBERS:
        if name not in told:
            raise ValueError(f"{name!r} is missing")
    for name in ("at", "station"):
        if not isinstance(told[name], str):
            raise ValueError(f"{name!r} is {_cut(json.dumps(told[name]), 40)}, which is not a text")
    if told["direction"] not in ("out", "in"):
        raise ValueError(f"'direction' is {_cut(json.dumps(told['direction']), 40)}, neither 'out' nor 'in'")
    return told


def _row(told: dict[str, Any], calls: dict[tuple[str, bool, str], tuple[str, int]]) -> Row:
    """`calls` are those without an answer so far. ValueError for a time that is none."""
    station, out, frame = told["station"], told["direction"] == "out", told["frame"]
    now_ms = utc_ms(told["at"])
    whole = frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False)
    row = Row(_clean(told["at"]), _clean(station), out, "other", "(no OCPP message)", _clean(whole), _clean(whole))
    number = frame[0] if isinstance(frame, list) and frame and type(frame[0]) is int else 0
    if number not in _KINDS or len(frame) < _LENGTHS[number]:
        return row
    kind, message = _KINDS[number], str(frame[1])
    if kind == "call":
        if number == 2:
            calls[station, out, message] = (str(frame[2]), now_ms)
        return msgspec.structs.replace(row, kind=kind, action=_clean(str(frame[2])), short=_short(frame[3]))
    action, since_ms = calls.pop((station, not out, message), ("(answer to nothing)", now_ms + 1))
    took_ms = now_ms - since_ms if now_ms >= since_ms else None
    short = _short(frame[2]) if kind == "result" else _clean(" ".join(str(part) for part in frame[2:4] if part))
    return msgspec.structs.replace(row, kind=kind, action=_clean(action), short=short, took_ms=took_ms)


def _short(payload: Any) -> str:
    """`connectorId=1, status=Available`."""
    if not isinstance(payload, dict):
        return _clean(json.dumps(payload, ensure_ascii=False))
    parts = (
        f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
        for key, value in payload.items()
    )
    return _clean(", ".join(parts))


def _clean(text: str) -> str:
    """Nothing that a terminal would obey, or XML not have."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def chosen(rows: Iterable[Row], actions: Sequence[str], stations: Sequence[str]) -> list[Row]:
    """Those of these actions (in any case) and stations; an empty filter leaves all."""
    wanted = {action.lower() for action in actions}
    return [
        row
        for row in rows
        if (not wanted or row.action.lower() in wanted) and (not stations or row.station in stations)
    ]


# --- on the terminal --------------------------------------------------------------------------------------------------


def lines(rows: Sequence[Row], width: int, *, colour: bool = False) -> list[str]:
    """The diagram: time, station, arrow, CSMS."""
    names = list(dict.fromkeys(row.station for row in rows))
    margin = min(max(map(len, names)), 20) if len(names) > 1 else 0
    left = 13 + (margin + 1 if margin else 0)
    room = min(max(NARROW, width), WIDE) - left - 2
    head = names[0] if len(names) == 1 else "station"
    text = [f"{'':{left}}{_cut(head, room // 2)}{'CSMS':>{room + 2 - min(len(head), room // 2)}}"]
    day = ""
    for row in rows:
        if row.at[:10] != day:
            day = row.at[:10]
            text.append(f"{day:{left}}│{'':{room}}│")
        name = f"{_cut(row.station, margin):{margin}} " if margin else ""
        arrow = _arrow(row, room)
        if colour and row.kind == "error":
            arrow = f"\x1b[31m{arrow}\x1b[0m"
        text.append(f"{row.at[11:23]:12} {name}│{arrow}│")
    return text


def _arrow(row: Row, room: int) -> str:
    label = _cut(row.label, room - 6)
    line = "─" * (room - 4 - len(label))
    return f"─ {label} {line}▶" if row.out else f"◀ {label} {line}─"


# --- the command ------------------------------------------------------------------------------------------------------


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "show",
        help="a recording of messages as a sequence diagram",
        description=__doc__.partition("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("recording", type=Path, metavar="FILE", help="what --record has written")
    add("--action", default="", metavar="ACTION,...", help="only these actions, calls and answers")
    add("--station", action="append", default=[], metavar="ID", help="only this station; again for one more")
    add("--out", type=Path, metavar="FILE", help="write an SVG (.svg) or a page (.html) instead")
    add("--width", type=int, metavar="N", help="columns, from 60 to 1000 (as wide as the terminal is)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: shown; 1: nothing is left to show; 2: no recording, or a wrong call."""
    from sim import show_svg

    form = show_svg.FORMS.get(args.out.suffix.lower()) if args.out is not None else None
    if args.out is not None and form is None:
        print(f"station-sim show: --out {args.out}: its name must end with .svg or .html", file=sys.stderr)
        return 2
    try:
        rows = read_recording(args.recording)
        left = chosen(rows, [one.strip() for one in args.action.split(",") if one.strip()], args.station)
        if not left:
            _say_nothing_left(rows)
            return 1
        if form is not None:
            args.out.write_text(form(left), encoding="utf-8")
            print(f"{args.out}: {len(left)} messages")
            return 0
    except (OSError, RecordingError) as error:
        print(f"station-sim show: {sentence(error)}", file=sys.stderr)
        return 2
    tty = sys.stdout.isatty()
    text = "\n".join(lines(left, args.width or shutil.get_terminal_size().columns, colour=tty and not _no_colour()))
    encoding = sys.stdout.encoding or "ascii"
    if not encoding.lower().startswith("utf"):
        text = text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    print(text)
    return 0


def _no_colour() -> bool:
    return bool(os.environ.get("NO_COLOR"))


def _say_nothing_left(rows: Sequence[Row]) -> None:
    actions = ", ".join(sorted({row.action for row in rows}))
    stations = ", ".join(sorted({row.station for row in rows})[:20])
    print(f"station-sim show: no message is left; actions there: {actions}; stations: {stations}", file=sys.stderr)
