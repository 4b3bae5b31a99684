"""Payloads: bytes to checked values and back.

A version's module is imported when that version is first asked for, and a decoder is made when its message first comes;
all stations of a process share them. Not here: frames (`frame`), and what to answer to a refused payload (`refusal`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, Literal, TypeAlias, cast

import msgspec

from ocpp_client.wire.base import CustomData, Kind, Version, Wire

VERSIONS: Final[tuple[Version, ...]] = ("v16", "v201")

Payload: TypeAlias = bytes | msgspec.Raw
Hint: TypeAlias = Literal["action", "syntax", "shape"]
"""Why a payload was refused, as far as one knows without a second look: unknown action, no JSON, or another shape."""


class BadPayload(ValueError):
    """The peer sent something that is not a message of this version. `refusal.refusal_code` says what to call it."""

    def __init__(self, version: Version, action: str, kind: Kind, payload: bytes, hint: Hint) -> None:
        super().__init__(f"{version} {action} {kind}: {hint}")
        self.version, self.action, self.kind, self.payload, self.hint = version, action, kind, payload, hint


def messages(version: Version, kind: Kind) -> Mapping[str, type[Wire]]:
    """All actions of a version that have a `kind`, each with its type. Imports the version."""
    module = importlib.import_module(f"ocpp_client.wire.{version}")
    return cast(Mapping[str, type[Wire]], module.REQUESTS if kind == "request" else module.RESPONSES)


def knows(version: Version, action: str) -> bool:
    """Whether the version has this action at all; a station need not do everything it knows."""
    return action in messages(version, "request")


def decode(version: Version, action: str, kind: Kind, payload: Payload) -> Wire:
    """The message in `payload`, checked against its schema. Raises BadPayload and nothing else."""
    try:
        return _decoder(version, action, kind)(payload)
    except KeyError:
        hint: Hint = "action"
    except msgspec.ValidationError:
        hint = "shape"
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        hint = "syntax"
    raise BadPayload(version, action, kind, bytes(payload), hint)


@cache
def _decoder(version: Version, action: str, kind: Kind) -> Callable[[Payload], Wire]:
    return msgspec.json.Decoder(messages(version, kind)[action], dec_hook=_custom).decode


def _custom(wanted: type, value: object) -> CustomData:
    """The only type that msgspec does not know by itself is CustomData."""
    return CustomData.decode(value)


encode: Final[Callable[[Wire], bytes]] = msgspec.json.Encoder().encode
"""The JSON of a message. A retry is the same bytes: the order of the fields is that of the class."""
