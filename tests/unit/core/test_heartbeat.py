"""Heartbeats, and the clock that the CSMS sets (1.6 §4.6; station.md §8)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ocpp_client.link import LinkUp
from station.core.boot import BootInfo
from tests.builders import START_UTC_MS, CoreBench
from tests.spec import spec

DAY_S = 86_400


def ready(interval: int = 300) -> CoreBench:
    bench = CoreBench(answering=True)
    bench.connect(interval=interval)
    return bench


def beats(bench: CoreBench, seconds: float) -> int:
    before = len(bench.actions("Heartbeat"))
    bench.wait(seconds)
    return len(bench.actions("Heartbeat")) - before


def utc_ms(bench: CoreBench) -> int:
    return bench.core.time.utc_ms(bench.now)


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


@spec("1.6", "16-HB-01")
def test_one_an_interval() -> None:
    bench = ready(interval=100)
    assert beats(bench, 99) == 0
    assert beats(bench, 2) == 1
    assert beats(bench, 900) == 9
    assert bench.actions("Heartbeat")[0] == {}


@spec("1.6", "16-HB-02")
@pytest.mark.parametrize("interval", [DAY_S * 30, 0])
def test_one_a_day_at_least(interval: int) -> None:
    """However long the interval; 0, set by a key, means no others than those."""
    bench = ready(interval=interval or 300)
    bench.call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": str(interval)})
    assert beats(bench, DAY_S - 10) == 0
    assert beats(bench, 20) == 1
    assert beats(bench, 6 * DAY_S) == 6


@spec("1.6", "16-HB-02")
def test_one_that_came_due_offline_follows_the_reconnect() -> None:
    """Else a connection that breaks more often than the interval would never set the clock."""
    bench = ready(interval=300)
    bench.wait(250)
    bench.disconnect()
    assert beats(bench, 60) == 0
    bench.give(LinkUp("ocpp1.6"))
    assert len(bench.actions("Heartbeat")) == 1
    bench.answer_all()
    assert beats(bench, 299) == 0
    assert beats(bench, 2) == 1


@spec("1.6", "16-HB-03")
def test_its_answer_sets_the_clock() -> None:
    bench = CoreBench()
    bench.connect()
    bench.wait(301)
    later = START_UTC_MS + 5 * 3_600_000
    bench.answer("Heartbeat", {"currentTime": iso(later)})
    assert utc_ms(bench) == later
    assert "clock.moved" in bench.notes()


def test_a_difference_of_two_seconds_is_left_alone() -> None:
    bench = CoreBench()
    bench.connect()
    bench.wait(301)
    before = bench.notes().count("clock.moved")
    bench.answer("Heartbeat", {"currentTime": iso(utc_ms(bench) + 1_900)})
    assert utc_ms(bench) == bench.now.os_utc_ms
    assert bench.notes().count("clock.moved") == before


@spec("1.6", "J-19")
@pytest.mark.parametrize(
    "text", ["2031-05-06T09:08:07.250000Z", "2031-05-06T11:08:07.25+02:00", "2031-05-06t09:08:07.250z"]
)
def test_any_offset_and_fraction_is_read_and_utc_with_milliseconds_is_written(text: str) -> None:
    bench = CoreBench()
    bench.connect(currentTime=text)
    assert bench.actions("StatusNotification")[0]["timestamp"] == "2031-05-06T09:08:07.250Z"


@spec("1.6", "16-HB-04")
@pytest.mark.parametrize(("before", "after"), [(10_000, 20), (20, 400)])
def test_a_new_interval_counts_from_now(before: int, after: int) -> None:
    bench = ready(interval=before)
    assert bench.reply(bench.call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": str(after)})) == {
        "status": "Accepted"
    }
    assert beats(bench, after - 1) == 0
    assert beats(bench, 2) == 1
    assert beats(bench, after * 5) == 5


def test_a_boot_at_1970_gets_its_time_from_the_csms() -> None:
    bench = CoreBench(utc_ms=0, boot=BootInfo("os-1", False, "boot"))
    before = bench.core.time.trusted
    bench.connect(currentTime=iso(START_UTC_MS))
    assert (before, bench.core.time.trusted) == (False, True)
    assert utc_ms(bench) == START_UTC_MS


def test_a_time_that_nobody_can_read_changes_nothing() -> None:
    bench = CoreBench()
    bench.connect(currentTime="yesterday")
    assert utc_ms(bench) == START_UTC_MS
    assert bench.statuses(0) == ["Available"], "and the station is accepted all the same"
