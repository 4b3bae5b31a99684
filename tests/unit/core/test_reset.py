"""Reset, soft and hard, and the orderly end of the process (1.6 §5.14; station.md §7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hal.actions import Offer, PermitPower, SetLock
from hal.disk import Persist
from hal.signals import BoardReady
from hal.units import LockState, Pilot
from ocpp_client.link import FrameReceived, LinkUp
from station.core.boot import BootInfo
from station.core.effects import CloseLink, Effect, OpenLink, Restart, SendFrame, Shutdown
from station.words.commands import Reset
from station.words.common import BootReason, StopReason
from station.words.outcomes import Verdict
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec

SAME_OS = BootInfo("os-1", True, "later")


def connected(**options: Any) -> CoreBench:
    bench = CoreBench(**{"answering": True, "boot": BootInfo("os-1", True, "boot"), **options})
    bench.connect()
    return bench


def charging(**options: Any) -> CoreBench:
    bench = connected(**options)
    bench.charging()
    bench.wait(120)
    return bench


def reset(bench: CoreBench, kind: str) -> Any:
    return bench.reply(bench.call("Reset", {"type": kind}))


def restarts(bench: CoreBench) -> list[StopReason | None]:
    return [effect.reason for effect in bench.effects if isinstance(effect, Restart)]


def index(effects: list[Effect], kind: type) -> int:
    return next(number for number, effect in enumerate(effects) if isinstance(effect, kind))


def after(bench: CoreBench, plugged: bool = False) -> CoreBench:
    """The program that comes after, up to the board's report."""
    later = bench.restart(boot=SAME_OS, answering=True)
    later.core.slots[0].lock = bench.core.slots[0].lock
    if plugged:
        later.plug()
    later.give(BoardReady())
    return later


@spec("1.6", "16-RESET-01", "TC_016_CS")
def test_a_soft_reset_stops_transactions_first_and_tells_why() -> None:
    bench = charging()
    assert reset(bench, "Soft") == {"status": "Accepted"}
    assert restarts(bench) == [], "the vehicle has its time to let go"
    assert bench.effects[-1] != PermitPower(1, False)
    bench.pilot(Pilot.B)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert stop["reason"] == "SoftReset"
    assert stop["meterStop"] == bench.register_mwh[1] // 1000
    assert "idTag" not in stop
    assert restarts(bench) == [StopReason.SOFT_RESET]
    assert bench.disk.get("outbox", {}) == {}, "delivered before"
    later = after(bench, plugged=True)
    later.connect()
    assert later.actions("StopTransaction") == []
    assert later.core.boot.reason is BootReason.REMOTE_RESET


@spec("1.6", "16-RESET-01")
def test_a_soft_reset_waits_until_what_became_of_every_slot_is_told() -> None:
    bench = connected()
    bench.charging(1)
    bench.wait(3)
    bench.charging(2, "04BBBB01")
    bench.answering = False
    reset(bench, "Soft")
    bench.pilot(Pilot.B, 1)
    bench.pilot(Pilot.B, 2)
    for told in ("StopTransaction", "StopTransaction", "StatusNotification", "StatusNotification"):
        assert restarts(bench) == []
        bench.answer(told, {})
    assert restarts(bench) == [StopReason.SOFT_RESET]
    assert bench.statuses(1)[-1] == bench.statuses(2)[-1] == "Finishing"


@spec("1.6", "16-RESET-01")
def test_a_vehicle_that_does_not_let_go_delays_a_soft_reset_by_three_seconds() -> None:
    bench = charging()
    bench.effects.clear()
    reset(bench, "Soft")
    bench.wait(2.9)
    assert PermitPower(1, False) not in bench.effects
    bench.wait(0.2)
    assert PermitPower(1, False) in bench.effects
    assert restarts(bench) == [StopReason.SOFT_RESET]


@spec("1.6", "16-RESET-02", "TC_015_CS")
def test_a_hard_reset_takes_power_at_once_and_tells_of_it_after_the_boot() -> None:
    bench = charging()
    assert reset(bench, "Hard") == {"status": "Accepted"}
    assert restarts(bench) == [StopReason.HARD_RESET]
    assert bench.actions("StopTransaction") == []
    later = after(bench, plugged=True)
    later.connect()
    [stop] = later.actions("StopTransaction")
    assert stop["reason"] == "HardReset"
    assert stop["meterStop"] == bench.register_mwh[1] // 1000
    assert later.core.boot.reason is BootReason.REMOTE_RESET
    assert stop["timestamp"][:19] == bench.iso()[:19], "the time of the reset, not of the mark before it"


