"""The RPC layer of OCPP-J: one own call out at a time, the peer's calls answered in the order they came. Pure.

Implements OCPP-J 1.6 §4 and part 4 of 2.0.1 §4; what the payloads mean is the dialect's business.
Answers to unknown or old ids are ignored.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hal.units import Ticket
from ocpp_client.outbox import Queued
from ocpp_client.wire.frame import Call, CallError, CallResult, join
from station.words.commands import AnyCommand

INBOUND_BOUND: Final = 16  # calls of the peer that may be unanswered at a time
NO_ID: Final = "-1"  # for frames whose id could not be read


class Asked:
    """A call of the peer that is being worked on."""

    __slots__ = ("action", "command", "message_id", "ticket")

    def __init__(self, message_id: str, action: str, ticket: Ticket, command: AnyCommand) -> None:
        self.message_id = message_id
        self.action = action
        self.ticket = ticket
        self.command = command


class Rpc:
    """`out` is our call on its way, `asked` the peer's call that waits for our answer, `waiting` those behind it."""

    __slots__ = ("asked", "out", "waiting")

    def __init__(self) -> None:
        self.out: Queued | None = None
        self.asked: Asked | None = None
        self.waiting: list[Call] = []

    def call(self, queued: Queued, action: str, payload: bytes) -> bytes:
        """The frame of our next call."""
        self.out = queued
        return join(Call(queued.message_id, action, msgspec.Raw(payload)))

    def settle(self, message_id: str) -> Queued | None:
        """An answer with this id came: the call it answers, now no longer out; None for a late or unknown one."""
        queued = self.out
        if queued is None or queued.message_id != message_id:
            return None
        self.out = None
        return queued

    def take(self, call: Call) -> bool:
        """The peer calls. False: too many of its calls are unanswered already."""
        if len(self.waiting) + (self.asked is not None) >= INBOUND_BOUND:
            return False
        self.waiting.append(call)
        return True

    def reset(self) -> Queued | None:
        """The connection is gone. Returns our call that was out."""
        queued, self.out = self.out, None
        self.asked = None
        self.waiting.clear()
        return queued


def result(message_id: str, payload: bytes) -> bytes:
    return join(CallResult(message_id, msgspec.Raw(payload)))


def error(message_id: str | None, code: str, description: str = "") -> bytes:
    return join(CallError(message_id or NO_ID, code, description[:255]))
