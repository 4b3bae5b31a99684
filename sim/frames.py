"""Frames on record and on the screen: every OCPP message both ways, as JSON Lines or for people, never with a secret in it.

    {"at": "2026-06-01T08:00:00.000Z", "station": "CP1", "direction": "out", "frame": [2, "ab-1", "Heartbeat", {}]}

`direction` is seen from the station: `out` to the CSMS, `in` from it. `frame` is the message as it was on the wire where that is JSON,
else its text. Passwords that a CSMS sets, and those that the station was given, are replaced by `***`. Not here: reading recordings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from hal.units import SECOND, MonoNs, UtcMs

WAITING: Final = 10_000


class _Line(msgspec.Struct, frozen=True, gc=False):
    at: str
    station: str
    direction: str
    frame: msgspec.Raw


class FrameFile:
    """A recording, begun anew. Raises OSError. Each line reaches the operating system before the next frame does.

    Where one cannot be written, the recording ends there and says so: no station suffers from it. `broken`: that has happened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self.broken = False

    def write(self, utc_ms: UtcMs, station: str, out: bool, frame: str) -> None:
        """`frame` has been cleaned."""
        if self.broken:
            return
        raw = msgspec.Raw(_json(frame))
        line = _Line(iso(utc_ms), station, "out" if out else "in", raw)
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            self.broken = True
            print(f"{self._path}: {error.strerror}; the recording ends here", file=sys.stderr, flush=True)

    def close(self) -> None:
        self._file.close()


def _json(text: str) -> bytes:
    """The text as one JSON value on one line: verbatim if it is one, else as a string."""
    data = text.encode()
    try:
        if b"\n" in data or b"\r" in data:
            return json.dumps(json.loads(text), separators=(",", ":")).encode()
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return json.dumps(text).encode()
    return data


def iso(utc_ms: UtcMs) -> str:
    """RFC 3339, milliseconds, UTC."""
    seconds, ms = divmod(utc_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


# --- for people -------------------------------------------------------------------------------------------------------


class Exchange:
    """Calls that wait for their answer, so that an answer can be shown with its action and how long it took."""

    def __init__(self, actions: Sequence[str] = ()) -> None:
        """`actions`: only these, in any case; none: all."""
        self._only = tuple(action.lower() for action in actions)
        self._open: dict[tuple[str, bool, str], tuple[str, MonoNs]] = {}

    def line(self, station: str, out: bool, text: str, now_ns: MonoNs, pretty: bool) -> str | None:
        """`-> Heartbeat {}`, `<- Heartbeat 12 ms {...}`; None where it is not wanted."""
        try:
            frame = json.loads(text)
            kind, message_id = frame[0], str(frame[1])
        except (ValueError, LookupError, TypeError, RecursionError):
            return None if self._only else f"{_arrow(out)} {text}"
        if kind == 2 and len(frame) > 3:
            action = str(frame[2])
            self._open[station, out, message_id] = (action, now_ns)
            if len(self._open) > WAITING:
                del self._open[next(iter(self._open))]
            head, body = f"{_arrow(out)} {action}", frame[3]
        else:
            action, since_ns = self._open.pop((station, not out, message_id), ("?", now_ns))
            took = f"{(now_ns - since_ns) * 1000 // SECOND} ms"
            head, body = f"{_arrow(out)} {action} {took}", frame[2] if kind == 3 else frame[2:]
            head += " ERROR" if kind == 4 else ""
        if self._only and action.lower() not in self._only:
            return None
        return f"{head} {json.dumps(body, indent=2, ensure_ascii=False)}" if pretty else f"{head} {json.dumps(body)}"


def _arrow(out: bool) -> str:
    return "->" if out else "<-"
