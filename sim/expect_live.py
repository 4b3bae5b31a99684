"""What virtual stations in real time show to expectations: the truth of their boards, their events, and the messages on their wires.

What the CSMS knows is taken from what the station sent it and what it answered. Contactors and offers are looked at ten times a second.
Not here: the judgement (`expect_judge.py`), doing what the plan says (`live_plan.py`).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from hal.units import SECOND
from sim import expect_report
from sim.expect_report import Played
from sim.expect_seen import Call, Seen, Transaction
from sim.expect_story import story
from sim.expect_world import look
from sim.live import Live
from sim.plan import Plan
from station.core.effects import Note, Publish
from station.shell.runner import Sinks, Unit

LOOK_S: Final = 0.1


class Witness:
    """Sees from `begin` to `end`. What comes out of the stations passes through `before`."""

    def __init__(self, plan: Plan) -> None:
        self.seen = Seen()
        self._plan = plan
        self._live: Live | None = None
        self._over = asyncio.Event()
        self._ended = False
        self._zero_ns = 0
        self._numbers: dict[str, int] = {}

    def before(self, inner: Sinks) -> Sinks:
        return _Ear(self, inner)

    def begin(self, live: Live, over: asyncio.Event) -> None:
        """The plan begins now; `over` is set at its end."""
        self._live, self._over, self._zero_ns = live, over, live.host.clock.mono_ns()
        self._look()

    def end(self) -> None:
        """Nothing more is seen."""
        self.seen.until_s = self._plan.for_s if self._over.is_set() else min(self.now_s(), self._plan.for_s)
        self._ended = True
        self.seen.transactions = transactions(self.seen.calls)

    def played(self, name: str) -> Played:
        """The verdicts, once it has ended."""
        told = story(self._plan, self.seen)
        return Played(
            plan=name,
            ran_s=self.seen.until_s,
            real_s=self.seen.until_s,
            verdicts=expect_report.verdicts(self._plan, self.seen),
            story=told,
        )

    def now_s(self) -> float:
        return max(0, self._live.host.clock.mono_ns() - self._zero_ns) / SECOND if self._live is not None else 0.0

    @property
    def _closed(self) -> bool:
        """What happens now is no part of the story: the plan is over, or the run is."""
        return self._ended or self._over.is_set()

    def _look(self) -> None:
        live = self._live
        if live is None or self._closed:
            return
        at_s = self.now_s()
        for identity in {live.ids[expected.station] for expected in self._plan.expect}:
            look(self.seen, at_s, live.ids.index(identity), live.boards[identity])
        live.later(LOOK_S, self._look)

    # --- what comes out ---

    def heard(self, unit: Unit, event: Publish) -> None:
        if not self._closed:
            self.seen.event(self.now_s(), self._number(unit), event.id, event.kind, bytes(event.data))

    def framed(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        if self._closed:
            return
        try:
            message = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            return
        match message:
            case [2, str(id_), str(action), payload, *_]:
                self.seen.call(self.now_s(), self._number(unit), "station" if out else "csms", id_, action, payload)
            case [3 | 4, *_]:
                self.seen.answer(self._number(unit), "csms" if out else "station", message)
            case _:
                pass

    def _number(self, unit: Unit) -> int:
        """From 0, in the order of the stations."""
        if self._live is not None and not self._numbers:
            self._numbers = {identity: number for number, identity in enumerate(self._live.ids)}
        return self._numbers.get(unit.id, 0)


class _Ear(Sinks):
    """Hands everything to a witness and on."""

    def __init__(self, witness: Witness, inner: Sinks) -> None:
        self._witness, self._inner = witness, inner

    def publish(self, unit: Unit, event: Publish) -> bool:
        self._witness.heard(unit, event)
        return self._inner.publish(unit, event)

    def note(self, unit: Unit, note: Note) -> None:
        self._inner.note(unit, note)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        self._witness.framed(unit, out, frame)
        self._inner.frame(unit, out, frame)

    def exited(self, unit: Unit) -> None:
        self._inner.exited(unit)

    def bug(self, unit: Unit, error: Exception) -> None:
        self._inner.bug(unit, error)


def transactions(calls: list[Call]) -> list[Transaction]:
    """Those that the CSMS gave a transactionId, as the station told it of them."""
    made: list[Transaction] = []
    running: dict[tuple[int, Any], tuple[Transaction, int]] = {}
    for call in calls:
        said = call.payload
        if call.action == "StartTransaction" and call.answer is not None and "transactionId" in call.answer:
            one = Transaction(call.station, said["connectorId"], said["idTag"], call.at_s)
            made.append(one)
            running[call.station, call.answer["transactionId"]] = (one, said["meterStart"])
        elif call.action == "StopTransaction" and (call.station, said["transactionId"]) in running:
            one, start_wh = running.pop((call.station, said["transactionId"]))
            one.ended_s, one.reason = call.at_s, said.get("reason", "Local")
            one.energy_wh = said["meterStop"] - start_wh
    return made
