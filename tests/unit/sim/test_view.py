"""How a station stands, as data: what keeps the offer from being more. Not here: how it is drawn (`test_panel.py`)."""

from __future__ import annotations

import pytest

from sim.plan import AnyAction, Plug, Tap
from sim.view import StationView, look
from sim.world import World
from tools.make_picture import seen


def after(*actions: AnyAction, seconds: float = 60) -> StationView:
    world = World(seed=1)
    world.run(30)
    for action in actions:
        world.act(action)
        world.run(5)
    world.run(seconds)
    return look(seen(world), "CP1")


@pytest.mark.parametrize(
    ("actions", "offered_a", "limited_by"),
    [
        ((Plug(at_s=0), Tap(at_s=0, card="04A1B2C3")), 32.0, "slot"),
        ((Plug(at_s=0, rating_a=20), Tap(at_s=0, card="04A1B2C3")), 20.0, "cable"),
        ((Plug(at_s=0),), None, ""),
        (
            (
                *(Plug(at_s=0), Tap(at_s=0, card="04A1B2C3")),
                *(Plug(at_s=0, slot=2), Tap(at_s=0, card="04D4E5F6")),
            ),
            31.0,
            "supply",
        ),
    ],
)
def test_why_no_more_is_offered(actions: tuple[AnyAction, ...], offered_a: float | None, limited_by: str) -> None:
    slot = after(*actions).slots[0]
    assert (slot.offered_a, slot.limited_by) == (offered_a, limited_by)


def test_who_draws_less_than_there_is_gives_the_rest_away() -> None:
    taps = (Tap(at_s=0, card="04A1B2C3"), Tap(at_s=0, card="04D4E5F6"))
    view = after(Plug(at_s=0, car="model-3-lr"), taps[0], Plug(at_s=0, slot=2), taps[1], seconds=300)
    assert [slot.limited_by for slot in view.slots] == ["car", "slot"]


def test_what_has_flowed_is_told_between_readings_too() -> None:
    session = after(Plug(at_s=0), Tap(at_s=0, card="04A1B2C3"), seconds=50).slots[0].session
    assert session is not None and session.energy_wh < session.drawn_wh == pytest.approx(300, abs=60)
