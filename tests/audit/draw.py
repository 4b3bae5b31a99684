"""Which rows are audited: 40 of those that docs/reference/ocpp-coverage.md says are covered, drawn by hash.

    python -m tests.audit.draw [SALT]       print the draw; without a salt, that of audit.toml

The salt is the id of a commit, so nobody chooses the rows, and whoever has the salt draws the same ones. What is covered is read from the
page and not from the tests, which takes half a minute less; `make check` sees to it that the page is fresh.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable

from tests.spec import requirements
from tools.coverage import PAGE, in_scope

DRAWN = 40

_COVERED = re.compile(r"^\| (\S+) \|.*\| yes \|$", re.MULTILINE)


def covered() -> frozenset[str]:
    """The rows in scope that some test shows, as the page has them."""
    return frozenset(_COVERED.findall(PAGE.read_text(encoding="utf-8"))) & {row.id for row in in_scope()}


def draw(salt: str, rows: Iterable[str], count: int = DRAWN) -> list[str]:
    """The first so many by SHA-256 of salt and id."""
    return sorted(rows, key=lambda one: hashlib.sha256(f"{salt}{one}".encode()).digest())[:count]


def main() -> int:
    from tests.audit.sabotage import salt

    behaviour = {row.id: row.behaviour for row in requirements()}
    for one in draw(sys.argv[1] if len(sys.argv) > 1 else salt(), covered()):
        print(f"{one:<40} {behaviour[one]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
