"""`station.toml`: one file, decoded strictly; every mistake is told with its path and what is allowed there.

    [station]
    id = "CP1"                        # identity at the CSMS
    template = "two-sockets-22kw"     # or the slots one by one: [[slot]] kind = "socket", max_current_a = 32, ...

    [csms]
    url = "ws://127.0.0.1:9000"  # the identity is appended
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

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from hal.ports import Driver
from hal.registry import ConfigError, build
from hal.units import SlotKind
from ocpp_client.dialects.v16 import keys
from ocpp_client.link import LinkProfile, check_identity, check_profile
from ocpp_client.tls import TlsProfile, context_for
from station.adapters.cloudevents import Compat
from station.shell.board import Assembly
from station.words.lamps import Lamps, light
from station.words.settings import (
    NAMES,
    TEMPLATES,
    BadSetting,
    Settings,
    SlotShape,
    StationShape,
    allowed,
    changed,
    in_words,
    parse,
    spell,
)

PROFILE_OFFER: Final = ("ocpp1.6",)
SLOTS_MAX: Final = 64


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
    rotation: Literal["RST", "RTS", "SRT", "STR", "TRS", "TSR"] = "RST"


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


NEEDED: Final = ("station", "csms", "board")
TABLES: Final = (*NEEDED, "store", "settings", "events", "lamps")
LISTS: Final = ("slot", "reader", "light", "meter")  # any number of each
SECTIONS: Final = (*TABLES, *LISTS)


def load(path: Path) -> Config:
    """Read and check a file. Raises ConfigError, whose text is for people."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"is no TOML ({error})") from None
    for key in tables:
        if key not in SECTIONS:
            raise _unknown(key, "section", SECTIONS)
    for key in NEEDED:
        if key not in tables:
            raise ConfigError(key, "this section is needed", SECTIONS)
    for key in TABLES:
        if not isinstance(tables.get(key, {}), dict):
            raise ConfigError(key, f"must be a section, written [{key}]")
    for key in LISTS:
        if not _is_list_of_tables(tables.get(key, [])):
            raise ConfigError(key, f"must be written [[{key}]], once for each {key}")
    station: StationTable = _decode(StationTable, tables["station"], "station")
    shape = _shape(station, tables.get("slot", []))
    shape = msgspec.structs.replace(shape, lamps=_lamps(tables.get("lamps", {})))
    settings = _settings(tables.get("settings", {}), shape)
    store: StoreTable = _decode(StoreTable, tables.get("store", {}), "store")
    csms: CsmsTable = _decode(CsmsTable, tables["csms"], "csms")
    profile = _profile(csms, station.id, path.parent)
    file = _to_write(path.parent, store.file, "store.file")
    events: EventsTable = _decode(EventsTable, tables.get("events", {}), "events")
    told = _to_write(path.parent, events.file, "events.file")
    config = Config(
        station.id, shape, settings, profile, str(file) if file is not None else None, tables, told, events.compat
    )
    config.board()
    return config


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _unknown(path: str, what: str, known: Iterable[str]) -> ConfigError:
    """An unknown section or key; the error names the known one that looks most like it."""
    near = difflib.get_close_matches(path.rpartition(".")[2], list(known), 1)
    return ConfigError(path, f"unknown {what}" + (f"; is {near[0]} meant?" if near else ""), known)


