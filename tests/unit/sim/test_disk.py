"""The simulated disk: its faults end when they were told to, and a cut leaves what the world chose and no less than was confirmed."""

from __future__ import annotations

import pytest

from hal.disk import Persist, Stored, StoreFailed
from hal.store import Answer
from hal.units import MILLISECOND
from sim.disk import SimDisk
from sim.scheduler import VirtualScheduler
from tests.contracts.stores import batch, setting, settings_of

A, B = "a", "b"


class Bench:
    def __init__(self, ballast_bytes: int = 0) -> None:
        self.scheduler = VirtualScheduler()
        self.told: list[tuple[int, str, Answer]] = []
        self.disk = SimDisk(self.scheduler, self.tell, latency_ms=5, group_ms=100, ballast_bytes=ballast_bytes)

    def tell(self, station: str, answer: Answer) -> None:
        self.told.append((self.now_ms, station, answer))

    @property
    def now_ms(self) -> int:
        return self.scheduler.now().mono_ns // MILLISECOND

    def run_to(self, ms: int) -> None:
        self.scheduler.run_until(ms * MILLISECOND)

    def give(self, *changes: Persist, station: str = A) -> None:
        for change in changes:
            self.disk.persist(station, change)

    def answers(self) -> list[tuple[int, type[Answer], int]]:
        return [(ms, type(answer), answer.ticket) for ms, _, answer in self.told]


def test_urgent_at_once_with_a_ticket_soon_and_the_rest_within_a_second() -> None:
    bench = Bench()
    bench.give(batch(setting("a"), ticket=1, urgent=True))
    bench.run_to(50)
    bench.give(batch(setting("b")), batch(setting("c"), ticket=2))
    bench.run_to(1000)
    bench.give(batch(setting("d")))
    bench.run_to(2004)
    assert bench.disk.unsynced(A) == 1
    bench.run_to(2005)
    assert bench.disk.unsynced() == 0
    assert bench.answers() == [(5, Stored, 1), (155, Stored, 2)]


def test_writes_go_one_after_the_other() -> None:
    bench = Bench()
    bench.disk.slow(MILLISECOND, latency_ms=300)
    bench.give(batch(setting("a"), ticket=1, urgent=True))
    bench.run_to(10)
    bench.give(batch(setting("b"), ticket=2, urgent=True), batch(setting("c"), ticket=3))
    bench.run_to(1000)
    assert bench.answers() == [(300, Stored, 1), (305, Stored, 2), (305, Stored, 3)]


def test_failing_until_it_does_not() -> None:
    bench = Bench()
    bench.disk.fail(100 * MILLISECOND)
    bench.give(batch(setting("a"), ticket=1, urgent=True))
    bench.run_to(1)
    bench.give(batch(setting("b"), ticket=2))
    bench.run_to(96)
    bench.give(batch(setting("c"), ticket=3, urgent=True))
    bench.run_to(200)
    assert bench.answers() == [(5, StoreFailed, 1), (5, StoreFailed, 2), (101, Stored, 3)]
    assert settings_of(bench.disk.durable(A)) == {"c": ""}


def test_a_full_disk_takes_what_is_urgent_while_the_ballast_lasts() -> None:
    bench = Bench(ballast_bytes=60)
    bench.disk.full(1000 * MILLISECOND)
    assert bench.disk.free_bytes() == 0
    for ticket, key, urgent in ((1, "values", False), (2, "end", True), (3, "x" * 40, True)):
        bench.give(batch(setting(key, key), ticket=ticket, urgent=urgent))
        bench.run_to(bench.now_ms + 200)
    bench.run_to(1000)
    assert (bench.disk.free_bytes() or 0) > 1 << 20
    bench.give(batch(setting("later"), ticket=4, urgent=True))
    bench.run_to(2000)
    assert [kind for _, kind, _ in bench.answers()] == [StoreFailed, Stored, StoreFailed, Stored]


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_a_cut_leaves_the_confirmed_and_as_much_more_as_the_world_says(keep: int) -> None:
    bench = Bench()
    bench.give(batch(setting("a"), ticket=1, urgent=True))
    bench.run_to(6)
    bench.give(batch(setting("b"), ticket=2, urgent=True))
    bench.run_to(8)  # being written
    bench.give(batch(setting("c")))
    bench.disk.forget(A, (("setting", "a"),))
    assert bench.disk.crash(lambda count: min(count, keep)) == 3 - keep
    bench.run_to(3000)
    assert bench.answers() == [(5, Stored, 1)], "nobody hears of what was given before the cut"
    left = [{"a": ""}, {"a": "", "b": ""}, {"a": "", "b": "", "c": ""}, {"b": "", "c": ""}][keep]
    assert settings_of(bench.disk.load(A)) == left


def test_a_cut_of_one_station_is_nothing_to_another() -> None:
    bench = Bench()
    bench.give(batch(setting("a"), ticket=1, urgent=True))
    bench.give(batch(setting("b"), ticket=1, urgent=True), station=B)
    bench.run_to(2)
    assert bench.disk.crash(lambda count: 0, A) == 1
    bench.give(batch(setting("c"), ticket=1, urgent=True))
    bench.run_to(1000)
    assert bench.told == [(5, B, Stored(1)), (10, A, Stored(1))]
    assert settings_of(bench.disk.load(A)) == {"c": ""}


def test_the_end_of_a_write_that_was_cut_off_is_not_the_end_of_the_next() -> None:
    bench = Bench()
    bench.give(batch(setting("a"), ticket=1, urgent=True))
    bench.run_to(2)
    bench.disk.crash(lambda count: 0)
    bench.run_to(3)
    bench.give(batch(setting("b"), ticket=1, urgent=True))
    bench.run_to(100)
    assert bench.answers() == [(8, Stored, 1)]


def test_a_cut_cannot_keep_more_than_there_was() -> None:
    with pytest.raises(ValueError, match="cannot keep 1 of 0 batches"):
        Bench().disk.crash(lambda count: 1)


def test_only_a_row_that_is_there_can_be_damaged() -> None:
    assert not Bench().disk.damage(A, "setting", "a")
