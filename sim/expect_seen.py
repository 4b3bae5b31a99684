"""What was seen of a run: events, calls with their answers, transactions, and how statuses, contactors and offers changed. Data only.

Times are seconds since the start of the plan. Not here: who sees it (`expect_world.py`, `expect_live.py`), the judgement.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Sender: TypeAlias = Literal["station", "csms"]
Quantity: TypeAlias = Literal["status", "power", "offer"]
Track: TypeAlias = list[tuple[float, Any]]


class Event(msgspec.Struct, frozen=True):
    """`type` without its version."""

    at_s: float
    station: int
    type: str
    data: dict[str, Any]


class Call(msgspec.Struct):
    """A CALL and what was answered: a CALLRESULT's payload, or errorCode, errorDescription and errorDetails; None: nothing so far."""

    at_s: float
    station: int
    sender: Sender
    id: str
    action: str
    payload: dict[str, Any]
    answer: dict[str, Any] | None = None


class Transaction(msgspec.Struct):
    """As the CSMS knows it. `ended_s` None: it runs."""

    station: int
    slot: int
    card: str
    begun_s: float
    ended_s: float | None = None
    energy_wh: int | None = None
    reason: str = ""


class Seen:
    """Grows while the run goes on. `until_s` is how far it went."""

    def __init__(self) -> None:
        self.until_s = 0.0
        self.events: list[Event] = []
        self.calls: list[Call] = []
        self.transactions: list[Transaction] = []
        self._tracks: dict[tuple[Quantity, int, int], Track] = {}
        self._by_id: dict[tuple[int, Sender, str], Call] = {}
        self._ids: set[tuple[int, str]] = set()

    def event(self, at_s: float, station: int, id_: str, kind: str, data: bytes) -> None:
        """An event; one that is delivered again counts once."""
        if (station, id_) not in self._ids:
            self._ids.add((station, id_))
            self.events.append(Event(at_s, station, kind.rpartition(".")[0], msgspec.json.decode(data)))

    def call(self, at_s: float, station: int, sender: Sender, id_: str, action: str, payload: Any) -> None:
        """A CALL that has arrived; under an id that was seen before it is the same one."""
        key = (station, sender, id_)
        if key in self._by_id or not isinstance(payload, dict):
            return
        call = self._by_id[key] = Call(at_s, station, sender, id_, action, payload)
        self.calls.append(call)
        if action == "StatusNotification" and sender == "station":
            told = (payload.get("status"), payload.get("errorCode"))
            self.changed(at_s, "status", station, payload.get("connectorId", 0), told)

    def answer(self, station: int, sender: Sender, frame: list[Any]) -> None:
        """A CALLRESULT or CALLERROR for a call of this sender. The first one counts; one to an unknown id does not."""
        match frame:
            case [3, str(id_), dict(payload), *_]:
                said = payload
            case [4, str(id_), *rest]:
                said = dict(zip(("errorCode", "errorDescription", "errorDetails"), rest, strict=False))
            case _:
                return
        call = self._by_id.get((station, sender, id_))
        if call is not None and call.answer is None:
            call.answer = said

    def changed(self, at_s: float, quantity: Quantity, station: int, slot: int, value: Any) -> None:
        """How it is from now on; harmless when it was so before."""
        track = self._tracks.setdefault((quantity, station, slot), [])
        if not track or track[-1][1] != value:
            track.append((at_s, value))

    def track(self, quantity: Quantity, station: int, slot: int, from_s: float, by_s: float) -> Track:
        """How it was at `from_s` and each change up to `by_s`, in order. Empty: nothing was ever seen of it."""
        track = self._tracks.get((quantity, station, slot), [])
        before = [(from_s, value) for at_s, value in track if at_s <= from_s]
        return before[-1:] + [(at_s, value) for at_s, value in track if from_s < at_s <= by_s]

    def quantities(self) -> list[tuple[Quantity, int, int]]:
        """Of what, station and slot there is a track."""
        return list(self._tracks)
