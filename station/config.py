"""`station.toml`: one file, decoded strictly; every mistake is told with its path and what is allowed there.

    [station]
    id = "CP1"                        # identity at the CSMS
    template = "two-sockets-22kw"     # or the slots one by one: [[slot]] kind = "socket", max_current_a = 32, ...

    [csms]
    url = "ws://127.0.0.1:9000/ocpp"  # the identity is appended
    password_file = "password"        # or nothing

    [board]
    driver = "sim"                    # a name from the entry points `ev_station.boards`; its other keys are the driver's own

    [lamps]
    available = "green"               # and so on for each light of `station/words/lamps.py`; "white breathe", "red flicker"

    [events]
    file = "events.jsonl"             # every event as a CloudEvent, one a line; or nothing
    compat = "seed"                   # how data.type of a fault is spelt: as the seed's workflow has it, or "strict"

Not here: what a setting means (`station/words/settings.py`), or how a driver is found (`hal/registry.py`).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hal.ports import Driver
from hal.registry import ConfigError, build
from hal.units import SlotKind
from ocpp_client.link import LinkProfile, check_profile
from ocpp_client.tls import TlsProfile
from station.adapters.cloudevents import Compat
from station.shell.board import Assembly
from station.words.common import Measurand
from station.words.lamps import Lamps, light
from station.words.settings import TEMPLATES, BadSetting, Settings, SlotShape, StationShape, changed, parse

PROFILE_OFFER = ("ocpp1.6",)


class StationTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[station]"""

    id: Annotated[str, Meta(min_length=1, max_length=48)]
    template: str = "two-sockets-22kw"
    vendor: Annotated[str, Meta(max_length=20)] = ""
    model: Annotated[str, Meta(max_length=20)] = ""
    firmware: Annotated[str, Meta(max_length=50)] = ""
    serial: Annotated[str, Meta(max_length=25)] = ""
    supply_max_current_a: Annotated[int, Meta(ge=6, le=1000)] | None = None


class SlotTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[slot]]"""

    kind: SlotKind = "socket"
    max_current_a: Annotated[int, Meta(ge=6, le=500)] = 32
    phases: Annotated[int, Meta(ge=1, le=3)] = 3
    rotation: str = "RST"


class CsmsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[csms]. Certificates are names of PEM files."""

    url: str
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class StoreTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[store]. Without a file the station forgets everything with the process."""

    file: str = ""


class EventsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[events]. `file` is appended to."""

    file: str = ""
    compat: Compat = "seed"


class Config(msgspec.Struct, frozen=True):
    """A checked configuration, ready to run."""

    identity: str
    shape: StationShape
    settings: Settings
    profile: LinkProfile
    store: str | None
    tables: dict[str, Any]
    events: Path | None = None
    compat: Compat = "seed"

    def board(self) -> Driver:
        """The board with its drivers, not started. Raises ConfigError."""
        board = build("boards", self.tables["board"], self.shape, "board")
        readers = [build("readers", t, self.shape, f"reader[{i}]") for i, t in enumerate(self.tables.get("reader", []))]
        lights = [build("lights", t, self.shape, f"light[{i}]") for i, t in enumerate(self.tables.get("light", []))]
        meters = [build("meters", t, self.shape, f"meter[{i}]") for i, t in enumerate(self.tables.get("meter", []))]
        return Assembly(board, readers, lights, meters) if readers or lights or meters else board


SECTIONS = ("station", "slot", "csms", "board", "reader", "light", "meter", "store", "settings", "events", "lamps")


