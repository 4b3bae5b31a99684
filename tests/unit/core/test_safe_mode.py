"""Why a boot happened, and safe mode: the third restart within ten minutes that nobody commanded (station.md §7)."""

from __future__ import annotations

from typing import Any

import pytest

from hal.actions import PermitPower
from hal.signals import BoardReady, FaultAcknowledged
from hal.units import SECOND, Pilot
from station.core.boot import BootInfo, begin
from station.core.effects import Shutdown
from station.words.common import BootReason, StopReason
from station.words.records import BootRecord
from station.words.settings import Settings
from tests.builders import CARD, START_UTC_MS, CoreBench

MINUTE_NS = 60 * SECOND
HOUR_NS = 60 * MINUTE_NS


def boot_after(last: BootRecord | None, os_boot: str = "os-1", mono_ns: int = HOUR_NS) -> BootInfo:
    return begin({"boot": {"": last}} if last else {}, BootInfo(os_boot, True, "nonce"), mono_ns)


@pytest.mark.parametrize(
    ("last", "os_boot", "reason", "stop"),
    [
        (None, "os-1", BootReason.POWER_UP, StopReason.POWER_LOSS),
        (BootRecord(4, "os-1"), "os-2", BootReason.POWER_UP, StopReason.POWER_LOSS),
        (BootRecord(4, "os-1"), "os-1", BootReason.APPLICATION_RESET, StopReason.REBOOT),
        (BootRecord(4, "os-1", StopReason.SOFT_RESET), "os-1", BootReason.REMOTE_RESET, StopReason.SOFT_RESET),
        (BootRecord(4, "os-1", StopReason.HARD_RESET), "os-2", BootReason.REMOTE_RESET, StopReason.HARD_RESET),
        (BootRecord(4, "os-1", StopReason.REBOOT), "os-1", BootReason.LOCAL_RESET, StopReason.REBOOT),
    ],
)
def test_why_a_boot_happened(last: BootRecord | None, os_boot: str, reason: BootReason, stop: StopReason) -> None:
    boot = boot_after(last, os_boot)
    assert (boot.reason, boot.stop) == (reason, stop)
    assert boot.count == (5 if last else 1)
    assert not boot.safe


def crashed(bench: CoreBench, os_boot: str = "os-1", **options: Any) -> CoreBench:
    """The program fell over and was started again."""
    if os_boot == "os-1":  # the monotonic clock runs on
        options = {"mono_ns": bench.mono_ns, "utc_ms": bench.utc_ms, **options}
    later = bench.restart(boot=BootInfo(os_boot, True, "again"), answering=True, **options)
    later.give(BoardReady())
    return later


def running() -> CoreBench:
    bench = CoreBench(boot=BootInfo("os-1", True, "boot"), answering=True)
    bench.connect()
    return bench


def in_safe_mode() -> CoreBench:
    bench = running()
    for _ in range(3):
        bench.wait(120)
        bench = crashed(bench)
    bench.connect()
    return bench


def energised(bench: CoreBench) -> bool:
    return any(isinstance(effect, PermitPower) and effect.allowed for effect in bench.effects)


def try_to_charge(bench: CoreBench) -> bool:
    bench.plug()
    bench.wait(3)
    bench.tap()
    bench.answer_all()
    bench.pilot(Pilot.C)
    bench.answer_all()
    return energised(bench)


@pytest.mark.parametrize(
    ("minutes", "safe"), [((0, 4, 9), True), ((0, 4, 11), False), ((0, 0, 0), True), ((0, 9), False)]
)
def test_three_restarts_within_ten_minutes(minutes: tuple[int, ...], safe: bool) -> None:
    last = BootRecord(1, "os-1")
    boot = boot_after(last)
    for minute in minutes:
        boot = boot_after(last, mono_ns=HOUR_NS + minute * MINUTE_NS)
        last = BootRecord(boot.count, "os-1", None, boot.recent_ms, not boot.safe)
    assert boot.safe is safe


