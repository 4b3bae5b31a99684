"""What the bench's CSMS says to a call, and the books it keeps of calls: frames in, frames out, no socket.

Every payload is decoded strictly; the answers are built beforehand, only the id is put in. A call that the desk cannot
accept is answered with a call error and makes the run invalid.
"""

from __future__ import annotations

import datetime
import itertools

import msgspec

from bench import load
from bench.messages import CALL, CALL_ERROR, CALL_RESULT, REQUESTS, MeterValues, Part
from bench.schemas import SchemaSample


class Books(msgspec.Struct):
    """What the CSMS has counted since its start. With lost, refused, off_schema or off_load a row is void."""

    open: int = 0
    """Connections now."""
    lost: int = 0
    """Connections that ended."""
    booted: int = 0
    sampling: int = 0
    """Stations that have sent MeterValues."""
    meter_values: int = 0
    heartbeats: int = 0
    others: int = 0
    refused: int = 0
    """Frames that are no call the desk knows, payloads that its strict decoder refuses."""
    checked: int = 0
    """Payloads also held against the JSON schema."""
    off_schema: int = 0
    off_load: int = 0
    """MeterValues with another number of sampled values than the load has."""
    meter_values_bytes: int = 0
    """Length of all MeterValues frames together."""
    complaint: str = ""
    """The first of the complaints."""
    cpu_s: float = 0.0
    """User and system time of the CSMS's process."""


class Visitor:
    """What the desk remembers of one connection."""

    __slots__ = ("sampling",)

    def __init__(self) -> None:
        self.sampling = False


class Desk:
    """Answers calls and counts them."""

    def __init__(self, books: Books, now: datetime.datetime) -> None:
        self.books = books
        self._schemas = SchemaSample()
        self._split = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw])
        self._decoders = {action: msgspec.json.Decoder(request) for action, request in REQUESTS.items()}
        self._transactions = itertools.count(1)
        self._now = now.isoformat(timespec="seconds").replace("+00:00", "Z")
        accepted = {"idTagInfo": {"status": "Accepted"}}
        self._prebuilt = {
            action: msgspec.json.encode(answer)
            for action, answer in {
                "MeterValues": {},
                "Heartbeat": {"currentTime": self._now},
                "StatusNotification": {},
                "Authorize": accepted,
                "StopTransaction": accepted,
            }.items()
        }

    def answer(self, frame: bytes, visitor: Visitor) -> bytes:
        """The frame that answers `frame`, already counted when this returns."""
        try:
            kind, call_id, action, raw = self._split.decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._refuse("-1", "FormationViolation", f"no call: {error}")
        decoder = self._decoders.get(action)
        if kind != CALL or decoder is None:
            return self._refuse(call_id, "NotImplemented", f"message type {kind}, action {action}")
        try:
            payload = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._refuse(call_id, "FormationViolation", f"{action}: {error}")
        complaint = self._schemas.complaint(action, raw)
        if complaint is not None:
            self.books.off_schema += 1
            self._complain(complaint)
        self._count(action, payload, len(frame), visitor)
        return b'[%d,"%b",%b]' % (CALL_RESULT, call_id.encode(), self._result(action))

    def report(self, cpu_s: float) -> Books:
        self.books.checked = self._schemas.checked
        self.books.cpu_s = cpu_s
        return self.books

    def _count(self, action: str, payload: Part, length: int, visitor: Visitor) -> None:
        books = self.books
        if isinstance(payload, MeterValues):
            books.meter_values += 1
            books.meter_values_bytes += length
            values = sum(len(value.sampledValue) for value in payload.meterValue)
            if values != load.SAMPLED_VALUES:
                books.off_load += 1
                self._complain(f"MeterValues with {values} sampled values instead of {load.SAMPLED_VALUES}")
            if not visitor.sampling:
                visitor.sampling = True
                books.sampling += 1
        elif action == "Heartbeat":
            books.heartbeats += 1
        else:
            books.others += 1

    def _result(self, action: str) -> bytes:
        prebuilt = self._prebuilt.get(action)
        if prebuilt is not None:
            return prebuilt
        if action == "BootNotification":
            interval = load.heartbeat_interval_s(self.books.booted)
            self.books.booted += 1
            return msgspec.json.encode({"status": "Accepted", "currentTime": self._now, "interval": interval})
        return b'{"idTagInfo":{"status":"Accepted"},"transactionId":%d}' % next(self._transactions)

    def _refuse(self, call_id: str, code: str, why: str) -> bytes:
        self.books.refused += 1
        self._complain(why)
        return msgspec.json.encode([CALL_ERROR, call_id, code, "", {}])

    def _complain(self, complaint: str) -> None:
        self.books.complaint = self.books.complaint or complaint
