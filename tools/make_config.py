"""`python -m tools.make_config`: every key of `station.toml` into `docs/reference/config.md`; --check: is it up to date?

Types, bounds, defaults and the keys of OCPP come from the code: `station/config.py`, `station/words/settings.py`, the drivers' `Config`,
`ocpp_client/dialects/v16/keys.py`. What a key is for stands here, and a key without its sentence is an error.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec

from hal.units import Light, Pattern
from ocpp_client.dialects.v16.keys import KEYS, of_setting
from station import config
from station.cli import EXAMPLE
from station.words.common import Measurand
from station.words.lamps import Lamps
from station.words.settings import NAMES, NEEDS_RESTART, TEMPLATES, TOML_ONLY, Settings, allowed, in_words
from tools.make_cli import paragraph, written

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "reference" / "config.md"
SUFFIXES: Final = {"a": "A", "ma": "mA", "mwh": "mWh", "wh": "Wh", "s": "s", "ms": "ms", "c": "°C", "percent": "%"}

SECTIONS: Final[dict[str, tuple[type[Any], dict[str, str]]]] = {
    "[station]": (
        config.StationTable,
        {
            "id": "its identity at the CSMS",
            "template": f"what it is built like: {', '.join(TEMPLATES)}",
            "vendor": "told at boot; empty: as the template has it",
            "model": "told at boot; empty: as the template has it",
            "firmware": "told at boot; empty: as the template has it",
            "serial": "told at boot; empty: the identity",
            "supply_max_current_a": "what all slots together may draw per phase; left out: as the template has it",
        },
    ),
    "[[slot]]": (
        config.SlotTable,
        {
            "kind": "a socket with a lock, a cable of its own, or direct current",
            "max_current_a": "what it may draw per phase",
            "phases": "how many of them it has",
            "rotation": "how its phases are wired to those of the station",
        },
    ),
    "[csms]": (
        config.CsmsTable,
        {
            "url": "ws:// or wss://; the identity is appended",
            "password_file": "a file with the password of basic authentication; empty: none",
            "ca_file": "roots to trust (PEM); empty: those of the operating system",
            "certificate_file": "the station's own certificate chain (PEM); empty: none",
            "key_file": "the key of that certificate (PEM), unless it stands in the same file",
        },
    ),
    "[store]": (
        config.StoreTable,
        {"file": "what was promised is kept there; empty: everything is forgotten with the process"},
    ),
    "[events]": (
        config.EventsTable,
        {
            "file": "every event as a CloudEvent, one a line, appended; empty: on standard output only",
            "compat": "how `data.type` of a fault is spelt: as the first workflow had it, or as in the envelope",
        },
    ),
}

SETTINGS: Final[dict[str, str]] = {
    "authorize_remote": "ask the CSMS about the card of a remote start too",
    "allow_offline_unknown": "without a connection an unknown card may charge",
    "cache_enabled": "remember what the CSMS said of cards",
    "local_authorize_offline": "without a connection a remembered card may charge",
    "local_pre_authorize": "a card that is remembered as accepted may charge before the CSMS is asked",
    "cards_decided_by": "nobody: who plugs or shows any card, charges",
    "free_vend_token": "what is told as the card where nobody decides about cards",
    "repeat_guard_ms": "the same card again within this time counts as once",
    "connection_timeout_s": "an authorisation waits so long for a vehicle; 0: for ever",
    "stop_on_ev_disconnect": "a cable pulled at the vehicle's end ends the session; else it is suspended",
    "unlock_on_ev_disconnect": "then the cable is unlocked at the station's end too",
    "stop_on_invalid": "a session ends when the CSMS refuses its card in the answer to its start; else power is withheld",
    "max_energy_on_invalid_wh": "... after this much energy more",
    "transaction_attempts": "a message of a transaction is given up after so many failures while connected",
    "transaction_retry_s": "it waits this long, times the failures so far, before the next attempt",
    "after_restart": "sessions found open at boot are ended, or go on",
    "sample_interval_s": "a sample of a running transaction so often; 0: none",
    "aligned_interval_s": "a sample at these times of the day's clock; 0: none",
    "sampled": "what a sample of a transaction tells",
    "aligned": "what a sample by the clock tells",
    "stop_sampled": "samples that are told once more at the end of the transaction",
    "stop_aligned": "samples by the clock that are told once more at the end of the transaction",
    "stop_values_max": "so many of them at most; above it every second one in between goes",
    "phase_rotation": "how connectors are wired, such as `1.RST,2.STR`; empty: as they were built",
    "meter_lost_s": "a meter without a good reading for so long is lost; 0: never",
    "min_status_duration_s": "a status is told once it has lasted so long",
    "idle_current_ma": "a vehicle that draws less on every phase takes nothing",
    "full_after_s": "a vehicle that has taken nothing for so long is full",
    "full_min_wh": "... if it has had at least this much",
    "ev_ready_s": "a vehicle has so long to answer an offer of power before it counts as not wanting any",
    "derate_above_c": "power is reduced from this temperature on",
    "suspend_above_c": "power is withheld from this temperature on",
    "heartbeat_interval_s": "a heartbeat so often, until the CSMS says otherwise at boot",
    "ping_interval_s": "a WebSocket ping so often; 0: none",
    "message_timeout_s": "an answer is waited for so long",
    "backoff_min_s": "before the second attempt to connect; doubled each time",
    "backoff_random_s": "... and up to this much more, drawn at random",
    "backoff_repeat": "... doubled so often at most",
    "reset_retries": "a reset that did not happen is tried so often again",
    "light_percent": "how bright the lamps are",
    "blink_repeat": "how often a lamp blinks to say something in passing; 0: it does not",
}


def page() -> str:
    """The whole page."""
    lines = ["# station.toml", "", "Generated by `python -m tools.make_config`; do not edit.", ""]
    lines += [
        "One file describes a station. It is decoded strictly: `station check FILE` names what is wrong, where, and what is allowed.",
        "",
    ]
    lines += ["```toml", *(line[2:] for line in EXAMPLE.splitlines()[1:]), "```", ""]
    lines += [
        "Files are looked for beside `station.toml`. Sections in double brackets may be written any number of times.",
        "",
    ]
    for title, (kind, meanings) in SECTIONS.items():
        lines += [f"## {title}", "", *_table(kind, meanings), ""]
    lines += [*_drivers(), *_lamps(), *_settings(), *_told_only()]
    return "\n".join(lines).rstrip() + "\n"


def _table(kind: type[Any], meanings: Mapping[str, str]) -> Iterator[str]:
    types = get_type_hints(kind, include_extras=True)
    yield "| key | value | default | what |" if meanings else "| key | value | default |"
    yield "| --- | --- | --- | --- |" if meanings else "| --- | --- | --- |"
    for field in msgspec.structs.fields(kind):
        default = "needed" if field.required else _spelt(field.default)
        what = f" {meanings[field.name]} |" if meanings else ""
        yield f"| `{field.name}` | {in_words(types[field.name])}{_unit(field.name)} | {default} |{what}"


def _drivers() -> Iterator[str]:
    """The drivers of this project; those of others say their own."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    yield "## Hardware"
    yield ""
    yield "`driver` is a name of the table below or of an installed package; the other keys of the section are that driver's own."
    yield "There is one `[board]`; `[[reader]]`, `[[light]]` and `[[meter]]` are for what is not part of it."
    yield ""
    for group, of in sorted(points.items()):
        section = {"boards": "[board]"}.get(
            group.rpartition(".")[2], f"[[{group.rpartition('.')[2].removesuffix('s')}]]"
        )
        for name, place in sorted(of.items()):
            module, _, attribute = place.partition(":")
            driver = getattr(importlib.import_module(module), attribute)
            yield f'### {section} driver = "{name}"'
            yield ""
            yield from paragraph(driver.Config.__doc__)
            yield from _table(driver.Config, {})
            yield ""


