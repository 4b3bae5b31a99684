"""What a boot knows of itself: its number, why it happened, what the one before left behind, and whether to trust itself
(station.md §7). Pure.

Safe mode is for a program that keeps falling over: the third restart within ten minutes that nobody commanded. A restart
is told from a power cut by the operating system's boot id; a supply that flickers is no fault of the program, and a
station that three flickers shut down until somebody comes with a key would be of no use to anybody.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hal.units import MILLISECOND, MonoNs
from station.words.common import BootReason, StopReason
from station.words.records import AliveRecord, BootRecord, Image

SAFE_AFTER: Final = 3
SAFE_WITHIN_MS: Final = 600_000
_COMMANDED: Final = {StopReason.SOFT_RESET: BootReason.REMOTE_RESET, StopReason.HARD_RESET: BootReason.REMOTE_RESET}


class BootInfo(msgspec.Struct, frozen=True):
    """`os_boot` names the boot of the operating system; the rest is filled in from the image.

    `stop` is the reason with which sessions that the last boot left open are ended; `nonce` makes message ids unique over
    boots. `alive` is the last sign of life; `continues`: the operating system has run on since. `recent_ms` are the latest
    restarts that nobody commanded, by the monotonic clock of this boot of the operating system. `safe`: this boot gives nobody power.
    """

    os_boot: str = ""
    os_trusted: bool = False
    nonce: str = ""
    count: int = 0
    reason: BootReason = BootReason.POWER_UP
    stop: StopReason = StopReason.POWER_LOSS
    alive: AliveRecord | None = None
    continues: bool = False
    recent_ms: tuple[int, ...] = ()
    safe: bool = False


def begin(image: Image, boot: BootInfo, mono_ns: MonoNs) -> BootInfo:
    """This boot, given the last one's records."""
    last = image.get("boot", {}).get("")
    alive = image.get("alive", {}).get("")
    assert alive is None or isinstance(alive, AliveRecord)
    if not isinstance(last, BootRecord):
        return msgspec.structs.replace(boot, count=1)
    now_ms = mono_ns // MILLISECOND
    recent = last.recent_ms if last.os_boot == boot.os_boot else ()
    if last.reset is not None:
        reason, stop = _COMMANDED.get(last.reset, BootReason.LOCAL_RESET), last.reset
    elif last.os_boot == boot.os_boot:
        reason, stop = BootReason.APPLICATION_RESET, StopReason.REBOOT
        recent = (*recent, now_ms)[-SAFE_AFTER:]
    else:
        reason, stop = BootReason.POWER_UP, StopReason.POWER_LOSS
    return msgspec.structs.replace(
        boot,
        count=last.count + 1,
        reason=reason,
        stop=stop,
        alive=alive,
        continues=last.os_boot == boot.os_boot,
        recent_ms=recent,
        safe=not last.acknowledged or (reason is BootReason.APPLICATION_RESET and _too_many(recent, now_ms)),
    )


def _too_many(recent_ms: tuple[int, ...], now_ms: int) -> bool:
    return sum(0 <= now_ms - at_ms <= SAFE_WITHIN_MS for at_ms in recent_ms) >= SAFE_AFTER
