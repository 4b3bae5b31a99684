"""A short drill of power cuts; `make drills` has the long one. A store that syncs too little is found, and the disk forgets as it says."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.drills.disk import CannotTrace, Create, Disk, Remove, Sync, Truncate, Write
from tests.drills.power import Result, drill
from tests.drills.writer import BROKEN


def cut(folder: Path, cuts: int, broken: str = "") -> Result:
    try:
        return drill(folder, cuts, count=90, seed=2, broken=broken)
    except CannotTrace as why:
        pytest.skip(f"POWER CUTS ARE NOT TRIED HERE: {why}")


def test_what_was_answered_survives_a_power_cut_at_any_point(tmp_path: Path) -> None:
    result = cut(tmp_path, 150)
    assert result.findings == []
    assert result.cuts == 150 and result.events > 500 and result.promised > 1000


@pytest.mark.parametrize("broken", BROKEN)
def test_a_store_that_syncs_too_little_is_found(tmp_path: Path, broken: str) -> None:
    result = cut(tmp_path, 30, broken)
    assert len(result.findings) > 10
    assert any("was promised, and what is there ends with" in one for one in result.findings)


def crashes(*events: Create | Remove | Write | Truncate | Sync) -> list[dict[str, bytes]]:
    disk = Disk()
    for event in events:
        disk.follow(event)
    return [disk.crash(random.Random(seed)) for seed in range(300)]


def test_what_is_synced_is_there_and_what_is_not_may_be_there_in_part() -> None:
    begun = (Create("a"), Write("a", 0, b"1" * 1024), Sync("a"))
    assert {} in crashes(*begun), "the name was not synced"
    made = (*begun, Sync(""))
    assert all(one == {"a": b"1" * 1024} for one in crashes(*made))
    found = {one["a"] for one in crashes(*made, Write("a", 0, b"2" * 1024), Write("a", 1024, b"3" * 10))}
    assert {b"1" * 1024, b"2" * 1024 + b"3" * 10, b"1" * 1024 + b"3" * 10} <= found, "none, all, the later one alone"
    assert {b"1" * 512 + b"2" * 512, b"2" * 512 + b"1" * 512} <= found, "torn"
    assert b"1" * 1024 + bytes(10) in found, "longer already, but nothing in it"
    assert all(set(one[:512]) in ({ord("1")}, {ord("2")}) for one in found), "never within a sector"


def test_a_name_that_was_taken_away_may_come_back() -> None:
    made = (Create("a"), Write("a", 0, b"1"), Sync("a"), Sync(""))
    gone = crashes(*made, Remove("a"))
    assert {} in gone and {"a": b"1"} in gone
    assert all(one == {} for one in crashes(*made, Remove("a"), Sync("")))
    again = crashes(
        *made, Remove("a"), Sync(""), Create("a"), Write("a", 0, b"2"), Sync("a"), Truncate("a", 0), Sync("")
    )
    assert {one["a"] for one in again} == {b"2", b""}
