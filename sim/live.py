"""Virtual stations that can be touched while they run: a fleet in real time whose networks and mains can be cut, and whose hardware breaks.

To `sim/faults.py` it looks like a world, so that the faults of a plan begin and end here by the same functions, as far as they can happen
outside a world. Not here: commands (`commands.py`, `executor.py`), people, what is shown.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from hal.clock import Due, Rng, TimerHandle
from hal.disk import Persist, Record
from hal.units import SECOND, MilliAmps, MonoNs
from ocpp_client.link import LinkDown, check_profile
from ocpp_client.tls import TlsProfile
from sim import plan
from sim.board import SimBoard
from sim.fleet import Fleet
from sim.rng import Stream
from station.core.effects import Effect, Input, Note, Publish, Wake
from station.shell.host import Host, SystemRng
from station.shell.plan import Plan
from station.shell.runner import Deliver, Sinks, Unit, Wire
from station.words.common import TokenInfo, TokenStatus
from station.words.records import TokenRecord
from station.words.settings import Settings, StationShape

T = TypeVar("T")

LIVE_NETWORK: Final = ("refuse", "reset")
_NOT_LIVE: Final[dict[type[plan.Fault], str]] = {
    plan.ClockFault: "the clock of this machine is not ours to set",
    plan.DiskFault: "the disk of this machine is not ours to break",
    plan.ProgramFault: "this program would fall over with it",
    plan.CsmsFault: "the CSMS is yours; `station-sim csms --help` tells of one that misbehaves on request",
}


def why_not_live(fault: plan.AnyFault) -> str:
    """Why this fault of a plan cannot happen outside a world; empty when it can."""
    if isinstance(fault, plan.NetworkFault) and fault.how not in LIVE_NETWORK:
        return f"network: {fault.how!r} needs a simulated network; {' and '.join(LIVE_NETWORK)} can be had here"
    if isinstance(fault, plan.PowerCut) and (fault.effect or fault.again):
        return "power_cut: to cut at an effect, or again and again, needs a simulated world; leave out effect and again"
    why = _NOT_LIVE.get(type(fault))
    return f"{type(fault).__struct_config__.tag}: {why}" if why else ""


class Seen:
    """What a station has shown so far. `accepted`: by the CSMS, at least once; `failure`: why the latest connection failed or ended;
    `connected`: one stands; `answer`: the latest to a BootNotification on it."""

    __slots__ = ("accepted", "answer", "connected", "ended", "failure")

    def __init__(self) -> None:
        self.accepted = self.connected = False
        self.answer = self.failure = ""
        self.ended = 0  # sessions

    @property
    def contact(self) -> str:
        """How it stands with the CSMS, in words, where that has not accepted it."""
        if not self.connected:
            return f"not connected: {self.failure or 'no answer yet to the attempt to connect'}"
        if not self.answer:
            return "connected, but its BootNotification has not been answered"
        return f"connected, but the answer to its BootNotification was {self.answer.capitalize()}"


class Ear(Sinks):
    """Listens to what comes out before it goes on to `inner`."""

    def __init__(self, inner: Sinks) -> None:
        self.inner = inner
        self.seen: dict[str, Seen] = {}
        self.heard: Callable[[Unit, Publish], None] | None = None  # each event, for whoever keeps them

    def of(self, identity: str) -> Seen:
        return self.seen.setdefault(identity, Seen())

    def publish(self, unit: Unit, event: Publish) -> bool:
        if event.kind == "session-ended.v1":
            self.of(unit.id).ended += 1
        if self.heard is not None:
            self.heard(unit, event)
        return self.inner.publish(unit, event)

    def note(self, unit: Unit, note: Note) -> None:
        seen = self.of(unit.id)
        match note.code:
            case "registered":
                seen.answer = str(note.values[0])
                seen.accepted = seen.accepted or seen.answer == "accepted"
            case "link.up":
                seen.connected, seen.answer = True, ""
            case "link.down":
                seen.connected, seen.failure = False, str(note.values[0])
            case _:
                pass
        self.inner.note(unit, note)

    def frame(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        self.inner.frame(unit, out, frame)

    def exited(self, unit: Unit) -> None:
        self.inner.exited(unit)

    def bug(self, unit: Unit, error: Exception) -> None:
        self.inner.bug(unit, error)


class Network:
    """The network cable of one station, as `sim.pipe.Network` is in a world."""

    __slots__ = ("_unit", "there")

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.there = True

    def begin(self, how: str, latency_ms: int = 0) -> None:
        """`refuse`: gone until `end`; `reset`: the connection is cut once."""
        self.there = how != "refuse"
        wire = self._unit.wire
        if wire is not None:
            wire.abort()

    def end(self, how: str) -> None:
        self.there = True


class NoWire:
    """A connection where there is no network: it fails at once, that is, right after the call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Deliver, url: str) -> None:
        detail = f"{url}: there is no network; its cable has been pulled by a command"
        loop.call_soon(deliver, LinkDown("refused", detail))

    def send(self, frame: str | bytes, tell: int | None = None) -> None: ...

    def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...

    def set_ping_interval(self, interval_ns: MonoNs) -> None: ...


