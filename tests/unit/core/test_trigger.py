"""TriggerMessage (1.6 §5.17): the answer, then the message, as things are now; while the registration is pending too.

DiagnosticsStatusNotification and FirmwareStatusNotification belong to a profile that is not built: NotImplemented.
"""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_client.link import LinkUp
from station.words.commands import Trigger
from station.words.outcomes import ACCEPTED as ACCEPTED_HERE
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}
NOT_IMPLEMENTED = {"status": "NotImplemented"}
BUILT = ("BootNotification", "Heartbeat", "MeterValues", "StatusNotification")
UNBUILT = (
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "SignChargePointCertificate",
    "NoSuchThing",
    "",
)


def online(template: str = "two-sockets-22kw", **settings: Any) -> CoreBench:
    bench = CoreBench(template, Settings(**settings))
    bench.connect()
    return bench


def pending() -> CoreBench:
    bench = CoreBench()
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 600})
    return bench


def trigger(bench: CoreBench, message: str, slot: int | None = None) -> Any:
    """The answer to a TriggerMessage."""
    payload: dict[str, Any] = {"requestedMessage": message} | ({} if slot is None else {"connectorId": slot})
    return bench.reply(bench.call("TriggerMessage", payload))


def told(bench: CoreBench, since: int) -> list[tuple[str, int | None]]:
    """Action and connector of the calls since, all answered."""
    bench.answer_all()
    return [(call[2], call[3].get("connectorId")) for call in bench.calls[since:]]


# --- which messages ---


@spec("1.6", "16-TRIG-01", "16-TRIG-02", "TC_054_CS")
@pytest.mark.parametrize("message", BUILT)
def test_the_answer_then_the_message(message: str) -> None:
    bench = pending() if message == "BootNotification" else online()
    before = len(bench.sent)
    assert trigger(bench, message, None if message in ("BootNotification", "Heartbeat") else 1) == ACCEPTED
    assert [frame[0] for frame in bench.sent[before:]] == [3, 2]
    assert bench.sent[-1][2] == message


@spec("1.6", "16-TRIG-03")
@pytest.mark.parametrize("message", UNBUILT)
@pytest.mark.parametrize("slot", [None, 1, 99])
def test_what_is_not_built(message: str, slot: int | None) -> None:
    bench = online()
    before = len(bench.calls)
    assert trigger(bench, message, slot) == NOT_IMPLEMENTED
    bench.wait(5)
    assert len(bench.calls) == before


@spec("1.6", "16-TRIG-07")
def test_once_accepted_the_boot_is_not_told_again() -> None:
    bench = online()
    assert trigger(bench, "BootNotification") == REJECTED
    bench.wait(5)
    assert len(bench.actions("BootNotification")) == 1
    bench.disconnect()
    bench.give(LinkUp("ocpp1.6"))
    assert trigger(bench, "BootNotification") == REJECTED


# --- which connectors ---


@spec("1.6", "16-TRIG-04", "TC_055_CS")
@pytest.mark.parametrize("message", ["MeterValues", "StatusNotification"])
@pytest.mark.parametrize("slot", [3, 99, -1])
def test_a_connector_that_is_none(message: str, slot: int) -> None:
    bench = online()
    before = len(bench.calls)
    assert trigger(bench, message, slot) == REJECTED
    bench.wait(5)
    assert len(bench.calls) == before


@spec("1.6", "16-TRIG-05")
@pytest.mark.parametrize("slot", [0, 1, 99, -1])
def test_a_connector_that_means_nothing_to_the_message_is_ignored(slot: int) -> None:
    bench = online()
    before = len(bench.calls)
    assert trigger(bench, "Heartbeat", slot) == ACCEPTED
    assert told(bench, before) == [("Heartbeat", None)]
    assert bench.ask(Trigger("heartbeat", slot)) == ACCEPTED_HERE
    bench = pending()
    before = len(bench.calls)
    assert trigger(bench, "BootNotification", slot) == ACCEPTED
    assert bench.calls[before][2] == "BootNotification"


