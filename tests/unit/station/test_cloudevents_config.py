"""`[events]` of a station.toml, and what `station` prints of events."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from hal.registry import ConfigError
from station.adapters.cloudevents import PREFIX, SEED_FAULTED
from station.cli import Lines, main
from station.config import load
from station.core.effects import Publish
from station.words.common import Stamp
from tests.builders import CoreBench

GOOD = """
[station]
id = "CP1"
serial = "4711"
[csms]
url = "ws://127.0.0.1:9000/ocpp"
[board]
driver = "sim"
"""
FAULTED = b'{"faultId":"f","error":{"code":"OtherError","info":"i","slotNumber":0,"vendorErrorCode":"v"}}'
FAULT = Publish(1, "n-e1", "faulted.v1", "station", Stamp(0), msgspec.Raw(FAULTED))


class Station:
    id = "CP1"
    core = CoreBench().core


def write(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(text)
    return path


def test_without_the_section_the_seed_is_served_on_standard_output(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD))
    assert (config.events, config.compat) == (None, "seed")
    assert config.shape.serial == "4711"


def test_a_file_beside_the_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, GOOD + '[events]\nfile = "e.jsonl"\ncompat = "strict"\n')
    config = load(file)
    assert (config.events, config.compat) == (tmp_path / "e.jsonl", "strict")
    assert main(["check", str(file)]) == 0
    assert f"events {tmp_path}/e.jsonl" in capsys.readouterr().out
    assert not (tmp_path / "e.jsonl").exists()  # a check writes nothing


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('compat = "loose"', "loose"),
        ("files = 3", "is file meant?; allowed: file, compat"),
        ("file = 3", "3 is not a text"),
    ],
)
def test_mistakes(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD + f"[events]\n{line}\n"))
    assert words.lower() in str(caught.value).lower()


@pytest.mark.parametrize(("compat", "told"), [("seed", SEED_FAULTED), ("strict", f"{PREFIX}faulted.v1")])
def test_an_event_is_a_line(compat: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def play() -> None:
        assert Lines(True, compat).publish(Station(), FAULT)  # type: ignore[arg-type]  # a unit by its identity
        Lines(False).publish(Station(), FAULT)  # type: ignore[arg-type]

    asyncio.run(play())
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["event"]["data"]["type"] == told
    assert second.startswith('event   faulted.v1 station {"faultId":')


@pytest.mark.parametrize(("section", "words"), [("[events]\nfile", "events.file"), ("[store]\nfile", "store.file")])
def test_a_file_that_cannot_be_had_ends_it(
    tmp_path: Path, section: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, GOOD + f'{section} = "nowhere/x"\n')
    assert main(["run", str(file)]) == 2
    assert words in capsys.readouterr().err
