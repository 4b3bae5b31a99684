"""Hypothesis's plans: the whole vocabulary of `sim/plan.py`, drawn so that they shrink to few, early, round and short.

The swarm (`sim/swarm.py`) draws from a seed and covers more in an hour; these shrink by themselves and take part in any `@given`.
Not here: running them (`sim/runs.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sim import plan
from sim.misfortunes import CARDS, CARS
from sim.swarm import COMMANDS

T = TypeVar("T")
TEMPLATES: Final = ("two-sockets-22kw", "tethered-11kw")
OVERS: Final = (30, 120, 600, 1800)  # seconds over which a plan is spread
CAUSES: Final = ("ground_fault", "temperature", "under_voltage", "over_voltage", "over_current", "reader")
SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "sample_interval_s": ("60", "10"),
    "aligned_interval_s": ("0", "300"),
    "local_pre_authorize": ("false", "true"),
    "allow_offline_unknown": ("false", "true"),
    "stop_on_invalid": ("true", "false"),
    "stop_on_ev_disconnect": ("true", "false"),
    "unlock_on_ev_disconnect": ("true", "false"),
    "connection_timeout_s": ("60", "20"),
}


def seconds(most: float) -> SearchStrategy[float]:
    """Whole seconds first; now and then a tenth, so that two things may be close to each other and not together."""
    whole = st.integers(0, int(most)).map(float)
    return whole | st.integers(0, int(most * 10)).map(lambda n: n / 10)


def actions(most_s: float) -> SearchStrategy[plan.AnyAction]:
    at, slot, card = seconds(most_s), st.sampled_from((1, 2)), st.sampled_from(CARDS)
    return st.one_of(
        st.builds(plan.Tap, at_s=at, card=card),
        st.builds(
            plan.Plug, at_s=at, slot=slot, car=st.sampled_from(CARS), soc_percent=st.sampled_from((40, 20, 80, 98))
        ),
        st.builds(plan.Unplug, at_s=at, slot=slot),
        st.builds(plan.DriveOff, at_s=at, slot=slot),
        st.builds(plan.PressStop, at_s=at),
        st.builds(plan.ReleaseStop, at_s=at),
        st.builds(plan.Acknowledge, at_s=at, slot=st.sampled_from((0, 1, 2))),
        st.builds(plan.Operate, at_s=at, slot=slot, what=st.sampled_from(("start", "stop", "unlock", "reset"))),
        st.builds(_command, at, st.sampled_from(COMMANDS)),
        st.builds(
            plan.Cards,
            at_s=at,
            card=card,
            status=st.sampled_from(("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")),
            group=st.sampled_from((None, "FLEET")),
        ),
    )


def _command(at_s: float, command: tuple[str, dict[str, object]]) -> plan.Command:
    return plan.Command(at_s=at_s, action=command[0], payload=dict(command[1]))


def faults(most_s: float) -> SearchStrategy[plan.AnyFault]:
    at, slot = seconds(most_s), st.sampled_from((1, 2))
    span = st.sampled_from((1.0, 10.0, 60.0, 300.0)) | seconds(most_s)

    def fault(kind: Callable[..., T], **fields: SearchStrategy[object]) -> SearchStrategy[T]:
        return st.builds(kind, at_s=at, for_s=span, **fields)

    how = st.sampled_from
    return st.one_of(
        fault(plan.PowerCut, effect=st.integers(0, 60), again=how((0, 0, 1, 3))),
        fault(
            plan.NetworkFault,
            how=how(
                (
                    "refuse",
                    "stall",
                    "half_open",
                    "reset",
                    "subprotocol",
                    "401",
                    "tls",
                    "latency",
                    "truncate",
                    "fragments",
                )
            ),
            latency_ms=how((2000, 200, 15_000)),
        ),
        fault(
            plan.CsmsFault,
            how=how(
                (
                    *("silent", "late", "error", "malformed", "unknown_id", "pending", "rejected"),
                    *("transaction_zero", "flood", "duplicate", "wrong_time"),
                )
            ),
            action=how(("", "Authorize", "StartTransaction", "StopTransaction", "MeterValues", "Heartbeat")),
            late_s=how((10.0, 1.0, 40.0)),
        ),
        fault(plan.DiskFault, how=how(("failing", "full", "slow")), latency_ms=how((2500, 300, 8000))),
        fault(plan.ProgramFault, times=st.integers(1, 4)),
        fault(plan.ClockFault, how=how(("step", "1970", "drift")), by_s=how((-3600.0, -60.0, 5.0, 3600.0))),
        fault(
            plan.MeterFault,
            slot=slot,
            how=how(("silent", "freeze", "spike", "backwards", "rollover", "nan", "swapped")),
        ),
        fault(plan.ContactorFault, slot=slot, how=how(("welded", "stuck_open", "bounces"))),
        fault(plan.LockFault, slot=slot, how=how(("jam", "half", "lies", "slow"))),
        fault(plan.PilotFault, slot=slot, how=how(("E", "F", "diode"))),
        fault(plan.BoardFault, slot=slot, cause=how(CAUSES)),
        fault(plan.VehicleFault, slot=slot, how=how(("stalls", "overdraws")), over_a=st.integers(4, 16)),
        fault(plan.ReaderFault, how=how(("silent", "double", "garbled", "slow", "stuck"))),
        fault(plan.LightsFault),
    )


def visits(most_s: float) -> SearchStrategy[tuple[plan.AnyAction, ...]]:
    """Somebody who charges: without them a plan of single actions seldom sees a session."""

    def visit(at_s: float, stay_s: float, slot: int, card: str, car: str) -> tuple[plan.AnyAction, ...]:
        return (
            plan.Plug(at_s=at_s, slot=slot, car=car),
            plan.Tap(at_s=at_s + 3, card=card),
            plan.Tap(at_s=at_s + stay_s, card=card),
            plan.Unplug(at_s=at_s + stay_s + 10, slot=slot),
        )

    slot, card, car = st.sampled_from((1, 2)), st.sampled_from(CARDS), st.sampled_from(CARS)
    return st.builds(visit, seconds(most_s), st.integers(20, 900).map(float), slot, card, car)


def shapes() -> SearchStrategy[plan.Shape]:
    chosen = st.dictionaries(st.sampled_from(sorted(SETTINGS)), st.booleans(), max_size=3)
    settings = chosen.map(lambda picked: {name: SETTINGS[name][other] for name, other in picked.items()})
    stations = st.sampled_from(TEMPLATES).map(lambda template: (template,))
    return st.builds(plan.Shape, stations=stations, settings=settings)


@st.composite
def plans(draw: st.DrawFn) -> plan.Plan:
    """A plan for one station: visits, things that people and operators do besides, and faults of every layer."""
    over = draw(st.sampled_from(OVERS))
    people = draw(st.lists(visits(over), max_size=3))
    besides = draw(st.lists(actions(over), max_size=5))
    wrong = draw(st.lists(faults(over), max_size=4))
    done = tuple(action for visit in people for action in visit) + tuple(besides)
    last = max((item.at_s for item in (*done, *wrong)), default=0.0)
    return plan.Plan(for_s=last + 60.0, shape=draw(shapes()), actions=done, faults=tuple(wrong))
