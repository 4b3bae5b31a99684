"""Questions: what the station asks the CSMS, and what may come back. Data only; docs/decisions/001-words.md."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hal.units import UtcMs
from station.words.common import BootReason, SessionId, Token, TokenInfo, Word


class Register(Word, frozen=True, gc=False):
    """May I work with you? (BootNotification)"""

    reason: BootReason


class AskTime(Word, frozen=True, gc=False):
    """Am I still known, and what time is it? (Heartbeat)"""


class Authorize(Word, frozen=True, gc=False):
    """May this token charge (`start`) or end what another began (`stop`)?"""

    token: Token
    purpose: Literal["start", "stop", "remote"] = "start"
    about: SessionId | None = None


class AskVendor(Word, frozen=True, gc=False):
    vendor: str
    message: str = ""
    data: str = ""


AnyQuestion: TypeAlias = Register | AskTime | Authorize | AskVendor


class Registration(Word, frozen=True, gc=False):
    status: Literal["accepted", "pending", "rejected"]
    time: UtcMs | None
    interval_s: int


class TimeTold(Word, frozen=True, gc=False):
    time: UtcMs | None


class TransactionNoted(Word, frozen=True, gc=False):
    """The CSMS has a transaction event. `token` is its opinion of the token, where it gave one."""

    token: TokenInfo | None = None


class Noted(Word, frozen=True, gc=False):
    """It arrived; nothing more was said."""


class VendorAnswer(Word, frozen=True, gc=False):
    status: Literal["accepted", "rejected", "unknown_message", "unknown_vendor"]
    data: str | None = None


class Refused(Word, frozen=True, gc=False):
    """A CALLERROR, or an answer that makes no sense (code `FormationViolation` and its like, ours)."""

    code: str
    description: str = ""


class TimedOut(Word, frozen=True, gc=False):
    """No answer in time."""


class LinkLost(Word, frozen=True, gc=False):
    """The connection ended, or there is none."""


Failure: TypeAlias = Refused | TimedOut | LinkLost
AnyAnswer: TypeAlias = Registration | TimeTold | TokenInfo | TransactionNoted | Noted | VendorAnswer | Failure
