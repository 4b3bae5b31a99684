"""A link from dialling to LinkUp or LinkDown, against the server half of `websockets`.

`Pair` and its neighbours serve the other tests of the link too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import pytest
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from hal.units import SECOND
from ocpp_client.link import (
    CloseTransport,
    Connect,
    FrameReceived,
    Link,
    LinkDown,
    LinkOutput,
    LinkProfile,
    LinkUp,
    check_profile,
)
from tests.spec import spec

PROFILE = LinkProfile("ws://csms.test:8080/ocpp", "RDAM|123", ("ocpp1.6",))
UP = LinkUp("ocpp1.6")


def draw(count: int) -> bytes:
    return bytes(range(count))


def frame(opcode: Opcode, data: bytes = b"", fin: bool = True) -> bytes:
    """A frame as a server sends it."""
    return Frame(opcode, data, fin).serialize(mask=False)


def text(data: str | bytes, fin: bool = True) -> bytes:
    return frame(Opcode.TEXT, data.encode() if isinstance(data, str) else data, fin)


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(Opcode.CLOSE, Close(code, reason).serialize())


def downs(outputs: Iterable[LinkOutput]) -> list[LinkDown]:
    return [output for output in outputs if isinstance(output, LinkDown)]


def down(outputs: Iterable[LinkOutput]) -> LinkDown:
    (only,) = downs(outputs)
    return only


def sent(outputs: Iterable[LinkOutput]) -> bytes:
    return b"".join(output for output in outputs if isinstance(output, bytes))


class Pair:
    """A link and the `websockets` server it talks to, without sockets."""

    def __init__(self, profile: LinkProfile = PROFILE, subprotocols: Sequence[str] = ("ocpp1.6",)) -> None:
        self.link = Link(profile, draw)
        self.server = ServerProtocol(subprotocols=[Subprotocol(name) for name in subprotocols])

    def ask(self) -> bytes:
        """Dials; gives the request."""
        connect, *_ = self.link.open(0)
        assert isinstance(connect, Connect)
        return sent(self.link.connected(0))

    def answer(self, request: bytes) -> bytes:
        """The server's answer to the request."""
        self.server.receive_data(request)
        (event,) = self.server.events_received()
        assert isinstance(event, Request)
        self.server.send_response(self.server.accept(event))
        return b"".join(self.server.data_to_send())

    def heard(self, data: bytes) -> list[Frame]:
        """What the server makes of bytes of ours."""
        self.server.receive_data(data)
        return [event for event in self.server.events_received() if isinstance(event, Frame)]

    def close_sent(self, outputs: Iterable[LinkOutput]) -> int:
        """The code of the one close frame among the outputs."""
        (last,) = [event for event in self.heard(sent(outputs)) if event.opcode is Opcode.CLOSE]
        return int(Close.parse(bytes(last.data)).code)


def opened(profile: LinkProfile = PROFILE) -> Pair:
    pair = Pair(profile)
    assert pair.link.receive(0, pair.answer(pair.ask())) == [UP]
    return pair


def answered(status_line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status_line}", *headers, "", "")).encode() + body


@spec("1.6", "J-30", "J-33", "16-J-47")
def test_opens() -> None:
    pair = Pair(LinkProfile("ws://csms.test:8080/ocpp", "RDAM|123", ("ocpp2.0.1", "ocpp1.6")))
    assert pair.link.open(0) == [Connect("csms.test", 8080, tls=False)]
    request = sent(pair.link.connected(0))
    head = request.decode().split("\r\n")
    assert head[0] == "GET /ocpp/RDAM%7C123 HTTP/1.1"
    assert "Host: csms.test:8080" in head
    assert "Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6" in head
    assert f"Sec-WebSocket-Key: {base64.b64encode(draw(16)).decode()}" in head
    assert not any(line.startswith(("Authorization", "Sec-WebSocket-Extensions")) for line in head)
    before = pair.link.is_open
    assert pair.link.receive(0, pair.answer(request)) == [UP]
    assert (before, pair.link.is_open) == (False, True)
    assert pair.link.wake_at is None


@spec("1.6", "16-J-48")
def test_password_goes_out_as_raw_bytes() -> None:
    password = bytes([0xFF, 0x00, 0x3A, 0xC3])
    request = Pair(LinkProfile("ws://csms.test", "CP", ("ocpp1.6",), password)).ask()
    credentials = base64.b64encode(b"CP:" + password).decode()
    assert f"\r\nAuthorization: Basic {credentials}\r\n".encode() in request


