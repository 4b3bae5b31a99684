"""Our station in the bench: a fleet of the whole thing, simulated board and vehicle included."""

from __future__ import annotations

import asyncio

from bench import load
from sim.fleet import EIGHT_VALUES, Counting, Fleet
from station.shell.runner import Unit
from station.words.settings import Settings


class Watched(Counting):
    """Counts what comes out, and does not let a station stop unseen: one bug ends the row."""

    def __init__(self, ended: asyncio.Future[None]) -> None:
        super().__init__()
        self._ended = ended

    def bug(self, unit: Unit, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


async def run_fleet(url: str, count: int, store: str | None) -> None:
    """Keep `count` stations going, in memory or with their records in the SQLite file `store`.

    Each has two slots, one of which charges; eight sampled values every `load.SAMPLE_INTERVAL_S`, ticks of
    `load.TICK_MS`, connections spread over `load.ramp_s(count)`; facts go to a sink that counts them. Raises what
    stopped a station, should one stop.
    """
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    settings = Settings(
        cards_decided_by="nobody",
        sample_interval_s=load.SAMPLE_INTERVAL_S,
        sampled=EIGHT_VALUES,
        aligned_interval_s=0,
        ping_interval_s=0,
    )
    ramp_per_s = max(20, int(count / load.ramp_s(count)))
    fleet = Fleet(
        url,
        load.station_ids(count),
        settings=settings,
        store=store,
        tick_ms=load.TICK_MS,
        ramp_per_s=ramp_per_s,
        sinks=Watched(ended),
        plugged=True,
    )
    async with fleet:
        await ended
