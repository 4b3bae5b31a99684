"""Events as CloudEvents 1.0 (structured JSON): the envelope around what the core publishes, and a JSON Schema of each type.

`data` says again what the envelope says (`type`, `stationId`), because workflows look there, and `event` repeats what their fault path
reads. With `compat = "seed"` the `data.type` of a fault is spelt as the seed's workflow expects it, with the dot in the wrong place;
`"strict"` spells it like the envelope's, whose `type` is right either way. Not here: sinks (`delivery.py`, `event_file.py`), what is told
when (the core).
"""

from __future__ import annotations

import urllib.parse
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

from hal.units import UtcMs
from station.core.effects import Publish
from station.words.events import KINDS

Compat: TypeAlias = Literal["seed", "strict"]

PREFIX: Final = "com.ev-power-supplier.charging-station."
SEED_FAULTED: Final = (
    "com.ev-power-supplier.charging.station-faulted.v1"  # how the seed's workflow spells it in its switch
)
_TYPES: Final = {kind: PREFIX + kind for kind in KINDS}
_RFC3339: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$"
_NSS: Final = "()+,-.:=@;$_!*'"  # what a URN may hold as it is, besides letters and digits (RFC 8141)


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, read back. `data` has `type`, `stationId` and what `station/words/events.py` says of its kind."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    timeuncertain: bool = False

    @property
    def kind(self) -> str:
        """The end of the type, without its version: `card-scanned`."""
        return self.type.removeprefix(PREFIX).rpartition(".")[0]

    @property
    def station(self) -> str:
        """The identity of the station."""
        return str(self.data["stationId"])


class _Envelope(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    timeuncertain: bool = False


def source(station: str) -> str:
    """The `source` of all events of a station."""
    return f"urn:evse:{urllib.parse.quote(station, safe=_NSS)}"


def envelope(station: str, event: Publish, compat: Compat = "seed") -> bytes:
    """The event as one line of JSON. The same event gives the same bytes each time, but for a `time` that was mended meanwhile."""
    kind = PREFIX + event.kind
    facts: dict[str, Any] = msgspec.json.decode(event.data)
    data = {"type": kind, "stationId": station, **facts}
    if event.kind == "card-scanned.v1":
        data["event"] = {"type": kind}
    elif event.kind == "faulted.v1":
        data["type"] = SEED_FAULTED if compat == "seed" else kind
        data["event"] = {"type": kind, "data": {"error": facts["error"]}}
    uncertain = event.at.boot != 0
    at = _time(event.at.utc_ms)
    return msgspec.json.encode(
        _Envelope("1.0", event.id, source(station), kind, event.subject, at, "application/json", data, uncertain)
    )


def decode(line: bytes | str) -> CloudEvent:
    """Read an event back. Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=CloudEvent)


def kind_of(text: str) -> str:
    """`session-ended` for any way to name it: with or without `.v1`, short or the whole type. Raises ValueError with what there is."""
    name = text.removeprefix(PREFIX)
    kind = name if name in KINDS else f"{name}.v1"
    if kind not in KINDS:
        raise ValueError(f"there is no event {text!r}; there are {', '.join(k.rpartition('.')[0] for k in KINDS)}")
    return kind.rpartition(".")[0]


def _time(utc_ms: UtcMs) -> str:
    """RFC 3339, milliseconds, UTC."""
    seconds, ms = divmod(utc_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


# --- JSON Schema ------------------------------------------------------------------------------------------------------


def schema(kind: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a whole event of this kind, `data` included. Unknown members are allowed: v1 may grow."""
    struct, type_ = KINDS[kind], _TYPES[kind]
    _, parts = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    data = parts.pop(struct.__name__)
    data["properties"] = {
        "type": _FAULTED if kind == "faulted.v1" else {"const": type_},
        "stationId": {"type": "string", "minLength": 1, "maxLength": 48},
        **data["properties"],
    }
    data["required"] = ["type", "stationId", *data["required"]]
    if kind in ("card-scanned.v1", "faulted.v1"):
        data["properties"]["event"] = _event(kind, type_)
        data["required"].append("event")
    attributes = _attributes(type_)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ev-station:events:{kind}",
        "title": type_,
        "description": data.pop("description"),
        "type": "object",
        "required": [*attributes, "data"],
        "properties": {**attributes, "timeuncertain": _UNCERTAIN, "data": _tidy(data)},
        "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
        "$defs": _tidy(parts),
    }


_FAULTED: Final = {
    "enum": [_TYPES["faulted.v1"], SEED_FAULTED],
    "description": 'as the seed\'s workflow spells it, or with `events.compat = "strict"` as the envelope does',
}
_UNCERTAIN: Final = {
    "type": "boolean",
    "description": "true where the station did not know the time yet: `time` is a guess from its last sign of life",
}


def _attributes(type_: str) -> dict[str, Any]:
    return {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "description": "the same each time this event is delivered"},
        "source": {"type": "string", "pattern": "^urn:evse:.+"},
        "type": {"const": type_},
        "subject": {"type": "string", "pattern": "^(station|slot/[1-9][0-9]*|reader/[1-9][0-9]*)$"},
        "time": {"type": "string", "format": "date-time", "pattern": _RFC3339},
        "datacontenttype": {"const": "application/json"},
    }


def _event(kind: str, type_: str) -> dict[str, Any]:
    """`data.event`, which the seed's workflow reads."""
    event: dict[str, Any] = {"type": "object", "required": ["type"], "properties": {"type": {"const": type_}}}
    if kind == "faulted.v1":
        error = {"type": "object", "required": ["error"], "properties": {"error": {"$ref": "#/$defs/ErrorPart"}}}
        event["properties"]["data"] = error
        event["required"] = ["type", "data"]
    return event


def _tidy(node: Any) -> Any:
    """Without titles that only repeat a class's name, and without null: what is not known is left out."""
    if isinstance(node, list):
        return [_tidy(item) for item in node if item != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    made = {key: _tidy(value) for key, value in node.items() if key != "title" and (key, value) != ("default", None)}
    anyof = made.get("anyOf")
    if isinstance(anyof, list) and len(anyof) == 1:
        del made["anyOf"]
        made = {**anyof[0], **made}
    return made
