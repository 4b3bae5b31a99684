"""Why there is no power on a slot: holds are claims against it, and power is permitted only when none stands.

The highest hold is the answer to "why is it off?". Not here: who raises them (the blocks), or the contactor.
"""

from __future__ import annotations

import enum


class Hold(enum.IntFlag):
    """Reasons to withhold power, the gravest first."""

    SAFE_MODE = 1
    FAULT = 2
    NOT_READY = 4  # the board has not reported its state yet
    INOPERATIVE = 8
    NO_VEHICLE = 16
    NO_SESSION = 32
    LOCK = 64
    METER = 128
    STORE = 256
    STOPPING = 512
    REFUSED = 1024  # the token was refused after the start
    SUPPLY = 2048  # no share of the supply for it now
    RESTART = 4096  # the station is about to restart, or to end


SENTENCES: dict[Hold, str] = {
    Hold.SAFE_MODE: "the station is in safe mode",
    Hold.FAULT: "a fault stands",
    Hold.NOT_READY: "the board has not reported its state yet",
    Hold.RESTART: "the station is about to restart",
    Hold.INOPERATIVE: "the slot is out of operation",
    Hold.NO_VEHICLE: "no vehicle is connected",
    Hold.NO_SESSION: "nobody is authorised",
    Hold.LOCK: "the plug is not locked yet",
    Hold.METER: "the first reading is not there yet",
    Hold.STORE: "the start is not on the disk yet",
    Hold.STOPPING: "the session is being ended",
    Hold.REFUSED: "the token was refused",
    Hold.SUPPLY: "the supply has no share left for it",
}


def why_off(holds: int) -> str:
    """A sentence for people; empty when nothing holds power back."""
    for hold, sentence in SENTENCES.items():
        if holds & hold:
            return f"power is off because {sentence}"
    return ""
