"""What the CSMS has said of cards, and what the rules in force make of that where nobody is asked (1.6 §§3.4, 3.5, 4.1.1).

Kept for the promises about authority. The memory is that of the station: refilled at boot from its disk, emptied by ClearCache.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hal.units import UtcMs
from sim.checkers.excuses import broken
from sim.checkers.seen import Payload, info_of
from sim.checkers.view import View
from sim.plan import ClockFault, CsmsFault
from station.words.common import TokenStatus
from station.words.records import TokenRecord


def utc_ms(text: str) -> UtcMs:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Cards:
    """`words` maps a card to (accepted, expires); `groups` to every group it was ever said to be of."""

    def __init__(self) -> None:
        self.words: dict[str, tuple[bool, UtcMs | None]] = {}
        self.groups: dict[str, set[str]] = {}

    def boot(self, image: dict[str, Any]) -> None:
        self.words = {}
        for uid, record in image.items():
            assert isinstance(record, TokenRecord)
            self.words[uid.upper()] = (record.info.status is TokenStatus.ACCEPTED, record.info.expires)
            self._group(uid, record.info.group)

    def learn(self, uid: object, answer: Payload) -> None:
        info = info_of(answer)
        if info is None or not isinstance(uid, str):
            return
        expires = info.get("expiryDate")
        self.words[uid.upper()] = (info["status"] == "Accepted", utc_ms(expires) if isinstance(expires, str) else None)
        self._group(uid, info.get("parentIdTag"))

    def _group(self, uid: str, group: object) -> None:
        if isinstance(group, str):
            self.groups.setdefault(uid.upper(), set()).add(group.casefold())

    def akin(self, one: str, other: str) -> bool:
        """The same card, or one of its group."""
        if one.casefold() == other.casefold():
            return True
        return not self.groups.get(one.upper(), set()).isdisjoint(self.groups.get(other.upper(), set()))

    def _accepted(self, view: View, uid: str) -> bool | None:
        """What is known of it; None: nothing. An expiry is not judged where a clock may be wrong."""
        word = self.words.get(uid.upper()) if view.settings.cache_enabled else None
        if word is None:
            return None
        accepted, expires = word
        if accepted and expires is not None and expires < view.world.true_utc_ms:
            return broken(view, ClockFault) or broken(view, CsmsFault)
        return accepted

    def here(self, view: View, uid: str) -> bool:
        """Whether it may start without the CSMS being asked."""
        if view.settings.cards_decided_by == "nobody":
            return True
        if view.online:
            return view.settings.local_pre_authorize and self._accepted(view, uid) is True
        return self.offline(view, uid)

    def offline(self, view: View, uid: str) -> bool:
        """Whether it may start while nobody can be asked."""
        known = self._accepted(view, uid)
        if known and view.settings.local_authorize_offline:
            return True
        return known is not False and view.settings.allow_offline_unknown
