"""Whom a station asks about the clock of its operating system. Not here: what it does when nobody keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from station.adapters.os_time import TIME_ERROR, clock_kept, clock_state


def battery_clock(folder: Path, hctosys: str, since_epoch: str) -> Path:
    clock = folder / "rtc0"
    clock.mkdir()
    (clock / "hctosys").write_text(hctosys)
    (clock / "since_epoch").write_text(since_epoch)
    return folder


def test_a_time_server_keeps_it(tmp_path: Path) -> None:
    assert clock_kept(lambda: 0, tmp_path)


def test_nobody_keeps_it(tmp_path: Path) -> None:
    assert not clock_kept(lambda: TIME_ERROR, tmp_path)
    assert not clock_kept(lambda: TIME_ERROR, tmp_path / "missing")


def test_who_cannot_tell_is_believed(tmp_path: Path) -> None:
    assert clock_kept(lambda: None, tmp_path)


@pytest.mark.parametrize(
    ("hctosys", "since_epoch", "kept"),
    [
        ("1\n", "1790000000\n", True),
        ("0\n", "1790000000\n", False),  # there, but the time was not taken from it
        ("1\n", "86400\n", False),  # its battery was empty
        ("", "nonsense", False),
    ],
)
def test_a_clock_with_a_battery(tmp_path: Path, hctosys: str, since_epoch: str, kept: bool) -> None:
    assert clock_kept(lambda: TIME_ERROR, battery_clock(tmp_path, hctosys, since_epoch)) is kept


def test_the_kernel_answers_without_rights() -> None:
    state = clock_state()
    assert state is None or 0 <= state <= TIME_ERROR
