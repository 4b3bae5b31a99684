"""TLS over memory, against the server side of Python's `ssl`: what is accepted, and the exact reason if it is not."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from ocpp_client.tls import TlsFault, TlsProfile, TlsStream, context_for
from tests.spec import spec

DATA = Path(__file__).parents[2] / "data" / "tls"
CA = (DATA / "ca.pem").read_text()
TRUSTING = TlsProfile(ca_pem=CA)
HOST = "csms.test"


class TlsServer:
    """The server's end of a TLS connection."""

    def __init__(
        self, certificate: str = "server", key: str = "leaf", wants_client: bool = False, **settings: Any
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(DATA / f"{certificate}.pem", DATA / f"{key}.key")
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(DATA / "ca.pem")
        for name, value in settings.items():
            setattr(context, name, value)
        self.ciphers(context)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.secured = False
        self.ended = False  # the client said goodbye
        self.failure: ssl.SSLError | None = None

    def ciphers(self, context: ssl.SSLContext) -> None:
        """For a server with ciphers of its own."""

    def receive(self, data: bytes) -> bytes:
        """Bytes of the wire in; bytes of the conversation out. What is to be sent is in `take`."""
        self.incoming.write(data)
        plain = b""
        try:
            if not self.secured:
                self.tls.do_handshake()
                self.secured = True
            while piece := self.tls.read(1 << 16):
                plain += piece
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as wrong:
            self.failure = wrong
        return plain

    def take(self) -> bytes:
        return self.outgoing.read()

    def send(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.take()


class OldCiphers(TlsServer):
    def ciphers(self, context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA")


class PlainRsa(TlsServer):
    def ciphers(self, context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-GCM-SHA256")


def shake(client: TlsStream, server: TlsServer) -> None:
    """The handshake, to its end or failure."""
    data = client.start()
    while data:
        server.receive(data)
        client.receive(server.take())
        data = client.take()


def met(server: TlsServer, profile: TlsProfile = TRUSTING, host: str = HOST) -> TlsStream:
    client = TlsStream(profile, host)
    shake(client, server)
    return client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", ["csms.test", "CSMS.test", "localhost", "127.0.0.1"])
def test_secured(host: str, version: ssl.TLSVersion) -> None:
    server = TlsServer(minimum_version=version, maximum_version=version)
    client = met(server, host=host)
    assert (client.secured, server.secured, client.failure) == (True, True, None)
    assert server.receive(client.send(b"call")) == b"call"
    assert client.receive(server.send(b"answer")) == b"answer"
    assert client.take() == b""


@spec("1.6", "J-60")
def test_the_name_of_the_server_is_sent() -> None:
    server = TlsServer()
    asked: list[str | None] = []
    server.tls.context.sni_callback = lambda _tls, name, _context: asked.append(name)
    met(server)
    assert asked == [HOST]


@pytest.mark.parametrize("size", [1, 4096, 4097, 300_000])
def test_any_amount_passes_whole(size: int) -> None:
    server = TlsServer()
    client = met(server)
    data = bytes(range(256)) * (size // 256 + 1)
    assert server.receive(client.send(data)) == data
    assert client.receive(server.send(data)) == data


def test_byte_by_byte() -> None:
    server = TlsServer()
    client = TlsStream(TRUSTING, HOST)
    server.receive(client.start())
    for byte in server.take():
        client.receive(bytes([byte]))
    server.receive(client.take())
    plain = b"".join(client.receive(bytes([byte])) for byte in server.send(b"slow"))
    assert (client.secured, plain) == (True, b"slow")


def test_bytes_that_come_with_the_end_of_the_handshake() -> None:
    server = TlsServer(maximum_version=ssl.TLSVersion.TLSv1_2)
    client = TlsStream(TRUSTING, HOST)
    server.receive(client.start())
    client.receive(server.take())
    server.receive(client.take())
    assert client.receive(server.take() + server.send(b"early")) == b"early"


@pytest.mark.parametrize(
    ("certificate", "fault", "words"),
    [
        ("expired", TlsFault.EXPIRED, "expired; check the station's clock"),
        ("future", TlsFault.NOT_YET_VALID, "not valid yet; check the station's clock"),
    ],
)
def test_validity(certificate: str, fault: TlsFault, words: str) -> None:
    server = TlsServer(certificate)
    client = met(server)
    assert client.failure is not None
    assert (client.failure.fault, client.secured) == (fault, False)
    assert words in client.failure.text
    assert server.failure is not None, "the server is told by an alert"


@spec("1.6", "J-60")
def test_unknown_root() -> None:
    client = met(TlsServer(), TlsProfile(ca_file=str(DATA / "other_ca.pem")))
    assert client.failure is not None
    assert client.failure.fault is TlsFault.UNKNOWN_CA


@spec("1.6", "J-60")
@pytest.mark.parametrize("host", ["other.test", "127.0.0.2"])
def test_wrong_name(host: str) -> None:
    client = met(TlsServer(), host=host)
    assert client.failure is not None
    assert client.failure.fault is TlsFault.WRONG_NAME


def test_name_to_check_may_differ_from_the_host() -> None:
    assert met(TlsServer(), TlsProfile(ca_pem=CA, check_name="csms.test"), "10.0.0.1").secured


def test_common_name_counts_where_there_is_no_other() -> None:
    assert met(TlsServer("common_name")).secured


def test_wildcards_only_where_allowed() -> None:
    """2.x SecurityCtrlr.AllowCSMSTLSWildcards."""
    client = met(TlsServer("wildcard"), host="eu.csms.test")
    assert client.failure is not None
    assert client.failure.fault is TlsFault.WRONG_NAME
    assert "*.csms.test" in client.failure.text
    allowed = met(TlsServer("wildcard"), TlsProfile(ca_pem=CA, allow_wildcards=True), "eu.csms.test")
    assert (allowed.secured, allowed.failure) == (True, None)


def test_a_name_in_full_counts_beside_a_wildcard() -> None:
    client = met(TlsServer("wildcard"), host="named.csms.test")
    assert (client.secured, client.failure) == (True, None)


def test_too_old_a_version() -> None:
    client = met(TlsServer(maximum_version=ssl.TLSVersion.TLSv1_2), TlsProfile(ca_pem=CA, minimum="1.3"))
    assert client.failure is not None
    assert client.failure.fault is TlsFault.VERSION


def test_tls_1_1_is_not_spoken() -> None:
    client = TlsStream(TRUSTING, HOST)
    client.start()
    # A server hello of TLS 1.1; a real server of today cannot be made to send one.
    body = b"\x03\x02" + bytes(32) + b"\x00" + b"\xc0\x09" + b"\x00"
    client.receive(b"\x16\x03\x02" + (len(body) + 4).to_bytes(2) + b"\x02" + len(body).to_bytes(3) + body)
    assert client.failure is not None
    assert client.failure.fault is TlsFault.VERSION


def test_no_common_cipher() -> None:
    client = met(OldCiphers())
    assert client.failure is not None
    assert client.failure.fault is TlsFault.CIPHER


def test_the_plain_rsa_suite_of_the_specification() -> None:
    server = PlainRsa("rsa", "rsa")
    assert met(server).secured
    assert server.tls.cipher() == ("AES128-GCM-SHA256", "TLSv1.2", 128)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_not_tls(answer: bytes) -> None:
    client = TlsStream(TRUSTING, HOST)
    client.start()
    client.receive(answer)
    assert client.failure is not None
    assert client.failure.fault is TlsFault.NOT_TLS
    assert "use ws://" in client.failure.text


def test_certificate_of_the_station() -> None:
    profile = TlsProfile(ca_pem=CA, certificate_file=str(DATA / "client.pem"), key_file=str(DATA / "leaf.key"))
    server = TlsServer(wants_client=True)
    assert met(server, profile).secured
    shown: Any = server.tls.getpeercert()
    assert dict(part[0] for part in shown["subject"]) == {"organizationName": "Operator", "commonName": "STATION-1"}


def test_an_expired_certificate_of_the_station_is_shown_all_the_same() -> None:
    profile = TlsProfile(ca_pem=CA, certificate_file=str(DATA / "expired.pem"), key_file=str(DATA / "leaf.key"))
    server = TlsServer(wants_client=True)
    client = met(server, profile)
    assert "expired" in str(server.failure)
    assert client.failure is not None
    assert client.failure.fault is TlsFault.OWN_CERTIFICATE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificate_wanted_but_none_there(version: ssl.TLSVersion) -> None:
    client = met(TlsServer(wants_client=True, maximum_version=version))
    assert client.failure is not None
    # TLS 1.2 has no word for it: the alert is the one of a missing cipher
    assert client.failure.fault is (TlsFault.OWN_CERTIFICATE if version is ssl.TLSVersion.TLSv1_3 else TlsFault.CIPHER)
    assert "certificate of the station" in client.failure.text


def test_goodbyes() -> None:
    server = TlsServer()
    client = met(server)
    goodbye = server.tls
    with pytest.raises(ssl.SSLWantReadError):
        goodbye.unwrap()
    assert client.receive(server.take() + b"more") == b""
    assert (client.ended, client.failure) == (True, None)
    server.incoming.write(client.shut())
    goodbye.unwrap()  # raises unless our goodbye came
    assert client.shut() == b""


def test_shut_during_the_handshake_is_harmless() -> None:
    client = TlsStream(TRUSTING, HOST)
    client.start()
    assert client.shut() == b""


@pytest.mark.parametrize(
    "profile",
    [
        TlsProfile(ca_pem="-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"),
        TlsProfile(ca_pem="no PEM at all"),
        TlsProfile(ca_file="missing.pem"),
        TlsProfile(ca_pem=CA, certificate_file="missing.pem"),
        TlsProfile(ca_pem=CA, certificate_file=str(DATA / "rsa.pem"), key_file=str(DATA / "leaf.key")),
    ],
)
def test_what_cannot_be_loaded_is_an_os_error_or_a_value_error(profile: TlsProfile) -> None:
    with pytest.raises((OSError, ValueError)):
        TlsStream(profile, HOST)


def test_equal_profiles_share_a_context_while_it_is_in_use() -> None:
    first = context_for(TlsProfile(ca_pem=CA))
    assert context_for(TlsProfile(ca_pem=CA)) is first
    assert context_for(TlsProfile(ca_pem=CA, generation=1)) is not first
    assert context_for(TlsProfile(ca_pem=CA, minimum="1.3")) is not first


def test_suites_are_those_of_the_specification() -> None:
    names = {cipher["name"] for cipher in context_for(TRUSTING).get_ciphers()}
    old = {name for name in names if not name.startswith("TLS_")}  # TLS_...: of 1.3
    assert old == {
        f"{exchange}AES{rest}"
        for exchange in ("ECDHE-ECDSA-", "ECDHE-RSA-", "")
        for rest in ("128-GCM-SHA256", "256-GCM-SHA384")
    }


@spec("1.6", "J-60")
def test_no_compression_no_renegotiation_no_tickets() -> None:
    wanted = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    assert context_for(TRUSTING).options & wanted == wanted
