"""Authorisation without a CSMS to ask, and what its opinion does afterwards (1.6 §3.5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import PermitPower, SetLock
from hal.units import LockState, Pilot
from ocpp_client.link import LinkUp
from station.words.common import TokenInfo, TokenStatus
from station.words.records import TokenRecord
from station.words.settings import Settings
from tests.builders import CARD, START_UTC_MS, CoreBench
from tests.spec import spec

MATE = "04BBBB01"
OTHER = "04CCCC01"


def offline(info: TokenInfo | None = None, **settings: Any) -> CoreBench:
    """Accepted once, connection lost, a car plugged into slot 1; `info` is what the cache says of CARD."""
    image = {"token": {CARD: TokenRecord(info, START_UTC_MS)}} if info else {}
    bench = CoreBench(settings=Settings(**settings), image=image)
    bench.connect()
    bench.disconnect()
    bench.plug()
    bench.wait(3)
    return bench


def started(bench: CoreBench) -> bool:
    bench.tap(CARD)
    assert not bench.actions("Authorize")
    return bench.core.slots[0].session is not None


ACCEPTED = TokenInfo(TokenStatus.ACCEPTED)
BAD = {
    "blocked": TokenInfo(TokenStatus.BLOCKED),
    "invalid": TokenInfo(TokenStatus.INVALID),
    "expired": TokenInfo(TokenStatus.EXPIRED),
    "past its expiry": TokenInfo(TokenStatus.ACCEPTED, START_UTC_MS + 1000),
}


@spec("1.6", "16-OFFA-01")
@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("pre_authorize", [True, False])
def test_the_cache_authorises_offline_if_it_may(allowed: bool, pre_authorize: bool) -> None:
    bench = offline(ACCEPTED, local_authorize_offline=allowed, local_pre_authorize=pre_authorize)
    assert started(bench) is allowed


@spec("1.6", "16-OFFA-02")
@pytest.mark.parametrize("allowed", [True, False])
def test_an_unknown_card_starts_offline_if_it_may(allowed: bool) -> None:
    assert started(offline(allow_offline_unknown=allowed)) is allowed


@spec("1.6", "16-OFFA-03")
@pytest.mark.parametrize("info", BAD.values(), ids=BAD.keys())
def test_what_is_known_to_be_bad_is_refused_offline(info: TokenInfo) -> None:
    assert not started(offline(info, allow_offline_unknown=True))


def test_a_good_card_may_start_as_an_unknown_one_where_the_cache_may_not_say_so() -> None:
    assert started(offline(ACCEPTED, local_authorize_offline=False, allow_offline_unknown=True))


def test_a_link_lost_while_asking_leaves_the_decision_here() -> None:
    bench = CoreBench(settings=Settings(allow_offline_unknown=True))
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    assert bench.actions("Authorize")
    bench.disconnect()
    assert bench.core.slots[0].session is not None


@pytest.mark.parametrize("allowed", [True, False])
def test_a_csms_that_does_not_answer_is_none_to_ask(allowed: bool) -> None:
    image = {"token": {CARD: TokenRecord(ACCEPTED, START_UTC_MS)}}
    bench = CoreBench(settings=Settings(local_authorize_offline=allowed), image=image)
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    bench.wait(31)
    assert (bench.core.slots[0].session is not None) is allowed


@spec("1.6", "TC_037_1_CS", "16-START-07")
def test_a_session_begun_offline_is_told_afterwards() -> None:
    bench = offline(ACCEPTED)
    assert started(bench)
    at = bench.iso()
    bench.pilot(Pilot.C)
    bench.wait(600)
    bench.give(LinkUp("ocpp1.6"))
    bench.answer_all()
    [start] = bench.actions("StartTransaction")
    assert (start["idTag"], start["connectorId"], start["timestamp"]) == (CARD, 1, at)
    assert bench.statuses()[-1] == "Charging"
    assert not bench.actions("BootNotification")[1:]


# --- the CSMS does not like it ---


def refused(status: str = "Invalid", group: str | None = None, **settings: Any) -> CoreBench:
    """A session begun offline and charging; back online its StartTransaction is answered with this status."""
    bench = offline(TokenInfo(TokenStatus.ACCEPTED, None, group), **settings)
    assert started(bench)
    bench.pilot(Pilot.C)
    bench.give(LinkUp("ocpp1.6"))
    answer: dict[str, Any] = {"transactionId": 7, "idTagInfo": {"status": status}}
    bench.answer_all(StartTransaction=answer)
    return bench


def released(bench: CoreBench, card: str, **answer: Any) -> bool:
    """Whether the lock of slot 1 opens for this card."""
    bench.wait(3)
    before = len(bench.effects)
    bench.tap(card)
    bench.answer_all(Authorize={"idTagInfo": {"status": "Accepted", **answer}})
    return SetLock(1, False) in bench.effects[before:]


@spec("1.6", "16-OFFA-04", "TC_037_3_CS")
@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired", "ConcurrentTx"])
def test_refused_afterwards_it_ends_and_the_cable_stays(status: str) -> None:
    bench = refused(status)
    bench.wait(5)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert (stop["reason"], stop["transactionId"]) == ("DeAuthorized", 7)
    assert "idTag" not in stop
    assert bench.statuses()[-1] == "Finishing"
    assert bench.core.slots[0].lock is LockState.CLOSED
    asked = len(bench.actions("Authorize"))
    assert not released(bench, OTHER)
    assert released(bench, CARD)
    assert len(bench.actions("Authorize")) == asked + 1, "the stranger was asked about, the owner was not"
    bench.unplug()
    bench.answer_all()
    assert bench.statuses()[-1] == "Available"


@spec("1.6", "16-OFFA-04")
def test_one_of_the_owner_s_group_opens_the_lock_too() -> None:
    bench = refused(group="Family")
    bench.wait(5)
    assert not released(bench, OTHER, parentIdTag="Others")
    assert not released(bench, MATE, status="Blocked", parentIdTag="Family")
    assert released(bench, MATE, parentIdTag="family")
    assert bench.core.slots[0].session is None, "it opened the lock, and started nothing"


@spec("1.6", "16-OFFA-05", "TC_037_2_CS")
def test_refused_afterwards_it_may_go_on_without_energy() -> None:
    bench = refused(stop_on_invalid=False)
    bench.wait(5)
    bench.answer_all()
    assert bench.statuses()[-1] == "SuspendedEVSE"
    assert PermitPower(1, False) in bench.effects and not bench.core.slots[0].power_closed
    bench.wait(3600)
    bench.answer_all()
    assert not bench.actions("StopTransaction")
    bench.tap(CARD)
    bench.wait(5)
    bench.answer_all()
    assert bench.actions("StopTransaction")[0]["reason"] == "Local"


@spec("1.6", "16-OFFA-06")
@pytest.mark.parametrize("sample_interval_s", [60, 0])
def test_refused_afterwards_some_energy_may_still_flow(sample_interval_s: int) -> None:
    """Counted from the start of the session; whether or not anybody wants samples meanwhile."""
    bench = refused(
        stop_on_invalid=False,
        max_energy_on_invalid_wh=2000,
        sample_interval_s=sample_interval_s,
        aligned_interval_s=0,
    )
    bench.answering = True
    bench.wait(600)
    assert bench.statuses()[-1] == "Charging"
    bench.wait(600)
    assert bench.statuses()[-1] == "SuspendedEVSE"
    assert 2_000_000 <= bench.register_mwh[1] < 2_013_000, "an orderly stop takes three seconds"
    assert not bench.actions("StopTransaction")


# --- a plug that stays locked ---


def test_a_kept_cable_outlives_a_restart() -> None:
    from hal.signals import BoardReady, CableChanged, LockReported, VehicleChanged

    bench = refused()
    bench.wait(5)
    assert bench.core.slots[0].lock is LockState.CLOSED
    later = bench.restart()
    for signal in (CableChanged(1, True, 32_000), VehicleChanged(1, Pilot.B), LockReported(1, LockState.CLOSED)):
        later.give(signal)
    later.give(BoardReady())
    later.connect()
    assert later.core.slots[0].lock is LockState.CLOSED
    assert later.core.image() == {kind: rows for kind, rows in later.disk.items() if rows}
    assert released(later, CARD)
    assert not later.disk.get("kept")
    assert later.core.image() == {kind: rows for kind, rows in later.disk.items() if rows}


def test_a_cable_that_is_gone_waits_for_nobody() -> None:
    from hal.signals import BoardReady, CableChanged, LockReported

    bench = refused()
    bench.wait(5)
    later = bench.restart()
    later.give(CableChanged(1, False))
    later.give(LockReported(1, LockState.CLOSED))
    later.give(BoardReady())
    assert later.core.slots[0].lock is LockState.OPEN and not later.disk.get("kept")


@spec("1.6", "16-STOP-15", "TC_005_2_CS")
@pytest.mark.parametrize("unlock", [True, False])
def test_pulled_at_the_car_the_cable_waits_for_its_owner_or_not(unlock: bool) -> None:
    bench = CoreBench(settings=Settings(unlock_on_ev_disconnect=unlock))
    bench.connect()
    bench.charging()
    bench.pilot(Pilot.A)
    bench.wait(5)
    bench.answer_all()
    assert bench.actions("StopTransaction")[0]["reason"] == "EVDisconnected"
    assert (bench.core.slots[0].lock is LockState.OPEN) is unlock
    if not unlock:
        bench.plug(2)
        assert not released(bench, OTHER)
        assert released(bench, CARD)


def test_a_kept_slot_takes_nobody_s_authorisation() -> None:
    """The car is plugged in again at its own side; a card that was shown for another slot must not start it."""
    bench = CoreBench(settings=Settings(unlock_on_ev_disconnect=False))
    bench.connect()
    bench.charging()
    bench.pilot(Pilot.A)
    bench.wait(5)
    bench.tap(OTHER)
    bench.answer_all()
    assert bench.core.authorization.pending
    bench.pilot(Pilot.B)
    assert bench.core.slots[0].session is None
    bench.plug(2)
    assert bench.core.slots[1].session is not None


def test_free_vend_keeps_nobody_s_cable() -> None:
    """There is no card that could open it again."""
    bench = CoreBench(settings=Settings(cards_decided_by="nobody", unlock_on_ev_disconnect=False))
    bench.connect()
    bench.plug()
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.pilot(Pilot.A)
    bench.wait(5)
    assert bench.core.slots[0].lock is LockState.OPEN


def test_when_the_supply_goes_a_kept_cable_is_let_go() -> None:
    from hal.signals import PowerFailing

    bench = refused()
    bench.wait(5)
    bench.give(PowerFailing())
    assert bench.core.slots[0].lock is LockState.OPEN and not bench.disk.get("kept")
