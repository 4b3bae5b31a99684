"""An independent judge of payloads: the JSON schemas of the PyPI package `ocpp`, as they are, with `jsonschema`.

The wire types are generated from the same schemas; this goes around the generator and around msgspec.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

SUFFIX = {"v16": {"request": "", "response": "Response"}, "v201": {"request": "Request", "response": "Response"}}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@functools.cache
def _validator(version: str, action: str, kind: str) -> Validator:
    file = resources.files("ocpp") / version / "schemas" / f"{action}{SUFFIX[version][kind]}.json"
    schema = json.loads(file.read_text(encoding="utf-8-sig"))
    return validator_for(schema)(schema)


def faults(version: str, action: str, kind: str, payload: bytes) -> list[str]:
    """What is wrong with a payload that the station made; times have a form of their own here, not just a valid one."""
    content = json.loads(payload)
    found = [error.message for error in _validator(version, action, kind).iter_errors(content)]
    return found + [f"{path} is no time: {text}" for path, text in _texts(content, "") if _is_bad_time(path, text)]


def _is_bad_time(path: str, text: str) -> bool:
    return path.endswith("timestamp") and not TIME.fullmatch(text)


def _texts(content: Any, path: str) -> list[tuple[str, str]]:
    match content:
        case dict():
            return [found for name, value in content.items() for found in _texts(value, f"{path}.{name}")]
        case list():
            return [found for value in content for found in _texts(value, f"{path}[]")]
        case str():
            return [(path, content)]
        case _:
            return []
