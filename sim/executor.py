"""Does what commands say, to the stations of a `Live` fleet, and answers each. One for keyboard, JSON Lines and Python.

Buttons of hardware go to the simulated board; what an operator says goes to the core as a command of local origin and is answered with its
outcome. Not here: what the commands are (`commands.py`), reading lines and their order (`prompt.py`), methods for Python (`api.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

import msgspec

from hal.units import SECOND, LockState, SlotId
from sim import commands as cmd
from sim import faults, plan
from sim.board import SimBoard
from sim.command_lines import usage
from sim.commands import CommandFailed, NotInTime, tag_of
from sim.live import Live, why_not_live
from sim.profiles import PROFILES
from sim.vehicle import Vehicle
from sim.view import look, next_attempt_s
from sim.waiting import History, wait
from station.core.core import StationCore
from station.shell.runner import Unit
from station.words import commands as words
from station.words.common import Token, TokenKind
from station.words.outcomes import AnyOutcome, SettingsChanged, SettingsTold, UnlockOutcome, Verdict
from station.words.questions import TimedOut, VendorAnswer
from station.words.settings import NAMES, BadSetting, parse

OUTCOME_S: Final = 60.0  # real seconds; every command has its own, shorter time-out in the core

Result: TypeAlias = Any
Car: TypeAlias = tuple[str, int]  # profile, state of charge in percent


class Executor:
    """`history` keeps what was published, for `wait`; `broken`: what `raise` broke, by station. After `quit`, `quitting` is set."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.history = History()
        live.ear.heard = self.history.heard
        self.quitting = asyncio.Event()
        self._cars: dict[str, Car] = {}
        self.broken: dict[str, list[plan.AnyFault]] = {}

    async def do(self, command: cmd.AnyCommand) -> cmd.Answer:
        """Do it, and say what became of it. Never raises: whoever asked waits for an answer."""
        tag = tag_of(type(command))
        station = ""
        try:
            station = self._station(command)
            result = await self.perform(station, command)
        except CommandFailed as error:
            return cmd.Answer(id=command.id, ok=False, do=tag, station=station, error=str(error))
        except Exception as error:  # noqa: BLE001 our own mistake must not leave a script waiting
            return cmd.Answer(id=command.id, ok=False, do=tag, station=station, error=f"a mistake of ours: {error!r}")
        return cmd.Answer(id=command.id, ok=True, do=tag, station=station, result=result)

    async def perform(self, station: str, command: cmd.AnyCommand) -> Result:
        """The same for one station, with its result. Raises CommandFailed."""
        result = DO[type(command)](self, station, command)
        return await result if isinstance(result, Awaitable) else result

    def _station(self, command: cmd.AnyCommand) -> str:
        ids = self.live.ids
        if command.station in ids or (not command.station and type(command) in ANYWHERE):
            return command.station
        shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
        if command.station:
            raise CommandFailed(f"there is no station {command.station!r}; there are {shown}")
        if len(ids) > 1:
            raise CommandFailed(f'"station" is missing; there are {shown}')
        return ids[0]

    # --- what things are needed for ---

    def _board(self, station: str, slot: SlotId | None = None) -> SimBoard:
        board = self.live.boards[station]
        count = len(board.slots)
        if slot is not None and not 1 <= slot <= count:
            there = "1" if count == 1 else f"1 to {count}"
            raise CommandFailed(f"slot: {slot} is not there; this station has {there}")
        return board

    def _core(self, station: str) -> StationCore:
        if station in self.live.dark:
            raise CommandFailed("the station has no power; `restore_power` gives it back")
        core = self.live.unit(station).core
        if core is None:
            raise CommandFailed("the station does not run; it restarts, or a bug stopped it")
        return core

    def _unit(self, station: str) -> Unit:
        self._core(station)
        return self.live.unit(station)

    # --- people and cars ---

    async def tap(self, station: str, c: cmd.Tap) -> Result:
        board, clock = self._board(station), self.live.host.clock
        if not c.at_once:
            wait_ns = self._core(station).authorization.counts_from(c.card) - clock.mono_ns()
            await asyncio.sleep(max(0, wait_ns) / SECOND / self.live.host.speed)
        self._core(station)
        board.present(c.card, c.reader)
        fault = board.reader_fault
        return {"card": c.card, **({"reader": fault.value} if fault is not None else {})}

    def plug(self, station: str, c: cmd.Plug) -> Result:
        board = self._board(station, c.slot)
        name, percent = self._cars.get(station, ("zoe-r110", 40))
        name = _car(c.car) if c.car else name
        percent = c.soc_percent if c.soc_percent is not None else percent
        place = board.slot(c.slot)
        if place.vehicle is not None:
            raise CommandFailed(f"slot {c.slot} is taken, a car stands there; unplug it first")
        try:
            plugged = board.plug(c.slot, Vehicle(PROFILES[name], percent * 10), c.rating_a * 1000)
        except ValueError as error:
            raise CommandFailed(f"{error}; slot {c.slot} is {place.shape.kind}") from None
        if not plugged:
            raise CommandFailed(f"slot {c.slot} is empty, but its lock is {place.lock.value}: no plug goes in")
        return {"slot": c.slot, "car": name, "soc_percent": percent}

    async def unplug(self, station: str, c: cmd.Unplug) -> Result:
        board = self._board(station, c.slot)
        place = board.slot(c.slot)
        if place.vehicle is None and not place.cable:
            raise CommandFailed(f"nothing is plugged into slot {c.slot}")
        if not await self.live.until(station, lambda: board.unplug(c.slot, force=c.force) or None, c.within_s):
            lock = "the lock is jammed" if place.lock is LockState.JAMMED else "the plug is locked"
            raise CommandFailed(
                f"slot {c.slot}: {lock}; the card that began, `stop` or `unlock` opens it, `force` breaks it"
            )
        return {"slot": c.slot}

    def drive_off(self, station: str, c: cmd.DriveOff) -> Result:
        if not self._board(station, c.slot).drive_off(c.slot):
            raise CommandFailed(f"no car stands at slot {c.slot}")
        return {"slot": c.slot}

    def choose_car(self, station: str, c: cmd.ChooseCar) -> Result:
        self._cars[station] = (_car(c.car), c.soc_percent)
        return {"car": c.car, "soc_percent": c.soc_percent}

    # --- what breaks ---

    def raise_(self, station: str, c: cmd.Raise) -> Result:
        fault = self.fault(station, c.fault)
        why = why_not_live(fault)
        if why:
            raise CommandFailed(why)
        if isinstance(fault, plan.PowerCut):
            return self.cut_power(station, cmd.CutPower(for_s=max(1.0, fault.for_s)))
        if not isinstance(fault, plan.BoardFault) or fault.cause != "reader":
            self._board(station, getattr(fault, "slot", None))
        if isinstance(fault, plan.VehicleFault) and self._board(station).slot(fault.slot).vehicle is None:
            raise CommandFailed(f"no car stands at slot {fault.slot} that could misbehave")
        if isinstance(fault, plan.LockFault) and not self._board(station).slot(fault.slot).shape.has_lock:
            raise CommandFailed(f"slot {fault.slot} has no lock: its cable is fixed")
        faults.begin(cast(Any, self.live), fault)
        if isinstance(fault, plan.NetworkFault) and fault.how == "reset":
            return {"fault": "network"}  # over already
        self.broken.setdefault(station, []).append(fault)
        if fault.for_s > 0:
            self.live.later(fault.for_s, self._mend, station, fault)
        return {"fault": _tag(fault)}

    def fault(self, station: str, fault: plan.AnyFault) -> plan.AnyFault:
        """The same fault, of this station: a plan counts stations."""
        return msgspec.structs.replace(fault, station=self.live.ids.index(station))

    def clear(self, station: str, c: cmd.Clear) -> Result:
        if c.fault and c.fault not in cmd.FAULTS:
            raise CommandFailed(f"there is no fault {c.fault!r}; there are {', '.join(cmd.FAULTS)}")
        mended = [
            fault
            for fault in self.broken.get(station, ())
            if c.fault in ("", _tag(fault)) and c.slot in (None, getattr(fault, "slot", None))
        ]
        for fault in mended:
            self._mend(station, fault)
        return {"cleared": [_tag(fault) for fault in mended]}

    def _mend(self, station: str, fault: plan.AnyFault) -> None:
        broken = self.broken.get(station, [])
        if fault in broken:
            broken.remove(fault)
            faults.end(cast(Any, self.live), fault)

    def heal(self) -> None:
        """Everything is whole again, everywhere: what `raise` broke, networks, mains, emergency stops."""
        for station, board in self.live.boards.items():
            for fault in list(self.broken.get(station, ())):
                self._mend(station, fault)
            self.live.networks[station].there = True
            board.release_emergency_stop()
            self.live.restore_power(station)

    def press_stop(self, station: str, c: cmd.PressStop) -> Result:
        self._board(station).press_emergency_stop()
        return {}

    def release_stop(self, station: str, c: cmd.ReleaseStop) -> Result:
        self._board(station).release_emergency_stop()
        return {}

    def acknowledge(self, station: str, c: cmd.Acknowledge) -> Result:
        self._core(station)
        self._board(station, c.slot or None).acknowledge(c.slot)
        return {"slot": c.slot}

    # --- network and mains ---

    def cut_link(self, station: str, c: cmd.CutLink) -> Result:
        self.live.networks[station].begin("refuse")
        if c.for_s:
            self.live.later(c.for_s, self.live.networks[station].end, "refuse")
        return {}

    def restore_link(self, station: str, c: cmd.RestoreLink) -> Result:
        self.live.networks[station].end("refuse")
        wait_s = next_attempt_s(self.live.unit(station).core, self.live.host.clock.mono_ns())
        return {} if wait_s is None else {"next_attempt_s": wait_s}

    def cut_power(self, station: str, c: cmd.CutPower) -> Result:
        if not self.live.cut_power(station):
            raise CommandFailed("the mains are gone already; `restore_power` gives them back")
        if c.for_s:
            self.live.later(c.for_s, self.live.restore_power, station)
        return {}

    def restore_power(self, station: str, c: cmd.RestorePower) -> Result:
        if not self.live.restore_power(station):
            raise CommandFailed("the station has power; `cut_power` takes it away")
        return {}

    def supply(self, station: str, c: cmd.Supply) -> Result:
        if c.amps is not None:
            self._core(station)
            self.live.limit_supply(station, c.amps * 1000)
        if c.volts is not None:
            self._board(station).set_mains(c.volts * 1000)
        return {name: value for name, value in (("amps", c.amps), ("volts", c.volts)) if value is not None}

    # --- the operator ---

    async def _ask(self, station: str, command: words.AnyCommand) -> AnyOutcome:
        unit = self._unit(station)
        try:
            return await asyncio.wait_for(self.live.host.command(unit, command), OUTCOME_S)
        except TimeoutError:
            return TimedOut()

    async def _verdict(self, station: str, command: words.AnyCommand) -> Result:
        outcome = await self._ask(station, command)
        match outcome:
            case Verdict("accepted" | "scheduled" as status):
                return {"status": status}
            case Verdict(status, why):
                raise CommandFailed(f"the station says {status}{': ' if why else ''}{why}")
            case UnlockOutcome("unlocked"):
                return {"status": "unlocked"}
            case UnlockOutcome(status):
                raise CommandFailed(f"the station says {status}")
            case TimedOut():
                raise CommandFailed("the station did not answer in time")
            case SettingsChanged() | SettingsTold() | VendorAnswer():
                return msgspec.to_builtins(outcome)

    async def start(self, station: str, c: cmd.Start) -> Result:
        self._board(station, c.slot or None)
        token = Token(c.card, TokenKind.LOCAL)
        return await self._verdict(station, words.StartSession(token, c.slot or None))

    async def stop(self, station: str, c: cmd.Stop) -> Result:
        self._board(station, c.slot)
        session = self._core(station).slots[c.slot - 1].session
        if session is None:
            raise CommandFailed(f"no session runs on slot {c.slot}")
        return {**await self._verdict(station, words.StopSession(session.id)), "session": session.id}

    async def unlock(self, station: str, c: cmd.Unlock) -> Result:
        self._board(station, c.slot)
        return await self._verdict(station, words.UnlockSlot(c.slot))

    async def availability(self, station: str, c: cmd.Availability) -> Result:
        self._board(station, c.slot or None)
        return await self._verdict(station, words.ChangeAvailability(c.slot, c.operative))

    async def reset(self, station: str, c: cmd.Reset) -> Result:
        return await self._verdict(station, words.Reset(c.hard))

    async def clear_cache(self, station: str, c: cmd.ClearCache) -> Result:
        return await self._verdict(station, words.ClearCache())

    async def trigger(self, station: str, c: cmd.Trigger) -> Result:
        if c.slot:
            self._board(station, c.slot)
        return await self._verdict(station, words.Trigger(c.what, c.slot))

    async def set(self, station: str, c: cmd.Set) -> Result:
        if c.name not in NAMES:
            raise CommandFailed(f"there is no setting {c.name!r}; there are {', '.join(NAMES)}")
        try:
            parse(c.name, c.value)
        except BadSetting as bad:
            raise CommandFailed(str(bad)) from None
        outcome = await self._ask(station, words.ChangeSettings(((c.name, c.value),)))
        status = outcome.statuses[0] if isinstance(outcome, SettingsChanged) else "not answered"
        if status not in ("accepted", "restart"):
            told = {"read_only": f"{c.name} can only be set in the configuration, not while the station runs"}
            raise CommandFailed(told.get(status, f"the station says {status}"))
        return {"status": status}

    async def get(self, station: str, c: cmd.Get) -> Result:
        if c.name and c.name not in NAMES:
            raise CommandFailed(f"there is no setting {c.name!r}; there are {', '.join(NAMES)}")
        outcome = await self._ask(station, words.ReadSettings((c.name,) if c.name else ()))
        if not isinstance(outcome, SettingsTold):
            raise CommandFailed("the station did not answer in time")
        return {told.name: told.value for told in outcome.settings}

    # --- looking and waiting ---

    def status(self, station: str, c: cmd.Status) -> Result:
        return msgspec.to_builtins(look(self.live, station))

    async def wait(self, station: str, c: cmd.Wait) -> Result:
        self._board(station, c.slot)
        found, instead = await wait(self.live, self.history, station, c)
        if found is None:
            raise NotInTime(instead)
        return found

    async def pause(self, station: str, c: cmd.Pause) -> Result:
        await asyncio.sleep(c.for_s / self.live.host.speed)
        return {}

    def help(self, station: str, c: cmd.Help) -> Result:
        try:
            return usage(c.about)
        except cmd.BadCommand as bad:
            raise CommandFailed(str(bad)) from None

    def quit(self, station: str, c: cmd.Quit) -> Result:
        self.quitting.set()
        return {}


