"""The CSMS of the simulator, told things in literal frames over a real socket, and how it answers. No part of our own station is
here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sim.csms.books import read_books, utc_ms
from sim.csms.clock import Clock
from sim.csms.control import Behaviour
from sim.csms.server import Csms
from tests.interop.raw import BOOT, codes, live, station

pytestmark = pytest.mark.interop


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
