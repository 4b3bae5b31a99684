"""The plug's lock: closed for a session, open after it, never opened under a closed contactor (station.md §4).

Not here: when a session wants it (`power`), whose card a kept plug waits for (`authorization`), the answer to an unlock (`remote`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.actions import SetLock
from hal.clock import Due
from hal.signals import LockReported
from hal.units import Cause, LockState
from statemachine.slot import Phase, Slot
from station.words.common import StopReason, Why

if TYPE_CHECKING:
    from station.core.core import StationCore

AGAIN_S: Final = 30  # between tries to open a lock that jammed
MOVES_S: Final = 5


class Locks:
    """Has no state of its own; a slot without a lock is never told to move one."""

    __slots__ = ("core",)

    def __init__(self, core: StationCore) -> None:
        self.core = core

    def close(self, slot: Slot) -> None:
        self._move(slot, True)

    def unlock(self, slot: Slot) -> bool:
        """Open the lock, unless there is none, the contactor still reports closed, or the plug waits for its owner's card.

        Returns whether it is open or was told to open.
        """
        core = self.core
        if not slot.shape.has_lock or core.authorization.keeps(slot.id):
            return False
        if slot.power_closed:
            core.remote.lock_failed(slot)
            return False
        if slot.lock is LockState.OPEN:
            core.remote.lock_reported(slot)
        else:
            self._move(slot, False)
        return True

    def let_go(self, slot: Slot) -> None:
        """Nobody's session needs the plug held, or the supply is failing: open the lock, if it is not open."""
        if (slot.session is None or self.core.power.failing) and slot.lock is not LockState.OPEN:
            self.unlock(slot)

    def moving(self, slot: Slot) -> bool:
        """It was told to move, and has not said that it has."""
        return self.core.deadlines.pending(Due.LOCK, slot.id)

    def _move(self, slot: Slot, close: bool) -> None:
        self.core.emit(SetLock(slot.id, close))
        self.core.after(Due.LOCK, MOVES_S, slot.id)

    def reported(self, item: LockReported) -> None:
        core, slot = self.core, self.core.visits.slot(item.slot)
        slot.lock = item.state
        core.touch(slot)
        match item.state:
            case LockState.JAMMED:
                self.late(slot.id)
            case LockState.OPEN:
                self._opened(slot)
            case LockState.CLOSED if slot.phase is Phase.LOCKING:
                core.deadlines.cancel(Due.LOCK, slot.id)
                core.power.locked(slot)
            case LockState.CLOSED if core.power.ready and not core.deadlines.pending(Due.LOCK, slot.id):
                self.let_go(slot)  # it was told to close for a session that ended meanwhile
            case LockState.CLOSED:
                pass

    def _opened(self, slot: Slot) -> None:
        core = self.core
        core.deadlines.cancel(Due.LOCK, slot.id)
        core.remote.lock_reported(slot)
        core.faults.over(Cause.LOCK_WILL_NOT_OPEN, slot.id)
        core.authorization.let_go(slot.id)
        if slot.phase is Phase.LOCKING:  # it was on its way when the next session came
            self.close(slot)
        elif slot.phase in (Phase.READING, Phase.STORING) or slot.permitted:
            core.note("error", "lock.opened", slot.id)
            core.power.end(slot, StopReason.OTHER, Why.ABNORMAL, cut=True)

    def again(self, number: int) -> None:
        """Some time after a lock would not open: it may have been freed by hand."""
        slot = self.core.visits.slot(number)
        if not self.core.deadlines.pending(Due.LOCK, number):
            self.let_go(slot)

    def late(self, number: int) -> None:
        """It has not reached the end that it was sent to."""
        core, slot = self.core, self.core.visits.slot(number)
        if slot.phase is Phase.LOCKING:
            core.faults.found(Cause.LOCK_WILL_NOT_CLOSE, number)
        elif slot.lock is not LockState.OPEN:
            core.faults.found(Cause.LOCK_WILL_NOT_OPEN, number)
            core.after(Due.UNLOCK, AGAIN_S, number)
        core.remote.lock_failed(slot)
        core.touch(slot)
