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
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from ocpp_client.secrets import Cleaner
from ocpp_client.tls import TlsProfile
from sim import options
from sim.commands import CommandFailed, NotInTime
from sim.executor import Executor
from sim.frames import FrameFile
from sim.live import Live
from sim.view import SlotView, StationView
from sim.virtual import Frame, VirtualStation
from station.adapters.cloudevents import CloudEvent, Compat
from station.adapters.delivery import Delivery
from station.adapters.event_file import EventFile
from station.core.effects import Publish
from station.shell.runner import Sinks, Unit

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

KEPT: Final = 10_000  # frames; older ones are forgotten


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

    def close(self) -> None:
        """Raises the bug that stopped the station, if one did."""
        if self._record is not None:
            self._record.close()
        if self.errors:
            raise self.errors[0]


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

    The options are those of `station-sim run`. Waits until the CSMS has accepted it, for so long at most (0: not at all). NotInTime says
    what was wrong; ValueError: options that make no sense; OSError: files. A bug in the station is raised at the end.
    """
    secret = password.encode() if isinstance(password, str) else password
    tls = _tls(ca, cert, key)
    _check(csms, id, secret, tls, compat)
    shape = options.built(template, slots, vendor=vendor, model=model, serial=serial, firmware=firmware)
    wanted = options.differing(auth, settings or {})
    tap = _Tap(FrameFile(Path(record)) if record is not None else None, Cleaner([secret] if secret else []))
    files = [EventFile(Path(events), _complain)] if events is not None else []
    delivery = Delivery(tap, files, compat)
    live = Live(
        csms,
        [id],
        shape,
        settings=wanted,
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
        tap.close()


def _tls(ca: Path | str | None, cert: Path | str | None, key: Path | str | None) -> TlsProfile | None:
    if ca is None and cert is None and key is None:
        return None
    return TlsProfile(ca_file=str(ca or ""), certificate_file=str(cert or ""), key_file=str(key or ""))


def _check(csms: str, identity: str, secret: bytes | None, tls: TlsProfile | None, compat: str) -> None:
    """ValueError for what would not work."""
    options.check_url(csms, [identity], secret, tls)
    if compat not in get_args(Compat):
        raise ValueError(f"there is no compat {compat!r}; there are {', '.join(get_args(Compat))}")


def _complain(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def virtual_csms(**options: Any) -> Csms:
    """The small real CSMS of `station-sim csms`, on a free port: `async with virtual_csms() as csms`, then `csms.url`.

    See `sim/csms/server.py` for its options, its books and its commands.
    """
    from sim.csms.server import Csms

    return Csms(**options)
