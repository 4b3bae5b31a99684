"""A link over TLS, in memory: handshake, conversation, failures with their reason, goodbyes."""

from __future__ import annotations

import msgspec
import pytest
from websockets.frames import Opcode

from hal.units import SECOND
from ocpp_client.link import CloseTransport, Connect, FrameReceived, LinkProfile, LinkUp, WriteEof, check_profile
from ocpp_client.tls import TlsFault, TlsProfile
from tests.unit.ocpp_client.test_link import Pair, answered, close_frame, down, downs, sent, text
from tests.unit.ocpp_client.test_tls import CA, DATA, TlsServer

PROFILE = LinkProfile("wss://csms.test/ocpp", "CP1", ("ocpp1.6",), b"secret", TlsProfile(ca_pem=CA))
RUBBISH = b"\x17\x03\x03\x00\x20" + bytes(32)  # a record that cannot be decrypted


class SecurePair(Pair):
    """A link, and the `websockets` server behind a TLS server."""

    def __init__(self, profile: LinkProfile = PROFILE, server: TlsServer | None = None) -> None:
        super().__init__(profile)
        self.tls = server or TlsServer()

    def ask(self) -> bytes:
        assert self.link.open(0) == [Connect("csms.test", 443, tls=True)]
        data = sent(self.link.connected(0))
        while not self.tls.secured:
            assert self.tls.receive(data) == b"", "nothing may be said before the handshake is over"
            data = sent(self.link.receive(0, self.tls.take()))
            if self.link.wake_at is None:
                return b""
            if request := self.tls.receive(data):
                return request
        raise AssertionError("no request came")

    def heard_tls(self, data: bytes) -> list[tuple[Opcode, bytes]]:
        return [(event.opcode, bytes(event.data)) for event in self.heard(self.tls.receive(data))]


def opened(profile: LinkProfile = PROFILE) -> SecurePair:
    pair = SecurePair(profile)
    answer = pair.answer(pair.ask())
    assert pair.link.receive(0, pair.tls.take() + pair.tls.send(answer)) == [LinkUp("ocpp1.6")]
    return pair


def test_round_trip() -> None:
    pair = opened()
    assert pair.heard_tls(sent(pair.link.send(0, "call"))) == [(Opcode.TEXT, b"call")]
    assert pair.link.receive(0, pair.tls.send(text("answer"))) == [FrameReceived("answer")]
    big = "x" * 100_000
    assert pair.link.receive(0, pair.tls.send(text(big))) == [FrameReceived(big)]
    assert pair.heard_tls(sent(pair.link.send(0, big))) == [(Opcode.TEXT, big.encode())]


def test_the_password_goes_out_encrypted_only() -> None:
    pair = SecurePair()
    assert b"\r\nAuthorization: Basic Q1AxOnNlY3JldA==\r\n" in pair.ask()


@pytest.mark.parametrize(
    ("certificate", "host", "fault"),
    [("expired", "csms.test", TlsFault.EXPIRED), ("wildcard", "eu.csms.test", TlsFault.WRONG_NAME)],
)
def test_failures_name_their_reason(certificate: str, host: str, fault: TlsFault) -> None:
    pair = SecurePair(msgspec.structs.replace(PROFILE, url=f"wss://{host}/ocpp"), TlsServer(certificate))
    pair.link.open(0)
    pair.tls.receive(sent(pair.link.connected(0)))
    outputs = pair.link.receive(0, pair.tls.take())
    assert outputs[-2] == CloseTransport(abort=False)
    assert (down(outputs).reason, down(outputs).tls) == ("tls", fault)
    assert down(outputs).detail.startswith(f"wss://{host}/ocpp/CP1: TLS failed: its certificate ")
    assert "secret" not in down(outputs).detail
    assert pair.tls.receive(sent(outputs)) == b"", "the request, and with it the password, is not sent"
    assert pair.tls.failure is not None or pair.tls.ended, "the server hears of it"


