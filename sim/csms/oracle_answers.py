"""What the oracle answers a station, and what it books of it.

Each call is booked once, by its id and its content, whatever the station is told in the end. Not here: what is wrong with it
(`oracle_judge.py`), whether the answer gets there (`oracle_faults.py`, the pipe).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from sim.csms.oracle_books import UNCONFIRMED, Call, Desk, Line, Payload, Transaction, is_triggered, moment_text
from sim.csms.oracle_judge import Judge
from sim.csms.oracle_rules import UNWELL, flaw

EMPTY: Final = b"{}"
REFUSED_S: Final = 30  # the interval of a registration that is pending or rejected


class Answers:
    """`tokens`: what is said of a card, Accepted where nothing stands. `transactions` by a key of our own, `status` as told last."""

    def __init__(self, judge: Judge, heartbeat_s: int) -> None:
        self.judge = judge
        self.heartbeat_s = heartbeat_s
        self.tokens: dict[str, Payload] = {}
        self.transactions: dict[int, Transaction] = {}
        self.status: dict[tuple[str, int], str] = {}

    def answer(self, line: Line, call: Call, payload: Payload) -> bytes:
        """The payload of the answer, as it ought to be. ValueError where `tokens` holds what no answer may."""
        handler = _HANDLERS.get(call.action)
        return EMPTY if handler is None else handler(self, line, call, payload)

    def well(self, desk: Desk, action: str) -> bool:
        """Whether such a call is answered now as it ought to be."""
        spoils = UNWELL - {"pending", "rejected"}
        return not any(fault.how in spoils and fault.action in ("", action) for fault in desk.faults)

    def _body(self, action: str, payload: Payload) -> bytes:
        """An answer as bytes. ValueError for one that is none: `tokens` may hold anything."""
        wrong = flaw(f"{action}Response", payload)
        if wrong:
            raise ValueError(f"the CSMS would answer {action} with {payload}: {wrong}")
        return msgspec.json.encode(payload)

    def _on_boot(self, line: Line, call: Call, payload: Payload) -> bytes:
        desk = line.desk
        self.judge.boot(desk)
        hows = [fault.how for fault in desk.faults]
        status = "Rejected" if "rejected" in hows else "Pending" if "pending" in hows else "Accepted"
        call.accepts = status == "Accepted"
        if not call.accepts:
            desk.registered = False
            desk.refused = (call.at, REFUSED_S) if self.well(desk, call.action) else None
        desk.pending = status == "Pending"
        interval_s = self.heartbeat_s if call.accepts else REFUSED_S
        return self._body(call.action, {"status": status, "currentTime": self._time(desk), "interval": interval_s})

    def _on_heartbeat(self, line: Line, call: Call, payload: Payload) -> bytes:
        return self._body(call.action, {"currentTime": self._time(line.desk)})

    def _time(self, desk: Desk) -> str:
        return moment_text(self.judge.true_ms + desk.offset_ms)

    def _on_authorize(self, line: Line, call: Call, payload: Payload) -> bytes:
        token, info = payload["idTag"], self._info(payload["idTag"])
        if info["status"] == "Accepted":
            line.desk.denied.pop(token, None)
        elif self.well(line.desk, call.action):
            self.judge.denied(line.desk, token)
        return self._body(call.action, {"idTagInfo": info})

    def _info(self, token: str) -> Payload:
        return self.tokens.get(token) or self.tokens.get(token.upper()) or {"status": "Accepted"}

    def _on_status(self, line: Line, call: Call, payload: Payload) -> bytes:
        self.judge.status(line, payload)
        self.status[line.desk.station, payload["connectorId"]] = payload["status"]
        return EMPTY

    def _on_start(self, line: Line, call: Call, payload: Payload) -> bytes:
        desk, judge = line.desk, self.judge
        connector, token, meter = payload["connectorId"], payload["idTag"], payload["meterStart"]
        content = (connector, token, meter, payload["timestamp"])
        transaction = desk.starts.get(content)
        if transaction is not None and transaction.meter_stop is not None and transaction.start is not call:
            transaction = None  # the one before was stopped: two may begin at one moment, of a clock that was set back
        if transaction is None:
            ms = judge.moment(desk, payload["timestamp"])
            judge.start(line, payload, ms)
            key = len(self.transactions) + 1
            number = 0 if any(fault.how == "transaction_zero" for fault in desk.faults) else key
            transaction = Transaction(number, desk.station, connector, token, meter, payload["timestamp"], key=key)
            transaction.last_ms, transaction.register_wh = ms, meter
            self.transactions[key] = transaction
            desk.begin(transaction, content)
            desk.registers[connector] = meter
        else:
            judge.told_twice(desk, transaction.start, call)
        transaction.start = call
        desk.started[call.id] = transaction
        info = self._info(token)
        if info["status"] == "Accepted":
            desk.denied.pop(token, None)
        call.body = self._body(call.action, {"transactionId": transaction.number, "idTagInfo": info})
        return call.body

    def _on_values(self, line: Line, call: Call, payload: Payload) -> bytes:
        desk, judge = line.desk, self.judge
        call.body = EMPTY
        number = payload.get("transactionId")
        judge.connector(desk, payload["connectorId"])
        transaction = None
        if number is not None:
            transaction = desk.find(number, payload["connectorId"], None)
            if transaction is None and number != UNCONFIRMED:
                transaction = desk.find(number, None, None)
            judge.known(desk, "values", number, transaction)
        if transaction is None:
            for entry in payload["meterValue"]:
                judge.moment(desk, entry["timestamp"])
                judge.register(desk, entry)
        elif payload == transaction.last and not is_triggered(payload):
            judge.told_twice(desk, transaction.last_call, call)
            transaction.values += transaction.last_call is not None and transaction.last_call.sure
        else:
            judge.values(desk, transaction, payload)
            transaction.values += 1
            transaction.last = payload
        if transaction is not None:
            transaction.last_call = call
        return EMPTY

    def _on_stop(self, line: Line, call: Call, payload: Payload) -> bytes:
        desk, judge = line.desk, self.judge
        number, meter = payload["transactionId"], payload["meterStop"]
        token = payload.get("idTag")
        call.body = EMPTY if token is None else self._body(call.action, {"idTagInfo": self._info(token)})
        transaction = desk.find(number, None, meter)
        judge.known(desk, "stop", number, transaction)
        if transaction is None:
            desk.orphans.append(payload)
        elif (transaction.meter_stop, transaction.stopped) == (meter, payload["timestamp"]):
            judge.told_twice(desk, transaction.stop, call)
            transaction.stop = call
        else:
            judge.stop(desk, transaction, payload)
            if transaction.meter_stop is None:
                desk.end(transaction, payload)
                transaction.stop = call
        return call.body

    def _on_transfer(self, line: Line, call: Call, payload: Payload) -> bytes:
        return self._body(call.action, {"status": "UnknownVendorId"})

    def _on_sign(self, line: Line, call: Call, payload: Payload) -> bytes:
        return self._body(call.action, {"status": "Rejected"})


_HANDLERS: Final[dict[str, Callable[[Answers, Line, Call, Payload], bytes]]] = {
    "BootNotification": Answers._on_boot,
    "Heartbeat": Answers._on_heartbeat,
    "Authorize": Answers._on_authorize,
    "StatusNotification": Answers._on_status,
    "StartTransaction": Answers._on_start,
    "MeterValues": Answers._on_values,
    "StopTransaction": Answers._on_stop,
    "DataTransfer": Answers._on_transfer,
    "SignCertificate": Answers._on_sign,
}
