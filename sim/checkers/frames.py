"""What the CSMS of the world, written from the specification, finds wrong with a station's frames: each of its rules is a promise.

The CSMS counts by itself how often a rule had something to judge. Not here: the rules (`sim/csms/oracle_rules.py`, `oracle_judge.py`). A
CSMS without opinions finds nothing.
"""

from __future__ import annotations

from typing import Any

from sim.checkers import Broken
from sim.checkers.eyes import Promise
from sim.checkers.seen import Call, Payload
from sim.checkers.view import View
from sim.csms.oracle_rules import RULES


class Rule(Promise):
    """One rule of the specification."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule
        self.name = f"OCPP {rule}"


class Specification(Rule):
    """Looks after all of them, and is itself the first: that a message is one at all."""

    def __init__(self, others: tuple[Rule, ...]) -> None:
        super().__init__("frame")
        self._rules = {each.rule: each for each in (self, *others)}

    def sent_any(self, view: View, call: Call) -> None:
        self._look(view)

    def answered_any(self, view: View, call: Call, payload: Payload) -> None:
        self._look(view)

    def replied_any(self, view: View, call: Call, payload: Payload | None) -> None:
        self._look(view)

    def ends(self, view: View) -> None:
        self._count(view)
        self._look(view)

    def _count(self, view: View) -> None:
        for rule, count in getattr(view.world.csms, "armed", {}).items():
            self._rules[rule].armed = count

    def _look(self, view: View) -> None:
        violations = getattr(view.world.csms, "violations", ())
        if violations:
            self._count(view)
            first = violations[0]
            raise Broken(self._rules[first.rule].name, f"{first.station}: {first.sentence}", first.at)


def specification() -> tuple[Any, ...]:
    """One promise a rule."""
    others = tuple(Rule(rule) for rule in RULES if rule != "frame")
    return Specification(others), *others
