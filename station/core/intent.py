"""Who wants to charge, and whose visit it was: what authorisation keeps in mind about people. Mutable, small, no effects.

Not here: what follows from it (`blocks/authorization.py`); sessions (`session.py`).
"""

from __future__ import annotations

from hal.units import MonoNs, SlotId, TokenUid
from station.words.common import Origin, Token


def belongs(token: Token, group: TokenUid | None, owner: Token, owners: TokenUid | None) -> bool:
    """Whether what is `owner`'s is this token's too: the same, or one of its group (1.6 AUTH-06, AUTH-08, AUTH-09)."""
    if owner.same_as(token):
        return True
    return group is not None and owners is not None and group.casefold() == owners.casefold()


class Intent:
    """Someone who wants to charge on one of `slots`. Once granted: of which `group`, and until when a plug is waited for."""

    __slots__ = ("expires_ns", "group", "origin", "request", "slots", "token")

    def __init__(self, token: Token, origin: Origin, request: int | None, slots: tuple[SlotId, ...]) -> None:
        self.token = token
        self.origin = origin
        self.request = request
        self.slots = slots
        self.group: TokenUid | None = None
        self.expires_ns: MonoNs = 0

    @property
    def slot(self) -> SlotId:
        """The one slot that is meant; 0: any of several."""
        return self.slots[0] if len(self.slots) == 1 else 0


class Owner:
    """Whose session was the last one of a visit that is not over. `locked`: the plug stays until this token is shown."""

    __slots__ = ("group", "locked", "token")

    def __init__(self, token: Token, group: TokenUid | None, locked: bool) -> None:
        self.token = token
        self.group = group
        self.locked = locked

    def is_(self, intent: Intent) -> bool:
        return belongs(intent.token, intent.group, self.token, self.group)


def seats(wants: list[tuple[SlotId, ...]], free: frozenset[SlotId]) -> bool:
    """Whether each can have one of the slots that it wants, all different. Quickest with the narrowest first."""
    if len(wants) > len(free):
        return False
    return not wants or any(seats(wants[1:], free - {slot}) for slot in wants[0] if slot in free)
