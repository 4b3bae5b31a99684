"""A WebSocket client's conversation: bytes in, messages out, by the sans-I/O half of `websockets` (RFC 6455, RFC 7617).

Here: the URL a station dials, the opening handshake, and the messages after it, as the chapters on the connection of
OCPP-J 1.6, 2.0.1 and 2.1 ask: identity percent-encoded at the end of the URL, subprotocols in order of preference, text
messages only. What the library leaves to its caller is done here where it needs no clock: no subprotocol, or one that
was not offered, is a failure; fragments are joined; bad UTF-8 and binary messages close the connection; nothing is said
or heard after that.

Not here: time, TLS, sockets (link.py, tls.py), JSON (rpc.py). Deflate is never offered: it costs a station more memory
than it saves. The only file of the station that imports `websockets`.
"""

from __future__ import annotations

import base64
import http
import re
import urllib.parse
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.frames import (  # type: ignore[attr-defined]  # the fast one where it is built
    Frame,
    Opcode,
    apply_mask,
)
from websockets.http11 import Response
from websockets.protocol import Protocol, Side, State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

HEAD_LIMIT: Final = 16_384  # bytes of an answer's head; the library allows a mebibyte
_CLOSE_REASON_LIMIT: Final = 123  # bytes, RFC 6455 5.5

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r\n")
_LOCATION: Final = re.compile(rb"\r\nlocation:[ \t]*([\x21-\x7e]{1,200})", re.IGNORECASE)

_HINTS: Final = {
    400: "often it accepts none of the subprotocols offered; check the OCPP version",
    401: "check identity and password",
    403: "check identity and password",
    404: "check the path, and that it knows the identity; we append the identity, so the URL must not end in it",
    426: "it wants another protocol; check that the URL is its WebSocket endpoint",
    429: "it asks for fewer attempts",
}


class Endpoint(msgspec.Struct, frozen=True):
    """What a URL and an identity come to. `path` and `query` are percent-encoded; the path ends in the identity."""

    secure: bool
    host: str
    port: int
    path: str
    query: str

    @property
    def shown(self) -> str:
        """The URL as sent, for people; a query may hold a token and shows as dots."""
        scheme, standard = ("wss", 443) if self.secure else ("ws", 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == standard else f":{self.port}"
        return f"{scheme}://{host}{port}{self.path}{'?...' if self.query else ''}"


def check_url(url: str, identity: str) -> Endpoint:
    """The endpoint to dial. Raises ValueError with a sentence for people; it quotes nothing that may be secret."""
    if not identity or not identity.isprintable():
        raise ValueError("the identity is empty or holds characters that cannot be printed")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("the URL holds spaces or characters that cannot be printed")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL has a host or a port that cannot be read") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user or a password; give the password by itself, the user is the identity")
    if parts.scheme not in ("ws", "wss"):
        raise ValueError("the URL begins with neither ws:// nor wss://")
    if not parts.hostname or port == 0:
        raise ValueError("the URL has no host, or port 0")
    if parts.fragment:
        raise ValueError("the URL has a fragment (#...), which a WebSocket URL must not have")
    secure = parts.scheme == "wss"
    path = urllib.parse.quote(parts.path.removesuffix("/"), safe="/%:@!$&'()*+,;=~")
    return Endpoint(
        secure=secure,
        host=_ascii_host(parts.hostname),
        port=port or (443 if secure else 80),
        path=f"{path}/{urllib.parse.quote(identity, safe='')}",
        query=urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~?[]"),
    )


def _ascii_host(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"the host {host!r} is no name the DNS can hold") from None


class Refused(msgspec.Struct, frozen=True):
    """The handshake failed; `parting` is still to be sent before the connection is closed."""

    reason: Literal["http", "subprotocol", "protocol"]
    text: str
    http_status: int | None = None
    parting: bytes = b""


class Agreed(msgspec.Struct, frozen=True):
    """The handshake succeeded; `rest` are bytes that came with its end and belong to the messages."""

    subprotocol: str
    rest: bytes


