"""Provisioning: BootNotification, Heartbeat and the clock, settings, Reset, safe mode (1.6 §§4.2, 4.6, 5.3, 5.8, 5.14;
2.0.1 block B; station.md §7).

Not here: dialling (`connection`), or what a setting does (whoever reads it).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from hal.clock import Due
from hal.disk import Record
from hal.marks import mark
from hal.units import Cause, Ticket
from ocpp_client.registration import OWN_INTERVAL_S, BackOff, Standing
from statemachine.claims import Hold
from station.core.effects import CloseLink, Restart, SetPing
from station.words.commands import ChangeSettings, ReadSettings, Reset
from station.words.common import BootReason, Origin, StopReason, Why
from station.words.outcomes import ACCEPTED, REJECTED, SettingsChanged, SettingsTold, SettingTold
from station.words.questions import AnyAnswer, AskTime, Register, Registration, TimeTold
from station.words.records import BootRecord, Image, SettingRecord
from station.words.settings import NAMES, NEEDS_RESTART, TOML_ONLY, BadSetting, changed, parse, spell

if TYPE_CHECKING:
    from station.core.core import StationCore

DAY_S: Final = 86_400
FLUSH_PATIENCE_S: Final = 2  # for the answer to leave the machine
ENDING_PATIENCE_S: Final = 30  # for sessions to end
OPENS_PATIENCE_S: Final = 5  # for contactors to open in order
DELIVERY_PATIENCE_S: Final = 5  # for the CSMS to take what the sessions left
STORE_PATIENCE_S: Final = 6
CLOSE_PATIENCE_S: Final = 2  # for the connection to end in order: only then has everything arrived
RESTART_PATIENCE_S: Final = 30  # for the shell to restart: this program should not see the end of it

Stage = Literal["", "answer", "sessions", "power", "delivery", "disk", "close", "exit"]
SettingStatus = Literal["accepted", "restart", "rejected", "read_only", "unknown"]


class Provisioning:
    """`resetting` says why the next boot will have happened, `stage` how far the way there is; `leaving`: the process ends."""

    __slots__ = (
        "asked",
        "backoff",
        "core",
        "heartbeat_s",
        "leaving",
        "over",
        "resetting",
        "safe",
        "stage",
        "tell",
        "tries",
    )

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.backoff = BackOff()
        self.heartbeat_s = core.settings.heartbeat_interval_s
        self.asked = False  # a Register is on its way
        self.over: dict[str, str] | None = None  # settings set over OCPP or API
        self.safe = core.boot.safe
        self.resetting: StopReason | None = None
        self.leaving = False
        self.stage: Stage = ""
        self.tell: Ticket = 0
        self.tries = 0

    # --- boot ---

    def restore(self, image: Image) -> None:
        core = self.core
        for name, record in image.get("setting", {}).items():
            assert isinstance(record, SettingRecord)
            if name in NAMES:
                self._restored(name, record.value)
        self.heartbeat_s = core.settings.heartbeat_interval_s
        core.persist((self._boot_record(None),), urgent=True)
        core.after(Due.BOARD_READY, 10)

    def _restored(self, name: str, text: str) -> None:
        try:
            self._apply(name, parse(name, text))
        except BadSetting as bad:  # an image of a program with other limits: the default is safer
            self.core.note("warning", "setting.refused", 0, str(bad))

    def begin(self) -> None:
        """Everything is restored. In safe mode a fault of our own lies over the whole station until somebody acknowledges it."""
        if self.safe:
            mark("boot.safe_mode")
            self.core.note("error", "boot.safe_mode")
            self.core.faults.found(Cause.INTERNAL, 0, "safe mode")
            self.core.faults.over(Cause.INTERNAL, 0)  # what happened is past; it stays for as long as nobody has looked

    def acknowledged(self) -> None:
        """Someone has looked at the station: if that was the end of safe mode, the restarts so far no longer count."""
        if self.safe and not any(fault.cause is Cause.INTERNAL for fault in self.core.faults.station):
            self.safe = False
            self.core.persist((self._boot_record(None),), urgent=True)

    def _boot_record(self, reset: StopReason | None) -> Record:
        boot = self.core.boot
        recent = () if boot.safe and not self.safe else boot.recent_ms
        return Record("boot", "", BootRecord(boot.count, boot.os_boot, reset, recent, not self.safe))

    def records(self) -> list[Record]:
        boot = self._boot_record(self.resetting if self.restarting else None)
        return [boot, *(Record("setting", name, SettingRecord(value)) for name, value in (self.over or {}).items())]

    # --- registration ---

    def connected(self) -> None:
        """The link is up. A mere reconnect needs no new registration (1.6 BOOT-12), and does not shorten a wait (1.6 BOOT-05)."""
        core = self.core
        if core.connection.standing is Standing.ACCEPTED:
            core.availability.reconnected(everything=False)
            if not core.deadlines.pending(Due.HEARTBEAT):  # it came due while there was nobody to ask
                self.heartbeat()
        elif not core.deadlines.pending(Due.REGISTER):
            self.register()

    def disconnected(self) -> None:
        self.asked = False
        if self.stage == "close":
            self._restart()

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
        core.connection.backoff.reset()
        core.note("info", "registered", 0, answer.status, answer.interval_s)
        if answer.time is not None:
            self._clock(answer.time)
        interval = answer.interval_s if answer.interval_s > 0 else None
        if answer.status == "accepted":
            self._accepted(interval)
            return
        core.connection.standing = Standing.PENDING if answer.status == "pending" else Standing.REJECTED
        core.after(Due.REGISTER, interval or OWN_INTERVAL_S)

    def _accepted(self, interval_s: int | None) -> None:
        core = self.core
        first = core.connection.standing is not Standing.ACCEPTED
        core.connection.standing = Standing.ACCEPTED
        core.deadlines.cancel(Due.REGISTER)
        if interval_s is not None:
            self.heartbeat_s = interval_s
        self._next_heartbeat()
        if first:
            core.availability.reconnected(everything=True)

    # --- heartbeat and clock ---

    def _next_heartbeat(self) -> None:
        """At the interval, whatever else is sent; once a day at least, for the clock (1.6 HB-02), with an interval of 0 too."""
        self.core.after(Due.HEARTBEAT, min(self.heartbeat_s or DAY_S, DAY_S))

    def heartbeat(self) -> None:
        if self.core.connection.online:
            self.core.connection.put(AskTime())
            self._next_heartbeat()

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
            core.timekeeping.trusted()
        elif moved:
            core.timekeeping.moved()

    # --- settings ---

    def change(self, ticket: Ticket, origin: Origin, command: ChangeSettings) -> None:
        """All or nothing of what is allowed, once it is on the disk; only then is it answered (1.6 CONF-01 to 04, CONF-09)."""
        statuses: list[SettingStatus] = []
        values: dict[str, object] = {}
        for name, text in command.changes:
            statuses.append(self._judge(name, text, values))
        outcome = SettingsChanged(tuple(statuses))
        if values:
            puts = tuple(Record("setting", name, SettingRecord(spell(value))) for name, value in values.items())
            self.core.persist(puts, (), True, self._changed, ticket, outcome, values)
        else:
            self.core.answer(ticket, outcome)

    def _judge(self, name: str | None, text: str, values: dict[str, object]) -> SettingStatus:
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
        values[name] = value
        return "restart" if name in NEEDS_RESTART else "accepted"

    def _changed(self, ok: bool, ticket: Ticket, outcome: SettingsChanged, values: dict[str, object]) -> None:
        if not ok:
            self._undo(values)
            outcome = SettingsChanged(tuple("rejected" for _ in outcome.statuses))
        self.core.answer(ticket, outcome)
        for name, value in values.items() if ok else ():
            self._apply(name, value)
            self._took_effect(name)

    def _undo(self, names: Iterable[str]) -> None:
        """The disk did not answer in time, and may have taken it all the same: what was refused must not come true at the next boot."""
        over = self.over or {}
        puts = tuple(Record("setting", name, SettingRecord(over[name])) for name in names if name in over)
        self.core.persist(puts, tuple(("setting", name) for name in names if name not in over), True)

    def _apply(self, name: str, value: object) -> None:
        self.core.settings = changed(self.core.settings, name, value)
        self.over = {**(self.over or {}), name: spell(value)}

    def _took_effect(self, name: str) -> None:
        """Some settings act at once on what is already running (1.6 HB-04)."""
        core = self.core
        match name:
            case "heartbeat_interval_s":
                self.heartbeat_s = core.settings.heartbeat_interval_s
                if core.connection.online:
                    self._next_heartbeat()
            case "ping_interval_s":
                if core.connection.up:
                    core.emit(SetPing(core.settings.ping_interval_s))
            case "sample_interval_s" | "aligned_interval_s":
                core.metering.realign()
            case "light_percent":
                core.lights.refresh_all()
            case _:
                pass

    def read(self, ticket: Ticket, origin: Origin, command: ReadSettings) -> None:
        names = command.names or NAMES
        told = [SettingTold(name, spell(self._value(name)), name in TOML_ONLY) for name in names if name in NAMES]
        self.core.answer(ticket, SettingsTold(tuple(told), tuple(n for n in names if n not in NAMES)))

    def _value(self, name: str) -> object:
        return self.heartbeat_s if name == "heartbeat_interval_s" else getattr(self.core.settings, name)

    # --- reset and shutdown ---

    def reset(self, ticket: Ticket, origin: Origin, command: Reset) -> None:
        """Answer first; once the answer has left the machine the reset goes on (1.6 RESET-01, RESET-02)."""
        if self.stage:
            self.core.answer(ticket, REJECTED)
            return
        self.resetting = StopReason.HARD_RESET if command.hard else StopReason.SOFT_RESET
        self.stage, self.tell = "answer", ticket
        self.core.after(Due.RESTART, FLUSH_PATIENCE_S * self.core.real)
        self.core.answer(ticket, ACCEPTED, tell=True)
        if ticket < 0:
            self.flushed(ticket)

    def shutdown(self) -> None:
        """SIGTERM: power off in order, sessions stay open on the disk and are ended by the next boot, locks stay as they are."""
        if self.leaving:
            return
        self.resetting, self.leaving, self.stage = StopReason.REBOOT, True, "power"
        self._close_slots()
        self.core.after(Due.RESTART, OPENS_PATIENCE_S)
        self.progress()

    @property
    def restarting(self) -> bool:
        """All is done but the restart itself."""
        return self.stage in ("close", "exit")

    def flushed(self, tell: int) -> None:
        if self.stage == "answer" and tell == self.tell:
            self._answer_sent()

    def _answer_sent(self) -> None:
        core = self.core
        self._close_slots()
        if self.resetting is StopReason.HARD_RESET:
            for slot in core.slots:
                core.power.cut(slot)
            self._store_reset()
            return
        self.stage = "sessions"
        core.after(Due.RESTART, ENDING_PATIENCE_S)
        for slot in core.slots:
            core.power.end(slot, StopReason.SOFT_RESET, Why.RESET)
        self.progress()

    def _close_slots(self) -> None:
        """From here on nobody begins to charge, and nobody's power comes back."""
        for slot in self.core.slots:
            self.core.power.hold(slot, Hold.RESTART)

    def progress(self) -> None:
        """Called whenever a session or a delivery is over, or a contactor has opened: whoever waits for that goes on."""
        core = self.core
        if self.stage == "sessions" and all(slot.session is None for slot in core.slots):
            self.stage = "delivery"
            core.after(Due.RESTART, DELIVERY_PATIENCE_S * core.real)
        if self.stage == "delivery" and (not core.connection.outbox or not core.connection.online):
            self._store_reset()
        if self.stage == "power" and not any(slot.permitted or slot.power_closed for slot in core.slots):
            self._store_reset()

    def restart_due(self) -> None:
        """Patience is over: go on with the next stage whatever is missing."""
        match self.stage:
            case "answer":
                self._answer_sent()
            case "sessions" | "power" | "delivery":
                self._store_reset()
            case "disk":
                self._close(False)
            case "close":
                self._restart()
            case "exit":
                self._not_restarted()
            case "":
                pass

    def _store_reset(self) -> None:
        core = self.core
        self.stage = "disk"
        core.after(Due.RESTART, STORE_PATIENCE_S * core.real)
        if any(slot.session is not None for slot in core.slots):
            core.timekeeping.leave_mark()  # the next boot ends them, with this as their end
        core.persist((self._boot_record(self.resetting),), (), True, self._close)

    def _close(self, _stored: bool) -> None:
        if self.stage != "disk":
            return
        core = self.core
        self.stage = "close"
        core.after(Due.RESTART, CLOSE_PATIENCE_S * core.real)
        for slot in core.slots:
            core.power.cut(slot)
        if core.connection.dialled:
            core.emit(CloseLink("restart"))
        else:
            self._restart()

    def _restart(self) -> None:
        self.stage = "exit"
        self.core.after(Due.RESTART, RESTART_PATIENCE_S * self.core.real)
        self.core.emit(Restart(None if self.leaving else self.resetting))

    def _not_restarted(self) -> None:
        """We are still here, so the shell did not do it: again, ResetRetries times; then the station goes on as it is."""
        core = self.core
        self.tries += 1
        core.note("error", "restart.failed", 0, self.tries)
        if self.tries <= core.settings.reset_retries:
            self._restart()
            return
        self.stage, self.resetting, self.leaving, self.tries = "", None, False, 0
        core.persist((self._boot_record(None),), urgent=True)
        for slot in core.slots:
            core.power.release(slot, Hold.RESTART)