def _lamps() -> Iterator[str]:
    yield "## [lamps]"
    yield ""
    yield 'What a lamp shows: a colour, and perhaps a pattern, such as `"blue breathe"`.'
    yield ""
    yield "| key | default |"
    yield "| --- | --- |"
    for field in msgspec.structs.fields(Lamps):
        yield f"| `{field.name}` | {_spelt(field.default)} |"
    yield ""


def _settings() -> Iterator[str]:
    if SETTINGS.keys() != set(NAMES):
        raise SystemExit(
            f"tools/make_config.py: SETTINGS and the settings differ: {sorted(SETTINGS.keys() ^ set(NAMES))}"
        )
    yield "## [settings]"
    yield ""
    measurands = ", ".join(f"`{one.value}`" for one in Measurand)
    yield from paragraph(
        "What a CSMS has changed since goes before this file. Keys of OCPP 1.6 are changed by ChangeConfiguration; a setting without one,"
        " or with a key marked ×, by this file only."
        f" Changes that need a restart: {', '.join(sorted(NEEDS_RESTART)) or 'none; all take effect at once'}."
        f" Measurands are {measurands}, as far as the meters have them."
    )
    yield "| key | value | default | OCPP 1.6 | what |"
    yield "| --- | --- | --- | --- | --- |"
    for name in NAMES:
        key = of_setting(name)
        mark = " ×" if name in TOML_ONLY else ""
        words = allowed(name)
        value = "a list of measurands" if words.startswith("a list of") else words + _unit(name)
        ocpp = f"{key.name}{mark}" if key is not None else ""
        yield f"| `{name}` | {value} | {_spelt(getattr(Settings(), name))} | {ocpp} | {SETTINGS[name]} |"
    yield ""


def _told_only() -> Iterator[str]:
    keys = ", ".join(f"`{key.name}`" for key in KEYS if key.setting is None)
    yield from paragraph(f"Keys of OCPP 1.6 that follow from how the station is built, and so are only read: {keys}.")


def _unit(name: str) -> str:
    unit = SUFFIXES.get(name.rpartition("_")[2]) if "_" in name else None
    return f", in {unit}" if unit else ""


def _spelt(value: object) -> str:
    """A default as in TOML."""
    if isinstance(value, Light):
        pattern = "" if value.pattern is Pattern.STEADY else f" {value.pattern.value}"
        value = f"{value.colour.value}{pattern}"
    if isinstance(value, tuple):
        value = [one.value for one in value]
    return "" if value is None else f"`{json.dumps(value)}`"


def main(argv: list[str] | None = None) -> int:
    """Exit status 1: with --check, the page is out of date."""
    parser = argparse.ArgumentParser(prog="make_config", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say whether it is out of date")
    return written({PAGE: page()}, parser.parse_args(argv).check)


if __name__ == "__main__":
    sys.exit(main())
