"""Time as data: what the core is told about it, and the table of deadlines it keeps.

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


class Deadlines:
    """The one table of deadlines of a station. Absolute monotonic nanoseconds; one entry a key.

    A handful of entries at a time: two short lists cost a third of a dict's memory, ten thousand times over.
    """

    __slots__ = ("_ats", "_earliest", "_keys")

    def __init__(self) -> None:
        self._keys: list[DeadlineKey] = []
        self._ats: list[MonoNs] = []
        self._earliest: MonoNs | None = None

    @property
    def earliest(self) -> MonoNs | None:
        return self._earliest

    def set(self, due: Due, at_ns: MonoNs, slot: SlotId = 0) -> None:
        key, keys = _key(due, slot), self._keys
        if key in keys:
            index = keys.index(key)
            was, self._ats[index] = self._ats[index], at_ns
        else:
            was = None
            keys.append(key)
            self._ats.append(at_ns)
        earliest = self._earliest
        if earliest is None or at_ns <= earliest:
            self._earliest = at_ns
        elif was == earliest:
            self._earliest = min(self._ats)

    def cancel(self, due: Due, slot: SlotId = 0) -> None:
        key = _key(due, slot)
        if key not in self._keys:
            return
        index = self._keys.index(key)
        del self._keys[index]
        was = self._ats.pop(index)
        if was == self._earliest:
            self._earliest = min(self._ats, default=None)

    def at(self, due: Due, slot: SlotId = 0) -> MonoNs | None:
        key = _key(due, slot)
        return self._ats[self._keys.index(key)] if key in self._keys else None

    def pending(self, due: Due, slot: SlotId = 0) -> bool:
        return _key(due, slot) in self._keys

    def pop_due(self, now_ns: MonoNs) -> list[DeadlineKey]:
        """All keys whose time has come, in order of (deadline, key); they are gone from the table."""
        if self._earliest is None or self._earliest > now_ns:
            return []
        due = sorted(entry for entry in zip(self._ats, self._keys, strict=True) if entry[0] <= now_ns)
        left = [entry for entry in zip(self._ats, self._keys, strict=True) if entry[0] > now_ns]
        self._ats = [at for at, _ in left]
        self._keys = [key for _, key in left]
        self._earliest = min(self._ats, default=None)
        return [key for _, key in due]


def _key(due: Due, slot: SlotId) -> DeadlineKey:
    shared = KEYS[due]
    return shared[slot] if slot < len(shared) else (due, slot)


# Shared keys, so that ten thousand stations do not hold ten thousand equal tuples.
KEYS: dict[Due, list[DeadlineKey]] = {due: [(due, slot) for slot in range(9)] for due in Due}


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
