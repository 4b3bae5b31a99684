"""Any story told to a store: what is left of it is what some first part of it comes to, and that part holds all that was confirmed.

Puts, forgets, failures, restarts and cuts in any order, over every store; tests/contracts/test_store.py has the single sentences.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.disk import StoreFailed
from tests.contracts.stores import Desk, MemoryDesk, SimDesk, SqliteDesk, batch, setting, settings_of

A = "station-a"

Step = tuple[str, Any]
KEYS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("put"), st.tuples(st.lists(KEYS, max_size=3), st.lists(KEYS, max_size=2), st.booleans())),
    st.tuples(st.just("forget"), st.lists(KEYS, min_size=1, max_size=2)),
    st.tuples(st.just("wait"), st.none()),
    st.tuples(st.just("fail"), st.booleans()),
    st.tuples(st.just("cut"), st.integers(0, 20)),
    st.tuples(st.just("load"), st.none()),
)


class Story:
    """Gives the steps to a store and keeps the book that it is judged by."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.base: dict[str, str] = {}  # what a cut or a load has left
        self.changes: list[tuple[int, dict[str, str], list[str]]] = []  # since then: ticket, puts, forgets
        self.tickets = 0
        self.failing = False
        self.ailing = False  # somebody may still have to hear of a failure

    def play(self, steps: list[Step]) -> None:
        for name, what in steps:
            getattr(self, name)(what)
        self.fail(False)
        self.wait(None)
        self.load(None)

    def put(self, what: tuple[list[str], list[str], bool]) -> None:
        keys, forgets, urgent = what
        self.tickets += 1
        ticket = self.tickets if urgent or len(keys) == 3 else 0
        puts = dict.fromkeys(keys, str(self.tickets))
        self.desk.store.persist(
            A, batch(*(setting(*item) for item in puts.items()), ticket=ticket, forgets=tuple(forgets), urgent=urgent)
        )
        self.changes.append((ticket, puts, forgets))

    def forget(self, keys: list[str]) -> None:
        self.desk.store.forget(A, tuple(("setting", key) for key in keys))
        self.changes.append((0, {}, keys))

    def wait(self, _: None) -> None:
        """Until everybody who waits has heard."""
        asked = {ticket for ticket, _, _ in self.changes if ticket}
        self.desk.until(lambda: asked <= {answer.ticket for _, answer in self.desk.told})
        heard = [answer.ticket for _, answer in self.desk.told]
        assert heard == sorted(set(heard)), "each once, in order"
        self.ailing = self.failing

    def fail(self, failing: bool) -> None:
        if self.desk.lasting:
            self.desk.fail(failing)
            self.failing = failing
            self.ailing |= failing

    def cut(self, keep: int) -> None:
        self.desk.cut(lambda count: min(keep, count))
        self._judge(all_of_it=False)

    def load(self, _: None) -> None:
        """After it has healed and been asked, nothing is missing but what was told as failed."""
        if self.ailing:
            self.wait(None)
        self.fail(False)
        self._judge(all_of_it=True)

    def _judge(self, *, all_of_it: bool) -> None:
        failed = {answer.ticket for _, answer in self.desk.told if isinstance(answer, StoreFailed)}
        sure = {answer.ticket for _, answer in self.desk.told} - failed
        changes = [change for change in self.changes if change[0] not in failed]
        first = max((at for at, change in enumerate(changes, 1) if change[0] in sure), default=0)
        image = settings_of(self.desk.store.load(A))
        folds = [self._fold(changes[:count]) for count in range(first, len(changes) + 1)]
        assert image in (folds[-1:] if all_of_it or not self.desk.lasting else folds)
        self.base, self.changes = image, []

    def _fold(self, changes: list[tuple[int, dict[str, str], list[str]]]) -> dict[str, str]:
        image = dict(self.base)
        for _, puts, forgets in changes:
            for key in forgets:
                image.pop(key, None)
            image.update(puts)
        return image


@pytest.mark.parametrize("make", [MemoryDesk, SimDesk], ids=["memory", "sim"])
@given(steps=st.lists(STEPS, max_size=30))
def test_any_story_ends_in_a_first_part_of_it(make: Callable[[Path], Desk], steps: list[Step]) -> None:
    Story(make(Path())).play(steps)


@given(steps=st.lists(STEPS, max_size=12))
@settings(max_examples=25)
def test_any_story_ends_in_a_first_part_of_it_on_a_real_disk(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = SqliteDesk(Path(folder))
        try:
            Story(desk).play(steps)
        finally:
            desk.end()
