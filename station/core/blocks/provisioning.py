"""Provisioning: BootNotification, Heartbeat and the clock, settings, Reset (1.6 §§4.2, 4.6, 5.3, 5.8, 5.14; 2.0.1 block B).

Not here: dialling (`connection`), or what a setting does (whoever reads it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from hal.clock import Due
from hal.disk import Record
from hal.units import SECOND, Ticket
from ocpp_client.registration import OWN_INTERVAL_S, BackOff, Standing
from station.core.effects import CloseLink, Restart
from station.words.commands import ChangeSettings, ReadSettings, Reset
from station.words.common import BootReason, Origin, StopReason, Why
from station.words.outcomes import ACCEPTED, REJECTED, SettingsChanged, SettingsTold, SettingTold
from station.words.questions import AnyAnswer, AskTime, Register, Registration, TimeTold
from station.words.records import BootRecord, Image, SettingRecord
from station.words.settings import NAMES, NEEDS_RESTART, TOML_ONLY, BadSetting, changed, parse, spell

if TYPE_CHECKING:
    from station.core.core import StationCore

FLUSH_PATIENCE_NS: Final = 2 * SECOND
DELIVERY_PATIENCE_NS: Final = 5 * SECOND
ENDING_PATIENCE_NS: Final = 30 * SECOND

SettingStatus = Literal["accepted", "restart", "rejected", "read_only", "unknown"]


class Provisioning:
    """`resetting` is the reset that has been accepted and not yet carried out; `stage` says how far it is."""

    __slots__ = ("asked", "backoff", "core", "heartbeat_s", "over", "resetting", "stage", "tell")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.backoff = BackOff()
        self.heartbeat_s = core.settings.heartbeat_interval_s
        self.asked = False  # a Register is on its way
        self.over: dict[str, str] | None = None  # settings set over OCPP or API
        self.resetting: StopReason | None = None
        self.stage: Literal["", "answer", "sessions", "delivery", "disk", "exit"] = ""
        self.tell: Ticket = 0

    # --- boot ---

    def restore(self, image: Image) -> None:
        core = self.core
        for name, record in image.get("setting", {}).items():
            assert isinstance(record, SettingRecord)
            if name in NAMES:
                self._apply(name, record.value)
        self.heartbeat_s = core.settings.heartbeat_interval_s
        core.persist((self._boot_record(None),), urgent=True)
        core.after(Due.BOARD_READY, 10)

    def _boot_record(self, reset: StopReason | None) -> Record:
        boot = self.core.boot
        return Record("boot", "", BootRecord(boot.count, boot.os_boot, reset, boot.recent_ms))

    def records(self) -> list[Record]:
        boot = self._boot_record(self.resetting if self.stage == "exit" else None)
        return [boot, *(Record("setting", name, SettingRecord(value)) for name, value in (self.over or {}).items())]

    # --- registration ---

    def connected(self) -> None:
        """The link is up. A mere reconnect needs no new registration (1.6 BOOT-12)."""
        connection = self.core.connection
        if connection.standing is Standing.ACCEPTED:
            self.core.after(Due.HEARTBEAT, self.heartbeat_s)
            self.core.availability.reconnected(everything=False)
        else:
            self.register()

    def disconnected(self) -> None:
        self.asked = False
        self.core.deadlines.cancel(Due.REGISTER)

    def register(self, reason: BootReason | None = None) -> None:
        """Ask to be accepted, unless that question is out already."""
        if self.asked or not self.core.connection.up:
            return
        self.asked = True
        self.core.connection.put(Register(reason or self.core.boot.reason))

    def registered(self, answer: AnyAnswer) -> None:
        core = self.core
        self.asked = False
        if not isinstance(answer, Registration):
            if core.connection.up:  # unanswered or refused: again, with growing waits (1.6 BOOT-13)
                s = core.settings
                wait = self.backoff.next_ns(s.backoff_min_s, s.backoff_random_s, s.backoff_repeat, core.rng)
                core.deadlines.set(Due.REGISTER, core.now.mono_ns + wait * core.real)
            return
        self.backoff.reset()
        core.note("info", "registered", 0, answer.status, answer.interval_s)
        if answer.time is not None:
            self._clock(answer.time)
        interval = answer.interval_s if answer.interval_s > 0 else None
        if answer.status == "accepted":
            first = core.connection.standing is not Standing.ACCEPTED
            core.connection.standing = Standing.ACCEPTED
            core.deadlines.cancel(Due.REGISTER)
            if interval is not None:
                self.heartbeat_s = interval
            core.after(Due.HEARTBEAT, self.heartbeat_s)
            if first:
                core.availability.reconnected(everything=True)
            return
        core.connection.standing = Standing.PENDING if answer.status == "pending" else Standing.REJECTED
        core.after(Due.REGISTER, interval or OWN_INTERVAL_S)

    def heartbeat(self) -> None:
        if self.core.connection.online:
            self.core.connection.put(AskTime())
            self.core.after(Due.HEARTBEAT, self.heartbeat_s)

    def time_told(self, answer: AnyAnswer) -> None:
        if isinstance(answer, TimeTold) and answer.time is not None:
            self._clock(answer.time)

    def _clock(self, utc_ms: int) -> None:
        core = self.core
        trusted = core.time.trusted
        moved = core.time.told(core.now, utc_ms)
        if moved:
            core.note("warning" if abs(moved) > 20_000 else "info", "clock.moved", 0, moved)
            core.metering.realign()
        if not trusted and core.time.trusted:
            core.transactions.clock_trusted()

    # --- settings ---

    def change(self, ticket: Ticket, origin: Origin, command: ChangeSettings) -> None:
        """The answer waits until the new values are on the disk (1.6 CONF-01 to 04, CONF-09)."""
        statuses: list[SettingStatus] = []
        puts = []
        for name, text in command.changes:
            status = self._change(name, text)
            statuses.append(status)
            if name is not None and status in ("accepted", "restart"):
                puts.append(Record("setting", name, SettingRecord((self.over or {})[name])))
        outcome = SettingsChanged(tuple(statuses))
        if puts:
            self.core.persist(tuple(puts), (), True, self._changed, ticket, outcome)
        else:
            self.core.answer(ticket, outcome)

    def _change(self, name: str | None, text: str) -> SettingStatus:
        if name is None or name not in NAMES:
            return "unknown"
        if name in TOML_ONLY:
            return "read_only"
        try:
            value = parse(name, text)
        except BadSetting as bad:
            self.core.note("info", "setting.refused", 0, str(bad))
            return "rejected"
        if not self.core.metering.offers(name, value):
            return "rejected"
        self._apply(name, text)
        self.over = {**(self.over or {}), name: spell(value)}
        self._took_effect(name)
        return "restart" if name in NEEDS_RESTART else "accepted"

    def _apply(self, name: str, text: str) -> None:
        try:
            value = parse(name, text)
        except BadSetting as bad:  # an image of a program with other limits: the default is safer
            self.core.note("warning", "setting.refused", 0, str(bad))
            return
        self.core.settings = changed(self.core.settings, name, value)
        self.over = {**(self.over or {}), name: spell(value)}

    def _took_effect(self, name: str) -> None:
        """Some settings act at once on what is already running (1.6 HB-04)."""
        core = self.core
        if name == "heartbeat_interval_s":
            self.heartbeat_s = core.settings.heartbeat_interval_s
            if core.connection.online:
                core.after(Due.HEARTBEAT, self.heartbeat_s)
        elif name in ("sample_interval_s", "aligned_interval_s"):
            core.metering.realign()

    def _changed(self, ok: bool, ticket: Ticket, outcome: SettingsChanged) -> None:
        if not ok:
            outcome = SettingsChanged(tuple("rejected" for _ in outcome.statuses))
        self.core.answer(ticket, outcome)

    def read(self, ticket: Ticket, origin: Origin, command: ReadSettings) -> None:
        names = command.names or NAMES
        told = [SettingTold(name, spell(self._value(name)), name in TOML_ONLY) for name in names if name in NAMES]
        self.core.answer(ticket, SettingsTold(tuple(told), tuple(n for n in names if n not in NAMES)))

    def _value(self, name: str) -> object:
        return self.heartbeat_s if name == "heartbeat_interval_s" else getattr(self.core.settings, name)

    # --- reset and shutdown ---

    def reset(self, ticket: Ticket, origin: Origin, command: Reset) -> None:
        """Answer first; once the answer has left the machine the reset goes on (1.6 RESET-01, RESET-02)."""
        if self.resetting is not None:
            self.core.answer(ticket, REJECTED)
            return
        self.resetting = StopReason.HARD_RESET if command.hard else StopReason.SOFT_RESET
        self.stage, self.tell = "answer", ticket
        self.core.deadlines.set(Due.RESTART, self.core.now.mono_ns + FLUSH_PATIENCE_NS * self.core.real)
        self.core.answer(ticket, ACCEPTED, tell=True)
        if ticket < 0:
            self.flushed(ticket)

    def flushed(self, tell: int) -> None:
        if self.stage == "answer" and tell == self.tell:
            self._answer_sent()

    def _answer_sent(self) -> None:
        core = self.core
        if self.resetting is StopReason.HARD_RESET:
            for slot in core.slots:
                core.power.cut(slot)
            self._store_reset()
            return
        self.stage = "sessions"
        core.deadlines.set(Due.RESTART, core.now.mono_ns + ENDING_PATIENCE_NS)
        for slot in core.slots:
            core.power.end(slot, StopReason.SOFT_RESET, Why.RESET)
        self.progress()

    def progress(self) -> None:
        """Called whenever a session or a delivery is over: a soft reset waits for both."""
        core = self.core
        if self.stage == "sessions" and all(slot.session is None for slot in core.slots):
            self.stage = "delivery"
            core.deadlines.set(Due.RESTART, core.now.mono_ns + DELIVERY_PATIENCE_NS * core.real)
        if self.stage == "delivery" and (not core.connection.outbox.records or not core.connection.online):
            self._store_reset()

    def restart_due(self) -> None:
        """Patience is over: go on with the next stage whatever is missing."""
        match self.stage:
            case "answer":
                self._answer_sent()
            case "sessions" | "delivery" | "disk":
                self._restart(True)
            case "" | "exit":
                pass

    def _store_reset(self) -> None:
        self.stage = "disk"
        self.core.after(Due.RESTART, 6 * self.core.real)
        self.core.persist((self._boot_record(self.resetting),), (), True, self._restart)

    def _restart(self, _ok: bool) -> None:
        if self.stage == "exit":
            return
        self.stage = "exit"
        core = self.core
        core.deadlines.cancel(Due.RESTART)
        for slot in core.slots:
            core.power.cut(slot)
        core.emit(CloseLink("restart"))
        core.emit(Restart(self.resetting))

    def shutdown(self) -> None:
        """SIGTERM: power off in order, sessions stay open on the disk and are ended by the next boot, locks stay as they are."""
        core = self.core
        for slot in core.slots:
            core.power.cut(slot)
        core.transactions.leave_mark()
        self._store_reset()
