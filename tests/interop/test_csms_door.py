"""Who may connect to the CSMS of the simulator: identities, passwords, subprotocols, TLS."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError, WebSocketException
from websockets.typing import Subprotocol

from sim.csms.control import Behaviour
from sim.csms.server import Csms
from tests.interop.raw import BOOT, live, station

pytestmark = pytest.mark.interop
# Self-signed for 127.0.0.1 until 2126, made for these tests; nobody else trusts it.
PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgh9skgluw9wbZbWo8
pSCcZB2rEyXxehVSUXmwmrtQUv2hRANCAARR131zJjIcfGzWwtLrPMw+XeiDpHZb
UmslzWX8Re5ppg6X1Fpfx+I4tdwmExuhbNwwe6pZBYjQLFACq1qimGmQ
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBxjCCAWygAwIBAgIUCwNfrFm5vdAPxluNltpRtelRsfwwCgYIKoZIzj0EAwIw
LzEZMBcGA1UECgwQZXYtc3RhdGlvbiB0ZXN0czESMBAGA1UEAwwJMTI3LjAuMC4x
MCAXDTI2MTEyMDA2NDU0M1oYDzIxMjYxMDI3MDY0NTQzWjAvMRkwFwYDVQQKDBBl
di1zdGF0aW9uIHRlc3RzMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARR131zJjIcfGzWwtLrPMw+XeiDpHZbUmslzWX8Re5ppg6X
1Fpfx+I4tdwmExuhbNwwe6pZBYjQLFACq1qimGmQo2QwYjAdBgNVHQ4EFgQUBSVe
lX7F+25YRPj1v7kPce/Uu/YwHwYDVR0jBBgwFoAUBSVelX7F+25YRPj1v7kPce/U
u/YwDwYDVR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMC
A0gAMEUCIFq90I4mJxLpp/G4bfL+bVtG0aJdh3nYEhJyGJ9M0l6gAiEA78HA0P1e
UW57SGVWYgCD+/YLYzplp5v0AJXipqljyyw=
-----END CERTIFICATE-----
"""


@live
async def test_the_newer_connection_of_a_station_wins() -> None:
    async with Csms() as csms, station(csms) as older, station(csms) as newer:
        with pytest.raises(ConnectionClosed):
            await older.socket.recv()
        await newer.boot()
        assert csms.books.station("CP1").connected
        assert csms.books.counts["gone"] == 0


@live
async def test_subprotocol_path_and_identity() -> None:
    async with Csms(behaviour=Behaviour(known={"CP1", "RDAM|123"})) as csms:
        for path, protocol, code in (
            ("/CP1", "ocpp2.0.1", 400),
            ("/CP1", None, 400),
            ("/a/CP1", "ocpp1.6", 404),
            ("/", "ocpp1.6", 404),
            ("/CP9", "ocpp1.6", 404),
        ):
            with pytest.raises(InvalidStatus) as refusal:
                async with connect(csms.url + path, subprotocols=[Subprotocol(protocol)] if protocol else None):
                    pass
            assert refusal.value.response.status_code == code, path
        async with station(csms, "RDAM%7C123") as raw:
            await raw.boot()
        assert "RDAM|123" in csms.books.stations


@live
async def test_passwords() -> None:
    behaviour = Behaviour(passwords={"CP1": "30313233343536373839616263646566"})

    def basic(text: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    async with Csms(behaviour=behaviour) as csms:
        good = ("CP1:30313233343536373839616263646566", "CP1:0123456789abcdef")
        for text in good:
            async with station(csms, additional_headers=basic(text)) as raw:
                await raw.call("BootNotification", BOOT)
        nothing: dict[str, str] = {}
        for headers in (nothing, basic("CP1:wrong"), basic("CP2:" + good[1][4:]), {"Authorization": "Basic ???"}):
            with pytest.raises(InvalidStatus) as refusal:
                async with station(csms, additional_headers=headers):
                    pass
            assert refusal.value.response.status_code == 401


@live
async def test_handshakes_seen_in_the_wild() -> None:
    async with Csms() as csms:
        for handshake in ("401", "404"):
            csms.behaviour.handshake = handshake
            with pytest.raises(InvalidStatus, match=handshake):
                async with station(csms):
                    pass
        csms.behaviour.handshake = "no-subprotocol"
        try:
            async with station(csms) as raw:
                assert raw.socket.subprotocol is None
        except NegotiationError:
            pass
        csms.behaviour.handshake = "1008"
        async with station(csms) as raw:
            with pytest.raises(ConnectionClosed):
                await raw.socket.recv()
            assert raw.socket.close_code == 1008


@live
async def test_tls_with_and_without_a_certificate_of_the_station(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    pem.write_text(PEM)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    server.load_verify_locations(pem)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(pem))
    async with Csms(tls=server) as csms:
        assert csms.url.startswith("wss://")
        with pytest.raises((OSError, WebSocketException)):
            async with station(csms, ssl=client) as raw:
                await raw.boot()
        client.load_cert_chain(pem)
        async with station(csms, ssl=client) as raw:
            await raw.boot()
