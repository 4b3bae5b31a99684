"""How a WebSocket connection to a CSMS is opened, by the sans-I/O half of `websockets` (RFC 6455, RFC 7617).

Here: the URL a station dials and the opening handshake, as the chapters on the connection of OCPP-J 1.6, 2.0.1 and 2.1 ask: identity
percent-encoded at the end of the URL (what has to be, no more), subprotocols in order of preference. What the library leaves to its caller
is done here where it needs no clock: no subprotocol, or one that was not offered, is a failure.

Not here: the messages after it (messages.py), time, TLS, sockets (link.py, tls.py), JSON (rpc.py). Deflate is never offered: it costs a
station more memory than it saves. The only file of the station beside messages.py that imports `websockets`.
"""

from __future__ import annotations

import base64
import http
import re
import urllib.parse
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from ocpp_client.messages import QUIET, close_at_once, printable

HEAD_LIMIT: Final = 16_384  # bytes of an answer's head; the library allows a mebibyte

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r\n")
_LOCATION: Final = re.compile(rb"\r\nlocation:[ \t]*([\x21-\x7e]{1,200})", re.IGNORECASE)

_SEGMENT: Final = "!$&'()*+,;=:@"
"""What an identity may hold beside letters, digits and - . _ ~ and need not be encoded for (RFC 3986, pchar). Many a server takes the last
segment of the path as it stands: it would not know DE%2AABC%2AE1."""

_HINTS: Final = {
    200: "that is a page, no WebSocket; check the path of its endpoint",
    400: "often it accepts none of the subprotocols offered, or wants wss://; check the OCPP version",
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
        path=f"{path}/{urllib.parse.quote(identity, safe=_SEGMENT)}",
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
        self._protocol = ClientProtocol(uri, subprotocols=[Subprotocol(name) for name in subprotocols], logger=QUIET)
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
            text = f"the server agreed to {printable(agreed) or 'no subprotocol'}"
            text = f"{text}, offered were {', '.join(self._offered)}; check the OCPP version"
            return Refused("subprotocol", text, 101, close_at_once())
        if wrong is not None:
            return Refused("protocol", f"the answer 101 is not valid: {printable(str(wrong))}", 101)
        return Agreed(agreed, rest)


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
