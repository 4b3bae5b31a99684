"""The names of all calls of OCPP 1.6, as the published schemas have them. Not here: what is in them (`server.py` checks that)."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources


@cache
def messages() -> tuple[str, ...]:
    """The names of all calls of OCPP 1.6, its security extension included."""
    files = (resources.files("ocpp") / "v16" / "schemas").iterdir()
    names = (file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))
    return tuple(sorted(name for name in names if not name.endswith("Response")))


def known(action: str) -> str:
    """The action, if OCPP 1.6 has it. ValueError."""
    if action not in messages():
        near = difflib.get_close_matches(action, messages(), 1)
        raise ValueError(f"OCPP 1.6 has no {action!r}; " + (f"{near[0]!r} perhaps" if near else ", ".join(messages())))
    return action
