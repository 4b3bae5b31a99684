"""After all faults are healed, people have gone and the operator has acknowledged: nothing is left to do (world.md, Liveness).

Ground truth of disk, board and CSMS. Not here: whether each transaction arrived (`records`), lamps (`lamps`).
"""

from __future__ import annotations

from typing import Any, Final

from hal.signals import CardPresented
from hal.units import SECOND, LockState, MonoNs
from sim.checkers import PENDING
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.seen import Call, Payload
from sim.checkers.view import View
from sim.plan import LockFault

ANSWER_S: Final = 60  # within so long a card is decided


class NothingPending(Promise):
    """No record waits on the disk, no session is still open and no plug is kept: its owner's card was shown."""

    name = "nothing stays pending"

    def ends(self, view: View) -> None:
        if view.world.units[view.id].core is None:
            raise self.fail(view, "the station does not run any more")
        self.armed += 1
        image = view.world.disks[view.id].durable(view.id)
        for kind in PENDING:
            left = list(image.get(kind, {}))
            if left:
                raise self.fail(view, f"{len(left)} {kind} records stay on the disk, the first is {left[0]}")


class BothAgree(Promise):
    """What the CSMS believes of each connector is what the board is: Available where nobody is there, Unavailable where it was taken
    out of operation. Not judged where a plug is, nor while somebody may still be waited for."""

    name = "both ends agree in the end"

    def __init__(self) -> None:
        super().__init__()
        self._came: dict[str, MonoNs] = {}  # when somebody was last accepted, or may have been

    def told_CardPresented(self, view: View, item: CardPresented) -> None:
        self._came[view.id] = view.now_ns

    def replied_RemoteStartTransaction(self, view: View, call: Call, payload: Payload | None) -> None:
        self._came[view.id] = view.now_ns

    def ends(self, view: View) -> None:
        waits_ns = (view.settings.connection_timeout_s + ANSWER_S) * SECOND
        if view.now_ns - self._came.get(view.id, -waits_ns) < waits_ns:
            return
        image = view.world.disks[view.id].durable(view.id)
        shut = {int(key) for key, row in image.get("availability", {}).items() if not row.operative}
        for number in range(len(view.slots) + 1):
            if number and _occupied(view, number):
                continue
            self.armed += 1
            wanted = "Unavailable" if number in shut else "Available"
            believed = view.world.csms.status.get((view.id, number))
            if believed != wanted:
                raise self.fail(view, f"connector {number} is {wanted}, and the CSMS believes {believed}")


def _occupied(view: View, number: int) -> bool:
    place = view.world.boards[view.id].slot(number)
    return place.cable or place.vehicle is not None


class Open(Promise):
    """Contactors are open, and locks too, but where a lock lied about having opened."""

    name = "locks and contactors are open in the end"

    def ends(self, view: View) -> None:
        for place in view.world.boards[view.id].slots:
            self.armed += 1
            if place.closed:
                raise self.fail(view, f"slot {place.number}: the contactor is closed")
            if not place.shape.has_lock or place.lock is LockState.OPEN:
                continue
            lied = view.slots[place.number - 1].lock is LockState.OPEN
            if not lied or not broken(view, LockFault, place.number, how="lies"):
                raise self.fail(view, f"slot {place.number}: the lock is {place.lock.value}")


LIVENESS: Final[tuple[Any, ...]] = (NothingPending, BothAgree, Open)
