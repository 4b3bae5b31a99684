"""ChangeAvailability (1.6 §5.2): at once or at the end of a transaction, for a slot or all, over restarts, and what it forbids."""

from __future__ import annotations

from typing import Any

import pytest

from hal.signals import BoardReady
from hal.units import Pilot
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec


def online(settings: Settings | None = None) -> CoreBench:
    bench = CoreBench(settings=settings, answering=True)
    bench.connect()
    return bench


def change(bench: CoreBench, kind: str, connector: int = 1) -> Any:
    call = bench.call("ChangeAvailability", {"connectorId": connector, "type": kind})
    status = bench.reply(call)["status"]
    bench.answer_all()
    return status


def rebooted(bench: CoreBench) -> CoreBench:
    later = bench.restart(answering=True)
    later.give(BoardReady())
    later.connect()
    return later


@spec("1.6", "16-AVAIL-01")
def test_without_a_transaction_it_is_done_at_once_and_told_after_the_answer() -> None:
    bench = online()
    call = bench.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    assert bench.reply(call) == {"status": "Accepted"}
    answer = next(i for i, f in enumerate(bench.sent) if f[0] == 3 and f[1] == call)
    told = next(i for i, f in enumerate(bench.sent) if f[0] == 2 and f[3].get("status") == "Unavailable")
    assert answer < told
    assert bench.statuses(1) == ["Available", "Unavailable"] and bench.statuses(2) == ["Available"]
    bench.answer_all()
    assert change(bench, "Operative") == "Accepted"
    assert bench.statuses(1)[-1] == "Available"


@spec("1.6", "16-AVAIL-02")
def test_a_transaction_is_waited_for() -> None:
    bench = online()
    bench.charging()
    assert change(bench, "Inoperative") == "Scheduled"
    bench.wait(300)
    assert bench.statuses()[-1] == "Charging" and bench.core.slots[0].permitted
    bench.wait(3)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    assert len(bench.actions("StopTransaction")) == 1
    assert bench.statuses()[-1] == "Unavailable"


def test_what_is_scheduled_can_be_taken_back() -> None:
    bench = online()
    bench.charging()
    change(bench, "Inoperative")
    assert change(bench, "Operative") == "Accepted"
    bench.wait(3)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    assert bench.statuses()[-1] == "Finishing"
    assert bench.core.image().get("availability", {}) == bench.disk["availability"] == {}


@spec("1.6", "16-AVAIL-03")
@pytest.mark.parametrize("kind", ["Operative", "Inoperative"])
def test_what_is_so_already_is_accepted_and_nothing_is_told(kind: str) -> None:
    bench = online()
    change(bench, kind)
    before = len(bench.actions("StatusNotification"))
    assert change(bench, kind) == "Accepted"
    assert len(bench.actions("StatusNotification")) == before


@spec("1.6", "16-AVAIL-04")
def test_connector_0_is_the_station_and_all_its_slots() -> None:
    bench = online()
    bench.charging(2)
    assert change(bench, "Inoperative", 0) == "Scheduled"
    assert [bench.statuses(n)[-1] for n in (0, 1, 2)] == ["Unavailable", "Unavailable", "Charging"]
    bench.wait(3)
    bench.tap()
    bench.pilot(Pilot.B, 2)
    bench.answer_all()
    assert bench.statuses(2)[-1] == "Unavailable"
    assert change(bench, "Operative", 0) == "Accepted"
    assert [bench.statuses(n)[-1] for n in (0, 1, 2)] == ["Available", "Available", "Preparing"]


@spec("1.6", "16-AVAIL-05", "16-STAT-04", "TC_034_CS")
@pytest.mark.parametrize("connector", [0, 1])
def test_it_outlives_a_power_failure(connector: int) -> None:
    bench = online()
    change(bench, "Inoperative", connector)
    later = rebooted(bench)
    assert later.statuses(1) == ["Unavailable"]
    assert later.statuses(2) == later.statuses(0) == (["Available"] if connector else ["Unavailable"])
    assert change(later, "Operative", connector) == "Accepted"
    assert rebooted(later).statuses(1) == ["Available"]


def test_what_is_scheduled_outlives_it_too() -> None:
    bench = online()
    bench.charging()
    change(bench, "Inoperative")
    assert rebooted(bench).statuses(1)[-1] == "Unavailable"


def test_the_answer_waits_for_the_disk() -> None:
    bench = online()
    bench.store = "silent"
    call = bench.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    assert bench.reply(call) is None and bench.core.slots[0].operative
    bench = online()
    bench.store = "fail"
    assert change(bench, "Inoperative") == "Rejected"
    assert bench.core.slots[0].operative and bench.statuses() == ["Available"]


@spec("1.6", "16-AVAIL-06")
def test_an_unknown_connector_is_rejected() -> None:
    bench = online()
    assert change(bench, "Inoperative", 3) == "Rejected"
    assert all(slot.operative for slot in bench.core.slots)


@spec("1.6", "16-AVAIL-07")
@pytest.mark.parametrize("how", ["card", "remote", "nobody"])
def test_an_inoperative_slot_starts_for_nobody(how: str) -> None:
    bench = online(Settings(cards_decided_by="nobody" if how == "nobody" else "csms"))
    change(bench, "Inoperative", 0)
    bench.plug()
    bench.answer_all()
    if how == "remote":
        call = bench.call("RemoteStartTransaction", {"connectorId": 1, "idTag": CARD})
        assert bench.reply(call) == {"status": "Rejected"}
    elif how == "card":
        bench.tap()
    bench.pilot(Pilot.C)
    bench.wait(60)
    assert bench.actions("StartTransaction", "Authorize") == []
    assert not bench.core.slots[0].permitted
    assert bench.statuses()[-1] == "Unavailable"
