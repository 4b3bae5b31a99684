"""Payloads drawn from a JSON schema, proper ones and spoiled ones; the same seed draws the same payloads.

Not Hypothesis: here a message gets hundreds of payloads within milliseconds, every place of it is spoiled in every way
that is known, and nothing has to be shrunk, for each payload is spoiled in one to three ways only.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final, NamedTuple, TypeAlias

from ocpp_client.wire.base import Kind, Version

Json: TypeAlias = Any
Schema: TypeAlias = dict[str, Any]

MOMENTS: Final = (
    "2024-05-01T12:00:00Z",
    "2024-02-29T23:59:59.999Z",
    "2024-05-01T12:00:00.123456789+05:30",
    "2024-05-01T12:00:00-00:00",
    "1970-01-01T00:00:00Z",
)
BAD_MOMENTS: Final = (
    *("", "yesterday", "2024-05-01", "2024-13-01T00:00:00Z", "2024-05-32T00:00:00Z", "2024-05-01T25:00:00Z"),
    *("2024-05-01T12:00Z", "24-05-01T12:00:00Z", "2024-05-01T12:00:00Z\n", "٢٠٢٤-05-01T12:00:00Z"),
)
LOOSE_MOMENTS: Final = ("2024-05-01T12:00:00", "2024-05-01T12:00:00.5+0200", "2024-05-01 12:00:00Z")
ANYTHING: Final[tuple[Json, ...]] = ("text", "", 7, 0, -7.5, True, False, None, [], {}, ["x"], {"x": 1}, {"": {}})


class Message(NamedTuple):
    """One message as the `ocpp` package has it."""

    version: Version
    action: str
    kind: Kind
    schema: Schema


class Site(NamedTuple):
    """One place of a payload: where it hangs (`at` in `parent`), and what its schema says about it."""

    parent: Any
    at: str | int
    schema: Schema

    @property
    def value(self) -> Json:
        return self.parent[self.at]


def messages(version: Version) -> Iterator[Message]:
    folder = resources.files(f"ocpp.{version}") / "schemas"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        stem = file.name.removesuffix(".json")
        kind: Kind = "response" if stem.endswith("Response") else "request"
        action = stem.removesuffix("Response").removesuffix("Request")
        yield Message(version, action, kind, json.loads(file.read_text(encoding="utf-8-sig")))


class Payloads:
    """Draws payloads of one message."""

    def __init__(self, message: Message) -> None:
        self.schema = message.schema
        self._definitions: Schema = message.schema.get("definitions", {})
        self._rng = random.Random(f"{message.version} {message.action} {message.kind}")

    def proper(self, *, full: bool = False) -> Json:
        """One that the schema accepts; `full` leaves out nothing."""
        return self._value(self.schema, full)

    def spoiled_everywhere(self) -> Iterator[Json]:
        """The full payload with one thing changed, at each place in each way. Good until the next is asked for."""
        root = [self.proper(full=True)]
        for site in list(self.sites(root)):
            good = site.value
            for bad in self._changes(site):
                site.parent[site.at] = bad
                yield root[0]
            site.parent[site.at] = good

    def spoiled(self) -> Json:
        """One with one to three things changed at places drawn at random."""
        root = [self.proper()]
        for _ in range(self._rng.randint(1, 3)):
            site = self._rng.choice(list(self.sites(root)))
            site.parent[site.at] = copy.deepcopy(self._rng.choice(list(self._changes(site))))
        return root[0]

    def sites(self, root: list[Json]) -> Iterator[Site]:
        """All places of the payload `root[0]` that the schema says something about, the payload itself first."""
        yield from self._below(Site(root, 0, self.schema))

    def _below(self, site: Site) -> Iterator[Site]:
        schema = self._resolved(site.schema)
        yield Site(site.parent, site.at, schema)
        match site.value:
            case dict() as members:
                for name in [name for name in schema.get("properties", {}) if name in members]:
                    yield from self._below(Site(members, name, schema["properties"][name]))
            case list() as items if "items" in schema:
                for index in range(len(items)):
                    yield from self._below(Site(items, index, schema["items"]))

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._definitions[schema["$ref"].removeprefix("#/definitions/")]
        return schema

    def _value(self, schema: Schema, full: bool) -> Json:
        schema, rng = self._resolved(schema), self._rng
        if "enum" in schema:
            return rng.choice(schema["enum"])
        match schema.get("type"):
            case "string" if schema.get("format") == "date-time":
                return rng.choice(MOMENTS)
            case "string":
                return self._text(rng.randint(0, min(schema.get("maxLength", 30), 30)))
            case "integer":
                low, high = int(schema.get("minimum", -(2**31))), int(schema.get("maximum", 2**31 - 1))
                return rng.choice((low, high, rng.randint(low, high)))
            case "number" if "multipleOf" in schema:
                return rng.choice((7, rng.randint(-9999, 9999) / 10, rng.randint(-(10**12), 10**12) / 10))
            case "number":
                low, high = schema.get("minimum", -1e6), schema.get("maximum", 1e6)
                return rng.choice((low, high, rng.uniform(low, high)))
            case "boolean":
                return rng.random() < 0.5
            case "array":
                least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
                count = max(1, least) if full else rng.randint(least, most)
                return [self._value(schema["items"], full) for _ in range(count)]
            case "object":
                return self._object(schema, full)
            case _:
                return copy.deepcopy(rng.choice(ANYTHING))

    def _object(self, schema: Schema, full: bool) -> dict[str, Json]:
        made = {
            name: self._value(member, full)
            for name, member in schema.get("properties", {}).items()
            if full or name in schema.get("required", ()) or self._rng.random() < 0.4
        }
        if schema.get("additionalProperties", True):
            made |= {self._text(9): copy.deepcopy(self._rng.choice(ANYTHING)) for _ in range(self._rng.randint(0, 2))}
        return made

    def _text(self, length: int) -> str:
        return "".join(self._rng.choice('abcXYZ019 -_.:"\\/\n\x7fäß€😀') for _ in range(length))

    def _changes(self, site: Site) -> Iterator[Json]:
        """All the ways to spoil one place. Some of them are proper after all."""
        value, schema = site.value, site.schema
        yield from ANYTHING
        match schema.get("type"):
            case "string" if "enum" in schema:
                first = schema["enum"][0]
                yield from (first.lower(), first.upper(), f"{first} ", f" {first}", first[:-1])
            case "string" if schema.get("format") == "date-time":
                yield from (*BAD_MOMENTS, *LOOSE_MOMENTS)
            case "string":
                most = schema.get("maxLength", 100)
                yield from ("x" * most, "x" * (most + 1), "😀" * most, "😀" * (most + 1), "\0")
            case "integer" | "number":
                low, high = schema.get("minimum", 0), schema.get("maximum", 0)
                yield from (low - 1, low, high, high + 1, low - 0.5, high + 0.5, 1.0, "1", 0.3, 0.35, 16.1)
                yield from (2**31, 2**53, -(2**63), 2**63, -(2**64), 10**400)
            case "array":
                most = schema.get("maxItems", 4)
                one = value[:1] if isinstance(value, list) else []
                yield from (one * most, one * (most + 1), [*one, None], [one], *one)
            case _:
                pass
        if isinstance(value, dict):
            for name in value:
                yield {key: value[key] for key in value if key != name}
                yield {key.swapcase() if key == name else key: value[key] for key in value}
            yield from ({**value, "surplus": 1}, {**value, "": None}, [value], {"x": value})
