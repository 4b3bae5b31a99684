"""An open link: messages, pings, closing, back-pressure; duty by duty what the library leaves to its caller."""

from __future__ import annotations

import msgspec
import pytest
from websockets.frames import Opcode

from hal.units import SECOND
from ocpp_client.link import (
    CloseTransport,
    FrameFlushed,
    FrameReceived,
    LinkDown,
    PauseReading,
    ResumeReading,
    WriteEof,
)
from tests.spec import spec
from tests.unit.ocpp_client.test_link import PROFILE, Pair, close_frame, down, downs, frame, opened, sent, text


def pinging(interval_s: int = 60, pong_s: int = 10) -> Pair:
    return opened(
        msgspec.structs.replace(PROFILE, ping_interval_ns=interval_s * SECOND, pong_timeout_ns=pong_s * SECOND)
    )


# Messages


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_round_trip(size: int) -> None:
    pair = opened()
    message = "é" * (size // 2) + "x" * (size % 2)
    outputs = pair.link.send(0, message)
    assert [type(output) for output in outputs] == [bytes]
    (received,) = pair.heard(sent(outputs))
    assert (received.opcode, bytes(received.data).decode()) == (Opcode.TEXT, message)
    assert pair.link.receive(0, memoryview(text(message))) == [FrameReceived(message)]


@spec("1.6", "J-16")
def test_bytes_are_sent_as_text() -> None:
    pair = opened()
    (received,) = pair.heard(sent(pair.link.send(0, b"[2]")))
    assert (received.opcode, bytes(received.data)) == (Opcode.TEXT, b"[2]")


def test_a_reused_buffer_does_no_harm() -> None:
    pair = opened()
    buffer = bytearray(text("first")[:4])
    assert pair.link.receive(0, memoryview(buffer)) == []
    buffer[:] = b"XXXX"
    assert pair.link.receive(0, text("first")[4:]) == [FrameReceived("first")]


@spec("1.6", "J-59")
def test_fragments_are_joined_and_pings_between_answered() -> None:
    """Duty 3. The cut is within a character."""
    pair = opened()
    snow = "☃".encode()
    assert pair.link.receive(0, text(b"a" + snow[:1], fin=False)) == []
    outputs = pair.link.receive(0, frame(Opcode.PING, b"?"))
    (pong,) = pair.heard(sent(outputs))
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"?")
    assert pair.link.receive(0, frame(Opcode.CONT, snow[1:], fin=False)) == []
    assert pair.link.receive(0, frame(Opcode.CONT, b"b")) == [FrameReceived("a☃b")]
    assert pair.link.receive(0, text("next")) == [FrameReceived("next")]


@spec("1.6", "J-16")
@pytest.mark.parametrize("data", [b"\xff", b"\xed\xa0\x80", "☃".encode()[:2]])
@pytest.mark.parametrize("fragmented", [False, True])
def test_bad_utf8_closes_1007(data: bytes, fragmented: bool) -> None:
    """Duty 4; surrogates are no UTF-8 either."""
    pair = opened()
    late = text("late")
    parts = text(data[:1], fin=False) + frame(Opcode.CONT, data[1:]) if fragmented else text(data)
    outputs = pair.link.receive(0, text("good") + parts + late)
    assert outputs[0] == FrameReceived("good")
    assert FrameReceived("late") not in outputs
    assert pair.close_sent(outputs) == 1007
    assert pair.link.receive(1, late) == []
    said = down(pair.link.receive_eof(1))
    assert (said.reason, said.close_code) == ("protocol", 1007)


@pytest.mark.parametrize("fin", [True, False])
def test_binary_closes_1003(fin: bool) -> None:
    """Duty 5."""
    pair = opened()
    late = text("late") if fin else frame(Opcode.CONT, b"late")
    outputs = pair.link.receive(0, text("good") + frame(Opcode.BINARY, b"\x00", fin) + late)
    assert FrameReceived("good") in outputs
    assert FrameReceived("late") not in outputs
    assert pair.close_sent(outputs) == 1003
    assert down(pair.link.receive_eof(1)).close_code == 1003


