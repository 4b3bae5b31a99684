"""The audit in short: the rows are those that the salt draws, no sabotage is stale, and six of them are tried. All: `make audit`."""

from __future__ import annotations

import ast
import os
from typing import Any

import pytest

from tests.audit.draw import DRAWN, covered, draw
from tests.audit.run import tried_all
from tests.audit.sabotage import ROOT, Sabotage, Verdict, changed_lines, found, judged, sabotages, salt, unharmed

TRIED = 6
ALL = sabotages()


def test_the_rows_are_those_that_the_salt_draws() -> None:
    assert len(ALL) == DRAWN
    assert [one.row for one in ALL] == draw(salt(), covered())


def test_the_draw_is_that_of_the_hash_and_of_nothing_else() -> None:
    rows = [f"R-{number}" for number in range(100)]
    assert draw("a", rows, 5) == draw("a", reversed(rows), 5) == draw("a", rows, 6)[:5]
    assert draw("a", rows, 5) != draw("b", rows, 5)


@pytest.mark.parametrize("sabotage", ALL, ids=lambda sabotage: sabotage.row)
def test_a_sabotage_fits_the_source_as_it_stands(sabotage: Sabotage) -> None:
    """Where the line has moved on, audit.toml has to follow."""
    assert found(sabotage) == 1, f"stale: {sabotage.file} no longer has {sabotage.old!r}"
    assert changed_lines(sabotage) == 1
    assert not sabotage.file.startswith("tests/") and sabotage.tests and sabotage.breaks
    text = (ROOT / sabotage.file).read_text(encoding="utf-8").replace(sabotage.old, sabotage.new)
    ast.parse(text)  # else it would be no sabotage of the behaviour
    for test in sabotage.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.slow
def test_some_sabotages_are_noticed() -> None:
    """That the same tests pass without it, the rest of this run shows."""
    chosen = set(draw(f"{salt()} tried", [one.row for one in ALL], TRIED))
    verdicts = tried_all([one for one in ALL if one.row in chosen], min(2, os.cpu_count() or 1))
    assert [verdict for verdict in verdicts if verdict.result != "caught"] == []
    assert len(verdicts) == TRIED


# --- and how a run is judged ---

SABOTAGE = Sabotage("R", "", "a.py", "old", "new", ("t.py::test_a",))


def report(outcome: str, phase: str = "call", error: tuple[str, ...] = (), **other: Any) -> dict[str, Any]:
    case = {"outcome": outcome, "phase": phase, "error": list(error), "tags": ["R"]}
    return {"tests": {"t.py::test_a[1]": case}, "broken": [], "foreign": [], **other}


FAILED = report("failed", error=("AssertionError", "Exception"))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (FAILED, "caught"),
        (report("failed", error=("ValueError", "Exception")), "caught"),
        (report("passed"), "survived"),
        (report("skipped"), "survived"),
        (report("failed", "setup", ("AssertionError",)), "void"),
        (report("failed", error=("ModuleNotFoundError", "ImportError", "Exception")), "void"),
        (report("failed", error=("UnboundLocalError", "NameError", "Exception")), "void"),
        ({**FAILED, "broken": ["t.py: SyntaxError"]}, "void"),
        ({**FAILED, "foreign": ["station.core"]}, "void"),
        ({**FAILED, "tests": {}}, "void"),
        ({**FAILED, "tests": {"t.py::test_ab": FAILED["tests"]["t.py::test_a[1]"]}}, "void"),
        ({**FAILED, "tests": {"t.py::test_a": {**FAILED["tests"]["t.py::test_a[1]"], "tags": []}}}, "void"),
    ],
)
def test_only_a_failure_of_a_tagged_test_counts(seen: dict[str, Any], expected: str) -> None:
    assert judged(SABOTAGE, seen).result == expected
    assert isinstance(judged(SABOTAGE, seen), Verdict)


def test_what_is_red_by_itself_shows_nothing() -> None:
    assert unharmed(SABOTAGE, report("passed")) == ""
    assert "red without it" in unharmed(SABOTAGE, FAILED)
    assert "did not run" in unharmed(SABOTAGE, {**FAILED, "tests": {}})