@spec("1.6", "16-RESET-02")
@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_the_answer_leaves_before_anything_else_happens(kind: str) -> None:
    bench = charging()
    before = len(bench.effects)
    reset(bench, kind)
    bench.wait(10)
    effects = bench.effects[before:]
    assert isinstance(effects[0], SendFrame)
    assert effects[0].tell is not None
    assert index(effects, PermitPower) > 0
    assert index(effects, Restart) > index(effects, CloseLink) > index(effects, PermitPower)
    restart = index(effects, Restart)
    assert not any(isinstance(effect, PermitPower | Offer | SendFrame) for effect in effects[restart:])


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_power_that_was_taken_does_not_come_back(kind: str) -> None:
    bench = charging()
    before = len(bench.effects)
    reset(bench, kind)
    bench.wait(20)
    given = [e for e in bench.effects[before:] if isinstance(e, PermitPower | Offer)]
    assert given, "it was taken"
    assert not any(e.allowed if isinstance(e, PermitPower) else e.limit_ma for e in given)


@spec("1.6", "16-RESET-03")
def test_a_stop_that_the_csms_has_not_confirmed_survives_the_reset() -> None:
    bench = charging()
    bench.answering = False
    reset(bench, "Soft")
    bench.pilot(Pilot.B)
    while bench.open_call is not None and bench.open_call[2] != "StopTransaction":
        bench.answer(bench.open_call[2], {})
    bench.wait(10)
    [stop] = bench.actions("StopTransaction")
    assert restarts(bench) == [StopReason.SOFT_RESET], "it is not waited for for ever"
    later = after(bench, plugged=True)
    later.connect()
    assert later.actions("StopTransaction") == [stop]
    ids = [call[1] for each in (bench, later) for call in each.calls if call[2] == "StopTransaction"]
    assert len(set(ids)) == 1


@spec("1.6", "16-RESET-04")
def test_a_second_reset_while_one_is_on_its_way_is_rejected() -> None:
    bench = charging()
    assert reset(bench, "Soft") == {"status": "Accepted"}
    assert reset(bench, "Hard") == {"status": "Rejected"}
    assert bench.ask(Reset(hard=True)) == Verdict("rejected")


@spec("1.6", "16-RESET-05")
@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_what_was_unavailable_stays_so(kind: str) -> None:
    bench = connected()
    bench.call("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
    reset(bench, kind)
    later = after(bench)
    later.connect()
    assert later.statuses(1) == ["Available"]
    assert later.statuses(2) == ["Unavailable"]


@spec("1.6", "16-RESET-06", "TC_013_CS", "TC_014_CS")
@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_a_reset_without_a_transaction_is_done_at_once_and_a_boot_follows(kind: str) -> None:
    bench = connected()
    assert reset(bench, kind) == {"status": "Accepted"}
    assert restarts(bench) == [StopReason.HARD_RESET if kind == "Hard" else StopReason.SOFT_RESET]
    later = after(bench)
    later.connect()
    assert [call[2] for call in later.calls] == ["BootNotification", *["StatusNotification"] * 3]
    assert later.core.boot.count == 2


@spec("1.6", "16-RESET-07")
def test_a_reset_that_fails_is_tried_again_and_then_the_station_goes_on() -> None:
    bench = charging(settings=Settings(reset_retries=2))
    before = len(bench.effects)
    reset(bench, "Hard")
    assert len(restarts(bench)) == 1
    bench.disconnect()
    bench.wait(31)
    assert len(restarts(bench)) == 2
    bench.wait(31)
    assert len(restarts(bench)) == 3
    assert OpenLink(("ocpp1.6",)) not in bench.effects[before:], "no new connection while it may restart at any moment"
    bench.wait(120)
    assert len(restarts(bench)) == 3
    assert bench.notes().count("restart.failed") == 3
    assert OpenLink(("ocpp1.6",)) in bench.effects[before:]
    assert bench.core.slots[0].permitted, "the session was not ended, so it goes on"
    bench.give(LinkUp("ocpp1.6"))
    assert reset(bench, "Hard") == {"status": "Accepted"}, "and may be tried anew"


@spec("1.6", "16-RESET-07")
def test_after_a_reset_that_failed_a_crash_is_a_crash() -> None:
    bench = connected(settings=Settings(reset_retries=0))
    reset(bench, "Hard")
    bench.wait(31)
    assert after(bench).core.boot.reason is BootReason.APPLICATION_RESET


def test_nobody_begins_while_a_reset_waits() -> None:
    bench = charging()
    bench.plug(2)
    bench.wait(3)
    bench.answer_all()
    reset(bench, "Soft")
    started = bench.call("RemoteStartTransaction", {"idTag": "app", "connectorId": 2})
    bench.tap("04FFEE11")
    bench.answer_all()
    assert bench.reply(started) == {"status": "Rejected"}
    assert bench.core.slots[1].session is None


def test_a_reset_while_pending() -> None:
    bench = CoreBench(boot=BootInfo("os-1", True, "boot"))
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 300})
    assert reset(bench, "Soft") == {"status": "Accepted"}
    assert restarts(bench) == [StopReason.SOFT_RESET]


