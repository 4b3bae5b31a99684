"""The link to a CSMS: one connection attempt and its life, from the dialling to the one `LinkDown` that ends it.

Pure: the transport says what happened (`connected`, `receive`, `lost`, ...), the link answers with a list of what to do
(bytes to write, `Connect`, `CloseTransport`, ...) and of what the core shall hear (`LinkUp`, `FrameReceived`, ...), in
order. It joins WebSocket (websocket.py, messages.py) and TLS (tls.py) and adds what needs a clock: time-outs of opening and closing,
pings and their deadline (OCPP-J 1.6, 2.0.1 and 2.1, chapters on the connection; WebSocketPingInterval).

Not here: what it is given and says (link_types.py, to be imported from here), reconnecting and its back-off
(station.core), sockets (station.shell.tcp), calls and answers (rpc.py).

A sign of life is any complete frame that comes after a ping, not only its pong: who still sends is there, and one who
sends but does not listen is found by the time-outs of our calls. Bytes of an unfinished frame are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hal.units import SECOND, MonoNs
from ocpp_client.link_types import (
    CLOSE_HINTS,
    TIMEOUT_HINTS,
    CloseTransport,
    Connect,
    FrameFlushed,
    FrameReceived,
    LinkDown,
    LinkOutput,
    LinkProfile,
    LinkReason,
    LinkUp,
    PauseReading,
    ResumeReading,
    Stage,
    Told,
    WriteEof,
    check_identity,
    check_profile,
    check_url,
)
from ocpp_client.messages import Ended, Messages
from ocpp_client.tls import TlsFault, TlsProfile, TlsStream
from ocpp_client.websocket import Agreed, Opening

__all__ = [
    "CloseTransport",
    "Connect",
    "FrameFlushed",
    "FrameReceived",
    "Link",
    "LinkDown",
    "LinkOutput",
    "LinkProfile",
    "LinkReason",
    "LinkUp",
    "PauseReading",
    "ResumeReading",
    "Told",
    "WriteEof",
    "check_identity",
    "check_profile",
    "check_url",
]


_WRITE_EOF: Final = WriteEof()
_PAUSE: Final = PauseReading()
_RESUME: Final = ResumeReading()


class Link:
    """One connection attempt and its life. Nothing the world does makes it raise; after LinkDown it says nothing."""

    __slots__ = (
        "_backlog",
        "_deadline",
        "_draw",
        "_messages",
        "_opening",
        "_paused",
        "_ping_at",
        "_ping_every",
        "_pong_at",
        "_profile",
        "_stage",
        "_tells",
        "_tls",
        "_verdict",
        "wake_at",
    )

    def __init__(self, profile: LinkProfile, draw: Callable[[int], bytes]) -> None:
        """`draw(n)`: n random bytes, for the handshake's key and for masks. Raises ValueError as `check_profile` does."""
        check_profile(profile)
        self._profile = profile
        self._draw = draw
        self._stage = Stage.NEW
        self._tls: TlsStream | None = None
        self._opening: Opening | None = None
        self._messages: Messages | None = None
        self._verdict: LinkDown | None = None  # what LinkDown will say once a connection that is closing has ended
        self._deadline: MonoNs | None = None  # of opening, of closing
        self._ping_every = profile.ping_interval_ns
        self._ping_at: MonoNs | None = None
        self._pong_at: MonoNs | None = None
        self._paused = False
        self._backlog = 0  # bytes written since the transport asked for a pause
        self._tells: list[int] | None = None
        self.wake_at: MonoNs | None = None  # when `wake` wants to be called; read only

    @property
    def is_open(self) -> bool:
        """Between LinkUp and the first sign of the end: `send` sends."""
        return self._stage is Stage.OPEN

    def open(self, now_ns: MonoNs) -> list[LinkOutput]:
        """Starts the attempt; once."""
        if self._stage is not Stage.NEW:
            return []
        endpoint = check_profile(self._profile)
        out: list[LinkOutput] = []
        if endpoint.secure:
            try:
                self._tls = TlsStream(self._profile.tls or TlsProfile(), endpoint.host)
            except (OSError, ValueError) as wrong:
                text = f"certificates or keys cannot be loaded ({wrong}); PEM files are needed"
                self._down(out, "tls", text, tls=TlsFault.FILES)
                return out
        self._stage = Stage.DIALLING
        self._deadline = self.wake_at = now_ns + self._profile.open_timeout_ns
        return [Connect(endpoint.host, endpoint.port, endpoint.secure)]

    def connected(self, now_ns: MonoNs) -> list[LinkOutput]:
        """The TCP connection is there."""
        if self._stage is Stage.DOWN:
            return [CloseTransport(abort=True)]
        out: list[LinkOutput] = []
        if self._stage is Stage.DIALLING:
            if self._tls is None:
                self._ask(out)
            else:
                self._stage = Stage.SECURING
                out.append(self._tls.start())
        return out

    def connect_failed(self, now_ns: MonoNs, why: str) -> list[LinkOutput]:
        """There will be no TCP connection."""
        out: list[LinkOutput] = []
        if self._stage is not Stage.DOWN:
            self._down(out, "refused", why)
        return out

    def receive(self, now_ns: MonoNs, data: bytes | memoryview) -> list[LinkOutput]:
        """Bytes came. They are copied, so that a shared buffer may be reused at once."""
        out: list[LinkOutput] = []
        if self._tls is None:
            self._read(now_ns, data, out)
        else:
            self._read_tls(now_ns, data, self._tls, out)
        return out

    def receive_eof(self, now_ns: MonoNs) -> list[LinkOutput]:
        """The server sends no more."""
        out: list[LinkOutput] = []
        if self._stage is Stage.NEW or self._stage is Stage.DOWN:
            return out
        for piece in self._messages.receive_eof() if self._messages else ():
            if piece:
                self._put(out, piece)
            elif self._tls is None:
                out.append(_WRITE_EOF)  # TLS cannot be half closed: its goodbye comes with the closing
        self._close_transport(out)
        self._gone(out, "the server ended the connection")
        return out

    def lost(self, now_ns: MonoNs, why: str) -> list[LinkOutput]:
        """The transport is gone; `why` is the end of a sentence."""
        out: list[LinkOutput] = []
        if self._stage is not Stage.DOWN:
            self._gone(out, f"the connection was lost: {why}")
        return out

    def send(self, now_ns: MonoNs, frame: str | bytes, tell: int | None = None) -> list[LinkOutput]:
        """One text message. Nothing happens unless the link is open: the core sends after LinkUp, until LinkDown.

        With `tell` the transport shall call `flushed` once its buffer is empty.
        """
        messages = self._messages
        if messages is None or self._stage is not Stage.OPEN:
            return []
        out: list[LinkOutput] = []
        piece = messages.send(frame.encode() if isinstance(frame, str) else frame)
        if tell is not None:
            self._tells = [*(self._tells or ()), tell]
        if self._paused:
            self._backlog += len(piece)
            if self._backlog > self._profile.max_frame_bytes:
                out.append(CloseTransport(abort=True))
                self._down(out, "stalled", f"the server does not take what we send, {self._backlog} bytes wait")
                return out
        self._put(out, piece)
        return out

    def close(self, now_ns: MonoNs, code: int = 1000, reason: str = "") -> list[LinkOutput]:
        """Ends the link; no frame is delivered after this. Raises ValueError for a code that must not be sent."""
        out: list[LinkOutput] = []
        if self._stage is Stage.OPEN and self._messages:
            if self._paused:
                out.append(_RESUME)
            self._put(out, self._messages.close(code, reason))
            self._closing(now_ns, LinkDown("closed", self._sentence("closed by the station"), None, code))
        elif self._stage not in (Stage.CLOSING, Stage.DOWN):
            if self._stage is not Stage.NEW:
                out.append(CloseTransport(abort=True))
            self._down(out, "closed", "closed by the station before it was open")
        return out

    def wake(self, now_ns: MonoNs) -> list[LinkOutput]:
        """Time has passed; does nothing before `wake_at`."""
        out: list[LinkOutput] = []
        if self.wake_at is None or now_ns < self.wake_at:
            return out
        if self._stage is Stage.OPEN:
            self._beat(now_ns, out)
        elif self._verdict is not None:
            out.append(CloseTransport(abort=True))
            self._gone(out, "", "; the server did not end the connection")
        else:
            out.append(CloseTransport(abort=True))
            within = f"within {self._profile.open_timeout_ns / SECOND:g} s"
            self._down(out, "timeout", f"the {self._stage.value} {within}; {TIMEOUT_HINTS.get(self._stage, '')}")
        return out

    def set_ping_interval(self, now_ns: MonoNs, interval_ns: MonoNs) -> None:
        """From now on; 0: no pings of our own. Moves `wake_at`."""
        self._ping_every = interval_ns
        if self._stage is Stage.OPEN:
            self._ping_at = now_ns + interval_ns if interval_ns > 0 else None
            self._pong_at = self._pong_at if interval_ns > 0 else None
            self._plan()

    def pause_writing(self) -> list[LinkOutput]:
        """The transport's buffer is full: read no more, so that no more answers and pongs come to be sent."""
        self._paused = True
        return [_PAUSE] if self._stage is Stage.OPEN else []

    def resume_writing(self, now_ns: MonoNs) -> list[LinkOutput]:
        """The server took what waited, which is a sign of life too."""
        self._paused = False
        self._backlog = 0
        if self._messages is not None:
            self._messages.heard = True
        return [_RESUME] if self._stage is Stage.OPEN else []

    def flushed(self, now_ns: MonoNs) -> list[LinkOutput]:
        """The transport's buffer is empty."""
        tells, self._tells = self._tells, None
        return [FrameFlushed(tell) for tell in tells or ()]

    def _read(self, now_ns: MonoNs, data: bytes | memoryview, out: list[LinkOutput]) -> None:
        if self._messages is not None:
            for heard in self._messages.receive(data):
                if type(heard) is str:
                    out.append(FrameReceived(heard))
                elif type(heard) is bytes:
                    self._put(out, heard)
                elif type(heard) is Ended:
                    self._end(now_ns, heard)
        elif self._opening is not None:
            answer = self._opening.receive(data)
            if isinstance(answer, Agreed):
                self._up(now_ns, answer, out)
            elif answer is not None:
                self._put(out, answer.parting)
                self._close_transport(out)
                self._down(out, answer.reason, answer.text, answer.http_status)

    def _read_tls(self, now_ns: MonoNs, data: bytes | memoryview, tls: TlsStream, out: list[LinkOutput]) -> None:
        plain = tls.receive(data)
        if pending := tls.take():
            out.append(pending)
        if self._stage is Stage.SECURING and tls.secured and tls.failure is None:
            self._ask(out)
        if plain:
            self._read(now_ns, plain, out)
        if self._stage is Stage.DOWN:
            return
        if tls.failure is not None:
            self._close_transport(out)
            self._down(out, "tls", f"TLS failed: {tls.failure.text}", tls=tls.failure.fault)
        elif tls.ended:
            out.extend(self.receive_eof(now_ns))

    def _ask(self, out: list[LinkOutput]) -> None:
        profile = self._profile
        self._opening = Opening(check_profile(profile), profile.subprotocols, self._draw(16))
        self._stage = Stage.ASKING
        self._put(out, self._opening.request(profile.identity, profile.password))

    def _up(self, now_ns: MonoNs, agreed: Agreed, out: list[LinkOutput]) -> None:
        self._opening = None
        self._messages = Messages(self._profile.max_frame_bytes, self._draw)
        self._stage = Stage.OPEN
        self._deadline = None
        self.set_ping_interval(now_ns, self._ping_every)
        out.append(LinkUp(agreed.subprotocol))
        if agreed.rest:
            self._read(now_ns, agreed.rest, out)

    def _beat(self, now_ns: MonoNs, out: list[LinkOutput]) -> None:
        messages = self._messages
        if messages is None:
            return
        if self._pong_at is not None and now_ns >= self._pong_at:
            if not messages.heard:
                out.append(CloseTransport(abort=True))
                unread = ", nor is what we send taken" if self._paused else ""
                within = f"within {self._profile.pong_timeout_ns / SECOND:g} s"
                return self._down(out, "pong", f"nothing came {within} after a ping{unread}")
            self._pong_at = None
        if self._ping_at is not None and now_ns >= self._ping_at:
            self._ping_at = now_ns + self._ping_every
            if self._pong_at is None:
                messages.heard = False
                self._pong_at = now_ns + self._profile.pong_timeout_ns
            if not self._paused:  # else there is enough that waits for a sign of life
                self._put(out, messages.ping())
        self._plan()

    def _plan(self) -> None:
        times = (self._deadline, self._ping_at, self._pong_at)
        self.wake_at = min((at for at in times if at is not None), default=None)

    def _put(self, out: list[LinkOutput], data: bytes) -> None:
        if self._tls is not None and data:
            data = self._tls.send(data)
        if data:
            out.append(data)

    def _close_transport(self, out: list[LinkOutput]) -> None:
        if self._tls is not None and (goodbye := self._tls.shut()):
            out.append(goodbye)
        out.append(CloseTransport(abort=False))

    def _end(self, now_ns: MonoNs, ended: Ended) -> None:
        code = "no code" if ended.code is None else str(ended.code)
        said = f"{code} ({ended.text})" if ended.text else code
        if ended.reason == "closed":
            hint = CLOSE_HINTS.get(ended.code, "") if ended.code else ""
            text = f"the server closed the connection with {said}{hint}"
        else:
            text = f"the server broke the rules of WebSocket; closed with {said}"
        self._closing(now_ns, LinkDown(ended.reason, self._sentence(text), None, ended.code))

    def _closing(self, now_ns: MonoNs, verdict: LinkDown) -> None:
        """Waits for the server to end the connection, as RFC 6455 7.1.1 asks of a client."""
        self._stage = Stage.CLOSING
        self._verdict = verdict
        self._ping_at = self._pong_at = None
        self._deadline = now_ns + self._profile.close_timeout_ns
        self._plan()

    def _gone(self, out: list[LinkOutput], text: str, more: str = "") -> None:
        verdict = self._verdict
        if verdict is not None:
            answer = self._messages.close_received if self._messages and verdict.reason == "closed" else None
            code = verdict.close_code if answer in (None, 1005) else answer
            self._clear()
            out.append(LinkDown(verdict.reason, verdict.detail + more, None, code))
        elif self._stage is Stage.SECURING:
            self._down(
                out, "tls", f"{text}, during the TLS handshake; check that this port speaks TLS", tls=TlsFault.CUT
            )
        elif self._stage is Stage.ASKING:
            hint = "; perhaps this port wants wss://" if self._tls is None else ""
            self._down(out, "lost", f"{text}, before a complete HTTP answer came{hint}")
        else:
            self._down(out, "lost", text)

    def _down(
        self,
        out: list[LinkOutput],
        reason: LinkReason,
        text: str,
        http_status: int | None = None,
        tls: TlsFault | None = None,
    ) -> None:
        self._clear()
        out.append(LinkDown(reason, self._sentence(text), http_status, None, tls))

    def _clear(self) -> None:
        self._stage = Stage.DOWN
        self._tls = self._opening = self._messages = self._verdict = None
        self._deadline = self._ping_at = self._pong_at = self.wake_at = None
        self._tells = None

    def _sentence(self, text: str) -> str:
        return f"{check_profile(self._profile).shown}: {text}"
