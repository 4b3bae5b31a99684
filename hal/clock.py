"""Time as data: what the core is told about it, and the kinds of deadlines it has (the table of them is in `deadlines.py`).

Not here: any clock. `Now` comes from outside with every input.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import msgspec

from hal.units import MonoNs, SlotId, UtcMs


class Now(msgspec.Struct, frozen=True, gc=False):
    """One instant: the monotonic clock, and what the operating system's wall clock says at that moment."""

    mono_ns: MonoNs
    os_utc_ms: UtcMs


class Due(enum.IntEnum):
    """Every kind of deadline a station has. Order breaks ties between deadlines of the same instant."""

    BOARD_READY = 1
    POWER_OPENS = 2  # orderly stop: the vehicle has had its time to stop drawing
    POWER_OPENED = 3  # the mirror contact had to say open by now
    POWER_CLOSED = 4  # the mirror contact had to say closed by now
    LOCK = 5
    METER = 6  # a reading that a session waits for
    METER_LOST = 7
    EV_READY = 8
    CONNECTION = 9  # ConnectionTimeOut of a pending authorisation or of a plug without card
    IDLE = 10  # current low for long enough: SuspendedEV
    FULL = 11
    DRAWING = 12  # drawing again for long enough: no longer full
    FAULT_RETRY = 13
    FAULT_ENDS_SESSION = 14
    SUPPLY = 15
    STORE = 16
    STATUS = 17  # MinimumStatusDuration
    SAMPLE = 18
    ALIGNED = 19
    ALIVE = 20
    LIGHT = 21
    CONNECT = 22
    REGISTER = 23
    HEARTBEAT = 24
    CALL = 25  # the answer to our call
    RETRY = 26
    ASK = 27
    RESTART = 28
    OVER_CURRENT = 29
    UNLOCK = 30  # a lock that would not open is told again


DeadlineKey: TypeAlias = tuple[Due, SlotId]


class Rng(Protocol):
    """Where the core's few random numbers come from (back-off, nonces): seeded in a world, the system's on hardware."""

    def draw(self, bits: int) -> int:
        """A uniform integer of so many bits."""
        ...


TimerHandle: TypeAlias = Any


class Scheduler(Protocol):
    """Time and wake-ups for drivers and simulated hardware. Over asyncio it is the loop, in the world the heap."""

    def now(self) -> Now: ...

    def call_at(self, at_ns: MonoNs, call: Callable[..., None], *args: Any) -> TimerHandle: ...

    def cancel(self, handle: TimerHandle) -> None: ...

    def add_reader(self, fd: int, call: Callable[[], None]) -> None: ...

    def post(self, call: Callable[..., None], *args: Any) -> None:
        """Run `call` soon on the scheduler's thread: the only member that other threads may use."""
        ...
