"""A toy CSMS for the small world: accepts everything, keeps books, in a page. Pure; it sees frames and nothing else of the station.

Not here: judgement. What a CSMS ought to have is the oracle's business, what a real one does `server.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sim.pipe import Pipe


class Transaction(msgspec.Struct):
    """What the CSMS knows of one transaction. Registers in Wh."""

    number: int
    station: str
    connector: int
    token: str
    meter_start: int
    started: str
    meter_stop: int | None = None
    stopped: str | None = None
    reason: str = "Local"
    values: int = 0


class ToyCsms:
    """Answers every call at once. `iso_now` gives its clock. Identical message ids are answered alike and booked once."""

    def __init__(self, iso_now: Callable[[], str]) -> None:
        self._iso_now = iso_now
        self._seen: dict[tuple[str, str], dict[str, Any]] = {}
        self._pipes: dict[str, Pipe] = {}
        self._identities: dict[int, str] = {}
        self.transactions: dict[int, Transaction] = {}
        self.status: dict[tuple[str, int], str] = {}
        self.frames: list[str] = []
        self.answers: dict[str, Any] = {}
        self.calls = 0
        self.heartbeat_s = 300
        self.tokens: dict[str, dict[str, Any]] = {}
        self.silent: set[str] = set()  # actions that get no answer

    # --- the pipe's peer ---

    def opened(self, pipe: Pipe, identity: str) -> None:
        self._pipes[identity] = pipe
        self._identities[id(pipe)] = identity

    def gone(self, pipe: Pipe) -> None:
        identity = self._identities.pop(id(pipe), "")
        if self._pipes.get(identity) is pipe:
            del self._pipes[identity]

    def received(self, pipe: Pipe, frame: str) -> None:
        self.frames.append(frame)
        message = msgspec.json.decode(frame)
        identity = self._identities[id(pipe)]
        if message[0] == 2:
            if message[2] not in self.silent:
                pipe.say(msgspec.json.encode([3, message[1], self._answer(identity, *message[1:])]))
        elif message[0] in (3, 4):
            self.answers[message[1]] = message[2:]

    def call(self, identity: str, action: str, payload: dict[str, Any]) -> str:
        """Send a command; its answer appears in `answers` under the id that is returned."""
        self.calls += 1
        number = f"c{self.calls}"
        self._pipes[identity].say(msgspec.json.encode([2, number, action, payload]))
        return number

    def pipe(self, identity: str) -> Pipe | None:
        return self._pipes.get(identity)

    # --- the books ---

    def _answer(self, identity: str, number: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        key = (identity, number)
        if key not in self._seen:
            handler = getattr(self, f"_on_{action}", None)
            self._seen[key] = handler(identity, payload) if handler else {}
        return self._seen[key]

    def _on_BootNotification(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"status": "Accepted", "currentTime": self._iso_now(), "interval": self.heartbeat_s}

    def _on_Heartbeat(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"currentTime": self._iso_now()}

    def _on_Authorize(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"idTagInfo": self._info(payload["idTag"])}

    def _info(self, token: str) -> dict[str, Any]:
        return self.tokens.get(token, {"status": "Accepted"})

    def _on_StatusNotification(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.status[identity, payload["connectorId"]] = payload["status"]
        return {}

    def _on_StartTransaction(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        number = len(self.transactions) + 1
        self.transactions[number] = Transaction(
            number, identity, payload["connectorId"], payload["idTag"], payload["meterStart"], payload["timestamp"]
        )
        return {"transactionId": number, "idTagInfo": self._info(payload["idTag"])}

    def _on_MeterValues(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        transaction = self.transactions.get(payload.get("transactionId", 0))
        if transaction is not None:
            transaction.values += 1
        return {}

    def _on_StopTransaction(self, identity: str, payload: dict[str, Any]) -> dict[str, Any]:
        transaction = self.transactions.get(payload["transactionId"])
        if transaction is not None:
            transaction.meter_stop = payload["meterStop"]
            transaction.stopped = payload["timestamp"]
            transaction.reason = payload.get("reason", "Local")
        return {}