def test_password_is_in_no_text() -> None:
    profile = LinkProfile("ws://csms.test/?token=SECRET", "CP", ("ocpp1.6",), b"SECRET")
    pair = Pair(profile)
    pair.ask()
    assert "SECRET" not in repr(profile) + down(pair.link.receive(0, answered("401 No"))).detail


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (LinkProfile("ws://h", "CP", ()), "no subprotocol"),
        pytest.param(LinkProfile("ws://h", "C:P", ("ocpp1.6",), b"secret"), "colon", marks=spec("1.6", "16-J-32")),
        (LinkProfile("http://h", "CP", ("ocpp1.6",)), "neither ws:// nor wss://"),
    ],
)
def test_bad_profiles_are_refused(profile: LinkProfile, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_profile(profile)
    with pytest.raises(ValueError, match=words):
        Link(profile, draw)


@pytest.mark.parametrize(
    ("status_line", "status", "hint"),
    [
        ("400 Bad Request", 400, "OCPP version"),
        ("401 Unauthorized", 401, "identity and password"),
        ("403 Forbidden", 403, "identity and password"),
        ("404 Not Found", 404, "check the path"),
        ("426 Upgrade Required", 426, "WebSocket endpoint"),
        ("500 Internal Server Error", 500, "try again later"),
        ("503", 503, "try again later"),
        ("200 OK", 200, "no WebSocket"),
    ],
)
def test_http_refusals(status_line: str, status: int, hint: str) -> None:
    pair = Pair()
    pair.ask()
    # duty 1: without a Content-Length the body ends with the connection, perhaps never; nobody waits for it
    outputs = pair.link.receive(0, answered(status_line, "Content-Type: text/html", body=b"<h1>Sorry"))
    assert outputs[:-1] == [CloseTransport(abort=False)]
    said = down(outputs)
    assert (said.reason, said.http_status) == ("http", status)
    assert hint in said.detail
    assert said.detail.startswith("ws://csms.test:8080/ocpp/RDAM%7C123: ")
    assert "ocpp1.6" in said.detail


def test_redirects_are_told_not_followed() -> None:
    pair = Pair()
    pair.ask()
    outputs = pair.link.receive(
        0, answered("301 Moved Permanently", "Location: wss://new.test/ocpp", "Content-Length: 0")
    )
    assert not any(isinstance(output, Connect) for output in outputs)
    assert down(outputs).http_status == 301
    assert "not followed" in down(outputs).detail
    assert "wss://new.test/ocpp" in down(outputs).detail


@spec("1.6", "J-34", "J-35")
@pytest.mark.parametrize(
    ("named", "agreed"),
    [((), "no subprotocol"), (("ocpp2.0.1",), "ocpp2.0.1"), (("ocpp1.6", "ocpp1.6"), "ocpp1.6, ocpp1.6")],
)
def test_subprotocol_must_be_one_of_ours(named: Sequence[str], agreed: str) -> None:
    pair = Pair()
    key = pair.answer(pair.ask()).split(b"Sec-WebSocket-Accept: ")[1].split(b"\r\n")[0].decode()
    headers = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {key}"]
    headers += [f"Sec-WebSocket-Protocol: {name}" for name in named]
    outputs = pair.link.receive(0, answered("101 Switching Protocols", *headers))
    assert UP not in outputs
    assert outputs[-2] == CloseTransport(abort=False)
    assert pair.close_sent(outputs) == 1002
    assert down(outputs).reason == "subprotocol"
    assert f"agreed to {agreed}, offered were ocpp1.6" in down(outputs).detail


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "use wss://"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 hello\r\n\r\n", "status line"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 is not valid"),
        (b"HTTP/1.1 101 Switching Protocols\r\nno colon\r\n\r\n", "101 is not valid"),
        (b"HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "101 is not valid"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000, "longer than"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", "longer than"),
    ],
)
def test_garbage_instead_of_http(answer: bytes, words: str) -> None:
    pair = Pair(LinkProfile("ws://h", "CP", ("ocpp1.6",)))
    pair.ask()
    outputs = pair.link.receive(0, answer)
    assert CloseTransport(abort=False) in outputs
    assert down(outputs).reason == "protocol"
    assert words in down(outputs).detail


def test_101_of_another_key_is_refused() -> None:
    pair = Pair()
    answer = pair.answer(pair.ask())
    key = answer.split(b"Sec-WebSocket-Accept: ")[1].split(b"\r\n")[0]
    outputs = pair.link.receive(0, answer.replace(key, base64.b64encode(bytes(20))))
    assert down(outputs).reason == "protocol"
    assert "101 is not valid" in down(outputs).detail


