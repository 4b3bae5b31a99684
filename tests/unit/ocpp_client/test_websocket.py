"""The URL that is dialled, and the two halves of a WebSocket conversation where test_link.py does not reach them."""

from __future__ import annotations

import logging
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from ocpp_client import link
from ocpp_client.link import check_identity
from ocpp_client.messages import Messages, whole_text
from ocpp_client.websocket import Endpoint, Opening, check_url
from tests.spec import spec


@spec("1.6", "J-30")
@pytest.mark.parametrize(
    ("url", "identity", "endpoint", "shown"),
    [
        ("wss://host/ocpp", "RDAM|123", (True, "host", 443, "/ocpp/RDAM%7C123", ""), "wss://host/ocpp/RDAM%7C123"),
        ("ws://host", "DE*ABC*E1", (False, "host", 80, "/DE*ABC*E1", ""), "ws://host/DE*ABC*E1"),
        (
            "ws://host",
            "a-b.c_d~e:f@g+h=i",
            (False, "host", 80, "/a-b.c_d~e:f@g+h=i", ""),
            "ws://host/a-b.c_d~e:f@g+h=i",
        ),
        ("ws://host", "CP", (False, "host", 80, "/CP", ""), "ws://host/CP"),
        ("ws://host/", "CP", (False, "host", 80, "/CP", ""), "ws://host/CP"),
        ("ws://host/a/", "CP", (False, "host", 80, "/a/CP", ""), "ws://host/a/CP"),
        ("ws://host:80/a", "CP", (False, "host", 80, "/a/CP", ""), "ws://host/a/CP"),
        ("wss://host:80/a", "CP", (True, "host", 80, "/a/CP", ""), "wss://host:80/a/CP"),
        ("WS://HOST/Path", "CP", (False, "host", 80, "/Path/CP", ""), "ws://host/Path/CP"),
        ("ws://h/a?token=t&b=%20", "CP", (False, "h", 80, "/a/CP", "token=t&b=%20"), "ws://h/a/CP?..."),
        ("ws://h?x", "CP", (False, "h", 80, "/CP", "x"), "ws://h/CP?..."),
        ("ws://[::1]:9000/a", "CP", (False, "::1", 9000, "/a/CP", ""), "ws://[::1]:9000/a/CP"),
        ("ws://h/a%2Fb", "a/b?c#d%", (False, "h", 80, "/a%2Fb/a%2Fb%3Fc%23d%25", ""), "ws://h/a%2Fb/a%2Fb%3Fc%23d%25"),
        ("ws://h/ü", "Säule 1", (False, "h", 80, "/%C3%BC/S%C3%A4ule%201", ""), "ws://h/%C3%BC/S%C3%A4ule%201"),
        ("ws://ümlaut.test/", "CP", (False, "xn--mlaut-jva.test", 80, "/CP", ""), "ws://xn--mlaut-jva.test/CP"),
    ],
)
def test_urls(url: str, identity: str, endpoint: tuple[bool, str, int, str, str], shown: str) -> None:
    assert check_url(url, identity) == Endpoint(*endpoint)
    assert check_url(url, identity).shown == shown


