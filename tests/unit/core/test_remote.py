"""RemoteStartTransaction and RemoteStopTransaction (1.6 §§5.11, 5.12)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.signals import BoardFault
from hal.units import Cause, LockState, Pilot
from ocpp_client.link import LinkUp
from station.words.commands import StartSession
from station.words.common import Origin, Token
from station.words.outcomes import Verdict
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec

OTHER = "04CCCC01"
APP = "app-user-1"
ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


def online(template: str = "two-sockets-22kw", **settings: Any) -> CoreBench:
    bench = CoreBench(template, Settings(**settings))
    bench.connect()
    return bench


def start(bench: CoreBench, slot: int | None = 1, token: str = APP, **more: Any) -> Any:
    """The answer to a RemoteStartTransaction."""
    payload = {"idTag": token, **more} | ({} if slot is None else {"connectorId": slot})
    return bench.reply(bench.call("RemoteStartTransaction", payload))


def stop(bench: CoreBench, transaction: int = 1) -> Any:
    return bench.reply(bench.call("RemoteStopTransaction", {"transactionId": transaction}))


def started(bench: CoreBench) -> list[tuple[int, str]]:
    return [(s["connectorId"], s["idTag"]) for s in bench.actions("StartTransaction")]


def locked(bench: CoreBench) -> bool:
    return bench.core.slots[0].lock is LockState.CLOSED


# --- starting ---


@spec("1.6", "16-RSTART-01", "16-RSTART-03", "TC_010_CS")
def test_remote_start_of_a_car_that_waits() -> None:
    bench = online()
    bench.plug()
    bench.answer_all()
    assert start(bench) == ACCEPTED
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert started(bench) == [(1, APP)]
    assert not bench.actions("Authorize")
    assert bench.statuses() == ["Available", "Preparing", "Charging"]


@spec("1.6", "TC_011_1_CS")
def test_remote_start_before_the_plug() -> None:
    bench = online()
    assert start(bench, 2) == ACCEPTED
    bench.answer_all()
    assert bench.statuses(2) == ["Available", "Preparing"]
    bench.plug(1)
    bench.answer_all()
    assert started(bench) == [], "it was for the other slot"
    bench.plug(2)
    bench.pilot(Pilot.C, 2)
    bench.answer_all()
    assert started(bench) == [(2, APP)]
    assert bench.statuses(2) == ["Available", "Preparing", "Charging"]


@spec("1.6", "16-RSTART-07", "TC_011_2_CS")
def test_remote_start_and_no_plug_in_time() -> None:
    bench = online(connection_timeout_s=45)
    assert start(bench) == ACCEPTED
    bench.wait(44)
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing"]
    bench.wait(2)
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing", "Available"]
    bench.plug()
    bench.answer_all()
    assert started(bench) == []


@spec("1.6", "16-RSTART-02")
def test_with_authorize_remote_the_token_is_asked_about_first() -> None:
    bench = online(authorize_remote=True)
    bench.plug()
    bench.answer_all()
    assert start(bench) == ACCEPTED
    assert bench.actions("Authorize") == [{"idTag": APP}]
    assert bench.core.slots[0].session is None
    bench.answer_all()
    assert started(bench) == [(1, APP)]


@spec("1.6", "16-RSTART-02", "TC_023_5_CS")
@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired", "ConcurrentTx"])
@pytest.mark.parametrize("plugged", [True, False])
def test_with_authorize_remote_a_bad_token_starts_nothing(status: str, plugged: bool) -> None:
    bench = online(authorize_remote=True)
    if plugged:
        bench.plug()
        bench.answer_all()
    assert start(bench) == ACCEPTED
    bench.answer_all(Authorize={"idTagInfo": {"status": status}})
    if not plugged:
        assert bench.statuses() == ["Available"]
        bench.plug()
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert started(bench) == []


@spec("1.6", "16-RSTART-04")
def test_without_a_connector_the_station_chooses() -> None:
    bench = online()
    bench.plug(2)
    bench.answer_all()
    assert start(bench, None) == ACCEPTED
    bench.answer_all()
    assert started(bench) == [(2, APP)], "the one with a car"
    assert start(bench, None, OTHER) == ACCEPTED
    bench.answer_all()
    assert bench.statuses(1)[-1] == "Preparing", "the only one left"
    assert start(bench, None, CARD) == REJECTED, "none is left"
    bench.plug(1)
    bench.answer_all()
    assert started(bench) == [(2, APP), (1, OTHER)]


@spec("1.6", "16-RSTART-05", "TC_027_CS")
@pytest.mark.parametrize("slot", [0, 3, 99, -1])
def test_there_is_nothing_to_start_on_a_connector_that_is_none(slot: int) -> None:
    bench = online()
    bench.plug(1)
    bench.answer_all()
    assert start(bench, slot) == REJECTED
    bench.answer_all()
    assert started(bench) == [] and not bench.core.authorization.pending


@spec("1.6", "16-RSTART-06", "TC_026_CS")
@pytest.mark.parametrize("why", ["in transaction", "ending", "promised", "unavailable", "faulted"])
@pytest.mark.parametrize("plugged", [True, False])
def test_a_connector_that_cannot_start_refuses(why: str, plugged: bool) -> None:
    bench = online(allow_offline_unknown=True)
    if why in ("in transaction", "ending"):
        bench.charging()
        if why == "ending":
            assert stop(bench) == ACCEPTED
            assert bench.core.slots[0].session is not None
    elif why == "promised":
        start(bench, 1, CARD)
    elif plugged:
        bench.plug()
    if why == "unavailable":
        bench.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    elif why == "faulted":
        bench.give(BoardFault(1, Cause.GROUND_FAULT, True))
    bench.answer_all()
    before = len(started(bench))
    assert start(bench) == REJECTED
    bench.answer_all()
    assert len(started(bench)) == before
    assert start(bench, 2) == ACCEPTED, "the other slot is none the worse"


@spec("1.6", "16-RSTART-09")
@pytest.mark.parametrize("purpose", ["TxProfile", "TxDefaultProfile"])
def test_a_charging_profile_means_nothing_without_smart_charging(purpose: str) -> None:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    }
    bench = online()
    bench.plug()
    bench.answer_all()
    assert start(bench, chargingProfile=profile) == ACCEPTED
    bench.answer_all()
    assert started(bench) == [(1, APP)]
    assert bench.core.slots[0].offered_ma == 31_000 or bench.core.slots[0].offered_ma == 32_000


def test_not_before_the_csms_has_accepted_the_station() -> None:
    bench = CoreBench()
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 60})
    bench.plug()
    assert start(bench) == REJECTED
    assert stop(bench) == REJECTED


# --- a card and a remote start ---


def test_who_was_started_from_afar_may_show_the_card_as_well() -> None:
    """It is not taken back: it was not this card that was shown before."""
    bench = online()
    assert start(bench, 1, CARD) == ACCEPTED
    bench.answer_all()
    bench.tap(CARD)
    assert not bench.actions("Authorize") and bench.core.authorization.pending
    bench.plug(1)
    bench.answer_all()
    assert started(bench) == [(1, CARD)]
    bench.wait(3)
    bench.tap(CARD)
    assert bench.core.slots[0].session is None, "and ends it"


def test_who_was_started_from_afar_and_plugged_elsewhere_shows_the_card_there() -> None:
    bench = online()
    assert start(bench, 1, CARD) == ACCEPTED
    bench.plug(2)
    bench.answer_all()
    bench.tap(CARD)
    bench.answer_all()
    assert started(bench) == [(2, CARD)]
    assert bench.statuses(1)[-1] == "Available" and not bench.core.authorization.pending


def test_a_pending_card_keeps_its_slot_when_the_other_is_started_from_afar() -> None:
    bench = online()
    bench.tap(CARD)
    bench.answer_all()
    assert start(bench, 2) == ACCEPTED
    assert start(bench, 1, OTHER) == REJECTED, "the last one is for the card"
    bench.answer_all()
    assert bench.statuses(1)[-1] == "Preparing"
    bench.plug(1)
    bench.plug(2)
    bench.answer_all()
    assert started(bench) == [(1, CARD), (2, APP)]


def test_a_remote_start_takes_over_a_plug_that_waits_for_its_owner() -> None:
    """The CSMS names the slot, and it is the operator's; when that session ends, the plug is free."""
    bench = online()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Invalid"}})
    assert locked(bench) and bench.core.slots[0].session is None
    assert start(bench, None) == ACCEPTED
    assert bench.core.slots[0].session is None, "unnamed, it means the free slot"
    assert start(bench, 1) == ACCEPTED
    bench.answer_all(StartTransaction={"transactionId": 9, "idTagInfo": ACCEPTED})
    assert started(bench)[-1] == (1, APP)
    assert not bench.disk.get("kept")
    assert stop(bench, 9) == ACCEPTED
    assert not locked(bench)


