"""What a restart must keep, and what it must not give (station.md §§7, 9; 1.6 §5.2).

Not here: transactions that a cut left open (`records`, `energy`), authorisations of before (`authority`).
"""

from __future__ import annotations

import re
from typing import Any, Final

from hal.actions import PermitPower
from hal.signals import FaultAcknowledged
from hal.units import MILLISECOND, SlotId
from sim.checkers.eyes import Promise
from sim.checkers.seen import Call, Payload
from sim.checkers.view import View
from station.core.effects import Restart

PLAIN: Final = re.compile("true|false|[1-9][0-9]*")
SAFE_AFTER: Final = 3
SAFE_WITHIN_NS: Final = 600_000 * MILLISECOND


class SafeMode(Promise):
    """The third restart within ten minutes that neither a command nor the supply explains gives nobody power until somebody has
    acknowledged it, over any number of boots. Without supply the count begins anew."""

    name = "no power in safe mode"

    def __init__(self) -> None:
        super().__init__()
        self._explained: set[str] = set()
        self._falls: dict[str, list[int]] = {}
        self._safe: set[str] = set()

    def boots(self, view: View) -> None:
        if view.boots > 1 and view.id not in self._explained:
            falls = self._falls.setdefault(view.id, [])
            falls.append(view.now_ns)
            del falls[:-SAFE_AFTER]
            if len(falls) == SAFE_AFTER and falls[-1] - falls[0] <= SAFE_WITHIN_NS:
                self._safe.add(view.id)
        self._explained.discard(view.id)
        self.armed += view.id in self._safe

    def did_Restart(self, view: View, effect: Restart) -> None:
        self._explained.add(view.id)

    def stops(self, view: View, cut: bool) -> None:
        if cut:
            self._explained.add(view.id)
            self._falls.pop(view.id, None)

    def told_FaultAcknowledged(self, view: View, item: FaultAcknowledged) -> None:
        if item.slot == 0:
            self._safe.discard(view.id)
            self._falls.pop(view.id, None)

    def did_PermitPower(self, view: View, effect: PermitPower) -> None:
        if effect.allowed and view.id in self._safe:
            raise self.fail(view, f"slot {effect.slot}: power was permitted in safe mode")


class Inoperative(Promise):
    """What ChangeAvailability(Inoperative) was accepted for is told as Unavailable (or Faulted) after a reboot. Armed with the first
    status of each such slot after a boot. What was accepted while a session ran counts from its end; where sessions are resumed it is
    not judged. A change whose answer was lost leaves it open what the CSMS may expect."""

    name = "out of operation survives a reboot"

    def __init__(self) -> None:
        super().__init__()
        self._shut: dict[tuple[str, SlotId], int] = {}  # the boot in which it was accepted
        self._told: set[tuple[str, SlotId]] = set()  # since the boot

    def boots(self, view: View) -> None:
        self._told = {where for where in self._told if where[0] != view.id}

    def asked_ChangeAvailability(self, view: View, call: Call) -> None:
        for number in self._meant(view, call):
            self._shut.pop((view.id, number), None)

    def replied_ChangeAvailability(self, view: View, call: Call, payload: Payload | None) -> None:
        status = payload.get("status") if payload is not None else ""
        for number in self._meant(view, call):
            self._shut.pop((view.id, number), None)
            if call.payload.get("type") == "Inoperative" and status in ("Accepted", "Scheduled"):
                self._shut[view.id, number] = view.boots

    def _meant(self, view: View, call: Call) -> list[SlotId]:
        number = call.payload.get("connectorId")
        return list(range(len(view.slots) + 1)) if number == 0 else [number] if isinstance(number, int) else []

    def sent_StatusNotification(self, view: View, call: Call) -> None:
        where = (view.id, call.payload.get("connectorId", 0))
        shut = self._shut.get(where)
        if shut is None or shut == view.boots or where in self._told or view.settings.after_restart == "resume":
            return
        self.armed += 1
        self._told.add(where)
        status = call.payload.get("status")
        if status not in ("Unavailable", "Faulted"):
            raise self.fail(
                view, f"connector {where[1]} was taken out of operation, and after the reboot it is {status}"
            )


class Accepted(Promise):
    """An answer that promises to last leaves when the disk has what it promises: ChangeConfiguration, ChangeAvailability and ClearCache,
    by the ground truth of the disk at that moment. Armed with each such answer."""

    name = "what was accepted is on the disk"

    def __init__(self) -> None:
        super().__init__()
        self._learnt: dict[str, set[str]] = {}  # tokens that were written since the cache was to be cleared

    def boots(self, view: View) -> None:
        self._learnt.pop(view.id, None)

    def replied_ChangeConfiguration(self, view: View, call: Call, payload: Payload | None) -> None:
        """What is kept has names of our own: the value is looked for, where it is spelt in one way only."""
        value = str(call.payload.get("value"))
        if payload is None or payload.get("status") not in ("Accepted", "RebootRequired") or not PLAIN.fullmatch(value):
            return
        self.armed += 1
        rows = view.world.disks[view.id].durable(view.id).get("setting", {}).values()
        if value not in [getattr(row, "value", "") for row in rows]:
            raise self.fail(view, f"{call.payload.get('key')} = {value} was accepted before it was on the disk")

    def replied_ChangeAvailability(self, view: View, call: Call, payload: Payload | None) -> None:
        if payload is None or payload.get("status") not in ("Accepted", "Scheduled"):
            return
        self.armed += 1
        number, shut = call.payload.get("connectorId"), call.payload.get("type") == "Inoperative"
        rows = view.world.disks[view.id].durable(view.id).get("availability", {})
        for each in range(len(view.slots) + 1) if number == 0 else (number,):
            row = rows.get(str(each))
            if (row is not None and not row.operative) is not shut:
                what = f"connector {each} {call.payload.get('type')}"
                raise self.fail(view, f"{what} was accepted before it was on the disk")

    def asked_ClearCache(self, view: View, call: Call) -> None:
        self._learnt.setdefault(view.id, set())

    def put_token(self, view: View, key: str, record: Any) -> None:
        self._learnt.get(view.id, set()).add(key)

    def replied_ClearCache(self, view: View, call: Call, payload: Payload | None) -> None:
        learnt = self._learnt.pop(view.id, None)
        if payload is None or payload.get("status") != "Accepted" or learnt is None:
            return
        self.armed += 1
        left = [k for k in view.world.disks[view.id].durable(view.id).get("token", {}) if k not in learnt]
        if left:
            raise self.fail(view, f"the cache was cleared, and {left[0]} is still on the disk")


BOOTS: Final[tuple[Any, ...]] = (SafeMode, Inoperative, Accepted)
