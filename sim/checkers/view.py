"""What a station was told and has commanded, as anybody outside can know it: the one view that all promises share.

Made of the inputs and effects of its cores, of frames, and at boot of what its disk holds. Nothing of the core's own state is looked at. A
view outlives reboots; what a core cannot know after one is forgotten with it. Not here: judgement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from hal.actions import Offer, PermitPower, SetLock
from hal.disk import Persist, Record
from hal.units import SECOND, Cause, MonoNs, SlotId, Ticket
from sim.checkers.ledger import Ledger
from sim.checkers.seen import NEVER, Call, Payload, SlotView
from sim.checkers.told import TAKES
from station.core.effects import Effect, Input, Restart, Wake
from station.words.records import Image, SessionRecord, SettingRecord
from station.words.settings import Settings, changed, parse

if TYPE_CHECKING:
    from sim.world import World
    from station.shell.runner import Unit

Check: TypeAlias = Callable[["View"], None]


class View:
    """One station. `running` while it has a core; `online`: connected, and accepted in this boot."""

    def __init__(self, world: World, unit: Unit) -> None:
        self.world = world
        self.unit = unit
        self.id = unit.id
        self.shape = unit.plan.shape
        self.slots = tuple(SlotView(n, s) for n, s in enumerate(self.shape.slots, 1))
        self.ledger = Ledger()
        self.now_ns: MonoNs = 0
        self.item_name = ""  # the type of the input of this step; empty at boot
        self.effects: list[Effect] = []
        self.confirmed: tuple[Record, ...] = ()  # the records of the batch that the disk has just spoken of
        self.batch: Persist | None = None
        self.boots = 0
        self.image: Image = {}  # as the disk was at the last boot
        self._begin()

    def _begin(self) -> None:
        self.running = True
        self.ready = False
        self.booted_ns = self.now_ns
        self.settings: Settings = self.unit.plan.settings
        self.faults: set[tuple[SlotId, Cause]] = set()
        self.up = False
        self.standing = ""
        self.out: Call | None = None
        self.asked: list[Call] = []
        self.card_taken = False  # the card that was presented last counts as a read
        self.reads: dict[str, MonoNs] = {}
        self.batches: dict[Ticket, Persist] = {}
        self.due_ns: MonoNs = NEVER
        self.waits: list[tuple[MonoNs, Check]] = []

    # --- a core's life ---

    def boot(self, image: Image) -> None:
        self.boots += 1
        self._begin()
        self.image = image
        for slot in self.slots:
            slot.forget()
        for name, row in image.get("setting", {}).items():
            assert isinstance(row, SettingRecord)
            self.set(name, row.value)
        for row in image.get("session", {}).values():
            assert isinstance(row, SessionRecord)
            self.slots[row.slot - 1].session = row
        self.ledger.load(image)

    def stopped(self) -> None:
        self.running = False
        self._dark()

    def _dark(self) -> None:
        """The core is gone, or goes with the next breath; so is all that it had permitted."""
        self.up, self.out = False, None
        self.asked.clear()
        self.waits.clear()
        self.due_ns = NEVER
        for slot in self.slots:
            if slot.permitted:
                slot.permitted, slot.withdrawn_ns = False, self.now_ns
            slot.offer_ma = None

    # --- time ---

    def expect(self, seconds: float, check: Check) -> None:
        """Call `check` with the first step that comes later than so many seconds from now, unless the core is gone by then."""
        due_ns = self.now_ns + int(seconds * SECOND)
        self.waits.append((due_ns, check))
        self.due_ns = min(self.due_ns, due_ns)

    def due(self) -> None:
        late = [check for at, check in self.waits if at < self.now_ns]
        self.waits = [wait for wait in self.waits if wait[0] >= self.now_ns]
        self.due_ns = min((at for at, _ in self.waits), default=NEVER)
        for check in late:
            check(self)

    # --- who is where ---

    @property
    def online(self) -> bool:
        return self.up and self.standing == "Accepted"

    def slot(self, number: SlotId) -> SlotView | None:
        return self.slots[number - 1] if 0 < number <= len(self.slots) else None

    def concerned(self, number: SlotId) -> tuple[SlotView, ...]:
        """The slots that something at this slot, or at the station (0), is the business of."""
        slot = self.slot(number)
        return self.slots if slot is None else (slot,)

    # --- inputs ---

    def take(self, item: Input) -> list[tuple[Call, str]]:
        """Note what the core is told. Returns own calls that came to nothing by it."""
        handler = TAKES.get(type(item))
        if handler is not None:
            handler(self, item)
        call = self.out
        if call is None or (self.up and self.now_ns < call.until_ns):
            return []
        if self.up and type(item) is not Wake:
            return []
        self.out = None
        why = "no answer" if self.up else "link lost"
        self.failed(call, why)
        return [(call, why)]

    def failed(self, call: Call, why: str) -> None:
        """An own call came to nothing. Only what fails while connected is an attempt."""
        row = self.ledger.rows.get(call.key or "")
        if row is not None and why != "link lost":
            row.tries += 1

    def set(self, name: str, text: str) -> None:
        self.settings = changed(self.settings, name, parse(name, text))

    # --- effects ---

    def did(self, effect: Effect) -> None:
        match effect:
            case PermitPower(number, allowed):
                slot = self.slots[number - 1]
                if slot.permitted is not allowed:
                    slot.permitted = allowed
                    if allowed:
                        slot.permitted_ns = self.now_ns
                    else:
                        slot.withdrawn_ns = self.now_ns
            case Offer(number, limit_ma):
                self.slots[number - 1].offer_ma = limit_ma
            case SetLock(number, closed):
                self.slots[number - 1].shut = closed
            case Restart():
                self._dark()
            case _:
                pass

    def put(self, record: Record, ticket: Ticket) -> None:
        if ticket and self.batch is not None:
            self.batches[ticket] = self.batch
        if record.kind == "outbox":
            self.ledger.put(record.key, record.body, self.now_ns)
        elif isinstance(record.body, SessionRecord):
            self.slots[record.body.slot - 1].session = record.body

    def forgot(self, kind: str, key: str) -> None:
        if kind == "outbox":
            self.ledger.forgot(key)
        elif kind == "session":
            for slot in self.slots:
                if slot.session is not None and slot.session.session == key:
                    slot.session = None

    # --- frames ---

    def calls_out(self, call: Call) -> None:
        call.until_ns = self.now_ns + self.settings.message_timeout_s * SECOND * self.unit.plan.real
        call.key = self.ledger.by_id.get(call.id)
        self.out = call
        self.ledger.sent(call.key, call.action, call.payload, self.now_ns)

    def settled(self, number: str, result: bool) -> Call | None:
        """The own call that is dealt with by an answer to this id. A late result counts for a record that waits to be sent again."""
        call = self.out
        if call is not None and call.id == number:
            self.out = None
            return call if self.now_ns < call.until_ns else self._late(number, result)
        return self._late(number, result)

    def _late(self, number: str, result: bool) -> Call | None:
        row = self.ledger.row(number) if result else None
        if row is None or row.call is None:
            return None
        call = Call(number, row.call[0], row.call[1], row.sent_ns)
        call.key = row.key
        return call

    def answered(self, call: Call, payload: Payload) -> None:
        if call.action == "BootNotification":
            self.standing = payload["status"]
        if call.key is not None:
            self.ledger.answered(call.key, payload)

    def was_asked(self, call: Call) -> None:
        if self.standing != "Rejected":  # then it answers nobody (1.6 §4.2)
            self.asked.append(call)

    def asked_of(self, number: str) -> Call | None:
        return next((call for call in self.asked if call.id == number), None)

    def replied(self, call: Call, payload: Payload | None) -> None:
        self.asked.remove(call)
