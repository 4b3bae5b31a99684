"""The power path of a slot: lock, first reading, disk, permission; and back in order, or at once (station.md §2).

    plugged and authorised -> lock -> first reading -> disk -> permit and offer -> the vehicle asks -> contactor closed
    end: offer withdrawn -> the vehicle lets go, 3 s at most -> permission withdrawn -> contactor open -> final reading -> unlock
    cut: permission withdrawn in the same step, whatever the phase

Withdrawing power waits for nothing. Not here: why a session starts or ends; what is plugged in (`visits`); the lock (`locks`); how much is
offered (`supply`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.actions import Offer, PermitPower
from hal.clock import Due
from hal.signals import PowerReported
from hal.units import Cause, LockState, MilliAmps, Reading
from meter.register import Register, rated_mw
from statemachine.claims import Hold, why_off
from statemachine.slot import Phase, Slot
from station.core.session import Session
from station.words.common import StopReason, Why

if TYPE_CHECKING:
    from station.core.core import StationCore

LET_GO_S: Final = 3  # for the vehicle to stop drawing after the offer is withdrawn
OPENS_S: Final = 1  # for the mirror contact to say open
CLOSES_S: Final = 3  # for the mirror contact to say closed once the vehicle asks
CLOSE_PAUSE_S: Final = 2  # between two tries to close
CLOSE_TRIES: Final = 3
SUPPLY_HELD_S: Final = 10  # still here so long after the supply began to fail: it did not

_OF_THE_SLOT: Final = Hold.SAFE_MODE | Hold.FAULT | Hold.INOPERATIVE | Hold.RESTART  # the rest goes with the session
_DUES: Final = (
    *(Due.POWER_OPENS, Due.POWER_CLOSED, Due.LOCK, Due.METER, Due.EV_READY),
    *(Due.IDLE, Due.FULL, Due.DRAWING, Due.OVER_CURRENT),
)


class Power:
    """Owns the phases of all slots. `ready` once the board has reported the state that it found; `failing`: the supply goes away."""

    __slots__ = ("core", "failing", "ready")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.ready = False
        self.failing = False
        for slot in core.slots:
            slot.meter = Register(rated_mw(slot.shape.max_current_ma, slot.shape.phases), slot.shape.meter_width_mwh)

    # --- what the board says ---

    def pilot_moved(self, slot: Slot) -> None:
        """The vehicle asks, or has stopped asking: within a moment the contactor follows, or something is wrong."""
        core = self.core
        if not self.ready:
            return
        if not slot.pilot.asks:
            core.deadlines.cancel(Due.POWER_CLOSED, slot.id)
            self._expect_open(slot)
            if core.deadlines.pending(Due.POWER_OPENS, slot.id):
                self.vehicle_had_its_time(slot.id)
        elif slot.session is not None:
            core.deadlines.cancel(Due.EV_READY, slot.id)
            if slot.permitted and slot.power_closed:
                core.deadlines.cancel(Due.POWER_OPENED, slot.id)
            elif slot.permitted:
                core.after(Due.POWER_CLOSED, CLOSES_S, slot.id)

    def power_reported(self, item: PowerReported) -> None:
        core, slot = self.core, self.core.visits.slot(item.slot)
        slot.power_closed = item.closed
        core.deadlines.cancel(Due.POWER_CLOSED if item.closed else Due.POWER_OPENED, slot.id)
        if item.closed:
            self._closed(slot)
        else:
            self._opened(slot)
        core.touch(slot)

    def _closed(self, slot: Slot) -> None:
        if slot.permitted:
            slot.connect_failures = 0
            self.core.demand.energised(slot)
        elif self.ready:
            self._expect_open(slot)

    def _opened(self, slot: Slot) -> None:
        core = self.core
        core.demand.opened(slot)
        core.faults.over(Cause.CONTACTOR_WELDED, slot.id)
        if slot.phase is Phase.OPENING:
            self._final(slot)
        elif slot.phase is Phase.RUNNING and slot.permitted and slot.pilot.asks:
            core.after(Due.POWER_CLOSED, CLOSES_S, slot.id)  # it bounced, or fell off
        elif self.failing or (self.ready and slot.session is None):
            core.locks.let_go(slot)
            core.supply.share()
        core.provisioning.progress()

    # --- start ---

    def evaluate(self, slot: Slot) -> None:
        """Something about the slot changed: take the next step towards what is wanted now."""
        if not self.ready or self.failing:
            return
        session = slot.session
        if session is None:
            if slot.plugged:
                self.core.authorization.vehicle_waits(slot)
            return
        self._holds(slot)
        if slot.phase is Phase.RUNNING:
            self._follow(slot)
        elif slot.phase is Phase.IDLE and slot.plugged and session.ending is None and not slot.holds & Hold.RESTART:
            if slot.blocked():
                self.core.faults.wait(slot)
            else:
                self._lock(slot)

    def _holds(self, slot: Slot) -> None:
        hold = Hold.FAULT if slot.blocked() else 0
        slot.holds = (slot.holds & ~(Hold.FAULT | Hold.NO_VEHICLE)) | hold | (0 if slot.plugged else Hold.NO_VEHICLE)

    def _lock(self, slot: Slot) -> None:
        slot.phase = Phase.LOCKING
        slot.holds |= Hold.LOCK | Hold.METER | Hold.STORE
        if not slot.shape.has_lock or (slot.lock is LockState.CLOSED and not self.core.locks.moving(slot)):
            self.locked(slot)
        else:
            self.core.locks.close(slot)

    def locked(self, slot: Slot) -> None:
        """The plug is held, or there is no lock: the register comes next."""
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
        if slot.blocked():  # a fault came meanwhile: begin again when it has gone (1.6 STAT-09)
            slot.phase = Phase.IDLE
            return
        slot.holds &= ~Hold.METER
        slot.phase = Phase.STORING
        if session.first_mwh is None:
            session.first_mwh = reading.energy_mwh
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
        slot.ready_passed = slot.drawing = False
        slot.connect_failures = 0
        slot.full_since = None
        core = self.core
        core.timekeeping.watch()
        core.metering.watch(slot)
        core.events.session_started(slot, session)
        core.supply.share()

    def _follow(self, slot: Slot) -> None:
        """The session runs: give power, or take it back in order, as the holds and the supply say."""
        core = self.core
        if slot.holds:
            if slot.permitted and slot.offered_ma is not None:
                self._offer(slot, None)
                core.after(Due.POWER_OPENS, LET_GO_S, slot.id)
                if not slot.pilot.asks:
                    self.vehicle_had_its_time(slot.id)
                core.note("info", "power.off", slot.id, why_off(slot.holds))
            return
        if not slot.offer_ma:
            return  # its share is on the way: others have been told to draw less
        core.deadlines.cancel(Due.POWER_OPENS, slot.id)
        if not slot.permitted:
            if core.deadlines.pending(Due.POWER_CLOSED, slot.id):
                return  # between two tries to close
            self._permit(slot, True)
            slot.ready_passed = False
            core.after(Due.EV_READY, core.settings.ev_ready_s, slot.id)
            if slot.pilot.asks:
                core.deadlines.cancel(Due.POWER_OPENED, slot.id)
                core.after(Due.POWER_CLOSED, CLOSES_S, slot.id)
        self._offer(slot, slot.offer_ma)

    def _permit(self, slot: Slot, allowed: bool) -> None:
        if slot.permitted != allowed:
            slot.permitted = allowed
            self.core.emit(PermitPower(slot.id, allowed))

    def _offer(self, slot: Slot, limit_ma: MilliAmps | None) -> None:
        if slot.offered_ma != limit_ma:
            slot.offered_ma = limit_ma
            self.core.emit(Offer(slot.id, limit_ma))

    def ev_ready_passed(self, number: int) -> None:
        slot = self.core.visits.slot(number)
        slot.ready_passed = True
        self.core.touch(slot)

    def still_open(self, number: int) -> None:
        """The vehicle asks and the contactor has not closed; or the pause between two tries is over."""
        core, slot = self.core, self.core.visits.slot(number)
        core.touch(slot)
        if not slot.permitted or slot.power_closed or not slot.pilot.asks:
            return
        slot.connect_failures += 1
        self._permit(slot, False)
        if slot.connect_failures >= CLOSE_TRIES:
            core.faults.found(Cause.CONTACTOR_OPEN, number)
        else:
            core.after(Due.POWER_CLOSED, CLOSE_PAUSE_S, number)

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
        if self.core.settings.after_restart == "resume":
            self.core.transactions.save(slot, urgent=True)  # so that no restart takes it up again
        match slot.phase:
            case Phase.IDLE | Phase.LOCKING | Phase.READING if session.first_mwh is None:
                self._drop(slot, reason)
            case Phase.RUNNING:
                self._let_vehicle_go(slot)
            case Phase.IDLE | Phase.LOCKING | Phase.READING:  # a resumed session
                self._final(slot)
            case _:
                pass  # storing: `stored` goes on; the others are on their way out
        self.core.touch(slot)

    def _let_vehicle_go(self, slot: Slot) -> None:
        """Offer nothing; the vehicle has three seconds to stop drawing before the contactor opens."""
        slot.phase = Phase.ENDING
        self.core.deadlines.cancel(Due.EV_READY, slot.id)
        self._offer(slot, None)
        if slot.permitted and slot.power_closed and slot.pilot.asks:
            self.core.after(Due.POWER_OPENS, LET_GO_S, slot.id)
        else:
            self._open(slot)

    def vehicle_had_its_time(self, number: int) -> None:
        slot = self.core.visits.slot(number)
        self.core.deadlines.cancel(Due.POWER_OPENS, number)
        if slot.phase is Phase.ENDING:
            self._open(slot)
        elif slot.phase is Phase.RUNNING and slot.holds:
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
        """From the first reason to open on: no later one, and no report that it is closed still, gives it more time."""
        if slot.power_closed and not self.core.deadlines.pending(Due.POWER_OPENED, slot.id):
            self.core.after(Due.POWER_OPENED, OPENS_S, slot.id)

    def cut(self, slot: Slot) -> None:
        """Withdraw power now. The session, if it goes on, waits in SuspendedEVSE."""
        self._permit(slot, False)
        self._offer(slot, None)
        for due in (Due.POWER_OPENS, Due.POWER_CLOSED):
            self.core.deadlines.cancel(due, slot.id)
        self._expect_open(slot)
        if slot.phase is Phase.ENDING:
            self._open(slot)
        self.core.touch(slot)

    def still_closed(self, number: int) -> None:
        """The mirror contact should say open by now."""
        core, slot = self.core, self.core.visits.slot(number)
        if not slot.power_closed or (slot.permitted and slot.pilot.asks):
            return
        core.faults.found(Cause.CONTACTOR_WELDED, number)
        if slot.phase is Phase.OPENING:
            self._final(slot)
        core.touch(slot)

    def _final(self, slot: Slot) -> None:
        slot.phase = Phase.CLOSING_READ
        self.core.metering.ask_final(slot)

    def final_reading(self, slot: Slot, reading: Reading | None) -> None:
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
        self._finish(slot)

    def _drop(self, slot: Slot, reason: StopReason) -> None:
        """A session that never came to power: no transaction was told, or it ends with what it has."""
        session = slot.session
        assert session is not None
        session.ending = session.ending or reason
        self._finish(slot)

    def _finish(self, slot: Slot) -> None:
        core, session = self.core, slot.session
        assert session is not None
        core.metering.unwatch(slot)
        for due in _DUES:
            core.deadlines.cancel(due, slot.id)
        core.faults.session_over(slot)
        if core.authorization.keeps_cable(slot, session):
            core.note("info", "cable.kept", slot.id)
        core.transactions.over(slot)
        slot.holds &= _OF_THE_SLOT
        slot.full_since = None
        core.demand.opened(slot)
        core.locks.unlock(slot)  # which knows of a plug that is kept
        if core.lights.commanded is not None:
            core.lights.command(slot.id, None)
        core.visits.gone(slot)
        core.supply.finished(slot)
        core.provisioning.progress()
        core.touch(slot)

    # --- the supply of the station itself ---

    def power_failing(self) -> None:
        """What is left of the supply is for opening contactors and then locks; sessions end, unless they are to go on after it."""
        core = self.core
        self.failing = True
        for slot in core.slots:
            if core.settings.after_restart == "end":
                self.end(slot, StopReason.POWER_LOSS, Why.ABNORMAL, cut=True)
            else:
                self.cut(slot)
            core.authorization.let_go(slot.id)
            core.locks.let_go(slot)
        core.timekeeping.leave_mark()
        core.after(Due.BOARD_READY, SUPPLY_HELD_S)

    def supply_held(self) -> None:
        """It went away and came back before the board was off: what was cut and unlocked ends in order."""
        self.failing = False
        for slot in self.core.slots:
            self.end(slot, StopReason.POWER_LOSS, Why.ABNORMAL)
            self.core.touch(slot)
