"""Our station in the bench: a fleet of the whole thing, simulated board and vehicle included."""

from __future__ import annotations

import importlib.util


class NotBuilt(Exception):
    """The part of the project that this row measures does not exist yet."""


async def run_fleet(url: str, count: int, store: str | None) -> None:
    """Keep `count` stations going, in memory or with their records in the SQLite file `store`.

    Each has two slots, one of which charges; eight sampled values every `load.SAMPLE_INTERVAL_S`, ticks of
    `load.TICK_MS`, connections spread over `load.ramp_s(count)`; facts go to a sink that counts them. Raises NotBuilt
    until there is a fleet.
    """
    if importlib.util.find_spec("sim.fleet") is None:
        raise NotBuilt("sim/fleet.py does not exist yet")
    raise NotBuilt("sim/fleet.py exists, but bench/ours.py does not use it yet")
