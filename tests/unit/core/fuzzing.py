"""Frames of a CSMS gone mad, and a judge who says what a station owes to each. Used by `test_fuzz.py`.

The judge reads frames with Python's `json` and payloads with the schemas of the `ocpp` package: neither is what the station reads with.
Where those two are known to see otherwise (1.0 for an integer, tenths, integers beyond 64 bits, moments, NaN, lone surrogates) it accepts a
result and an error alike, but still exactly one of them.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any, Final, NamedTuple

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from ocpp_client.dialects.v16.profiles import ABSENT, BUILT, PROFILE_OF
from tests.dialects.payloads import ANYTHING, Message, Payloads, messages
from tests.unit.core.test_keys import WRITABLE

CODES: Final = frozenset(
    {
        *("NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError", "FormationViolation"),
        *("PropertyConstraintViolation", "OccurenceConstraintViolation", "TypeConstraintViolation", "GenericError"),
    }
)
SHAPE_CODES: Final = CODES - {"NotImplemented", "NotSupported", "InternalError", "SecurityError", "GenericError"}
MOMENTS: Final = frozenset(
    {"expiryDate", "validFrom", "validTo", "startSchedule", "startTime", "stopTime", "retrieveDate"}
)
NOISE: Final = '[]{}",:\\0123456789eE+-.truefalsn \t\n\0\x1fä€😀ux'
STRANGE_IDS: Final[tuple[Any, ...]] = (
    "",
    "-1",
    "x" * 36,
    "x" * 37,
    "ä" * 36,
    "\0",
    '"',
    "\ud800",
    0,
    1.5,
    None,
    True,
    [],
    {"a": 1},
    10**40,
)


QUIETENING: Final = ("MeterValueSampleInterval", "TransactionMessageRetryInterval")  # a quiet station is no target
SETTINGS: Final = {name: (*good, *bad) for name, (good, bad) in WRITABLE.items() if name not in QUIETENING}


class Owed(NamedTuple):
    """What must be said to a frame: `result` and `error` say which kinds are right; neither: silence; both: one of the two.

    `code`: the one code of an error, where there is no choice. `loose`: nothing at all is right as well.
    """

    result: bool = False
    error: bool = False
    message_id: str | None = None
    code: str | None = None
    loose: bool = False


SILENCE: Final = Owed()


class Judge:
    """Knows the schemas."""

    def __init__(self) -> None:
        self._requests = {m.action: _validator(m) for m in messages("v16") if m.kind == "request"}
        self._responses = {m.action: _validator(m) for m in messages("v16") if m.kind == "response"}

    def owed(self, text: str) -> Owed:
        """What a station that is not rejected owes to this."""
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return Owed(error=True, loose=True)
        odd = "NaN" in text or "Infinity" in text or re.search(r"\\u[dD][89a-fA-F]", text) is not None
        if not isinstance(frame, list) or not frame or type(frame[0]) is not int or abs(frame[0]) >= 10**9:
            return Owed(error=True, loose=True)
        if frame[0] != 2:
            return Owed(error=odd, loose=odd)
        if len(frame) != 4 or not _is_id(frame[1]) or not isinstance(frame[2], str) or not isinstance(frame[3], dict):
            return Owed(error=True, loose=odd)
        return self._call(frame[1], frame[2], frame[3], odd or len(text) > 100_000)

    def _call(self, message_id: str, action: str, payload: dict[str, Any], odd: bool) -> Owed:
        if odd:
            return Owed(True, True, loose=True)
        profile = PROFILE_OF.get(action)
        if profile is None:
            return Owed(False, True, message_id, "NotSupported" if action in self._requests else "NotImplemented")
        if profile not in BUILT and action not in ABSENT:
            return Owed(False, True, message_id, "NotSupported")
        if is_odd(payload):
            return Owed(True, True, message_id)
        if not self._requests[action].is_valid(payload):
            return Owed(_asks_for_the_unheard_of(action, payload), True, message_id)
        if action == "GetConfiguration" and len(payload.get("key", ())) > 100:
            return Owed(False, True, message_id, "OccurenceConstraintViolation")
        return Owed(True, False, message_id)

    def is_response(self, action: str, payload: Any) -> bool:
        return self._responses[action].is_valid(payload)


def _validator(message: Message) -> Validator:
    return validator_for(message.schema)(message.schema)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 36


def _asks_for_the_unheard_of(action: str, payload: dict[str, Any]) -> bool:
    """A message that 1.6 does not know is no fault of a TriggerMessage's shape."""
    return action == "TriggerMessage" and isinstance(payload.get("requestedMessage"), str)


def is_odd(value: Any) -> bool:
    """Whether schema and station are known to differ about something in here."""
    match value:
        case dict():
            return any(name in MOMENTS or is_odd(one) for name, one in value.items())
        case list():
            return any(map(is_odd, value))
        case float():
            return True
        case int():
            return not -(2**63) <= value < 2**63
        case _:
            return False


