"""Marks that the sources set are those that are known by name, so that a soak can say which it never reached."""

from __future__ import annotations

import re
from pathlib import Path

from hal.marks import SITUATIONS

ROOT = Path(__file__).parent.parent
FOLDERS = ("hal", "station", "statemachine", "ocpp_client", "meter", "leds")


def test_every_mark_has_a_name_that_is_known() -> None:
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path.name != "marks.py"]
    found = {name for path in sources for name in re.findall(r'\bmark\("([^"]+)"\)', path.read_text(encoding="utf-8"))}
    assert found == set(SITUATIONS)
    assert list(SITUATIONS) == sorted(SITUATIONS)
