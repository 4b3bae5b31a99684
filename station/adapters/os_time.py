"""Whether somebody keeps the clock of the operating system right: a time server or, at boot, a clock with a battery.

A Raspberry Pi has neither before its network is up; it then takes for the time when it was last switched off. Linux tells; elsewhere
nobody is asked and the clock is believed. Not here: what a station does without (`station.core.time`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

RTC: Final = Path("/sys/class/rtc")
TIME_ERROR: Final = 5  # adjtimex(2): nobody has set this clock right for too long
TIMEX_BYTES: Final = 1024  # more than a struct timex has on any machine
YEAR_2020_S: Final = 1_577_836_800


def clock_kept(kernel: Callable[[], int | None] | None = None, rtc: Path = RTC) -> bool:
    """Whether the clock can be believed. `kernel`: gives the state that adjtimex(2) tells, or None; `rtc`: the kernel's folder of battery
    clocks. Raises nothing: what cannot be read keeps no time."""
    state = (kernel or clock_state)()
    return state != TIME_ERROR or any(_set_from(clock) for clock in rtc.glob("rtc*"))


def clock_state() -> int | None:
    """What adjtimex(2) says without changing anything; None where it does not exist or is forbidden."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError, TypeError):  # no Linux; TypeError: Windows
        return None
    state = int(adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    return None if state < 0 else state


def _set_from(clock: Path) -> bool:
    """Whether the kernel has taken its time from this clock, and its battery was not empty."""
    try:
        return (clock / "hctosys").read_text().strip() == "1" and int(
            (clock / "since_epoch").read_text()
        ) >= YEAR_2020_S
    except (OSError, ValueError):
        return False
