"""Visits: what is plugged in where, what the board found at boot, and what follows when a vehicle comes or goes (station.md §§1, 7).

A visit is a vehicle connected until it is gone; it may see a session or none. Not here: the power path (`power`), what a card means
(`authorization`), what the vehicle draws (`demand`).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from hal.actions import Offer, PermitPower
from hal.clock import Due
from hal.signals import CableChanged, VehicleChanged
from hal.units import Cause, Pilot
from statemachine.claims import Hold
from statemachine.slot import Phase, Slot
from statemachine.table import TRIGGER_TO, fire
from station.core.effects import Bug
from station.core.session import Session, Transaction
from station.words.common import SlotStatus, StopReason, Why

if TYPE_CHECKING:
    from station.core.core import StationCore

BOARD_PATIENCE_S: Final = 10


class Found(enum.Enum):
    """What the board reports of a slot at boot."""

    EMPTY = "no vehicle"
    VEHICLE = "vehicle, contactor open"
    CLOSED = "contactor closed"


class Left(enum.Enum):
    """What becomes of a session that the last boot left open, and of the plug."""

    RELEASE = "no session: let go of the plug, unless it waits for its owner's card"
    END = "end it, then let go of the plug"
    AS_SET = "end it, or go on: transactions.after_restart"


# (what the board found, whether the image has an open session); a closed contactor is a weld before anything else, until it opens
BOOT: Final[dict[tuple[Found, bool], Left]] = {
    (Found.EMPTY, False): Left.RELEASE,
    (Found.EMPTY, True): Left.END,
    (Found.VEHICLE, False): Left.RELEASE,
    (Found.VEHICLE, True): Left.AS_SET,
    (Found.CLOSED, False): Left.RELEASE,
    (Found.CLOSED, True): Left.END,
}


class Visits:
    """Has no state of its own: the facts are the slots'."""

    __slots__ = ("core",)

    def __init__(self, core: StationCore) -> None:
        self.core = core

    # --- boot ---

    def board_late(self) -> None:
        """The board is silent, or was about to lose its supply and is still here."""
        core = self.core
        if core.power.failing:
            core.power.supply_held()
        elif not core.power.ready:
            core.note("error", "board.silent")
            core.after(Due.BOARD_READY, BOARD_PATIENCE_S)

    def board_ready(self) -> None:
        """The board has reported the state that it found: the base state comes from it and from the image, by the table above."""
        core = self.core
        core.power.ready = True
        core.deadlines.cancel(Due.BOARD_READY)
        for slot in core.slots:
            slot.holds &= ~Hold.NOT_READY
            # Nothing was permitted in this boot. An output may outlive the process that set it, and close the contactor later.
            core.emit(PermitPower(slot.id, False))
            core.emit(Offer(slot.id, None))
            if slot.power_closed:
                core.faults.found(Cause.CONTACTOR_WELDED, slot.id, proven=False)  # it has a second to open
            left = core.transactions.take(slot)
            fate = BOOT[_found(slot), left is not None]
            if left is None:
                core.locks.let_go(slot)
            elif fate is Left.AS_SET and self._may_resume(slot, left[0]):
                self._resume(slot, *left)
            else:
                self._close(slot, *left)
            if slot.plugged and slot.session is None:
                core.authorization.plugged(slot)
            core.touch(slot)
        core.transactions.left.clear()
        core.metering.realign()

    def _may_resume(self, slot: Slot, session: Session) -> bool:
        resume = self.core.settings.after_restart == "resume"
        return resume and session.ending is None and not slot.blocked()

    def _resume(self, slot: Slot, session: Session, tx: Transaction | None) -> None:
        slot.session, slot.tx = session, tx
        session.resumed = False
        slot.holds |= 0 if session.accepted else Hold.REFUSED
        self.core.authorization.visit_over(slot.id)
        self._adopt(slot)

    def _close(self, slot: Slot, session: Session, tx: Transaction | None) -> None:
        """End a session that the last boot left open, with the register as it is now."""
        slot.session, slot.tx = session, tx
        session.ending = session.ending or self.core.boot.stop
        session.stop_why = Why.ABNORMAL
        self._adopt(slot)
        if slot.plugged:
            fire(slot, TRIGGER_TO[SlotStatus.PREPARING])  # somebody is here; what is told comes with the end
        if slot.power_closed:
            slot.phase = Phase.OPENING  # what flows until it is open is this session's
        else:
            slot.phase = Phase.CLOSING_READ
            self.core.metering.ask_final(slot)

    def _adopt(self, slot: Slot) -> None:
        self.core.transactions.look(slot)
        self.core.timekeeping.watch()

    # --- cable and pilot ---

    def cable_changed(self, item: CableChanged) -> None:
        """A plug that leaves the socket takes its session with it, whatever the settings say of the vehicle's side."""
        core, slot = self.core, self.slot(item.slot)
        slot.cable, slot.cable_ma = item.present, item.rating_ma
        if not item.present:
            if slot.session is not None:
                core.power.end(slot, StopReason.EV_DISCONNECTED, Why.EV_COMMUNICATION_LOST, cut=True)
            self.gone(slot)
        elif slot.session is not None:
            core.supply.share()
        core.touch(slot)

    def vehicle_changed(self, item: VehicleChanged) -> None:
        core, slot = self.core, self.slot(item.slot)
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
        core.power.pilot_moved(slot)
        core.touch(slot)

    def _arrived(self, slot: Slot) -> None:
        slot.finished = slot.stale = slot.ev_left = False
        slot.trips = 0
        slot.plugged_at_ns = self.core.now.mono_ns
        if not self.core.power.ready:
            return
        self.core.events.vehicle(slot, True)
        if slot.session is None:
            self.core.authorization.plugged(slot)
        else:
            self.core.transactions.changed(slot, Why.CABLE_PLUGGED_IN)

    def _left(self, slot: Slot) -> None:
        """At the vehicle's side. A session that has not begun to run has nothing to wait for (1.6 STOP-13, STOP-14)."""
        core = self.core
        slot.full_since = None
        if not core.power.ready:
            return
        core.events.vehicle(slot, False)
        core.deadlines.cancel(Due.CONNECTION, slot.id)
        core.faults.unplugged(slot)
        slot.ev_left = slot.session is not None
        if slot.session is None:
            core.transactions.changed(slot, Why.EV_COMMUNICATION_LOST)
            self.gone(slot)
        elif core.settings.stop_on_ev_disconnect or slot.phase is not Phase.RUNNING:
            core.power.end(slot, StopReason.EV_DISCONNECTED, Why.EV_COMMUNICATION_LOST)
        else:
            core.transactions.changed(slot, Why.EV_COMMUNICATION_LOST)

    def gone(self, slot: Slot) -> None:
        """The visit is over when vehicle and cable are gone."""
        if slot.plugged or slot.cable:
            return
        slot.finished = slot.stale = slot.ev_left = False
        slot.full_since = None
        if slot.session is None:
            self.core.authorization.visit_over(slot.id)
            self.core.locks.let_go(slot)

    def slot(self, number: int) -> Slot:
        slot = self.core.slot(number)
        if slot is None:
            raise Bug(f"the board spoke of slot {number}, the station has {len(self.core.slots)}")
        return slot


def _found(slot: Slot) -> Found:
    if slot.power_closed:
        return Found.CLOSED
    return Found.VEHICLE if slot.plugged else Found.EMPTY
