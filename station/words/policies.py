"""Policies: what differs between OCPP versions by rule. A dialect sets them at connect; blocks read these, never a version."""

from __future__ import annotations

import msgspec

from station.words.common import Point


class Policies(msgspec.Struct, frozen=True, gc=False):
    """`tells_updates`: transaction events without samples are told too. `unlock_ends_session`: else an unlock in a session is refused."""

    version: str  # for people and records only
    tx_start: frozenset[Point]
    tx_stop: frozenset[Point]
    unlock_ends_session: bool
    silent_when_rejected: bool
    tells_updates: bool
    offline_flag: bool
    # What unplugging means to a session's transaction is for StopTransactionOnEVSideDisconnect to say.
    unplug_by_setting: bool = True
    token_max: int = 36  # characters of a token that can be told; a longer one is refused, not cut
