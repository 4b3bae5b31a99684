"""A whole station in the small world, as somebody sees it who stands before it with a card and a car."""

from __future__ import annotations

from typing import Any

import msgspec

from hal.units import LockState
from sim.board import SimBoard
from sim.profiles import PROFILES
from sim.slot import SimSlot
from sim.vehicle import Vehicle
from sim.world import World
from statemachine.slot import Slot
from station.core.core import StationCore
from station.words.settings import Settings

CARD = "04A1B2C3"


class Bay:
    """`heard` is what the CSMS got; `acts` what the board was told."""

    def __init__(self, settings: Settings | None = None, template: str = "two-sockets-22kw", seed: int = 1) -> None:
        self.world = World(seed, template=template, settings=settings or Settings(aligned_interval_s=0))
        self.run(5)

    def run(self, seconds: float) -> None:
        self.world.run(seconds)

    @property
    def board(self) -> SimBoard:
        return self.world.boards["CP1"]

    @property
    def core(self) -> StationCore:
        core = self.world.units["CP1"].core
        assert core is not None
        return core

    def slot(self, number: int = 1) -> Slot:
        return self.core.slots[number - 1]

    def truth(self, number: int = 1) -> SimSlot:
        return self.board.slot(number)

    # --- people ---

    def plug(self, car: str = "model-3-lr", soc_permille: int = 300, slot: int = 1, rating_ma: int = 32_000) -> Vehicle:
        vehicle = Vehicle(PROFILES[car], soc_permille)
        assert self.board.plug(slot, vehicle, rating_ma)
        self.run(3)
        return vehicle

    def tap(self, card: str = CARD) -> None:
        self.board.present(card)
        self.run(3)

    def charge(self, car: str = "model-3-lr", soc_permille: int = 300, slot: int = 1, card: str = CARD) -> Vehicle:
        """Plug, tap, and the first minute of it."""
        vehicle = self.plug(car, soc_permille, slot)
        self.tap(card)
        self.run(60)
        assert self.truth(slot).closed
        return vehicle

    # --- what was seen ---

    def heard(self, *actions: str) -> list[dict[str, Any]]:
        frames = [msgspec.json.decode(frame) for frame in self.world.csms.frames]
        return [frame[3] for frame in frames if frame[0] == 2 and frame[2] in actions]

    def told(self, connector: int = 1) -> list[tuple[str, str]]:
        """Status and error code of a connector, in order."""
        return [
            (p["status"], p["errorCode"]) for p in self.heard("StatusNotification") if p["connectorId"] == connector
        ]

    def statuses(self, connector: int = 1) -> list[str]:
        """The statuses alone, each as often as it came about."""
        told = [status for status, _ in self.told(connector)]
        return [b for a, b in zip(["", *told], told, strict=False) if a != b]

    def call(self, action: str, **payload: Any) -> Any:
        """A call of the CSMS, and what the station answered within five seconds."""
        number = self.world.csms.call("CP1", action, payload)
        self.run(5)
        return self.world.csms.answers[number][0]

    def acts(self, *starts: str) -> list[tuple[float, str]]:
        """What the board was told, with its time in seconds; only what begins so."""
        lines = [(line.at_ns / 1e9, line.what) for line in self.world.trace.lines]
        return [(at, what) for at, what in lines if what.startswith(starts or ("Offer(", "PermitPower(", "SetLock("))]

    @property
    def locked(self) -> bool:
        return self.truth().lock is not LockState.OPEN
