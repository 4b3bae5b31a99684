"""What the CSMS of the world, written from the specification, finds wrong with a station's frames becomes a broken promise.

Not here: the rules (`sim/csms/oracle_rules.py`, `oracle_judge.py`). A CSMS without opinions finds nothing.
"""

from __future__ import annotations

from typing import Any, Final

from sim.checkers import Broken
from sim.checkers.eyes import Promise
from sim.checkers.seen import Call, Payload
from sim.checkers.view import View


class Specification(Promise):
    """Armed with every frame."""

    name = "the CSMS finds nothing wrong"

    def sent_any(self, view: View, call: Call) -> None:
        self._look(view)

    def answered_any(self, view: View, call: Call, payload: Payload) -> None:
        self._look(view)

    def replied_any(self, view: View, call: Call, payload: Payload | None) -> None:
        self._look(view)

    def ends(self, view: View) -> None:
        self._look(view)

    def _look(self, view: View) -> None:
        self.armed += 1
        violations = getattr(view.world.csms, "violations", ())
        if violations:
            first = violations[0]
            raise Broken(self.name, f"{first.station}: {first.rule}: {first.sentence}", first.at)


FRAMES: Final[tuple[Any, ...]] = (Specification,)
