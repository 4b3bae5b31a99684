"""What to answer to something that is refused: the CALLERROR code of each version, and a sentence.

A refused payload is rare and is looked at a second time, with a schema validator that is imported only then; what
msgspec said about it is never read. Implements the error codes of OCPP-J 1.6, whose two odd spellings are official, and
of part 4 of 2.0.1.
"""

from __future__ import annotations

import importlib
import re
from enum import IntEnum
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any, Final

import msgspec

from ocpp_client.wire import codec
from ocpp_client.wire.base import DATE_TIME, Kind, Version
from ocpp_client.wire.frame import DESCRIPTION_MAX, BadFrame, UnknownMessageType

LOOKED_AT: Final = 100
"""So many faults of one payload are considered; the code of a payload with more of them is not worth the time."""


class Flaw(IntEnum):
    """What can be wrong with a payload, the gravest first: it is the gravest that is answered."""

    ACTION = 0
    SYNTAX = 1
    UNKNOWN = 2  # a property that the message does not have
    MISSING = 3
    TYPE = 4
    OCCURRENCE = 5
    VALUE = 6


CODES: Final[dict[Version, dict[Flaw, str]]] = {
    "v16": {
        Flaw.ACTION: "NotImplemented",
        Flaw.SYNTAX: "FormationViolation",
        Flaw.UNKNOWN: "FormationViolation",
        Flaw.MISSING: "ProtocolError",
        Flaw.TYPE: "TypeConstraintViolation",
        Flaw.OCCURRENCE: "OccurenceConstraintViolation",
        Flaw.VALUE: "PropertyConstraintViolation",
    },
    "v201": {
        Flaw.ACTION: "NotImplemented",
        Flaw.SYNTAX: "FormatViolation",
        Flaw.UNKNOWN: "FormatViolation",
        Flaw.MISSING: "OccurrenceConstraintViolation",
        Flaw.TYPE: "TypeConstraintViolation",
        Flaw.OCCURRENCE: "OccurrenceConstraintViolation",
        Flaw.VALUE: "PropertyConstraintViolation",
    },
}

_FLAWS: Final = {
    "additionalProperties": (Flaw.UNKNOWN, "unknown property"),
    "required": (Flaw.MISSING, "missing property"),
    "type": (Flaw.TYPE, "wrong JSON type, expected"),
    "minItems": (Flaw.OCCURRENCE, "fewer items than"),
    "maxItems": (Flaw.OCCURRENCE, "more items than"),
    "maxLength": (Flaw.VALUE, "more characters than"),
    "enum": (Flaw.VALUE, "none of the allowed values"),
    "minimum": (Flaw.VALUE, "less than"),
    "maximum": (Flaw.VALUE, "more than"),
    "multipleOf": (Flaw.VALUE, "not a multiple of"),
    "format": (Flaw.VALUE, "no valid"),
}


def refusal_code(version: Version, action: str, kind: Kind, payload: codec.Payload) -> tuple[str, str]:
    """Error code and description for a payload that `codec.decode` refused. Answers for any bytes; never raises.

    The description names places and rules, never values of the payload, and has at most 255 characters.
    """
    flaw, text = _flaw(version, action, kind, payload)
    return CODES[version][flaw], text[:DESCRIPTION_MAX]


def frame_code(version: Version, error: BadFrame) -> tuple[str, str] | None:
    """Error code and description for a frame that `frame.split` refused; None where the version says to ignore it."""
    if isinstance(error, UnknownMessageType):
        ignored = version == "v16" or error.message_id is None
        return None if ignored else ("MessageTypeNotSupported", error.reason)
    if error.in_payload:
        return CODES[version][Flaw.SYNTAX], error.reason
    return "GenericError" if version == "v16" else "RpcFrameworkError", error.reason


def _flaw(version: Version, action: str, kind: Kind, payload: codec.Payload) -> tuple[Flaw, str]:
    if action not in codec.messages(version, kind):
        return Flaw.ACTION, "unknown action"
    try:
        instance = msgspec.json.decode(payload)
    except msgspec.ValidationError:
        return Flaw.VALUE, "a number is out of range"
    except (msgspec.DecodeError, UnicodeError):
        return Flaw.SYNTAX, "no JSON"
    except RecursionError:
        return Flaw.SYNTAX, "nested too deeply"
    if not isinstance(instance, dict):
        return Flaw.SYNTAX, "no JSON object"
    errors = _validator(version, action, kind).iter_errors(instance)
    flaws = [_described(error) for error in islice(errors, LOOKED_AT)]
    return min(flaws, key=lambda flaw: flaw[0], default=(Flaw.VALUE, "a value that is not allowed"))


def _described(error: Any) -> tuple[Flaw, str]:
    flaw, text = _FLAWS[error.validator]
    match error.validator:
        case "additionalProperties":
            detail = _harmless(min(error.instance.keys() - error.schema.get("properties", {}).keys()))
        case "required":
            detail = next(name for name in error.validator_value if name not in error.instance)
        case "enum":
            detail = ""
        case _:
            detail = str(error.validator_value)
    return flaw, f"{error.json_path}: {text} {detail}".rstrip()


def _harmless(name: str) -> str:
    """A name that the peer made up, short and fit for any log."""
    return re.sub(r"[^\w.:-]", "?", name[:40], flags=re.ASCII)


@cache
def _validator(version: Version, action: str, kind: Kind) -> Any:
    validators = importlib.import_module("jsonschema.validators")
    base = validators.Draft6Validator
    integers = base.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict = validators.extend(base, {"multipleOf": _tenths, "format": _moment}, type_checker=integers)
    return strict({"$ref": f"#/definitions/{action}{kind.title()}", "definitions": _definitions(version)})


@cache
def _definitions(version: Version) -> Any:
    file = resources.files("ocpp_client.wire") / f"schemas_{version}.json"
    return msgspec.json.decode(file.read_bytes())["definitions"]


def _tenths(_validator: Any, step: float, value: object, _schema: Any) -> Any:
    """As `base.Tenths` has it; the validator's own arithmetic refuses 0.3."""
    if isinstance(value, float) and round(value, 1) != value:
        yield _error("multipleOf")


def _moment(_validator: Any, name: str, value: object, _schema: Any) -> Any:
    if isinstance(value, str) and re.search(DATE_TIME, value) is None:
        yield _error("format")


def _error(message: str) -> Any:
    return importlib.import_module("jsonschema.exceptions").ValidationError(message)
