"""The oracle: a CSMS for the world, written from the specification of OCPP 1.6J, that knows the books it ought to have.

It answers, keeps books of what it was told, and notes every rule that a station breaks (`violations`). It misbehaves as a plan's
`CsmsFault` says, all the while knowing the truth: what reached it is booked, whatever it answers. Pure: its clock is the world's, its lots
come from the stream ("csms", station) of the world's seed. Not here: OCPP 2.x, sockets (`server.py`), whether the books are what the
board did (`sim/checkers/`).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sim.csms.oracle_answers import Answers
from sim.csms.oracle_books import Asked, Call, Delivery, Desk, Line, Payload, Transaction, Violation
from sim.csms.oracle_faults import FLOOD, HARMLESS, Reply, hours_off, refusal, spoilt
from sim.csms.oracle_judge import ANSWER_S, Judge
from sim.csms.oracle_rules import STATION_CALLS, UNWELL, Place, flaw
from sim.pipe import Pipe
from sim.plan import CsmsFault
from sim.rng import Stream
from station.words.settings import Settings

COMMAND_S: Final = 30.0  # so long a CSMS waits for an answer before it sends the next call
FLOOD_S: Final = 60.0


class Oracle:
    """A CSMS as the pipes of a world see it. Give it to the World, which calls `begin`.

    `seed` is the world's where none is given. `tokens` says what it answers of a card, Accepted where nothing stands; `transactions` (by a
    key of its own), `status` (of station and connector) and `answers` (to its own calls, by their ids) are its books.
    """

    def __init__(self, seed: int | None = None, *, heartbeat_s: int = 300) -> None:
        self._seed = seed
        self._judge = Judge()
        self._answers = Answers(self._judge, heartbeat_s)
        self.tokens = self._answers.tokens
        self.transactions = self._answers.transactions
        self.status = self._answers.status
        self.answers: dict[str, Any] = {}
        self.calls = 0
        self._desks: dict[str, Desk] = {}
        self._lines: dict[Pipe, Line] = {}
        self._place: Place

    def begin(self, world: Place) -> None:
        """The world that it is part of: once, before any station connects."""
        self._place = world
        self._judge.begin(world)

    # --- what it knows, for checkers ---

    @property
    def violations(self) -> list[Violation]:
        """What stations did against the specification, in order."""
        return self._judge.violations

    @property
    def armed(self) -> dict[str, int]:
        """How often each rule had something to judge, by its name."""
        return self._judge.armed

    def open_transactions(self, station: str) -> list[Transaction]:
        """Those that were started and not stopped, by what the station told. In order of their start."""
        return list(self._desk(station).running.values())

    def believes(self, station: str, connector: int) -> str | None:
        """The status of a connector that was told last."""
        return self.status.get((station, connector))

    def deliveries(self, station: str) -> list[Delivery]:
        """Every CALL of a station that came, retries too, in order. Do not change the list."""
        return self._desk(station).deliveries

    def orphans(self, station: str) -> list[Payload]:
        """StopTransactions that belong to no transaction that was told."""
        return self._desk(station).orphans

    def registered(self, station: str) -> bool:
        """Whether it was accepted since it booted."""
        return self._desk(station).registered

    # --- the pipe's peer ---

    def opened(self, pipe: Pipe, identity: str) -> None:
        desk, judge = self._desk(identity), self._judge
        line = Line(pipe, desk, judge.clock.mono_ns, judge.true_ms)
        desk.line = self._lines[pipe] = line

    def gone(self, pipe: Pipe) -> None:
        line = self._lines.pop(pipe, None)
        if line is not None and line.desk.line is line:
            line.desk.line = None

    def booted(self, identity: str) -> None:
        """A station begins anew and has to register. The world tells, since a power cut cannot be seen from here."""
        desk = self._desk(identity)
        desk.boots += 1
        desk.registered = desk.pending = False
        desk.refused = None
        desk.triggered.clear()

    def received(self, pipe: Pipe, frame: str) -> None:
        line = self._lines.get(pipe)
        if line is None:
            return
        self._judge.armed["frame"] += 1
        try:
            message = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            message = None
        match message:
            case [2, *_]:
                self._called(line, frame, message)
            case [3 | 4, *_]:
                self._answered(line, message)
            case _:
                self._judge.note(line.desk, "frame", f"no message of OCPP-J: {frame}"[:300])

    def pipe(self, identity: str) -> Pipe | None:
        line = self._desk(identity).line
        return None if line is None else line.pipe

    # --- calls of a station ---

    def _called(self, line: Line, frame: str, message: list[Any]) -> None:
        judge, desk = self._judge, line.desk
        if not judge.is_call(desk, message):
            return
        number, action, payload = message[1], message[2], message[3]
        now = judge.clock.mono_ns
        desk.deliveries.append(Delivery(action, number, frame, now))
        judge.turn(line, action)
        call = desk.calls.get(number)
        if call is not None and judge.again(desk, call, frame, message):
            call.at, call.boot = now, desk.boots
        else:
            call = desk.calls[number] = Call(action, number, frame, now, desk.boots)
        line.out = call
        if not judge.payload(desk, action, payload):
            code = "FormationViolation" if action in STATION_CALLS else "NotImplemented"
            self._send(line, call, refused(call, code, "this is not what the specification says"))
        elif not judge.may_speak(desk, action):
            self._send(line, call, refused(call, "SecurityError", "register first"))
        else:
            self._reply(line, call, call.body or self._answers.answer(line, call, payload))
            if desk.pending and action == "BootNotification":
                self._look_round(line)

    def _reply(self, line: Line, call: Call, body: bytes) -> None:
        frame = b"[3,%b,%b]" % (msgspec.json.encode(call.id), body)
        desk = line.desk
        reply = spoilt(desk, call, frame) if desk.faults else None
        if call.action == "StartTransaction":
            good = reply is None or reply.good
            desk.failed_starts += not good
            desk.started[call.id].confirmed |= good
        if reply is None:
            call.answered = self._judge.clock.mono_ns
            call.good = True
            line.pipe.say(frame)
            if call.accepts:
                self._accepted(line)
        elif reply.late_s:
            self._place.later(reply.late_s, self._send, line, call, reply)
        else:
            self._send(line, call, reply)

    def _send(self, line: Line, call: Call, reply: Reply) -> None:
        """An answer that is not as it should be goes out, if there is still somebody to hear it."""
        if line.desk.line is not line:
            return
        if reply.late_s:
            line.desk.unwell = self._judge.clock.mono_ns
        if reply.ends:
            call.answered = self._judge.clock.mono_ns
            call.good = reply.good
        for frame in reply.frames:
            line.pipe.say(frame)
        if reply.right and call.accepts:
            self._accepted(line)

    def _accepted(self, line: Line) -> None:
        desk = line.desk
        desk.registered, desk.pending = True, False
        line.ready_ms = self._judge.true_ms
        if any(fault.how == "flood" for fault in desk.faults):
            self._burst(desk)

    def _look_round(self, line: Line) -> None:
        """What CitrineOS does with a station that is Pending."""
        self._ask(line, "GetConfiguration", {})
        if line.trigger:
            line.trigger = False
            self._ask(line, "TriggerMessage", {"requestedMessage": "BootNotification"})

    # --- calls to a station ---

    def call(self, identity: str, action: str, payload: Payload) -> str:
        """Send a command, or let it wait for the answer to the one before. Its answer appears in `answers` under the id that is returned.

        Raises KeyError where there is no connection.
        """
        line = self._desk(identity).line
        if line is None:
            raise KeyError(identity)
        return self._ask(line, action, payload).id

    def _ask(
        self, line: Line, action: str, payload: Payload, expected: tuple[str, ...] = (), at_once: bool = False
    ) -> Asked:
        self.calls += 1
        asked = Asked(
            id=f"c{self.calls}", action=action, payload=payload, valid=not flaw(action, payload), expected=expected
        )
        line.desk.asked[asked.id] = asked
        if at_once:
            self._put(line, asked)
        elif line.asked is None:
            line.asked = asked
            self._put(line, asked)
        else:
            line.waiting.append(asked)
        return asked

    def _put(self, line: Line, asked: Asked) -> None:
        desk = line.desk
        asked.at = self._judge.clock.mono_ns
        asked.sent = 2 if any(fault.how == "duplicate" for fault in desk.faults) else 1
        asked.owed = desk.registered or desk.pending
        if asked.valid:
            desk.bear_in_mind(asked)
        frame = msgspec.json.encode([2, asked.id, asked.action, asked.payload])
        for _ in range(asked.sent):
            line.pipe.say(frame)
        self._place.later(COMMAND_S, self._next, line, asked)
        self._place.later(ANSWER_S, self._due, line, asked)

    def _answered(self, line: Line, message: list[Any]) -> None:
        asked = self._judge.answer(line.desk, message)
        if asked is not None:
            self.answers[asked.id] = message[2:]
            self._next(line, asked)

    def _next(self, line: Line, asked: Asked) -> None:
        """A command is answered or given up: the one that waits may go."""
        if line.asked is asked:
            line.asked = line.waiting.popleft() if line.waiting else None
            if line.asked is not None and line.desk.line is line:
                self._put(line, line.asked)

    def _due(self, line: Line, asked: Asked) -> None:
        desk = line.desk
        if desk.line is line and (desk.registered or desk.pending):
            self._judge.due(line, asked)

    # --- misbehaviour ---

    def misbehave(self, identity: str, fault: CsmsFault) -> None:
        """From now on do as this fault says, to this station. Several at once combine."""
        desk = self._desk(identity)
        desk.faults.append(fault)
        if fault.how == "wrong_time":
            desk.offset_ms = hours_off(desk.stream)
            desk.ahead_ms = max(desk.ahead_ms, desk.offset_ms)
            desk.misled = True
        elif fault.how == "flood":
            desk.floods += 1
            self._flood(desk, desk.floods)

    def behave(self, identity: str, fault: CsmsFault) -> None:
        """That fault is over; harmless when it never began. Answers that are late still come."""
        desk = self._desk(identity)
        if fault not in desk.faults:
            return
        desk.faults.remove(fault)
        if fault.how in UNWELL:
            desk.unwell = self._judge.clock.mono_ns
        if fault.how == "wrong_time" and not any(other.how == "wrong_time" for other in desk.faults):
            desk.offset_ms = 0

    def _flood(self, desk: Desk, number: int) -> None:
        """A burst now and every so often while the fault lasts; `number` tells this flood from later ones."""
        if desk.floods == number and any(fault.how == "flood" for fault in desk.faults):
            self._burst(desk)
            self._place.later(FLOOD_S, self._flood, desk, number)

    def _burst(self, desk: Desk) -> None:
        if desk.line is not None and desk.registered:
            for _ in range(FLOOD):
                action, payload, expected = desk.stream.choice(HARMLESS)
                self._ask(desk.line, action, payload, expected, at_once=True)

    # --- inside ---

    def _desk(self, station: str) -> Desk:
        desk = self._desks.get(station)
        if desk is None:
            desk = self._desks[station] = self._new_desk(station)
        return desk

    def _new_desk(self, station: str) -> Desk:
        """What a central system knows of a station from its papers: settings as delivered, how many connectors."""
        place = self._place
        unit = place.units.get(station)
        settings = Settings() if unit is None else unit.plan.settings
        connectors = None if unit is None else len(unit.plan.shape.slots)
        digits = station[len(station.rstrip("0123456789")) :]
        stream = Stream(place.seed if self._seed is None else self._seed, "csms", station)
        return Desk(station, int(digits or 0) - 1, stream, settings, connectors)


def refused(call: Call, code: str, text: str) -> Reply:
    """The answer to what must not be processed."""
    return Reply((refusal(call, code, text),), 0, ends=True, right=False, good=False)