@spec("1.6", "16-TRIG-05")
@pytest.mark.parametrize(
    ("message", "slot", "connectors"),
    [
        ("StatusNotification", None, [0, 1, 2]),
        ("StatusNotification", 0, [0]),
        ("StatusNotification", 2, [2]),
        ("MeterValues", None, [1, 2]),
        ("MeterValues", 0, [1, 2]),
        ("MeterValues", 2, [2]),
    ],
)
def test_no_connector_means_all(message: str, slot: int | None, connectors: list[int]) -> None:
    bench = online()
    before = len(bench.calls)
    assert trigger(bench, message, slot) == ACCEPTED
    assert told(bench, before) == [(message, connector) for connector in connectors]


# --- as it is now ---


@spec("1.6", "16-TRIG-06", "16-MV-19")
@pytest.mark.parametrize("charging", [True, False])
def test_the_values_are_read_now(charging: bool) -> None:
    bench = online(sample_interval_s=0, aligned_interval_s=0)
    if charging:
        bench.charging()
        bench.wait(1234)
    else:
        bench.register_mwh[1] = 5_678_900
    before = len(bench.calls)
    assert trigger(bench, "MeterValues", 1) == ACCEPTED
    bench.answer_all()
    [values] = [call[3] for call in bench.calls[before:]]
    assert values.get("transactionId") == (1 if charging else None)
    [value] = values["meterValue"]
    assert value["timestamp"] == bench.iso()
    [sample] = value["sampledValue"]
    assert sample["value"] == str(bench.register_mwh[1] // 1000)
    assert sample["context"] == "Trigger"


@spec("1.6", "16-TRIG-06")
def test_the_status_is_what_it_is_now() -> None:
    bench = online(min_status_duration_s=120)
    bench.plug()
    bench.wait(30)
    assert bench.statuses() == ["Available"], "not yet told: it has not lasted long enough"
    assert trigger(bench, "StatusNotification", 1) == ACCEPTED
    bench.answer_all()
    last = bench.actions("StatusNotification")[-1]
    assert (last["status"], last["timestamp"]) == ("Preparing", bench.iso())


def test_without_a_measurand_there_is_nothing_to_tell() -> None:
    bench = online(sampled=())
    assert trigger(bench, "MeterValues") == REJECTED


# --- when ---


@pytest.mark.parametrize("message", ["Heartbeat", "MeterValues", "StatusNotification"])
def test_while_the_registration_is_pending(message: str) -> None:
    """Only what was triggered; nothing that waits behind it goes along."""
    bench = pending()
    bench.plug()
    before = len(bench.calls)
    assert trigger(bench, message, 1) == ACCEPTED
    assert [call[2] for call in bench.calls[before:]] == [message]
    bench.answer_all()
    bench.wait(300)
    assert [call[2] for call in bench.calls[before:]] == [message]


def test_a_boot_that_is_triggered_while_pending_is_asked_at_once_and_its_interval_counts_anew() -> None:
    bench = pending()
    bench.wait(500)
    assert trigger(bench, "BootNotification") == ACCEPTED
    assert len(bench.actions("BootNotification")) == 2
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 600})
    bench.wait(599)
    assert len(bench.actions("BootNotification")) == 2
    bench.wait(2)
    assert len(bench.actions("BootNotification")) == 3


def test_while_a_call_is_out_the_message_waits_its_turn() -> None:
    bench = online()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    assert trigger(bench, "Heartbeat") == ACCEPTED
    assert bench.calls[-1][2] == "Authorize"
    bench.answer("Authorize", {"idTagInfo": ACCEPTED})
    assert [call[2] for call in bench.calls[-2:]] == ["Authorize", "Heartbeat"]


def test_values_that_were_triggered_in_a_transaction_do_not_delay_its_records() -> None:
    """They are told once, and never stand in the queue of what must arrive."""
    bench = online()
    bench.charging()
    trigger(bench, "MeterValues", 1)
    assert bench.open_call is not None
    bench.disconnect()
    bench.wait(120)
    bench.give(LinkUp("ocpp1.6"))
    bench.answer_all()
    contexts = [m["meterValue"][0]["sampledValue"][0]["context"] for m in bench.actions("MeterValues")]
    assert contexts == ["Trigger", "Sample.Periodic", "Sample.Periodic"]
