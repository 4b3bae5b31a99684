"""`python -m tools.make_events`: the JSON Schema of each event into `docs/reference/events/`, or with --check whether they are up to date.

They are made of the structs in `station/words/events.py`. Not here: what the schemas say (`station/adapters/cloudevents.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from station.adapters.cloudevents import schema
from station.words.events import KINDS

FOLDER = Path(__file__).parent.parent / "docs" / "reference" / "events"


def pages() -> dict[Path, str]:
    """Every file with its text."""
    return {FOLDER / f"{kind}.json": json.dumps(schema(kind), indent=2) + "\n" for kind in KINDS}


def main(argv: list[str] | None = None) -> int:
    """Exit status 1: with --check, something is out of date."""
    parser = argparse.ArgumentParser(prog="make_events", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say what is out of date")
    args = parser.parse_args(argv)
    made = pages()
    old = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if args.check:
        wrong = sorted({path.name for path in (*made, *old) if made.get(path) != old.get(path)})
        for name in wrong:
            print(f"docs/reference/events/{name} is out of date: run `python -m tools.make_events`", file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in old:
        if path not in made:
            path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
