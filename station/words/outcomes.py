"""Outcomes: how a command ended, always as a value. Data only; docs/decisions/001-words.md."""

from __future__ import annotations

from typing import Literal, TypeAlias

from station.words.common import Word
from station.words.questions import TimedOut, VendorAnswer


class Verdict(Word, frozen=True, gc=False):
    """`why` is a sentence for people and logs; it never goes on a 1.6 wire."""

    status: Literal["accepted", "rejected", "scheduled", "not_implemented"]
    why: str = ""


class UnlockOutcome(Word, frozen=True, gc=False):
    status: Literal["unlocked", "failed", "unsupported", "unknown", "in_use"]


class SettingsChanged(Word, frozen=True, gc=False):
    """One status for each change, in order."""

    statuses: tuple[Literal["accepted", "restart", "rejected", "read_only", "unknown"], ...]


class SettingTold(Word, frozen=True, gc=False):
    name: str
    value: str | None  # None: write-only
    read_only: bool


class SettingsTold(Word, frozen=True, gc=False):
    settings: tuple[SettingTold, ...]
    unknown: tuple[str, ...] = ()


AnyOutcome: TypeAlias = Verdict | UnlockOutcome | SettingsChanged | SettingsTold | VendorAnswer | TimedOut

ACCEPTED = Verdict("accepted")
REJECTED = Verdict("rejected")
SCHEDULED = Verdict("scheduled")
