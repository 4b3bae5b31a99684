"""What the CSMS of the simulator asks of a station, by call and by a line of its prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from sim.csms.control import Behaviour, CommandFailed, obey
from sim.csms.server import Csms
from tests.interop.raw import BOOT, Payload, codes, live, station

pytestmark = pytest.mark.interop


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
            "call CP1 Reset [1]",
            "call CP1 Reset 5",
            "call CP1 Brew {}",
            "trigger CP1 Heartbeat --connector",
            "registration pending:soon",
            "answer Brew",
            "drop CP9",
            'get "',
            '{"station',
        )
        for line in wrong:
            error = (await obey(csms, line))["error"]
            assert "literal" not in error and "\n" not in error, line
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
