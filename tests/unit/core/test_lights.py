"""Lamps (station.md §10): who overrules whom, what each state looks like, and that all of it can be configured."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hal.actions import ShowLight
from hal.registry import ConfigError
from hal.signals import BoardFault
from hal.units import Cause, Colour, Light, Pattern, Pilot
from leds.patterns import BY_STATUS, highest, main_light, slot_light
from station.config import load
from station.words.common import SlotStatus
from station.words.lamps import Lamps, light
from station.words.settings import TEMPLATES, Settings, StationShape
from tests.builders import CARD, CoreBench

LAMPS = Lamps()
PURPLE = Light(Colour.YELLOW, Pattern.FLICKER)  # what a workflow wants


def lamp(bench: CoreBench, slot: int = 1) -> Light:
    """As the last action left it."""
    return [e.light for e in bench.effects if isinstance(e, ShowLight) and e.slot == slot][-1]


def online(settings: Settings | None = None, shape: StationShape | None = None) -> CoreBench:
    bench = CoreBench(settings=settings, shape=shape, answering=True)
    bench.connect()
    return bench


# --- the data ---


def test_every_status_has_a_light() -> None:
    assert BY_STATUS.keys() == set(SlotStatus)
    assert set(BY_STATUS.values()) <= set(Lamps.__struct_fields__)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("available", "green"),
        ("asking", "white breathe"),
        ("authorized", "blue"),
        ("charging", "blue"),
        ("full", "cyan"),
        ("finishing", "white"),
        ("reserved", "yellow"),
        ("unavailable", "orange"),
        ("fault", "red"),
        ("refused", "red flicker"),
    ],
)
def test_the_defaults_of_the_design(name: str, expected: str) -> None:
    assert getattr(LAMPS, name) == light(expected)


@pytest.mark.parametrize("layers", range(16))
def test_the_highest_wins(layers: int) -> None:
    """Fault, signal, command, state: 16 ways in which they may lie over each other."""
    fault, signal, command = Light(Colour.RED), Light(Colour.WHITE), Light(Colour.YELLOW)
    top, middle, low = fault if layers & 1 else None, signal if layers & 2 else None, command if layers & 4 else None
    state = Light(Colour.GREEN) if layers & 8 else Light(Colour.BLUE)
    assert highest(top, middle, low, state) == next(each for each in (top, middle, low, state) if each is not None)
    if top is not None:
        assert slot_light(LAMPS, SlotStatus.FAULTED, False, False, middle, low) == LAMPS.fault
        assert main_light(LAMPS, False, False, False, middle, low) == LAMPS.fault


# --- on a station ---


def test_a_visit_in_lights() -> None:
    bench = online()
    seen = [lamp(bench)]
    for change in ("plug", "tap", "C", "B", "full", "tap", "unplug"):
        bench.wait(3)
        match change:
            case "plug":
                bench.plug()
            case "tap":
                bench.tap()
            case "full":
                bench.core.slots[0].full_since = 1
                bench.core.touch(bench.core.slots[0])
                bench.give(BoardFault(0, Cause.READER, True))
            case "unplug":
                bench.unplug()
            case _:
                bench.pilot(Pilot(change))
                bench.wait(12)
        bench.answer_all()
        seen.append(lamp(bench))
    names = ["available", "asking", "authorized", "charging", "suspended", "full", "finishing", "available"]
    assert seen == [getattr(LAMPS, name) for name in names]


def test_free_vend_never_asks() -> None:
    bench = online(Settings(cards_decided_by="nobody"))
    bench.plug()
    assert lamp(bench) == LAMPS.authorized


def test_a_slots_fault_lights_the_slot_and_the_main_lamp_only_when_no_slot_is_left() -> None:
    bench = online()
    bench.give(BoardFault(1, Cause.OVER_VOLTAGE, True))
    assert (lamp(bench, 1), lamp(bench, 2), lamp(bench, 0)) == (LAMPS.fault, LAMPS.available, LAMPS.available)
    bench.call("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
    bench.answer_all()
    assert (lamp(bench, 2), lamp(bench, 0)) == (LAMPS.unavailable, LAMPS.fault)
    bench.give(BoardFault(1, Cause.OVER_VOLTAGE, False))
    bench.wait(61)
    assert lamp(bench, 0) == LAMPS.available


def test_a_fault_of_the_station_lights_all_of_it_red() -> None:
    bench = online()
    bench.give(BoardFault(0, Cause.EMERGENCY_STOP, True))
    assert [lamp(bench, n) for n in (0, 1, 2)] == [LAMPS.fault] * 3


def test_a_card_that_is_checked_breathes_white_and_a_refused_one_flickers_red_for_a_moment() -> None:
    bench = CoreBench()
    bench.connect()
    bench.tap()
    assert lamp(bench, 0) == LAMPS.asking
    bench.answer("Authorize", {"idTagInfo": {"status": "Blocked"}})
    assert lamp(bench, 0) == LAMPS.refused
    bench.wait(60)
    assert lamp(bench, 0) == LAMPS.available


def test_an_accepted_card_waits_for_a_plug_in_blue() -> None:
    """On the station's own lamp; on a slot's too where it is the only one that can be meant."""
    bench = online()
    bench.tap()
    bench.answer_all()
    assert (lamp(bench, 0), lamp(bench, 1)) == (LAMPS.authorized, LAMPS.available)
    bench.call("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
    bench.wait(61)
    assert lamp(bench, 0) == LAMPS.available  # nobody came
    bench.tap()
    bench.answer_all()
    assert (lamp(bench, 0), lamp(bench, 1)) == (LAMPS.authorized, LAMPS.authorized)
    bench.plug()
    assert (lamp(bench, 0), lamp(bench, 1)) == (LAMPS.available, LAMPS.authorized)


def test_a_refusal_flickers_over_the_card_that_waits_and_falls_back_to_it() -> None:
    bench = CoreBench()
    bench.connect()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    bench.tap("0499")
    assert lamp(bench, 0) == LAMPS.asking
    bench.answer("Authorize", {"idTagInfo": {"status": "Blocked"}})
    assert lamp(bench, 0) == LAMPS.refused
    bench.wait(4)
    assert lamp(bench, 0) == LAMPS.authorized


def test_a_command_stands_until_the_session_ends() -> None:
    bench = online()
    bench.charging()
    bench.core.lights.command(1, PURPLE)
    bench.give(BoardFault(0, Cause.READER, True))
    assert lamp(bench) == PURPLE
    bench.wait(3)
    bench.tap(CARD)
    bench.pilot(Pilot.B)
    bench.answer_all()
    assert lamp(bench) == LAMPS.finishing


@pytest.mark.parametrize("ends", ["fault", "off"])
def test_a_command_stands_until_a_fault_or_until_it_is_taken_back(ends: str) -> None:
    bench = online()
    bench.core.lights.command(1, PURPLE)
    if ends == "off":
        bench.core.lights.command(1, None)
    else:
        bench.give(BoardFault(1, Cause.OVER_VOLTAGE, True))
        assert lamp(bench) == LAMPS.fault
        bench.give(BoardFault(1, Cause.OVER_VOLTAGE, False))
    bench.wait(61)
    bench.give(BoardFault(0, Cause.READER, True))
    assert lamp(bench) == LAMPS.available


def test_a_lamp_is_told_only_what_is_new() -> None:
    bench = online()
    bench.wait(600)
    shown = [e for e in bench.effects if isinstance(e, ShowLight)]
    assert len(shown) == len(bench.core.slots) + 1


# --- configured ---


def test_lights_are_configured(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    text = '[station]\nid = "CP1"\n[csms]\nurl = "ws://127.0.0.1:9000"\n[board]\ndriver = "sim"\n'
    file.write_text(text + '[lamps]\navailable = "white"\nfull = "green breathe"\n')
    lamps = load(file).shape.lamps
    assert lamps == msgspec.structs.replace(LAMPS, available=light("white"), full=light("green breathe"))
    shape = msgspec.structs.replace(TEMPLATES["two-sockets-22kw"], lamps=lamps)
    assert lamp(online(shape=shape)) == light("white")


@pytest.mark.parametrize("line", ['available = "pink"', 'ready = "green"', "available = 3", 'full = "green slowly"'])
def test_a_light_that_is_none_is_told_with_its_path(tmp_path: Path, line: str) -> None:
    file = tmp_path / "station.toml"
    text = '[station]\nid = "CP1"\n[csms]\nurl = "ws://127.0.0.1:9000"\n[board]\ndriver = "sim"\n'
    file.write_text(f"{text}[lamps]\n{line}\n")
    with pytest.raises(ConfigError, match=r"lamps\.(available|ready|full)"):
        load(file)
