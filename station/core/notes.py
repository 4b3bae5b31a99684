"""The sentences of the core's log: one table, code to words. Values are inserted in order.

Live view, logs and diagnostics are made of Notes. Not here: where a note is shown.
"""

from __future__ import annotations

from typing import Final

from station.core.effects import Note

SENTENCES: Final[dict[str, str]] = {
    "answer.unknown_id": "an answer came to a call that is not out: {0}",
    "ask.late": "{0} of the CSMS could not be answered in time",
    "authorization.expired": "an authorisation expired before a vehicle was plugged in",
    "authorization.refused": "the card was refused: {0}",
    "authorization.taken_back": "the authorisation was taken back by showing the card again",
    "board.silent": "the board has not reported its state",
    "boot.safe_mode": "the station restarted too often by itself: nobody gets power until somebody has looked at it",
    "cable.kept": "the plug stays locked until its owner's card is shown",
    "call.failed": "{0} came to nothing: {1}",
    "clock.moved": "the clock moved by {0} ms",
    "fault.cleared": "{0} is over",
    "fault.found": "{0} {1}",
    "frame.bad": "an unreadable frame came: {0}",
    "link.down": "{0}; next attempt in {1} s",
    "link.up": "connected, speaking {0}",
    "lock.opened": "the lock opened while power was on",
    "meter.failed": "the meter gave no reading: {0}",
    "meter.final_missing": "no final reading came, the last good one stands",
    "meter.first_missing": "no first reading came, the last good one stands",
    "meter.refused": "a reading of {0} mWh cannot be true and is not used",
    "meter.register_break": "the meter's register broke: it was {0} mWh and is {1} mWh now",
    "outbox.dead_letter": "message {0} was given up: {1}",
    "outbox.full": "{0} records wait for the CSMS and none can be spared: no new session starts",
    "outbox.thinned": "{0} periodic values were dropped to make room",
    "power.off": "{0}",
    "registered": "the CSMS answered {0}, interval {1} s",
    "restart.failed": "the station did not restart when it was told to, for the {0}. time",
    "security.FailedToAuthenticateAtCsms": "the CSMS does not accept our identity or password",
    "session.ending": "the session ends: {0}",
    "session.refused": "the CSMS does not accept the card of the running session",
    "setting.refused": "{0}",
    "store.failed": "the disk failed: {0}",
}


def sentence(note: Note) -> str:
    """The note in words, with its slot in front where it has one."""
    words = SENTENCES[note.code].format(*note.values).strip()
    return f"slot {note.slot}: {words}" if note.slot else words
