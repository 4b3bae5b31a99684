"""The CSMS of the simulator, heard and spoken to in literal frames over a real socket. No part of our own station is here."""

from __future__ import annotations

import asyncio
import base64
import functools
import itertools
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError, WebSocketException
from websockets.typing import Subprotocol

from sim.csms.books import read_books, utc_ms
from sim.csms.control import Behaviour, CommandFailed, obey
from sim.csms.server import Clock, Csms

pytestmark = pytest.mark.interop
P = ParamSpec("P")
BOOT = {"chargePointVendor": "Raw", "chargePointModel": "Socket"}
Payload = dict[str, Any]
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


def live(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """A test that is a coroutine: run it, for at most 20 s."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


class Raw:
    """A station that is nothing but frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, *frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def hear(self) -> list[Any]:
        return list(json.loads(await asyncio.wait_for(self.socket.recv(), 5)))

    async def call(self, action: str, payload: Payload | None = None, message: str = "") -> Payload:
        """One CALL and the payload of its CALLRESULT."""
        message = message or next(IDS)
        await self.say(2, message, action, payload or {})
        answer = await self.hear()
        assert answer[:2] == [3, message], answer
        return dict(answer[2])

    async def refused(self, action: str, payload: Payload | None = None) -> str:
        """One CALL and the code of its CALLERROR."""
        message = next(IDS)
        await self.say(2, message, action, payload or {})
        answer = await self.hear()
        assert answer[:2] == [4, message], answer
        return str(answer[2])

    async def status(self, connector: int, status: str) -> None:
        await self.call("StatusNotification", {"connectorId": connector, "errorCode": "NoError", "status": status})

    async def boot(self) -> Payload:
        answer = await self.call("BootNotification", BOOT)
        for connector in (0, 1):
            await self.status(connector, "Available")
        return answer

    async def start(self, csms: Csms, message: str = "", **changed: Any) -> Payload:
        told = {"connectorId": 1, "idTag": "DEADBEEF", "meterStart": 1000, "timestamp": csms.at()}
        return await self.call("StartTransaction", told | changed, message)

    async def stop(self, csms: Csms, transaction: int, meter: int, message: str = "") -> Payload:
        told = {"transactionId": transaction, "meterStop": meter, "timestamp": csms.at()}
        return await self.call("StopTransaction", told, message)


IDS = (f"id-{number}" for number in itertools.count(1))


@asynccontextmanager
async def station(csms: Csms, name: str = "CP1", **options: Any) -> AsyncIterator[Raw]:
    async with connect(f"{csms.url}/{name}", subprotocols=[Subprotocol("ocpp1.6")], **options) as socket:
        yield Raw(socket)


def codes(csms: Csms) -> list[str]:
    return [one.code for one in csms.books.violations]


# --- what is told -----------------------------------------------------------------------------------------------------


@live
async def test_a_session_stands_in_the_books_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    async with Csms(path=path) as csms, station(csms) as raw:
        answer = await raw.boot()
        assert (answer["status"], answer["interval"]) == ("Accepted", 300)
        assert abs(utc_ms(answer["currentTime"]) - csms.clock.now_ms()) < 2000
        assert await raw.call("Authorize", {"idTag": "DEADBEEF"}) == {"idTagInfo": {"status": "Accepted"}}
        await raw.status(1, "Preparing")
        begun = await raw.start(csms)
        assert begun == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
        await raw.status(1, "Charging")
        values = [{"timestamp": csms.at(), "sampledValue": [{"value": "1.5", "unit": "kWh"}]}]
        assert await raw.call("MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": values}) == {}
        meanwhile = read_books(path)
        assert [one.register_wh for one in meanwhile.open] == [1500]
        assert await raw.stop(csms, 1, 2345) == {}
        assert [one.wh for one in read_books(path).transactions] == [1345]
        assert set(await raw.call("Heartbeat")) == {"currentTime"}
        assert await raw.call("FirmwareStatusNotification", {"status": "Installed"}) == {}
        assert await raw.call("DataTransfer", {"vendorId": "Nobody"}) == {"status": "UnknownVendorId"}
    books = read_books(path)
    assert books.problems == []
    assert (books.refused, books.closed, books.station("CP1").connected) == ([], True, False)


