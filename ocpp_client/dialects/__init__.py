"""One dialect for each version of OCPP: the neutral words on one side, messages on the other.

No version is imported before it is asked for: a station loads the one it speaks.
"""

from __future__ import annotations

from typing import Final

from ocpp_client.dialects.base import Dialect

OFFERED: Final = ("ocpp1.6",)
"""The subprotocols a station may offer, most wanted first. 2.0.1 can be told so far, not yet listened to."""


def load(version: str) -> Dialect:
    """The dialect of a version ("1.6") or of a subprotocol ("ocpp1.6"). KeyError for one that nobody has written."""
    match version.removeprefix("ocpp"):
        case "1.6":
            from ocpp_client.dialects.v16 import DIALECT as V16

            return V16
        case "2.0.1":
            from ocpp_client.dialects.v201 import DIALECT as V201

            return V201
        case _:
            raise KeyError(version)