@pytest.mark.parametrize(
    ("url", "identity", "words"),
    [
        ("", "CP", "neither ws:// nor wss://"),
        ("csms.test:9000", "CP", "neither ws:// nor wss://"),
        ("https://h/", "CP", "neither ws:// nor wss://"),
        ("ws:///ocpp", "CP", "no host"),
        ("ws://h:0/", "CP", "port 0"),
        ("ws://h:65536/", "CP", "cannot be read"),
        ("ws://h:http/", "CP", "cannot be read"),
        ("ws://[::1/", "CP", "cannot be read"),
        ("ws://h/a#b", "CP", "fragment"),
        ("ws://h/ a", "CP", "spaces"),
        ("ws://h/\r\nX: y", "CP", "spaces"),
        (f"ws://{'ü' * 70}/", "CP", "DNS"),
        ("ws://h/", "", "identity"),
        ("ws://h/", "CP\n1", "identity"),
    ],
)
def test_bad_urls_are_refused_with_a_sentence(url: str, identity: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_url(url, identity)


@pytest.mark.parametrize("identity", ["CP1", "a" * 48, "RDAM|123", "00:11:22", "*-_=+@."])
def test_an_identity(identity: str) -> None:
    check_identity(identity)


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ("", "this has 0"),
        ("a" * 49, "this has 49"),
        ("a b", "not of ' '"),
        ("Säß", "'ä', 'ß'"),
        ("a/b", "'/'"),
        ("a\n", r"'\\n'"),
    ],
)
def test_what_is_no_identity_is_told_with_what_is_allowed(identity: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_identity(identity)


@pytest.mark.parametrize(
    "url",
    ["ws://user:SECRET@h/", "ws://SECRET@h/", "http://user:SECRET@h/", "ws://u:SECRET@h:x/", "ws://SECRET:SECRET/"],
)
def test_credentials_in_a_url_are_refused_without_quoting_them(url: str) -> None:
    with pytest.raises(ValueError, match=r"password|port") as refused:
        check_url(url, "CP")
    assert "SECRET" not in str(refused.value)


@given(st.text(max_size=30), st.text(min_size=1, max_size=30))
def test_any_url_is_an_endpoint_or_a_value_error(rest: str, identity: str) -> None:
    try:
        endpoint = check_url(f"ws://{rest}", identity)
    except ValueError:
        return
    request = Opening(endpoint, ("ocpp1.6",), bytes(16)).request("CP", None)
    assert request.count(b"\r\n\r\n") == 1
    assert (
        request.split(b"\r\n")[0]
        == f"GET {endpoint.path}{'?' * bool(endpoint.query)}{endpoint.query} HTTP/1.1".encode()
    )


def test_the_link_offers_the_check_too() -> None:
    assert link.check_url is check_url


def test_nothing_is_logged_even_with_debug_on(caplog: pytest.LogCaptureFixture) -> None:
    """The library would log the Authorization header."""
    with caplog.at_level(logging.DEBUG):
        opening = Opening(check_url("ws://h/", "CP"), ("ocpp1.6",), bytes(16))
        opening.request("CP", b"SECRET")
        opening.receive(b"HTTP/1.1 401 No\r\n\r\n")
        messages = Messages(100, bytes)
        messages.send(b"SECRET")
        messages.receive(b"\x81\x00\x83\x00")
    assert caplog.records == []


@pytest.mark.parametrize("reason", ["", "x" * 123, "x" * 124, "é" * 62, "☃" * 100])
def test_close_reasons_are_cut_between_characters(reason: str) -> None:
    frame = Messages(100, bytes).close(1000, reason)
    assert len(frame) - 6 <= 125
    mask = frame[2:6]
    payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(frame[6:]))
    assert reason.startswith(payload[2:].decode())
    assert len(payload[2:]) >= min(len(reason.encode()), 121)


def test_an_endless_message_of_small_fragments_is_bounded() -> None:
    messages = Messages(1000, bytes)
    assert messages.receive(b"\x01\x00") == []
    size = sys.getsizeof(messages._parts)
    for _ in range(10_000):
        assert messages.receive(b"\x00\x00") == []
    assert sys.getsizeof(messages._parts) == size


SIZES = (0, 1, 125, 126, 127, 65535, 65536, 70_000)


@pytest.mark.parametrize("size", SIZES)
def test_what_we_send_is_what_a_server_reads(size: int) -> None:
    text = b"x" * size
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(Messages(100_000, os.urandom).send(text))
    (frame,) = server.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, text)


@pytest.mark.parametrize("size", SIZES)
def test_a_message_in_one_piece_is_read_as_one_in_two(size: int) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    data = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    at_once, halved = Messages(100_000, bytes), Messages(100_000, bytes)
    assert at_once.receive(memoryview(data)) == [text]
    assert halved.receive(data[:1]) + halved.receive(data[1:]) == [text]
    assert at_once.receive(data + data[:2]) + at_once.receive(data[2:]) == [text, text]
    assert at_once.heard and halved.heard


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x7e\x00\x05hello",  # longer than it need be
        b"\x81\x85\x00\x00\x00\x00hello",  # a server does not mask
        b"\xc1\x05hello",  # compressed
        b"\x81\x02\xc3\x28",
        b"\x81\x7e\x00\x7f" + b"x" * 127,  # too large
    ],
)
def test_what_is_not_plainly_a_message_is_the_librarys_to_judge(data: bytes) -> None:
    assert whole_text(data, 100) is None