@live
async def test_a_frame_sent_again_is_answered_alike_and_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    clock = Clock()
    async with Csms(path=path, clock=clock) as csms, station(csms) as raw:
        await raw.boot()
        now = csms.at()
        first = await raw.start(csms, "S-1", timestamp=now)
        assert await raw.start(csms, "S-1", timestamp=now) == first
    async with Csms(path=path, clock=clock) as csms, station(csms) as raw:  # and by a CSMS that was started anew
        assert await raw.start(csms, "S-1", timestamp=now) == first
        values = [{"timestamp": csms.at(), "sampledValue": [{"value": "1500"}]}]
        for _ in range(2):
            await raw.call("MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": values}, "M-1")
        end = {"transactionId": 1, "meterStop": 2000, "timestamp": csms.at(), "idTag": "DEADBEEF"}
        for _ in range(2):
            assert (await raw.call("StopTransaction", end, "E-1"))["idTagInfo"]["status"] == "Accepted"
        assert (await raw.start(csms))["transactionId"] == 2
    books = read_books(path)
    assert [one.wh for one in books.transactions] == [1000, None]
    assert books.counts["repeat"] == 4
    assert books.transactions[0].readings == 1
    assert books.problems == []


@live
async def test_the_same_content_under_another_id_is_a_duplicate() -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.boot()
        now = csms.at()
        first = await raw.start(csms, "S-1", timestamp=now)
        assert await raw.start(csms, "S-2", timestamp=now) != first
        assert len(csms.books.duplicates) == 1
        assert codes(csms) == ["busy-connector"]


@live
async def test_an_id_used_for_something_else() -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.boot()
        await raw.start(csms, "S-1")
        assert (await raw.start(csms, "S-1", connectorId=2))["transactionId"] == 2
        assert codes(csms) == ["message-id-reused"]


@live
async def test_schema_and_unknown_actions_are_refused_and_noted() -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.boot()
        wrong = {"connectorId": 1, "errorCode": "NoError", "status": "Relaxing"}
        assert await raw.refused("StatusNotification", wrong) == "FormationViolation"
        assert await raw.refused("StatusNotification", {"connectorId": 1}) == "ProtocolError"
        assert await raw.refused("Authorize", {"idTag": "X" * 21}) == "TypeConstraintViolation"
        assert await raw.refused("MakeCoffee") == "NotImplemented"
        assert await raw.refused("SignCertificate", {"csr": "x"}) == "NotSupported"
        assert codes(csms) == ["schema", "schema", "long-id-tag", "schema"]
        assert len(csms.books.refused) == 5
        await raw.status(1, "Preparing")  # and it goes on


@live
async def test_frames_that_are_none() -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.boot()
        for text in ("no JSON", "{}", "[]", '[2,"x"]', '[2,5,"Heartbeat",{}]', '[9,"x","y",{}]', "[" * 100_000):
            await raw.socket.send(text)
        await raw.socket.send(b'[2,"b","Heartbeat",{}]')
        await raw.say(3, "never-asked", {})
        await raw.call("Heartbeat")
        assert codes(csms) == ["bad-frame"] * 8 + ["unasked-answer"]


@live
async def test_a_station_is_known_only_after_its_boot() -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.call("Heartbeat")
        assert codes(csms) == ["before-boot"]
        await raw.boot()
        await raw.call("Heartbeat")
        assert codes(csms) == ["before-boot"]


