"""Marks: names of rare situations, so that a run can say which of them it reached. The one module-level hook of the project.

`mark("outbox.thinned")` does nothing unless a collector is installed. Coverage then means "we saw the situation", not "the line ran".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SITUATIONS: Final[dict[str, str]] = {
    "boot.safe_mode": "the program fell over three times within ten minutes",
    "delivery.owed": "the disk refused what must not be lost, and is asked again",
    "meter.register_break": "a register jumped and stayed there",
    "outbox.dead_letter": "the CSMS refused a message as often as is allowed",
    "outbox.full": "only boundaries of transactions are left in a full queue",
    "outbox.thinned": "every second value went from a queue that was too long",
    "time.contradicted": "the time that became known lies before what had been told already",
    "time.mended": "what was stamped before anybody knew the time got its time",
    "time.went_back": "the clock was set back within a transaction",
    "transaction.interrupted": "a transaction goes on after a restart",
}

_collector: Callable[[str], None] | None = None


def mark(name: str) -> None:
    """This rare situation is happening; `name` is one of `SITUATIONS`."""
    if _collector is not None:
        _collector(name)


def collect(collector: Callable[[str], None] | None) -> None:
    """Install who hears of marks; None: nobody. One at a time in a process."""
    global _collector
    _collector = collector
