"""All promises, fresh: what a run of the world is judged by."""

from __future__ import annotations

from typing import Any, Final

from sim.checkers import Checker
from sim.checkers.authority import authority
from sim.checkers.boots import BOOTS
from sim.checkers.clock import TIME
from sim.checkers.energy import ENERGY
from sim.checkers.events import EVENTS
from sim.checkers.eyes import watch
from sim.checkers.frames import specification
from sim.checkers.lamps import LAMPS
from sim.checkers.liveness import LIVENESS
from sim.checkers.locks import LOCKS
from sim.checkers.orderly import ORDERLY_STOPS
from sim.checkers.power import POWER
from sim.checkers.records import RECORDS
from sim.checkers.rpc import RPC
from sim.checkers.strangers import STRANGERS
from sim.checkers.supply import SUPPLY
from sim.checkers.truth import TRUTH

PROMISES: Final[tuple[Any, ...]] = (
    *POWER,
    *ORDERLY_STOPS,
    *LOCKS,
    *SUPPLY,
    *TRUTH,
    *STRANGERS,
    *BOOTS,
    *EVENTS,
    *RECORDS,
    *ENERGY,
    *TIME,
    *RPC,
    *LAMPS,
    *LIVENESS,
)


def every() -> list[Checker]:
    """New checkers, for one run."""
    return watch(*authority(), *specification(), *(promise() for promise in PROMISES))
