"""The cut of transactions out of visits and sessions, for other start and stop points than those of 1.6 (station.md §1; 2.0.1 E01, E06).

No version is spoken: what would be told is looked up in the outbox, as facts.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import msgspec
import pytest

from hal.signals import BoardReady
from hal.units import Pilot
from sim.rng import Stream
from station.core.effects import Publish
from station.words.common import Point, StopReason, Why
from station.words.facts import TransactionTold
from station.words.settings import Settings
from tests.builders import CARD, CoreBench

C, A, P, E = Point.CONNECTED, Point.AUTHORIZED, Point.POWER_PATH, Point.ENERGY
MINUTE = 60
OTHER = "04FFEE11"


def bench_with(start: set[Point], stop: set[Point], image: dict[str, Any] | None = None, **settings: Any) -> CoreBench:
    """A station that tells every change and has nobody to tell it to."""
    defaults = {"allow_offline_unknown": True, "sample_interval_s": MINUTE, "aligned_interval_s": 0, "ev_ready_s": 5}
    bench = CoreBench(settings=Settings(**{**defaults, **settings}), ready=False, image=image)
    bench.core.policies = msgspec.structs.replace(
        bench.core.policies,
        tx_start=frozenset(start),
        tx_stop=frozenset(stop),
        tells_updates=True,
        unplug_by_setting=False,
    )
    bench.give(BoardReady())
    return bench


def told(bench: CoreBench) -> list[TransactionTold]:
    return [queued.told for queued in bench.core.connection.outbox.records if isinstance(queued.told, TransactionTold)]


def boundaries(bench: CoreBench) -> list[tuple[str, Why, StopReason | None]]:
    return [(fact.kind, fact.why, fact.stop) for fact in told(bench) if fact.kind != "updated"]


def tap(bench: CoreBench, card: str = CARD) -> None:
    bench.wait(3)
    bench.tap(card)


def charge(bench: CoreBench, card: str = CARD) -> None:
    tap(bench, card)
    bench.pilot(Pilot.C)
    bench.wait(10 * MINUTE)


def end(bench: CoreBench, card: str = CARD) -> None:
    tap(bench, card)
    bench.pilot(Pilot.B)


def energies(bench: CoreBench) -> dict[str, int]:
    """mWh of each transaction that ended."""
    first = {fact.session: fact.register_mwh for fact in told(bench) if fact.kind == "started"}
    return {
        fact.session: (fact.register_mwh or 0) - (first[fact.session] or 0)
        for fact in told(bench)
        if fact.kind == "ended"
    }


def session_energy_wh(bench: CoreBench) -> list[int]:
    ended = [e for e in bench.effects if isinstance(e, Publish) and e.kind == "session-ended.v1"]
    return [msgspec.json.decode(e.data)["energyWh"] for e in ended]


# --- the sets that matter ---


def test_the_set_of_1_6() -> None:
    bench = bench_with({P}, {C, A})
    bench.plug()
    assert told(bench) == []
    charge(bench)
    end(bench)
    assert boundaries(bench) == [
        ("started", Why.AUTHORIZED, None),
        ("ended", Why.STOP_AUTHORIZED, StopReason.LOCAL),
    ]
    bench.unplug()
    assert len(boundaries(bench)) == 2


def test_from_plug_to_plug_the_transaction_outlives_its_session() -> None:
    bench = bench_with({C}, {C})
    bench.plug()
    [started] = told(bench)
    assert (started.kind, started.token, started.why) == ("started", None, Why.CABLE_PLUGGED_IN)
    charge(bench)
    end(bench)
    register = bench.register_mwh[1]
    assert bench.core.slots[0].session is None and [b[0] for b in boundaries(bench)] == ["started"]
    bench.wait(10 * MINUTE)
    bench.unplug()
    last = told(bench)[-1]
    assert (last.kind, last.why, last.stop) == ("ended", Why.EV_COMMUNICATION_LOST, StopReason.LOCAL)
    assert last.register_mwh == register > 1_000_000
    tokens = [fact.token.uid for fact in told(bench) if fact.token is not None]
    assert tokens == [CARD]
    assert session_energy_wh(bench) == [register // 1000]


def test_two_sessions_in_one_transaction() -> None:
    bench = bench_with({C}, {C})
    bench.plug()
    charge(bench)
    end(bench)
    first = bench.core.slots[0].tx.id
    bench.wait(MINUTE)
    charge(bench, CARD)
    second = bench.core.slots[0].session
    assert bench.core.slots[0].tx.id == first != second.id
    bench.call("Reset", {"type": "Soft"})
    bench.pilot(Pilot.B)
    bench.wait(5)
    bench.unplug()
    assert boundaries(bench)[-1] == ("ended", Why.EV_COMMUNICATION_LOST, bench_reason(bench))
    assert sum(session_energy_wh(bench)) == bench.register_mwh[1] // 1000
    assert energies(bench) == {first: bench.register_mwh[1]}


def bench_reason(bench: CoreBench) -> StopReason:
    """Of the last session that ended."""
    ended = [e for e in bench.effects if isinstance(e, Publish) and e.kind == "session-ended.v1"]
    return StopReason(msgspec.json.decode(ended[-1].data)["reason"])


def test_a_visit_without_a_session() -> None:
    bench = bench_with({C}, {C})
    bench.plug()
    bench.wait(10 * MINUTE)
    bench.unplug()
    assert boundaries(bench) == [
        ("started", Why.CABLE_PLUGGED_IN, None),
        ("ended", Why.EV_COMMUNICATION_LOST, StopReason.EV_DISCONNECTED),
    ]
    bench.plug()
    assert len({fact.session for fact in told(bench)}) == 2


def test_authorised_or_plugged_it_starts_with_the_first_that_has_a_slot() -> None:
    bench = bench_with({A, C}, {C})
    bench.tap()
    assert told(bench) == []  # an authorisation that is no slot's yet
    bench.plug()
    kinds = [(fact.kind, fact.token.uid if fact.token else None) for fact in told(bench)]
    assert kinds[0] == ("started", None) and (("updated", CARD) in kinds)
    assert len([k for k, _ in kinds if k == "started"]) == 1
    bench.pilot(Pilot.C)
    bench.wait(MINUTE)
    bench.pilot(Pilot.A)
    bench.wait(5)
    assert boundaries(bench)[-1] == ("ended", Why.EV_COMMUNICATION_LOST, StopReason.EV_DISCONNECTED)
    assert told(bench)[-1].register_mwh == bench.register_mwh[1]


def test_a_session_that_outlives_its_transaction_begins_another() -> None:
    bench = bench_with({P}, {C}, stop_on_ev_disconnect=False)
    bench.plug()
    charge(bench)
    bench.pilot(Pilot.A)
    first_mwh = bench.register_mwh[1]
    ended = told(bench)[-1]
    assert (ended.kind, ended.stop, ended.register_mwh) == ("ended", StopReason.EV_DISCONNECTED, first_mwh)
    session = bench.core.slots[0].session
    assert session is not None and session.ending is None and bench.core.slots[0].tx is None
    bench.wait(MINUTE)
    bench.pilot(Pilot.B)
    bench.pilot(Pilot.C)
    bench.wait(5 * MINUTE)
    again = next(fact for fact in reversed(told(bench)) if fact.kind == "started")
    assert again.session != ended.session and again.register_mwh == first_mwh
    assert again.token is not None and again.token.uid == CARD
    end(bench)
    bench.unplug()
    assert boundaries(bench)[-1][2] is StopReason.LOCAL and bench_reason(bench) is StopReason.LOCAL
    assert sum(energies(bench).values()) == bench.register_mwh[1]
    assert session_energy_wh(bench) == [bench.register_mwh[1] // 1000]


def test_a_transaction_for_each_time_that_energy_flows() -> None:
    bench = bench_with({E}, {E})
    bench.plug()
    charge(bench)
    bench.pilot(Pilot.B)
    bench.wait(MINUTE)
    assert boundaries(bench)[-1][2] is StopReason.STOPPED_BY_EV
    paused = told(bench)[-1]
    bench.pilot(Pilot.C)
    bench.wait(10 * MINUTE)
    end(bench)
    assert [kind for kind, _, _ in boundaries(bench)] == ["started", "ended"] * 2
    assert boundaries(bench)[-1][2] is StopReason.LOCAL
    starts = [fact.register_mwh for fact in told(bench) if fact.kind == "started"]
    assert starts == [0, paused.register_mwh]
    assert sum(energies(bench).values()) == bench.register_mwh[1]


def test_the_meter_that_does_not_answer_does_not_keep_a_transaction_open() -> None:
    bench = bench_with({E}, {E})
    bench.plug()
    charge(bench)
    good = told(bench)[-1].samples[0].reading.energy_mwh
    bench.meter = lambda slot, ticket: None
    bench.pilot(Pilot.B)
    assert told(bench)[-1].kind == "updated"
    bench.wait(2)
    assert told(bench)[-1].kind == "ended" and told(bench)[-1].register_mwh == good


# --- every set ---


def subsets() -> list[set[Point]]:
    points = (C, A, P, E)
    return [set(chosen) for chosen in chain.from_iterable(combinations(points, n) for n in range(1, 5))]


def name(points: set[Point]) -> str:
    return "+".join(sorted(point.name for point in points))


@pytest.mark.parametrize("stop", subsets(), ids=name)
@pytest.mark.parametrize("start", subsets(), ids=name)
def test_whatever_the_points_are_the_books_balance(start: set[Point], stop: set[Point]) -> None:
    """Plug, tap, charge, pause, go on, unplug and plug again at the vehicle, tap; another card in the same visit; leave."""
    bench = bench_with(start, stop, stop_on_ev_disconnect=False)
    bench.plug()
    charge(bench)
    bench.pilot(Pilot.B)
    bench.wait(MINUTE)
    bench.pilot(Pilot.C)
    bench.wait(5 * MINUTE)
    bench.pilot(Pilot.A)
    bench.wait(MINUTE)
    bench.pilot(Pilot.B)
    bench.pilot(Pilot.C)
    bench.wait(5 * MINUTE)
    end(bench)
    bench.wait(MINUTE)
    charge(bench)
    end(bench)
    bench.wait(MINUTE)
    bench.unplug()
    facts = told(bench)
    by_id: dict[str, list[TransactionTold]] = {}
    for fact in facts:
        by_id.setdefault(fact.session, []).append(fact)
    for mine in by_id.values():
        assert [fact.kind == "started" for fact in mine] == [True] + [False] * (len(mine) - 1)
        assert [fact.kind == "ended" for fact in mine] == [False] * (len(mine) - 1) + [True]
        assert [fact.seq for fact in mine] == list(range(len(mine)))
        assert [fact.at.utc_ms for fact in mine] == sorted(fact.at.utc_ms for fact in mine)
        assert mine[-1].stop is not None
    kinds = [fact.kind for fact in facts if fact.kind != "updated"]
    assert kinds == ["started", "ended"] * len(by_id)  # one at a time on a slot
    assert sum(energies(bench).values()) == bench.register_mwh[1]  # no energy outside of one
    assert sum(session_energy_wh(bench)) == bench.register_mwh[1] // 1000
    assert bench.core.slots[0].tx is None and not bench.disk.get("session")
    assert bench.core.image() == {kind: rows for kind, rows in bench.disk.items() if rows}


# --- over a power cut ---


def cut(bench: CoreBench, start: set[Point], stop: set[Point], **settings: Any) -> CoreBench:
    later = bench_with(start, stop, image=bench.disk, **settings)
    later.register_mwh = dict(bench.register_mwh)
    return later


def test_a_transaction_that_outlived_its_session_is_ended_after_a_cut() -> None:
    bench = bench_with({C}, {C})
    bench.plug()
    charge(bench)
    end(bench)
    bench.wait(MINUTE)
    assert len(bench.disk["session"]) == 1
    later = cut(bench, {C}, {C})
    last = told(later)[-1]
    assert (last.kind, last.stop, last.register_mwh) == ("ended", StopReason.LOCAL, bench.register_mwh[1])
    assert last.session == told(bench)[0].session and [f.seq for f in told(later)] == list(range(len(told(later))))
    assert not later.disk["session"]


def test_and_one_that_never_had_a_session() -> None:
    bench = bench_with({C}, {C})
    bench.plug()
    later = cut(bench, {C}, {C})
    assert [kind for kind, _, _ in boundaries(later)] == ["started", "ended"]
    assert boundaries(later)[-1][2] is not None and not later.disk["session"]
    later.plug()
    assert boundaries(later)[-1][0] == "started"  # it is still plugged: another one


def test_a_session_between_two_transactions_is_ended_without_one() -> None:
    bench = bench_with({E}, {E})
    bench.plug()
    charge(bench)
    bench.pilot(Pilot.B)
    bench.wait(MINUTE)
    assert bench.core.slots[0].tx is None and bench.core.slots[0].session is not None
    later = cut(bench, {E}, {E})
    assert [kind for kind, _, _ in boundaries(later)] == ["started", "ended"]
    assert session_energy_wh(later) == [bench.register_mwh[1] // 1000] and not later.disk["session"]


def test_its_next_transaction_has_an_id_of_its_own_over_a_cut_too() -> None:
    bench = bench_with({E}, {E})
    bench.plug()
    charge(bench)
    bench.pilot(Pilot.B)
    bench.wait(MINUTE)
    resumed = CoreBench(
        settings=Settings(after_restart="resume", allow_offline_unknown=True, aligned_interval_s=0),
        ready=False,
        image=bench.disk,
    )
    resumed.core.policies, resumed.core.rng = bench.core.policies, Stream(2, "core")
    resumed.register_mwh = dict(bench.register_mwh)
    resumed.plug()
    resumed.give(BoardReady())
    resumed.pilot(Pilot.C)
    resumed.wait(MINUTE)
    ids = [fact.session for fact in told(resumed) if fact.kind == "started"]
    assert len(ids) == len(set(ids)) == 2
    assert [fact.token.uid for fact in told(resumed) if fact.kind == "started" and fact.token] == [CARD, CARD]
