"""A slot: what is known of it, and the base state that follows from that.

The facts are set by the core's blocks; `settle` moves the state to where they say, along rows of `table.py`. Pure, no effects.
Not here: sequences (lock, read, store, permit), which are the power block's.
"""

from __future__ import annotations

import enum
from typing import Any, Final

from hal.units import LockState, MilliAmps, MonoNs, Pilot, SlotId
from statemachine.claims import Hold
from statemachine.faults import Fault
from statemachine.table import MEANING, fire, path
from station.words.common import ChargingState, Origin, Point, SlotStatus, Summary
from station.words.settings import SlotShape

NO_POINTS: Final[frozenset[Point]] = frozenset()


class Phase(enum.Enum):
    """Where the power path stands: the short sequence between authorised and powered, and back."""

    IDLE = 0
    LOCKING = 1  # SetLock(closed) sent
    READING = 2  # first reading asked for
    STORING = 3  # session and first reading on their way to the disk
    RUNNING = 4  # the session is established; power is permitted while no hold stands
    ENDING = 5  # offer withdrawn: the vehicle has 3 s to stop drawing
    OPENING = 6  # permission withdrawn, mirror contact not yet open
    CLOSING_READ = 7  # final reading asked for


_POWERED = (SlotStatus.CHARGING, SlotStatus.SUSPENDED_EV, SlotStatus.SUSPENDED_EVSE)


