"""One contract for every store: the sentences of hal/store.py, over memory, SQLite and the simulated disk alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hal.disk import Persist, StoreFailed
from hal.store import Answer
from station.words.records import NewerRecord
from tests.contracts.stores import Desk, MemoryDesk, SimDesk, SqliteDesk, batch, setting, settings_of, stored

DESKS: tuple[Callable[[Path], Desk], ...] = (MemoryDesk, SimDesk, SqliteDesk)
A, B = "station-a", "station-b"


def nothing(count: int) -> int:
    return 0


@pytest.fixture(params=DESKS, ids=["memory", "sim", "sqlite"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    made: Desk = request.param(tmp_path)
    yield made
    made.end()


@pytest.fixture(params=DESKS[1:], ids=["sim", "sqlite"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    made: Desk = request.param(tmp_path)
    yield made
    made.end()


def give(desk: Desk, change: Persist, station: str = A) -> None:
    desk.store.persist(station, change)


def wait_for(desk: Desk, *tickets: int, station: str = A) -> None:
    desk.until(lambda: all(item in desk.told for item in stored(station, *tickets)))


def test_what_is_put_is_read_back(desk: Desk) -> None:
    give(desk, batch(setting("b", "2"), setting("a", "1"), ticket=1))
    wait_for(desk, 1)
    assert settings_of(desk.store.load(A)) == {"a": "1", "b": "2"}
    assert list(desk.store.load(A)["setting"]) == ["a", "b"], "keys in order"
    assert desk.store.load(B) == {}, "a station that never stored has an empty image"


def test_nothing_is_told_from_inside_a_call(desk: Desk) -> None:
    give(desk, batch(setting("a"), ticket=1, urgent=True))
    desk.store.forget(A, (("setting", "x"),))
    assert desk.told == []
    wait_for(desk, 1)


def test_ticket_0_is_never_answered_and_answers_keep_their_order(desk: Desk) -> None:
    for ticket in (1, 0, 2, 0, 3):
        give(desk, batch(setting(str(ticket)), ticket=ticket, urgent=ticket == 3))
    wait_for(desk, 3)
    assert desk.told == stored(A, 1, 2, 3)


def test_a_batch_forgets_before_it_puts_and_the_last_put_wins(desk: Desk) -> None:
    give(desk, batch(setting("a", "1"), setting("b", "1"), ticket=1))
    wait_for(desk, 1)
    give(
        desk,
        batch(setting("a", "2"), setting("c", "1"), setting("c", "2"), forgets=("a", "b", "never there"), ticket=2),
    )
    wait_for(desk, 2)
    assert settings_of(desk.store.load(A)) == {"a": "2", "c": "2"}


def test_stations_do_not_see_each_other(desk: Desk) -> None:
    give(desk, batch(setting("a", "of a"), ticket=1))
    give(desk, batch(setting("a", "of b"), ticket=1), B)
    desk.store.forget(A, (("setting", "a"),))
    wait_for(desk, 1)
    wait_for(desk, 1, station=B)
    assert desk.store.load(A) == {}
    assert settings_of(desk.store.load(B)) == {"a": "of b"}


def test_a_forget_takes_back_what_was_durable_before(desk: Desk) -> None:
    give(desk, batch(setting("a", "old"), setting("b"), ticket=1))
    wait_for(desk, 1)
    give(desk, batch(setting("a", "new")))
    desk.store.forget(A, (("setting", "a"),))
    assert settings_of(desk.store.load(A)) == {"b": ""}


def test_load_writes_what_waits_and_no_earlier_ticket_is_answered_afterwards(desk: Desk) -> None:
    """A core that restarts counts its tickets from the start: an answer to its predecessor would be a lie."""
    give(desk, batch(setting("a"), ticket=1))
    give(desk, batch(setting("b"), ticket=1, urgent=True), B)
    assert settings_of(desk.store.load(A)) == {"a": ""}
    give(desk, batch(setting("c"), ticket=2))
    wait_for(desk, 2)
    assert sorted(desk.told, key=repr) == stored(A, 2) + stored(B, 1)


def test_an_answer_may_lead_to_the_next_batch(desk: Desk) -> None:
    told: list[tuple[str, Answer]] = desk.told

    class Chain(list[tuple[str, Answer]]):
        def append(self, item: tuple[str, Answer]) -> None:
            super().append(item)
            if item[1].ticket < 3:
                give(desk, batch(setting(str(item[1].ticket)), ticket=item[1].ticket + 1, urgent=True))

    desk.told = told = Chain()
    give(desk, batch(setting("0"), ticket=1, urgent=True))
    desk.until(lambda: len(told) == 3)
    assert told == stored(A, 1, 2, 3)


def test_a_later_program_s_record_is_refused_with_a_sentence(desk: Desk) -> None:
    give(desk, batch(setting("a", v=99), ticket=1))
    give(desk, batch(setting("a"), ticket=1), B)
    wait_for(desk, 1)
    with pytest.raises(NewerRecord, match="'setting' has layout 99"):
        desk.store.load(A)
    assert settings_of(desk.store.load(B)) == {"a": ""}


def test_close_writes_what_waits_and_says_nothing(lasting: Desk) -> None:
    give(lasting, batch(setting("a"), ticket=1))
    give(lasting, batch(setting("b")))
    lasting.store.close()
    lasting.store.close()
    lasting.cut(nothing)
    assert settings_of(lasting.store.load(A)) == {"a": "", "b": ""}
    assert lasting.told == []


def test_stored_means_durable_and_all_before_it_too(lasting: Desk) -> None:
    give(lasting, batch(setting("a")))
    give(lasting, batch(setting("b")), B)
    give(lasting, batch(setting("c"), ticket=1))
    wait_for(lasting, 1)
    give(lasting, batch(setting("d"), setting("e")))
    lasting.cut(nothing)
    assert settings_of(lasting.store.load(A)) == {"a": "", "c": ""}
    assert settings_of(lasting.store.load(B)) == {"b": ""}


def test_an_urgent_batch_takes_the_waiting_ones_along_in_one_write(lasting: Desk) -> None:
    give(lasting, batch(setting("a"), ticket=1))
    lasting.store.forget(A, (("setting", "x"),))
    give(lasting, batch(setting("b"), ticket=2, urgent=True))
    wait_for(lasting, 2)
    assert lasting.told == stored(A, 1, 2)


def test_a_forget_that_meets_its_own_put_removes_both_unwritten(lasting: Desk) -> None:
    """A body that cannot be encoded shows that nobody tried."""
    broken: Any = object()
    give(lasting, batch(setting("a", broken), setting("b"), ticket=1))
    lasting.store.forget(A, (("setting", "a"),))
    wait_for(lasting, 1)
    assert settings_of(lasting.store.load(A)) == {"b": ""}


def test_a_damaged_row_is_left_out_and_named(lasting: Desk) -> None:
    give(lasting, batch(setting("a", "1"), setting("b", "2"), ticket=1))
    wait_for(lasting, 1)
    lasting.spoil(A, "setting", "a")
    assert settings_of(lasting.store.load(A)) == {"b": "2"}
    (damaged,) = lasting.store.damaged
    assert (damaged.station, damaged.kind, damaged.key) == (A, "setting", "a")
    assert str(damaged).startswith("station-a: record 'setting' 'a' is damaged and was left out")
    give(lasting, batch(setting("a", "mended")))
    assert settings_of(lasting.store.load(A)) == {"a": "mended", "b": "2"}
    assert lasting.store.damaged == []


def test_a_failing_disk_fails_the_batch_and_all_given_before_it_was_told(lasting: Desk) -> None:
    give(lasting, batch(setting("a"), ticket=1, urgent=True))
    wait_for(lasting, 1)
    lasting.fail(True)
    give(lasting, batch(setting("b"), ticket=2, urgent=True))
    give(lasting, batch(setting("c"), ticket=3))
    lasting.until(lambda: len(lasting.told) == 3)
    assert [(type(answer), answer.ticket) for _, answer in lasting.told[1:]] == [(StoreFailed, 2), (StoreFailed, 3)]
    lasting.fail(False)
    give(lasting, batch(setting("d"), ticket=4, urgent=True))
    wait_for(lasting, 4)
    assert settings_of(lasting.store.load(A)) == {"a": "", "d": ""}


def test_what_nobody_waits_for_survives_a_failure(lasting: Desk) -> None:
    """Nobody could be told that it was lost, so it is not."""
    give(lasting, batch(setting("gone"), ticket=1))
    wait_for(lasting, 1)
    lasting.fail(True)
    give(lasting, batch(setting("kept", "1")))
    give(lasting, batch(setting("passing")))
    lasting.store.forget(A, (("setting", "gone"), ("setting", "passing")))
    give(lasting, batch(setting("lost"), ticket=2, urgent=True))
    lasting.until(lambda: len(lasting.told) == 2)
    lasting.fail(False)
    give(lasting, batch(setting("d"), ticket=3, urgent=True))
    wait_for(lasting, 3)
    lasting.cut(nothing)
    assert settings_of(lasting.store.load(A)) == {"d": "", "kept": "1"}


def test_a_disk_that_healed_is_tried_again_without_being_asked(lasting: Desk) -> None:
    lasting.fail(True)
    give(lasting, batch(setting("kept"), urgent=True))
    lasting.rest(0.2)
    lasting.fail(False)
    lasting.rest(1.2)
    lasting.cut(nothing)
    assert settings_of(lasting.store.load(A)) == {"kept": ""}


def test_free_bytes(desk: Desk) -> None:
    free = desk.store.free_bytes()
    assert (free or 0) > 0 if desk.lasting else free is None