class Csms:
    """Draws what a mad CSMS sends. The same seed draws the same frames."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        everything = list(messages("v16"))
        self._requests = [(m.action, Payloads(m)) for m in everything if m.kind == "request"]
        self._built = [pair for pair in self._requests if PROFILE_OF.get(pair[0]) in BUILT]
        self._answers = {m.action: Payloads(m) for m in everything if m.kind == "response"}
        self._count = 0

    def frame(self) -> str:
        """A call, mostly; a broken one, often."""
        draw = self.rng.random()
        if draw < 0.25:
            return self._text(self._call(self._built, spoiled=True))
        if draw < 0.40:
            return self._text(self._call(self._built, spoiled=False))
        if draw < 0.45:
            return self._text(self._setting())
        if draw < 0.52:
            return self._text(self._call(self._requests, spoiled=self.rng.random() < 0.5))
        if draw < 0.58:
            return self._text(self._strange())
        if draw < 0.64:
            return self._text(self._unasked())
        if draw < 0.70:
            return self._rubbish()
        spoiled = self.rng.random() < 0.5
        return self._mutated(self._text(self._call(self._built, spoiled)))

    def answer(self, call: list[Any]) -> str:
        """An answer to a call of the station's, seldom a good one."""
        draw, rng = self.rng.random(), self.rng
        payload: Any = self._answers[call[2]].spoiled() if draw < 0.7 else self._answers[call[2]].proper()
        frame = [3, call[1], payload] if draw < 0.85 else [4, call[1], rng.choice(sorted(CODES)), "", {}]
        text = self._text(frame)
        return self._mutated(text) if draw < 0.3 else text

    def _id(self) -> str:
        self._count += 1
        return f"{self._count:x}"

    def _call(self, among: list[tuple[str, Payloads]], spoiled: bool) -> list[Any]:
        action, payloads = self.rng.choice(among)
        return [2, self._id(), action, payloads.spoiled() if spoiled else payloads.proper()]

    def _setting(self) -> list[Any]:
        """A key that there is, and a value that it may have."""
        rng = self.rng
        key = rng.choice(sorted(SETTINGS))
        if rng.random() < 0.2:
            return [2, self._id(), "GetConfiguration", {"key": rng.choices(sorted(SETTINGS), k=rng.randrange(5))}]
        return [2, self._id(), "ChangeConfiguration", {"key": key, "value": rng.choice(SETTINGS[key])}]

    def _strange(self) -> list[Any]:
        """A call that is nearly one."""
        rng = self.rng
        frame = self._call(self._built, spoiled=False)
        match rng.randrange(5):
            case 0:
                frame[1] = rng.choice(STRANGE_IDS)
            case 1:
                frame[2] = rng.choice((frame[2].lower(), frame[2] + "Request", "", "😀", None, 3, "GetVariables"))
            case 2:
                frame[0] = rng.choice((-1, 0, 1, 5, 6, 7, 2.0, "2", True, None, 10**30))
            case 3:
                frame[3] = rng.choice(ANYTHING)
            case _:
                frame = rng.choice((frame[:3], [*frame, {}], frame[:2], frame[:1], [], [frame]))
        return frame

    def _unasked(self) -> list[Any]:
        rng = self.rng
        answer = rng.choice(list(self._answers.values())).proper()
        ids = ("1", "-1", "boot-1", "never", *STRANGE_IDS)
        return rng.choice(([3, rng.choice(ids), answer], [4, rng.choice(ids), "GenericError", "", {}], [3], [4, None]))

    def _rubbish(self) -> str:
        rng = self.rng
        match rng.randrange(4):
            case 0:
                return "".join(chr(rng.randrange(1, 0x2FFF)) for _ in range(rng.randrange(30)))
            case 1:
                return self._text(rng.choice(ANYTHING))
            case 2:
                return rng.choice("[{") * rng.choice((10, 1000, 3000))
            case _:
                return "".join(rng.choice(NOISE) for _ in range(rng.randrange(60)))

    def _mutated(self, text: str) -> str:
        """One to three characters or pieces of it changed."""
        rng = self.rng
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            end = min(len(text), at + rng.randint(1, 8))
            piece = rng.choice(("", rng.choice(NOISE), text[at:end] * 2, "null", "-1", '"x"'))
            text = text[:at] + piece + text[at if rng.random() < 0.3 else end :]
        return text

    def _text(self, value: Any) -> str:
        """As JSON, in one of its spellings; what cannot be UTF-8 never comes out of a link."""
        separators = self.rng.choice(((",", ":"), (", ", ": ")))
        text = json.dumps(value, ensure_ascii=self.rng.random() < 0.5, separators=separators)
        return text.encode("utf-8", "replace").decode()
