"""Our station in the bench: a fleet of the whole thing, simulated board and vehicle included."""

from __future__ import annotations

import asyncio

from bench import load
from sim.fleet import EIGHT_VALUES, Counting, Fleet
from station.words.settings import Settings


async def run_fleet(url: str, count: int, store: str | None) -> None:
    """Keep `count` stations going, in memory or with their records in the SQLite file `store`.

    Each has two slots, one of which charges; eight sampled values every `load.SAMPLE_INTERVAL_S`, ticks of
    `load.TICK_MS`, connections spread over `load.ramp_s(count)`; facts go to a sink that counts them.
    """
    settings = Settings(
        cards_decided_by="nobody",
        sample_interval_s=load.SAMPLE_INTERVAL_S,
        sampled=EIGHT_VALUES,
        aligned_interval_s=0,
        ping_interval_s=0,
    )
    ids = [f"B{number:05}" for number in range(count)]
    ramp_per_s = max(20, int(count / load.ramp_s(count)))
    fleet = Fleet(
        url,
        ids,
        settings=settings,
        store=store,
        tick_ms=load.TICK_MS,
        ramp_per_s=ramp_per_s,
        sinks=Counting(),
        plugged=True,
    )
    async with fleet:
        await asyncio.Event().wait()