class Opening:
    """The opening handshake of one connection (RFC 6455 section 4). Dropped once it is over."""

    __slots__ = ("_head", "_offered", "_protocol")

    def __init__(self, endpoint: Endpoint, subprotocols: Sequence[str], key: bytes) -> None:
        """`key`: 16 random bytes."""
        uri = WebSocketURI(endpoint.secure, endpoint.host, endpoint.port, endpoint.path, endpoint.query)
        self._offered = tuple(subprotocols)
        self._protocol = ClientProtocol(uri, subprotocols=[Subprotocol(name) for name in subprotocols], logger=_QUIET)
        self._protocol.key = base64.b64encode(key).decode()
        self._head = bytearray()

    def request(self, user: str, password: bytes | None) -> bytes:
        """The request. The password goes out as raw bytes (RFC 7617), which need not be text (1.6 AuthorizationKey)."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = "ev-station"
        if password is not None:
            credentials = base64.b64encode(user.encode() + b":" + password).decode()
            request.headers["Authorization"] = f"Basic {credentials}"
        self._protocol.send_request(request)
        return b"".join(self._protocol.data_to_send())

    def receive(self, data: bytes | memoryview) -> Agreed | Refused | None:
        """None: the head of the answer is not complete. A refusal's body is not waited for: it may never end."""
        head = self._head
        head += data
        if head[:7] != b"HTTP/1."[: len(head)]:
            return Refused("protocol", f"what answered does not speak HTTP/1.1{_guess(head)}")
        end = head.find(b"\r\n\r\n", 0, HEAD_LIMIT)
        if end >= 0:
            return self._judge(bytes(head[: end + 4]), bytes(head[end + 4 :]))
        if len(head) >= HEAD_LIMIT:
            return Refused("protocol", f"the head of the HTTP answer is longer than {HEAD_LIMIT} bytes")
        return None

    def _judge(self, head: bytes, rest: bytes) -> Agreed | Refused:
        status = _STATUS_LINE.match(head)
        if status is None:
            return Refused("protocol", "the HTTP answer has a malformed status line")
        if (code := int(status[1])) != 101:
            return Refused("http", _status_text(code, head, self._offered), code)
        protocol = self._protocol
        protocol.receive_data(head)
        response = next(iter(protocol.events_received()), None)  # never a frame: the head ends before the first one
        named = response.headers.get_all("Sec-WebSocket-Protocol") if isinstance(response, Response) else []
        agreed = ", ".join(named).strip()
        wrong = protocol.handshake_exc
        if agreed not in self._offered and _is_only_the_subprotocol(wrong):
            text = f"the server agreed to {_printable(agreed) or 'no subprotocol'}"
            text = f"{text}, offered were {', '.join(self._offered)}; check the OCPP version"
            return Refused("subprotocol", text, 101, _close_at_once())
        if wrong is not None:
            return Refused("protocol", f"the answer 101 is not valid: {_printable(str(wrong))}", 101)
        return Agreed(agreed, rest)


class Ended(msgspec.Struct, frozen=True):
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
        self._whole = (
            True  # so far all bytes came as whole messages: the library has seen none, or nothing is half read
        )
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=max_bytes, logger=_QUIET)
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
        heard.append(Ended("closed", code, _printable(close.reason) if close else ""))
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


_QUIET: Final = cast(Any, _Quiet())  # one for all connections
_ID: Final = uuid.UUID(int=0)  # so is this: the library draws an id a connection for its log, and would keep it
_OUR_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011})


def _printable(text: str) -> str:
    """What a peer said, fit for a log."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])


def _guess(head: bytearray) -> str:
    """What speaks there; judged by one byte, as more may not have come."""
    return " but TLS: use wss://" if head[0] in (0x15, 0x16) else f" (its first byte is 0x{head[0]:02x})"


def _status_text(code: int, head: bytes, offered: Sequence[str]) -> str:
    phrase = http.HTTPStatus(code).phrase if code in http.HTTPStatus._value2member_map_ else "unknown status"
    text = f"the server answered HTTP {code} ({phrase}), offered was {', '.join(offered)}"
    if 300 <= code < 400:
        place = _LOCATION.search(head)
        hint = f"redirects are not followed; set the URL itself{f' ({place[1].decode()})' if place else ''}"
    else:
        hint = _HINTS.get(code, "try again later" if code >= 500 else "")
    return f"{text}; {hint}" if hint else text


def _is_only_the_subprotocol(wrong: Exception | None) -> bool:
    """The library looks at it last, and does not mind if none is agreed."""
    if isinstance(wrong, InvalidHeader):
        return wrong.name == "Sec-WebSocket-Protocol"
    return wrong is None or isinstance(wrong, NegotiationError)


def _close_at_once() -> bytes:
    return Messages(0, bytes).close(1002, "no common subprotocol")