@live
async def test_pending_and_what_it_allows() -> None:
    behaviour = Behaviour(registration_interval_s=7)
    behaviour.set_registration("pending:1")
    async with Csms(behaviour=behaviour) as csms, station(csms) as raw:
        answer = await raw.call("BootNotification", BOOT)
        assert (answer["status"], answer["interval"]) == ("Pending", 7)
        assert await raw.refused("Heartbeat") == "SecurityError"
        asked = asyncio.create_task(csms.command("CP1", "TriggerMessage", requested_message="Heartbeat"))
        _, message, action, payload = await raw.hear()
        assert (action, payload) == ("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await raw.say(3, message, {"status": "Accepted"})
        assert await asked == {"status": "Accepted"}
        await raw.call("Heartbeat")
        assert codes(csms) == ["before-boot"]
        assert (await raw.call("BootNotification", BOOT))["status"] == "Accepted"


@live
async def test_a_second_call_before_the_answer() -> None:
    async with Csms(behaviour=Behaviour(delays={"Authorize": 0.3})) as csms, station(csms) as raw:
        await raw.boot()
        await raw.say(2, "a", "Authorize", {"idTag": "DEADBEEF"})
        await raw.say(2, "h", "Heartbeat", {})
        assert [(await raw.hear())[1] for _ in range(2)] == ["h", "a"]
        await raw.call("Heartbeat")
        assert codes(csms) == ["call-while-call-out"]


@live
async def test_after_a_boot_the_statuses_are_missed() -> None:
    async with Csms(status_within_s=0.2) as csms, station(csms) as raw:
        await raw.call("BootNotification", BOOT)
        await raw.status(2, "Available")
        await csms.until(lambda books: books.violations)
        assert [one.detail for one in csms.books.violations] == [
            "after boot no StatusNotification for connectors [0, 1]"
        ]


# --- how it answers ---------------------------------------------------------------------------------------------------


@live
async def test_cards_of_all_kinds() -> None:
    behaviour = Behaviour(accept_unknown=False, one_at_a_time=True)
    for card in ("A1", "B2:blocked", "C3:expired", "D4:concurrent", "E5:accepted:FLEET:2020-01-01T00:00:00Z"):
        behaviour.add_card(card)
    async with Csms(behaviour=behaviour) as csms, station(csms) as raw:
        await raw.boot()
        told = {
            card: (await raw.call("Authorize", {"idTag": card}))["idTagInfo"]
            for card in ["a1", "B2", "C3", "D4", "E5", "F6"]
        }
        assert [one["status"] for one in told.values()] == [
            "Accepted",
            "Blocked",
            "Expired",
            "ConcurrentTx",
            "Expired",
            "Invalid",
        ]
        assert told["E5"] == {"status": "Expired", "parentIdTag": "FLEET", "expiryDate": "2020-01-01T00:00:00Z"}
        assert (await raw.start(csms, idTag="A1"))["idTagInfo"]["status"] == "Accepted"
        second = await raw.start(csms, idTag="a1", connectorId=2)
        assert second == {"transactionId": 2, "idTagInfo": {"status": "ConcurrentTx"}}


@live
async def test_silence_loss_and_odd_transaction_ids(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    behaviour = Behaviour(silent={"Heartbeat"}, lose={("StopTransaction", 2)}, ids="zero", call_timeout_s=0.1)
    async with Csms(path=path, behaviour=behaviour) as csms, station(csms) as raw:
        await raw.boot()
        await raw.say(2, "h", "Heartbeat", {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(raw.hear(), 0.3)
        for meter in (2000, 3000):
            assert (await raw.start(csms))["transactionId"] == 0
            await raw.stop(csms, 0, meter)
        assert csms.books.open == []
        assert codes(csms) == []
    books = read_books(path)
    assert [one.wh for one in books.transactions] == [1000, None]
    assert books.counts["unanswered"] == 1


@live
async def test_the_clock_runs_as_fast_as_was_asked() -> None:
    clock = Clock(600, "2026-03-01T12:00:00Z")
    async with Csms(clock=clock) as csms, station(csms) as raw:
        first = utc_ms((await raw.boot())["currentTime"])
        await asyncio.sleep(0.2)
        later = utc_ms((await raw.call("Heartbeat"))["currentTime"])
        assert 0 <= first - utc_ms("2026-03-01T12:00:00Z") < 600_000
        assert 120_000 <= later - first < 600_000
        shared = Clock(600, csms.listening["epoch"])
        assert abs(shared.now_ms() - clock.now_ms()) < 10_000


# --- what it asks -----------------------------------------------------------------------------------------------------


@live
async def test_a_command_and_every_way_it_can_end() -> None:
    async with Csms() as csms, station(csms) as raw:
        with pytest.raises(CommandFailed, match="NotConnected"):
            await csms.command("CP2", "ClearCache")
        with pytest.raises(CommandFailed, match="Schema"):
            await csms.command("CP1", "Reset", payload={"type": "Medium"})
        asked = asyncio.create_task(csms.command("CP1", "Reset", type="Soft", timeout_s=0.1))
        late = (await raw.hear())[1]
        with pytest.raises(CommandFailed, match="Timeout"):
            await asked
        await raw.say(3, late, {"status": "Accepted"})
        asked = asyncio.create_task(csms.command("CP1", "UnlockConnector", connector_id=1))
        _, message, action, payload = await raw.hear()
        assert (action, payload) == ("UnlockConnector", {"connectorId": 1})
        await raw.say(4, message, "InternalError", "broken", {})
        with pytest.raises(CommandFailed, match="InternalError: broken"):
            await asked
        asked = asyncio.create_task(csms.command("CP1", "ClearCache"))
        await raw.say(3, (await raw.hear())[1], {"status": "Perhaps"})
        assert await asked == {"status": "Perhaps"}
        asked = asyncio.create_task(csms.command("CP1", "ClearCache"))
        await raw.hear()
        await raw.socket.close()
        with pytest.raises(CommandFailed, match="ConnectionLost"):
            await asked
        assert codes(csms) == ["schema"]
        assert [one.answer for one in csms.books.refused] == ["InternalError"]


@live
async def test_commands_take_turns_unless_told_otherwise() -> None:
    async with Csms(behaviour=Behaviour(delays={"Heartbeat": 0.5})) as csms, station(csms) as raw:
        await raw.boot()
        await raw.say(2, "h", "Heartbeat", {})  # a command may also come while a call of the station is out
        first = asyncio.create_task(csms.command("CP1", "ClearCache"))
        second = asyncio.create_task(csms.command("CP1", "GetConfiguration"))
        at_once = asyncio.create_task(csms.command("CP1", "Reset", type="Hard", wait_turn=False))
        frames = [await raw.hear() for _ in range(2)]
        assert [one[2] for one in frames] == ["ClearCache", "Reset"]
        for frame in frames:
            await raw.say(3, frame[1], {"status": "Accepted"})
        _, message, action, _ = await raw.hear()
        assert action == "GetConfiguration"
        await raw.say(3, message, {"configurationKey": []})
        await asyncio.gather(first, second, at_once)
        assert (await raw.hear())[:2] == [3, "h"]
        assert codes(csms) == []


@live
async def test_a_boot_may_be_followed_by_commands_at_once() -> None:
    async with (
        Csms(behaviour=Behaviour(on_boot=["get {id} --now", "trigger {id} Heartbeat --now"])) as csms,
        station(csms) as raw,
    ):
        await raw.call("BootNotification", BOOT)
        assert {(await raw.hear())[2] for _ in range(2)} == {"GetConfiguration", "TriggerMessage"}


@pytest.mark.parametrize(
    ("line", "action", "payload"),
    [
        ("remote-start CP1 --card X1", "RemoteStartTransaction", {"idTag": "X1"}),
        ("remote-start CP1 --connector 2 --card X1", "RemoteStartTransaction", {"idTag": "X1", "connectorId": 2}),
        ("remote-stop CP1 --transaction 7", "RemoteStopTransaction", {"transactionId": 7}),
        ("remote-stop CP1", "RemoteStopTransaction", {"transactionId": 1}),
        ("remote-stop CP1 --connector 1", "RemoteStopTransaction", {"transactionId": 1}),
        ("unlock CP1 1", "UnlockConnector", {"connectorId": 1}),
        ("availability CP1 0 inoperative", "ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ("set CP1 HeartbeatInterval 30", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "30"}),
        ("get CP1", "GetConfiguration", {}),
        ("get CP1 A B", "GetConfiguration", {"key": ["A", "B"]}),
        ("reset CP1 hard", "Reset", {"type": "Hard"}),
        ("clear-cache CP1", "ClearCache", {}),
        (
            "trigger CP1 MeterValues --connector 1",
            "TriggerMessage",
            {"requestedMessage": "MeterValues", "connectorId": 1},
        ),
        (
            "data-transfer CP1 V --message M --data 'a b'",
            "DataTransfer",
            {"vendorId": "V", "messageId": "M", "data": "a b"},
        ),
        ('call CP1 GetConfiguration \'{"key": ["A"]}\'', "GetConfiguration", {"key": ["A"]}),
        ('{"station": "CP1", "action": "Reset", "payload": {"type": "Soft"}, "id": 9}', "Reset", {"type": "Soft"}),
    ],
)
@live
async def test_lines_of_the_prompt(line: str, action: str, payload: Payload) -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.boot()
        await raw.start(csms)
        asked = asyncio.create_task(obey(csms, line))
        frame = await raw.hear()
        assert frame[2:] == [action, payload]
        answer: Payload = {"configurationKey": []} if action == "GetConfiguration" else {"status": "Accepted"}
        await raw.say(3, frame[1], answer)
        assert (await asked).items() >= {"answer": answer, "station": "CP1", "action": action}.items()
        assert ("id" in await asked) == ('"id"' in line)


@live
async def test_lines_that_change_or_show_something_and_lines_that_are_wrong() -> None:
    async with Csms() as csms, station(csms) as raw:
        await raw.boot()
        for line in (
            "silent Heartbeat",
            "delay 2:Authorize",
            "lose StopTransaction:1",
            "ids one",
            "registration pending:3",
        ):
            assert (await obey(csms, line))["text"] == []
        behaviour = csms.behaviour
        assert (behaviour.silent, behaviour.delay_s("Authorize"), behaviour.ids) == ({"Heartbeat"}, 2.0, "one")
        assert (behaviour.lose, behaviour.registration_times) == ({("StopTransaction", 1)}, 3)
        assert await obey(csms, "stations") == {"text": ["CP1: connected, Accepted; 0 Available, 1 Available"]}
        assert await obey(csms, "violations") == {"text": ["none"]}
        wrong = (
            "brew",
            "unlock CP1 one",
            "remote-stop CP1",
            "card X:nice",
            "ids odd",
            "unlock CP1 1 2",
            "{}",
            "unlock CP1",
        )
        for line in wrong:
            assert "error" in await obey(csms, line), line
        await obey(csms, "drop CP1")
        with pytest.raises(ConnectionClosed):
            await raw.socket.recv()


@live
async def test_a_password_set_from_here_does_not_stand_in_the_books(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    async with Csms(path=path) as csms, station(csms) as raw:
        asked = asyncio.create_task(obey(csms, "set CP1 AuthorizationKey 0123456789abcdef"))
        frame = await raw.hear()
        assert frame[3]["value"] == "0123456789abcdef"
        await raw.say(3, frame[1], {"status": "Accepted"})
        await asked
    assert "0123456789abcdef" not in path.read_text()


# --- who may come in --------------------------------------------------------------------------------------------------


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


# --- as a program -----------------------------------------------------------------------------------------------------

PROGRAM = """
import argparse, sys
from sim.csms.cli import add_parser
parser = argparse.ArgumentParser()
add_parser(parser.add_subparsers(required=True))
args = parser.parse_args()
sys.exit(args.run(args))
"""


async def program(*options: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "csms", *options, stdin=pipe, stdout=pipe, stderr=pipe
    )


@live
async def test_the_program_listens_obeys_and_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    process = await program("--port", "0", "--json", "--prompt", "--books", str(path), "--card", "A1:blocked")
    assert process.stdout is not None and process.stdin is not None
    first = json.loads(await process.stdout.readline())
    async with connect(f"{first['listening']}/CP1", subprotocols=[Subprotocol("ocpp1.6")]) as socket:
        raw = Raw(socket)
        await raw.boot()
        assert (await raw.call("Authorize", {"idTag": "a1"}))["idTagInfo"]["status"] == "Blocked"
        process.stdin.write(b'{"id": 5, "station": "CP1", "action": "ClearCache"}\n')
        _, message, action, _ = await raw.hear()
        assert action == "ClearCache"
        await raw.say(3, message, {"status": "Rejected"})
        while "answer" not in (line := json.loads(await process.stdout.readline())) or "kind" in line:
            pass
        assert line == {"answer": {"status": "Rejected"}, "station": "CP1", "action": "ClearCache", "id": 5}
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(1.5):
            rest, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert json.loads(rest.splitlines()[-1])["closed"]["violations"] == 0
    assert read_books(path).closed


@live
async def test_the_program_ends_with_its_input_and_refuses_nonsense() -> None:
    process = await program("--port", "0", "--prompt")
    out, _ = await process.communicate(b"stations\n")
    assert (process.returncode, out.startswith(b"listening on ws://127.0.0.1:")) == (0, True)
    process = await program("--card", "X:nice")
    _, errors = await process.communicate()
    assert (process.returncode, b"nice" in errors) == (2, True)