def test_restarts_of_another_boot_of_the_operating_system_do_not_count() -> None:
    last = BootRecord(9, "os-1", None, (1_000, 2_000))
    assert boot_after(last, mono_ns=MINUTE_NS).safe
    assert not boot_after(last, "os-2", mono_ns=MINUTE_NS).safe
    assert boot_after(last, "os-2", mono_ns=MINUTE_NS).recent_ms == ()


def test_a_clock_that_steps_hides_no_restart() -> None:
    bench = running()
    for utc_ms in (0, START_UTC_MS + 86_400_000, START_UTC_MS - 3_600_000):
        bench.wait(120)
        bench = crashed(bench, utc_ms=utc_ms)
    assert bench.core.boot.safe


@pytest.mark.parametrize("how", ["reset", "shutdown", "power"])
def test_what_somebody_commanded_and_what_the_supply_did_do_not_count(how: str) -> None:
    bench = running()
    for number in range(6):
        if how == "reset":
            bench.call("Reset", {"type": "Hard"})
        elif how == "shutdown":
            bench.give(Shutdown())
        bench = crashed(bench, f"os-{number + 2}" if how == "power" else "os-1")
        bench.connect()
    assert not bench.core.boot.safe
    assert try_to_charge(bench)


def test_in_safe_mode_everything_is_faulted_and_ocpp_alive() -> None:
    bench = in_safe_mode()
    told = bench.actions("StatusNotification")
    assert {(p["connectorId"], p["status"], p["errorCode"]) for p in told} == {
        (number, "Faulted", "InternalError") for number in (0, 1, 2)
    }
    assert bench.reply(bench.call("GetConfiguration", {"key": ["ResetRetries"]}))["configurationKey"]
    assert bench.reply(bench.call("TriggerMessage", {"requestedMessage": "Heartbeat"})) == {"status": "Accepted"}
    bench.wait(301)
    assert bench.actions("Heartbeat")
    assert "boot.safe_mode" in bench.notes()


def test_in_safe_mode_nobody_is_energised() -> None:
    bench = in_safe_mode()
    started = bench.call("RemoteStartTransaction", {"idTag": CARD, "connectorId": 2})
    assert bench.reply(started) == {"status": "Rejected"}
    assert not try_to_charge(bench)
    bench.call("ChangeAvailability", {"connectorId": 0, "type": "Operative"})
    bench.wait(3600)
    assert not energised(bench)


def test_a_session_that_the_crash_left_open_is_ended_and_not_resumed() -> None:
    bench = running()
    for _ in range(2):
        bench = crashed(bench, settings=Settings(after_restart="resume"))
    bench.connect()
    bench.charging()
    bench.wait(60)
    last = bench.restart(
        boot=BootInfo("os-1", True, "again"), answering=True, settings=Settings(after_restart="resume")
    )
    last.plug()
    last.give(BoardReady())
    last.connect()
    assert last.core.boot.safe
    assert not energised(last)
    assert [stop["reason"] for stop in last.actions("StopTransaction")] == ["Reboot"]


@pytest.mark.parametrize("how", ["crash", "reset", "power"])
def test_it_lasts_until_somebody_has_looked(how: str) -> None:
    bench = in_safe_mode()
    if how == "reset":
        bench.call("Reset", {"type": "Soft"})
    bench.wait(3600)
    later = crashed(bench, "os-9" if how == "power" else "os-1")
    later.connect()
    assert later.statuses(0) == ["Faulted"]
    assert not try_to_charge(later)


def test_an_acknowledgement_ends_it_and_the_count_begins_anew() -> None:
    bench = in_safe_mode()
    bench.give(FaultAcknowledged(0))
    bench.answer_all()
    assert [bench.statuses(number)[-1] for number in (0, 1, 2)] == ["Available"] * 3
    assert bench.core.image()["boot"] == bench.disk["boot"]
    assert try_to_charge(bench)
    later = crashed(crashed(bench))
    assert not later.core.boot.safe
    assert crashed(later).core.boot.safe
