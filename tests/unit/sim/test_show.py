"""A recording as a sequence diagram: what is read, what is refused and why, what is drawn."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sim.frames import FrameFile
from sim.show import RecordingError, Row, add_parser, chosen, lines, read_recording
from sim.show_svg import page, svg

STORY: list[tuple[int, str, bool, str]] = [
    (0, "CP1", True, '[2,"a","BootNotification",{"chargePointVendor":"Acme"}]'),
    (40, "CP1", False, '[3,"a",{"status":"Accepted"}]'),
    (90, "CP2", True, '[2,"a","Heartbeat",{}]'),
    (100, "CP1", False, '[2,"r","Reset",{"type":"Hard"}]'),
    (112, "CP1", True, '[4,"r","InternalError","the <relay> hangs",{}]'),
    (120, "CP2", False, "what is \x1b[2J this"),
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "frames.jsonl"
    file = FrameFile(path)
    for ms, station, out, frame in STORY:
        file.write(1_780_300_800_000 + ms, station, out, frame)
    file.close()
    return path


def show(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["show", *arguments])
    status: int = args.run(args)
    return status


def test_what_a_frame_file_writes_is_read_back_with_actions_and_round_trips(recording: Path) -> None:
    rows = read_recording(recording)
    assert [(row.kind, row.action, row.took_ms) for row in rows] == [
        ("call", "BootNotification", None),
        ("result", "BootNotification", 40),
        ("call", "Heartbeat", None),
        ("call", "Reset", None),
        ("error", "Reset", 12),
        ("other", "(no OCPP message)", None),
    ]
    assert rows[1].label == "BootNotification 40 ms status=Accepted"
    assert rows[4].label == "Reset 12 ms CALLERROR InternalError the <relay> hangs"
    assert not any("\x1b" in row.label + row.whole for row in rows)


def test_filters_keep_calls_together_with_their_answers(recording: Path) -> None:
    rows = read_recording(recording)
    assert [row.kind for row in chosen(rows, ["bootnotification"], [])] == ["call", "result"]
    assert {row.station for row in chosen(rows, [], ["CP2"])} == {"CP2"}
    assert not chosen(rows, ["Heartbeat"], ["CP1"])


@pytest.mark.parametrize("width", [20, 60, 100, 200])
def test_every_line_of_the_diagram_is_as_wide_as_the_others(recording: Path, width: int) -> None:
    told = lines(read_recording(recording), width)
    assert {len(line) for line in told[2:]} == {max(width, 60)}
    assert told[2].endswith("▶│") and "◀ BootNotification 40 ms" in told[3]
    assert "CP2" in told[4] and told[0].endswith("CSMS")


def test_an_answer_from_before_the_clock_was_set_has_no_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    file = FrameFile(path)
    file.write(5_000, "CP1", True, '[2,"a","Heartbeat",{}]')
    file.write(4_000, "CP1", False, '[3,"a",{}]')
    file.write(6_000, "CP1", False, '[3,"a",{}]')
    file.close()
    assert [row.label for row in read_recording(path)] == ["Heartbeat", "Heartbeat", "(answer to nothing)"]


GOOD: dict[str, Any] = {"at": "2026-06-01T08:00:00.000Z", "station": "CP1", "direction": "in", "frame": [3, "a", {}]}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "this is not JSON"),
        ("[]", "this is not an object"),
        ("\udcff", "this is not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "frame"}), "'frame' is missing"),
        (json.dumps(GOOD | {"station": 7}), "'station' is 7"),
        (json.dumps(GOOD | {"direction": "up"}), "'direction' is \"up\", neither 'out' nor 'in'"),
        (json.dumps(GOOD | {"at": "yesterday"}), "'yesterday' is not a time"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(f"{json.dumps(GOOD)}\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert "line 2: " in str(caught.value) and words in str(caught.value)
    assert show(str(path)) == 2
    assert "line 2: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "frame", ["text", 7, None, [], [2], ["2", "a"], [True, "a", {}], [3, "a"], [9, "a", "b", {}], {}]
)
def test_a_frame_that_is_no_message_is_shown_as_such(tmp_path: Path, frame: object) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_text(json.dumps(GOOD | {"frame": frame}) + "\n")
    assert [row.kind for row in read_recording(path)] == ["other"]


def test_a_line_that_is_still_being_written_is_left_out(recording: Path) -> None:
    with recording.open("a") as file:
        file.write('{"at":"2026-06-01T08')
    assert len(read_recording(recording)) == len(STORY)


@pytest.mark.parametrize("arguments", [[], ["--out", "nowhere.png"]])
def test_no_file_no_message_no_form(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert show(str(empty), *arguments) == 2
    assert show(str(tmp_path / "missing.jsonl"), *arguments) == 2
    assert capsys.readouterr().err.count("station-sim show: ") == 2


def test_the_command(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(str(recording), "--action", "Reset", "--width", "90") == 0
    told = capsys.readouterr().out
    assert "Reset type=Hard" in told and "CALLERROR InternalError" in told and "Boot" not in told and "\x1b" not in told
    assert show(str(recording), "--action", "Authorize") == 1
    assert "actions there: (no OCPP message), BootNotification" in capsys.readouterr().err
    for name, begin in (("story.svg", "<svg"), ("story.html", "<!doctype html>")):
        assert show(str(recording), "--out", str(tmp_path / name)) == 0
        assert (tmp_path / name).read_text().startswith(begin)


def test_the_drawing_is_xml_with_an_arrow_for_each_message(recording: Path) -> None:
    rows = read_recording(recording)
    root = ElementTree.fromstring(svg(rows))
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    assert len(groups) == len(rows)
    assert any("the <relay> hangs" in "".join(group.itertext()) for group in groups)
    assert "<relay>" not in page(rows) and page(rows).count("the &lt;relay&gt; hangs") == 3


def test_long_names_and_messages_are_cut() -> None:
    row = Row("2026-06-01T08:00:00.000Z", "S" * 80, True, "call", "DataTransfer", "x" * 500, "x" * 500)
    told = lines([row], 80)
    assert len(told[-1]) == 80 and "…" in told[-1] and len(told[0]) == 80
