"""The buttons of one virtual station as methods. Made by `sim.api.virtual_station`, whose documentation has examples.

Not here: how it comes to run (`api.py`), what a command does (`executor.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from sim import commands as cmd
from sim.command_lines import checked, convert, read
from sim.commands import FAULTS, BadCommand, CommandFailed, SlotWord
from sim.executor import Executor
from sim.live import Live
from sim.view import SlotView, StationView, look
from station.adapters.cloudevents import CloudEvent
from station.words.settings import spell


class Frame(msgspec.Struct, frozen=True):
    """An OCPP message. `out`: from the station to the CSMS; `text`: as on the wire, without secrets."""

    out: bool
    text: str

    @property
    def message(self) -> Any:
        """The message as JSON: [2, id, action, payload] and its like. ValueError where it is none."""
        return msgspec.json.decode(self.text)


class VirtualStation:
    """A station that runs. Made by `virtual_station`. Slots count from 1; times are seconds."""

    def __init__(self, live: Live, executor: Executor, frames: list[Frame]) -> None:
        self._live, self._executor = live, executor
        self.id = live.ids[0]
        self.frames = frames

    # --- people and cars ---

    async def tap(self, card: str, reader: int = 1) -> None:
        """Hold a card to a reader; the same card again not before the station takes it for a new read (`repeat_guard_ms`)."""
        await self._do(cmd.Tap(card=card, reader=reader))

    async def plug(self, slot: int = 1, car: str = "", soc_percent: int | None = None, rating_a: int = 32) -> None:
        """Plug in this car, else that of `choose_car`, with the cable that was left there if any. `rating_a`: what its own allows."""
        await self._do(cmd.Plug(slot=slot, car=car, soc_percent=soc_percent, rating_a=rating_a))

    async def unplug(self, slot: int = 1, *, force: bool = False, within_s: float = 5.0) -> None:
        """Pull at the plug until it comes out, for so long at most. `force`: whatever the lock says."""
        await self._do(cmd.Unplug(slot=slot, force=force, within_s=within_s))

    async def drive_off(self, slot: int = 1) -> None:
        """Pull the cable at the car's end and go."""
        await self._do(cmd.DriveOff(slot=slot))

    async def choose_car(self, car: str, soc_percent: int = 40) -> None:
        """From now on `plug` plugs in this car (`sim/profiles.py`)."""
        await self._do(cmd.ChooseCar(car=car, soc_percent=soc_percent))

    # --- what breaks ---

    async def fault(self, name: str, **members: Any) -> None:
        """Something breaks, until `clear` or for `for_s` seconds: a fault of `sim/plan.py`, such as `fault("lock", how="jam", slot=1)`."""
        await self.do({"do": "raise", "fault": name, **members})

    async def clear(self, fault: str = "", slot: int | None = None) -> None:
        """What `fault` broke is whole again: this kind of fault, on this slot; without both, everything."""
        if fault and fault not in FAULTS:
            raise CommandFailed(f"there is no fault {fault!r}; there are {', '.join(FAULTS)}")
        await self._do(cmd.Clear(fault=fault, slot=slot))

    async def press_stop(self) -> None:
        """Press the emergency stop."""
        await self._do(cmd.PressStop())

    async def release_stop(self) -> None:
        """Release it; it stays latched until `acknowledge`."""
        await self._do(cmd.ReleaseStop())

    async def acknowledge(self, slot: int = 0) -> None:
        """Someone with a key says that a latched fault has been dealt with; 0 is the station."""
        await self._do(cmd.Acknowledge(slot=slot))

    # --- network and mains ---

    async def cut_link(self, for_s: float = 0) -> None:
        """Pull the network cable, for so long; 0: until `restore_link`."""
        await self._do(cmd.CutLink(for_s=for_s))

    async def restore_link(self) -> None:
        """Plug it in. The station dials again when its back-off says so."""
        await self._do(cmd.RestoreLink())

    async def cut_power(self, for_s: float = 0) -> None:
        """The mains are gone, and with them what was not on the disk, for so long; 0: until `restore_power`."""
        await self._do(cmd.CutPower(for_s=for_s))

    async def restore_power(self) -> None:
        """The mains are back: the station boots."""
        await self._do(cmd.RestorePower())

    async def supply(self, *, amps: int | None = None, volts: int | None = None) -> None:
        """What the house gives: so many amperes a phase for all slots together; so many volts, 230 as it should be."""
        await self.do({"do": "supply", "amps": amps, "volts": volts})

    # --- the operator ---

    async def start(self, card: str = "OPERATOR", slot: int = 0) -> None:
        """The operator starts a session, on this slot or (0) wherever it fits."""
        await self._do(cmd.Start(card=card, slot=slot))

    async def stop(self, slot: int = 1) -> None:
        """The operator ends the session on this slot."""
        await self._do(cmd.Stop(slot=slot))

    async def unlock(self, slot: int = 1) -> None:
        """The operator has the plug unlocked."""
        await self._do(cmd.Unlock(slot=slot))

    async def availability(self, operative: bool, slot: int = 0) -> None:
        """The operator takes a slot, or (0) the station, out of operation or back."""
        await self._do(cmd.Availability(operative=operative, slot=slot))

    async def reset(self, *, hard: bool = False) -> None:
        """The operator restarts the station."""
        await self._do(cmd.Reset(hard=hard))

    async def set(self, name: str, value: object) -> None:
        """The operator changes a setting, by its neutral name."""
        await self._do(cmd.Set(name=name, value=spell(value)))

    async def get(self, name: str = "") -> dict[str, str]:
        """The value of this setting, or of all, as text."""
        return dict(await self._do(cmd.Get(name=name)))

    async def clear_cache(self) -> None:
        """The operator empties the authorisation cache."""
        await self._do(cmd.ClearCache())

    async def trigger(self, what: Literal["boot", "heartbeat", "meter", "status"], slot: int | None = None) -> None:
        """Have this message sent now."""
        await self._do(cmd.Trigger(what=what, slot=slot))

    # --- looking and waiting ---

    @property
    def events(self) -> list[CloudEvent]:
        """What has been published, the oldest first."""
        return self._executor.history.of(self.id)

    def calls(self, action: str) -> list[dict[str, Any]]:
        """The payloads of the station's calls of this action so far."""
        messages = (frame.message for frame in self.frames if frame.out)
        return [message[3] for message in messages if message[0] == 2 and message[2] == action]

    async def status(self) -> StationView:
        """How the station stands now."""
        return look(self._live, self.id)

    async def slot(self, number: int) -> SlotView:
        """How a slot stands now. CommandFailed where there is none."""
        slots = (await self.status()).slots
        if not 1 <= number <= len(slots):
            raise CommandFailed(f"slot: {number} is not there; there are {len(slots)}")
        return slots[number - 1]

    async def wait_for_status(self, slot: int, status: SlotWord, within_s: float = 30.0) -> None:
        """Return when a slot is charging, say. NotInTime."""
        await self.do({"do": "wait", "slot": slot, "status": status, "within_s": within_s})

    async def wait_for_event(self, event: str, within_s: float = 30.0) -> CloudEvent:
        """The next event of this kind (`session-ended`) after the one that was last waited for. NotInTime."""
        try:
            found = await self._do(cmd.Wait(event=event, within_s=within_s))
        except ValueError as error:
            raise CommandFailed(str(error)) from None
        return msgspec.convert(found["event"], CloudEvent)

    async def wait_for_sessions(self, count: int, within_s: float = 30.0) -> None:
        """Return when so many sessions have ended since the start. NotInTime."""
        await self._do(cmd.Wait(sessions=count, within_s=within_s))

    async def wait_online(self, online: bool = True, within_s: float = 30.0) -> None:
        """Return when the CSMS has accepted the station and the link stands, or no longer. NotInTime."""
        await self._do(cmd.Wait(online=online, within_s=within_s))

    async def do(self, command: cmd.AnyCommand | Mapping[str, Any] | str) -> Any:
        """Any command, as data or as a line of `--commands`, and its result. CommandFailed."""
        try:
            if isinstance(command, str):
                command = read(command)
            elif isinstance(command, Mapping):
                command = convert(dict(command))
        except BadCommand as bad:
            raise CommandFailed(str(bad)) from None
        return await self._do(command)

    async def _do(self, command: cmd.AnyCommand) -> Any:
        try:
            command = checked(command)
        except BadCommand as bad:
            raise CommandFailed(str(bad)) from None
        return await self._executor.perform(self.id, command)
