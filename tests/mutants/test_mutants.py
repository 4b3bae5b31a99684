"""The table of mutants is worth something: each place is still in the source, each promise is somebody's, most pass the ordinary tests.

Not here: whether the ordinary tests (`survey.py`) or the world (`run.py`) find them; that takes an hour and is told by `make worlds`.
"""

from __future__ import annotations

import pytest

from sim.checkers.all import every
from tests.mutants.run import PASSES, ROOT, Mutant, broken, load
from tests.mutants.survey import LEFT_OUT, written

MUTANTS = load()
PROMISES = {checker.name for checker in every()}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_mistake_has_its_place_and_its_judge(mutant: Mutant) -> None:
    path = ROOT / mutant.file
    text = broken(mutant, path.read_text(encoding="utf-8"))
    compile(text, str(path), "exec")
    assert mutant.promise in PROMISES


def test_there_are_some_dozens_and_none_twice() -> None:
    assert 25 <= len(MUTANTS) <= 80
    assert len({mutant.name for mutant in MUTANTS}) == len({(m.file, m.new) for m in MUTANTS}) == len(MUTANTS)


def test_most_pass_the_ordinary_tests() -> None:
    """Else the world would be of no use: what it finds the others would find too."""
    assert sum(mutant.ordinary == PASSES for mutant in MUTANTS) >= 18
    caught = [mutant.ordinary.removeprefix("caught by ") for mutant in MUTANTS if mutant.ordinary not in (PASSES, "")]
    assert [test for test in caught if not (ROOT / test.partition("::")[0]).is_file()] == []


def test_what_is_no_ordinary_test_is_there() -> None:
    assert [name for name in LEFT_OUT if not (ROOT / name.partition("::")[0]).exists()] == []


def test_a_place_that_has_gone_is_told() -> None:
    with pytest.raises(ValueError, match="0 times"):
        broken(MUTANTS[0], "")


def test_what_was_measured_takes_the_place_of_what_was_before() -> None:
    table = '[[mutant]]\nname = "a"\nfile = "f"\n\n[[mutant]]\nname = "b"\nordinary = "passes"\nfile = "g"\n'
    once = written(table, "a", PASSES)
    assert once == table.replace('name = "a"\n', 'name = "a"\nordinary = "passes"\n')
    assert 'name = "b"\nordinary = "caught by tests/x.py::y[\'z\']"\n' in written(
        once, "b", "caught by tests/x.py::y['z']"
    )
    with pytest.raises(ValueError, match="not once"):
        written(table, "c", PASSES)
