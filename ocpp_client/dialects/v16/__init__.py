"""OCPP 1.6 as a dialect: Core and RemoteTrigger of 1.6 edition 2, with the errata of 2025-04."""

from __future__ import annotations

from typing import Final

from ocpp_client.dialects.base import Dialect
from ocpp_client.dialects.v16 import commands, decode, encode
from station.words.common import Point
from station.words.policies import Policies


class V16:
    """Stateless; one object serves all stations."""

    subprotocol: Final = "ocpp1.6"
    wire: Final = "v16"
    policies: Final = Policies(
        version="1.6",
        tx_start=frozenset({Point.POWER_PATH}),
        tx_stop=frozenset({Point.CONNECTED, Point.AUTHORIZED}),
        unlock_ends_session=True,
        silent_when_rejected=True,
        tells_updates=False,
        offline_flag=False,
        token_max=encode.ID_TAG_MAX,
    )
    action_of = staticmethod(encode.action_of)
    encode = staticmethod(encode.encode)
    answered = staticmethod(decode.answered)
    command = staticmethod(commands.command)
    outcome = staticmethod(commands.outcome)


DIALECT: Final[Dialect] = V16()
