"""`station outbox`: what waits and what was given up, from a store or a station.toml, beside a running station."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from hal.disk import Persist, Record
from station.adapters.sqlite import SqliteStore
from station.cli import main
from station.words.common import ChargingState, Stamp, Token, Why
from station.words.facts import TransactionTold
from station.words.records import DeadLetter, OutboxRecord

AT = 1_780_272_000_000  # 2026-06-01T00:00:00Z
TOML = '[station]\nid = "CP1"\n[csms]\nurl = "ws://127.0.0.1:9/ocpp"\n[board]\ndriver = "sim"\n[store]\nfile = "station.db"\n'


def record(kind: str, number: int, boot: int = 0, attempts: int = 0) -> OutboxRecord:
    stamp = Stamp(AT + number * 1000, boot)
    fact = TransactionTold(
        kind,  # type: ignore[arg-type]
        "s-1",
        2,
        0,
        Why.AUTHORIZED,
        stamp,
        ChargingState.CHARGING,
        token=Token("04A1B2C3"),
    )
    return OutboxRecord(f"m-{number}", fact, "1.6", attempts)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two stations: one with three messages and a dead letter, one with a message."""
    file = tmp_path / "station.db"
    disk = SqliteStore(str(file), lambda *_: None, lambda call, *args: call(*args), ballast_bytes=0)
    waiting = [record("started", 1, attempts=2), record("updated", 2, boot=3), record("ended", 3)]
    rows = [Record("outbox", f"{number:012d}", one) for number, one in enumerate(waiting, 1)]
    dead = DeadLetter(record("updated", 9, attempts=3), "FormationViolation", Stamp(AT))
    disk.persist("CP1", Persist(0, (*rows, Record("dead", f"{9:012d}", dead)), urgent=True))
    disk.persist("CP2", Persist(0, (rows[0],), urgent=True))
    disk.close()
    (tmp_path / "station.toml").write_text(TOML)
    return file


def test_a_store_shows_all_its_stations(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", str(store)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "CP1: 3 messages waiting, 1 dead letter"
    assert " ".join(lines[1].split()) == "waiting 1 start slot 2 2026-06-01T00:00:01.000Z s-1, 2 failed attempts"
    assert "value slot 2  about 2026-06-01T00:00:02.000Z" in lines[2]
    assert lines[4].split()[:3] == ["dead", "9", "value"]
    assert lines[4].endswith("given up 2026-06-01T00:00:00.000Z: FormationViolation")
    assert lines[5] == "CP2: 1 message waiting, 0 dead letters"


def test_a_station_toml_shows_its_own(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", str(store.with_name("station.toml")), "--json"]) == 0
    [station] = json.loads(capsys.readouterr().out)["stations"]
    assert station["id"] == "CP1"
    assert [one["message"] for one in station["waiting"]] == ["start", "value", "end"]
    assert station["waiting"][1]["guessed"] and station["waiting"][0]["attempts"] == 2
    [dead] = station["dead"]
    assert dead == {
        "number": 9,
        "message": "value",
        "messageId": "m-9",
        "slot": 2,
        "session": "s-1",
        "at": "2026-06-01T00:00:09.000Z",
        "attempts": 3,
        "why": "FormationViolation",
        "givenUp": "2026-06-01T00:00:00.000Z",
    }


def test_it_reads_beside_a_running_station(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = SqliteStore(str(store), lambda *_: None, lambda call, *args: call(*args), ballast_bytes=0)
    running.persist("CP1", Persist(0, (Record("outbox", f"{4:012d}", record("started", 4)),), urgent=True))
    running.load("CP1")
    assert main(["outbox", str(store)]) == 0
    assert capsys.readouterr().out.startswith("CP1: 4 messages waiting")
    running.close()


def test_a_long_list_is_cut_unless_it_is_asked_for(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = sqlite3.connect(store)
    db.executemany(
        "INSERT INTO record SELECT 'CP3', 'outbox', ?, v, body FROM record WHERE station = 'CP2' AND kind = 'outbox'",
        [(f"{number:012d}",) for number in range(1, 51)],
    )
    db.commit()
    db.close()
    assert main(["outbox", str(store)]) == 0
    assert "... and 30 more (--all)" in capsys.readouterr().out
    assert main(["outbox", str(store), "--all"]) == 0
    assert capsys.readouterr().out.count("\n  waiting") == 3 + 1 + 50


def test_a_damaged_record_does_not_hide_the_others(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = sqlite3.connect(store)
    db.execute("UPDATE record SET body = CAST('{' AS BLOB) WHERE station = 'CP1' AND key = '000000000002'")
    db.commit()
    db.close()
    assert main(["outbox", str(store)]) == 0
    out = capsys.readouterr().out
    assert "CP1: 2 messages waiting" in out and "damaged outbox 000000000002" in out


@pytest.mark.parametrize("what", ["missing", "no store", "never ran", "foreign"])
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.toml"
    if what == "no store":
        file.write_text(TOML.replace('[store]\nfile = "station.db"\n', ""))
    elif what == "never ran":
        file.write_text(TOML)
    elif what == "foreign":
        file = tmp_path / "other.db"
        db = sqlite3.connect(file)
        db.execute("CREATE TABLE record (station, kind, key, v, body)")
        db.commit()
        db.close()
    assert main(["outbox", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("station: ") and str(tmp_path) in captured.err


def test_an_empty_store_is_told_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.db"
    SqliteStore(str(file), lambda *_: None, lambda call, *args: call(*args), ballast_bytes=0).close()
    assert main(["outbox", str(file)]) == 0
    assert capsys.readouterr().out == "nothing waits, and nothing was given up\n"
