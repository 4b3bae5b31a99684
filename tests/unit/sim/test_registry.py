"""Drivers are found by name and configured strictly: the operator is told where, what, and what else there is."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, ClassVar

import msgspec
import pytest

from hal import registry
from hal.drivers._blueprint import BlueprintBoard
from hal.registry import ConfigError
from sim.board import SimBoard
from tests.unit.sim.hardware import SOCKETS, TETHERED

GROUP = "ev_station.boards"


class Serial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    port: str = "/dev/serial0"
    baud: int = 9600


class Nested:
    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        serial: Serial = Serial()

    @classmethod
    def from_config(cls, config: Config, shape: object) -> Nested:
        return cls()


class NoConvention:
    Config: ClassVar[dict[str, int]] = {}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """Pretend that these are installed; append more."""
    points = [
        EntryPoint("sim", "sim.board:SimBoard", GROUP),
        EntryPoint("blueprint", "hal.drivers._blueprint:BlueprintBoard", GROUP),
    ]

    def fake(*, group: str, name: str | None = None) -> EntryPoints:
        return EntryPoints(point for point in points if point.group == group and name in (None, point.name))

    monkeypatch.setattr(registry, "entry_points", fake)
    return points


def refused(table: dict[str, Any], shape: object = SOCKETS) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        registry.build("boards", table, shape, "board")
    return caught.value


def test_names_and_classes(installed: list[EntryPoint]) -> None:
    assert registry.names("boards") == ["blueprint", "sim"]
    assert registry.names("readers") == []
    assert registry.load("boards", "sim") is SimBoard
    assert registry.load("boards", "blueprint") is BlueprintBoard


def test_a_board_from_its_table(installed: list[EntryPoint]) -> None:
    board = registry.build("boards", {"driver": "sim", "meter_latency_ms": 0, "register_mwh": 7}, SOCKETS, "board")
    assert isinstance(board, SimBoard)
    assert board.latency_ms == 0
    assert len(board.slots) == 2
    assert board.slot(2).meter.register_mwh(0) == 7


def test_a_template_overrides_the_shape(installed: list[EntryPoint]) -> None:
    board = registry.build("boards", {"driver": "sim", "template": "tethered-11kw"}, SOCKETS, "board")
    assert isinstance(board, SimBoard)
    assert [slot.shape.kind for slot in board.slots] == ["tethered"]
    plain = registry.build("boards", {"driver": "sim"}, TETHERED, "board")
    assert isinstance(plain, SimBoard)
    assert [slot.shape.kind for slot in plain.slots] == ["tethered"]


def test_an_unknown_driver_is_told_the_known_ones(installed: list[EntryPoint]) -> None:
    error = refused({"driver": "simm"})
    assert str(error) == "board.driver: no driver 'simm' for boards; allowed: blueprint, sim"
    assert error.allowed == ("blueprint", "sim")


@pytest.mark.parametrize("table", [{}, {"driver": 3}])
def test_a_driver_must_be_named(installed: list[EntryPoint], table: dict[str, Any]) -> None:
    error = refused(table)
    assert (error.path, error.allowed) == ("board.driver", ("blueprint", "sim"))


def test_an_unknown_key_is_told_the_known_ones(installed: list[EntryPoint]) -> None:
    error = refused({"driver": "blueprint", "lock_pulse": 300})
    assert str(error) == "board.lock_pulse: unknown key; allowed: lock_pulse_ms"


def test_a_wrong_value_names_the_table_and_the_key(installed: list[EntryPoint]) -> None:
    error = refused({"driver": "blueprint", "lock_pulse_ms": 5})
    assert error.path == "board"
    assert "lock_pulse_ms" in str(error)
    assert ">= 50" in str(error)
    assert "str" in str(refused({"driver": "blueprint", "lock_pulse_ms": "300"}))


def test_a_table_in_a_table_is_strict_too(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("nested", f"{__name__}:Nested", GROUP))
    with pytest.raises(ConfigError, match=r"board\.serial\.bauds: unknown key; allowed: port, baud"):
        registry.construct(Nested, {"serial": {"bauds": 1}}, SOCKETS, "board")
    assert isinstance(registry.construct(Nested, {"serial": {"baud": 1}}, SOCKETS, "board"), Nested)


def test_what_the_driver_refuses_is_a_config_error(installed: list[EntryPoint]) -> None:
    error = refused({"driver": "sim", "template": "gas"})
    assert str(error).startswith("board: template: no such template 'gas'; there are two-sockets-22kw, tethered-11kw")


def test_two_owners_of_one_name(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("sim", "other.package:Board", GROUP))
    assert "claimed twice: other.package:Board, sim.board:SimBoard" in str(refused({"driver": "sim"}))


def test_the_same_owner_twice_is_no_matter(installed: list[EntryPoint]) -> None:
    """An editable install beside its own wheel."""
    installed.append(installed[0])
    assert registry.names("boards") == ["blueprint", "sim"]
    assert registry.load("boards", "sim") is SimBoard


@pytest.mark.parametrize("value", ["no_such_module:Board", "sim.board:NoSuchBoard"])
def test_a_driver_that_cannot_be_loaded(installed: list[EntryPoint], value: str) -> None:
    installed.append(EntryPoint("broken", value, GROUP))
    assert "cannot be loaded" in str(refused({"driver": "broken"}))


@pytest.mark.parametrize("thing", [NoConvention, print])
def test_a_driver_without_the_convention(thing: object) -> None:
    with pytest.raises(ConfigError, match="has no Config struct, or no from_config"):
        registry.checked(thing)
