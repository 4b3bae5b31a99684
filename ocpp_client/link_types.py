"""What the link (link.py) is given and says: the profile to dial with, what the transport shall do, what the core
hears, and how far it has come.

Data only, but for the check of a profile. Import it from `ocpp_client.link`, the door to all of this.
"""

from __future__ import annotations

import enum
import string
from typing import Final, Literal, TypeAlias

import msgspec

from hal.units import SECOND, MonoNs
from ocpp_client import websocket
from ocpp_client.tls import TlsFault, TlsProfile
from ocpp_client.websocket import Endpoint


class LinkProfile(msgspec.Struct, frozen=True):
    """What to dial and how. `identity` is appended to `url` by us. Times in nanoseconds."""

    url: str
    identity: str
    subprotocols: tuple[str, ...]  # in order of preference
    password: bytes | None = None  # basic authentication; the user is the identity
    tls: TlsProfile | None = None  # None with wss://: the roots of the operating system
    open_timeout_ns: MonoNs = 30 * SECOND
    pong_timeout_ns: MonoNs = 30 * SECOND
    close_timeout_ns: MonoNs = 5 * SECOND
    ping_interval_ns: MonoNs = 0  # 0: no pings of our own
    max_frame_bytes: int = 1 << 20  # of one incoming message, and of what may wait for a peer that does not read

    def __repr__(self) -> str:
        password = "" if self.password is None else ", password=..."
        return f"LinkProfile({self.identity!r}, {', '.join(self.subprotocols)}{password})"  # a URL may hold secrets too


check_url: Final = websocket.check_url


IDENTITY_MAX: Final = 48
IDENTITY_SIGNS: Final = "*-_=:+|@."
IDENTITY_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + IDENTITY_SIGNS)


def check_profile(profile: LinkProfile) -> Endpoint:
    """The endpoint to dial. Raises ValueError with a sentence for people, which never holds a password."""
    endpoint = check_url(profile.url, profile.identity)
    if not profile.subprotocols:
        raise ValueError("no subprotocol to offer; say which OCPP versions may be spoken")
    if profile.password is not None and ":" in profile.identity:
        raise ValueError("an identity with a colon cannot be used with a password (RFC 7617)")
    if profile.tls is not None and not endpoint.secure:
        raise ValueError("TLS is configured, but the URL is ws://; use wss://")
    return endpoint


def check_identity(identity: str) -> None:
    """Raises ValueError unless it is an identifierString of up to 48 characters, as OCPP-J of 2.x has it; 1.6 has no limit of its own."""
    if not 1 <= len(identity) <= IDENTITY_MAX:
        raise ValueError(f"an identity has 1 to {IDENTITY_MAX} characters, this has {len(identity)}")
    others = dict.fromkeys(repr(character) for character in identity if character not in IDENTITY_CHARACTERS)
    if others:
        raise ValueError(f"an identity is made of a-z A-Z 0-9 {' '.join(IDENTITY_SIGNS)}, not of {', '.join(others)}")


LinkReason: TypeAlias = Literal[
    "refused",  # no TCP connection
    "timeout",  # not open in time
    "tls",  # see LinkDown.tls
    "http",  # answered, but not with 101
    "subprotocol",  # none agreed, or one not offered
    "protocol",  # the server broke the rules of HTTP or WebSocket
    "closed",  # with a close frame, by the server or by us
    "lost",  # without one
    "pong",  # no sign of life after a ping
    "stalled",  # it does not take what we send
]


class LinkUp(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The connection is open and this subprotocol was agreed, one of those offered."""

    subprotocol: str


class LinkDown(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The connection is over or never was. Nothing of it follows."""

    reason: LinkReason
    detail: str  # one sentence for people, the URL as sent in front
    http_status: int | None = None
    close_code: int | None = None  # of the server's close frame, else of ours
    tls: TlsFault | None = None


class FrameReceived(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One whole text message."""

    frame: str


class FrameFlushed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The frame sent with this `tell` has left the transport's buffer."""

    tell: int


class Connect(msgspec.Struct, frozen=True):
    """Open a TCP connection, then call `connected` or `connect_failed`. The link itself speaks TLS."""

    host: str
    port: int
    tls: bool


class CloseTransport(msgspec.Struct, frozen=True):
    """Close the connection, or stop trying; `abort`: without writing what waits."""

    abort: bool


class WriteEof(msgspec.Struct, frozen=True):
    """Nothing will be written after this."""


class PauseReading(msgspec.Struct, frozen=True):
    """Read no more for now."""


class ResumeReading(msgspec.Struct, frozen=True):
    """Read again."""


Told: TypeAlias = LinkUp | LinkDown | FrameReceived | FrameFlushed  # for the core
LinkOutput: TypeAlias = bytes | Connect | CloseTransport | WriteEof | PauseReading | ResumeReading | Told


class Stage(enum.Enum):
    """How far a link has come; the values are for people."""

    NEW = "new"
    DIALLING = "connecting"
    SECURING = "TLS handshake"
    ASKING = "WebSocket handshake"
    OPEN = "open"
    CLOSING = "closing"
    DOWN = "down"


TIMEOUT_HINTS: Final = {
    Stage.DIALLING: "check the name, port and firewall",
    Stage.SECURING: "check that this port speaks TLS",
    Stage.ASKING: "check that this is a WebSocket endpoint",
}

CLOSE_HINTS: Final = {
    1008: "; often it does not know the identity or the password",
    1011: "; something in it fell over, and its own log says what",
}
