"""Grants: what gives somebody the right to charge, as can be told from outside: a card shown, a remote start, a command from elsewhere.

Data; the promises about them are in `authority`.
"""

from __future__ import annotations

from typing import Final

from hal.units import SECOND, MonoNs, SlotId
from sim.checkers.seen import SlotView
from sim.checkers.view import View
from station.words.common import Origin

EDGE_NS: Final[MonoNs] = SECOND // 10
NEVER_NS: Final[MonoNs] = 1 << 62


class Grant:
    """One right to charge, once. `granted_ns` None: nobody has accepted it yet. `slots` empty: any.

    `sure`: when it was given there was a free slot for it and nothing stood in the way, so that it surely waits for a plug. `call` is the
    id of the Authorize that asks for it.
    """

    __slots__ = ("call", "granted_ns", "origin", "refused", "slot", "sure", "timeout_ns", "uid", "used")

    def __init__(self, uid: str, origin: Origin, slot: SlotId = 0) -> None:
        self.uid = uid
        self.origin = origin
        self.slot = slot  # the one that was named; 0: none
        self.call = ""
        self.granted_ns: MonoNs | None = None
        self.timeout_ns: MonoNs = NEVER_NS
        self.refused = self.sure = False
        self.used = ""

    def grant(self, view: View, sure: bool) -> None:
        if self.granted_ns is None and not self.refused:
            seconds = view.settings.connection_timeout_s
            self.granted_ns, self.sure = view.now_ns, sure
            self.timeout_ns = seconds * SECOND if seconds else NEVER_NS

    @property
    def open(self) -> bool:
        return not self.used and not self.refused

    def fits(self, slot: SlotView) -> bool:
        return self.slot in (0, slot.number)

    def waited(self, slot: SlotView) -> bool:
        """Whether it had waited for the plug that is in this slot now."""
        return self.granted_ns is not None and slot.plugged_ns > self.granted_ns

    def expired(self, slot: SlotView) -> bool:
        """Whether that plug came too late for it."""
        return self.waited(slot) and slot.plugged_ns > (self.granted_ns or 0) + self.timeout_ns + EDGE_NS

    def surely_waited(self, slot: SlotView) -> bool:
        """Whether it had surely not expired when the plug came, and was surely waiting."""
        if not self.open or not self.sure or not self.fits(slot) or self.granted_ns is None:
            return False
        return self.granted_ns < slot.plugged_ns < self.granted_ns + self.timeout_ns - EDGE_NS
