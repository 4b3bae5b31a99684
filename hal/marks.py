"""Marks: names of rare situations, so that a run can say which of them it reached. The one module-level hook of the project.

`mark("outbox.thinned")` does nothing unless a collector is installed. Coverage then means "we saw the situation", not "the line ran".
"""

from __future__ import annotations

from collections.abc import Callable

_collector: Callable[[str], None] | None = None


def mark(name: str) -> None:
    """This rare situation is happening."""
    if _collector is not None:
        _collector(name)


def collect(collector: Callable[[str], None] | None) -> None:
    """Install who hears of marks; None: nobody. One at a time in a process."""
    global _collector
    _collector = collector
