"""A short drill of kills; `make drills` has the long one. And the drill would see what it is there for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.drills.kill import Drill, explained

pytestmark = [pytest.mark.interop, pytest.mark.slow]


def test_what_a_killed_station_promised_is_kept(tmp_path: Path) -> None:
    async def play() -> Drill:
        drill = Drill(tmp_path, times=6, seed=3)
        await drill.run()
        return drill

    drill = asyncio.run(play())
    assert drill.findings == []
    assert drill.figures["kills"] == 6
    assert drill.figures["transactions"] and drill.figures["settings accepted"] and drill.figures["events"]
    _what_is_missing_or_doubled_is_found(drill)


def _what_is_missing_or_doubled_is_found(drill: Drill) -> None:
    """The events of that drill, forged; what is wrong in the books themselves `station-sim account` finds."""
    books, events = drill.csms.books, drill.folder / "events.jsonl"
    told = events.read_bytes()
    ended = next(line for line in told.splitlines() if b"session-ended" in line)
    drill.judge_events()
    assert drill.findings == []
    events.write_bytes(told + ended.replace(b'"id":"', b'"id":"x', 1) + b"\n")
    drill.judge_events()
    assert any("ended in 2 events" in one for one in drill.findings)
    drill.findings.clear()
    events.write_bytes(b"".join(line + b"\n" for line in told.splitlines() if b"session-ended" not in line))
    drill.judge_events()
    assert len([one for one in drill.findings if one.startswith("no event session-ended")]) == len(books.transactions)
    drill.findings.clear()
    events.write_bytes(told)
    books.transactions.append(books.transactions[0])  # billed twice
    drill.judge()
    assert len([one for one in drill.findings if one.startswith("no event session-ended")]) == 1


def test_only_an_end_that_was_not_yet_on_the_disk_may_be_earlier_than_what_was_told() -> None:
    found = "CP1: time-fell: StopTransaction at 2026-06-01T08:00:00.000Z after 2026-06-01T08:00:{}Z"
    assert explained(found.format("00.900"))
    assert not explained(found.format("01.100"))
    assert not explained("CP1: register-fell: meterStop 5 Wh after 7 Wh")
