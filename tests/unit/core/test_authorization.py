"""Who may charge: a card and the answer of the CSMS to it (1.6 §4.1). Which slot a tap means: test_taps.py."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import Offer, PermitPower, ShowLight
from hal.units import Pilot
from leds.patterns import REFUSED
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec

MATE = "04BBBB01"
OTHER = "04CCCC01"
ONE_SLOT = "tethered-11kw"


def online(template: str = "two-sockets-22kw", **settings: Any) -> CoreBench:
    bench = CoreBench(template, Settings(**settings))
    bench.connect()
    return bench


def info(status: str = "Accepted", **more: str) -> dict[str, Any]:
    return {"idTagInfo": {"status": status, **more}}


def tap(bench: CoreBench, card: str, answer: dict[str, Any] | None = None) -> None:
    """A card, once the repeat guard has passed; an Authorize is answered if an answer is given."""
    bench.wait(3)
    bench.tap(card)
    if answer is not None:
        bench.answer_all(Authorize=answer)


def story(bench: CoreBench, slot: int = 1) -> list[str]:
    """The calls since the boot as actions, StatusNotifications of one slot as statuses."""
    told = []
    for _, _, action, payload in bench.calls[1:]:
        if action != "StatusNotification":
            told.append(action)
        elif payload["connectorId"] == slot:
            told.append(payload["status"])
    return told


# --- no energy without ---


@spec("1.6", "16-AUTH-01")
def test_nobody_gets_energy_without_authorization() -> None:
    bench = online()
    bench.plug()
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.wait(7200)
    assert not [
        e for e in bench.effects if (isinstance(e, PermitPower) and e.allowed) or (isinstance(e, Offer) and e.limit_ma)
    ]
    tap(bench, CARD, info())
    assert PermitPower(1, True) in bench.effects


# --- asking ---


@spec("1.6", "16-AUTH-02")
def test_a_card_that_is_not_known_is_asked_about() -> None:
    bench = online()
    bench.plug()
    bench.answer_all()
    tap(bench, CARD)
    assert bench.actions("Authorize") == [{"idTag": CARD}]
    assert bench.core.slots[0].session is None
    bench.answer("Authorize", info())
    assert bench.core.slots[0].session is not None


@pytest.mark.parametrize("wanted", [Pilot.B, Pilot.C])
@spec("1.6", "TC_003_CS")
def test_plug_first(wanted: Pilot) -> None:
    """Preparing, Authorize, StartTransaction, Charging; whether the car asks at once or when it is offered something."""
    bench = online()
    bench.plug()
    bench.pilot(wanted)
    bench.answer_all()
    tap(bench, CARD, info())
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert story(bench) == ["Available", "Preparing", "Authorize", "StartTransaction", "Charging"]


@spec("1.6", "TC_004_1_CS")
def test_card_first() -> None:
    bench = online(ONE_SLOT)
    tap(bench, CARD, info())
    assert story(bench) == ["Available", "Authorize", "Preparing"]
    bench.wait(50)
    bench.plug()
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert story(bench) == ["Available", "Authorize", "Preparing", "StartTransaction", "Charging"]
    assert bench.actions("StartTransaction")[0]["idTag"] == CARD


@spec("1.6", "TC_004_1_CS")
def test_card_first_prepares_a_slot_when_it_is_known_which() -> None:
    bench = online()
    tap(bench, CARD, info())
    assert (bench.statuses(1), bench.statuses(2)) == (["Available"], ["Available"])
    tap(bench, OTHER, info())
    bench.plug(2)
    bench.answer_all()
    assert bench.core.slots[1].session.token.uid == CARD, "the oldest authorisation is served first"
    assert bench.statuses(2) == ["Available", "Preparing"]
    assert bench.statuses(1) == ["Available", "Preparing"], "only slot 1 is left for the other card"


@spec("1.6", "TC_004_2_CS")
def test_card_first_and_no_plug_in_time() -> None:
    bench = online(ONE_SLOT, connection_timeout_s=45)
    tap(bench, CARD, info())
    bench.wait(44)
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing"]
    bench.wait(2)
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing", "Available"]
    assert "authorization.expired" in bench.notes()
    bench.plug()
    bench.answer_all()
    assert bench.core.slots[0].session is None and not bench.actions("StartTransaction")


def test_each_authorisation_expires_in_its_own_time() -> None:
    bench = online(connection_timeout_s=60)
    tap(bench, CARD, info())
    bench.wait(30)
    tap(bench, OTHER, info())
    bench.wait(40)
    assert [p.token.uid for p in bench.core.authorization.pending] == [OTHER]
    bench.wait(30)
    assert bench.core.authorization.pending == ()


def test_connection_timeout_zero_switches_it_off() -> None:
    bench = online(connection_timeout_s=0)
    tap(bench, CARD, info())
    bench.wait(86_400)
    assert bench.core.authorization.pending
    bench.plug()
    assert bench.core.slots[0].session is not None


def test_plug_first_and_no_card_in_time() -> None:
    """B6; and who comes later may still start (F2)."""
    bench = online(connection_timeout_s=45)
    bench.plug()
    bench.answer_all()
    bench.wait(46)
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing", "Finishing"]
    tap(bench, CARD, info())
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing", "Finishing", "Preparing", "Charging"]


# --- refused ---


@spec("1.6", "16-AUTH-04", "TC_023_4_CS")
@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
@pytest.mark.parametrize("plugged", [False, True])
def test_a_refused_card_starts_nothing(status: str, plugged: bool) -> None:
    bench = online(ONE_SLOT)
    if plugged:
        bench.plug()
        bench.answer_all()
    tap(bench, CARD, info(status, parentIdTag="G"))
    assert bench.core.slots[0].session is None
    assert ShowLight(0, REFUSED) in bench.effects
    if plugged:
        assert bench.statuses() == ["Available", "Preparing"]
        bench.unplug()
    else:
        assert bench.statuses() == ["Available"]
        bench.plug()
        bench.pilot(Pilot.C)
        bench.wait(10)
        bench.unplug()
    bench.answer_all()
    assert bench.statuses()[-1] == "Available"
    assert not bench.actions("StartTransaction")


def test_an_answer_that_is_an_error_counts_as_nobody_to_ask() -> None:
    bench = online(allow_offline_unknown=True)
    bench.plug()
    bench.answer_all()
    tap(bench, CARD)
    bench.refuse()
    assert bench.core.slots[0].session is not None
    bench = online()
    bench.plug()
    bench.answer_all()
    tap(bench, CARD)
    bench.wait(31)
    assert bench.core.slots[0].session is None and not bench.core.authorization.attempts
    assert "authorization.refused" in bench.notes()


# --- ending ---


@spec("1.6", "16-AUTH-05", "TC_068_CS")
def test_the_starting_card_stops_without_being_asked_about() -> None:
    bench = online()
    bench.charging()
    tap(bench, CARD)
    bench.pilot(Pilot.B)
    bench.answer_all()
    assert len(bench.actions("Authorize")) == 1
    [stop] = bench.actions("StopTransaction")
    assert (stop["reason"], stop["idTag"]) == ("Local", CARD)


@spec("1.6", "16-AUTH-05", "16-AUTH-06", "TC_069_CS")
def test_another_card_of_the_group_is_asked_about_and_stops() -> None:
    bench = online()
    bench.plug()
    tap(bench, CARD, info(parentIdTag="Family"))
    bench.pilot(Pilot.C)
    bench.plug(2)
    bench.answer_all()
    tap(bench, MATE)
    assert [a["idTag"] for a in bench.actions("Authorize")] == [CARD, MATE]
    assert bench.core.slots[0].session.ending is None
    bench.answer("Authorize", info(parentIdTag="FAMILY"))
    bench.pilot(Pilot.B)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert (stop["reason"], stop["idTag"]) == ("Local", MATE)
    assert bench.core.slots[1].session is None, "it ended one, and started none"


@spec("1.6", "16-AUTH-06")
@pytest.mark.parametrize("pre_authorize", [True, False])
def test_a_group_that_is_known_here_counts_where_local_authorization_does(pre_authorize: bool) -> None:
    bench = online(local_pre_authorize=pre_authorize)
    tap(bench, MATE, info(parentIdTag="Family"))
    tap(bench, MATE, info())  # taken back
    bench.plug()
    tap(bench, CARD, info(parentIdTag="Family"))
    bench.pilot(Pilot.C)
    bench.answer_all()
    tap(bench, MATE)
    assert (bench.core.slots[0].session.ending is not None) is pre_authorize
    assert (bench.open_call is not None and bench.open_call[2] == "Authorize") is not pre_authorize


@spec("1.6", "16-AUTH-07")
@pytest.mark.parametrize(
    "answer",
    [info(), info(parentIdTag="Others"), info("Blocked", parentIdTag="Family"), info("Invalid")],
    ids=["no group", "another", "blocked", "invalid"],
)
def test_a_card_without_a_common_group_stops_nothing(answer: dict[str, Any]) -> None:
    bench = online(ONE_SLOT)
    bench.plug()
    tap(bench, CARD, info(parentIdTag="Family"))
    bench.pilot(Pilot.C)
    bench.answer_all()
    tap(bench, OTHER, answer)
    bench.wait(10)
    assert bench.core.slots[0].session.ending is None
    assert not bench.actions("StopTransaction") and bench.statuses()[-1] == "Charging"


@spec("1.6", "16-AUTH-09")
@pytest.mark.parametrize(("group", "others"), [(OTHER, None), ("Family", CARD), (OTHER, CARD)])
def test_a_group_is_compared_with_groups_only(group: str, others: str | None) -> None:
    """A card whose number is the session's group, a card whose group is the session's number."""
    bench = online(ONE_SLOT)
    bench.plug()
    tap(bench, CARD, info(parentIdTag=group))
    tap(bench, OTHER, info(**({"parentIdTag": others} if others else {})))
    assert bench.core.slots[0].session.ending is None


def test_where_nothing_can_come_of_it_the_csms_is_not_asked() -> None:
    bench = online(ONE_SLOT)
    bench.charging()
    tap(bench, OTHER)
    assert len(bench.actions("Authorize")) == 1
    assert "authorization.refused" in bench.notes()


# --- how cards are compared ---


@spec("1.6", "16-AUTH-08")
@pytest.mark.parametrize(("started", "stopped"), [("04a1B2c3", "04A1b2C3"), ("Äöü #1/x", "äÖÜ #1/X"), (" ", " ")])
def test_cards_are_compared_without_case_and_may_be_anything(started: str, stopped: str) -> None:
    bench = online()
    bench.plug()
    tap(bench, started, info())
    assert bench.actions("Authorize", "StartTransaction")[1]["idTag"] == started
    tap(bench, stopped)
    bench.answer_all()
    assert len(bench.actions("Authorize")) == 1
    assert bench.actions("StopTransaction")[0]["idTag"] == stopped


def test_a_card_too_long_for_the_language_is_refused_and_not_cut() -> None:
    bench = online(allow_offline_unknown=True, cards_decided_by="nobody")
    tap(bench, "0123456789ABCDEF01234")
    assert "authorization.refused" in bench.notes() and not bench.core.authorization.pending
    assert bench.events().count("card-scanned.v1") == 1
    tap(bench, "0123456789ABCDEF0123")
    assert bench.core.authorization.pending


# --- taken back ---


@spec("1.6", "16-AUTH-10")
def test_the_same_card_again_before_the_plug_takes_it_back() -> None:
    bench = online(ONE_SLOT)
    tap(bench, CARD, info())
    tap(bench, CARD.lower())
    bench.answer_all()
    assert bench.statuses() == ["Available", "Preparing", "Available"]
    assert len(bench.actions("Authorize")) == 1
    bench.plug()
    bench.answer_all()
    assert bench.core.slots[0].session is None


def test_a_tap_before_the_board_is_ready_is_told_and_starts_nothing() -> None:
    bench = CoreBench(ready=False)
    bench.connect()
    bench.tap(CARD)
    assert bench.events() == ["card-scanned.v1"]
    assert not bench.actions("Authorize")
