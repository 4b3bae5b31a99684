"""Who gets power, and behind what (world.md, judged on the station's commands; station.md §§2, 4).

Judged: every `PermitPower(yes)` and every offer, against what the core had been told by then; and that both go in the same step when the
reason for them goes. Not here: whose session it is (`authority`), stops in order (`orderly`), the sum of offers (`supply`).
"""

from __future__ import annotations

from typing import Final

from hal.actions import Offer, PermitPower
from hal.signals import BoardFault, FaultAcknowledged, LockReported, VehicleChanged
from hal.units import SECOND, Cause, LockState, MonoNs, Pilot, SlotId
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.seen import SlotView
from sim.checkers.view import View
from sim.plan import DiskFault

CUTS: Final = frozenset({Cause.EMERGENCY_STOP, Cause.GROUND_FAULT, Cause.PILOT, Cause.OVER_CURRENT})
ORDERLY: Final = frozenset({Cause.UNDER_VOLTAGE, Cause.OVER_VOLTAGE, Cause.TEMPERATURE})
FORBIDS: Final = CUTS | ORDERLY
GROUND_WAIT_NS: Final[MonoNs] = 15 * SECOND
GROUND_TRIPS: Final = 3
STABLE_NS: Final[MonoNs] = 60 * SECOND
DURABLE_NS: Final[MonoNs] = 10 * SECOND


class Giving(Promise):
    """Base: `judge` is called for each permission or offer that is about to be given to a slot."""

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        if effect.allowed:
            self.armed += 1
            self.judge(view, view.slots[effect.slot - 1], "power was permitted")

    def did_Offer(self, view: View, effect: Offer) -> None:
        if effect.limit_ma is not None:
            self.judge(view, view.slots[effect.slot - 1], f"{effect.limit_ma // 1000} A were offered")

    def judge(self, view: View, slot: SlotView, what: str) -> None:
        """Raises Broken."""


class VehicleThere(Giving):
    """Power only while a vehicle is connected, by the pilot last told."""

    name = "power only with a vehicle there"

    def judge(self, view: View, slot: SlotView, what: str) -> None:
        if not slot.plugged:
            raise self.fail(view, f"slot {slot.number}: {what} though no vehicle was connected")

    def then_VehicleChanged(self, view: View, item: VehicleChanged) -> None:
        slot = view.slots[item.slot - 1]
        if item.pilot is Pilot.A and slot.permitted:
            raise self.fail(view, f"slot {slot.number}: the vehicle left and power stayed permitted")


class Locked(Giving):
    """Power only while the lock was last reported closed, where the slot has one."""

    name = "power only behind a closed lock"

    def judge(self, view: View, slot: SlotView, what: str) -> None:
        if slot.has_lock and slot.lock is not LockState.CLOSED:
            said = "nothing" if slot.lock is None else slot.lock.value
            raise self.fail(view, f"slot {slot.number}: {what} though its lock last said {said}")

    def then_LockReported(self, view: View, item: LockReported) -> None:
        slot = view.slots[item.slot - 1]
        if slot.permitted and item.state is not LockState.CLOSED:
            raise self.fail(view, f"slot {slot.number}: its lock said {item.state.value} and power stayed permitted")


class FirstReading(Giving):
    """The first reading is taken and, with its session, on the disk before power (ground truth of the disk)."""

    name = "first reading on the disk before power"

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, SlotId], str] = {}

    def judge(self, view: View, slot: SlotView, what: str) -> None:
        session = slot.session
        if session is None:
            raise self.fail(view, f"slot {slot.number}: {what} without a session on its way to the disk")
        if self._seen.get((view.id, slot.number)) == session.session:
            return
        if session.register_mwh is None:
            raise self.fail(view, f"slot {slot.number}: {what} before the first reading")
        if session.session not in view.world.disks[view.id].durable(view.id).get("session", {}):
            raise self.fail(view, f"slot {slot.number}: {what} before the session was on the disk")
        self._seen[view.id, slot.number] = session.session


class Forbidden:
    """The faults that forbid power at one station, as told: when each ended; how often a ground fault tripped in this visit, since when
    one stands, and where it came too often."""

    def __init__(self) -> None:
        self.ended: dict[tuple[SlotId, Cause], MonoNs] = {}
        self.trips: dict[SlotId, int] = {}
        self.since: dict[SlotId, MonoNs] = {}
        self.too_often: dict[SlotId, MonoNs] = {}  # since when
        self.latched_ns: MonoNs | None = (
            None  # since when: an emergency stop that nobody has acknowledged after its release
        )

    def outlives(self, now_ns: MonoNs) -> Forbidden:
        """What the next boot has to know: what is latched, once the disk has had the time to take it."""
        new = Forbidden()
        if self.latched_ns is not None and now_ns - self.latched_ns > DURABLE_NS:
            new.latched_ns = self.latched_ns
        new.too_often = {slot: ns for slot, ns in self.too_often.items() if now_ns - ns > DURABLE_NS}
        return new