def _car(name: str) -> str:
    if name not in PROFILES:
        raise CommandFailed(f"there is no car {name!r}; there are {', '.join(PROFILES)}")
    return name


def _tag(fault: plan.AnyFault) -> str:
    return tag_of(type(fault))


ANYWHERE: Final = (cmd.Help, cmd.Quit, cmd.Pause)  # need no station

DO: Final[dict[type, Callable[[Executor, str, Any], Result]]] = {
    cmd.Tap: Executor.tap,
    cmd.Plug: Executor.plug,
    cmd.Unplug: Executor.unplug,
    cmd.DriveOff: Executor.drive_off,
    cmd.ChooseCar: Executor.choose_car,
    cmd.Raise: Executor.raise_,
    cmd.Clear: Executor.clear,
    cmd.PressStop: Executor.press_stop,
    cmd.ReleaseStop: Executor.release_stop,
    cmd.Acknowledge: Executor.acknowledge,
    cmd.CutLink: Executor.cut_link,
    cmd.RestoreLink: Executor.restore_link,
    cmd.CutPower: Executor.cut_power,
    cmd.RestorePower: Executor.restore_power,
    cmd.Supply: Executor.supply,
    cmd.Start: Executor.start,
    cmd.Stop: Executor.stop,
    cmd.Unlock: Executor.unlock,
    cmd.Availability: Executor.availability,
    cmd.Reset: Executor.reset,
    cmd.Set: Executor.set,
    cmd.Get: Executor.get,
    cmd.ClearCache: Executor.clear_cache,
    cmd.Trigger: Executor.trigger,
    cmd.Status: Executor.status,
    cmd.Wait: Executor.wait,
    cmd.Pause: Executor.pause,
    cmd.Help: Executor.help,
    cmd.Quit: Executor.quit,
}
