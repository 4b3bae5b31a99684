"""What reported powers come to: exact where the draw is what lines between the values say, and how wrong the two ends can be."""

from __future__ import annotations

import random

import pytest

from sim.csms.books import Books, Meter, Reading, Start, Status, Stop, read_values, utc_text
from sim.csms.reported import reported_wh

MINUTE_MS = 60_000
BEGIN_MS = 1_780_000_000_000


def every_minute(*powers_w: float) -> dict[int, float]:
    return {BEGIN_MS + minute * MINUTE_MS: power for minute, power in enumerate(powers_w, 1)}


@pytest.mark.parametrize(
    ("powers", "minutes", "wh"),
    [
        ({}, 10, None),
        (every_minute(6000), 1, 100),
        (every_minute(*[6000] * 9), 10, 1000),  # the first minute and the last are held
        (every_minute(0, 6000, 0), 3, 100),  # straight lines up and down
        (every_minute(6000, 3000, 0, 0), 60, 200),  # a car that is full: the hour after it counts nothing
        # values are missing in a constant draw
        ({BEGIN_MS + MINUTE_MS: 6000, BEGIN_MS + 9 * MINUTE_MS: 6000}, 10, 1000),
        # told later than the end, which came from an old mark
        ({BEGIN_MS - MINUTE_MS: 6000, BEGIN_MS + 2 * MINUTE_MS: 6000}, 1, 300),
    ],
)
def test_lines_between_the_values(powers: dict[int, float], minutes: int, wh: float | None) -> None:
    assert reported_wh(powers, BEGIN_MS, BEGIN_MS + minutes * MINUTE_MS) == wh


def test_the_order_of_arrival_makes_no_difference() -> None:
    powers = list(every_minute(1000, 5000, 3000, 7000).items())
    random.Random(1).shuffle(powers)
    assert reported_wh(dict(powers), BEGIN_MS, BEGIN_MS + 5 * MINUTE_MS) == pytest.approx(
        1000 / 60 * (1 + 3 + 4 + 5 + 7)
    )


def told(minute: float, power: str, **more: str) -> Reading:
    value = {"value": power, "measurand": "Power.Active.Import", **more}
    return read_values(
        {"timestamp": utc_text(round(BEGIN_MS + minute * MINUTE_MS)), "sampled_value": [{"value": "0"}, value]}
    )


def test_a_power_in_a_meter_value() -> None:
    assert told(1, "11.5", unit="kW").power_w == 11_500
    assert told(1, "11500", unit="W").power_w == told(1, "11500").power_w == 11_500
    assert told(1, "11500", phase="L1").power_w is None
    assert told(1, "11500", location="Inlet").power_w is None
    assert told(1, "many").power_w is None


def test_a_transaction_in_the_books_comes_to_what_was_told_of_it_once() -> None:
    """Values that MeterValues told and transactionData tells again count once; nothing is known before the end."""
    books, at = Books(), utc_text(BEGIN_MS)
    books.apply(Start(at=at, transaction=1, connector=1, id_tag="A", meter_start_wh=0, time=at, answer="Accepted"))
    for minute in range(1, 10):
        books.apply(Meter(at=at, connector=1, transaction=1, readings=(told(minute, "6000"),)))
    assert books.transactions[0].reported_wh is None
    end = utc_text(BEGIN_MS + 10 * MINUTE_MS)
    books.apply(Stop(at=at, transaction=1, meter_stop_wh=1000, time=end, readings=(told(3, "6000"), told(9.5, "6000"))))
    assert books.transactions[0].reported_wh == pytest.approx(1000)
    assert books.transactions[0].powers == {}


def test_before_the_first_value_power_is_taken_to_flow_since_the_connector_was_told_as_charging() -> None:
    """A car may wait, and a contactor takes its time."""
    books, at = Books(), utc_text(BEGIN_MS)
    books.apply(Start(at=at, transaction=1, connector=1, id_tag="A", meter_start_wh=0, time=at, answer="Accepted"))
    for connector, minute in ((2, 1), (1, 3), (1, 4)):
        charging = utc_text(BEGIN_MS + minute * MINUTE_MS)
        books.apply(Status(at=at, connector=connector, status="Charging", error="NoError", time=charging))
    books.apply(Meter(at=at, connector=1, transaction=1, readings=(told(5, "6000"),)))
    end = utc_text(BEGIN_MS + 6 * MINUTE_MS)
    books.apply(Stop(at=at, transaction=1, meter_stop_wh=300, time=end))
    assert books.transactions[0].reported_wh == pytest.approx(300)
