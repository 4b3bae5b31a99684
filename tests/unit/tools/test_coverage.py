"""The page of requirements and tests counts what it may count."""

from __future__ import annotations

import pytest

from tests.spec import requirements, spec
from tools.coverage import in_scope, page, shown


def test_cases_of_one_test_are_one_test_and_other_versions_do_not_count() -> None:
    boot = [("1.6", "16-BOOT-01")]
    tags = [("tests/a.py::t[1]", boot), ("tests/a.py::t[2]", boot), ("tests/b.py::u", [("2.0.1", "16-BOOT-02"), *boot])]
    assert shown(tags) == {"16-BOOT-01": ["a.py::t", "b.py::u"]}


def test_a_test_with_more_than_three_ids_shows_nothing() -> None:
    assert shown([("tests/a.py::t", [("1.6", f"16-BOOT-0{n}") for n in range(1, 5)])]) == {}


def test_the_page_counts_the_covered() -> None:
    rows = [row for row in requirements() if row.id in ("16-BOOT-01", "16-BOOT-02")]
    text = page(rows, {"16-BOOT-01": ["a.py::t"]})
    assert "**1 of 2 covered.**" in text
    assert [line.endswith("| `a.py::t` | yes |") for line in text.splitlines() if line.startswith("| 16-")] == [
        True,
        False,
    ]


def test_scope_is_core_and_remote_trigger_of_one_version() -> None:
    ids = {row.id for row in in_scope()}
    assert len(ids) == 333
    assert {"16-TRIG-01", "16-STATE-A2", "J-01", "16-OFFA-01", "TC_054_CS"} <= ids
    assert not {"GEN.FR.01", "16-RES-01"} & ids


@pytest.mark.parametrize(
    "wrong", [(), ("16-BOOT-1",), ("B01.FR.01",), ("16-BOOT-01", "16-BOOT-02", "16-BOOT-03", "16-BOOT-04")]
)
def test_a_wrong_tag_is_refused(wrong: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="requirement"):
        spec("1.6", *wrong)