def test_the_servers_verdict_on_our_certificate_comes_after_our_request() -> None:
    """TLS 1.3: to the client the handshake is over before the server has looked at its certificate."""
    pair = SecurePair(server=TlsServer(wants_client=True))
    pair.link.open(0)
    pair.tls.receive(sent(pair.link.connected(0)))
    outputs = pair.link.receive(0, pair.tls.take())
    assert not downs(outputs)
    pair.tls.receive(sent(outputs))
    assert down(pair.link.receive(0, pair.tls.take())).tls is TlsFault.OWN_CERTIFICATE


@pytest.mark.parametrize("lost", [False, True])
def test_end_during_the_handshake(lost: bool) -> None:
    pair = SecurePair()
    pair.link.open(0)
    pair.link.connected(0)
    said = down(pair.link.lost(0, "reset") if lost else pair.link.receive_eof(0))
    assert (said.reason, said.tls) == ("tls", TlsFault.CUT)


def test_open_timeout_during_the_handshake() -> None:
    pair = SecurePair()
    pair.link.open(0)
    pair.link.connected(0)
    outputs = pair.link.wake(30 * SECOND)
    assert outputs[0] == CloseTransport(abort=True)
    assert down(outputs).reason == "timeout"
    assert "TLS handshake" in down(outputs).detail


def test_the_end_is_a_goodbye_not_a_half_close() -> None:
    """Duty 8: TLS cannot be half closed."""
    pair = opened()
    echo = pair.link.receive(0, pair.tls.send(close_frame(1000)))
    pair.tls.receive(sent(echo))
    before = pair.tls.ended
    outputs = pair.link.receive_eof(0)
    assert WriteEof() not in outputs
    assert outputs[-2] == CloseTransport(abort=False)
    pair.tls.receive(sent(outputs))
    assert (before, pair.tls.ended, pair.tls.failure) == (False, True, None)


def test_goodbye_of_the_server_is_the_end_of_the_stream() -> None:
    pair = opened()
    pair.link.receive(0, pair.tls.send(close_frame(1001)))
    with pytest.raises(Exception, match="did not complete"):
        pair.tls.tls.unwrap()
    assert down(pair.link.receive(0, pair.tls.take())).close_code == 1001


def test_refusal_and_goodbye_in_one_segment() -> None:
    pair = SecurePair()
    pair.ask()
    refusal = pair.tls.send(answered("401 Unauthorized"))
    with pytest.raises(Exception, match="did not complete"):
        pair.tls.tls.unwrap()
    assert down(pair.link.receive(0, refusal + pair.tls.take())).http_status == 401


def test_refusal_and_rubbish_in_one_segment() -> None:
    pair = SecurePair()
    pair.ask()
    refusal = pair.tls.send(answered("401 Unauthorized"))
    assert down(pair.link.receive(0, refusal + RUBBISH)).http_status == 401


def test_truncation_is_a_loss() -> None:
    pair = opened()
    assert down(pair.link.receive_eof(0)).reason == "lost"


def test_rubbish_while_open() -> None:
    pair = opened()
    outputs = pair.link.receive(0, RUBBISH)
    assert CloseTransport(abort=False) in outputs
    assert (down(outputs).reason, down(outputs).tls) == ("tls", TlsFault.OTHER)


def test_pings_and_close_are_encrypted() -> None:
    pair = opened(msgspec.structs.replace(PROFILE, ping_interval_ns=SECOND))
    assert pair.heard_tls(sent(pair.link.wake(SECOND))) == [(Opcode.PING, b"")]
    assert pair.heard_tls(sent(pair.link.close(2)))[0][0] is Opcode.CLOSE


def test_own_files_that_cannot_be_loaded() -> None:
    tls = TlsProfile(ca_pem=CA, certificate_file=str(DATA / "missing.pem"))
    pair = SecurePair(msgspec.structs.replace(PROFILE, tls=tls))
    (said,) = downs(pair.link.open(0))
    assert (said.reason, said.tls) == ("tls", TlsFault.FILES)
    assert pair.link.connected(0) == [CloseTransport(abort=True)]


def test_tls_settings_with_a_plain_url_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="use wss://"):
        check_profile(msgspec.structs.replace(PROFILE, url="ws://csms.test/"))