def test_a_link_that_is_lost_before_the_answer_left_does_not_stop_the_reset() -> None:
    bench = connected()
    bench.call("Reset", {"type": "Hard"})
    other = connected()
    other.core.step(other.now, _frame("Reset", {"type": "Hard"}))  # the answer never leaves: nobody says it was flushed
    other.disconnect()
    other.wait(2.1)
    assert restarts(other) == restarts(bench) == [StopReason.HARD_RESET]


def _frame(action: str, payload: dict[str, Any]) -> Any:
    return FrameReceived(json.dumps([2, "x", action, payload]))


def test_a_disk_that_does_not_answer_delays_a_reset_and_no_more() -> None:
    bench = connected()
    bench.store = "silent"
    reset(bench, "Hard")
    assert restarts(bench) == []
    bench.wait(7)
    assert restarts(bench) == [StopReason.HARD_RESET]


def test_the_reason_is_on_the_disk_before_the_restart() -> None:
    bench = connected()
    reset(bench, "Soft")
    last = max(number for number, effect in enumerate(bench.effects) if isinstance(effect, Persist))
    assert last < index(bench.effects, Restart)
    assert bench.disk["boot"][""].reset is StopReason.SOFT_RESET


# --- the end of the process ---


def test_shutdown_takes_power_in_order_and_leaves_locks_and_sessions() -> None:
    bench = charging()
    before = len(bench.effects)
    bench.give(Shutdown())
    effects = bench.effects[before:]
    assert Offer(1, None) in effects
    assert PermitPower(1, False) not in effects, "the vehicle has three seconds to stop drawing"
    bench.pilot(Pilot.B)
    effects = bench.effects[before:]
    assert PermitPower(1, False) in effects
    assert restarts(bench) == [None]
    assert not any(isinstance(effect, SetLock) for effect in effects)
    assert bench.core.slots[0].lock is LockState.CLOSED
    assert bench.disk["session"]


def test_shutdown_does_not_wait_for_a_contactor_for_ever() -> None:
    bench = charging()
    bench.board = False
    bench.give(Shutdown())
    bench.wait(5.1)
    assert restarts(bench) == [None]


def test_an_idle_station_ends_at_once_and_once() -> None:
    bench = connected()
    bench.give(Shutdown())
    bench.give(Shutdown())
    assert restarts(bench) == [None]
    assert effects_last(bench) == Restart(None)
    assert after(bench).core.boot.reason is BootReason.LOCAL_RESET


def effects_last(bench: CoreBench) -> Effect:
    return next(effect for effect in reversed(bench.effects) if isinstance(effect, Restart))


def test_a_session_that_a_shutdown_left_open_is_ended_by_the_next_boot() -> None:
    bench = charging()
    bench.give(Shutdown())
    bench.pilot(Pilot.B)
    later = after(bench, plugged=True)
    later.connect()
    assert [stop["reason"] for stop in later.actions("StopTransaction")] == ["Reboot"]
    assert later.core.slots[0].session is None
    assert CARD in [payload["idTag"] for payload in bench.actions("StartTransaction")]