def test_a_start_from_within_the_house_keeps_its_origin_and_the_bound_of_tokens() -> None:
    bench = online()
    bench.plug()
    assert bench.ask(StartSession(Token("x" * 21), 1)) == Verdict(
        "rejected", "the token is longer than this language can say"
    )
    assert bench.ask(StartSession(Token("x" * 20), 1)) == Verdict("accepted")
    assert bench.core.slots[0].session.origin is Origin.LOCAL


# --- stopping ---


@spec("1.6", "16-RSTOP-01", "TC_012_CS", "16-STOP-03")
@pytest.mark.parametrize("transaction", [1, 0, -7, 2**31 - 1])
def test_remote_stop(transaction: int) -> None:
    bench = online()
    bench.plug()
    bench.tap(CARD)
    bench.answer_all(StartTransaction={"transactionId": transaction, "idTagInfo": ACCEPTED})
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert locked(bench)
    assert stop(bench, transaction) == ACCEPTED
    bench.pilot(Pilot.B)
    bench.answer_all()
    [told] = bench.actions("StopTransaction")
    assert (told["reason"], told["transactionId"]) == ("Remote", transaction)
    assert "idTag" not in told
    assert bench.statuses()[-1] == "Finishing"
    assert not locked(bench)


@spec("1.6", "16-RSTOP-02", "TC_028_CS")
def test_remote_stop_of_a_transaction_that_is_not_running() -> None:
    bench = online()
    assert stop(bench, 1) == REJECTED
    bench.charging()
    assert stop(bench, 2) == REJECTED
    assert stop(bench, -1) == REJECTED
    assert bench.core.slots[0].session.ending is None
    assert stop(bench, 1) == ACCEPTED
    assert stop(bench, 1) == REJECTED, "it is ending already"
    bench.wait(5)
    bench.answer_all()
    assert stop(bench, 1) == REJECTED, "it is over"
    assert len(bench.actions("StopTransaction")) == 1


@spec("1.6", "16-RSTOP-01")
def test_remote_stop_ends_the_one_that_is_meant() -> None:
    bench = online()
    bench.charging(1)
    bench.charging(2, OTHER)
    assert stop(bench, 2) == ACCEPTED
    assert [s.session.ending is not None for s in bench.core.slots] == [False, True]
