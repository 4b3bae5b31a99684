"""What is seen of a station from outside: a CSMS that keeps the frames it receives, a board that keeps what the hardware does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

from websockets.asyncio.server import ServerConnection

from hal.actions import AnyAction, Offer, PermitPower
from hal.signals import AnySignal
from sim.board import SimBoard
from sim.csms.server import Csms
from tests.interop.stories.columns import Change, Frame


class Tapped:
    """A connection whose received frames are kept too."""

    def __init__(self, socket: ServerConnection, frames: list[Frame]) -> None:
        self._socket, self._frames = socket, frames

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        async for raw in self._socket:
            parts = json.loads(raw)
            if parts[0] == 2:
                self._frames.append(Frame(parts[2], parts[3]))
            yield raw


class WatchedCsms(Csms):
    """`frames` are the CALLs of all stations as they came out of the socket."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.frames: list[Frame] = []

    async def _serve(self, socket: ServerConnection) -> None:
        await super()._serve(cast(ServerConnection, Tapped(socket, self.frames)))


class WatchedBoard(SimBoard):
    """`changes`: what the station wants (permit, offer) and what then is so (lock, pilot, contactor, lamps), in order."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.changes: list[Change] = []
        self._last: dict[tuple[str, str], str] = {}
        super().__init__(*args, **options)

    def apply(self, action: AnyAction) -> None:
        match action:
            case PermitPower(slot, allowed):
                self._note(f"slot {slot}", "permit", "yes" if allowed else "no")
            case Offer(slot, limit_ma):
                self._note(f"slot {slot}", "offer", "none" if limit_ma is None else f"{limit_ma / 1000:g}")
            case _:
                pass
        super().apply(action)
        self._look()

    def say(self, signal: AnySignal) -> None:
        super().say(signal)
        self._look()

    def stop(self) -> None:
        super().stop()
        if self._scheduler is not None:
            self._look()
            for key in [key for key in self._last if key[1] in ("permit", "offer")]:
                self._last[key] = "none" if key[1] == "offer" else "no"

    def _look(self) -> None:
        for place in self.slots:
            track = f"slot {place.number}"
            if place.shape.has_lock:
                self._note(track, "lock", place.lock.value)
            self._note(track, "pilot", place.pilot.value)
            self._note(track, "contactor", "closed" if place.closed else "open")
        for slot in range(len(self.slots) + 1):
            light = self.light(slot)
            self._note(f"lamp {slot}", "", f"{light.colour.value} {light.pattern.value}")

    def _note(self, track: str, what: str, now: str) -> None:
        if self._last.get((track, what)) != now:
            self._last[track, what] = now
            at_s = self.scheduler.now().mono_ns / 1e9
            self.changes.append(Change(track, f"{what} {now}".strip(), at_s))
