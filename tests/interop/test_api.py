"""The Python door to a virtual station: the examples of its documentation, run as they stand, and what they leave out."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import pytest

import sim.api
from sim.api import CommandFailed, NotInTime, VirtualStation, virtual_csms, virtual_station
from sim.commands import COMMANDS
from sim.csms.control import Behaviour
from station.adapters.cloudevents import decode

pytestmark = pytest.mark.interop

EXAMPLES = re.findall(r"```python\n(.*?)```", sim.api.__doc__ or "", re.DOTALL)
QUICK = {"backoff_min_s": 1, "backoff_random_s": 0}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run(number: int) -> None:
    """Each is a program of its own; `url` is that of a CSMS that accepts everybody."""
    code = compile(EXAMPLES[number], f"example {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def play() -> None:
        async with virtual_csms() as csms:
            result = eval(code, {"url": csms.url})
            if inspect.isawaitable(result):
                await result
            assert csms.books.problems == []

    asyncio.run(play())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
    assert all("virtual_station(" in example for example in EXAMPLES)


def test_every_command_can_be_had_as_a_method() -> None:
    """But for those that only make sense as lines, and those that have a better name here."""
    named = {"raise": "fault", "wait": "wait_for_status"}
    lines_only = ("help", "quit", "pause")
    missing = [
        do for do in COMMANDS if do not in lines_only and not callable(getattr(VirtualStation, named.get(do, do), None))
    ]
    assert missing == []


def test_a_wrong_url_is_told_in_one_sentence() -> None:
    async def play() -> None:
        async with virtual_csms(behaviour=Behaviour(handshake="404")) as csms:
            with pytest.raises(NotInTime) as caught:
                async with virtual_station(csms=csms.url, id="CP1", connect_within_s=1):
                    pass
            said = str(caught.value)
            assert f"{csms.url}/CP1" in said  # the URL as sent
            assert "HTTP 404" in said and "ocpp1.6" in said and "check the path" in said

    asyncio.run(play())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"csms": "http://127.0.0.1:1"}, "ws://"),
        ({"template": "ladder"}, "two-sockets-22kw"),
        ({"slots": 0}, "from 1"),
        ({"vendor": "x" * 21}, "1 to 20"),
        ({"settings": {"speed": 3}}, "sample_interval_s"),
        ({"settings": {"sample_interval_s": "soon"}}, "not a whole number"),
        ({"ca": "none.pem"}, "wss://"),
        ({"csms": "wss://127.0.0.1:1", "ca": "none.pem"}, "none.pem: cannot be loaded"),
        ({"csms": "wss://127.0.0.1:1", "cert": __file__}, f"{__file__}: cannot be loaded"),
        ({"auth": "none"}, "csms, free"),
        ({"compat": "loose"}, "seed, strict"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    async def play() -> None:
        async with virtual_station(**{"csms": "ws://127.0.0.1:1", **options}):
            raise AssertionError("it should not have begun")

    with pytest.raises(ValueError, match=re.escape(words)):
        asyncio.run(play())


def test_a_station_offline_still_works_and_tells_later(tmp_path: Path) -> None:
    """No CSMS at all: free vend charges, every event is on the disk, and a CSMS that comes is told everything."""

    async def play() -> None:
        async with virtual_csms() as csms:
            url, port = csms.url, csms.port
        async with virtual_station(
            csms=url, id="CP1", auth="free", connect_within_s=0, settings=QUICK, events=tmp_path / "events.jsonl"
        ) as cp:
            await cp.plug(1)
            await cp.wait_for_status(1, "charging")
            assert not (await cp.status()).link
            await cp.drive_off(1)
            ended = await cp.wait_for_event("session-ended")
            assert "transactionId" not in ended.data  # nobody has given it a number
            async with virtual_csms(port=port) as late:
                await cp.wait_online()
                await late.until(lambda books: books.transactions and books.transactions[0].stop)
        lines = [decode(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
        assert [event.id for event in lines] == [event.id for event in cp.events]
        assert [e.kind for e in lines].count("session-ended") == 1

    asyncio.run(play())


def test_the_same_card_twice_is_two_taps_however_quickly() -> None:
    async def play() -> None:
        async with virtual_csms() as csms, virtual_station(csms=csms.url, id="CP1") as cp:
            await cp.plug(1)
            await cp.tap("04A1B2C3")
            await cp.wait_for_event("session-started")
            await cp.tap("04a1b2c3")
            await cp.wait_for_event("session-ended", within_s=10)

    asyncio.run(play())


def test_a_car_comes_back_to_the_cable_it_left() -> None:
    async def play() -> None:
        settings = {"stop_on_ev_disconnect": False}
        async with virtual_csms() as csms, virtual_station(csms=csms.url, id="CP1", settings=settings) as cp:
            await cp.plug(1)
            await cp.tap("04A1B2C3")
            await cp.wait_for_status(1, "charging")
            await cp.drive_off(1)
            await cp.wait_for_status(1, "suspended_ev")
            await cp.plug(1)
            await cp.wait_for_status(1, "charging")
            with pytest.raises(CommandFailed, match="a car stands there"):
                await cp.plug(1)
            assert len(cp.calls("StartTransaction")) == 1 and cp.calls("StopTransaction") == []

    asyncio.run(play())


def test_sessions_are_waited_for_by_their_number() -> None:
    async def play() -> None:
        async with virtual_csms() as csms, virtual_station(csms=csms.url, id="CP1", auth="free") as cp:
            waiting = asyncio.create_task(cp.wait_for_sessions(2))
            for slot in (1, 2):
                await cp.plug(slot)
                await cp.wait_for_status(slot, "charging")
                await asyncio.sleep(0.1)
                assert not waiting.done()
                await cp.drive_off(slot)
            await waiting
            await cp.wait_for_sessions(1)  # those that have ended count too
            with pytest.raises(NotInTime):
                await cp.wait_for_sessions(3, within_s=0.2)

    asyncio.run(play())


def test_frames_events_and_slots_agree(tmp_path: Path) -> None:
    """One session, seen from all sides: OCPP, CloudEvents, the slot, the recording."""

    async def play() -> None:
        record = tmp_path / "frames.jsonl"
        async with (
            virtual_csms() as csms,
            virtual_station(csms=csms.url, id="CP1", slots=3, settings={"sample_interval_s": 1}, record=record) as cp,
        ):
            await cp.choose_car("model-3-lr", 60)
            await cp.plug(3)
            await cp.tap("04A1B2C3")
            await cp.wait_for_status(3, "charging")
            await csms.until(lambda books: books.counts["meter"] >= 2)
            slot = await cp.slot(3)
            assert slot.power_on and slot.lock == "closed" and slot.why == ""
            assert slot.car is not None and slot.car.name == "model-3-lr" and slot.session is not None
            await cp.stop(3)
            ended = (await cp.wait_for_event("session-ended")).data
            assert ended["session"]["id"] == slot.session.id and ended["slotNumber"] == 3
            await csms.until(lambda books: books.transactions[0].stop)
            booked = csms.books.transactions[0]
            stop = cp.calls("StopTransaction")[0]
            assert booked.stop is not None
            assert stop["meterStop"] == ended["registerWh"] == booked.stop.meter_stop_wh
            assert ended["transactionId"] == stop["transactionId"] == booked.start.transaction
            kept = [(frame.out, frame.text) for frame in cp.frames]
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        assert [(line["direction"] == "out", line["frame"]) for line in lines] == [
            (out, json.loads(text)) for out, text in kept
        ]
        assert {line["station"] for line in lines} == {"CP1"}

    asyncio.run(play())


def test_buttons_that_cannot_be_pressed_say_why() -> None:
    async def play() -> None:
        async with virtual_csms() as csms, virtual_station(csms=csms.url, template="tethered-11kw") as cp:
            refused = {
                "there is no car": cp.plug(1, car="tank"),
                "nothing is plugged into slot 1": cp.unplug(1),
                "no car stands at slot 1": cp.drive_off(1),
                "no session runs": cp.stop(1),
                "its cable is fixed": cp.fault("lock", slot=1),
                "'jamm'": cp.fault("lock", how="jamm"),
                "there are reader, lock": cp.fault("lok"),
                "simulated network": cp.fault("network", how="stall"),
                "the CSMS is yours": cp.fault("csms"),
                "there is no setting": cp.set("speed", 1),
                "can only be set in the configuration": cp.set("full_after_s", 1),
                "there is no event": cp.wait_for_event("sesion-ended"),
                "slot: 2 is not there": cp.slot(2),
                "unsupported": cp.unlock(1),
                "has power": cp.do("restore_power"),
            }
            for words, button in refused.items():
                with pytest.raises(CommandFailed, match=re.escape(words)):
                    await button
            await cp.cut_power()
            with pytest.raises(CommandFailed, match="no power"):
                await cp.tap("04A1B2C3")
            with pytest.raises(CommandFailed, match="gone already"):
                await cp.cut_power()
            await cp.restore_power()

    asyncio.run(play())


def test_emergency_stop_and_its_acknowledgement() -> None:
    async def play() -> None:
        async with virtual_csms() as csms, virtual_station(csms=csms.url, auth="free") as cp:
            await cp.plug(1)
            await cp.wait_for_status(1, "charging")
            await cp.press_stop()
            await cp.wait_for_status(1, "faulted")
            ended = await cp.wait_for_event("session-ended")
            assert ended.data["reason"] == "emergency_stop"
            slot = await cp.slot(1)
            assert not slot.power_on and slot.why == "power is off because of emergency stop"
            await cp.release_stop()
            assert (await cp.slot(1)).status == "faulted"  # latched
            await cp.acknowledge()
            cleared = await cp.wait_for_event("fault-cleared")
            faulted = next(e for e in cp.events if e.kind == "faulted")
            assert cleared.data["faultId"] == faulted.data["faultId"]
            assert faulted.subject == "station" and faulted.data["error"]["slotNumber"] == 0

    asyncio.run(play())


def test_the_examples_of_the_command_reference_are_commands() -> None:
    """Both halves of each line of the table in `sim/commands.py` mean the same."""
    import sim.commands as commands
    from sim.command_lines import read

    rows = re.findall(r"^ +(\{.*?\}) {2,}(\w.*)$", textwrap.dedent(commands.__doc__ or ""), re.MULTILINE)
    assert len(rows) >= 4
    for line, words in rows:
        told, said = read(line), read(words)
        assert msgspec.structs.replace(told, id=None) == said


def test_a_lower_supply_is_shared() -> None:
    """Two cars at 32 A each; the house has 20 A left, then 10: one waits, and charges again when there is more."""

    async def play() -> None:
        async with virtual_csms() as csms, virtual_station(csms=csms.url, auth="free") as cp:
            for slot in (1, 2):
                await cp.plug(slot, car="zoe-r110")
                await cp.wait_for_status(slot, "charging")
            assert [slot.offered_a for slot in (await cp.status()).slots] == [31.0, 31.0]
            await cp.supply(amps=20)
            assert [slot.offered_a for slot in (await cp.status()).slots] == [10.0, 10.0]
            await cp.supply(amps=10)
            await cp.wait_for_status(2, "suspended_evse")
            await cp.do("pause 4")  # a car has three seconds to stop drawing
            assert (await cp.slot(2)).why == "power is off because the supply has no share left for it"
            assert (await cp.slot(1)).offered_a == 10.0
            await cp.supply(amps=63)
            await cp.wait_for_status(2, "charging")
            await cp.supply(volts=180)
            assert (await cp.wait_for_event("faulted")).data["error"]["code"] == "UnderVoltage"
            with pytest.raises(CommandFailed, match="amps or volts"):
                await cp.supply()

    asyncio.run(play())
