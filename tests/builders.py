"""Builders for tests: a bare core on a bench, with every option defaulted. Whole stations in virtual time: `sim.world.World`.

The bench's disk confirms at once and its board obeys at once, unless told otherwise; the CSMS answers only what a test answers. Inputs
go in with `give`, time passes with `wait`, frames come out as lists in `sent`, effects in `effects`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from hal.actions import PermitPower, ReadMeter, SetLock
from hal.clock import Now
from hal.disk import Forget, Persist, Stored, StoreFailed
from hal.signals import (
    BoardReady,
    CableChanged,
    CardPresented,
    LockReported,
    MeterRead,
    PowerReported,
    VehicleChanged,
)
from hal.units import MILLISECOND, SECOND, LockState, Pilot, Reading
from ocpp_client.dialects import load
from ocpp_client.link import FrameFlushed, FrameReceived, LinkDown, LinkUp
from sim.rng import Stream
from station.core.boot import BootInfo
from station.core.core import StationCore
from station.core.effects import Answer, Ask, CloseLink, Effect, Input, Note, Publish, SendFrame, Wake
from station.core.vendors import NO_VENDORS, Vendors
from station.words.commands import AnyCommand
from station.words.common import Origin
from station.words.outcomes import AnyOutcome
from station.words.settings import TEMPLATES, Settings, StationShape

START_UTC_MS = 1_780_272_000_000  # 2026-06-01T00:00:00Z
CARD = "04A1B2C3"


class CoreBench:
    """One core. `store`: "ok", "fail" or "silent"; `board`: whether locks, contactors and meters obey by themselves."""

    def __init__(
        self,
        template: str = "two-sockets-22kw",
        settings: Settings | None = None,
        *,
        shape: StationShape | None = None,
        image: dict[str, dict[str, Any]] | None = None,
        boot: BootInfo | None = None,
        version: str = "1.6",
        utc_ms: int = START_UTC_MS,
        mono_ns: int = 0,
        store: str = "ok",
        board: bool = True,
        ready: bool = True,
        answering: bool = False,
        vendors: Vendors = NO_VENDORS,
    ) -> None:
        """`answering`: while time passes the CSMS answers every call, as `answer_all` does."""
        self.store, self.board, self.answering = store, board, answering
        self.utc_ms, self.mono_ns = utc_ms, mono_ns
        self.register_mwh = {1: 0, 2: 0, 3: 0, 4: 0}
        self.current_ma = 16_000
        # What a meter says to (slot, ticket), None: nothing.
        self.meter: Callable[[int, int], Input | None] | None = None
        self.disk: dict[str, dict[str, Any]] = {k: dict(v) for k, v in (image or {}).items()}
        self.effects: list[Effect] = []
        self.sent: list[list[Any]] = []
        self.answered = 0
        self._calls = 0
        self._queue: deque[Input] = deque()
        self._pilots: dict[int, Pilot] = {}
        self.welded: set[int] = set()  # contactors that stay closed whatever the board is told
        self.core, effects = StationCore.restore(
            shape or TEMPLATES[template],
            "CP1",
            settings or Settings(),
            self.disk,
            boot or BootInfo("os-1", True, "boot"),
            load(version).policies,
            self.now,
            Stream(1, "core"),
            vendors=vendors,
        )
        self._take(effects)
        self._drain()
        if ready:
            self.give(BoardReady())

    @property
    def now(self) -> Now:
        return Now(self.mono_ns, self.utc_ms + self.mono_ns // MILLISECOND)

    # --- in ---

    def give(self, item: Input) -> list[Effect]:
        """Hand in one input; what the disk and the board say to its effects follows at once. Returns all effects of that."""
        before = len(self.effects)
        self._queue.append(item)
        self._drain()
        return self.effects[before:]

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass, waking the core whenever it wants to be woken."""
        before, end_ns = len(self.effects), self.mono_ns + int(seconds * SECOND)
        while self.core.wake_at is not None and self.core.wake_at <= end_ns:
            self._advance(max(self.mono_ns, self.core.wake_at))
            self.give(Wake())
            if self.answering:
                self.answer_all()
        self._advance(end_ns)
        return self.effects[before:]

    def _advance(self, to_ns: int) -> None:
        """Time passes, and energy flows where a contactor is closed."""
        for slot in self.core.slots:
            if slot.power_closed:
                power_mw = self.current_ma * 230 * 3
                self.register_mwh[slot.id] += power_mw * (to_ns - self.mono_ns) // (3600 * SECOND)
        self.mono_ns = to_ns

    def _drain(self) -> None:
        while self._queue:
            self._take(self.core.step(self.now, self._queue.popleft()))

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            match effect:
                case SendFrame(frame, tell):
                    self.sent.append(msgspec.json.decode(frame))
                    if tell is not None:
                        self._queue.append(FrameFlushed(tell))
                case Persist():
                    self._persist(effect)
                case CloseLink():
                    self._queue.append(LinkDown("closed", "closed by the station"))
                case Forget(keys):
                    for kind, key in keys:
                        self.disk.get(kind, {}).pop(key, None)
                case SetLock(slot, closed) if self.board:
                    self._queue.append(LockReported(slot, LockState.CLOSED if closed else LockState.OPEN))
                case ReadMeter(slot, ticket) if self.board:
                    answer = self.meter(slot, ticket) if self.meter else MeterRead(slot, ticket, self.reading(slot))
                    if answer is not None:
                        self._queue.append(answer)
                case PermitPower(slot, allowed) if self.board:
                    closed = slot in self.welded or (allowed and self._pilots.get(slot, Pilot.A).asks)
                    self._queue.append(PowerReported(slot, closed))
                case _:
                    pass

    def _persist(self, batch: Persist) -> None:
        if self.store in ("ok", "tight"):
            for kind, key in batch.forgets:
                self.disk.get(kind, {}).pop(key, None)
            for record in batch.puts:
                self.disk.setdefault(record.kind, {})[record.key] = record.body
            if batch.ticket:
                self._queue.append(Stored(batch.ticket, self.store == "tight"))
        elif self.store == "fail" and batch.ticket:
            self._queue.append(StoreFailed(batch.ticket, "the disk is full"))

    def reading(self, slot: int) -> Reading:
        power = self.current_ma * 230 * 3
        return Reading(self.register_mwh[slot], (self.current_ma,) * 3, (230_000,) * 3, (power // 3,) * 3, 50_000)

    # --- the CSMS ---

    def connect(self, **registration: Any) -> None:
        """The link comes up and BootNotification is answered: Accepted unless told otherwise. StatusNotifications are answered."""
        self.give(LinkUp("ocpp1.6"))
        answer = {"status": "Accepted", "currentTime": self.iso(), "interval": 300, **registration}
        self.answer("BootNotification", answer)
        self.answer_all()

    def disconnect(self) -> None:
        self.give(LinkDown("lost", "gone"))

    def iso(self) -> str:
        from datetime import UTC, datetime

        at = datetime.fromtimestamp(self.now.os_utc_ms / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def calls(self) -> list[list[Any]]:
        """All CALLs of the station so far."""
        return [frame for frame in self.sent if frame[0] == 2]

    def actions(self, *names: str) -> list[dict[str, Any]]:
        """Payloads of the station's CALLs with these actions, in order."""
        return [frame[3] for frame in self.calls if frame[2] in names]

    @property
    def open_call(self) -> list[Any] | None:
        """The station's CALL that waits for its answer."""
        out = self.core.connection.rpc.out
        return None if out is None else next(f for f in reversed(self.calls) if f[1] == out.message_id)

    def answer(self, action: str, payload: dict[str, Any]) -> None:
        """Answer the CALL that is out; it must be this action."""
        call = self.open_call
        assert call is not None and call[2] == action, f"{call} is out, not {action}"
        self.give(FrameReceived(msgspec.json.encode([3, call[1], payload]).decode()))

    def refuse(self, code: str = "InternalError") -> None:
        """Answer the CALL that is out with a CALLERROR."""
        call = self.open_call
        assert call is not None, "no call is out"
        self.give(FrameReceived(msgspec.json.encode([4, call[1], code, "", {}]).decode()))

    def answer_all(self, **answers: dict[str, Any]) -> None:
        """Answer every CALL that is out or follows: {} for notifications, Accepted for tokens, `answers` by action first."""
        defaults: dict[str, dict[str, Any]] = {
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
            "Heartbeat": {"currentTime": self.iso()},
            "StopTransaction": {},
            "DataTransfer": {"status": "Accepted"},
        }
        while (call := self.open_call) is not None:
            action = call[2]
            if action == "StartTransaction" and action not in answers:
                self._calls += 1
                self.answer(action, {"transactionId": self._calls, "idTagInfo": {"status": "Accepted"}})
            else:
                self.answer(action, answers.get(action, defaults.get(action, {})))

    def call(self, action: str, payload: dict[str, Any], message_id: str = "") -> str:
        """A CALL of the CSMS. Its answer is `reply(id)`."""
        self.answered += 1
        message_id = message_id or f"csms-{self.answered}"
        self.give(FrameReceived(msgspec.json.encode([2, message_id, action, payload]).decode()))
        return message_id

    def give_text(self, text: str) -> None:
        """A WebSocket message of the CSMS, whatever it is."""
        self.give(FrameReceived(text))

    def reply(self, message_id: str) -> Any:
        """The payload of the CALLRESULT to a CALL, or the CALLERROR's code; None while there is none."""
        for frame in self.sent:
            if frame[0] in (3, 4) and frame[1] == message_id:
                return frame[2]
        return None

    def ask(self, command: AnyCommand, origin: Origin = Origin.LOCAL) -> AnyOutcome | None:
        """A command from outside OCPP; None while it is not answered."""
        self.answered += 1
        effects = self.give(Ask(-self.answered, origin, command))
        return next((e.outcome for e in effects if isinstance(e, Answer) and e.ticket == -self.answered), None)

    # --- people and cars ---

    def plug(self, slot: int = 1, rating_ma: int = 32_000) -> None:
        if self.core.slots[slot - 1].shape.has_lock:
            self.give(CableChanged(slot, True, rating_ma))
        self.pilot(Pilot.B, slot)

    def pilot(self, pilot: Pilot, slot: int = 1) -> None:
        self._pilots[slot] = pilot
        self.give(VehicleChanged(slot, pilot))
        state = self.core.slots[slot - 1]
        if self.board and pilot.asks and state.permitted and not state.power_closed:
            self.give(PowerReported(slot, True))
        elif self.board and not pilot.asks and state.power_closed:
            self.give(PowerReported(slot, False))

    def unplug(self, slot: int = 1) -> None:
        self.pilot(Pilot.A, slot)
        if self.core.slots[slot - 1].shape.has_lock:
            self.give(CableChanged(slot, False))

    def tap(self, card: str = CARD) -> None:
        self.give(CardPresented(card))

    def charging(self, slot: int = 1, card: str = CARD) -> None:
        """Plug, tap, accepted, the car asks: Charging."""
        self.plug(slot)
        self.wait(3)
        self.tap(card)
        self.answer_all()
        self.pilot(Pilot.C, slot)
        self.answer_all()
        assert self.core.slots[slot - 1].status.value == "charging"

    # --- out ---

    def statuses(self, slot: int = 1) -> list[str]:
        """The statuses that the CSMS was told of a slot, in order."""
        return [p["status"] for p in self.actions("StatusNotification") if p["connectorId"] == slot]

    def notes(self) -> list[str]:
        return [e.code for e in self.effects if isinstance(e, Note)]

    def events(self) -> list[str]:
        return [e.kind for e in self.effects if isinstance(e, Publish)]

    def restart(self, **options: Any) -> CoreBench:
        """The same disk, a new core, as after a power cut."""
        options = {
            "boot": BootInfo("os-2", True, "again"),
            "utc_ms": self.utc_ms + self.mono_ns // MILLISECOND,
            **options,
        }
        later = CoreBench(
            shape=self.core.shape, image=self.disk, settings=options.pop("settings", None), ready=False, **options
        )
        later.register_mwh = dict(self.register_mwh)
        return later
