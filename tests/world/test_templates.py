"""Every template charges a car under all promises; the direct-current one tells the state of charge."""

from __future__ import annotations

import json

import pytest

from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.plan import Plan, Shape
from sim.profiles import PROFILES
from sim.vehicle import Vehicle
from sim.world import World
from station.words.common import Measurand
from station.words.settings import TEMPLATES, Settings


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_session_on_every_template(template: str) -> None:
    soc = Measurand.SOC in TEMPLATES[template].measurands
    settings = Settings(sampled=(Measurand.ENERGY_IMPORT, *([Measurand.SOC] if soc else [])))
    world = World(1, Plan(shape=Shape(stations=(template,))), settings=settings, csms=Oracle(1), checkers=every())
    board = world.boards["CP1"]
    world.run(5)
    assert board.plug(1, Vehicle(PROFILES["zoe-r110"], 200))
    world.run(5)
    board.present("04A1B2C3")
    world.run(1200)
    board.present("04A1B2C3")
    world.run(20)
    assert board.unplug(1)
    world.run(20)
    [transaction] = world.csms.transactions.values()
    assert transaction.meter_stop is not None and transaction.meter_stop > 2000
    assert world.csms.violations == []
    values = [
        json.loads(line.what[2:])[3]
        for line in world.trace.lines
        if line.what.startswith("> ") and "MeterValues" in line.what
    ]
    told = {value["measurand"] for value in values[-1]["meterValue"][0]["sampledValue"]}
    assert ("SoC" in told) is soc


def test_the_fast_charger_is_one() -> None:
    assert TEMPLATES["dc-150kw"].slots[0].kind == "dc"
    assert not TEMPLATES["dc-150kw"].slots[0].has_lock
