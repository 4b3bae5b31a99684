"""The demo while its link is cut, its station killed and its power gone: the accounts agree all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from sim.account import add_batteries, compare
from sim.batteries import read_batteries
from sim.chaos import MISHAPS, mishaps
from sim.csms.books import read_books
from sim.meter import read_memories
from sim.people import arrivals


def test_the_accounts_agree_after_cuts_and_a_kill(tmp_path: Path) -> None:
    command = ["demo", "--sessions", "3", "--speed", "900", "--seed", "1", "--chaos", "--exit", "--json", "--keep"]
    done = subprocess.run(
        [sys.executable, "-m", "sim.cli", *command, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    seen = Counter(line["what"] for line in told if line.get("who") == "chaos" and "-" in line["what"])
    expected = Counter(f"{what}-{when}" for what in MISHAPS for when in ("gone", "back"))
    assert seen == expected
    verdict = told[-1]
    assert verdict["agree"] and verdict["billed_wh"] == verdict["metered_wh"] > 1000
    assert abs(verdict["taken_wh"] - verdict["metered_wh"]) <= 0.005 * verdict["metered_wh"]
    assert (
        abs(verdict["reported_wh"] - verdict["billed_wh"])
        <= verdict["reported_apart_wh"]
        <= 0.02 * verdict["billed_wh"]
    )
    _a_battery_that_gained_too_much_is_told(tmp_path)


def _a_battery_that_gained_too_much_is_told(folder: Path) -> None:
    account = compare(read_books(folder / "books.jsonl"), read_memories(folder / "meters.json"))
    found = read_batteries(folder / "batteries.json")
    add_batteries(account, [*found, found[0]] if found[0].gained_mwh else found * 2)
    assert len(account.differences) == 1 and "more than 0.5 % apart" in account.differences[0]


@pytest.mark.parametrize("seed", range(50))
def test_mishaps_are_drawn_from_the_seed_one_after_the_other(seed: int) -> None:
    visits = arrivals(seed, 1 + seed % 8)
    planned = mishaps(seed, visits)
    assert planned == mishaps(seed, visits)
    assert sorted(one.what for one in planned) == sorted(MISHAPS)
    for before, after in pairwise(planned):
        assert before.at_s + before.lasts_s < after.at_s
    assert planned[-1].at_s + planned[-1].lasts_s < max(visit.at_s + visit.stay_s for visit in visits)
