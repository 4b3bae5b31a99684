"""What every dialect can do, and what it may look at while it does.

A dialect maps words to messages and back. It has no state: what a version must remember about one station (1.6: the
transactionIds) is handed in with each call and kept by the station. It decides nothing that the station decides; where
versions differ by rule, it says so in its `Policies`. Not here: frames, ids, order and time-outs (`ocpp_client.rpc`).
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import msgspec

from ocpp_client.wire.base import Version
from station.words.commands import AnyCommand
from station.words.common import SessionId
from station.words.facts import AnyFact
from station.words.outcomes import AnyOutcome
from station.words.policies import Policies
from station.words.questions import AnyAnswer, AnyQuestion
from station.words.settings import StationShape

Told: TypeAlias = AnyFact | AnyQuestion
"""All that a station says of its own accord."""

Notes: TypeAlias = dict[SessionId, int]
"""The transactionIds that the CSMS of one station gave to its sessions, oldest first; they live with the station."""


class About(msgspec.Struct, frozen=True, gc=False):
    """What a dialect may look at besides the word itself.

    There is no setting in it, and there must be none: encoding is a pure function of a record and of what was noted
    for it, so that a retry repeats its bytes whatever has been set meanwhile.
    """

    shape: StationShape
    serial: str = ""
    transactions: Notes = msgspec.field(default_factory=dict)


class CallRefused(msgspec.Struct, frozen=True, gc=False):
    """A CALL that is no command to this station; answered by a CALLERROR with this code and sentence."""

    code: str
    description: str = ""


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A CALL whose answer follows from the version alone: the payload of its CALLRESULT. The station is not asked."""

    payload: bytes


Asked: TypeAlias = AnyCommand | Answered | CallRefused
"""What a CALL turns out to be."""


class Dialect(Protocol):
    """One version of OCPP."""

    @property
    def subprotocol(self) -> str:
        """Its name in the handshake of the WebSocket: "ocpp1.6"."""

    @property
    def wire(self) -> Version:
        """The version's wire types (`ocpp_client.wire`)."""

    @property
    def policies(self) -> Policies: ...

    def action_of(self, told: Told) -> str | None:
        """The action that `told` is sent as; None if this version has no message for such a word."""

    def encode(self, told: Told, about: About) -> tuple[str, bytes] | None:
        """Action and JSON payload of a CALL; None if this version has nothing to say here."""

    def answered(self, told: Told, payload: bytes) -> tuple[AnyAnswer, int | None]:
        """What a CALLRESULT means, and the transactionId to note for the session of `told`, if it brings one.

        Never raises: a payload that makes no sense is `Refused`.
        """

    def command(self, action: str, payload: bytes, about: About) -> Asked:
        """What a CALL of the CSMS asks for. Never raises, whatever the bytes are."""

    def outcome(self, command: AnyCommand, outcome: AnyOutcome, about: About) -> bytes:
        """The JSON payload of the CALLRESULT to `command`, which this dialect made."""
