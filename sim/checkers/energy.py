"""What is billed (world.md, Energy; station.md §3): the register before permission and after opening, and nothing else.

Judged when a boundary goes to the disk, when it leaves, and in the books of the CSMS at the end. What a faulty meter said is not held
against its true register; what was told is.
"""

from __future__ import annotations

from typing import Any, Final

from hal.units import SECOND, MilliWh, MonoNs, SlotId
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.orderly import transaction_of
from sim.checkers.records import refused
from sim.checkers.seen import Call, SlotView
from sim.checkers.view import View
from sim.plan import ContactorFault, CsmsFault, MeterFault, VehicleFault
from station.words.facts import TransactionTold
from station.words.records import OutboxRecord

NOMINAL_V: Final = 230
MINUTE_NS: Final[MonoNs] = 60 * SECOND
HOUR_NS: Final[MonoNs] = 3600 * SECOND
SLACK_MWH: Final[MilliWh] = 10_000  # a meter may step by whole Wh
FRESH_NS: Final = 5 * SECOND // 2  # a boundary has its reading within two seconds, or the last good one stands


def boundary(view: View, key: str, record: OutboxRecord) -> TransactionTold | None:
    """A boundary with a register that goes to the disk for the first time."""
    fact = record.fact
    if key in view.ledger.rows or not isinstance(fact, TransactionTold) or fact.kind == "updated":
        return None
    return fact if fact.register_mwh is not None else None


def honest(view: View, slot: SlotId) -> bool:
    """Meter and contactor of the slot were never broken so far, and no car drew so much that the meter would not be believed."""
    place = view.world.boards[view.id].slot(slot)
    if place.meter.fault is not None or place.contactor_fault is not None:
        return False
    if broken(view, MeterFault, slot) or broken(view, ContactorFault, slot):
        return False
    return not broken(view, VehicleFault, slot, how="overdraws")


class Register(Promise):
    """meterStart is the reading that was told last before permission, meterStop the one that was told after the contactor opened."""

    name = "billed is what the register said"

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        fact = boundary(view, key, record)
        if fact is None or not honest(view, fact.slot):
            return
        self.armed += 1
        slot = view.slots[fact.slot - 1]
        if slot.reading is None or slot.reading.energy_mwh != fact.register_mwh:
            said = "nothing" if slot.reading is None else slot.reading.energy_mwh
            raise self._wrong(view, fact, f"and the meter last said {said}")
        if slot.permitted:
            raise self._wrong(view, fact, "while power was permitted")
        if slot.mirror or slot.reading_ns < slot.mirror_ns:
            raise self._wrong(view, fact, "from a reading that is older than the opening of the contactor")
        if view.now_ns - slot.reading_ns > FRESH_NS:
            raise self._wrong(view, fact, f"from a reading {(view.now_ns - slot.reading_ns) / 1e9:.1f} s old")

    def _wrong(self, view: View, fact: TransactionTold, why: str) -> Exception:
        return self.fail(view, f"slot {fact.slot}: transaction {fact.kind} at {fact.register_mwh} mWh {why}")


class TrueEnergy(Promise):
    """Where neither meter nor contactor were ever broken, a boundary is the true register to the mWh."""

    name = "billed is the energy that flowed"

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        fact = boundary(view, key, record)
        if fact is None or not honest(view, fact.slot):
            return
        self.armed += 1
        true_mwh = view.world.boards[view.id].true_energy_mwh(fact.slot)
        if fact.register_mwh != true_mwh:
            raise self.fail(
                view,
                f"slot {fact.slot}: transaction {fact.kind} at {fact.register_mwh} mWh, and {true_mwh} mWh have flowed",
            )


