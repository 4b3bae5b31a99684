"""The port that events leave through, and the file that satisfies it: nothing is delivered before it is safe, or out of order.

Delivery to several sinks is tried with sinks that are slow on purpose.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import cast

import msgspec
import pytest

from station.adapters import event_file
from station.adapters.cloudevents import decode
from station.adapters.delivery import Delivery
from station.adapters.event_file import EventFile
from station.core.effects import Delivered, Input, Publish
from station.shell.runner import Runner, Sinks, Unit
from station.words.common import Stamp
from tests.builders import CoreBench


def run(play: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(play, 20))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def event(number: int) -> bytes:
    return msgspec.json.encode({"n": number})


# --- the file ---------------------------------------------------------------------------------------------------------


def test_what_is_done_is_in_the_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    async def play() -> None:
        sink, done = EventFile(path, pytest.fail), []

        def safe(number: int) -> None:
            assert lines(path)[number] == event(number)
            done.append(number)

        for number in range(200):
            sink.take(event(number), lambda n=number: safe(n))  # type: ignore[misc]
            if number % 20 == 0:
                await asyncio.sleep(0)
        await sink.drain()
        assert done == list(range(200))
        sink.close()
        sink.close()

    run(play())
    assert lines(path) == [event(number) for number in range(200)]


def test_it_is_synced_before_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of sync and word, which no crash of a process can show."""
    told: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: told.append(f"synced {os.fstat(file).st_size}"))

    async def play() -> None:
        sink = EventFile(tmp_path / "events.jsonl", pytest.fail)
        sink.take(b"{}", lambda: told.append("done"))
        await sink.drain()
        sink.close()

    run(play())
    assert told[:2] == ["synced 3", "done"]


def test_a_batch_shares_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(os, "fsync", syncs.append)

    async def play() -> None:
        sink = EventFile(tmp_path / "events.jsonl", pytest.fail)
        for number in range(100):
            sink.take(event(number), lambda: None)
        await sink.drain()
        assert len(syncs) == 1
        sink.close()

    run(play())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b'{"n":0}\n', b'{"n":0}\n'),
        (b'{"n":0}\n{"n":1,"da', b'{"n":0}\n'),  # torn by a crash: its event was not delivered
        (b'{"n":0}\n{"n":1}', b'{"n":0}\n{"n":1}\n'),  # whole but for its line end
        (b'{"n', b""),
    ],
)
def test_a_torn_line_is_taken_away(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(before)

    async def play() -> None:
        sink = EventFile(path, pytest.fail)
        sink.take(b'{"n":2}', lambda: None)
        await sink.drain()
        sink.close()

    run(play())
    assert path.read_bytes() == after + b'{"n":2}\n'


def test_a_disk_that_fails_is_told_once_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done meanwhile, nothing half stays in the file, and nothing is lost."""
    path, told, done = tmp_path / "events.jsonl", list[str](), list[int]()
    broken = True
    real = os.fsync

    def fsync(file: int) -> None:
        if broken:
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(event_file, "RETRY_S", 0.02)

    async def play() -> None:
        nonlocal broken
        sink = EventFile(path, told.append)
        for number in range(3):
            sink.take(event(number), lambda n=number: done.append(n))  # type: ignore[misc]
        await asyncio.sleep(0.2)
        assert done == [] and path.read_bytes() == b""
        assert len(told) == 1 and "No space left" in told[0] and str(path) in told[0]
        broken = False
        while len(done) < 3:
            await asyncio.sleep(0.01)
        sink.close()

    run(play())
    assert done == [0, 1, 2] and lines(path) == [event(0), event(1), event(2)]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    async def play() -> None:
        sink = EventFile(path, pytest.fail)
        sink.take(event(0), lambda: None)
        await asyncio.sleep(0)  # on its way to the thread
        sink.take(event(1), lambda: None)
        sink.close()

    run(play())
    assert lines(path) == [event(0), event(1)]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(OSError):
            EventFile(tmp_path / "nowhere" / "events.jsonl", pytest.fail)

    run(play())


# --- several sinks ----------------------------------------------------------------------------------------------------


class Slow:
    """A sink that is done when it is told to be."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Callable[[], None]]] = []

    def take(self, event: bytes, done: Callable[[], None]) -> None:
        self.taken.append((event, done))

    async def drain(self) -> None: ...

    def close(self) -> None: ...


class Quick(Slow):
    def take(self, event: bytes, done: Callable[[], None]) -> None:
        super().take(event, done)
        done()


class Posts:
    """As much of a runner as delivery needs."""

    def __init__(self) -> None:
        self.posted: list[Input] = []

    def post(self, unit: Unit, item: Input) -> None:
        self.posted.append(item)


class Station:
    def __init__(self) -> None:
        self.id = "CP1"
        self.core = CoreBench().core


PUBLISH = Publish(7, "n-e7", "vehicle-removed.v1", "slot/1", Stamp(0), msgspec.Raw(b'{"slotNumber":1}'))


def delivery(*sinks: Slow, inner: Sinks | None = None) -> tuple[Delivery, Posts, Unit]:
    made, posts, station = Delivery(inner or Sinks(), sinks), Posts(), Station()
    made.runner = cast(Runner, posts)
    return made, posts, cast(Unit, station)


def test_delivered_when_the_last_sink_has_it() -> None:
    one, two = Slow(), Slow()
    made, posts, unit = delivery(one, two)
    assert made.publish(unit, PUBLISH) is False
    assert decode(one.taken[0][0]).id == decode(two.taken[0][0]).id == "n-e7"
    two.taken[0][1]()
    assert posts.posted == []
    one.taken[0][1]()
    assert posts.posted == [Delivered(7)]


def test_sinks_that_are_done_at_once_need_no_second_word() -> None:
    made, posts, unit = delivery(Quick(), Quick())
    assert made.publish(unit, PUBLISH) is True
    assert posts.posted == []


def test_without_sinks_whoever_listens_decides() -> None:
    made, _, unit = delivery()
    assert made.publish(unit, PUBLISH) is True


def test_a_core_that_came_after_is_not_told_of_what_it_never_published() -> None:
    """It has published the event again by itself, and waits for that."""
    slow = Slow()
    made, posts, unit = delivery(slow)
    made.publish(unit, PUBLISH)
    unit.core = CoreBench().core
    slow.taken[0][1]()
    assert posts.posted == []
    made.publish(unit, PUBLISH)
    slow.taken[1][1]()
    assert posts.posted == [Delivered(7)]
