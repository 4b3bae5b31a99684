"""What is left of a station whose program fell. Not here: how it starts again (tests/world/test_program_falls.py)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ocpp_client.link import LinkProfile
from ocpp_client.link_types import FrameReceived
from sim.board import SimBoard
from station.core.core import StationCore
from station.core.effects import Input, Shutdown
from station.shell.black_box import FILES, INPUTS, BlackBox, BoxedHost
from station.shell.host import SystemRng
from station.shell.plan import Plan
from station.shell.runner import Sinks, Unit
from station.words.settings import TEMPLATES, Settings

SECRET = "correct-horse-battery"
CALL = json.dumps([2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}])


class Quiet(Sinks):
    def bug(self, unit: Unit, error: Exception) -> None: ...


async def fall(folder: Path, inputs: list[Input], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a station these inputs; at the last one its program falls. What was told."""
    told: list[str] = []
    host = BoxedHost(
        Quiet(), lambda unit: LinkProfile("ws://127.0.0.1:9", "CP1", ("ocpp1.6",)), store=f"{folder}/station.db"
    )
    host.box, host.tell = BlackBox(folder / "station.db", "ev-station 1", (b"hunter22",)), told.append
    shape = TEMPLATES["two-sockets-22kw"]
    unit = Unit("CP1", Plan(shape, Settings()), SimBoard(shape, seed=1), SystemRng())
    host.add(unit)
    for item in inputs[:-1]:
        host.post(unit, item)

    def falls(*_: object) -> Any:
        raise ZeroDivisionError("no slot to divide by")

    with monkeypatch.context() as patch:
        patch.setattr(StationCore, "step", falls)
        host.post(unit, inputs[-1])
    assert host.bugs == 1
    assert unit.core is None
    await host.close()
    return told


def test_it_holds_what_was_heard_last_and_what_was_durable_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[Input] = [FrameReceived(CALL), FrameReceived('[3,"x",{"password is":"hunter22"}]'), Shutdown()]
    told = asyncio.run(fall(tmp_path, inputs, monkeypatch))
    (path,) = tmp_path.glob("station.db.fell-*.json")
    assert told == [f"what the station heard last, and its records, are in {path}"]
    box = json.loads(path.read_text())
    assert box["station"] == "CP1"
    assert box["error"] == "ZeroDivisionError('no slot to divide by')"
    assert any("in falls" in line for line in box["traceback"])
    assert [line["type"] for line in box["inputs"][-3:]] == ["FrameReceived", "FrameReceived", "Shutdown"]
    assert "ChangeConfiguration" in box["inputs"][-3]["frame"]
    assert box["records"]["boot"]
    assert SECRET not in path.read_text()
    assert "hunter22" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_it_forgets_what_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: list[Input] = [FrameReceived(f'[3,"{number}",{{}}]') for number in range(INPUTS + 5)]
    for _ in range(FILES + 2):
        asyncio.run(fall(tmp_path, inputs, monkeypatch))
    paths = sorted(tmp_path.glob("station.db.fell-*.json"))
    assert len(paths) == FILES
    heard = json.loads(paths[-1].read_text())["inputs"]
    assert len(heard) == INPUTS
    assert heard[-1]["frame"] == f'[3,"{INPUTS + 4}",{{}}]'


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    told = asyncio.run(fall(tmp_path, [Shutdown()], monkeypatch))
    assert told == ["what the station heard last could not be written: [Errno 28] No space left on device"]
