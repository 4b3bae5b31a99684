"""From power-up to Accepted: what goes out, what waits, what is answered (1.6 §4.2)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.signals import BoardReady
from ocpp_client.link import LinkUp
from station.core.effects import CloseLink, OpenLink, SendFrame
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec


def booted(**answer: Any) -> CoreBench:
    """Up to the answer to the first BootNotification; nothing else is answered."""
    bench = CoreBench()
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 300, **answer})
    return bench


def cut_in_a_session(**settings: Any) -> CoreBench:
    """A station after a power cut in a session, not yet connected."""
    bench = CoreBench()
    bench.connect()
    bench.charging()
    later = bench.restart(settings=Settings(**settings))
    later.plug()
    later.give(BoardReady())
    return later


@spec("1.6", "16-BOOT-01")
def test_the_first_call_names_vendor_and_model() -> None:
    bench = CoreBench()
    assert OpenLink(("ocpp1.6",)) in bench.effects
    bench.give(LinkUp("ocpp1.6"))
    [[_, _, action, payload]] = bench.sent
    shape = bench.core.shape
    assert action == "BootNotification"
    assert payload == {
        "chargePointVendor": shape.vendor,
        "chargePointModel": shape.model,
        "chargePointSerialNumber": "CP1",
        "firmwareVersion": shape.firmware,
    }
    again = bench.restart()
    again.give(BoardReady())
    again.give(LinkUp("ocpp1.6"))
    assert [call[2] for call in again.calls] == ["BootNotification"]


@spec("1.6", "16-BOOT-02")
def test_nothing_else_is_sent_before_it_is_accepted() -> None:
    bench = cut_in_a_session()
    assert bench.core.connection.outbox.records
    bench.give(LinkUp("ocpp1.6"))
    bench.tap("0499")
    bench.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
    bench.wait(29)
    assert [call[2] for call in bench.calls] == ["BootNotification"]
    bench.wait(1000)  # unanswered, it is repeated, and still alone
    assert {call[2] for call in bench.calls} == {"BootNotification"}
    while bench.open_call is None:
        bench.wait(1)
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 300})
    bench.answer_all()
    assert "StopTransaction" in [call[2] for call in bench.calls]


@spec("1.6", "16-BOOT-03")
def test_interval_and_clock_are_taken_over() -> None:
    bench = booted(interval=77, currentTime="2031-02-03T04:05:06Z")
    bench.answer_all()
    status = bench.calls[-1][3]
    assert status["timestamp"].startswith("2031-02-03T04:05:06")
    assert bench.reply(bench.call("GetConfiguration", {"key": ["HeartbeatInterval"]})) == {
        "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "77"}]
    }
    bench.wait(76.9)
    assert bench.actions("Heartbeat") == []
    bench.wait(0.2)
    assert bench.actions("Heartbeat") == [{}]


@spec("1.6", "16-BOOT-04")
@pytest.mark.parametrize("ready", [True, False])
def test_the_statuses_of_the_station_and_of_every_connector_follow(ready: bool) -> None:
    """Whichever is first, the board or the CSMS."""
    bench = CoreBench(ready=ready)
    bench.connect()
    if not ready:
        assert bench.actions("StatusNotification") == []
        bench.give(BoardReady())
        bench.answer_all()
    told = {payload["connectorId"]: payload["status"] for payload in bench.actions("StatusNotification")}
    assert told == {0: "Available", 1: "Available", 2: "Available"}
    assert len(bench.actions("StatusNotification")) == 3


@spec("1.6", "16-BOOT-05")
@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_it_is_repeated_after_the_interval_and_not_before(status: str) -> None:
    bench = booted(status=status, interval=120)
    bench.wait(119)
    assert len(bench.calls) == 1
    bench.wait(2)
    assert [call[2] for call in bench.calls] == ["BootNotification"] * 2
    bench.answer("BootNotification", {"status": status, "currentTime": bench.iso(), "interval": 50})
    bench.wait(51)
    assert len(bench.calls) == 3


@spec("1.6", "16-BOOT-05")
def test_a_new_connection_does_not_shorten_the_wait() -> None:
    bench = booted(status="Rejected", interval=600)
    for _ in range(3):
        bench.disconnect()
        bench.wait(10)
        bench.give(LinkUp("ocpp1.6"))
    assert len(bench.calls) == 1
    bench.disconnect()
    bench.wait(600)  # the time comes while there is no connection
    assert len(bench.calls) == 1
    bench.give(LinkUp("ocpp1.6"))
    assert len(bench.calls) == 2


@spec("1.6", "16-BOOT-05", "16-BOOT-08")
def test_a_pending_station_repeats_it_at_once_when_that_is_triggered() -> None:
    bench = booted(status="Pending", interval=3600)
    triggered = bench.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    assert bench.reply(triggered) == {"status": "Accepted"}
    assert [frame[0] for frame in bench.sent[-2:]] == [3, 2], "the answer comes first"
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 300})
    bench.answer_all()
    assert bench.statuses(2) == ["Available"]


@spec("1.6", "16-BOOT-06")
@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_an_interval_of_nought_is_one_of_our_own(status: str) -> None:
    bench = booted(status=status, interval=0)
    bench.wait(9)
    assert len(bench.calls) == 1, "no flood"
    bench.wait(300)
    assert len(bench.calls) > 1, "but another try"


@spec("1.6", "16-BOOT-07")
def test_rejected_it_says_nothing_and_answers_nobody() -> None:
    bench = booted(status="Rejected", interval=600)
    before = len(bench.sent)
    asked = bench.call("GetConfiguration", {"key": ["HeartbeatInterval"]})
    bench.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    bench.give_text("[2,")
    bench.give_text('[2,"x","NoSuchAction",{}]')
    bench.plug()
    bench.tap(CARD)
    bench.wait(599)
    assert len(bench.sent) == before
    bench.wait(2)
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 600})
    assert bench.reply(asked) is None, "what came meanwhile is not answered later either"
    assert bench.reply(bench.call("GetConfiguration", {"key": ["HeartbeatInterval"]})) is not None


@spec("1.6", "16-BOOT-07")
def test_what_was_triggered_while_pending_is_not_sent_once_rejected() -> None:
    bench = booted(status="Pending", interval=60)
    bench.wait(61)
    bench.call("TriggerMessage", {"requestedMessage": "Heartbeat"})  # waits behind the BootNotification that is out
    bench.answer("BootNotification", {"status": "Rejected", "currentTime": bench.iso(), "interval": 60})
    assert bench.actions("Heartbeat") == []


@spec("1.6", "16-BOOT-08")
def test_pending_it_answers_and_sends_only_what_is_triggered() -> None:
    bench = booted(status="Pending", interval=3600)
    changed = bench.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "15"})
    read = bench.call("GetConfiguration", {"key": ["MeterValueSampleInterval"]})
    bench.plug(2)
    bench.wait(1000)  # clock-aligned values of idle slots and statuses that changed: none of them may leave
    assert bench.reply(changed) == {"status": "Accepted"}
    assert bench.reply(read)["configurationKey"][0]["value"] == "15"
    assert [call[2] for call in bench.calls] == ["BootNotification"]
    for message in ("StatusNotification", "Heartbeat", "MeterValues"):
        triggered = bench.call("TriggerMessage", {"requestedMessage": message, "connectorId": 1})
        assert bench.reply(triggered) == {"status": "Accepted"}
        assert bench.open_call is not None and bench.open_call[2] == message
        bench.answer_all()
    assert len(bench.calls) == 4


@spec("1.6", "16-BOOT-09")
def test_pending_nothing_is_started_or_stopped_from_afar() -> None:
    bench = cut_in_a_session(after_restart="resume")
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 3600})
    started = bench.call("RemoteStartTransaction", {"idTag": CARD, "connectorId": 2})
    stopped = bench.call("RemoteStopTransaction", {"transactionId": 1})
    assert bench.reply(started) == bench.reply(stopped) == {"status": "Rejected"}
    bench.wait(10)
    assert bench.core.slots[0].session is not None
    assert bench.core.slots[1].session is None


@spec("1.6", "16-BOOT-10")
def test_pending_the_connection_stays() -> None:
    bench = booted(status="Pending", interval=900)
    bench.wait(880)
    assert not any(isinstance(effect, CloseLink) for effect in bench.effects)
    assert sum(isinstance(effect, OpenLink) for effect in bench.effects) == 1


@spec("1.6", "16-BOOT-11")
@pytest.mark.parametrize("configured", [True, False])
def test_a_transaction_before_acceptance_needs_to_be_configured_and_waits(configured: bool) -> None:
    bench = CoreBench(settings=Settings(allow_offline_unknown=configured))
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 600})
    bench.plug()
    bench.wait(3)
    bench.tap(CARD)
    bench.wait(30)
    assert (bench.core.slots[0].session is not None) is configured
    assert bench.actions("StartTransaction") == []
    bench.wait(571)
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 600})
    bench.answer_all()
    assert len(bench.actions("StartTransaction")) == configured


@spec("1.6", "16-BOOT-12", "J-46")
def test_a_mere_reconnect_needs_no_new_boot() -> None:
    bench = CoreBench()
    bench.connect()
    bench.disconnect()
    bench.wait(60)
    bench.give(LinkUp("ocpp1.6"))
    bench.plug()
    bench.answer_all()
    assert len(bench.actions("BootNotification")) == 1
    assert bench.statuses()[-1] == "Preparing", "it goes on as an accepted station"


@spec("1.6", "16-BOOT-13")
@pytest.mark.parametrize("how", ["unanswered", "refused", "nonsense"])
def test_without_a_proper_answer_it_is_repeated_with_growing_waits(how: str) -> None:
    bench = CoreBench(settings=Settings(backoff_min_s=2, backoff_random_s=1, backoff_repeat=6))
    bench.give(LinkUp("ocpp1.6"))
    waits = []
    for _ in range(6):
        if how == "refused":
            bench.refuse("InternalError")
        elif how == "nonsense":
            bench.answer("BootNotification", {"status": "Perhaps"})
        else:
            bench.wait(30)
        count, failed_ns = len(bench.calls), bench.mono_ns
        assert bench.open_call is None
        while len(bench.calls) == count:
            bench.wait(0.1)
        waits.append((bench.mono_ns - failed_ns) / 1e9)
    assert [round(wait) // 2 ** (n + 1) for n, wait in enumerate(waits)] == [1] * 6, waits
    assert {call[2] for call in bench.calls} == {"BootNotification"}


@spec("1.6", "TC_001_CS")
def test_rejected_then_accepted() -> None:
    bench = booted(status="Rejected", interval=30)
    bench.wait(31)
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 45})
    bench.answer_all()
    assert [bench.statuses(number) for number in (0, 1, 2)] == [["Available"]] * 3
    bench.answering = True
    bench.wait(46)
    bench.wait(45)
    assert [call[2] for call in bench.calls][-2:] == ["Heartbeat", "Heartbeat"]


@spec("1.6", "TC_002_CS")
def test_pending_then_accepted() -> None:
    bench = booted(status="Pending", interval=30)
    read = bench.call("GetConfiguration", {})
    changed = bench.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "30"})
    assert len(bench.reply(read)["configurationKey"]) > 30
    assert bench.reply(changed) == {"status": "Accepted"}
    bench.wait(31)
    assert [call[2] for call in bench.calls] == ["BootNotification"] * 2
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 300})
    bench.answer_all()
    assert [call[2] for call in bench.calls][2:] == ["StatusNotification"] * 3


def test_before_any_answer_to_the_boot_commands_are_answered() -> None:
    """A CSMS may ask before it answers; what it triggers waits until it has said Pending or Accepted."""
    bench = CoreBench()
    bench.give(LinkUp("ocpp1.6"))
    asked = bench.call("GetConfiguration", {"key": ["NumberOfConnectors"]})
    triggered = bench.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
    assert bench.reply(asked)["configurationKey"][0]["value"] == "2"
    assert bench.reply(triggered) == {"status": "Accepted"}
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 300})
    assert [call[2] for call in bench.calls] == ["BootNotification", "Heartbeat"]


def test_a_boot_that_cannot_be_sent_yet_is_asked_once() -> None:
    bench = booted(status="Pending", interval=10)
    for _ in range(3):
        bench.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    bench.wait(11)
    assert len(bench.actions("BootNotification")) == 2
    frames = [effect for effect in bench.effects if isinstance(effect, SendFrame)]
    assert len({frame.frame for frame in frames}) == len(frames)
