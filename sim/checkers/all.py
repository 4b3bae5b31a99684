"""All promises, fresh: what a run of the world is judged by."""

from __future__ import annotations

from sim.checkers import Checker


def every() -> list[Checker]:
    """New checkers, for one run."""
    return []
