"""The second opinion on payloads: the JSON schemas of OCPP 1.6 from the `ocpp` package, on a sample of them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Final

import jsonschema
import msgspec

FIRST: Final = 20
EVERY: Final = 1_000


class SchemaSample:
    """Checks the first `FIRST` payloads of an action and each `EVERY`th after them."""

    def __init__(self) -> None:
        self.checked = 0
        self._seen: dict[str, int] = {}
        self._validators: dict[str, jsonschema.Draft4Validator] = {}

    def complaint(self, action: str, payload: msgspec.Raw) -> str | None:
        """What the schema says against the payload; None when it agrees or it is not this payload's turn."""
        seen = self._seen.get(action, 0)
        self._seen[action] = seen + 1
        if seen >= FIRST and seen % EVERY:
            return None
        self.checked += 1
        validator = self._validators.get(action)
        if validator is None:
            text = files("ocpp").joinpath("v16", "schemas", f"{action}.json").read_text("utf-8-sig")
            validator = self._validators[action] = jsonschema.Draft4Validator(json.loads(text))
        error = next(validator.iter_errors(json.loads(bytes(payload))), None)
        return None if error is None else f"{action}: {error.message}"