class LiveHost(Host):
    """A host that can pull cables, and that tells when something may have changed."""

    live: Live

    def _dial(self, unit: Unit, subprotocols: tuple[str, ...], deliver: Deliver) -> Wire:  # type: ignore[override]  # any wire
        if not self.live.networks[unit.id].there:
            return NoWire(self.loop, deliver, check_profile(self.profile(unit)).shown)
        return super()._dial(unit, subprotocols, deliver)

    def _stepped(self, unit: Unit, item: Input | None, effects: list[Effect]) -> None:
        self.live.moved(unit.id)

    def _reboot(self, unit: Unit) -> None:
        if unit.id not in self.live.dark:
            super()._reboot(unit)


class Live(Fleet):
    """Stations of one shape against one CSMS. `ear` tells what they have shown, `dark` are those without mains."""

    def __init__(
        self,
        url: str,
        ids: Sequence[str],
        shape: StationShape,
        *,
        settings: Settings | None = None,
        password: bytes | None = None,
        tls: TlsProfile | None = None,
        store: str | None = None,
        tick_ms: int = 0,
        ramp_per_s: int = 200,
        seed: int | None = None,
        sinks: Sinks | None = None,
        frames: bool = False,
        speed: int = 1,
        epoch_ms: int | None = None,
        serials: Sequence[str] = (),
        cache: Mapping[str, TokenStatus] | None = None,
        begun: Callable[[Host], None] = lambda host: None,
    ) -> None:
        """With a `seed` the stations draw the same ids and waits in every run, else each its own; on a store that outlives the process
        each boot needs its own. `frames`: sinks hear every frame. `speed` above 1 needs a CSMS on the same clock (`epoch_ms`: what UTC is
        there now). `serials`: one for each station; none: their identities. `cache`: what each station's authorisation cache knows from
        the start. `begun` is called with the host before the first station boots. The end of this process is a power cut to its stations.
        """
        super().__init__(
            url,
            ids,
            settings=settings,
            password=password,
            store=store,
            tick_ms=tick_ms,
            speed=speed,
            epoch_ms=epoch_ms,
            ramp_per_s=ramp_per_s,
            seed=1 if seed is None else seed,
        )
        self._reproducible = seed is not None and store is None
        self._plan = msgspec.structs.replace(self._plan, shape=shape, os_boot=f"run {SystemRng().draw(64):016x}")
        self._profile = msgspec.structs.replace(self._profile, tls=tls)
        self.ear = Ear(sinks or Sinks())
        self.sinks = self.ear
        self.shape = shape
        self.plan = plan.Plan()  # what `sim/faults.py` looks up a card in
        self.networks: dict[str, Network] = {}
        self.dark: dict[str, None] = {}
        self.standing: list[plan.AnyFault] = []
        self._frames = frames
        self._serials = tuple(serials)
        self._cache = dict(cache or {})
        self._begun = begun
        self._cuts = 0
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    # --- life ---

    async def start(self) -> None:
        """Bring up all stations, so many in a second."""
        host = LiveHost(self.sinks, self._profile_of, **self._options)  # type: ignore[arg-type]
        self._host = host
        host.live = self
        self._begun(host)
        for number, identity in enumerate(self.ids):
            board = SimBoard(self.shape, seed=self._seed + number)
            self.boards[identity] = board
            rng: Rng = Stream(self._seed, "core", number) if self._reproducible else SystemRng()
            unit = Unit(identity, self._plan_of(number), board, rng)
            unit.frames = self._frames
            self.networks[identity] = Network(unit)
            self._know_cards(unit)
            host.add(unit)
            if self._ramp_per_s and number % max(1, self._ramp_per_s // 20) == 0:
                await asyncio.sleep(0.05 if len(self.ids) > 1 else 0)
        if len(self.ids) > 100:
            gc.collect()
            gc.freeze()  # what a fleet is made of stays: the collector need not look at it again

    def _plan_of(self, number: int) -> Plan:
        if not self._serials:
            return self._plan
        shape = msgspec.structs.replace(self.shape, serial=self._serials[number])
        return msgspec.structs.replace(self._plan, shape=shape)

    def _know_cards(self, unit: Unit) -> None:
        """Put them on the disk that the station is about to read."""
        if self._cache and self.host.store is not None:
            now_ms = self.host.clock.now().os_utc_ms
            known = ((uid.upper(), TokenRecord(TokenInfo(status), now_ms)) for uid, status in self._cache.items())
            self.host.store.persist(unit.id, Persist(0, tuple(Record("token", uid, record) for uid, record in known)))

    async def close(self) -> None:
        await super().close()
        for identity in list(self._waiting):
            self._look(identity)

    # --- what a world offers to faults ---

    @property
    def clock(self) -> Any:
        return self.host.clock

    def unit_at(self, number: int) -> Unit | None:
        return self.host.units.get(self.ids[number]) if number < len(self.ids) else None

    def later(self, seconds: float, call: Callable[..., Any], *args: Any) -> TimerHandle:
        """Call it so many seconds of the stations' clock from now."""
        return self.host.clock.call_at(self.host.clock.mono_ns() + int(seconds * SECOND), call, *args)

    # --- mains ---

    def cut_power(self, identity: str) -> bool:
        """What is not on the disk is lost; False where the mains are gone already."""
        if identity in self.dark:
            return False
        unit = self.unit(identity)
        self.dark[identity] = None
        self._cuts += 1
        self.host.halt(unit)
        unit.board.stop()
        unit.plan = msgspec.structs.replace(unit.plan, os_boot=f"after cut {self._cuts}")
        self.moved(identity)
        return True

    def restore_power(self, identity: str) -> bool:
        """The station boots. False where the mains never went."""
        if identity not in self.dark:
            return False
        del self.dark[identity]
        self.host.boot(self.unit(identity))
        self.moved(identity)
        return True

    def limit_supply(self, identity: str, supply_ma: MilliAmps) -> None:
        """From now on the house has so much for each phase. No board can say so: what the station was built for changes under it."""
        unit = self.unit(identity)
        unit.plan = msgspec.structs.replace(
            unit.plan, shape=msgspec.structs.replace(unit.plan.shape, supply_ma=supply_ma)
        )
        if unit.core is not None:
            unit.core.shape = unit.plan.shape
            unit.core.deadlines.set(Due.SUPPLY, self.host.clock.mono_ns())
            self.host.post(unit, Wake())

    # --- waiting ---

    def moved(self, identity: str) -> None:
        """Something may be different: those who wait look again, once this round of the loop is over."""
        if identity in self._waiting:
            self.host.loop.call_soon(self._look, identity)

    def _look(self, identity: str) -> None:
        for future in self._waiting.pop(identity, ()):
            if not future.done():
                future.set_result(None)

    async def until(self, identity: str, true: Callable[[], T | None], within_s: float) -> T | None:
        """Wait until this gives something for a station; None after so many seconds of the stations' clock."""
        try:
            async with asyncio.timeout(within_s / self.host.speed):
                while (found := true()) is None:
                    future: asyncio.Future[None] = self.host.loop.create_future()
                    self._waiting.setdefault(identity, []).append(future)
                    await future
                return found
        except TimeoutError:
            return true()
