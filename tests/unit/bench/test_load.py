"""The definition of the load does what it says."""

from __future__ import annotations

import pytest

from bench import load


def test_heartbeats_are_as_many_as_one_every_300_s_from_everybody() -> None:
    count = 3_000
    a_second = sum(1 / load.heartbeat_interval_s(order) for order in range(count))
    assert a_second == pytest.approx(count / load.HEARTBEAT_INTERVAL_S, rel=0.01)


@pytest.mark.parametrize("count", [1, 20, 2_000, 2_501, 10_000])
def test_connections_come_gently_and_spread_over_whole_sample_intervals(count: int) -> None:
    ramp_s = load.ramp_s(count)
    assert ramp_s % load.SAMPLE_INTERVAL_S == 0
    assert count / ramp_s <= load.CONNECTIONS_PER_S
    assert load.connect_after_s(0, count) == 0
    assert load.connect_after_s(count - 1, count) < ramp_s


def test_every_station_has_an_id_of_its_own() -> None:
    assert len(set(load.station_ids(10_000))) == 10_000