class Bill(Promise):
    """The CSMS is told whole Wh of exactly that register, for that slot and that card; and what its books bill for a connector
    telescopes to the true register, where meter and contactor were never broken, nothing was given up and no answer was spoilt."""

    name = "the books say what the station measured"

    def sent_StartTransaction(self, view: View, call: Call) -> None:
        self._judge(view, call, "meterStart")

    def sent_StopTransaction(self, view: View, call: Call) -> None:
        self._judge(view, call, "meterStop")

    def _judge(self, view: View, call: Call, name: str) -> None:
        row = view.ledger.row(call.id)
        if row is None or not isinstance(row.fact, TransactionTold) or row.fact.register_mwh is None:
            return
        self.armed += 1
        told, measured = call.payload.get(name), row.fact.register_mwh // 1000
        if told != measured:
            raise self.fail(view, f"slot {row.fact.slot}: {name} is {told} Wh, measured were {measured} Wh")
        connector, token = call.payload.get("connectorId", row.fact.slot), row.fact.token
        if connector != row.fact.slot or (token is not None and call.payload.get("idTag") != token.uid):
            raise self.fail(view, f"{call.action} {call.id} names another connector or card than its record")

    def ends(self, view: View) -> None:
        if broken(view, CsmsFault) or any(life.lost for life in view.ledger.lives.values()):
            return
        mine = [t for t in view.world.csms.transactions.values() if t.station == view.id]
        for slot in view.slots:
            if not honest(view, slot.number):
                continue
            books = [t for t in mine if t.connector == slot.number and t.meter_stop is not None]
            billed, metered = sum(t.meter_stop - t.meter_start for t in books), self._metered(view, slot)
            self.armed += bool(books)
            if billed != metered:
                raise self.fail(view, f"slot {slot.number}: {billed} Wh are billed, {metered} Wh have flowed")

    def _metered(self, view: View, slot: SlotView) -> int:
        return view.world.boards[view.id].true_energy_mwh(slot.number) // 1000


class Apart(Promise):
    """Transactions of a connector do not overlap, and one begins where the one before ended, to the mWh, while the meter was never
    broken."""

    name = "transactions of a connector do not overlap"

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[tuple[str, SlotId], str] = {}
        self._last: dict[tuple[str, SlotId], MilliWh] = {}

    def boots(self, view: View) -> None:
        for slot in view.slots:
            self._open.pop((view.id, slot.number), None)
            if slot.session is not None and slot.session.told:
                self._open[view.id, slot.number] = transaction_of(slot.session)

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        fact = boundary(view, key, record)
        if fact is None:
            return
        where = (view.id, fact.slot)
        if fact.kind == "ended":
            self._open.pop(where, None)
            self._last[where] = fact.register_mwh or 0
            return
        self.armed += 1
        if self._open.get(where, fact.session) != fact.session:
            raise self.fail(view, f"slot {fact.slot}: a transaction began before the one before it had ended")
        self._open[where] = fact.session
        last = self._last.get(where)
        if last is not None and last != fact.register_mwh and honest(view, fact.slot):
            raise self.fail(
                view, f"slot {fact.slot}: a transaction began at {fact.register_mwh} mWh, the last ended at {last} mWh"
            )

    def forgot_outbox(self, view: View, key: str) -> None:
        row = view.ledger.rows.get(key)
        if row is not None and row.kind == "started" and not row.answered and refused(view, row):
            self._open.pop((view.id, row.fact.slot), None)


class Credible(Promise):
    """What is billed can have flowed, whatever the meter said: no less than nothing, and no more than the slot can give in that time, by
    a fifth, and twice that for a minute (a car that draws too much is cut). Over a boot nobody can know what flowed before."""

    name = "what is billed can have flowed"

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[tuple[str, str], tuple[MonoNs, MilliWh]] = {}

    def boots(self, view: View) -> None:
        self._began = {where: began for where, began in self._began.items() if where[0] != view.id}

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        fact = boundary(view, key, record)
        if fact is None or fact.register_mwh is None:
            return
        where = (view.id, fact.session)
        if fact.kind == "started":
            self._began[where] = (view.now_ns, fact.register_mwh)
            return
        began = self._began.pop(where, None)
        if began is None:
            return
        self.armed += 1
        shape, spent_ns = view.slots[fact.slot - 1].shape, view.now_ns - began[0]
        rated_mw = shape.max_current_ma * NOMINAL_V * shape.phases
        most_mwh = rated_mw * (spent_ns * 6 // 5 + MINUTE_NS) // HOUR_NS + SLACK_MWH
        billed_mwh = fact.register_mwh - began[1]
        if not 0 <= billed_mwh <= most_mwh:
            told = f"{billed_mwh / 1000:.1f} Wh are billed for {spent_ns / SECOND:.0f} s"
            raise self.fail(
                view, f"slot {fact.slot}: {told}, and {most_mwh / 1000:.1f} Wh is the most that can have flowed"
            )


ENERGY: Final[tuple[Any, ...]] = (Register, TrueEnergy, Bill, Apart, Credible)
