"""A board driver to copy: everything the contract asks for, and no hardware.

Copy it to `hal/drivers/<name>.py`, replace what is marked YOURS, register it as `hal/registry.py` says, and describe it
in `docs/reference/drivers.md`. `tests/contracts/test_board.py` then finds it by itself, as it finds this one.

As it stands it is a bench board without a vehicle: locks believe what they are told, and no meter answers. Rules that
are easily broken: emit nothing from inside `apply`; two calls at one instant have no order, so what belongs together
goes in one; report every contact as it is, not as it was commanded; answer each `ReadMeter` exactly once; raise for
nothing the hardware does; be silent after `stop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol, assert_never

import msgspec
from msgspec import Meta

from hal.actions import AnyAction, Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.clock import Scheduler
from hal.ports import Emit
from hal.signals import (
    AnySignal,
    BoardReady,
    CableChanged,
    LockReported,
    MeterFailed,
    PowerReported,
    VehicleChanged,
)
from hal.units import MILLISECOND, LockState, Pilot, SlotId, SlotKind


class BuiltSlot(Protocol):
    """What this driver wants to know of a slot."""

    @property
    def kind(self) -> SlotKind: ...


class BuiltStation(Protocol):
    """What this driver wants to know of the station: its slots, 1 to n."""

    @property
    def slots(self) -> Sequence[BuiltSlot]: ...


class BlueprintBoard:
    """One board with all its slots."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """YOURS: ports, pins, addresses, times; units last in the name."""

        lock_pulse_ms: Annotated[int, Meta(ge=50, le=4_000)] = 300

    def __init__(self, kinds: Sequence[SlotKind], config: Config) -> None:
        self._kinds = tuple(kinds)
        self._config = config
        self._locks = [LockState.OPEN for _ in kinds]
        self._emit: Emit | None = None
        self._scheduler: Scheduler | None = None
        self._start = 0  # counts starts, so that what an earlier one had under way stays silent

    @classmethod
    def from_config(cls, config: Config, shape: BuiltStation) -> BlueprintBoard:
        """Check what can be checked without hardware; raise ValueError with a sentence for the operator."""
        return cls([slot.kind for slot in shape.slots], config)

    def start(self, emit: Emit, scheduler: Scheduler) -> None:
        """YOURS: open the port, read the contacts, `scheduler.add_reader` for what comes in; report what was found."""
        self._emit, self._scheduler = emit, scheduler
        self._start += 1
        found: list[AnySignal] = []
        for slot, kind in enumerate(self._kinds, start=1):
            if kind == "socket":
                found += CableChanged(slot, False), LockReported(slot, self._locks[slot - 1])
            found += VehicleChanged(slot, Pilot.A), PowerReported(slot, False)
        self._say_soon(*found, BoardReady())

    def apply(self, action: AnyAction) -> None:
        """Do it and return at once. Raises TypeError for a lock on a slot without one."""
        if self._emit is None:
            return
        match action:
            case PermitPower(slot, allowed):
                if not allowed:
                    self._say_soon(PowerReported(slot, False))  # YOURS: when the mirror contact says so
            case Offer():
                pass  # YOURS: duty cycle of the pilot; no limit is 100 %
            case SetLock(slot, closed):
                self._set_lock(slot, closed)
            case ReadMeter(slot, ticket):
                self._say_soon(MeterFailed(slot, ticket, "no meter"))  # YOURS: ask; MeterRead or MeterFailed, once
            case ShowLight():
                pass  # YOURS: slot 0 is the main lamp
            case _:
                assert_never(action)

    def stop(self) -> None:
        """YOURS: contactors open, pilot 100 %, port closed. Must be harmless when called twice, or before `start`."""
        self._emit = None

    def _set_lock(self, slot: SlotId, closed: bool) -> None:
        if self._kinds[slot - 1] != "socket":
            raise TypeError(f"slot {slot} is {self._kinds[slot - 1]}: it has no lock")
        self._locks[slot - 1] = LockState.CLOSED if closed else LockState.OPEN  # YOURS: pulse, then read the feedback
        self._say_soon(LockReported(slot, self._locks[slot - 1]), after_ms=self._config.lock_pulse_ms)

    def _say_soon(self, *signals: AnySignal, after_ms: int = 0) -> None:
        """Emit from the scheduler, not from the caller's stack."""
        if self._scheduler is not None:
            at_ns = self._scheduler.now().mono_ns + after_ms * MILLISECOND
            self._scheduler.call_at(at_ns, self._say, self._start, signals)

    def _say(self, start: int, signals: tuple[AnySignal, ...]) -> None:
        for signal in signals:
            if self._emit is not None and start == self._start:
                self._emit(signal)
