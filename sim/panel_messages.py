"""The last OCPP messages of each station, as the live view tells them: which way, which action, how long an answer took.

Kept as they came, and read only when somebody looks: of thousands of stations one is looked at. Not here: drawing them (`panel.py`).
"""

from __future__ import annotations

import json
from collections import deque
from typing import Final

import msgspec

from hal.units import UtcMs
from ocpp_client.secrets import Cleaner
from sim.frames import iso

KEPT: Final = 60  # frames of a station, so that an answer finds its call


class Message(msgspec.Struct, frozen=True):
    """One OCPP message. `out`: to the CSMS; `kind`: call, result, error; `took_ms`: how long an answer was waited for, in real time."""

    at: str
    out: bool
    action: str
    kind: str
    took_ms: int | None = None


class Messages:
    """Of each station the last few. Secrets go as the cleaner has it."""

    def __init__(self, cleaner: Cleaner | None = None) -> None:
        self._cleaner = cleaner or Cleaner()
        self._frames: dict[str, deque[tuple[UtcMs, float, bool, str | bytes]]] = {}

    def heard(self, identity: str, utc_ms: UtcMs, now_s: float, out: bool, frame: str | bytes) -> None:
        """A frame, at this time of the station and (`now_s`) of a real clock."""
        kept = self._frames.get(identity)
        if kept is None:
            kept = self._frames[identity] = deque(maxlen=KEPT)
        kept.append((utc_ms, now_s, out, frame))

    def of(self, identity: str) -> tuple[Message, ...]:
        """The last of a station, the newest last."""
        calls: dict[tuple[bool, str], tuple[str, float]] = {}
        return tuple(self._read(calls, *kept) for kept in self._frames.get(identity, ()))

    def _read(
        self, calls: dict[tuple[bool, str], tuple[str, float]], utc_ms: UtcMs, now_s: float, out: bool, raw: str | bytes
    ) -> Message:
        at, text = iso(utc_ms)[11:19], self._cleaner.clean(raw)
        try:
            frame = json.loads(text)
            kind, number = frame[0], str(frame[1])
            action = str(frame[2]) if kind == 2 else ""
        except (ValueError, LookupError, TypeError, RecursionError):
            return Message(at, out, f"no message: {text[:40]}", "error")
        if kind == 2:
            calls[out, number] = (action, now_s)
            return Message(at, out, action, "call")
        kind_of = "result" if kind == 3 else "error"
        action, since_s = calls.pop((not out, number), ("", now_s))
        if not action:
            return Message(at, out, "an answer", kind_of)
        return Message(at, out, action, kind_of, round((now_s - since_s) * 1000))