def _told(value: object) -> str:
    """A value as in TOML, near enough."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _to_write(folder: Path, name: str, key: str) -> Path | None:
    """A file that the station will write to; None without a name."""
    if not name:
        return None
    file = folder / name
    if not file.parent.is_dir():
        raise ConfigError(key, f"there is no folder {file.parent}")
    if file.is_dir():
        raise ConfigError(key, f"{file} is a folder")
    return file


def _decode(kind: type[Any], table: dict[str, Any], path: str) -> Any:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    types = get_type_hints(kind, include_extras=True)
    for key, value in table.items():
        if key not in fields:
            raise _unknown(f"{path}.{key}", "key", fields)
        try:
            msgspec.convert(value, types[key])
        except msgspec.ValidationError:
            raise ConfigError(f"{path}.{key}", f"{_told(value)} is not {in_words(types[key])}") from None
    for key, field in fields.items():
        if field.required and key not in table:
            raise ConfigError(f"{path}.{key}", "this key is needed")
    return msgspec.convert(table, kind)


def _shape(station: StationTable, slots: list[dict[str, Any]]) -> StationShape:
    if station.template not in TEMPLATES:
        raise ConfigError("station.template", f"unknown template {station.template!r}", TEMPLATES)
    shape = TEMPLATES[station.template]
    changes: dict[str, Any] = {k: v for k in ("vendor", "model", "firmware", "serial") if (v := getattr(station, k))}
    for key, text in changes.items():
        if not text.isprintable():
            raise ConfigError(f"station.{key}", f"{text!r} holds characters that cannot be printed")
    if len(slots) > SLOTS_MAX:
        raise ConfigError("slot", f"there are {len(slots)}, at most {SLOTS_MAX} are possible")
    if slots:
        tables: list[SlotTable] = [_decode(SlotTable, t, f"slot[{i}]") for i, t in enumerate(slots)]
        changes["slots"] = tuple(SlotShape(t.kind, t.max_current_a * 1000, t.phases, t.rotation) for t in tables)
    if station.supply_max_current_a is not None:
        changes["supply_ma"] = station.supply_max_current_a * 1000
    return msgspec.structs.replace(shape, **changes)


def _settings(table: dict[str, Any], shape: StationShape) -> Settings:
    settings = Settings()
    for key, value in table.items():
        if key not in NAMES:
            raise _unknown(f"settings.{key}", "setting", NAMES)
        settings = changed(settings, key, _setting(key, value, shape))
    return settings


def _setting(name: str, value: object, shape: StationShape) -> object:
    """The value of a setting: of its type, within its bounds, and possible on a station of this shape. Raises ConfigError."""
    path, default = f"settings.{name}", getattr(Settings(), name)
    wanted = list if isinstance(default, tuple) else type(default)
    if type(value) is not wanted:
        raise ConfigError(path, f"{_told(value)} is not {allowed(name)}")
    try:
        made = parse(name, ",".join(map(str, value)) if isinstance(value, list) else spell(value))
    except BadSetting:
        raise ConfigError(path, f"{_told(value)} is not {allowed(name)}") from None
    if isinstance(made, tuple) and not set(made) <= set(shape.measurands):
        raise ConfigError(path, "this station does not measure all of that", spell(shape.measurands).split(","))
    key = keys.of_setting(name)
    if made != default and key is not None and key.check(spell(made), shape) is None:
        raise ConfigError(
            path, f"{_told(value)} cannot be {key.name} of OCPP 1.6 on a station with {len(shape.slots)} slots"
        )
    return made


def _lamps(table: dict[str, Any]) -> Lamps:
    """[lamps]: what lamps show, such as `available = "green"` or `full = "blue breathe"`."""
    changes = {}
    for key, value in table.items():
        if key not in Lamps.__struct_fields__:
            raise _unknown(f"lamps.{key}", "key", Lamps.__struct_fields__)
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
        if not os.path.isfile(name):
            raise ConfigError(f"csms.{key}", f"there is no file {name}")
    if csms.key_file and not csms.certificate_file:
        raise ConfigError("csms.certificate_file", "this key is needed: csms.key_file is the key of a certificate")
    tls = TlsProfile(**named) if named else None  # type: ignore[arg-type]
    profile = LinkProfile(csms.url, identity, PROFILE_OFFER, password, tls)
    try:
        check_identity(identity)
    except ValueError as error:
        raise ConfigError("station.id", str(error)) from None
    try:
        check_profile(profile)
    except ValueError as error:
        raise ConfigError("csms.url", str(error)) from None
    if tls is not None:
        _try_files(tls)
    return profile


def _try_files(tls: TlsProfile) -> None:
    """Certificates that cannot be loaded are told now, not at every attempt to connect."""
    for names, one in (
        ("csms.ca_file", TlsProfile(ca_file=tls.ca_file)),
        ("csms.certificate_file, csms.key_file", tls),
    ):
        try:
            context_for(one)
        except (OSError, ValueError) as error:
            raise ConfigError(names, f"cannot be loaded: PEM is needed ({error})") from None


def _secret(path: Path, key: str) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(key, f"{path} cannot be read ({error.strerror})") from None
    if not secret:
        raise ConfigError(key, f"{path} is empty")
    return secret
