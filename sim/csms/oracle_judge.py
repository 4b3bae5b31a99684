"""Who holds a station to the rules of `oracle_rules.py`, and notes each that it breaks.

It sees frames and what they add up to in the books. Not here: what the board did (`sim/checkers/`), what is answered (`oracle.py`).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hal.units import SECOND, MonoNs, UtcMs
from sim.csms.oracle_books import (
    UNCONFIRMED,
    Asked,
    Call,
    Desk,
    Line,
    Payload,
    Transaction,
    Violation,
    is_triggered,
    moment_ms,
    register_wh,
)
from sim.csms.oracle_rules import CODES, CORE, MALFORMED, RULES, STATION_CALLS, TRANSITIONS, WITH_VEHICLE, Excuses, flaw
from sim.pipe import LATENCY_NS

ROUND_TRIP: Final[MonoNs] = 2 * LATENCY_NS
ANSWER_S: Final = 60
SLACK_NS: Final[MonoNs] = SECOND
FUTURE_MS: Final[UtcMs] = 5_000
SIGN_MS: Final[UtcMs] = 65_000  # when a cut ended something is known to a sign of life, where the clock cannot tell
YEAR_2020_MS: Final[UtcMs] = 1_577_836_800_000


class Judge(Excuses):
    """`violations` in order; `armed` says how often each rule had something to say yes or no to."""

    def __init__(self) -> None:
        super().__init__()
        self.violations: list[Violation] = []
        self.armed: dict[str, int] = dict.fromkeys(RULES, 0)

    def note(self, desk: Desk, rule: str, sentence: str) -> None:
        self.violations.append(Violation(self.clock.mono_ns, desk.station, rule, sentence))

    # --- calls of the station ---

    def is_call(self, desk: Desk, message: list[Any]) -> bool:
        """[2, id, action, payload] with an id that can be one."""
        if len(message) != 4 or not isinstance(message[2], str) or not isinstance(message[3], dict):
            self.note(desk, "frame", f"no CALL: {message!r}"[:300])
            return False
        self.armed["message-id"] += 1
        if not isinstance(message[1], str) or not 1 <= len(message[1]) <= 36:
            self.note(desk, "message-id", f"{message[2]} has the message id {message[1]!r}")
        return isinstance(message[1], str)

    def turn(self, line: Line, action: str) -> None:
        """Whether a CALL may be sent now."""
        out, now = line.out, self.clock.mono_ns
        if out is None:
            return
        self.armed["one-call"] += 1
        answered = out.answered >= out.at
        in_time = now - out.at < line.desk.message_timeout_s * SECOND - SLACK_NS
        if answered and now - out.answered >= ROUND_TRIP:
            out.sure = out.sure or (out.good and not self.network_wrong(line.desk, out.at))
        elif in_time and not self.network_wrong(line.desk, out.at):
            self.note(line.desk, "one-call", f"{action} while {out.action} {out.id} was not answered")

    def again(self, desk: Desk, call: Call, frame: str, message: list[Any]) -> bool:
        """A message id that was there before. True: it is the same message."""
        self.armed["retry-bytes"] += 1
        self.armed["message-id"] += 1
        self.armed["asked-again"] += 1
        if frame == call.frame:
            if call.sure and call.boot == desk.boots:
                self.note(desk, "asked-again", f"{call.action} {call.id} came again after its answer")
            return True
        if msgspec.json.decode(call.frame) == message:
            self.note(desk, "retry-bytes", f"{call.action} {call.id} came again with other bytes: {frame}")
            return True
        self.note(desk, "message-id", f"{call.id} was {call.action} and is now {message[2]} of other content: {frame}")
        return False

    def payload(self, desk: Desk, action: str, payload: Payload) -> bool:
        self.armed["action"] += 1
        self.armed["schema"] += 1
        if action not in STATION_CALLS:
            self.note(desk, "action", f"{action} is nothing that a station calls")
            return False
        wrong = flaw(action, payload)
        if wrong:
            self.note(desk, "schema", f"{action}: {wrong}")
        return not wrong

    def may_speak(self, desk: Desk, action: str) -> bool:
        """Whether the registration allows this."""
        if desk.registered:
            return True
        self.armed["registration"] += 1
        if action == "BootNotification" or action in desk.triggered:
            return True
        how = "while Pending" if desk.pending else "before the registration was accepted"
        self.note(desk, "registration", f"{action} {how}")
        return False

    def boot(self, desk: Desk) -> None:
        """A BootNotification comes."""
        if desk.refused is None:
            return
        at, interval_s = desk.refused
        self.armed["boot-interval"] += 1
        waited = self.clock.mono_ns - at
        if (
            waited < interval_s * SECOND
            and "BootNotification" not in desk.triggered
            and not self.network_wrong(desk, at)
        ):
            self.note(desk, "boot-interval", f"BootNotification after {waited / SECOND:.1f} of {interval_s} s")

    # --- moments, values, connectors ---

    def moment(self, desk: Desk, text: str) -> UtcMs:
        """The timestamp as a number, once it was looked at."""
        ms = moment_ms(text)
        self.armed["time-past"] += 1
        self.armed["time-future"] += 1
        if ms < YEAR_2020_MS:
            self.note(desk, "time-past", f"{text} lies before 2020")
        elif ms > self.true_ms + FUTURE_MS:
            steps_ms = sum(round(fault.by_s * 1000) for fault in self.clock_faults(desk) if fault.by_s > 0)
            sign_ms = SIGN_MS if self.clock_wrong(desk) else 0
            if ms > self.true_ms + FUTURE_MS + desk.ahead_ms + steps_ms + sign_ms:
                self.note(desk, "time-future", f"{text} lies {(ms - self.true_ms) / 1000:.1f} s in the future")
        return ms

    def register(self, desk: Desk, entry: Payload) -> int | None:
        """The register in a meterValue, in Wh."""
        self.armed["value"] += 1
        try:
            return register_wh(entry)
        except ValueError as error:
            self.note(desk, "value", str(error))
            return None

    def connector(self, desk: Desk, connector: int, least: int = 0) -> None:
        self.armed["connector"] += 1
        if connector < least or (desk.connectors is not None and connector > desk.connectors):
            self.note(desk, "connector", f"there is no connector {connector}")

    # --- statuses ---

    def status(self, line: Line, payload: Payload) -> None:
        desk, now = line.desk, self.clock.mono_ns
        connector, status = payload["connectorId"], payload["status"]
        self.connector(desk, connector)
        self._sense(desk, connector, status, payload["errorCode"])
        ms = self.moment(desk, payload["timestamp"]) if "timestamp" in payload else 0
        told = line.said.get(connector)
        line.said[connector] = (status, now, ms)
        if connector == 0:
            self.armed["station-status"] += 1
            if status not in ("Available", "Unavailable", "Faulted"):
                self.note(desk, "station-status", f"connector 0 is {status}")
        if told is None:
            return
        was, at, was_ms = told
        self.armed["status-order"] += 1
        # a time that was told by way of a slow answer is a little old, and the station has to believe it: since the one before was made
        made = min(at, self.instant(was_ms))
        late = self.clock_wrong(desk) or self.unwell(desk, made) or self.network_wrong(desk, at)
        if 0 < ms < was_ms and not late:
            self.note(desk, "status-order", f"connector {connector}: {status} of {was_ms - ms} ms before {was}")
        if status != was and connector > 0:
            self.armed["transition"] += 1
            bad = (was, status) not in TRANSITIONS
            if bad and not (desk.min_status or self.unwell(desk, at) or self.network_wrong(desk, at)):
                self.note(desk, "transition", f"connector {connector}: {was} to {status}")

    def _sense(self, desk: Desk, connector: int, status: str, code: str) -> None:
        self.armed["error-sense"] += 1
        match code:
            case "NoError":
                wrong = status == "Faulted"
            case "EVCommunicationError":
                wrong = connector == 0 or status not in WITH_VEHICLE
            case "ConnectorLockFailure":
                wrong = connector == 0
            case "LocalListConflict":
                wrong = connector != 0
            case _:
                wrong = False
        if wrong:
            self.note(desk, "error-sense", f"connector {connector} is {status} with {code}")

    # --- transactions ---

    def start(self, line: Line, payload: Payload, ms: UtcMs) -> None:
        """A StartTransaction that was not told before."""
        desk, connector = line.desk, payload["connectorId"]
        self.connector(desk, connector, least=1)
        self.armed["start-occupied"] += 1
        other = desk.open_on(connector)
        if other is not None and other.start is not None:
            excused = not other.confirmed or other.doubtful or self.network_wrong(desk, other.start.at)
            if not excused:
                self.note(desk, "start-occupied", f"connector {connector} already has transaction {other.number}")
        self.armed["register"] += 1
        known = desk.registers.get(connector, 0)
        if payload["meterStart"] < known and not self.meter_wrong(desk, connector):
            self.note(
                desk, "register", f"connector {connector}: meterStart {payload['meterStart']} Wh after {known} Wh"
            )
        self._may_start(line, payload["idTag"], ms)

    def denied(self, desk: Desk, token: str) -> None:
        """An Authorize was refused, and the answer is as it should be."""
        self.armed["start-denied"] += 1
        desk.denied[token] = self.true_ms

    def _may_start(self, line: Line, token: str, ms: UtcMs) -> None:
        """A start by somebody whom this CSMS has refused, by a station that had asked and could have asked again."""
        desk = line.desk
        denied_ms = desk.denied.get(token)
        if denied_ms is None or desk.settings.cards_decided_by != "csms" or desk.listed or token in desk.vouched:
            return
        online = line.ready_ms is not None and line.ready_ms <= ms
        if online and ms >= denied_ms and not self.clock_wrong(desk) and not self.unwell(desk, line.opened):
            self.note(desk, "start-denied", f"{token} was refused and started all the same")

    def told_twice(self, desk: Desk, before: Call | None, call: Call) -> None:
        """The same content under another id."""
        self.armed["told-twice"] += 1
        if call.action == "MeterValues" and self.clock_wrong(desk):
            return  # a clock that was set back may stand still, and a car may draw nothing
        if before is not None and before is not call and before.sure and before.boot == desk.boots:
            self.note(desk, "told-twice", f"{call.action} {call.id} had been told and confirmed as {before.id}")

    def known(self, desk: Desk, what: str, number: int, transaction: Transaction | None) -> None:
        """Whether a transactionId may be used."""
        self.armed["transaction-known"] += 1
        given = transaction is not None and number != UNCONFIRMED
        failed = number == UNCONFIRMED and (desk.failed_starts > 0 or self.network_wrong(desk, 0))
        if not given and not failed:
            self.note(desk, "transaction-known", f"{what} of transaction {number}, which this station was not given")

    def values(self, desk: Desk, transaction: Transaction, payload: Payload) -> None:
        """Meter values of a transaction that were not told before."""
        self.armed["transaction-order"] += 1
        if transaction.meter_stop is not None and not transaction.doubtful:
            self.note(desk, "transaction-order", f"values of transaction {transaction.number} after its stop")
        elif payload["connectorId"] != transaction.connector:
            wrong = f"values of transaction {transaction.number} from connector {payload['connectorId']}"
            self.note(desk, "transaction-order", f"{wrong}, not {transaction.connector}")
        asked_for = is_triggered(payload)  # they may overtake those that wait
        for entry in payload["meterValue"]:
            ms, wh = self.moment(desk, entry["timestamp"]), self.register(desk, entry)
            if not asked_for:
                self._advance(desk, transaction, ms, wh)

    def stop(self, desk: Desk, transaction: Transaction, payload: Payload) -> None:
        """A StopTransaction that was not told before."""
        self.armed["transaction-order"] += 1
        ms = self.moment(desk, payload["timestamp"])
        if "transactionData" in payload:
            self._data(desk, transaction, payload["transactionData"], ms)
        if transaction.meter_stop is not None:
            if not transaction.doubtful:
                self.note(desk, "transaction-order", f"transaction {transaction.number} is stopped a second time")
            return
        self._advance(desk, transaction, ms, payload["meterStop"])

    def _advance(self, desk: Desk, transaction: Transaction, ms: UtcMs, wh: int | None) -> None:
        self.armed["time-order"] += 1
        if ms < transaction.last_ms and not transaction.doubtful:
            back = f"{transaction.last_ms - ms} ms back"
            self.note(desk, "time-order", f"transaction {transaction.number} goes {back} at {ms}")
        transaction.last_ms = ms
        if wh is None:
            return
        self.armed["register"] += 1
        connector = transaction.connector
        if wh < transaction.register_wh and not transaction.doubtful and not self.meter_wrong(desk, connector):
            back = f"from {transaction.register_wh} to {wh} Wh"
            self.note(desk, "register", f"transaction {transaction.number} on connector {connector}: {back}")
        transaction.register_wh = wh
        if not transaction.doubtful:
            desk.registers[connector] = wh

    def _data(self, desk: Desk, transaction: Transaction, data: list[Payload], stopped_ms: UtcMs) -> None:
        """The transactionData of a StopTransaction: they may be empty, and of the clock only."""
        self.armed["transaction-data"] += 1
        which = f"transaction {transaction.number}: transactionData"
        moments = [self.moment(desk, entry["timestamp"]) for entry in data]
        if not transaction.doubtful and moments != sorted(moments):
            self.note(desk, "transaction-data", f"{which} are not in order")
        elif (
            moments
            and not transaction.doubtful
            and not moment_ms(transaction.started) <= moments[0] <= moments[-1] <= stopped_ms
        ):
            self.note(desk, "transaction-data", f"{which} do not lie between its start and its stop")
        contexts = [{value.get("context", "Sample.Periodic") for value in entry["sampledValue"]} for entry in data]
        if any(context != {"Sample.Clock"} for context in contexts) and not (
            "Transaction.Begin" in contexts[0] and "Transaction.End" in contexts[-1]
        ):
            self.note(desk, "transaction-data", f"{which} do not begin and end with the transaction")
        registers = [wh for entry in data if (wh := self.register(desk, entry)) is not None]
        if registers != sorted(registers) and not self.meter_wrong(desk, transaction.connector):
            self.note(desk, "register", f"{which} go back")

    # --- answers of the station ---

    def answer(self, desk: Desk, message: list[Any]) -> Asked | None:
        """A CALLRESULT or CALLERROR; what it answers, if it answers anything."""
        number = message[1] if len(message) > 1 else None
        asked = desk.asked.get(number) if isinstance(number, str) else None
        self.armed["answer-known"] += 1
        if asked is None or not asked.sent:
            if not (message[0] == 4 and number == "-1" and desk.garbled):
                self.note(desk, "answer-known", f"an answer to {number!r}, which was never asked")
            return None
        asked.answered += 1
        self.armed["answer-once"] += 1
        if asked.answered > asked.sent:
            self.note(desk, "answer-once", f"{asked.action} {asked.id} was answered {asked.answered} times")
        if message[0] == 3:
            self._result(desk, asked, message)
        else:
            self._error(desk, asked, message)
        return asked

    def _result(self, desk: Desk, asked: Asked, message: list[Any]) -> None:
        if len(message) != 3:
            self.note(desk, "frame", f"no CALLRESULT: {message!r}"[:300])
            return
        self.armed["schema"] += 1
        wrong = flaw(f"{asked.action}Response", message[2])
        if wrong:
            self.note(desk, "schema", f"{asked.action}Response: {wrong}")
            return
        status = message[2].get("status")
        if desk.pending and asked.action in ("RemoteStartTransaction", "RemoteStopTransaction"):
            self.armed["registration"] += 1
            if status == "Accepted":
                self.note(desk, "registration", f"{asked.action} was accepted while Pending")
        elif asked.expected and asked.owed:
            self.armed["answer-status"] += 1
            if status not in asked.expected:
                wanted = " or ".join(asked.expected)
                self.note(desk, "answer-status", f"{asked.action} {asked.payload} is answered {status}, not {wanted}")

    def _error(self, desk: Desk, asked: Asked, message: list[Any]) -> None:
        self.armed["error-code"] += 1
        match message:
            case [4, _, str(code), str(text), dict()] if len(text) <= 255:
                if code not in CODES:
                    self.note(desk, "error-code", f"{code} is no code of 1.6")
            case _:
                self.note(desk, "error-code", f"no CALLERROR: {message!r}"[:300])
                return
        self.armed["answer-refused"] += 1
        refused = code in MALFORMED or (asked.action in CORE and code in ("NotImplemented", "NotSupported"))
        if asked.valid and refused:
            self.note(desk, "answer-refused", f"{asked.action} {asked.payload} is answered {code}: {text}")

    def due(self, line: Line, asked: Asked) -> None:
        """A minute after a CALL of the CSMS, on a connection that is still there."""
        self.armed["answer-due"] += 1
        if not asked.answered and asked.owed and not self.network_wrong(line.desk, asked.at):
            self.note(line.desk, "answer-due", f"{asked.action} {asked.id} was not answered within {ANSWER_S} s")
