"""Frames: the arrays of OCPP-J, taken apart and put together; the payload stays as the bytes it is.

Implements the framing of OCPP-J 1.6 and of part 4 of 2.0.1; 5 and 6 of 2.1 are unknown types. Not here: matching of
ids, order and time-outs (`rpc`), payloads (`codec`).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

import msgspec

ID_MAX: Final = 36
DESCRIPTION_MAX: Final = 255

MessageId: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX)]

_EMPTY: Final = msgspec.Raw(b"{}")
_NOTHINGS: Final = (b"null", b"[]")
"""What some write for an answer without members; PHP cannot tell an empty object from an empty list."""


class Call(msgspec.Struct, array_like=True, tag=2, frozen=True, gc=False, forbid_unknown_fields=True):
    """`[2, id, action, payload]`"""

    message_id: MessageId
    action: str
    payload: msgspec.Raw


class CallResult(msgspec.Struct, array_like=True, tag=3, frozen=True, gc=False, forbid_unknown_fields=True):
    """`[3, id, payload]`"""

    message_id: MessageId
    payload: msgspec.Raw = _EMPTY


class CallError(msgspec.Struct, array_like=True, tag=4, frozen=True, gc=False):
    """`[4, id, code, description, details]`. Only id and code are insisted upon: peers omit the rest, or send null.

    A description that is no string reads as "". `details` is whatever JSON came; what comes after it is ignored.
    """

    message_id: MessageId
    code: str
    description: str = ""
    details: msgspec.Raw = _EMPTY


Frame: TypeAlias = Call | CallResult | CallError


class BadFrame(ValueError):
    """The text is no RPC message. `message_type` and `message_id` are there when they could be read, whatever follows.

    Only what may have been a CALL (type 2, or no type to be read) is worth an answer. `in_payload` says that the frame
    was that of a CALL, and the JSON went wrong only behind the action.
    """

    def __init__(
        self, reason: str, message_type: int | None = None, message_id: str | None = None, in_payload: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.message_type, self.message_id, self.in_payload = reason, message_type, message_id, in_payload


class UnknownMessageType(BadFrame):
    """An array that begins with a number which this version gives no meaning."""


class _LooseError(msgspec.Struct, array_like=True, tag=4, frozen=True, gc=False):
    message_id: MessageId
    code: str
    description: Any = ""
    details: msgspec.Raw = _EMPTY


_decoder: Final[msgspec.json.Decoder[Call | CallResult | _LooseError]] = msgspec.json.Decoder(
    Call | CallResult | _LooseError
)
_encoder: Final = msgspec.json.Encoder()

_STRING: Final = rb'\s*("(?:[^"\\]|\\.){0,432}")\s*'
"""432 bytes are 36 characters that are all written as two escapes of six."""

_HEAD: Final = re.compile(rb"\s*\[\s*(-?[0-9]{1,9})\s*(?:," + _STRING + rb"(?:," + _STRING + rb")?)?[,\]]")
"""Type, id and action as far as they stand at the beginning."""


def split(text: str | bytes) -> Frame:
    """The frame in one WebSocket message. Raises BadFrame (UnknownMessageType is one) and nothing else."""
    try:
        frame = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _complaint(text, error) from None
    match frame:
        case _LooseError(message_id, code, description, details):
            return CallError(message_id, code, description if isinstance(description, str) else "", details)
        case Call() | CallResult():
            if bytes(frame.payload)[:1] != b"{":
                called = isinstance(frame, Call)
                if not called and bytes(frame.payload) in _NOTHINGS:
                    return CallResult(frame.message_id, _EMPTY)
                raise BadFrame("the payload is no object", 2 if called else 3, frame.message_id, called)
            return frame


def join(frame: Frame) -> bytes:
    """The WebSocket message of a frame. The payload goes out as it is: give it the bytes of `codec.encode`."""
    return _encoder.encode(frame)


def _complaint(text: str | bytes, error: Exception) -> BadFrame:
    """Looks a second time, at the head only: what is broken further on must not cost the peer the id of its answer."""
    head = _HEAD.match(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    if head is None:
        return BadFrame("no type and id at the beginning of an array")
    number, quoted = int(head[1]), head[2]
    message_id = _read_id(quoted) if quoted is not None else None
    if number not in (2, 3, 4):
        return UnknownMessageType(f"no messages of type {number}", number, message_id)
    if message_id is None:
        return BadFrame(f"the id is no string of 1 to {ID_MAX} characters", number)
    if isinstance(error, msgspec.ValidationError):
        return BadFrame("too few, too many or wrong elements", number, message_id)
    return BadFrame("no JSON", number, message_id if number == 2 else None, number == 2 and head[3] is not None)


def _read_id(quoted: bytes) -> str | None:
    try:
        return msgspec.json.decode(quoted, type=MessageId)
    except (msgspec.DecodeError, UnicodeError):
        return None
