"""Free vend: `cards_decided_by = "nobody"` (station.md §10). Whoever plugs in charges; a card is not asked about."""

from __future__ import annotations

import pytest

from hal.units import Pilot
from station.words.common import Origin
from station.words.settings import BadSetting, Settings, parse
from tests.builders import CARD, CoreBench
from tests.spec import spec

FREE = Settings(cards_decided_by="nobody", free_vend_token="OPEN HOUSE")


def free() -> CoreBench:
    bench = CoreBench(settings=FREE)
    bench.connect()
    return bench


@spec("1.6", "16-AUTH-01")
def test_a_plug_is_enough() -> None:
    bench = free()
    bench.plug()
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert bench.statuses()[-1] == "Charging"
    assert bench.actions("StartTransaction")[0]["idTag"] == "OPEN HOUSE"
    assert not bench.actions("Authorize")
    assert bench.core.slots[0].session.origin is Origin.FREE


def test_offline_too() -> None:
    bench = free()
    bench.disconnect()
    bench.plug()
    bench.pilot(Pilot.C)
    assert bench.core.slots[0].status.value == "charging"


def test_pulled_at_the_car_it_ends_and_unlocks() -> None:
    bench = free()
    bench.plug()
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.wait(60)
    bench.answer_all()
    bench.unplug()
    bench.wait(5)
    bench.answer_all()
    assert bench.actions("StopTransaction")[0]["reason"] == "EVDisconnected"
    assert bench.statuses()[-1] == "Available"


@pytest.mark.parametrize("by", ["RemoteStopTransaction", "refused"])
def test_what_was_ended_does_not_begin_again_by_itself(by: str) -> None:
    bench = free()
    bench.plug()
    if by == "refused":
        bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Invalid"}})
    else:
        bench.answer_all()
        bench.call(by, {"transactionId": 1})
        bench.answer_all()
    bench.wait(600)
    bench.answer_all()
    assert len(bench.actions("StartTransaction", "StopTransaction")) == 2
    bench.unplug()
    bench.plug()
    bench.wait(5)
    bench.answer_all()
    assert len(bench.actions("StartTransaction")) == 2


def test_a_car_that_was_there_first_begins_when_the_slot_may_be_used() -> None:
    bench = free()
    bench.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    bench.plug()
    bench.wait(60)
    bench.answer_all()
    assert not bench.actions("StartTransaction")
    bench.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"})
    bench.wait(1)
    bench.answer_all()
    assert bench.actions("StartTransaction")


def test_a_card_makes_the_session_its_own() -> None:
    """Shown before the plug it names the session, and only it, or its group, ends it; nobody is asked."""
    bench = free()
    bench.tap(CARD)
    bench.plug()
    bench.pilot(Pilot.C)
    bench.wait(5)
    bench.answer_all()
    assert bench.actions("StartTransaction")[0]["idTag"] == CARD
    bench.tap(CARD)
    bench.wait(5)
    bench.answer_all()
    assert bench.actions("StopTransaction")[0]["idTag"] == CARD
    assert not bench.actions("Authorize")


@pytest.mark.parametrize("text", ["", "x" * 21])
def test_the_token_of_free_vend_is_one_that_1_6_can_say(text: str) -> None:
    with pytest.raises(BadSetting):
        parse("free_vend_token", text)
    assert parse("free_vend_token", "x" * 20) == "x" * 20
