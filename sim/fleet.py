"""A fleet: many virtual stations in one process, on one loop, against any CSMS. The same cores, links and boards as everywhere.

Not here: what they do (drivers, plans), what is shown.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from typing import Final

import msgspec

from ocpp_client.link import LinkProfile
from sim.board import SimBoard
from sim.profiles import PROFILES
from sim.rng import Stream
from sim.vehicle import Vehicle
from station.core.effects import Publish
from station.shell.host import Host
from station.shell.plan import Plan
from station.shell.runner import Sinks, Unit
from station.words.common import Measurand
from station.words.settings import TEMPLATES, Settings

EIGHT_VALUES: Final = (  # energy, power and offered current, three currents, two more: eight sampled values on three phases
    Measurand.ENERGY_IMPORT,
    Measurand.CURRENT_IMPORT,
    Measurand.VOLTAGE,
    Measurand.POWER_OFFERED,
)


class Counting(Sinks):
    """Counts what comes out."""

    def __init__(self) -> None:
        self.events = 0
        self.notes = 0

    def publish(self, unit: Unit, event: Publish) -> bool:
        self.events += 1
        return True


class Fleet:
    """`ids` name the stations. `ramp_per_s`: how many start in a second. Use as an async context manager, or `start` and `close`."""

    def __init__(
        self,
        url: str,
        ids: Sequence[str],
        template: str = "two-sockets-22kw",
        *,
        settings: Settings | None = None,
        password: bytes | None = None,
        store: str | None = None,
        tick_ms: int = 50,
        speed: int = 1,
        epoch_ms: int | None = None,
        ramp_per_s: int = 500,
        seed: int = 1,
        sinks: Sinks | None = None,
        plugged: bool = False,
    ) -> None:
        """`plugged`: a car with an empty battery stands at slot 1 of each from the start."""
        self.ids = tuple(ids)
        self.sinks = sinks or Counting()
        self._profile = LinkProfile(url, "", ("ocpp1.6",), password)
        self._plan = Plan(TEMPLATES[template], settings or Settings(), real=speed)
        self._options = {"store": store, "tick_ms": tick_ms, "speed": speed, "epoch_ms": epoch_ms}
        self._ramp_per_s = ramp_per_s
        self._seed = seed
        self._plugged = plugged
        self.boards: dict[str, SimBoard] = {}
        self._host: Host | None = None

    @property
    def host(self) -> Host:
        assert self._host is not None, "the fleet has not been started"
        return self._host

    async def start(self) -> None:
        """Bring up all stations, gently."""
        self._host = Host(self.sinks, self._profile_of, **self._options)  # type: ignore[arg-type]
        for number, identity in enumerate(self.ids):
            board = SimBoard(self._plan.shape, seed=self._seed + number)
            self.boards[identity] = board
            if self._plugged:
                board.plug(1, Vehicle(PROFILES["model-3-lr"], 20, seed=number))
            self._host.add(Unit(identity, self._plan, board, Stream(self._seed, "core", number)))
            if number % max(1, self._ramp_per_s // 20) == 0:
                await asyncio.sleep(0.05)
        gc.collect()
        gc.freeze()  # what a fleet is made of stays: the collector need not look at it again

    def _profile_of(self, unit: Unit) -> LinkProfile:
        return msgspec.structs.replace(self._profile, identity=unit.id)

    def unit(self, identity: str) -> Unit:
        return self.host.units[identity]

    def plug(self, identity: str, slot: int = 1, car: str = "model-3-lr", soc_permille: int = 200) -> None:
        """Plug a car into a slot of a station."""
        self.boards[identity].plug(slot, Vehicle(PROFILES[car], soc_permille))

    def tap(self, identity: str, card: str = "04A1B2C3") -> None:
        self.boards[identity].present(card)

    async def close(self) -> None:
        if self._host is not None:  # else it was never started
            await self._host.close()

    async def __aenter__(self) -> Fleet:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
