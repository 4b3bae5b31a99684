"""The load, one definition for every row and every run: how many stations send what, how often, and how they arrive.

A station has two slots and one of them charges. It sends MeterValues with eight sampled values every 10 s and a
Heartbeat every 300 s.

The heartbeats of real stations lie anywhere within their 300 s; those of stations that all booted within the last
minute lie outside any window that one cares to wait for. So the CSMS, which is who decides, asks every thirtieth
station for one every 10 s and the others for one a day: the same number in the same time, and in every window.
"""

from __future__ import annotations

import math
from typing import Final

STATIONS: Final = 2_000
MANY_STATIONS: Final = 10_000

SAMPLE_INTERVAL_S: Final = 10
SAMPLED_VALUES: Final = 8
HEARTBEAT_INTERVAL_S: Final = 300
TICK_MS: Final = 50
TICK_S: Final = TICK_MS / 1000

OFTEN_S: Final = SAMPLE_INTERVAL_S
SELDOM_S: Final = 86_400
EVERY_NTH: Final = HEARTBEAT_INTERVAL_S // OFTEN_S

CONNECTIONS_PER_S: Final = 250

SUBPROTOCOL: Final = "ocpp1.6"


def heartbeat_interval_s(order: int) -> int:
    """What the CSMS asks of the station that booted as number `order`."""
    return OFTEN_S if order % EVERY_NTH == 0 else SELDOM_S


def ramp_s(count: int) -> int:
    """How long so many stations take to connect: whole sample intervals, so that samples are spread evenly too."""
    return SAMPLE_INTERVAL_S * max(1, math.ceil(count / (CONNECTIONS_PER_S * SAMPLE_INTERVAL_S)))


def connect_after_s(number: int, count: int) -> float:
    """When station `number` of `count` opens its connection, from the start of the row."""
    return ramp_s(count) * number / count


def meter_values_due(count: int, window_s: float) -> float:
    """How many MeterValues so many stations send in a window."""
    return count * window_s / SAMPLE_INTERVAL_S


def station_ids(count: int) -> list[str]:
    return [f"BENCH-{number:05d}" for number in range(count)]