class NoFault(Giving):
    """No power while a fault of the table forbids it: pilot E, F or diode, emergency stop (until released and acknowledged), ground
    fault (15 s longer, and after three retries in a visit, one for every 15 s that it stands, until acknowledged), voltage (a minute
    longer). As the board told them; what the core finds by itself is not judged here. What is latched stays so over a reboot, where the
    disk was never broken."""

    name = "no power while a fault forbids it"

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[str, Forbidden] = {}
        self._outlives: dict[str, Forbidden] = {}

    def boots(self, view: View) -> None:
        self._of[view.id] = self._outlives.pop(view.id) if view.id in self._outlives else Forbidden()

    def stops(self, view: View, cut: bool) -> None:
        if not broken(view, DiskFault):
            self._outlives[view.id] = self._of[view.id].outlives(view.now_ns)

    def told_BoardFault(self, view: View, item: BoardFault) -> None:
        known = self._of[view.id]
        if item.cause is Cause.EMERGENCY_STOP and item.active:
            known.latched_ns = view.now_ns
        if not item.active:
            known.ended[item.slot, item.cause] = view.now_ns
        if item.cause is Cause.GROUND_FAULT:
            self._ground(view, known, item)

    def _ground(self, view: View, known: Forbidden, item: BoardFault) -> None:
        number, since_ns = item.slot, known.since.get(item.slot)
        trips = known.trips.get(number, 0)
        if item.active and since_ns is None:
            known.since[number], trips = view.now_ns, trips + 1
        elif not item.active and since_ns is not None:
            trips += max(0, view.now_ns - since_ns - 1) // GROUND_WAIT_NS
            del known.since[number]
        known.trips[number] = trips
        if trips > GROUND_TRIPS:
            known.too_often.setdefault(number, view.now_ns)

    def told_FaultAcknowledged(self, view: View, item: FaultAcknowledged) -> None:
        known = self._of[view.id]
        if item.slot == 0 and (0, Cause.EMERGENCY_STOP) not in view.faults:
            known.latched_ns = None
        if (item.slot, Cause.GROUND_FAULT) not in view.faults:
            known.trips.pop(item.slot, None)
            known.too_often.pop(item.slot, None)

    def told_VehicleChanged(self, view: View, item: VehicleChanged) -> None:
        """Each visit has retries of its own."""
        known, slot = self._of[view.id], view.slots[item.slot - 1]
        if item.pilot is Pilot.A or slot.plugged_ns == view.now_ns:
            known.trips.pop(item.slot, None)
            if item.slot in known.since:
                known.since[item.slot] = view.now_ns

    def judge(self, view: View, slot: SlotView, what: str) -> None:
        why = self._why(view, slot)
        if why:
            raise self.fail(view, f"slot {slot.number}: {what} though {why}")

    def _why(self, view: View, slot: SlotView) -> str:
        known = self._of[view.id]
        if slot.pilot in (Pilot.E, Pilot.F):
            return f"the pilot is in {slot.pilot.value}"
        if known.latched_ns is not None:
            return "an emergency stop is not over, or nobody has acknowledged it"
        standing = [cause.value for number, cause in view.faults if number in (0, slot.number) and cause in FORBIDS]
        if standing:
            return f"the board reports {min(standing)}"
        if slot.number in known.too_often:
            return "a ground fault came once more than may be tried again"
        if self._young(view, known, slot, (Cause.GROUND_FAULT,), GROUND_WAIT_NS):
            return "a ground fault ended less than 15 s ago"
        if self._young(view, known, slot, (Cause.UNDER_VOLTAGE, Cause.OVER_VOLTAGE), STABLE_NS):
            return "the voltage has not been stable for a minute"
        return ""

    def _young(self, view: View, known: Forbidden, slot: SlotView, causes: tuple[Cause, ...], wait_ns: MonoNs) -> bool:
        ends = [known.ended.get((slot.number, cause)) for cause in causes]
        return any(end is not None and view.now_ns < end + wait_ns for end in ends)


class CutFirst(Promise):
    """After a cut fault is signalled the withdrawal is in the same step, and first in it; nothing stays on offer."""

    name = "a cut comes first and at once"

    def told_BoardFault(self, view: View, item: BoardFault) -> None:
        if item.active and item.cause in CUTS:
            self._cut(view, item.slot, item.cause.value)

    def told_VehicleChanged(self, view: View, item: VehicleChanged) -> None:
        if item.pilot in (Pilot.E, Pilot.F):
            self._cut(view, item.slot, f"pilot {item.pilot.value}")

    def _cut(self, view: View, number: SlotId, why: str) -> None:
        concerned = [slot.number for slot in view.concerned(number) if slot.permitted]
        if not concerned:
            return
        self.armed += 1
        first = view.effects[: len(concerned)]
        gone = {e.slot for e in first if type(e) is PermitPower and not e.allowed}
        if gone != set(concerned):
            left = sorted(set(concerned) - gone)
            raise self.fail(view, f"slot {left[0]}: {why} was told and power was not withdrawn first, in the same step")

    def then_BoardFault(self, view: View, item: BoardFault) -> None:
        if item.active and item.cause in CUTS:
            self._nothing_offered(view, item.slot)

    def then_VehicleChanged(self, view: View, item: VehicleChanged) -> None:
        if item.pilot in (Pilot.E, Pilot.F):
            self._nothing_offered(view, item.slot)

    def _nothing_offered(self, view: View, number: SlotId) -> None:
        for slot in view.concerned(number):
            if slot.powered:
                raise self.fail(view, f"slot {slot.number}: a cut fault was told and something stayed on offer")


POWER: Final = (VehicleThere, Locked, FirstReading, NoFault, CutFirst)
