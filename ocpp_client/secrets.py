"""Secrets in OCPP messages, taken out before anybody keeps or shows one.

Passwords that a CSMS sets are found by where they stand, those that the station was given by their text; `***` takes their place.
Not here: who keeps frames.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

STARS: Final = "***"
SHORT: Final = 8  # characters; a shorter secret is not looked for by its text, which would be found everywhere
_KEYS: Final = ("authorizationkey", "basicauthpassword")
_MEMBERS: Final = ("basicAuthPassword", "apnPassword", "password")  # of SetNetworkProfile's connectionData
_VPN: Final = {"server", "user", "key"}


class Cleaner:
    """Takes secrets out of frames. `secrets` are known from the start; what a CSMS sets is found by where it stands."""

    def __init__(self, secrets: Sequence[bytes] = ()) -> None:
        known = [text for secret in secrets for text in (secret.decode(errors="replace"), secret.hex())]
        self._secrets = tuple(text for text in known if len(text) >= SHORT)

    def clean(self, frame: str | bytes) -> str:
        text = frame.decode(errors="replace") if isinstance(frame, bytes) else frame
        lowered = text.lower()
        if any(key in lowered for key in _KEYS) or "connectionData" in text:
            text = _without_settings(text)
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, STARS)
            elif secret in text.replace("\\", ""):  # spelt with escapes
                return json.dumps([STARS, "a frame with a secret in it was left out"])
        return text


def _without_settings(text: str) -> str:
    """ChangeConfiguration, SetVariables, SetNetworkProfile and whatever looks like them."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return STARS  # whatever it is, it is no message, and may hold what it names
    return json.dumps(_starred(frame), separators=(",", ":"), ensure_ascii=False)


def _starred(node: Any) -> Any:
    if isinstance(node, list):
        return [_starred(item) for item in node]
    if not isinstance(node, dict):
        return node
    named = str(node.get("key") or _name(node.get("variable"))).lower()
    hidden: tuple[str, ...] = ("value", "attributeValue") if named in _KEYS else ()
    hidden += ("key",) if node.keys() >= _VPN else ()
    return {key: STARS if key in hidden or key in _MEMBERS else _starred(value) for key, value in node.items()}


def _name(variable: object) -> object:
    return variable.get("name") if isinstance(variable, dict) else None
