"""What each input tells: how the view of a station takes it in. Not here: effects and frames (`view`), judgement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hal.disk import Record, Stored, StoreFailed
from hal.signals import (
    BoardFault,
    BoardReady,
    CableChanged,
    CardPresented,
    LockReported,
    MeterRead,
    PowerReported,
    VehicleChanged,
)
from hal.units import MILLISECOND, Pilot, Ticket
from ocpp_client.link import LinkDown, LinkUp
from station.words.records import SettingRecord

if TYPE_CHECKING:
    from sim.checkers.view import View


def vehicle(view: View, item: VehicleChanged) -> None:
    slot = view.slots[item.slot - 1]
    slot.pilot = item.pilot
    if item.pilot is Pilot.A:
        slot.plugged = False
    elif item.pilot.connected and not slot.plugged:
        slot.plugged, slot.plugged_ns = True, view.now_ns


def cable(view: View, item: CableChanged) -> None:
    view.slots[item.slot - 1].cable = item.present


def lock(view: View, item: LockReported) -> None:
    view.slots[item.slot - 1].lock = item.state


def mirror(view: View, item: PowerReported) -> None:
    slot = view.slots[item.slot - 1]
    if slot.mirror is not item.closed:
        slot.mirror, slot.mirror_ns = item.closed, view.now_ns


def meter(view: View, item: MeterRead) -> None:
    slot = view.slot(item.slot)
    if slot is not None:
        slot.reading, slot.reading_ns = item.reading, view.now_ns


def fault(view: View, item: BoardFault) -> None:
    (view.faults.add if item.active else view.faults.discard)((item.slot, item.cause))


def card(view: View, item: CardPresented) -> None:
    """The same card again within the guard time of its last read is no read (station.md §5)."""
    key, guard_ns = item.token.casefold(), view.settings.repeat_guard_ms * MILLISECOND
    last_ns = view.reads.get(key)
    view.card_taken = last_ns is None or view.now_ns - last_ns >= guard_ns
    if view.card_taken:
        view.reads[key] = view.now_ns


def ready(view: View, item: BoardReady) -> None:
    view.ready = True


def link(view: View, item: LinkUp | LinkDown) -> None:
    view.up = type(item) is LinkUp
    view.asked.clear()


def stored(view: View, item: Stored) -> None:
    for record in answered(view, item.ticket):
        if isinstance(record.body, SettingRecord):
            view.set(record.key, record.body.value)
        elif record.kind == "outbox":
            view.ledger.stored(record.key)


def store_failed(view: View, item: StoreFailed) -> None:
    for record in answered(view, item.ticket):
        if record.kind == "outbox":
            view.ledger.store_failed(record.key)


def answered(view: View, ticket: Ticket) -> tuple[Record, ...]:
    batch = view.batches.pop(ticket, None)
    view.confirmed = batch.puts if batch is not None else ()
    return view.confirmed


TAKES: Final[dict[type, Callable[[View, Any], None]]] = {
    VehicleChanged: vehicle,
    CableChanged: cable,
    LockReported: lock,
    PowerReported: mirror,
    MeterRead: meter,
    BoardFault: fault,
    BoardReady: ready,
    CardPresented: card,
    LinkUp: link,
    LinkDown: link,
    Stored: stored,
    StoreFailed: store_failed,
}