def test_the_first_breach_is_the_one_that_is_told() -> None:
    pair = opened()
    pair.link.receive(0, frame(Opcode.BINARY) + text(b"\xff") + close_frame(1000))
    assert down(pair.link.receive_eof(0)).close_code == 1003


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x83\x00", 1002),  # reserved opcode
        (b"\x81\x80\x00\x00\x00\x00", 1002),  # masked by a server
        (b"\xc1\x00", 1002),  # compressed, though no extension was agreed
        (frame(Opcode.CONT, b"x"), 1002),
        (text("a", fin=False) + text("b"), 1002),
        (b"\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x01", 1009),  # one byte more than a mebibyte; the bytes never come
        (text(b"x" * 700_000, fin=False) + frame(Opcode.CONT, b"x" * 700_000), 1009),
    ],
)
def test_broken_and_oversized_frames_close_and_nothing_is_sent_after(data: bytes, code: int) -> None:
    """Duty 9."""
    pair = opened()
    outputs = pair.link.receive(0, text("good") + data)
    assert FrameReceived("good") in outputs
    assert pair.close_sent(outputs) == code
    assert not pair.link.is_open
    assert pair.link.send(1, "late", tell=1) == []
    assert pair.link.close(1) == []
    assert pair.link.receive(1, text("late") + frame(Opcode.PING)) == []
    said = down(pair.link.receive_eof(1))
    assert (said.reason, said.close_code) == ("protocol", code)


# Pings


@spec("1.6", "J-39")
def test_pings_and_their_deadline() -> None:
    """Duty 6."""
    pair = pinging(60, 10)
    assert pair.link.wake_at == 60 * SECOND
    (ping,) = pair.heard(sent(pair.link.wake(60 * SECOND)))
    assert ping.opcode is Opcode.PING
    assert pair.link.wake_at == 70 * SECOND
    assert pair.link.wake(70 * SECOND - 1) == []
    outputs = pair.link.wake(70 * SECOND)
    assert outputs[0] == CloseTransport(abort=True)
    assert down(outputs).reason == "pong"
    assert "within 10 s" in down(outputs).detail


@pytest.mark.parametrize("sign", [frame(Opcode.PONG), text("[3]"), frame(Opcode.PING), text("a", fin=False)])
def test_any_frame_after_a_ping_is_a_sign_of_life(sign: bytes) -> None:
    pair = pinging(60, 10)
    pair.link.wake(60 * SECOND)
    pair.link.receive(65 * SECOND, sign)
    assert pair.link.wake(70 * SECOND) == []
    assert pair.link.wake_at == 120 * SECOND
    assert sent(pair.link.wake(120 * SECOND))
    assert downs(pair.link.wake(130 * SECOND)), "each ping wants a sign of its own"


def test_an_unfinished_frame_is_no_sign_of_life() -> None:
    pair = pinging(60, 10)
    pair.link.receive(59 * SECOND, text("before the ping"))
    pair.link.wake(60 * SECOND)
    pair.link.receive(65 * SECOND, text("unfinished")[:-1])
    assert downs(pair.link.wake(70 * SECOND))


def test_interval_shorter_than_the_deadline() -> None:
    pair = pinging(4, 10)
    pings = 0
    while not downs(outputs := pair.link.wake(pair.link.wake_at or 0)):
        pings += len(pair.heard(sent(outputs)))
        assert pings < 10
    assert (pings, pair.link.wake_at) == (3, None), "at 4, 8 and 12 s; the first one counts"


@spec("1.6", "J-40")
def test_ping_interval_changes_while_open() -> None:
    pair = opened()
    times = [pair.link.wake_at]
    pair.link.set_ping_interval(5 * SECOND, 20 * SECOND)
    times.append(pair.link.wake_at)
    assert sent(pair.link.wake(25 * SECOND))
    pair.link.set_ping_interval(26 * SECOND, 0)  # with an unanswered ping
    times.append(pair.link.wake_at)
    assert times == [None, 25 * SECOND, None]
    assert pair.link.wake(10**18) == []


def test_ping_interval_set_before_it_is_open() -> None:
    pair = Pair()
    pair.link.set_ping_interval(0, 20 * SECOND)
    pair.link.receive(0, pair.answer(pair.ask()))
    assert pair.link.wake_at == 20 * SECOND


# Closing


def test_close_of_ours_is_answered() -> None:
    pair = pinging()
    outputs = pair.link.close(0, 1001, "restart " * 40)
    assert pair.close_sent(outputs) == 1001
    assert not pair.link.is_open
    assert downs(outputs) == []
    assert pair.link.receive(1, text("late") + b"".join(pair.server.data_to_send())) == [], "the server ends the stream"
    said = down(pair.link.receive_eof(1))
    assert (said.reason, said.close_code) == ("closed", 1001)
    assert "closed by the station" in said.detail


def test_close_code_of_the_server_wins() -> None:
    pair = opened()
    pair.link.close(0, 1001)
    pair.link.receive(0, close_frame(1000))
    assert down(pair.link.receive_eof(0)).close_code == 1000


def test_close_code_must_be_one_that_is_sent() -> None:
    with pytest.raises(ValueError, match="1005"):
        opened().link.close(0, 1005)


