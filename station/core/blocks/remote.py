"""Remote control: start, stop, unlock, trigger, vendors' messages (1.6 §§5.6, 5.11, 5.12, 5.17, 5.18; 2.0.1 block F).

Answers come first, what they cause after. Not here: how a session starts or ends (`authorization`, `power`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hal.units import LockState, SlotId, Ticket
from ocpp_client.registration import Standing
from statemachine.slot import Slot
from station.words.commands import StartSession, StopSession, Trigger, UnlockSlot, VendorMessage
from station.words.common import BootReason, Origin, StopReason, Why
from station.words.outcomes import ACCEPTED, REJECTED, UnlockOutcome, Verdict
from station.words.questions import AskTime

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
        """Accepted when a start will be tried (1.6 RSTART-01). A charging profile with it means nothing here yet (RSTART-09)."""
        core, auth = self.core, self.core.authorization
        intent = auth.intent(command.token, origin, command.request, command.slot)
        if len(command.token.uid) > core.policies.token_max:
            core.answer(ticket, Verdict("rejected", "the token is longer than this language can say"))
        elif self._not_yet(origin) or not core.power.ready or not auth.can_start(intent):
            core.answer(ticket, REJECTED)
        else:
            core.answer(ticket, ACCEPTED)
            auth.start(intent)

    def stop(self, ticket: Ticket, origin: Origin, command: StopSession) -> None:
        core = self.core
        named = (s for s in core.slots if s.session is not None and command.session in (s.session.id, s.tx and s.tx.id))
        slot = next(named, None) if command.session is not None else None
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
        self._answer(slot, "failed")  # an earlier one that still waits
        self.unlocking = {**(self.unlocking or {}), slot.id: ticket}
        core.authorization.let_go(slot.id)
        if slot.session is not None:
            core.power.end(slot, StopReason.UNLOCK, Why.UNLOCK)
        else:
            core.locks.unlock(slot)

    def wants_open(self, number: SlotId) -> bool:
        """Whether an unlock waits for this slot's lock."""
        return self.unlocking is not None and number in self.unlocking

    def lock_reported(self, slot: Slot) -> None:
        if slot.lock is LockState.OPEN:
            self._answer(slot, "unlocked")

    def lock_failed(self, slot: Slot) -> None:
        self._answer(slot, "failed")

    def _answer(self, slot: Slot, status: Literal["unlocked", "failed"]) -> None:
        if self.unlocking is None or slot.id not in self.unlocking:
            return
        ticket = self.unlocking.pop(slot.id)
        self.unlocking = self.unlocking or None
        self.core.answer(ticket, UnlockOutcome(status))

    # --- trigger ---

    def trigger(self, ticket: Ticket, origin: Origin, command: Trigger) -> None:
        """The answer first, then the message, which may leave while the registration is pending too (1.6 TRIG-01, BOOT-08)."""
        core, connection = self.core, self.core.connection
        if command.what is None:
            core.answer(ticket, Verdict("not_implemented"))
            return
        if not self._can_trigger(command):
            core.answer(ticket, REJECTED)
            return
        core.answer(ticket, ACCEPTED)
        connection.triggering = True
        self._send(command)
        connection.triggering = False

    def _can_trigger(self, command: Trigger) -> bool:
        core = self.core
        match command.what:
            case "boot":
                return core.connection.standing is not Standing.ACCEPTED
            case "status":
                return not command.slot or core.slot(command.slot) is not None
            case "meter":
                return bool(core.settings.sampled) and (not command.slot or core.slot(command.slot) is not None)
            case "heartbeat" | None:
                return True

    def _send(self, command: Trigger) -> None:
        core, slot = self.core, self.core.slot(command.slot or 0)
        match command.what:
            case "boot":
                core.provisioning.register(BootReason.TRIGGERED)
            case "heartbeat":
                core.connection.put(AskTime())
            case "status":
                for number in range(len(core.slots) + 1) if command.slot is None else (command.slot,):
                    core.availability.tell(number)
            case "meter" | None:
                for each in core.slots if slot is None else (slot,):
                    core.metering.trigger(each)

    # --- vendors ---

    def vendor(self, ticket: Ticket, origin: Origin, command: VendorMessage) -> None:
        """Whoever speaks this vendor's language here answers (1.6 DT-01 to DT-03; `station/core/vendors.py`)."""
        self.core.answer(ticket, self.core.vendors.answer(command))