class Slot:
    """One slot (EVSE n, connector n). Units in the names; `None` is unknown."""

    __slots__ = (
        "cable",
        "cable_ma",
        "changing_ns",
        "connect_failures",
        "drawing",
        "ev_left",
        "faults",
        "finished",
        "full_since",
        "holds",
        "id",
        "lock",
        "meter",
        "offer_ma",
        "offered_ma",
        "operative",
        "over_since_ns",
        "permitted",
        "phase",
        "pilot",
        "plugged",
        "plugged_at_ns",
        "points",
        "power_closed",
        "ready_passed",
        "reserved",
        "sampling_from_ns",
        "scheduled",
        "session",
        "shape",
        "stale",
        "state",
        "trips",
        "tx",
        "waiting_auth",
    )

    def __init__(self, number: SlotId, shape: SlotShape) -> None:
        self.id = number
        self.shape = shape
        self.state = SlotStatus.AVAILABLE
        self.cable = False
        self.cable_ma: MilliAmps | None = None
        self.pilot = Pilot.A
        self.lock = LockState.OPEN
        self.power_closed = False
        self.permitted = False
        self.offered_ma: MilliAmps | None = None  # what the pilot was last told
        self.offer_ma: MilliAmps = 0  # what the supply grants
        self.phase = Phase.IDLE
        self.holds: int = int(Hold.NOT_READY)
        self.session: Any = None  # station.core.session.Session
        self.tx: Any = None  # station.core.session.Transaction
        self.waiting_auth = False  # an authorisation is reserved for this slot, no plug yet
        self.finished = False  # this visit had a session that is over
        self.ev_left = False  # unplugged at the vehicle's side while there was a session
        self.stale = False  # plugged, no card within ConnectionTimeOut
        self.operative = True
        self.scheduled: bool | None = None  # operative or not, once the session is over
        self.sampling_from_ns: MonoNs = 0  # where the intervals of samples count from
        self.reserved = False
        self.drawing = False
        self.ready_passed = False  # ev_ready_s is over and the vehicle has not asked
        self.changing_ns: MonoNs | None = None  # since when the readings speak against `drawing`
        self.over_since_ns: MonoNs | None = None  # since when it draws more than is offered
        self.full_since: MonoNs | None = None
        self.plugged = False  # a vehicle is connected; pilot E or F leave it as it was
        self.plugged_at_ns: MonoNs = 0
        self.points = NO_POINTS  # the conditions of transactions, as last looked at
        self.connect_failures = 0
        self.trips = 0  # ground faults in this visit
        self.meter: Any = None  # meter.register.Register
        self.faults: list[Fault] | None = None

    # --- facts drawn from facts ---

    @property
    def occupied(self) -> bool:
        return self.plugged or self.cable or self.session is not None or self.waiting_auth

    def faulted(self) -> Fault | None:
        """The fault that makes this slot Faulted, the oldest first."""
        return next((f for f in self.faults or () if f.row.faulted), None)

    def warning(self) -> Fault | None:
        return next((f for f in self.faults or () if not f.row.faulted and f.row.error != "NoError"), None)

    def blocked(self) -> bool:
        """Some fault withholds power."""
        return self.faults is not None and any(f.row.withholds for f in self.faults)

    @property
    def open_to_new(self) -> bool:
        """Somebody may begin here: in operation, no fault, and no restart on its way."""
        return self.operative and self.faulted() is None and not self.holds & Hold.RESTART

    def target(self) -> SlotStatus:
        """The base state that the facts ask for."""
        if self.session is not None:
            return self._target_in_session()
        if not self.operative:
            return SlotStatus.UNAVAILABLE
        if self.plugged:
            return SlotStatus.FINISHING if self.finished or self.stale else SlotStatus.PREPARING
        if self.finished and self.cable:
            return SlotStatus.FINISHING
        if self.waiting_auth:
            return SlotStatus.PREPARING
        return SlotStatus.RESERVED if self.reserved else SlotStatus.AVAILABLE

    def _target_in_session(self) -> SlotStatus:
        """SuspendedEVSE goes before SuspendedEV (1.6 STAT-03). A vehicle has `ev_ready_s` to answer an offer; then it is it that waits."""
        if self.phase.value > Phase.RUNNING.value:
            return self.state  # being ended: nothing new to tell until it is over
        if self.phase is not Phase.RUNNING:
            return self._starting()
        if self.holds & ~Hold.NO_VEHICLE:
            return SlotStatus.SUSPENDED_EVSE
        if not self.plugged:
            return SlotStatus.SUSPENDED_EV
        if self.power_closed:
            return SlotStatus.CHARGING if self.drawing else SlotStatus.SUSPENDED_EV
        state = self._starting() if self.state not in _POWERED else self.state
        if self.pilot.asks and (self.permitted or self.connect_failures):
            return state  # the contactor is on its way, or about to be tried again
        if state in (SlotStatus.CHARGING, SlotStatus.SUSPENDED_EV) or self.ready_passed:
            return SlotStatus.SUSPENDED_EV
        return state

    def _starting(self) -> SlotStatus:
        """Authorised, no power yet. Where nobody is asked for a card there is nothing to prepare (1.6 rows A3 to A5, H3 to H5)."""
        free = self.session.origin is Origin.FREE and not self.blocked()
        if free and self.state in (SlotStatus.AVAILABLE, SlotStatus.UNAVAILABLE):
            return self.state
        return SlotStatus.PREPARING

    def settle(self) -> list[SlotStatus]:
        """Move the state to its target; the states passed through, the last one being the present one; empty when nothing moved."""
        passed = []
        for trigger in path(self.state, self.target()):
            fire(self, trigger)
            passed.append(self.state)
        return passed

    # --- what it means ---

    @property
    def status(self) -> SlotStatus:
        """The state with faults laid over it."""
        return SlotStatus.FAULTED if self.faults and self.faulted() else self.state

    @property
    def summary(self) -> Summary:
        """Available, charging, full, fault (station.md §6). Who is full stays so while it tops up for a moment."""
        status = self.status
        if self.full_since is not None and status in (SlotStatus.SUSPENDED_EV, SlotStatus.CHARGING):
            return Summary.FULL
        return MEANING[status][0]

    @property
    def charging_state(self) -> ChargingState:
        if not self.plugged:
            return ChargingState.IDLE
        return MEANING[self.state][2] if self.session is not None else ChargingState.CONNECTED