@pytest.mark.parametrize("answered", [False, True])
def test_close_timeout_and_no_frames_meanwhile(answered: bool) -> None:
    """Duty 7: the library would stay CLOSING for ever and still yield frames."""
    pair = opened()
    pair.link.close(100)
    assert pair.link.wake_at == 100 + 5 * SECOND
    for number in range(3):
        assert pair.link.receive(200 + number, text(f"late {number}") + frame(Opcode.PING)) == []
    if answered:
        assert pair.link.receive(300, close_frame(1000)) == []
    outputs = pair.link.wake(100 + 5 * SECOND)
    assert outputs[0] == CloseTransport(abort=True)
    assert (down(outputs).reason, down(outputs).close_code) == ("closed", 1000)
    assert "did not end the connection" in down(outputs).detail
    assert pair.link.lost(10**18, "aborted") == []


def test_server_that_closes_but_stays() -> None:
    pair = opened()
    outputs = pair.link.receive(0, close_frame(1001, "maintenance"))
    assert pair.close_sent(outputs) == 1001
    assert down(pair.link.wake(5 * SECOND)).close_code == 1001


def test_close_without_a_code() -> None:
    pair = opened()
    outputs = pair.link.receive(0, frame(Opcode.CLOSE))
    assert sent(outputs)
    said = down(pair.link.receive_eof(0))
    assert (said.reason, said.close_code) == ("closed", None)


def test_frames_before_a_close_are_heard() -> None:
    pair = opened()
    outputs = pair.link.receive(0, text("[3,1,{}]") + close_frame(1000))
    assert FrameReceived("[3,1,{}]") in outputs


def test_end_of_stream_is_answered_with_one() -> None:
    """Duty 8: the empty bytes of SEND_EOF become WriteEof on TCP; on TLS see test_link_tls.py."""
    pair = opened()
    pair.link.receive(0, close_frame(1000))
    outputs = pair.link.receive_eof(0)
    assert outputs[:2] == [WriteEof(), CloseTransport(abort=False)]
    assert isinstance(outputs[2], LinkDown)
    assert b"" not in outputs


# Back-pressure and flushing


def test_pause_stops_reading() -> None:
    """Duty 10."""
    pair = opened()
    assert pair.link.pause_writing() == [PauseReading()]
    assert pair.link.resume_writing(1) == [ResumeReading()]


def test_what_waits_is_bounded() -> None:
    pair = opened(msgspec.structs.replace(PROFILE, max_frame_bytes=10_000))
    for _ in range(100):
        assert len(pair.link.send(0, "x" * 1000)) == 1, "nothing is counted while the server takes it"
    pair.link.pause_writing()
    outputs = [output for _ in range(10) for output in pair.link.send(0, "x" * 1000)]
    assert outputs[-2] == CloseTransport(abort=True)
    assert down(outputs).reason == "stalled"
    assert len(sent(outputs)) <= 10_000


def test_resuming_starts_the_count_anew() -> None:
    pair = opened(msgspec.structs.replace(PROFILE, max_frame_bytes=10_000))
    for _ in range(20):
        pair.link.pause_writing()
        assert not downs(pair.link.send(0, "x" * 6000))
        pair.link.resume_writing(0)


def test_no_pings_pile_up_while_paused() -> None:
    pair = pinging(60, 10)
    pair.link.pause_writing()
    assert pair.link.wake(60 * SECOND) == []
    outputs = pair.link.wake(70 * SECOND)
    assert down(outputs).reason == "pong"
    assert "nor is what we send taken" in down(outputs).detail


def test_resuming_is_a_sign_of_life() -> None:
    pair = pinging(60, 10)
    pair.link.wake(60 * SECOND)
    pair.link.pause_writing()
    pair.link.resume_writing(65 * SECOND)
    assert pair.link.wake(70 * SECOND) == []


def test_closing_reads_on() -> None:
    pair = opened()
    pair.link.pause_writing()
    outputs = pair.link.close(0)
    assert outputs[0] == ResumeReading()
    assert pair.close_sent(outputs) == 1000


def test_flushed_frames_are_told_once() -> None:
    pair = opened()
    pair.link.send(0, "a", tell=7)
    pair.link.send(0, "b")
    pair.link.send(0, "c", tell=8)
    assert pair.link.flushed(0) == [FrameFlushed(7), FrameFlushed(8)]
    assert pair.link.flushed(0) == []


def test_nothing_is_flushed_after_the_end() -> None:
    pair = opened()
    pair.link.send(0, "a", tell=7)
    pair.link.lost(0, "reset")
    assert pair.link.flushed(0) == []
