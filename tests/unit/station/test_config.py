"""station.toml: what is accepted, and how mistakes are told: what was wrong, where, what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hal.registry import ConfigError
from sim.board import SimBoard
from station.cli import main
from station.config import load

GOOD = """
[station]
id = "CP1"
[csms]
url = "ws://127.0.0.1:9000/ocpp"
[board]
driver = "sim"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(text)
    return path


def test_the_shortest_file(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD))
    assert config.identity == "CP1"
    assert len(config.shape.slots) == 2
    assert isinstance(config.board(), SimBoard)
    assert config.store is None


def test_everything_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a long secret\n")
    text = (
        GOOD.replace("url =", 'password_file = "password"\nurl =').replace(
            'id = "CP1"', 'id = "CP1"\nsupply_max_current_a = 20'
        )
        + """
[store]
file = "station.db"
[settings]
sample_interval_s = 10
sampled = ["Energy.Active.Import.Register", "Voltage"]
[[slot]]
kind = "tethered"
max_current_a = 16
"""
    )
    config = load(write(tmp_path, text))
    assert config.settings.sample_interval_s == 10
    assert config.shape.supply_ma == 20_000
    assert config.shape.slots[0].kind == "tethered" and len(config.shape.slots) == 1
    assert config.profile.password == b"a long secret"
    assert "secret" not in repr(config)
    assert config.store == str(tmp_path / "station.db")


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (("[board]", "[boards]"), "boards", "unknown section"),
        (('driver = "sim"', 'driver = "gpio9"'), "board.driver", "sim"),
        (('driver = "sim"', 'driver = "sim"\nspeed = 3'), "board.speed", "unknown key"),
        (('id = "CP1"', 'id = "CP1"\nident = 2'), "station.ident", "allowed: id"),
        (('id = "CP1"', 'id = ""'), "station.id", "is not a text of 1 to 48 characters"),
        (('id = "CP1"', "id = 7"), "station.id", "7 is not a text"),
        (('id = "CP1"', 'id = "CP 1"'), "station.id", "not of ' '"),
        (('id = "CP1"', ""), "station.id", "this key is needed"),
        (('id = "CP1"', 'id = "CP1"\nvendor = "a\\nb"'), "station.vendor", "cannot be printed"),
        (("[csms]", "[cmss]"), "cmss", "is csms meant?"),
        (
            ("[board]", "[settings]\nheartbeat_interval = 1\n[board]"),
            "settings.heartbeat_interval",
            "is heartbeat_interval_s",
        ),
        (("[board]", "[settings]\ncache_enabled = 1\n[board]"), "settings.cache_enabled", "1 is not true or false"),
        (
            ("[board]", "[settings]\nsample_interval_s = [1]\n[board]"),
            "settings.sample_interval_s",
            "[1] is not a whole number",
        ),
        (("[board]", '[settings]\nafter_restart = "stop"\n[board]'), "settings.after_restart", "end or resume"),
        (("[board]", '[settings]\nsampled = ["SoC"]\n[board]'), "settings.sampled", "does not measure"),
        (
            ("[board]", '[settings]\nphase_rotation = "9.RST"\n[board]'),
            "settings.phase_rotation",
            "ConnectorPhaseRotation",
        ),
        (("[board]", '[slot]\nkind = "dc"\n[board]'), "slot", "[[slot]]"),
        (("[board]", '[[slot]]\nrotation = "XYZ"\n[board]'), "slot[0].rotation", "RST or RTS"),
        (("[board]", "[[slot]]\nphases = 4\n[board]"), "slot[0].phases", "from 1 to 3"),
        (("[board]", "[[slot]]\n" * 65 + "[board]"), "slot", "at most 64"),
        (("[board]", '[reader]\ndriver = "x"\n[board]'), "reader", "[[reader]]"),
        (("[board]", '[store]\nfile = "none/a.db"\n[board]'), "store.file", "there is no folder"),
        (("[board]", '[store]\nfile = "."\n[board]'), "store.file", "is a folder"),
        (("[board]", '[events]\nfile = "none/a.jsonl"\n[board]'), "events.file", "there is no folder"),
        (('url = "ws:', 'ca_file = "station.toml"\nurl = "wss:'), "csms.ca_file", "PEM is needed"),
        (('url = "ws:', 'key_file = "station.toml"\nurl = "wss:'), "csms.certificate_file", "is needed"),
        (('url = "ws:', 'password_file = "empty"\nurl = "ws:'), "csms.password_file", "is empty"),
        (('id = "CP1"', 'id = "CP1"\ntemplate = "ladder"'), "station.template", "two-sockets-22kw"),
        (("ws://127.0.0.1:9000/ocpp", "http://x"), "csms.url", "ws"),
        (
            ("[board]", "[settings]\nsample_interval_s = -1\n[board]"),
            "settings.sample_interval_s",
            "not a whole number",
        ),
        (("[board]", '[settings]\nsampled = ["Joy"]\n[board]'), "settings.sampled", "Voltage"),
        (("[board]", "[settings]\njoy = 1\n[board]"), "settings.joy", "heartbeat_interval_s"),
        (("[csms]\n", '[csms]\nca_file = "none.pem"\n'), "csms.ca_file", "there is no file"),
        (("[csms]", "[csms"), "station.toml", "is no TOML"),
        (('[board]\ndriver = "sim"', ""), "board", "needed"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, change: tuple[str, str], path: str, words: str) -> None:
    assert change[0] in GOOD
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD.replace(*change)))
    assert caught.value.path.endswith(path)
    assert words in str(caught.value)


def test_a_file_as_some_editors_write_it(tmp_path: Path) -> None:
    """With a byte order mark, and lines that end as on Windows."""
    (tmp_path / "station.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(tmp_path / "station.toml").identity == "CP1"


def test_check_says_what_it_would_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write(tmp_path, GOOD))]) == 0
    out = capsys.readouterr().out
    assert "station CP1" in out and "slot 2: socket, 32 A" in out and "the file is in order" in out


def test_check_of_a_bad_file_has_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err
