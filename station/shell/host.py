"""The asyncio shell: 1 to N stations in one event loop, over real sockets; one station with real drivers is a charger, many with
simulated boards are a fleet. There is no task a station.

Not here: configuration (`station/config.py`), what is printed (CLIs).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

from hal.clock import TimerHandle
from hal.units import SECOND, MonoNs
from ocpp_client.link import Link, LinkProfile
from station.adapters.clock import AsyncScheduler
from station.adapters.memory import MemoryStore
from station.adapters.sqlite import SqliteStore
from station.shell.runner import Deliver, Runner, Sinks, Unit
from station.shell.tcp import TcpTransport, dial
from station.words.commands import AnyCommand
from station.words.common import Origin
from station.words.outcomes import AnyOutcome


class SystemRng:
    """Randomness of the operating system (`hal.clock.Rng`)."""

    __slots__ = ()

    def draw(self, bits: int) -> int:
        return int.from_bytes(os.urandom((bits + 7) // 8), "big") >> (-bits % 8)


class HostWire:
    """One connection and its timer. Real time-outs do not scale with the speed of simulated time."""

    __slots__ = ("_host", "_timer", "_timer_at", "_transport", "link")

    def __init__(self, host: Host, link: Link, deliver: Deliver) -> None:
        self._host = host
        self.link = link
        self._timer: TimerHandle = None
        self._timer_at: MonoNs = 0
        self._transport: TcpTransport | None = None
        self._transport = dial(host.loop, link, deliver, host.real, self._rearm)
        self._rearm()

    def send(self, frame: str | bytes, tell: int | None = None) -> None:
        if self._transport is not None:
            self._transport.send(frame, tell)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self._transport is not None:
            self._transport.close(code, reason)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def set_ping_interval(self, interval_ns: MonoNs) -> None:
        if self._transport is not None:
            self._transport.set_ping_interval(interval_ns)

    def _rearm(self) -> None:
        """Keep one timer at the link's wake-up or before it."""
        wake_at = self.link.wake_at
        if wake_at is None:
            return
        at = wake_at * self._host.speed
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._host.scheduler.cancel(self._timer)
        self._timer_at = at
        self._timer = self._host.scheduler.call_at(at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._transport.wake()
        self._rearm()


class Host(Runner):
    """Runs stations on the running loop. `store` is a file for SQLite, or None to forget everything with the process."""

    def __init__(
        self,
        sinks: Sinks,
        profile: Callable[[Unit], LinkProfile],
        *,
        store: str | None = None,
        tick_ms: int = 0,
        speed: int = 1,
        epoch_ms: int | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.speed = speed
        self.clock = AsyncScheduler(self.loop, tick_ms, speed, epoch_ms)
        self.profile = profile
        self.real = self.real_ns  # bound once, not once a connection
        super().__init__(self.clock, self._dial, sinks)
        self.store = (
            MemoryStore(self.confirm, self._soon)
            if store is None
            else SqliteStore(store, self.confirm, self.clock.post)
        )

    def _soon(self, call: Callable[..., None], *args: object) -> None:
        self.loop.call_soon(call, *args)

    def real_ns(self) -> MonoNs:
        """Monotonic time that does not scale."""
        return self.clock.mono_ns() // self.speed

    def _dial(self, unit: Unit, subprotocols: tuple[str, ...], deliver: Deliver) -> HostWire:
        profile = self.profile(unit)
        ping_s = unit.core.settings.ping_interval_s if unit.core is not None else 0
        profile = msgspec.structs.replace(profile, subprotocols=subprotocols, ping_interval_ns=ping_s * SECOND)
        return HostWire(self, Link(profile, os.urandom), deliver)

    async def command(self, unit: Unit, command: AnyCommand, origin: Origin = Origin.LOCAL) -> AnyOutcome:
        """Give a command and wait for its outcome."""
        future: asyncio.Future[AnyOutcome] = self.loop.create_future()
        self.ask(unit, command, lambda outcome: _set(future, outcome), origin)
        return await future

    async def close(self) -> None:
        """Stop everything: boards safe, connections gone and each CSMS told, the store written."""
        for unit in list(self.units.values()):
            wire, unit.wire = unit.wire, None
            self.remove(unit)  # from here on it hears nothing
            if wire is not None:
                wire.close(1001, "the station ends")
                wire.abort()  # nobody waits for the answer
        self.clock.stop()
        await asyncio.sleep(0)
        assert self.store is not None
        self.store.close()


def _set(future: asyncio.Future[AnyOutcome], outcome: AnyOutcome) -> None:
    if not future.done():
        future.set_result(outcome)


def os_boot_id() -> str:
    """Names this boot of the operating system; a new one means that the power was gone. Empty where there is no such thing."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""
