"""A pane on a pseudo-terminal: only what changed is written, and a terminal that takes nothing holds up nobody."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest
from rich.text import Text

from sim.panel_pane import LEAVE, Aside, Pane
from tests.interop.terminal import Screen

pytestmark = pytest.mark.interop

SIZE = (20, 4)


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """Our end, which does not block, and theirs."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    with open(theirs, "w", encoding="utf-8") as stream:
        yield ours, stream
    os.close(ours)


def read(ours: int, enough: Callable[[str], bool] = bool) -> str:
    """What was written, once it is enough."""
    data, deadline = b"", time.monotonic() + 10
    while time.monotonic() < deadline and not enough(data.decode(errors="ignore")):
        with contextlib.suppress(BlockingIOError):
            data += os.read(ours, 65_536)
        time.sleep(0.005)
    return data.decode()


def test_only_the_lines_that_changed_are_written(terminal: tuple[int, TextIO]) -> None:
    ours, theirs = terminal
    screen = Screen(*SIZE)
    with Pane(theirs) as pane:
        _until(lambda: not pane.busy)
        pane.show(Text("one\ntwo"), SIZE)
        screen.take(read(ours, lambda text: "two" in text))
        assert (screen.other, screen.cursor, screen.text) == (True, False, "one\ntwo")
        _until(lambda: not pane.busy)
        pane.show(Text("one\n2"), SIZE)
        change = read(ours)
        screen.take(change)
        assert screen.text == "one\n2" and "one" not in change
        _until(lambda: not pane.busy)
        pane.show(Text("one\n2"), SIZE)
        assert not pane.busy  # nothing to say
        pane.forget()
        pane.show(Text("one\n2"), SIZE)
        assert "one" in read(ours, lambda text: "2" in text)
    screen.take(read(ours, lambda text: text.endswith(LEAVE)))
    assert (screen.cursor, screen.other) == (True, False)


def test_a_terminal_that_takes_nothing_holds_up_nobody(terminal: tuple[int, TextIO]) -> None:
    ours, theirs = terminal
    size = (200, 60)
    with Pane(theirs) as pane:
        began_s = time.monotonic()
        for n in range(50):
            pane.show(Text("\n".join(f"{n} {line}" * 20 for line in range(60))), size)
        assert pane.busy and time.monotonic() - began_s < 5
        screen = Screen(*size)
        screen.take(read(ours, lambda text: " 59" in text))
        _until(lambda: not pane.busy)
        pane.show(Text("the latest"), size)
        screen.take(read(ours, lambda text: "the latest" in text))
        assert screen.text.startswith("the latest")
        assert not pane.gone


def test_a_terminal_that_is_no_more_is_noticed() -> None:
    file, there = os.openpty()
    os.close(file)
    with open(there, "w", encoding="utf-8") as stream, Pane(stream) as pane:
        _until(lambda: pane.gone)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_is_said_aside_is_told_by_lines_and_kept() -> None:
    told: list[str] = []
    aside = Aside(told.append)
    print("one\ntw", end="", file=aside)
    print("o", file=aside)
    assert told == ["one", "two"] and aside.getvalue() == "one\ntwo\n"
