"""OCPP 2.0.1 as a dialect, so far one that only speaks: six messages, to keep the words neutral. Not offered to a CSMS.

Its start and stop points are those of a 1.6 station, until TxStartPoint and TxStopPoint can be set.
"""

from __future__ import annotations

from typing import Final

from ocpp_client.dialects.base import About, CallRefused, Dialect, Told
from ocpp_client.dialects.v201 import encode
from station.words.commands import AnyCommand
from station.words.common import Point
from station.words.outcomes import AnyOutcome
from station.words.policies import Policies
from station.words.questions import Refused


class V201:
    """Stateless; one object serves all stations."""

    subprotocol: Final = "ocpp2.0.1"
    wire: Final = "v201"
    policies: Final = Policies(
        version="2.0.1",
        tx_start=frozenset({Point.POWER_PATH}),
        tx_stop=frozenset({Point.CONNECTED, Point.AUTHORIZED}),
        unlock_ends_session=False,
        silent_when_rejected=False,
        tells_updates=True,
        offline_flag=True,
    )
    action_of = staticmethod(encode.action_of)
    encode = staticmethod(encode.encode)

    @staticmethod
    def answered(_told: Told, _payload: bytes) -> tuple[Refused, None]:
        return Refused("NotImplemented", "2.0.1 is not listened to yet"), None

    @staticmethod
    def command(_action: str, _payload: bytes, _about: About) -> CallRefused:
        return CallRefused("NotImplemented", "2.0.1 is not listened to yet")

    @staticmethod
    def outcome(_command: AnyCommand, _outcome: AnyOutcome, _about: About) -> bytes:
        return b"{}"


DIALECT: Final[Dialect] = V201()
