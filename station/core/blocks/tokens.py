"""What the station knows of tokens by itself: the authorisation cache (1.6 §3.5.1; 2.0.1 C10 to C12).

The CSMS's last word on each token, kept on the disk, bounded. Not here: what follows from it (`authorization`), or a local list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.disk import Record, RecordKey
from hal.units import Ticket, TokenUid, UtcMs
from station.words.commands import ClearCache
from station.words.common import Origin, Token, TokenInfo, TokenKind, TokenStatus
from station.words.outcomes import ACCEPTED, REJECTED
from station.words.records import Image, TokenRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

BOUND: Final = 1000
REFRESH_MS: Final = 86_400_000  # hearing the same again is written down once a day, no more

Cache = dict[TokenUid, TokenRecord]


class Tokens:
    """`cache` maps an upper-case uid to what was last heard of it, and when; None: nothing yet."""

    __slots__ = ("cache", "core")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.cache: Cache | None = None

    def restore(self, image: Image) -> None:
        for key, record in image.get("token", {}).items():
            assert isinstance(record, TokenRecord)
            self.cache = self.cache or {}
            self.cache[key] = record

    def records(self) -> list[Record]:
        return [Record("token", key, record) for key, record in (self.cache or {}).items()]

    # --- asking ---

    def known(self, token: Token) -> TokenInfo | None:
        """What the cache says; a past expiry counts as expired (1.6 CACHE-04). None: nothing, or it is switched off."""
        if self.cache is None or not self.core.settings.cache_enabled:
            return None
        record = self.cache.get(token.uid.upper())
        return None if record is None else self._today(record)

    def _today(self, record: TokenRecord) -> TokenInfo:
        info = record.info
        if info.expires is not None and info.expires <= self._now():
            return TokenInfo(TokenStatus.EXPIRED, info.expires, info.group)
        return info

    def _now(self) -> UtcMs:
        return self.core.time.utc_ms(self.core.now)

    # --- learning ---

    def learn(self, token: Token, info: TokenInfo) -> None:
        """The CSMS has said something of this token (1.6 CACHE-02, CACHE-03)."""
        if not self.core.settings.cache_enabled or token.kind is TokenKind.NONE:
            return
        key, now_ms = token.uid.upper(), self._now()
        cache = self.cache = self.cache if self.cache is not None else {}
        was = cache.get(key)
        if was is not None and was.info == info and now_ms - was.seen < REFRESH_MS:
            return
        forgets: tuple[RecordKey, ...] = ()
        if was is None and len(cache) >= BOUND:
            forgets = (("token", self._make_room(cache)),)
        cache[key] = TokenRecord(info, now_ms)
        self.core.persist((Record("token", key, cache[key]),), forgets)

    def _make_room(self, cache: Cache) -> TokenUid:
        """Drop one that is of no use, else the one not heard of for longest (1.6 CACHE-05). Returns which."""
        useless = [key for key, record in cache.items() if self._today(record).status is not TokenStatus.ACCEPTED]
        oldest = min(useless or cache, key=lambda key: cache[key].seen)
        del cache[oldest]
        return oldest

    # --- ClearCache ---

    def clear(self, ticket: Ticket, origin: Origin, command: ClearCache) -> None:
        """Empty the cache; the answer waits for the disk. Without a cache: rejected (1.6 CACHE-09, CACHE-10)."""
        core, was = self.core, self.cache
        if not core.settings.cache_enabled:
            core.answer(ticket, REJECTED)
        elif not was:
            core.answer(ticket, ACCEPTED)
        else:
            self.cache = None
            core.persist((), tuple(("token", key) for key in was), True, self._cleared, ticket, was)

    def _cleared(self, ok: bool, ticket: Ticket, was: Cache) -> None:
        if not ok:  # the disk still has them, or may have forgotten them all the same; so will the next boot
            self.cache = {**was, **(self.cache or {})}
            self.core.persist(tuple(self.records()))
        self.core.answer(ticket, ACCEPTED if ok else REJECTED)
