"""What is told of a transaction keeps its order over reboots, whoever says what time it is (station.md §§7, 8).

Not here: time within one boot, or that is merely unknown (`test_time.py`).
"""

from __future__ import annotations

import msgspec
import pytest

from hal.signals import BoardReady
from hal.units import Pilot
from station.core.boot import BootInfo
from station.core.time import CUT_MS
from tests.builders import START_UTC_MS, CoreBench
from tests.spec import spec
from tests.unit.core.test_time import HOUR, MINUTE, SETTINGS, Bench, ms
from tests.unit.core.test_transactions import stopped

TRUSTED = BootInfo("os-1", True, "boot")


def charging(**options: object) -> Bench:
    bench = Bench(os_ms=START_UTC_MS, boot=TRUSTED, **options)  # type: ignore[arg-type]
    bench.online()
    bench.charging()
    return bench


def told(bench: CoreBench, *actions: str) -> list[int]:
    """The moments of messages of transactions, as they were sent."""
    messages = bench.actions(*(actions or ("StartTransaction", "MeterValues", "StopTransaction")))
    mine = [m for m in messages if "transactionId" in m or "idTag" in m]
    return [ms(m.get("timestamp") or m["meterValue"][0]["timestamp"]) for m in mine]


@spec("1.6", "16-STOP-01")
def test_an_end_that_a_cut_made_is_not_told_before_what_was_told_although_the_csms_says_so() -> None:
    bench = charging()
    bench.wait(30 * MINUTE + 30)
    later = bench.after(10)
    later.true_ms -= HOUR * 1000
    later.give(BoardReady())
    later.online()
    end = ms(stopped(later)["timestamp"])
    assert later.true_now_ms < max(told(bench)) <= end
    assert end <= bench.true_now_ms + CUT_MS
    assert all(end >= ms(data["timestamp"]) for data in stopped(later)["transactionData"])


def test_what_follows_in_that_boot_is_told_of_the_time_that_the_csms_says() -> None:
    bench = charging()
    bench.wait(30 * MINUTE)
    later = bench.after(10)
    later.true_ms -= HOUR * 1000
    later.give(BoardReady())
    later.wait(MINUTE)
    later.charging()
    began = later.true_now_ms
    later.wait(5 * MINUTE)
    later.online()
    assert [ms(start["timestamp"]) for start in later.actions("StartTransaction")] == [began]


@spec("1.6", "16-STOP-01")
def test_nor_where_the_clock_had_been_set_back_within_the_transaction() -> None:
    bench = charging()
    bench.wait(20 * MINUTE)
    bench.true_ms -= HOUR * 1000
    bench.wait(20 * MINUTE)
    assert "clock.moved" in bench.notes()
    later = bench.after(20, os_ms=bench.true_now_ms + 20_000, boot=BootInfo("os-9", True, "again"))
    later.give(BoardReady())
    later.online()
    assert ms(stopped(later)["timestamp"]) >= max(told(bench))


def test_nor_after_two_cuts_while_nobody_knew_the_time() -> None:
    bench = charging(settings=msgspec.structs.replace(SETTINGS, sample_interval_s=30))
    bench.wait(10 * MINUTE + 59)
    second = bench.after(1)
    second.give(BoardReady())
    second.wait(10)
    second.charging(2)  # leaves signs of life of a guessed time
    second.wait(108)
    third = second.after(1)
    third.give(BoardReady())
    third.wait(30)
    third.online()
    first_end, *_ = [e for e in third.actions("StopTransaction") if e["transactionId"] == 1]
    assert max(told(bench)) <= ms(first_end["timestamp"]) <= third.true_ms


def test_after_a_jump_of_the_clock_a_sign_of_life_knows_it_at_once() -> None:
    bench = charging()
    bench.true_ms += 10 * HOUR * 1000
    bench.wait(298)
    assert "clock.moved" in bench.notes()
    assert 0 <= bench.true_now_ms - bench.disk["alive"][""].at.utc_ms <= 1000


def test_what_may_have_been_sent_keeps_its_bytes_although_its_time_was_false() -> None:
    bench = charging()
    bench.true_ms += 5 * HOUR * 1000
    bench.wait(10 * MINUTE)
    bench.answering = False
    bench.tap()
    bench.pilot(bench.core.slots[0].pilot.B)
    before = bench.open_call
    assert before is not None and before[2] == "StopTransaction"
    later = bench.after(10)
    later.true_ms -= 5 * HOUR * 1000
    later.give(BoardReady())
    later.online()
    [again] = [call for call in later.calls if call[1] == before[1]]
    assert again == before


@spec("1.6", "16-MV-03")
def test_no_aligned_instant_comes_twice_where_what_was_told_lies_in_the_future() -> None:
    """Told of a time nine hours ahead, and resumed in another boot."""
    settings = msgspec.structs.replace(SETTINGS, after_restart="resume")
    bench = charging(settings=settings)
    bench.true_ms += 9 * HOUR * 1000
    bench.wait(20 * MINUTE)
    later = bench.after(2, settings=settings)
    later.true_ms -= 9 * HOUR * 1000
    later.plug()
    later.give(BoardReady())
    later.pilot(Pilot.C)
    later.online()
    later.wait(HOUR)
    values = [m["meterValue"][0] for m in later.actions("MeterValues")]
    aligned = [v["timestamp"] for v in values if v["sampledValue"][0]["context"] == "Sample.Clock"]
    assert len(aligned) == len(set(aligned)) == 4  # of the other slot
    assert len(told(later, "MeterValues")) > 50


@pytest.mark.parametrize("cuts", [1, 2])
@spec("1.6", "16-STOP-01")
def test_what_was_held_up_to_a_time_that_was_known_is_not_mended_twice(cuts: int) -> None:
    """The clock was set back, and the next boots guess on from there: what they tell is held up, and so ahead of their guess."""
    settings = msgspec.structs.replace(SETTINGS, after_restart="resume")
    bench = charging(settings=settings)
    bench.wait(10 * MINUTE)
    bench.true_ms -= 10 * HOUR * 1000
    bench.wait(5 * MINUTE)
    assert "clock.moved" in bench.notes()
    began, before = 0, bench
    for _ in range(cuts):
        later = before.after(30, settings=settings)
        later.true_ms += 10 * HOUR * 1000 if before is bench else 0
        began = later.true_now_ms
        later.plug()
        later.give(BoardReady())
        later.pilot(Pilot.C)
        later.wait(2 * MINUTE)
        before = later
    later.tap()
    later.pilot(Pilot.B)
    ended = later.true_now_ms
    later.wait(4 * MINUTE)
    later.online()
    at = told(later, "MeterValues", "StopTransaction")
    assert at == sorted(at)
    assert at[-1] - ended in range(-2000, 2001)
    assert sum(began <= one < ended - 1000 for one in at) >= 2  # and the values of this boot
