"""Whatever comes, in whatever pieces, in whatever order: a link never raises, and ends with one LinkDown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from hal.units import SECOND
from ocpp_client.link import CloseTransport, FrameFlushed, FrameReceived, Link, LinkDown, LinkOutput, LinkUp
from tests.unit.ocpp_client.test_link import PROFILE, Pair, close_frame, downs, draw, frame, text

SMALL = msgspec.structs.replace(PROFILE, max_frame_bytes=300, ping_interval_ns=60 * SECOND)

payloads = st.binary(max_size=400) | st.text(max_size=130).map(str.encode)
good_frames = st.text(max_size=60).map(text) | st.binary(max_size=125).map(lambda data: frame(Opcode.PING, data))
any_frames = st.builds(
    lambda opcode, data, fin, rsv, mask: (
        Frame(opcode, data, fin, rsv).serialize(mask=mask) if opcode < 8 else frame(opcode, data[:125])
    ),
    st.sampled_from(list(Opcode)),
    payloads,
    st.booleans(),
    st.just(False),
    st.sampled_from([False, False, False, True]),
)
closes = st.builds(close_frame, st.sampled_from([1000, 1001, 1008, 1011, 3000, 4999]), st.text(max_size=20))
streams = st.lists(good_frames | any_frames | closes | st.binary(max_size=30), max_size=12).map(b"".join)


def answer_of_the_server() -> bytes:
    pair = Pair(SMALL)
    return pair.answer(pair.ask())


ANSWER = answer_of_the_server()
ACCEPT = next(line for line in ANSWER.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Accept"))
HEAD_LINES = [
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 401 Unauthorized",
    b"HTTP/1.1 301 x",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 999 ?",
    b"Upgrade: websocket",
    b"Upgrade: ,;=",
    b"Connection: Upgrade",
    b"Connection: \xff",
    ACCEPT,
    b"Sec-WebSocket-Accept: x",
    b"Sec-WebSocket-Protocol: ocpp1.6",
    b"Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1",
    b"Sec-WebSocket-Protocol: \x00",
    b"Sec-WebSocket-Extensions: permessage-deflate; x=",
    b"Location: ws://elsewhere",
    b"",
]
heads = st.lists(st.sampled_from(HEAD_LINES) | st.binary(max_size=20), max_size=9).map(b"\r\n".join)


def told(outputs: Iterable[LinkOutput]) -> list[LinkUp | LinkDown | FrameReceived | FrameFlushed]:
    return [output for output in outputs if isinstance(output, LinkUp | LinkDown | FrameReceived | FrameFlushed)]


def hear(link: Link, stream: bytes, cuts: Iterable[int]) -> list[LinkUp | LinkDown | FrameReceived | FrameFlushed]:
    """All that the core is told of a stream that is cut into pieces there and then ends."""
    outputs: list[LinkOutput] = []
    start = 0
    for end in [*sorted(cut for cut in cuts if cut <= len(stream)), len(stream)]:
        outputs += link.receive(0, stream[start:end])
        start = end
    outputs += link.receive_eof(1)
    assert b"" not in outputs
    return told(outputs)


cuts = st.lists(st.integers(0, 400), max_size=8) | st.just(list(range(2000)))


@given(streams, cuts)
def test_pieces_do_not_matter_once_it_is_open(stream: bytes, cuts: list[int]) -> None:
    whole, pieces = Pair(SMALL), Pair(SMALL)
    answer = whole.answer(whole.ask())
    assert pieces.ask()
    expected = hear(whole.link, answer + stream, [])
    assert expected[0] == LinkUp("ocpp1.6")
    assert [type(item) for item in expected].count(LinkDown) == 1
    assert isinstance(expected[-1], LinkDown)
    assert hear(pieces.link, answer + stream, [len(answer) // 2, *(len(answer) - 4 + cut for cut in cuts)]) == expected


@given(heads | st.binary(max_size=60), st.booleans(), cuts)
def test_pieces_do_not_matter_while_opening(head: bytes, complete: bool, cuts: list[int]) -> None:
    whole, pieces = Pair(SMALL), Pair(SMALL)
    assert whole.ask() == pieces.ask()
    stream = head + b"\r\n\r\n" + text("rest") if complete else head
    expected = hear(whole.link, stream, [])
    assert [type(item) for item in expected].count(LinkDown) == 1
    assert hear(pieces.link, stream, cuts) == expected


Do = Callable[[Link, int, bytes], list[LinkOutput]]


def jump(link: Link, now: int, stream: bytes) -> list[LinkOutput]:
    return link.wake(max(now, link.wake_at or 0))


def change_interval(link: Link, now: int, stream: bytes) -> list[LinkOutput]:
    link.set_ping_interval(now, len(stream) * SECOND)
    return []


OPENING: list[Do] = [
    lambda link, now, _: link.open(now),
    lambda link, now, _: link.connected(now),
    lambda link, now, stream: link.receive(now, ANSWER + stream),
]
ANY: list[Do] = [
    *OPENING,
    jump,
    change_interval,
    lambda link, now, _: link.connect_failed(now, "why"),
    lambda link, now, stream: link.receive(now, memoryview(stream)),
    lambda link, now, _: link.receive_eof(now),
    lambda link, now, _: link.lost(now, "why"),
    lambda link, now, _: link.pause_writing(),
    lambda link, now, _: link.resume_writing(now),
    lambda link, now, _: link.flushed(now),
    lambda link, now, stream: link.send(now, stream[:200].hex()),
    lambda link, now, _: link.send(now, "[]", tell=now),
    lambda link, now, _: link.close(now),
    lambda link, now, _: link.wake(now),
]
steps = st.tuples(st.sampled_from(ANY), streams)


@given(st.booleans(), st.lists(steps, max_size=20))
def test_any_order_of_events(opened: bool, steps: list[tuple[Do, bytes]]) -> None:
    link, now, closed = Link(SMALL, draw), 0, False
    outputs: list[LinkOutput] = []
    for step, stream in [*((step, b"") for step in OPENING if opened), *steps]:
        now += SECOND
        new = step(link, now, stream)
        closed = closed or step is ANY[-2]
        if closed:
            assert not any(isinstance(output, FrameReceived) for output in new)
            assert not link.is_open
        if downs(outputs):
            assert new in ([], [CloseTransport(abort=True)]), "only a connection that comes too late wants to be closed"
            assert link.wake_at is None
        if step is ANY[-1]:
            assert link.wake_at is None or link.wake_at > now
        assert b"" not in new
        outputs += new
    assert len(downs([*outputs, *link.lost(now, "the end")])) == 1


def test_the_heads_above_can_open_a_link() -> None:
    """Else the fuzzing would not get past the handshake."""
    pair = Pair(SMALL)
    pair.ask()
    head = [HEAD_LINES[0], b"Upgrade: websocket", b"Connection: Upgrade", ACCEPT, b"Sec-WebSocket-Protocol: ocpp1.6"]
    assert set(head) <= set(HEAD_LINES)
    assert pair.link.receive(0, b"\r\n".join([*head, b"", b""])) == [LinkUp("ocpp1.6")]
