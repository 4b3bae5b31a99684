"""What a boot knows of itself: its number, why it happened, and what the one before left behind (station.md §7). Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from hal.units import UtcMs
from station.words.common import BootReason, StopReason
from station.words.records import AliveRecord, BootRecord, Image

RECENT_BOOTS: Final = 5
_COMMANDED: Final = {StopReason.SOFT_RESET: BootReason.REMOTE_RESET, StopReason.HARD_RESET: BootReason.REMOTE_RESET}


class BootInfo(msgspec.Struct, frozen=True):
    """`os_boot` names the boot of the operating system; the rest is filled in from the image.

    `stop` is the reason with which sessions that the last boot left open are ended; `nonce` makes message ids unique over boots.
    """

    os_boot: str = ""
    os_trusted: bool = False
    nonce: str = ""
    count: int = 0
    reason: BootReason = BootReason.POWER_UP
    stop: StopReason = StopReason.POWER_LOSS
    not_before_ms: UtcMs = 0
    alive: AliveRecord | None = None
    recent_ms: tuple[UtcMs, ...] = ()


def begin(image: Image, boot: BootInfo, now_ms: UtcMs) -> BootInfo:
    """This boot, given the last one's records; `recent_ms` are the latest boots, this one last."""
    last = image.get("boot", {}).get("")
    alive = image.get("alive", {}).get("")
    assert alive is None or isinstance(alive, AliveRecord)
    if not isinstance(last, BootRecord):
        return msgspec.structs.replace(boot, count=1, recent_ms=(now_ms,))
    if last.reset is not None:
        reason, stop = _COMMANDED.get(last.reset, BootReason.LOCAL_RESET), last.reset
    elif last.os_boot == boot.os_boot:
        reason, stop = BootReason.APPLICATION_RESET, StopReason.REBOOT
    else:
        reason, stop = BootReason.POWER_UP, StopReason.POWER_LOSS
    return msgspec.structs.replace(
        boot,
        count=last.count + 1,
        reason=reason,
        stop=stop,
        alive=alive,
        not_before_ms=alive.at.utc_ms if alive else 0,
        recent_ms=(*last.recent_ms, now_ms)[-RECENT_BOOTS:],
    )
