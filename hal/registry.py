"""Drivers by name: found through entry points, loaded when first used, configured from a TOML table, strictly.

The convention for a driver class, in this package or in anybody's:

    class MyBoard:
        class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
            port: str = "/dev/serial0"          # defaults beside the field, units in the key

        @classmethod
        def from_config(cls, config: Config, shape: ...) -> MyBoard: ...   # ValueError: these values do not go together

`shape` is the station's shape (its `slots`, each with `kind`, `max_current_ma`, `phases`); readers, meters and lights
may ignore it. `from_config` opens nothing: that is for `start`. The class is named in its distribution's `pyproject.toml`:

    [project.entry-points."ev_station.boards"]
    my-board = "my_package.board:MyBoard"

and chosen in `station.toml` by `driver = "my-board"`; the table's other keys are its Config.
Not here: any list of drivers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any, Literal, TypeAlias

import msgspec

from hal.ports import Driver

Kind: TypeAlias = Literal["boards", "readers", "meters", "lights"]


class ConfigError(Exception):
    """A TOML table says something that cannot be. `path` is where, `allowed` what could stand there."""

    def __init__(self, path: str, problem: str, allowed: Iterable[str] = ()) -> None:
        self.path = path
        self.problem = problem
        self.allowed = tuple(allowed)
        super().__init__(f"{path}: {problem}" + (f"; allowed: {', '.join(self.allowed)}" if self.allowed else ""))


def names(kind: Kind) -> list[str]:
    """The drivers that are installed, in order of name. Loads none."""
    return sorted({point.name for point in entry_points(group=f"ev_station.{kind}")})


def load(kind: Kind, name: str, path: str = "driver") -> type[Any]:
    """The driver's class. Raises ConfigError for a name unknown or claimed twice, and for a broken driver."""
    points = list(entry_points(group=f"ev_station.{kind}", name=name))
    if not points:
        raise ConfigError(path, f"no driver {name!r} for {kind}", names(kind))
    if len({point.value for point in points}) > 1:
        raise ConfigError(path, f"{name!r} is claimed twice: {', '.join(sorted(point.value for point in points))}")
    try:
        driver: Any = points[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(path, f"driver {name!r} cannot be loaded: {error}") from error
    return checked(driver, path)


def checked(driver: Any, path: str = "driver") -> type[Any]:
    """The class itself, if it keeps the convention. Raises ConfigError."""
    config = getattr(driver, "Config", None)
    if not (isinstance(config, type) and issubclass(config, msgspec.Struct) and hasattr(driver, "from_config")):
        raise ConfigError(path, f"{driver!r} has no Config struct, or no from_config (see hal/registry.py)")
    return driver  # type: ignore[no-any-return]


def decode(config: type[Any], table: Mapping[str, Any], path: str) -> Any:
    """The driver's Config from a TOML table. Raises ConfigError with the path of the wrong key, or of the table."""
    _refuse_unknown(config, table, path)
    try:
        return msgspec.convert(table, config)
    except msgspec.ValidationError as error:
        raise ConfigError(path, str(error)) from error


def build(kind: Kind, table: Mapping[str, Any], shape: Any, path: str) -> Driver:
    """A driver from its table in `station.toml`; `path` is the table's name there. Raises ConfigError."""
    name = table.get("driver")
    if not isinstance(name, str):
        raise ConfigError(f"{path}.driver", "a name is needed", names(kind))
    return construct(load(kind, name, f"{path}.driver"), table, shape, path)


def construct(driver: type[Any], table: Mapping[str, Any], shape: Any, path: str) -> Driver:
    """The same from a class at hand. Raises ConfigError."""
    config = decode(driver.Config, {key: value for key, value in table.items() if key != "driver"}, path)
    try:
        made: Driver = driver.from_config(config, shape)
    except ValueError as error:
        raise ConfigError(path, str(error)) from error
    return made


def _refuse_unknown(config: type[Any], table: Mapping[str, Any], path: str) -> None:
    """Name the key, for tables within tables too; msgspec would only say that there is one."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(config)}
    for key, value in table.items():
        if key not in fields:
            raise ConfigError(f"{path}.{key}", "unknown key", fields)
        inner = fields[key]
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            _refuse_unknown(inner, value, f"{path}.{key}")
