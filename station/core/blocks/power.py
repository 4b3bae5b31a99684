"""The power path of a slot: lock, first reading, disk, permission; and back in order, or at once (station.md §2).

    plugged and authorised -> lock -> first reading -> disk -> permit and offer -> the vehicle asks -> contactor closed
    end: offer withdrawn -> the vehicle lets go, 3 s at most -> permission withdrawn -> contactor open -> final reading -> unlock
    cut: permission withdrawn in the same step, whatever the phase

Withdrawing power waits for nothing. Not here: why a session starts or ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.actions import Offer, PermitPower, SetLock
from hal.clock import Due
from hal.signals import CableChanged, LockReported, PowerReported, VehicleChanged
from hal.units import Cause, LockState, Pilot, Reading
from meter.register import Register, rated_mw
from statemachine.claims import Hold, why_off
from statemachine.slot import Phase, Slot
from station.core.blocks.supply import shares
from station.core.effects import Bug
from station.core.session import Session, Transaction
from station.words.common import Sample, StopReason, Why

if TYPE_CHECKING:
    from station.core.core import StationCore

LET_GO_S: Final = 3  # for the vehicle to stop drawing after the offer is withdrawn
OPENS_S: Final = 1  # for the mirror contact to say open
CLOSES_S: Final = 3  # for the mirror contact to say closed once the vehicle asks
LOCKS_S: Final = 3
CLOSE_TRIES: Final = 3
IDLE_S: Final = 10
DRAWING_S: Final = 60
MINIMUM_MA: Final = 6_000


class Power:
    """Owns the phases of all slots. `ready` once the board has reported the state that it found."""

    __slots__ = ("core", "ready")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.ready = False
        for slot in core.slots:
            slot.meter = Register(rated_mw(slot.shape.max_current_ma, slot.shape.phases))

    # --- boot (station.md §7) ---

    def board_late(self) -> None:
        if not self.ready:
            self.core.note("error", "board.silent")
            self.core.after(Due.BOARD_READY, 10)

    def board_ready(self) -> None:
        """The board has reported the state that it found: the base state comes from it and from the image."""
        core = self.core
        self.ready = True
        core.deadlines.cancel(Due.BOARD_READY)
        for slot in core.slots:
            slot.holds &= ~Hold.NOT_READY
            left = core.transactions.left.pop(slot.id, None)
            if slot.power_closed:  # it was never permitted in this boot
                core.faults.found(Cause.CONTACTOR_WELDED, slot.id)
            if left is not None:
                self._resume(slot, *left) if self._may_resume(slot) else self._close(slot, *left)
            elif slot.lock is not LockState.OPEN:
                self.unlock(slot)
            if slot.plugged and slot.session is None:
                core.authorization.plugged(slot)
            core.touch(slot)
        core.transactions.left.clear()
        core.metering.realign()

    def _may_resume(self, slot: Slot) -> bool:
        resume = self.core.settings.after_restart == "resume"
        return resume and slot.plugged and not slot.power_closed and not slot.blocked()

    def _resume(self, slot: Slot, session: Session, tx: Transaction | None) -> None:
        slot.session, slot.tx = session, tx
        session.resumed = False
        self._adopt(slot)

    def _close(self, slot: Slot, session: Session, tx: Transaction | None) -> None:
        """End a session that the last boot left open, with the register as it is now."""
        slot.session, slot.tx = session, tx
        session.ending = session.ending or self.core.boot.stop
        session.stop_why = Why.ABNORMAL
        self._adopt(slot)
        slot.phase = Phase.CLOSING_READ
        self.core.metering.ask_final(slot)

    def _adopt(self, slot: Slot) -> None:
        if slot.tx is not None:
            slot.tx.held = self.core.transactions.points(slot)
        self.core.transactions.watch()

    # --- what the board says ---

    def cable_changed(self, item: CableChanged) -> None:
        slot = self._slot(item.slot)
        slot.cable, slot.cable_ma = item.present, item.rating_ma
        if not item.present:
            self._gone(slot)
        self.core.touch(slot)

    def vehicle_changed(self, item: VehicleChanged) -> None:
        core, slot = self.core, self._slot(item.slot)
        was, slot.pilot = slot.plugged, item.pilot
        if item.pilot is Pilot.A:
            slot.plugged = False
        elif item.pilot.connected:
            slot.plugged = True
        core.faults.pilot(slot)
        if slot.plugged and not was:
            self._arrived(slot)
        elif was and not slot.plugged:
            self._left(slot)
        if slot.session is not None:
            self._pilot_in_session(slot)
        core.touch(slot)

    def _pilot_in_session(self, slot: Slot) -> None:
        if slot.pilot.asks:
            self.core.deadlines.cancel(Due.EV_READY, slot.id)
            if slot.permitted and not slot.power_closed:
                self.core.after(Due.POWER_CLOSED, CLOSES_S, slot.id)
        else:
            self.core.deadlines.cancel(Due.POWER_CLOSED, slot.id)
            if self.core.deadlines.pending(Due.POWER_OPENS, slot.id):
                self.vehicle_had_its_time(slot.id)

    def _arrived(self, slot: Slot) -> None:
        slot.finished = slot.stale = False
        slot.plugged_at_ns = self.core.now.mono_ns
        if not self.ready:
            return
        self.core.events.vehicle(slot, True)
        if slot.session is None:
            self.core.authorization.plugged(slot)
        else:
            self.core.transactions.changed(slot, Why.CABLE_PLUGGED_IN)

    def _left(self, slot: Slot) -> None:
        core, settings = self.core, self.core.settings
        if not self.ready:
            return
        core.events.vehicle(slot, False)
        core.deadlines.cancel(Due.CONNECTION, slot.id)
        core.faults.unplugged(slot)
        if slot.session is None:
            core.transactions.changed(slot, Why.EV_COMMUNICATION_LOST)
            self._gone(slot)
        elif settings.stop_on_ev_disconnect:
            self.end(slot, StopReason.EV_DISCONNECTED, Why.EV_COMMUNICATION_LOST)

    def _gone(self, slot: Slot) -> None:
        """The visit is over when vehicle and cable are gone."""
        if slot.plugged or slot.cable:
            return
        slot.finished = slot.stale = False
        slot.full_since = None
        if slot.session is None and slot.lock is LockState.CLOSED and slot.shape.has_lock:
            self.unlock(slot)

    def lock_reported(self, item: LockReported) -> None:
        core, slot = self.core, self._slot(item.slot)
        slot.lock = item.state
        core.remote.lock_reported(slot)
        if item.state is LockState.JAMMED:
            self.lock_late(slot.id)
        elif item.state is LockState.CLOSED and slot.phase is Phase.LOCKING:
            core.deadlines.cancel(Due.LOCK, slot.id)
            self._read(slot)
        elif item.state is LockState.OPEN:
            core.deadlines.cancel(Due.LOCK, slot.id)
            core.faults.over(Cause.LOCK_WILL_NOT_OPEN, slot.id)
            if slot.phase is Phase.RUNNING and slot.permitted:
                core.note("error", "lock.opened", slot.id)
                self.end(slot, StopReason.OTHER, Why.ABNORMAL, cut=True)
        core.touch(slot)

    def power_reported(self, item: PowerReported) -> None:
        core, slot = self.core, self._slot(item.slot)
        slot.power_closed = item.closed
        core.deadlines.cancel(Due.POWER_CLOSED if item.closed else Due.POWER_OPENED, slot.id)
        if item.closed:
            self._closed(slot)
        else:
            slot.drawing = False
            core.deadlines.cancel(Due.IDLE, slot.id)
            core.faults.over(Cause.CONTACTOR_WELDED, slot.id)
            if slot.phase is Phase.OPENING:
                self._final(slot)
            core.provisioning.progress()
        core.touch(slot)

    def _closed(self, slot: Slot) -> None:
        if slot.permitted:
            slot.drawing = slot.was_energised = True
            slot.connect_failures = 0
            if slot.phase is Phase.RUNNING:
                self._full_again(slot)
        elif self.ready:
            self.core.after(Due.POWER_OPENED, OPENS_S, slot.id)

    # --- start ---

    def evaluate(self, slot: Slot) -> None:
        """Something about the slot changed: take the next step towards what is wanted now."""
        if not self.ready or slot.session is None:
            return
        self._holds(slot)
        if slot.phase is Phase.IDLE:
            if slot.plugged and not slot.blocked() and not slot.holds & Hold.RESTART and slot.session.ending is None:
                self._lock(slot)
        elif slot.phase is Phase.RUNNING:
            self._follow(slot)

    def _holds(self, slot: Slot) -> None:
        hold = Hold.FAULT if slot.blocked() else 0
        slot.holds = (slot.holds & ~(Hold.FAULT | Hold.NO_VEHICLE)) | hold | (0 if slot.plugged else Hold.NO_VEHICLE)

    def _lock(self, slot: Slot) -> None:
        slot.phase = Phase.LOCKING
        slot.holds |= Hold.LOCK | Hold.METER | Hold.STORE
        if not slot.shape.has_lock or slot.lock is LockState.CLOSED:
            self._read(slot)
            return
        self.core.emit(SetLock(slot.id, True))
        self.core.after(Due.LOCK, LOCKS_S, slot.id)

    def lock_late(self, number: int) -> None:
        core, slot = self.core, self._slot(number)
        if slot.phase is Phase.LOCKING:
            core.faults.found(Cause.LOCK_WILL_NOT_CLOSE, number)
        elif slot.lock is not LockState.OPEN:
            core.faults.found(Cause.LOCK_WILL_NOT_OPEN, number)
        core.remote.lock_failed(slot)
        core.touch(slot)

    def _read(self, slot: Slot) -> None:
        slot.phase = Phase.READING
        slot.holds &= ~Hold.LOCK
        self.core.metering.ask_first(slot)

    def first_reading(self, slot: Slot, reading: Reading | None) -> None:
        """The register before permission; None: no reading came, and none was ever there."""
        session = slot.session
        if session is None or slot.phase is not Phase.READING:
            return
        if reading is None:
            self.core.faults.found(Cause.METER, slot.id)
            self.end(slot, StopReason.OTHER, Why.ABNORMAL)
            return
        slot.holds &= ~Hold.METER
        slot.phase = Phase.STORING
        if session.first_mwh is None:
            session.first_mwh = reading.energy_mwh
            self.core.metering.began(slot, reading)
        session.last_mwh = reading.energy_mwh
        why = Why.CHARGING_STATE_CHANGED if session.token_told else Why.AUTHORIZED
        if session.request is not None and not session.request_told:
            why = Why.REMOTE_START
        self.core.transactions.changed(slot, why, then=True)

    def stored(self, slot: Slot, ok: bool) -> None:
        """The start is on the disk, or never will be."""
        session = slot.session
        if session is None or slot.phase is not Phase.STORING:
            return
        if not ok:
            self._drop(slot, StopReason.OTHER)
        elif session.ending is not None:
            self._final(slot)
        else:
            self._run(slot, session)
        self.core.touch(slot)

    def _run(self, slot: Slot, session: Session) -> None:
        slot.phase = Phase.RUNNING
        slot.holds &= ~Hold.STORE
        slot.was_energised = slot.ready_passed = slot.drawing = False
        slot.full_since = None
        core = self.core
        core.transactions.watch()
        core.metering.watch(slot)
        core.events.session_started(slot, session)
        self.share()

    def _follow(self, slot: Slot) -> None:
        """The session runs: give power, or take it back in order, as the holds and the supply say."""
        core = self.core
        if slot.holds & ~Hold.NO_VEHICLE or not slot.plugged:
            if slot.permitted and slot.offered_ma is not None:
                self._offer(slot, None)
                core.after(Due.POWER_OPENS, LET_GO_S, slot.id)
                if not slot.pilot.asks:
                    self.vehicle_had_its_time(slot.id)
                core.note("info", "power.off", slot.id, why_off(slot.holds))
            return
        core.deadlines.cancel(Due.POWER_OPENS, slot.id)
        if not slot.permitted:
            self._permit(slot, True)
            core.after(Due.EV_READY, core.settings.ev_ready_s, slot.id)
            if slot.pilot.asks:
                core.after(Due.POWER_CLOSED, CLOSES_S, slot.id)
        self._offer(slot, slot.offer_ma)

    def _permit(self, slot: Slot, allowed: bool) -> None:
        if slot.permitted != allowed:
            slot.permitted = allowed
            self.core.emit(PermitPower(slot.id, allowed))

    def _offer(self, slot: Slot, limit_ma: int | None) -> None:
        if slot.offered_ma != limit_ma:
            slot.offered_ma = limit_ma
            self.core.emit(Offer(slot.id, limit_ma))

    def ev_ready_passed(self, number: int) -> None:
        slot = self._slot(number)
        slot.ready_passed = True
        self.core.touch(slot)

    def still_open(self, number: int) -> None:
        """The vehicle asks, power is permitted, and the contactor has not closed."""
        slot = self._slot(number)
        if not slot.permitted or slot.power_closed or not slot.pilot.asks:
            return
        slot.connect_failures += 1
        self._permit(slot, False)
        if slot.connect_failures >= CLOSE_TRIES:
            self.core.faults.found(Cause.CONTACTOR_OPEN, number)
        self.core.touch(slot)

    # --- stop ---

    def hold(self, slot: Slot, hold: Hold) -> None:
        """Withhold power from a running session for this reason."""
        slot.holds |= hold
        self.core.touch(slot)

    def release(self, slot: Slot, hold: Hold) -> None:
        slot.holds &= ~hold
        self.core.touch(slot)

    def end(self, slot: Slot, reason: StopReason, why: Why, cut: bool = False) -> None:
        """End the slot's session in order; with `cut`, power goes first. Does nothing where there is no session to end."""
        session = slot.session
        if cut:
            self.cut(slot)
        if session is None or session.ending is not None:
            return
        session.ending, session.stop_why = reason, why
        slot.holds |= Hold.STOPPING
        self.core.note("info", "session.ending", slot.id, reason.value)
        match slot.phase:
            case Phase.IDLE | Phase.LOCKING | Phase.READING if session.first_mwh is None:
                self._drop(slot, reason)
            case Phase.RUNNING:
                self._let_go(slot)
            case Phase.IDLE | Phase.LOCKING | Phase.READING:  # a resumed session
                self._final(slot)
            case _:
                pass  # storing: `stored` goes on; the others are on their way out
        self.core.touch(slot)

    def _let_go(self, slot: Slot) -> None:
        """Offer nothing; the vehicle has three seconds to stop drawing before the contactor opens."""
        slot.phase = Phase.ENDING
        self.core.deadlines.cancel(Due.EV_READY, slot.id)
        self._offer(slot, None)
        if slot.permitted and slot.power_closed and slot.pilot.asks:
            self.core.after(Due.POWER_OPENS, LET_GO_S, slot.id)
        else:
            self._open(slot)

    def vehicle_had_its_time(self, number: int) -> None:
        slot = self._slot(number)
        self.core.deadlines.cancel(Due.POWER_OPENS, number)
        if slot.phase is Phase.ENDING:
            self._open(slot)
        elif slot.phase is Phase.RUNNING and (slot.holds & ~Hold.NO_VEHICLE or not slot.plugged):
            self._permit(slot, False)
            self._expect_open(slot)

    def _open(self, slot: Slot) -> None:
        slot.phase = Phase.OPENING
        self._permit(slot, False)
        if slot.power_closed:
            self._expect_open(slot)
        else:
            self._final(slot)

    def _expect_open(self, slot: Slot) -> None:
        if slot.power_closed:
            self.core.after(Due.POWER_OPENED, OPENS_S, slot.id)

    def cut(self, slot: Slot) -> None:
        """Withdraw power now. The session, if it goes on, waits in SuspendedEVSE."""
        self._permit(slot, False)
        self._offer(slot, None)
        self.core.deadlines.cancel(Due.POWER_OPENS, slot.id)
        self._expect_open(slot)
        if slot.phase is Phase.ENDING:
            self._open(slot)
        elif slot.phase is Phase.RUNNING and slot.session is not None and slot.session.ending is not None:
            slot.phase = Phase.ENDING
            self._open(slot)
        self.core.touch(slot)

    def still_closed(self, number: int) -> None:
        """The mirror contact should say open by now."""
        slot = self._slot(number)
        if not slot.power_closed or slot.permitted:
            return
        self.core.faults.found(Cause.CONTACTOR_WELDED, number)
        if slot.phase is Phase.OPENING:
            self._final(slot)
        self.core.touch(slot)

    def _final(self, slot: Slot) -> None:
        slot.phase = Phase.CLOSING_READ
        self.core.metering.ask_final(slot)

    def final_reading(self, slot: Slot, reading: Reading | None, sample: Sample | None) -> None:
        """The register after opening; None: no reading came, and the last good one stands, marked."""
        session = slot.session
        if session is None or slot.phase is not Phase.CLOSING_READ:
            return
        if reading is not None:
            session.last_mwh = reading.energy_mwh
        else:
            session.marked = True
            session.last_mwh = session.last_mwh if session.last_mwh is not None else session.first_mwh
            self.core.note("warning", "meter.final_missing", slot.id)
        self._finish(slot, sample)

    def _drop(self, slot: Slot, reason: StopReason) -> None:
        """A session that never came to power: no transaction was told, or it ends with what it has."""
        session = slot.session
        assert session is not None
        session.ending = session.ending or reason
        self._finish(slot, None)

    def _finish(self, slot: Slot, sample: Sample | None) -> None:
        core, session = self.core, slot.session
        assert session is not None
        core.metering.unwatch(slot)
        for due in (Due.LOCK, Due.EV_READY, Due.IDLE, Due.FULL, Due.DRAWING, Due.METER, Due.FAULT_ENDS_SESSION):
            core.deadlines.cancel(due, slot.id)
        core.transactions.over(slot, sample)
        slot.holds &= Hold.SAFE_MODE | Hold.FAULT | Hold.INOPERATIVE | Hold.RESTART
        slot.drawing = slot.was_energised = False
        slot.full_since = None
        if core.authorization.keeps_cable(slot, session):
            core.note("info", "cable.kept", slot.id)
        else:
            self.unlock(slot)
        self._gone(slot)
        self.share()
        core.provisioning.progress()
        core.touch(slot)

    def unlock(self, slot: Slot) -> bool:
        """Open the lock, unless there is none or the contactor still reports closed. Returns whether it was told to open."""
        if not slot.shape.has_lock or slot.power_closed:
            return False
        if slot.lock is not LockState.OPEN:
            self.core.emit(SetLock(slot.id, False))
            self.core.after(Due.LOCK, LOCKS_S, slot.id)
        return True

    def power_failing(self) -> None:
        """What is left of the supply is for opening contactors and locks; the disk has what it needs."""
        for slot in self.core.slots:
            self.cut(slot)
            self.unlock(slot)

    # --- what the meter and the clock say about the vehicle ---

    def reading(self, slot: Slot, reading: Reading) -> None:
        """A good reading of a running session: is the vehicle drawing, and is its grace used up?"""
        session, core = slot.session, self.core
        if session is None or slot.phase is not Phase.RUNNING:
            return
        session.last_mwh = reading.energy_mwh
        if session.energy_left_mwh is not None and reading.energy_mwh >= session.energy_left_mwh:
            session.energy_left_mwh = None
            self.hold(slot, Hold.REFUSED)
        if not slot.power_closed:
            return
        idle = all(current < core.settings.idle_current_ma for current in reading.current_ma)
        if idle:
            core.deadlines.cancel(Due.DRAWING, slot.id)
            if slot.drawing and not core.deadlines.pending(Due.IDLE, slot.id):
                core.after(Due.IDLE, IDLE_S, slot.id)
        else:
            core.deadlines.cancel(Due.IDLE, slot.id)
            if not slot.drawing:
                slot.drawing = True
                self._full_again(slot)
                core.touch(slot)
        core.faults.over_current_check(slot, reading)

    def _full_again(self, slot: Slot) -> None:
        """It draws: no longer counts towards full, and ends full if it goes on."""
        self.core.deadlines.cancel(Due.FULL, slot.id)
        if slot.full_since is not None and not self.core.deadlines.pending(Due.DRAWING, slot.id):
            self.core.after(Due.DRAWING, DRAWING_S, slot.id)

    def idle(self, number: int) -> None:
        slot = self._slot(number)
        slot.drawing = False
        self.core.touch(slot)

    def ev_suspended(self, slot: Slot) -> None:
        """The slot has become SuspendedEV: after a while of it the vehicle counts as full (station.md §6)."""
        self.core.deadlines.cancel(Due.DRAWING, slot.id)
        if slot.full_since is None:
            self.core.after(Due.FULL, self.core.settings.full_after_s, slot.id)

    def full(self, number: int) -> None:
        slot = self._slot(number)
        session = slot.session
        if session is None or session.first_mwh is None or session.last_mwh is None:
            return
        if slot.plugged and session.last_mwh - session.first_mwh >= self.core.settings.full_min_wh * 1000:
            slot.full_since = self.core.now.mono_ns
            self.core.events.full(slot, session)
            self.core.touch(slot)

    def drawing_again(self, number: int) -> None:
        slot = self._slot(number)
        slot.full_since = None
        self.core.touch(slot)

    # --- the shared supply ---

    def share(self) -> None:
        """Divide the supply among the running sessions; who gets nothing waits in SuspendedEVSE (station.md §10)."""
        core = self.core
        running = [s for s in core.slots if s.session is not None and s.phase is Phase.RUNNING]
        if not running:
            core.deadlines.cancel(Due.SUPPLY)
            return
        running.sort(key=lambda s: s.plugged_at_ns)
        limits = [min(s.shape.max_current_ma, s.cable_ma or s.shape.max_current_ma) for s in running]
        grants = shares(core.shape.supply_ma, limits)
        for slot, grant in zip(running, grants, strict=True):
            slot.offer_ma = grant
            slot.holds = slot.holds | Hold.SUPPLY if grant < MINIMUM_MA else slot.holds & ~Hold.SUPPLY
            core.touch(slot)

    def _slot(self, number: int) -> Slot:
        slot = self.core.slot(number)
        if slot is None:
            raise Bug(f"the board spoke of slot {number}, the station has {len(self.core.slots)}")
        return slot