def load(path: Path) -> Config:
    """Read and check a file. Raises ConfigError, whose text is for people."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"is no TOML ({error})") from None
    for key in tables:
        if key not in SECTIONS:
            raise ConfigError(key, "unknown section", SECTIONS)
    for key in ("station", "csms", "board"):
        if not isinstance(tables.get(key), dict):
            raise ConfigError(key, "this section is needed", SECTIONS)
    station: StationTable = _decode(StationTable, tables["station"], "station")
    shape = _shape(station, tables.get("slot", []))
    shape = msgspec.structs.replace(shape, lamps=_lamps(tables.get("lamps", {})))
    settings = _settings(tables.get("settings", {}))
    store: StoreTable = _decode(StoreTable, tables.get("store", {}), "store")
    csms: CsmsTable = _decode(CsmsTable, tables["csms"], "csms")
    profile = _profile(csms, station.id, path.parent)
    file = str(path.parent / store.file) if store.file else None
    events: EventsTable = _decode(EventsTable, tables.get("events", {}), "events")
    told = path.parent / events.file if events.file else None
    config = Config(station.id, shape, settings, profile, file, tables, told, events.compat)
    config.board()
    return config


def _decode(kind: type[Any], table: object, path: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(path, "must be a table")
    allowed = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in table:
        if key not in allowed:
            raise ConfigError(f"{path}.{key}", "unknown key", allowed)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(path, str(error)) from None


def _shape(station: StationTable, slots: object) -> StationShape:
    if station.template not in TEMPLATES:
        raise ConfigError("station.template", f"unknown template {station.template!r}", TEMPLATES)
    shape = TEMPLATES[station.template]
    changes: dict[str, Any] = {k: v for k in ("vendor", "model", "firmware", "serial") if (v := getattr(station, k))}
    if not isinstance(slots, list):
        raise ConfigError("slot", "must be written [[slot]]")
    if slots:
        tables: list[SlotTable] = [_decode(SlotTable, t, f"slot[{i}]") for i, t in enumerate(slots)]
        changes["slots"] = tuple(SlotShape(t.kind, t.max_current_a * 1000, t.phases, t.rotation) for t in tables)
    if station.supply_max_current_a is not None:
        changes["supply_ma"] = station.supply_max_current_a * 1000
    return msgspec.structs.replace(shape, **changes)


def _settings(table: object) -> Settings:
    if not isinstance(table, dict):
        raise ConfigError("settings", "must be a table")
    settings = Settings()
    for key, value in table.items():
        if key not in Settings.__struct_fields__:
            raise ConfigError(f"settings.{key}", "unknown setting", Settings.__struct_fields__)
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            settings = changed(settings, key, parse(key, text))
        except BadSetting as bad:
            allowed = [m.value for m in Measurand] if isinstance(value, list) else ()
            raise ConfigError(f"settings.{key}", str(bad), allowed) from None
    return settings


def _lamps(table: object) -> Lamps:
    """[lamps]: what lamps show, such as `available = "green"` or `full = "blue breathe"`."""
    if not isinstance(table, dict):
        raise ConfigError("lamps", "must be a table")
    changes = {}
    for key, value in table.items():
        if key not in Lamps.__struct_fields__:
            raise ConfigError(f"lamps.{key}", "unknown key", Lamps.__struct_fields__)
        try:
            changes[key] = light(str(value))
        except ValueError as error:
            raise ConfigError(f"lamps.{key}", str(error)) from None
    return msgspec.structs.replace(Lamps(), **changes)


def _profile(csms: CsmsTable, identity: str, folder: Path) -> LinkProfile:
    password = _secret(folder / csms.password_file, "csms.password_file") if csms.password_file else None
    files = {"ca_file": csms.ca_file, "certificate_file": csms.certificate_file, "key_file": csms.key_file}
    named = {key: str(folder / name) for key, name in files.items() if name}
    for key, name in named.items():
        if not os.path.exists(name):
            raise ConfigError(f"csms.{key}", f"there is no file {name}")
    tls = TlsProfile(**named) if named else None  # type: ignore[arg-type]
    profile = LinkProfile(csms.url, identity, PROFILE_OFFER, password, tls)
    try:
        check_profile(profile)
    except ValueError as error:
        raise ConfigError("csms.url", str(error)) from None
    return profile


def _secret(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(key, f"{path} cannot be read ({error.strerror})") from None
