"""The frames of each station that were answered lately, so that one that comes again is known for what it is."""

from __future__ import annotations

from typing import Any

import msgspec

KEPT = 32  # of each station; frames that begin or end a transaction are in the books for ever


class Recent:
    """What was in the frame of a message id, as a hash of its content."""

    def __init__(self) -> None:
        self._by_station: dict[str, dict[str, int]] = {}

    def content_of(self, station: str, message: str) -> int | None:
        return self._by_station.get(station, {}).get(message)

    def remember(self, station: str, message: str, content: int) -> None:
        recent = self._by_station.setdefault(station, {})
        recent[message] = content
        if len(recent) > KEPT:
            del recent[next(iter(recent))]


def content(action: str, payload: dict[str, Any]) -> int:
    return hash((action, msgspec.json.encode(payload, order="sorted")))
