"""Remote control: start, stop, unlock, trigger, vendors' messages (1.6 §§5.6, 5.11, 5.12, 5.17, 5.18; 2.0.1 block F).

Answers come first, what they cause after. Not here: how a session starts or ends (`authorization`, `power`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hal.units import LockState, Ticket
from ocpp_client.registration import Standing
from statemachine.slot import Slot
from station.words.commands import StartSession, StopSession, Trigger, UnlockSlot, VendorMessage
from station.words.common import BootReason, Origin, StopReason, Why
from station.words.outcomes import ACCEPTED, REJECTED, UnlockOutcome, Verdict
from station.words.questions import AskTime, VendorAnswer

if TYPE_CHECKING:
    from station.core.core import StationCore


class Remote:
    """`unlocking` maps a slot to the ticket of an unlock whose lock has not answered yet."""

    __slots__ = ("core", "unlocking")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.unlocking: dict[int, Ticket] | None = None

    def _not_yet(self, origin: Origin) -> bool:
        """The CSMS may not start or stop anything before it has accepted the station (1.6 BOOT-09)."""
        return origin is Origin.CSMS and self.core.connection.standing is not Standing.ACCEPTED

    def start(self, ticket: Ticket, origin: Origin, command: StartSession) -> None:
        core, auth = self.core, self.core.authorization
        slot = command.slot
        unknown = slot is not None and core.slot(slot) is None
        if self._not_yet(origin) or unknown or not core.power.ready or not auth.can_start(slot):
            core.answer(ticket, REJECTED)
            return
        core.answer(ticket, ACCEPTED)
        auth.remote(command.token, slot, command.request)

    def stop(self, ticket: Ticket, origin: Origin, command: StopSession) -> None:
        core = self.core
        slot = next((s for s in core.slots if s.session is not None and s.session.id == command.session), None)
        if self._not_yet(origin) or slot is None or slot.session.ending is not None:
            core.answer(ticket, REJECTED)
            return
        core.answer(ticket, ACCEPTED)
        core.power.end(slot, StopReason.REMOTE, Why.REMOTE_STOP)

    # --- unlock: the answer waits for the lock ---

    def unlock(self, ticket: Ticket, origin: Origin, command: UnlockSlot) -> None:
        core, slot = self.core, self.core.slot(command.slot)
        if slot is None:
            core.answer(ticket, UnlockOutcome("unknown"))
        elif not slot.shape.has_lock:
            core.answer(ticket, UnlockOutcome("unsupported"))
        elif slot.session is not None and not core.policies.unlock_ends_session:
            core.answer(ticket, UnlockOutcome("in_use"))
        elif slot.session is None and slot.power_closed:
            core.answer(ticket, UnlockOutcome("failed"))
        elif slot.session is None and slot.lock is LockState.OPEN:
            core.answer(ticket, UnlockOutcome("unlocked"))
        else:
            self._unlock(ticket, slot)

    def _unlock(self, ticket: Ticket, slot: Slot) -> None:
        core = self.core
        earlier = (self.unlocking or {}).get(slot.id)
        if earlier is not None:
            core.answer(earlier, UnlockOutcome("failed"))
        self.unlocking = {**(self.unlocking or {}), slot.id: ticket}
        kept = core.authorization.kept
        if kept is not None:
            kept.pop(slot.id, None)
        if slot.session is not None:
            core.power.end(slot, StopReason.UNLOCK, Why.UNLOCK)
        else:
            core.power.unlock(slot)

    def lock_reported(self, slot: Slot) -> None:
        if slot.lock is LockState.OPEN:
            self._answer(slot, "unlocked")

    def lock_failed(self, slot: Slot) -> None:
        self._answer(slot, "failed")

    def _answer(self, slot: Slot, status: str) -> None:
        ticket = (self.unlocking or {}).get(slot.id)
        if ticket is not None and self.unlocking is not None:
            del self.unlocking[slot.id]
            self.core.answer(ticket, UnlockOutcome(status))  # type: ignore[arg-type]

    # --- trigger ---

    def trigger(self, ticket: Ticket, origin: Origin, command: Trigger) -> None:
        core, connection = self.core, self.core.connection
        slot = core.slot(command.slot) if command.slot is not None else None
        if command.what is None:
            core.answer(ticket, Verdict("not_implemented"))
            return
        about_slot = command.what in ("status", "meter")
        if about_slot and command.slot and slot is None:
            core.answer(ticket, REJECTED)
            return
        if command.what == "boot" and connection.standing is Standing.ACCEPTED:
            core.answer(ticket, REJECTED)
            return
        core.answer(ticket, ACCEPTED)
        connection.triggering = True
        self._send(command, slot)
        connection.triggering = False

    def _send(self, command: Trigger, slot: Slot | None) -> None:
        core = self.core
        match command.what:
            case "boot":
                core.provisioning.register(BootReason.TRIGGERED)
            case "heartbeat":
                core.connection.put(AskTime())
            case "status":
                wanted = [command.slot] if command.slot is not None else range(len(core.slots) + 1)
                for number in wanted:
                    core.availability.tell(number)
            case "meter" | None:
                for each in (slot,) if slot is not None else core.slots:
                    core.metering.trigger(each)

    # --- vendors ---

    def vendor(self, ticket: Ticket, origin: Origin, command: VendorMessage) -> None:
        """No vendor's messages are built in (1.6 DT-01)."""
        self.core.answer(ticket, VendorAnswer("unknown_vendor"))