def test_message_in_the_segment_of_the_101_is_heard() -> None:
    pair = Pair()
    outputs = pair.link.receive(0, pair.answer(pair.ask()) + text("at once") + text("half")[:3])
    assert outputs == [UP, FrameReceived("at once")]
    assert pair.link.receive(0, text("half")[3:]) == [FrameReceived("half")]


@pytest.mark.parametrize(
    ("code", "hint"), [(1008, "identity or the password"), (1011, "its own log"), (1000, "1000 (unknown)")]
)
def test_101_followed_by_a_close(code: int, hint: str) -> None:
    pair = Pair()
    outputs = pair.link.receive(0, pair.answer(pair.ask()) + close_frame(code, "unknown"))
    assert outputs[0] == UP
    assert not pair.link.is_open
    assert pair.close_sent(outputs) == code
    said = down(pair.link.receive_eof(0))
    assert (said.reason, said.close_code) == ("closed", code)
    assert "unknown" in said.detail
    assert hint in said.detail


def test_open_timeout_while_dialling() -> None:
    link = Link(PROFILE, draw)
    link.open(7)
    deadline = link.wake_at
    assert deadline == 7 + 30 * SECOND
    assert link.wake(deadline - 1) == []
    outputs = link.wake(deadline)
    assert outputs[0] == CloseTransport(abort=True)
    assert down(outputs).reason == "timeout"
    assert "within 30 s" in down(outputs).detail
    assert link.wake_at is None
    assert link.connected(0) == [CloseTransport(abort=True)], "it came too late"


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\n"])
def test_open_timeout_while_asking(part: bytes) -> None:
    pair = Pair()
    pair.ask()
    assert pair.link.receive(1, part) == []
    outputs = pair.link.wake(30 * SECOND)
    assert outputs[0] == CloseTransport(abort=True)
    assert down(outputs).reason == "timeout"


def test_refused() -> None:
    link = Link(PROFILE, draw)
    link.open(0)
    (said,) = downs(link.connect_failed(0, "port 8080 refuses connections"))
    assert said == LinkDown("refused", "ws://csms.test:8080/ocpp/RDAM%7C123: port 8080 refuses connections")
    assert link.connect_failed(0, "again") == []


def at_stage(stage: str) -> Link:
    pair = Pair()
    if stage == "new":
        return pair.link
    if stage == "dialling":
        pair.link.open(0)
        return pair.link
    request = pair.ask()
    if stage == "asking":
        return pair.link
    pair.link.receive(0, pair.answer(request))
    if stage == "closing":
        pair.link.close(0)
    if stage == "closed by the server":
        pair.link.receive(0, close_frame(1000))
    return pair.link


STAGES = ["new", "dialling", "asking", "open", "closing", "closed by the server"]


@pytest.mark.parametrize("stage", STAGES)
def test_lost_gives_one_link_down(stage: str) -> None:
    link = at_stage(stage)
    (said,) = link.lost(1, "reset by peer")
    assert isinstance(said, LinkDown)
    assert said.reason == ("closed" if stage.startswith("clos") else "lost")
    assert [
        *link.lost(2, "again"),
        *link.receive_eof(2),
        *link.receive(2, text("late")),
        *link.connect_failed(2, "late"),
        *link.close(2),
        *link.send(2, "late", tell=1),
        *link.flushed(2),
        *link.pause_writing(),
        *link.resume_writing(2),
        *link.wake(10**18),
        *link.open(2),
    ] == []
    assert link.wake_at is None


@pytest.mark.parametrize("stage", ["dialling", "asking", "open"])
def test_end_of_stream_gives_one_link_down(stage: str) -> None:
    link = at_stage(stage)
    outputs = link.receive_eof(1)
    assert CloseTransport(abort=False) in outputs
    assert outputs[-1] == down(outputs)
    assert down(outputs).reason == "lost"
    assert link.receive_eof(1) == []


@pytest.mark.parametrize("stage", ["new", "dialling", "asking"])
def test_close_while_opening(stage: str) -> None:
    link = at_stage(stage)
    outputs = link.close(1)
    assert down(outputs).reason == "closed"
    assert (CloseTransport(abort=True) in outputs) == (stage != "new")
    assert not sent(outputs)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "open"])
def test_send_while_not_open_does_nothing(stage: str) -> None:
    link = at_stage(stage)
    assert link.send(1, "too early or too late", tell=1) == []
    assert link.flushed(1) == []
