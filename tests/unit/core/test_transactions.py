"""Transactions of 1.6 on the bench: StartTransaction, StopTransaction, reasons, what answers do, and the vehicle that leaves."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import SetLock
from hal.signals import BoardFault, BoardReady, LockReported, PowerFailing
from hal.units import Cause, LockState, Pilot
from ocpp_client.link import LinkUp
from station.core.boot import BootInfo
from station.words.common import TokenStatus
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec

MINUTE = 60
OTHER = "04FFEE11"


def connected(**settings: Any) -> CoreBench:
    bench = CoreBench(settings=Settings(**settings), answering=True)
    bench.connect()
    return bench


def charging(**settings: Any) -> CoreBench:
    bench = connected(**settings)
    bench.charging()
    return bench


def reconnect(bench: CoreBench) -> None:
    """The link is back; the CSMS answers whatever it is told."""
    bench.give(LinkUp("ocpp1.6"))
    bench.answer_all()


def booted(bench: CoreBench) -> None:
    """The board reports a plugged vehicle behind a closed lock, and the CSMS is there."""
    bench.give(LockReported(1, LockState.CLOSED))
    bench.plug()
    bench.give(BoardReady())
    bench.connect()


def stop(bench: CoreBench, card: str = CARD, slot: int = 1) -> None:
    """The card is shown, and the vehicle lets go."""
    bench.tap(card)
    bench.answer_all()
    bench.pilot(Pilot.B, slot)
    bench.answer_all()


def stopped(bench: CoreBench) -> dict[str, Any]:
    [told] = bench.actions("StopTransaction")
    return told


# --- StartTransaction ---


@spec("1.6", "16-START-01")
def test_a_start_tells_who_where_when_and_from_which_register() -> None:
    bench = connected()
    bench.register_mwh[2] = 1_234_999
    bench.plug(2)
    bench.answer_all()
    bench.wait(3)
    at = bench.iso()
    bench.tap(CARD)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert bench.actions("StartTransaction") == [{"connectorId": 2, "idTag": CARD, "meterStart": 1234, "timestamp": at}]


@spec("1.6", "16-START-01")
@pytest.mark.parametrize("plugged, authorized", [(True, False), (False, True)])
def test_no_start_before_a_plug_and_an_authorisation(plugged: bool, authorized: bool) -> None:
    bench = connected()
    if plugged:
        bench.plug()
    if authorized:
        bench.tap()
    bench.wait(20)
    assert bench.actions("StartTransaction") == []


@spec("1.6", "16-START-03")
def test_the_number_of_the_answer_is_used_from_then_on_and_forgotten_at_the_end() -> None:
    bench = connected(sample_interval_s=MINUTE)
    bench.plug()
    bench.tap()
    bench.answer_all(StartTransaction={"transactionId": -77, "idTagInfo": {"status": "Accepted"}})
    bench.pilot(Pilot.C)
    bench.wait(MINUTE)
    assert bench.call("RemoteStopTransaction", {"transactionId": 77}) and bench.reply("csms-1") == {
        "status": "Rejected"
    }
    stop(bench)
    assert [told["transactionId"] for told in bench.actions("MeterValues", "StopTransaction")] == [-77, -77]
    assert not bench.disk.get("dialect") and not bench.core.connection.transactions


@spec("1.6", "16-START-04")
def test_the_answer_to_a_start_is_remembered_of_the_token() -> None:
    bench = connected()
    bench.plug()
    bench.answer_all()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    info = {"status": "Accepted", "expiryDate": "2026-12-31T00:00:00Z", "parentIdTag": "FAMILY"}
    bench.answer("StartTransaction", {"transactionId": 1, "idTagInfo": info})
    cached = bench.disk["token"][CARD].info
    assert (cached.status, cached.expires, cached.group) == (TokenStatus.ACCEPTED, 1_798_675_200_000, "FAMILY")
    assert bench.core.slots[0].session.group == bench.disk["session"][bench.core.slots[0].session.id].group == "FAMILY"


@spec("1.6", "16-START-05", "16-STOP-08")
@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired", "ConcurrentTx"])
def test_a_token_that_is_refused_after_the_start_ends_the_transaction(status: str) -> None:
    bench = connected(stop_on_invalid=True)
    bench.plug()
    bench.tap()
    bench.answer_all(StartTransaction={"transactionId": 5, "idTagInfo": {"status": status}})
    bench.wait(1)
    assert stopped(bench)["reason"] == "DeAuthorized" and "idTag" not in stopped(bench)
    assert stopped(bench)["transactionId"] == 5
    assert bench.statuses()[-1] == "Finishing"
    assert not bench.core.slots[0].permitted


@spec("1.6", "16-START-06")
@pytest.mark.parametrize("grace_wh", [0, 500])
def test_or_only_the_energy_ends_once_the_grace_is_used_up(grace_wh: int) -> None:
    bench = connected(stop_on_invalid=False, max_energy_on_invalid_wh=grace_wh, sample_interval_s=10)
    bench.plug()
    bench.tap()
    bench.answer_all(StartTransaction={"transactionId": 5, "idTagInfo": {"status": "Invalid"}})
    bench.pilot(Pilot.C)
    bench.wait(10)
    assert (bench.statuses()[-1] == "Charging") is (grace_wh > 0)
    bench.wait(4 * MINUTE)
    assert bench.statuses()[-1] == "SuspendedEVSE"
    assert grace_wh <= bench.register_mwh[1] // 1000 < grace_wh + 13, "an orderly stop takes three seconds"
    assert bench.actions("StopTransaction") == []
    stop(bench)
    assert stopped(bench)["reason"] == "Local"


def test_a_refusal_holds_over_a_restart_that_goes_on() -> None:
    bench = connected(stop_on_invalid=False)
    bench.plug()
    bench.tap()
    bench.answer_all(StartTransaction={"transactionId": 5, "idTagInfo": {"status": "Invalid"}})
    bench.wait(70)
    later = bench.restart(settings=Settings(stop_on_invalid=False, after_restart="resume"))
    booted(later)
    assert later.core.slots[0].session is not None
    assert not later.core.slots[0].permitted and later.statuses()[-1] == "SuspendedEVSE"


@spec("1.6", "16-START-07", "16-TXQ-09")
def test_a_start_without_connection_waits_and_keeps_its_time() -> None:
    bench = connected(allow_offline_unknown=True)
    bench.disconnect()
    at = bench.iso()
    bench.charging()
    bench.wait(600)
    assert bench.actions("StartTransaction") == []
    started = bench.core.slots[0].session.started.utc_ms
    reconnect(bench)
    [start] = bench.actions("StartTransaction")
    assert start["timestamp"] == at.replace(":00.000Z", ":03.000Z") and started == bench.utc_ms + 3000


@spec("1.6", "16-START-08")
def test_what_follows_a_start_that_was_never_confirmed_bears_minus_one() -> None:
    bench = connected(transaction_attempts=1, sample_interval_s=MINUTE)
    bench.plug()
    bench.answer_all()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    bench.refuse()
    bench.pilot(Pilot.C)
    bench.wait(MINUTE)
    stop(bench)
    assert [told["transactionId"] for told in bench.actions("MeterValues", "StopTransaction")] == [-1, -1]


@spec("1.6", "16-START-09")
def test_one_transaction_on_a_connector_at_a_time() -> None:
    bench = charging()
    remote = bench.call("RemoteStartTransaction", {"idTag": OTHER, "connectorId": 1})
    assert bench.reply(remote) == {"status": "Rejected"}
    bench.tap(OTHER)
    bench.answer_all()
    assert [start["idTag"] for start in bench.actions("StartTransaction")] == [CARD]
    bench.wait(3)
    stop(bench)
    bench.unplug()
    bench.plug()  # for the other card, which has been waiting for a plug
    bench.answer_all()
    told = [frame[2] for frame in bench.calls if frame[2] in ("StartTransaction", "StopTransaction")]
    assert told == ["StartTransaction", "StopTransaction", "StartTransaction"]


# --- StopTransaction ---


@spec("1.6", "16-STOP-01")
def test_a_stop_tells_which_when_and_at_which_register() -> None:
    bench = connected()
    bench.register_mwh[1] = 999_500
    bench.charging()
    bench.wait(30 * MINUTE)
    bench.tap()
    bench.pilot(Pilot.B)
    at, register = bench.iso(), bench.register_mwh[1]
    assert stopped(bench)["transactionId"] == 1
    assert stopped(bench)["timestamp"] == at
    assert stopped(bench)["meterStop"] == register // 1000
    delivered = stopped(bench)["meterStop"] - bench.actions("StartTransaction")[0]["meterStart"]
    assert delivered == 16 * 230 * 3 // 2  # in half an hour


@spec("1.6", "16-STOP-02", "16-STOP-11")
def test_who_stops_by_card_is_named_and_may_unplug() -> None:
    bench = charging()
    bench.wait(MINUTE)
    stop(bench)
    assert stopped(bench).get("reason", "Local") == "Local" and stopped(bench)["idTag"] == CARD
    assert SetLock(1, False) in bench.effects and bench.core.slots[0].lock is LockState.OPEN


@spec("1.6", "16-STOP-03", "16-STOP-10")
def test_a_remote_stop_names_nobody() -> None:
    bench = charging()
    asked = bench.call("RemoteStopTransaction", {"transactionId": 1})
    bench.wait(5)
    assert bench.reply(asked) == {"status": "Accepted"}
    assert stopped(bench)["reason"] == "Remote" and "idTag" not in stopped(bench)
    assert bench.statuses()[-1] == "Finishing"


@spec("1.6", "16-STOP-05", "16-STOP-10")
@pytest.mark.parametrize("kind, reason", [("Soft", "SoftReset"), ("Hard", "HardReset")])
def test_a_reset_says_so(kind: str, reason: str) -> None:
    bench = charging()
    bench.wait(MINUTE)
    bench.call("Reset", {"type": kind})
    bench.wait(10)
    if kind == "Hard":  # it is over when the station is back
        assert bench.actions("StopTransaction") == []
        bench = bench.restart(boot=BootInfo("os-1", True, "again"), answering=True)
        booted(bench)
    assert stopped(bench)["reason"] == reason and "idTag" not in stopped(bench)
    assert stopped(bench)["transactionId"] == 1


@spec("1.6", "16-STOP-06", "TC_032_2_CS")
def test_a_power_failure_says_so_after_the_boot_and_ends_when_the_next_sign_of_life_did_not_come() -> None:
    bench = charging()
    bench.wait(10 * MINUTE + 40)
    bench.answer_all()
    cut = bench.restart(answering=True)
    cut.mono_ns += 3_600_000_000_000
    booted(cut)
    assert stopped(cut)["reason"] == "PowerLoss"
    assert stopped(cut)["transactionId"] == 1
    assert stopped(cut)["timestamp"] == "2026-06-01T00:11:08.000Z"  # the last one was left at 00:10:03
    assert stopped(cut)["meterStop"] == bench.register_mwh[1] // 1000
    assert cut.core.slots[0].session is None and cut.core.slots[0].lock is LockState.OPEN


@spec("1.6", "TC_032_1_CS", "16-STOP-06")
def test_a_supply_that_is_about_to_fail_leaves_time_to_say_so() -> None:
    bench = charging()
    bench.wait(MINUTE)
    bench.give(PowerFailing())
    assert stopped(bench)["reason"] == "PowerLoss"
    assert stopped(bench)["meterStop"] == bench.register_mwh[1] // 1000


@spec("1.6", "16-STOP-07")
def test_an_unlock_stops_and_says_so() -> None:
    bench = charging()
    asked = bench.call("UnlockConnector", {"connectorId": 1})
    bench.wait(5)
    assert bench.reply(asked) == {"status": "Unlocked"}
    assert stopped(bench)["reason"] == "UnlockCommand" and "idTag" not in stopped(bench)


@spec("1.6", "16-STOP-09")
@pytest.mark.parametrize(
    "fault, reason",
    [
        (BoardFault(0, Cause.EMERGENCY_STOP, True), "EmergencyStop"),
        (BoardFault(1, Cause.OVER_CURRENT, True), "Other"),
        (BoardFault(1, Cause.CONTACTOR_WELDED, True), "Other"),
    ],
)
def test_a_fault_has_the_reason_of_its_row(fault: BoardFault, reason: str) -> None:
    bench = charging()
    bench.give(fault)
    bench.answer_all()
    bench.wait(5)
    assert stopped(bench)["reason"] == reason


@spec("1.6", "16-STOP-09")
def test_a_restart_of_our_own_is_a_reboot() -> None:
    bench = charging()
    bench.wait(MINUTE)
    later = bench.restart(boot=BootInfo("os-1", True, "again"), answering=True)
    booted(later)
    assert stopped(later)["reason"] == "Reboot"


@spec("1.6", "16-STOP-12")
def test_the_answer_to_a_stop_is_remembered_of_the_token() -> None:
    bench = charging()
    bench.wait(MINUTE)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all(StopTransaction={"idTagInfo": {"status": "Blocked"}})
    assert bench.disk["token"][CARD].info.status is TokenStatus.BLOCKED


# --- without connection ---


@spec("1.6", "TC_038_CS")
def test_a_stop_without_connection_is_told_afterwards() -> None:
    bench = charging()
    bench.wait(MINUTE)
    bench.disconnect()
    bench.wait(MINUTE)
    at = bench.iso()
    bench.tap()
    bench.pilot(Pilot.B)
    assert bench.core.slots[0].lock is LockState.OPEN
    bench.wait(10 * MINUTE)
    assert bench.actions("StopTransaction") == []
    reconnect(bench)
    assert stopped(bench)["timestamp"] == at and stopped(bench)["transactionId"] == 1
    assert stopped(bench).get("reason", "Local") == "Local"
    assert bench.statuses()[-1] == "Finishing"


@spec("1.6", "TC_039_CS")
def test_a_whole_transaction_without_connection_is_told_in_order() -> None:
    bench = connected(allow_offline_unknown=True, sample_interval_s=MINUTE)
    bench.disconnect()
    bench.charging()
    bench.wait(5 * MINUTE)
    stop(bench)
    bench.unplug()
    bench.wait(MINUTE)
    seen = len(bench.calls)
    reconnect(bench)
    told = [frame[2:] for frame in bench.calls[seen:] if frame[2] not in ("StatusNotification", "Heartbeat")]
    assert [action for action, _ in told] == ["StartTransaction", *["MeterValues"] * 5, "StopTransaction"]
    assert [payload.get("transactionId") for _, payload in told] == [None, *[1] * 6]
    assert told[-1][1]["meterStop"] - told[0][1]["meterStart"] == bench.register_mwh[1] // 1000 > 900
    assert bench.statuses()[-1] == "Available"
