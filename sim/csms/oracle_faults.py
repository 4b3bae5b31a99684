"""How the oracle misbehaves: what becomes of an answer under each `plan.CsmsFault`, several at once included, and what a flood consists of.

Not here: when (the plan), what the answer ought to be (`oracle.py`).
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import msgspec

from sim.csms.oracle_books import Call, Desk, Payload
from sim.rng import Stream

NOBODY: Final = 2_147_483_646  # an id that nothing has
HOUR_MS: Final = 3_600_000
FLOOD: Final = 5

Command: TypeAlias = tuple[str, Payload, tuple[str, ...]]

_TRIGGERED: Final = ("Accepted", "Rejected", "NotImplemented")
# Calls that change nothing, and the statuses that the specification lets a station answer; none where there is no status.
HARMLESS: Final[tuple[Command, ...]] = (
    ("GetConfiguration", {}, ()),
    ("GetConfiguration", {"key": ["HeartbeatInterval", "NoSuchKey"]}, ()),
    ("GetLocalListVersion", {}, ()),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, _TRIGGERED),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}, _TRIGGERED),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, _TRIGGERED),
    ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 99}, ("Rejected", "NotImplemented")),
    ("DataTransfer", {"vendorId": "org.example.nobody", "messageId": "hello"}, ("UnknownVendorId",)),
    ("ChangeConfiguration", {"key": "NoSuchKey", "value": "1"}, ("NotSupported",)),
    ("ChangeConfiguration", {"key": "LightIntensity", "value": "80"}, ()),  # which waits for the disk
    ("RemoteStopTransaction", {"transactionId": NOBODY}, ("Rejected",)),
    ("UnlockConnector", {"connectorId": 99}, ("NotSupported",)),
    ("CancelReservation", {"reservationId": NOBODY}, ("Rejected",)),
    ("ClearChargingProfile", {"id": NOBODY}, ("Unknown",)),
)

# What may come in place of an answer; %b is its id.
GARBLED: Final[tuple[bytes, ...]] = (
    b'[3,%b,{"status":',
    b"[3,%b,[]]",
    b'[3,%b,{"status":17,"currentTime":true,"interval":"soon","idTagInfo":[],"transactionId":"one"}]',
    b"[3,%b]",
    b'{"3":%b}',
    b"[9,%b,{}]",
)


class Reply(NamedTuple):
    """What goes out. `ends`: the station need not wait any longer; `right`: the answer is among it; `good`: at once, and nothing else."""

    frames: tuple[bytes, ...]
    late_s: float
    ends: bool
    right: bool
    good: bool


def refusal(call: Call, code: str, text: str) -> bytes:
    return msgspec.json.encode([4, call.id, code, text, {}])


def spoilt(desk: Desk, call: Call, frame: bytes) -> Reply:
    """What becomes of an answer. Draws from the station's stream."""
    hows = {fault.how: fault for fault in desk.faults if fault.action in ("", call.action)}
    if "silent" in hows:
        return Reply((), 0, ends=False, right=False, good=False)
    frames, ends, right = [frame], True, True
    if "error" in hows:
        frames, right = [refusal(call, "InternalError", "the central system has a problem")], False
    elif "malformed" in hows:
        shape = desk.stream.choice(GARBLED)
        frames, right = [shape % msgspec.json.encode(call.id)], False
        desk.garbled = True
    good = right
    if "unknown_id" in hows:
        nobody = b'[3,"nobody-%x",{}]' % desk.stream.draw(32)
        good = False
        if desk.stream.chance(50):
            frames = [nobody, *frames]
        else:
            frames, ends, right = [nobody], False, False
    if "duplicate" in hows:
        frames = [each for each in frames for _ in range(2)]
    late = hows.get("late")
    return Reply(tuple(frames), 0 if late is None else late.late_s, ends, right, good and late is None)


def hours_off(stream: Stream) -> int:
    """By how much a clock is wrong: one to eleven hours, either way, in milliseconds."""
    return stream.uniform(1, 11) * HOUR_MS * (1 if stream.chance(50) else -1)
