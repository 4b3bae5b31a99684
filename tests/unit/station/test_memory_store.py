"""The memory store where it differs from a disk: it costs nothing while it holds nothing, and its rounds of answers end."""

from __future__ import annotations

from collections.abc import Callable

from hal.store import Answer
from station.adapters.memory import MemoryStore
from tests.contracts.stores import batch, setting


def ignore(station: str, answer: Answer) -> None:
    pass


def test_a_station_that_holds_nothing_costs_nothing() -> None:
    store = MemoryStore(ignore, lambda *_: None)
    store.persist("a", batch(setting("x")))
    store.forget("a", (("setting", "x"),))
    store.persist("b", batch(forgets=("x",)))
    store.persist("c", batch(setting("x")))
    store.persist("c", batch(forgets=("x",)))
    store.forget("d", (("setting", "x"),))
    assert store._rows == {}


def test_one_call_of_the_loop_answers_a_burst_and_no_chain_holds_it_for_ever() -> None:
    calls: list[Callable[[], None]] = []
    told: list[int] = []

    def chain(station: str, answer: Answer) -> None:
        told.append(answer.ticket)
        store.persist(station, batch(ticket=answer.ticket + 10))

    store = MemoryStore(chain, calls.append)
    for ticket in (1, 2, 3):
        store.persist("a", batch(ticket=ticket))
    for _ in range(2):
        assert len(calls) == 1
        calls.pop()()
    assert told == [1, 2, 3, 11, 12, 13]
