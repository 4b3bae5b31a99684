"""Reading what Linux counts."""

from __future__ import annotations

import os

import pytest

from bench import process

SMAPS = """\
5581c0a00000-7ffd2f3f2000 ---p 00000000 00:00 0                          [rollup]
Rss:               28992 kB
Pss:               21634 kB
Pss_Dirty:         17528 kB
Shared_Clean:      11464 kB
Private_Clean:       128 kB
Private_Dirty:     17400 kB
"""


def test_processor_time_is_user_and_system_whatever_the_process_is_called() -> None:
    before = "4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10"
    assert process.parse_stat(f"{before} 150 50 99 99 20 0") == pytest.approx(200 * process.TICK_S)


def test_memory_is_resident_proportional_and_private() -> None:
    assert process.parse_smaps_rollup(SMAPS) == process.Memory(28_992, 21_634, 17_528)


def test_a_processor_is_busy_when_it_is_neither_idle_nor_waiting() -> None:
    stat = "cpu  1 1 1 1 1 1 1 1 0 0\ncpu1 10 20 30 1000 500 1 2 3 0 0\ncpu10 0 0 0 0 0 0 0 0 0 0\n"
    assert process.parse_processor(stat, 1) == pytest.approx(66 * process.TICK_S)
    assert process.parse_processor(stat, 10) == 0


def test_our_own_process_has_used_something() -> None:
    assert process.cpu_s(os.getpid()) > 0
    own = process.memory(os.getpid())
    assert 0 < own.private_kib <= own.pss_kib <= own.rss_kib
    assert process.processor_busy_s(min(os.sched_getaffinity(0))) > 0


def test_files_are_missing_only_beyond_the_hard_limit() -> None:
    assert process.files_missing(1) == 0
    assert process.files_missing(2**40) > 0
