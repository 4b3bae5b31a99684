"""The messages of a WebSocket connection once it is open: bytes in, texts out, by the sans-I/O half of `websockets` (RFC 6455).

What comes as one whole message, as nearly all do, is read here; the library reads from the first bytes on that are anything else. What it
leaves to its caller is done here: fragments are joined; bad UTF-8 and binary messages close the connection; nothing is said or heard after
that. Not here: the opening handshake (websocket.py), time (link.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from websockets.frames import (  # type: ignore[attr-defined]  # the fast one where it is built
    Frame,
    Opcode,
    apply_mask,
)
from websockets.protocol import Protocol, Side, State

_CLOSE_REASON_LIMIT: Final = 123  # bytes, RFC 6455 5.5
_OUR_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011})


class Ended(NamedTuple):
    """The messages are over: `closed` by the server or, for its breach of the rules, by us (`protocol`)."""

    reason: Literal["closed", "protocol"]
    code: int | None  # of the close frame, the server's or ours; None: the server gave none
    text: str


Heard: TypeAlias = str | bytes | Ended  # a whole text message, bytes to be written, the end


class Messages:
    """The conversation after the handshake. `heard` turns True with every complete frame; the owner resets it."""

    __slots__ = ("_draw", "_max_bytes", "_over", "_parts", "_protocol", "_whole", "heard")

    def __init__(self, max_bytes: int, draw: Callable[[int], bytes]) -> None:
        """`draw(n)`: n random bytes, for masks."""
        self._draw = draw
        self._max_bytes = max_bytes
        self._whole = True  # so far all bytes came as whole messages, and the library has seen none
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=max_bytes, logger=QUIET)
        self._protocol.id = _ID
        self._parts: bytearray | None = None  # of a fragmented message
        self._over = False
        self.heard = False

    def send(self, text: bytes) -> bytes:
        """One message as one masked frame; `text` is UTF-8. Only before the end."""
        size, mask = len(text), self._draw(4)
        if size < 126:
            return b"\x81%c%b%b" % (0x80 | size, mask, apply_mask(text, mask))
        length = b"\xfe" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xff" + size.to_bytes(8, "big")
        return b"\x81%b%b%b" % (length, mask, apply_mask(text, mask))

    def ping(self) -> bytes:
        """A ping. It is empty: any frame after it is a sign of life, so nothing needs to be matched."""
        self._protocol.send_ping(b"")
        return self._protocol.data_to_send()[0]

    def close(self, code: int, reason: str) -> bytes:
        """A close frame; nothing is heard after it. A long reason is cut. ValueError: a code that must not be sent."""
        if code not in _OUR_CODES and not 3000 <= code < 5000:
            raise ValueError(f"{code} is no close code a client may send")
        self._over = True
        self._protocol.send_close(code, reason.encode()[:_CLOSE_REASON_LIMIT].decode(errors="ignore"))
        return self._protocol.data_to_send()[0]

    @property
    def close_received(self) -> int | None:
        """Code of the close frame that came, 1005 if it had none; None: none came."""
        close = self._protocol.close_rcvd
        return None if close is None else int(close.code)

    def receive(self, data: bytes | memoryview) -> list[Heard]:
        """What the bytes come to, in order, except that bytes to be written come first. Nothing after the end."""
        if self._whole and not self._over:
            text = whole_text(data, self._max_bytes)
            if text is not None:
                self.heard = True
                return [text]
            self._whole = False  # from here on the library reads: it alone knows where a frame begins
        protocol = self._protocol
        protocol.receive_data(data)  # type: ignore[arg-type]  # it copies any buffer
        frames: list[Any] = protocol.events_received()  # Frame only, once the connection is open
        writes = protocol.data_to_send()
        if self._over:
            return []
        if frames:
            self.heard = True
        heard: list[Heard] = [*writes]
        for frame in frames:
            if self._take(frame, heard):
                return heard
        if protocol.state is not State.OPEN:  # the library closed it: broken frame (1002), message too large (1009)
            self._over = True
            close = protocol.close_sent
            heard.append(Ended("protocol", int(close.code), close.reason) if close else Ended("protocol", None, ""))
        return heard

    def receive_eof(self) -> list[bytes]:
        """The stream ended. What is to be written; empty bytes: end our stream too (`websockets` SEND_EOF)."""
        self._protocol.receive_eof()
        return self._protocol.data_to_send()

    def _take(self, frame: Frame, heard: list[Heard]) -> bool:
        """True: this frame was the end."""
        opcode = frame.opcode
        if opcode is Opcode.TEXT:
            if frame.fin:
                return self._text(frame.data, heard)
            self._parts = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._parts is not None:
            self._parts += frame.data  # bounded: the library counts a message's bytes over its fragments
            if frame.fin:
                parts, self._parts = self._parts, None
                return self._text(parts, heard)
        elif opcode is Opcode.BINARY:
            return self._fail(1003, "OCPP-J messages are text", heard)
        elif opcode is Opcode.CLOSE:
            return self._closed(heard)
        return False

    def _text(self, data: bytes | bytearray | memoryview, heard: list[Heard]) -> bool:
        try:
            heard.append(str(data, "utf-8"))
        except UnicodeDecodeError:
            return self._fail(1007, "text is not UTF-8", heard)
        return False

    def _closed(self, heard: list[Heard]) -> bool:
        self._over = True
        close = self._protocol.close_rcvd
        code = int(close.code) if close and close.code != 1005 else None  # 1005: the frame held no code
        heard.append(Ended("closed", code, printable(close.reason) if close else ""))
        return True

    def _fail(self, code: int, reason: str, heard: list[Heard]) -> bool:
        self._over = True
        self._protocol.fail(code, reason)  # sends nothing if a close frame came in the same bytes and was answered
        heard.extend(self._protocol.data_to_send())
        heard.append(Ended("protocol", code, reason))
        return True


def whole_text(data: bytes | memoryview, max_bytes: int) -> str | None:
    """The text where these bytes are exactly one text message of a server (RFC 6455 5.2), as nearly all are. None: look closer."""
    size = len(data) - 2
    if size < 0 or data[0] != 0x81:
        return None
    start = 2
    if size > 125:
        start = 4 if data[1] == 126 else 10
        if data[1] != (126 if size - 2 < 1 << 16 else 127) or int.from_bytes(data[2:start], "big") != len(data) - start:
            return None
    elif data[1] != size:
        return None
    if len(data) - start > max_bytes:
        return None
    try:
        return str(data[start:], "utf-8")
    except UnicodeDecodeError:
        return None


class _Quiet:
    """Stands in for a logger: the library would log headers, and with them the password, where DEBUG is enabled."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def info(self, *_: object, **__: object) -> None: ...

    def error(self, *_: object, **__: object) -> None: ...


QUIET: Final = cast(Any, _Quiet())  # one for all connections
_ID: Final = uuid.UUID(int=0)  # so is this: the library draws an id a connection for its log, and would keep it


def printable(text: str) -> str:
    """What a peer said, fit for a log."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])


def close_at_once() -> bytes:
    return Messages(0, bytes).close(1002, "no common subprotocol")
