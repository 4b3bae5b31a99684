"""The tag that says which requirements a test shows.

    @spec("1.6", "16-BOOT-03", "16-BOOT-05")
    def test_rejected_boot_is_repeated_after_the_interval() -> None: ...

The ids are those of tests/data/ocpp_requirements.csv. A test that shows more than three shows none of
them well, so it may not say so.
`make docs` turns the tags into docs/reference/ocpp-coverage.md.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import NamedTuple

import pytest

IDS_MAX = 3


class Requirement(NamedTuple):
    """One row of the table; `version` and `profile` are the versions it belongs to and the certification profile."""

    id: str
    version: tuple[str, ...]
    block: str
    profile: str
    behaviour: str


@functools.cache
def requirements() -> tuple[Requirement, ...]:
    """The whole table, in its own order."""
    table = Path(__file__).parent / "data" / "ocpp_requirements.csv"
    with table.open(newline="", encoding="utf-8") as rows:
        next(rows)
        return tuple(Requirement(one, tuple(version.split(";")), *rest) for one, version, *rest in csv.reader(rows))


@functools.cache
def ids(version: str) -> frozenset[str]:
    """The ids of the requirements of one version."""
    return frozenset(row.id for row in requirements() if version in row.version)


def spec(version: str, *requirement_ids: str) -> pytest.MarkDecorator:
    """Tag a test with one to three requirements of one version. ValueError for more, and for an unknown id."""
    if not 1 <= len(requirement_ids) <= IDS_MAX:
        raise ValueError(f"a test shows one to {IDS_MAX} requirements, not {len(requirement_ids)}")
    for unknown in [one for one in requirement_ids if one not in ids(version)]:
        raise ValueError(f"OCPP {version} has no requirement {unknown!r} in tests/data/ocpp_requirements.csv")
    return pytest.mark.spec(version, *requirement_ids)
