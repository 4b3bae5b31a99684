"""Generate the reference pages that are made of tables in the code: connector states and faults.

python -m tools.reference            write the pages
python -m tools.reference --check    fail if one is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

from statemachine.diagram import faults_page, states_page

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
PAGES = {"connector-states.md": states_page, "faults.md": faults_page}


def stale() -> list[str]:
    """The pages that are not what the code says."""
    texts = {page: (FOLDER / page).read_text(encoding="utf-8") if (FOLDER / page).exists() else "" for page in PAGES}
    return [page for page, make in PAGES.items() if texts[page] != make()]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        for page in stale():
            print(f"docs/reference/{page} is stale: make docs", file=sys.stderr)
        return 1 if stale() else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page, make in PAGES.items():
        (FOLDER / page).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
