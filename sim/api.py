"""Virtual stations for programs and tests: the buttons of `sim/commands.py` as methods, on the loop that runs.

```python
from sim.api import virtual_csms, virtual_station

async with virtual_csms() as csms:  # or a backend of your own
    async with virtual_station(csms=csms.url, id="CP1") as cp:
        await cp.plug(1, car="zoe-r110", soc_percent=40)
        await cp.tap("04A1B2C3")
        await cp.wait_for_status(1, "charging")
        await cp.tap("04A1B2C3")
        ended = await cp.wait_for_event("session-ended")
        assert ended.data["reason"] == "local"
        await cp.unplug(1)
    assert csms.books.transactions[0].stop.reason == "Local"
```

What cannot be done raises `CommandFailed`, whose text says why and what can be; what does not come in time raises `NotInTime`, which is a
`TimeoutError` too and says what is so instead:

```python
from sim.api import CommandFailed, NotInTime, virtual_station

async with virtual_station(csms=url, id="CP2", template="tethered-11kw") as cp:
    try:
        await cp.plug(7)
    except CommandFailed as error:
        assert "this station has 1" in str(error)
    await cp.plug(1)
    try:
        await cp.wait_for_status(1, "charging", within_s=0.1)
    except NotInTime as error:
        assert "nobody is authorised" in str(error)
```

Things break, networks and mains go, and come back:

```python
from sim.api import virtual_station

async with virtual_station(csms=url, id="CP3", settings={"backoff_min_s": 1, "backoff_random_s": 0}) as cp:
    await cp.fault("board", cause="ground_fault", slot=2)
    await cp.wait_for_status(2, "faulted")
    assert (await cp.wait_for_event("faulted")).data["error"]["code"] == "GroundFailure"  # on the disk first, then told
    await cp.cut_link()
    await cp.tap("04A1B2C3")  # a card is scanned offline too
    assert (await cp.wait_for_event("card-scanned")).data["card"] == "04A1B2C3"
    await cp.restore_link()
    await cp.wait_online()
    await cp.cut_power(for_s=1)
    await cp.wait_online(False)
    await cp.wait_online()
    assert (await cp.status()).slots[0].status == "available"
```

Everything that is told comes out as data: `events` are CloudEvents, `frames` the OCPP messages both ways:

```python
from sim.api import virtual_station

async with virtual_station(csms=url, id="CP4", vendor="Acme", serial="4711") as cp:
    boot = cp.calls("BootNotification")[0]
    assert (boot["chargePointVendor"], boot["chargePointSerialNumber"]) == ("Acme", "4711")
    answer = await cp.do('{"do": "set", "name": "sample_interval_s", "value": "10"}')  # any line of `--commands`
    assert answer == {"status": "accepted"}
```

Not here: many stations at once (`sim/live.py`), plans (`sim/live_plan.py`), virtual time (`sim/world.py`).
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ocpp_client.tls import TlsProfile
from sim import commands as cmd
from sim import options
from sim.command_lines import convert, read
from sim.commands import FAULTS, BadCommand, CommandFailed, NotInTime, SlotWord
from sim.executor import Executor
from sim.frames import Cleaner, FrameFile
from sim.live import Live
from sim.view import SlotView, StationView, look
from station.adapters.cloudevents import CloudEvent, Compat
from station.adapters.delivery import Delivery
from station.adapters.event_file import EventFile
from station.core.effects import Publish
from station.shell.runner import Sinks, Unit
from station.words.settings import spell

if TYPE_CHECKING:
    from sim.csms.server import Csms

__all__ = [
    "CloudEvent",
    "CommandFailed",
    "Frame",
    "NotInTime",
    "SlotView",
    "StationView",
    "VirtualStation",
    "virtual_csms",
    "virtual_station",
]

KEPT = 10_000  # frames; older ones are forgotten


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
        """Hold a card to a reader."""
        await self._do(cmd.Tap(card=card, reader=reader))

    async def plug(self, slot: int = 1, car: str = "", soc_percent: int | None = None, rating_a: int = 32) -> None:
        """Plug a car in: this one, else the one that `choose_car` chose. `rating_a`: what its cable allows."""
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

    async def supply(self, volts: int) -> None:
        """The voltage of the house; 230 is as it should be."""
        await self._do(cmd.Supply(volts=volts))

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
        await self._do(msgspec.convert({"do": "wait", "slot": slot, "status": status, "within_s": within_s}, cmd.Wait))

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
        return await self._executor.perform(self.id, command)


class _Tap(Sinks):
    """Keeps frames, and records them where that is wanted. `live` is set once there is one."""

    def __init__(self, record: FrameFile | None, cleaner: Cleaner) -> None:
        self.frames: list[Frame] = []
        self.live: Live | None = None
        self.errors: list[Exception] = []
        self._record, self._cleaner = record, cleaner

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        text = self._cleaner.clean(frame)
        self.frames.append(Frame(out, text))
        del self.frames[:-KEPT]
        if self._record is not None and self.live is not None:
            self._record.write(self.live.host.clock.now().os_utc_ms, unit.id, out, text)

    def publish(self, unit: Unit, event: Publish) -> bool:
        return True

    def bug(self, unit: Unit, error: Exception) -> None:
        self.errors.append(error)


@asynccontextmanager
async def virtual_station(
    csms: str,
    id: str = "CP1",
    *,
    template: str = "two-sockets-22kw",
    slots: int | None = None,
    vendor: str | None = None,
    model: str | None = None,
    serial: str | None = None,
    firmware: str | None = None,
    auth: Literal["csms", "free"] = "csms",
    settings: Mapping[str, object] | None = None,
    password: str | bytes | None = None,
    ca: Path | str | None = None,
    cert: Path | str | None = None,
    key: Path | str | None = None,
    store: Path | str | None = None,
    record: Path | str | None = None,
    events: Path | str | None = None,
    compat: Compat = "seed",
    seed: int | None = None,
    connect_within_s: float = 10.0,
) -> AsyncIterator[VirtualStation]:
    """A station against the CSMS at this URL, to which its identity is appended; it ends with the block, as if its mains were cut.

    The options are those of `station-sim run`. Waits until the CSMS has accepted it, for so long at most (0: not at all), and raises
    NotInTime with what was wrong. ValueError for options that make no sense; OSError for files. A bug in the station is raised at the end.
    """
    secret = password.encode() if isinstance(password, str) else password
    tls = _tls(ca, cert, key)
    options.check_url(csms, [id], secret, tls)
    recording = FrameFile(Path(record)) if record is not None else None
    tap = _Tap(recording, Cleaner([secret] if secret else []))
    delivery = Delivery(tap, [EventFile(Path(events), _complain)] if events is not None else [], compat)
    live = Live(
        csms,
        [id],
        options.built(template, slots, vendor=vendor, model=model, serial=serial, firmware=firmware),
        settings=options.differing(auth, settings or {}),
        password=secret,
        tls=tls,
        store=str(store) if store is not None else None,
        seed=seed,
        sinks=delivery,
        frames=True,
        begun=lambda host: setattr(delivery, "runner", host),
    )
    tap.live = live
    try:
        async with live:
            station = VirtualStation(live, Executor(live), tap.frames)
            if connect_within_s > 0:
                await station.wait_online(within_s=connect_within_s)
            yield station
            await delivery.drain()
    finally:
        delivery.close()
        if recording is not None:
            recording.close()
    if tap.errors:
        raise tap.errors[0]


def _tls(ca: Path | str | None, cert: Path | str | None, key: Path | str | None) -> TlsProfile | None:
    if ca is None and cert is None and key is None:
        return None
    return TlsProfile(ca_file=str(ca or ""), certificate_file=str(cert or ""), key_file=str(key or ""))


def _complain(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def virtual_csms(**options: Any) -> Csms:
    """The small real CSMS of `station-sim csms`, on a free port: `async with virtual_csms() as csms`, then `csms.url`.

    See `sim/csms/server.py` for its options, its books and its commands.
    """
    from sim.csms.server import Csms

    return Csms(**options)
