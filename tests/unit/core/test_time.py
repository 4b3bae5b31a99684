"""Trusted and untrusted time: what is stamped before anybody knows the time, steps of the clock, aligned instants (station.md §8)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hal.clock import Now
from hal.signals import BoardReady
from hal.units import Pilot
from ocpp_client.dialects.values import read_moment
from ocpp_client.link import LinkUp
from station.core.boot import BootInfo
from station.core.time import CUT_MS, EARLIEST_MS, StationTime
from station.words.common import Measurand, Stamp
from station.words.records import AliveRecord
from station.words.settings import Settings
from tests.builders import START_UTC_MS, CoreBench
from tests.spec import spec
from tests.unit.core.test_transactions import stop

MINUTE = 60
HOUR = 3600
SECOND_NS = 1_000_000_000
NEVER_SET = BootInfo("os-1", False, "boot")
SETTINGS = Settings(
    sample_interval_s=MINUTE,
    aligned_interval_s=900,
    allow_offline_unknown=True,
    stop_sampled=(Measurand.ENERGY_IMPORT,),
)
WHEN = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


class Bench(CoreBench):
    """A bench whose operating system believes it is 1970, or whatever it is told, while the CSMS knows better."""

    def __init__(self, true_ms: int = START_UTC_MS, os_ms: int = 0, **options: Any) -> None:
        self.true_ms = true_ms
        super().__init__(**{"settings": SETTINGS, "boot": NEVER_SET, "utc_ms": os_ms, "answering": True, **options})

    def iso(self) -> str:
        os_ms, self.utc_ms = self.utc_ms, self.true_ms
        said, self.utc_ms = super().iso(), os_ms
        return said

    @property
    def true_now_ms(self) -> int:
        return self.true_ms + self.mono_ns // 1_000_000

    def online(self) -> None:
        self.connect()
        self.answer_all()

    def after(self, outage_s: float, **options: Any) -> Bench:
        """The same disk after a power cut that long: again in 1970, and its monotonic clock at zero."""
        true_ms = self.true_now_ms + int(outage_s * 1000)
        later = Bench(true_ms, image=self.disk, ready=False, **{"boot": BootInfo("os-9", False, "again"), **options})
        later.register_mwh = dict(self.register_mwh)
        return later


def sent(bench: CoreBench) -> list[str]:
    """Every moment that was ever on the wire."""
    return [at for frame in bench.sent for at in WHEN.findall(str(frame))]


def ms(text: str) -> int:
    at = read_moment(text)
    assert at is not None
    return at


# --- a boot that knows nothing ---


def test_a_whole_session_before_anybody_knew_the_time_is_told_with_the_right_one() -> None:
    bench = Bench()
    bench.wait(HOUR)
    bench.charging()
    began_ms = bench.true_now_ms
    bench.wait(30 * MINUTE)
    bench.tap()
    bench.pilot(Pilot.B)
    ended_ms = bench.true_now_ms
    bench.wait(HOUR)
    bench.online()
    [start], [end] = bench.actions("StartTransaction"), bench.actions("StopTransaction")
    assert abs(ms(start["timestamp"]) - began_ms) <= 2000
    assert abs(ms(end["timestamp"]) - ended_ms) <= 2000
    values = [ms(told["meterValue"][0]["timestamp"]) for told in bench.actions("MeterValues")]
    assert values == [began_ms + n * 60_000 for n in range(1, 31)]
    data = [ms(one["timestamp"]) for one in end["transactionData"]]
    assert data[0] == began_ms and data[-1] == ended_ms and data == sorted(data)
    assert all(ms(at) >= START_UTC_MS for at in sent(bench))


def test_a_session_that_still_runs_when_the_time_becomes_known() -> None:
    bench = Bench()
    bench.charging()
    began_ms = bench.true_now_ms
    bench.wait(10 * MINUTE)
    bench.online()
    bench.wait(10 * MINUTE)
    stop(bench)
    [start], [end] = bench.actions("StartTransaction"), bench.actions("StopTransaction")
    assert ms(start["timestamp"]) == began_ms
    at = [ms(told["meterValue"][0]["timestamp"]) for told in bench.actions("MeterValues")]
    assert at == sorted(at) and began_ms < at[0] and at[-1] <= ms(end["timestamp"]) == bench.true_now_ms
    assert ms(end["transactionData"][0]["timestamp"]) == began_ms


def test_what_was_mended_is_on_the_disk_before_it_is_sent() -> None:
    bench = Bench()
    bench.charging()
    began_ms = bench.true_now_ms
    bench.wait(5 * MINUTE)
    bench.answering = False
    bench.give(LinkUp("ocpp1.6"))
    answer = {"status": "Pending", "currentTime": bench.iso(), "interval": 300}
    bench.answer("BootNotification", answer)
    facts = [record.fact for _, record in sorted(bench.disk["outbox"].items())]
    assert [fact.at.boot for fact in facts] == [0] * 6 and facts[0].at == Stamp(began_ms)
    [session] = bench.disk["session"].values()
    assert session.started == Stamp(began_ms)
    assert bench.core.image() == {kind: rows for kind, rows in bench.disk.items() if rows}


def test_and_waits_for_the_disk_to_have_it() -> None:
    bench = Bench()
    bench.charging()
    bench.wait(5 * MINUTE)
    bench.store = "silent"
    bench.connect()
    assert bench.actions("StatusNotification") and not bench.actions("StartTransaction")
    bench.wait(MINUTE)
    assert not bench.actions("StartTransaction")
    bench.store = "ok"
    bench.wait(20)
    assert len(bench.actions("StartTransaction")) == 1


def test_nothing_before_2020_leaves_the_station_even_if_the_csms_has_no_time_either() -> None:
    bench = Bench(true_ms=0)
    bench.charging()
    bench.wait(10 * MINUTE)
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": "1970-01-01T00:00:07Z", "interval": 60})
    bench.answer_all()
    bench.wait(MINUTE)
    stop(bench)
    assert len(bench.actions("StopTransaction")) == 1 and len(sent(bench)) > 10
    assert min(map(ms, sent(bench))) >= EARLIEST_MS


# --- and ends before it learns it ---


def test_over_a_reboot_the_last_sign_of_life_and_what_elapsed_stand_for_the_time() -> None:
    """The guesses of all boots are one chain; its end becomes known, so its outages are what it is wrong by at most."""
    bench = Bench()
    bench.wait(10 * MINUTE)
    bench.charging()
    began_ms = bench.true_now_ms
    bench.wait(20 * MINUTE + 30)
    second = bench.after(30)
    second.plug()
    second.give(BoardReady())
    second.wait(5 * MINUTE)
    third = second.after(30)
    third.give(BoardReady())
    third.wait(10 * MINUTE)
    third.online()
    [start], [end] = third.actions("StartTransaction"), third.actions("StopTransaction")
    wrong_s = (ms(start["timestamp"]) - began_ms) / 1000
    assert -130 <= wrong_s <= 30 + 30 + 300  # two cuts; two outages, a boot without a session
    assert ms(end["timestamp"]) - ms(start["timestamp"]) == 20 * MINUTE * 1000 + CUT_MS
    assert end["reason"] == "PowerLoss" and len(third.actions("MeterValues")) == 20
    assert min(map(ms, sent(third))) >= START_UTC_MS


def test_a_sign_of_life_of_better_times_is_where_the_guess_begins() -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"))
    bench.online()
    bench.charging()
    bench.wait(10 * MINUTE)
    stop(bench)
    second = bench.after(0)
    assert second.core.time.utc_ms(second.now) == bench.disk["alive"][""].at.utc_ms + CUT_MS
    assert not second.core.time.trusted


def test_a_boot_that_knows_the_time_at_once_mends_what_the_last_one_did_not() -> None:
    bench = Bench()
    bench.charging()
    began_ms = bench.true_now_ms
    bench.wait(10 * MINUTE)
    bench.tap()
    bench.pilot(Pilot.B)
    later = bench.after(20, os_ms=bench.true_now_ms + 20_000, boot=BootInfo("os-9", True, "again"))
    later.give(BoardReady())
    later.online()
    [start] = later.actions("StartTransaction")
    assert -CUT_MS <= ms(start["timestamp"]) - began_ms <= 20_000
    assert not [fact for fact in later.disk["outbox"].values() if fact.fact.at.boot]


def test_a_restart_of_the_program_loses_no_time_while_the_clock_runs_on() -> None:
    boot = BootInfo(
        "os-1", True, "x", count=2, alive=AliveRecord(Stamp(START_UTC_MS, 1, 5_000), 5_000_000_000), continues=True
    )
    untrusted = BootInfo("os-1", False, "x", count=2, alive=boot.alive, continues=True)
    time = StationTime(Now(905_000_000_000, 0), untrusted)
    assert time.utc_ms(Now(905_000_000_000, 0)) == START_UTC_MS + 900_000
    other = StationTime(Now(905_000_000_000, 0), BootInfo("os-2", False, "x", count=2, alive=boot.alive))
    assert other.utc_ms(Now(905_000_000_000, 0)) == START_UTC_MS + CUT_MS
    earlier = StationTime(Now(1_000_000_000, 0), untrusted)  # a monotonic clock that began anew
    assert earlier.utc_ms(Now(1_000_000_000, 0)) == START_UTC_MS + CUT_MS


# --- steps ---


@pytest.mark.parametrize(
    "by_ms, moves", [(1_999, False), (-1_999, False), (2_001, True), (-2_001, True), (86_400_000, True)]
)
@spec("1.6", "16-HB-03")
def test_a_source_moves_the_clock_only_by_more_than_two_seconds(by_ms: int, moves: bool) -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"))
    bench.online()
    bench.true_ms += by_ms
    bench.wait(300)
    assert bench.actions("Heartbeat")
    assert bench.core.time.utc_ms(bench.now) - bench.now.os_utc_ms == (by_ms if moves else 0)
    assert ("clock.moved" in bench.notes()) is moves


@spec("1.6", "16-STOP-01", "16-MV-01")
def test_an_hour_back_in_a_session_and_it_does_not_end_before_it_began() -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"))
    bench.online()
    bench.wait(10 * MINUTE)
    bench.charging()
    bench.wait(10 * MINUTE)
    bench.true_ms -= HOUR * 1000
    bench.wait(10 * MINUTE)
    assert "clock.moved" in bench.notes()
    stop(bench)
    told = bench.actions("StartTransaction", "MeterValues", "StopTransaction")
    at = [ms(one.get("timestamp") or one["meterValue"][0]["timestamp"]) for one in told if one.get("connectorId") != 2]
    assert at == sorted(at)
    assert len(at) > 20  # and the samples go on at their interval


@pytest.mark.parametrize("step_s", [-HOUR, HOUR, -7 * 86_400, 7 * 86_400, -10, 10])
@spec("1.6", "16-MV-03")
def test_after_a_step_no_aligned_instant_comes_twice_and_none_in_a_burst(step_s: int) -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"))
    bench.online()
    bench.wait(HOUR + 20)
    bench.true_ms += step_s * 1000
    bench.wait(3 * HOUR)
    told = [t for t in bench.actions("MeterValues") if t["connectorId"] == 1]
    at = [t["meterValue"][0]["timestamp"] for t in told]
    assert len(set(at)) == len(at)
    assert all(ms(one) % 900_000 == 0 for one in at)
    expected = 4 + 12 - (4 if step_s == -HOUR else 0)
    assert expected - 1 <= len(at) <= expected + 1


@spec("1.6", "16-MV-03")
def test_midnight_is_an_instant_and_the_days_are_counted_from_it() -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"), settings=Settings(aligned_interval_s=50_000))
    bench.online()
    bench.wait(2 * 86_400)
    at = [t["meterValue"][0]["timestamp"] for t in bench.actions("MeterValues") if t["connectorId"] == 1]
    assert [one[8:16] for one in at] == ["01T13:53", "02T00:00", "02T13:53", "03T00:00"]


def test_no_aligned_values_while_nobody_knows_the_time() -> None:
    bench = Bench()
    bench.charging()
    bench.wait(HOUR)
    contexts = [q.told.samples[0].context.value for q in bench.core.connection.outbox.records if q.told.samples]  # type: ignore[union-attr]
    assert set(contexts) == {"Sample.Periodic"}
    bench.online()
    bench.wait(HOUR)
    aligned = [
        t for t in bench.actions("MeterValues") if t["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"
    ]
    assert {ms(t["meterValue"][0]["timestamp"]) % 900_000 for t in aligned} == {0} and len(aligned) == 8


def test_waits_do_not_care_about_the_clock() -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"))
    bench.online()
    bench.charging()
    bench.wait(30)
    bench.true_ms += 10 * HOUR * 1000
    bench.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
    bench.answer_all()
    assert "clock.moved" in bench.notes()
    bench.wait(270)
    assert len([t for t in bench.actions("MeterValues") if "transactionId" in t]) == 5


def test_a_clock_that_has_gone_back_since_the_last_sign_of_life_is_not_believed() -> None:
    alive = AliveRecord(Stamp(START_UTC_MS), 0)
    for os_ms, believed in ((START_UTC_MS - 1, False), (START_UTC_MS, True), (START_UTC_MS + 10_000, True)):
        time = StationTime(Now(0, os_ms), BootInfo("os-2", True, "x", count=2, alive=alive))
        assert time.trusted is believed
        assert time.utc_ms(Now(0, os_ms)) == (os_ms if believed else START_UTC_MS + CUT_MS)


def test_an_end_that_was_guessed_into_the_future_is_now_at_the_latest() -> None:
    bench = Bench(os_ms=START_UTC_MS, boot=BootInfo("os-1", True, "boot"))
    bench.online()
    bench.charging()
    bench.wait(5 * MINUTE)
    later = bench.after(10)
    later.give(BoardReady())
    later.wait(1)
    later.online()
    [end] = later.actions("StopTransaction")
    assert end["reason"] == "PowerLoss"
    assert bench.true_now_ms <= ms(end["timestamp"]) <= later.true_now_ms
