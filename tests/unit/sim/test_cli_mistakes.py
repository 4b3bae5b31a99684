"""Mistakes that people make with `station-sim`: a sentence that says what is wrong, an exit status, and never a traceback."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sim import options, plan_file, replay, show, world_cli
from sim.cli import main
from sim.command_lines import checked
from sim.commands import AnyCommand, BadCommand, Plug, Raise, Tap, Wait
from sim.csms.bookfile import BookFile
from sim.csms.books import BooksError, Note, read_events
from sim.csms.control import Behaviour
from sim.expect_report import Played
from sim.frames import FrameFile
from sim.options import doubt
from sim.plan import LockFault, Plan
from sim.runs import load
from sim.trace import Line

FULL = Path("/dev/full")
CSMS, URL = ("csms", "--port", "0"), ("--csms", "ws://127.0.0.1:1")
SHORT = "for_s: 5\nexpect:\n  - {that: status, slot: 0, status: Available}\n"


def status(*words: str) -> int | str | None:
    """Of the command, whether it returns or exits."""
    try:
        return main(list(words))
    except SystemExit as end:
        return end.code


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert status() == 2
    assert "station-sim COMMAND --help" in capsys.readouterr().err


def test_an_identity_that_a_later_version_forbids_is_only_remarked_on() -> None:
    assert doubt(["CP1", "Säule 1"]).startswith("'Säule 1': an identity is made of")
    assert "1 to 48 characters, this has 49" in doubt(["a" * 49])
    assert doubt(["RDAM|123", "a" * 48]) == ""


def test_it_has_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--version") == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rnu",), "'run' perhaps"),
        (("run", *URL, "--template", "dc-150"), "'dc-150kw' perhaps"),
        (("run", *URL, "--ramp", "-1"), "--ramp -1"),
        (("run", *URL, "--connect-within", "0"), "--connect-within 0"),
        (("run", *URL, "--connect-within", "nan"), "--connect-within nan"),
        (("run", *URL, "--commands", "."), "this is a folder"),
        (("run", *URL, "--password-file", os.devnull), "it is empty"),
        (("run", *URL, "--password", ""), "--password: it is empty"),
        (("run", *URL, "--count", "20", "--serial", "s" * 25), "would have more than 25 characters"),
        (("run", "--csms", "wss://127.0.0.1:1", "--ca", os.devnull + "x"), "there is no such file"),
        (("run", "--csms", "wss://127.0.0.1:1", "--ca", __file__), f"{__file__}: cannot be loaded, PEM is needed"),
        (("run", "--csms", "wss://127.0.0.1:1", "--cert", __file__, "--key", __file__), "keys without a passphrase"),
        (("run", *URL, "--card", "A", "--quite"), "'--quiet' perhaps\nstation-sim run --help"),
        (("run", *URL, "--set", "help"), "heartbeat_interval_s: a whole number"),
        (("run", *URL, "--set", "heartbeat_interval=1"), "'heartbeat_interval_s' perhaps"),
        (("run", *URL, "--frames", "Boot"), "OCPP 1.6 has no 'Boot'"),
        (("demo", "--frames", "hartbeat"), "'Heartbeat' perhaps"),
        (("demo", "--lose", "StopTransaction"), "ACTION:NTH"),
        (("demo", "--keep", "/dev/null/x"), "/dev/null/x"),
        (("demo", "--keep", __file__), "this is a file"),
        (("demo", "--speed", "0"), "station-sim demo: --speed 0: from 1 to 3600"),
        (("account", "--books", "nowhere.jsonl", "--meters", "x"), "station-sim account: nowhere.jsonl: No such file"),
        (("account", "--books", os.devnull, "--meters", __file__), f"{__file__}: is not what a demo writes"),
        (("demo", "--csms", "somewhere"), "neither ws:// nor wss://"),
        (("demo", *URL), "needs --epoch"),
        (("demo", *URL, "--epoch", "noon@noon"), "'noon'"),
        (("demo", *URL, "--lose", "StopTransaction:1"), "without --csms"),
        (("demo", "--epoch", "noon"), "needs --csms"),
        ((*CSMS, "--port", "65536"), "--port 65536"),
        ((*CSMS, "--speed", "0"), "--speed 0"),
        ((*CSMS, "--heartbeat", "-1"), "--heartbeat -1"),
        ((*CSMS, "--delay", "soon"), "SECONDS[:ACTION]"),
        ((*CSMS, "--delay", "-1"), "SECONDS[:ACTION]"),
        ((*CSMS, "--silent", "Hartbeat"), "'Heartbeat' perhaps"),
        ((*CSMS, "--lose", "StopTransaction:0"), "counted from 1"),
        ((*CSMS, "--password", "secret"), "ID:PW"),
        ((*CSMS, "--tls-cert", "nowhere.pem"), "nowhere.pem: there is no such file"),
        ((*CSMS, "--tls-key", "nowhere.pem"), "need --tls-cert"),
        ((*CSMS, "--tls-cert", __file__), f"--tls-cert {__file__}: no certificate (PEM) with its key"),
        ((*CSMS, "--registration", "pending:x"), "--registration pending:x"),
        ((*CSMS, "--registration", "pending:0"), "a whole number from 1"),
        ((*CSMS, "--epoch", "noon"), "--epoch noon"),
        ((*CSMS, "--known", ""), "--known: it is empty"),
        ((*CSMS, "--on-boot", ""), "--on-boot: it is empty"),
        ((*CSMS, "--on-boot", "brew {id}"), "--on-boot brew {id}"),
        ((*CSMS, "--on-boot", "get {idd}"), "'{idd}' is no station; {id} stands for"),
        ((*CSMS, "--on-boot", "reset {id} medium"), "'Medium' is not one of ['Hard', 'Soft']\n"),
        ((*CSMS, "--on-boot", "remote-start {id}"), "'idTag' is a required property"),
        ((*CSMS, "--on-boot", "unlock {id} one"), "connectorId is a whole number, not 'one'"),
        ((*CSMS, "--on-boot", 'get "'), "No closing quotation"),
        ((*CSMS, "--on-boot", '{"station": "{id}", "action": "Brew"}'), "OCPP 1.6 has no 'Brew'"),
        ((*CSMS, "--on-boot", '{"station'), "this is no JSON"),
        ((*CSMS, "--on-boot", "card A:nice"), "is no status of a card"),
        (("replay", "nowhere.json"), "nowhere.json: No such file"),
        (("replay", os.devnull), "is no counterexample"),
    ],
)
def test_a_wrong_call_is_told_in_a_sentence(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(*words) == 2
    err = capsys.readouterr().err
    assert told in err and "usage:" not in err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert status("csms", "--port", str(taken.getsockname()[1])) == 1
    assert "is taken" in capsys.readouterr().err


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_no_room_for_the_output(tmp_path: Path) -> None:
    recording = tmp_path / "frames.jsonl"
    record = FrameFile(recording)
    record.write(0, "CP1", True, '[2,"1","Heartbeat",{}]')
    record.close()
    with FULL.open("wb") as full:
        words = [sys.executable, "-m", "sim.cli", "show", str(recording)]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "station-sim show: No space left on device\n")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_no_room_for_the_recording_ends_it_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    record = FrameFile(FULL)
    record.write(0, "CP1", True, '[2,"1","Heartbeat",{}]')
    record.write(0, "CP1", False, '[3,"1",{}]')
    record.close()
    assert record.broken
    assert capsys.readouterr().err == "/dev/full: No space left on device; the recording ends here\n"


def test_what_is_no_book_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "precious.json"
    for text in ('{"precious": 1}', "two\nlines", '{"kind":1}\n{"ki'):
        file.write_text(text)
        with pytest.raises(BooksError, match=r"precious\.json"):
            BookFile(file).open()
        assert file.read_text() == text


def test_two_csms_do_not_write_the_same_books(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "books.jsonl"
    first = BookFile(file)
    first.open()
    first.append(Note(at="2026-06-01T08:00:00.000Z", what="opened"))
    assert status(*CSMS, "--books", str(file)) == 1
    assert f"{file}: another CSMS writes these books" in capsys.readouterr().err
    assert len(file.read_text().splitlines()) == 1
    first.close()
    second = BookFile(file)
    assert len(second.open()) == 1
    second.close()


def test_a_line_without_room_leaves_no_half_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, write = BookFile(tmp_path / "books.jsonl"), os.write
    book.open()
    note = Note(at="2026-06-01T08:00:00.000Z", what="opened")
    book.append(note)
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:10]))
    with pytest.raises(OSError, match="No space"):
        book.append(note)
    monkeypatch.undo()
    book.append(note)
    book.close()
    assert list(read_events(tmp_path / "books.jsonl")) == [note, note]


def test_more_connections_than_files_may_be_open() -> None:
    """In a process of its own: a limit once lowered does not come back."""
    code = (
        "import resource, sys\n"
        "from sim import open_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))\n"
        "open_files.allow(100)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "try:\n    open_files.allow(200)\n"
        "except ValueError as error:\n    print(error)\n"
        "open_files.allow_many()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, sentence, last = done.stdout.splitlines()
    assert (first, last) == ("164", "200")
    assert sentence.startswith("200 connections need 264 open files, and this system allows 200")


def test_a_line_that_was_cut_off_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "books.jsonl"
    book = BookFile(file)
    assert book.open() == []
    book.append(note := Note(at="2026-06-01T08:00:00.000Z", what="opened"))
    book.close()
    whole = file.read_bytes()
    for rest in (b"{", b'{"kind":', b'{"kind":"note","wh'):
        file.write_bytes(whole + rest)
        again = BookFile(file)
        assert again.open() == [note]
        again.close()
        assert file.read_bytes() == whole


def test_the_csms_is_silent_only_about_what_there_is() -> None:
    behaviour = Behaviour()
    behaviour.set_silent("*")
    behaviour.set_silent("Heartbeat")
    assert behaviour.silent == {"*", "Heartbeat"}
    with pytest.raises(ValueError, match="has no 'TransactionEvent'"):
        behaviour.set_silent("TransactionEvent")


def test_ctrl_c_in_a_long_run_leaves_what_was_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play, report = world_cli.play, tmp_path / "report.xml"

    def played(name: str, made: Plan, seed: int) -> Played:
        if seed == 3:
            raise KeyboardInterrupt
        return play(name, made, seed)

    monkeypatch.setattr(world_cli, "play", played)
    plan = tmp_path / "short.yaml"
    plan.write_text(SHORT)
    assert status("world", str(plan), "--seeds", "9", "--format", "junit", "--out", str(report)) == 130
    assert report.read_text().count("<testsuite ") == 2
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["story", "story.txt", "-"])
def test_a_plan_in_yaml_needs_no_suffix(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SHORT.encode())))
    else:
        (tmp_path / name).write_text(SHORT)
    made = plan_file.read(Path(name) if name == "-" else tmp_path / name).plan
    assert made is not None and made.for_s == 5


def test_commands_made_in_python_are_looked_at() -> None:
    wrong: list[AnyCommand] = [Tap(card=5), Plug(slot="1"), Wait(slot=1, status="chargin"), Tap(card="")]  # type: ignore[arg-type]
    for command in wrong:
        with pytest.raises(BadCommand):
            checked(command)
    for right in (Tap(card="04A1B2C3"), Wait(online=True, within_s=3), Raise(fault=LockFault(at_s=0, how="jam"))):
        assert checked(right) == right


def test_a_story_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    example = load(next(iter(sorted((Path(__file__).parents[2] / "regressions").glob("*.json")))))
    lines = [Line(0, "CP1", "link", '> [2,"1","Heartbeat",{"of": "' + "x" * 100 + '"}]')]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    replay.show(example, lines, step=False)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_diagram_is_never_wider_than_is_sensible() -> None:
    row = show.Row("2026-06-01T08:00:00.000Z", "CP1", True, "call", "Heartbeat", "", "")
    assert max(map(len, show.lines([row], 10**9))) <= show.WIDE


def test_errors_of_the_system_are_sentences() -> None:
    assert options.sentence(OSError(28, "No space left on device")) == "No space left on device"
    assert options.sentence(OSError(2, "No such file", "x")) == "x: No such file"
    assert options.sentence(OSError("odd")) == "odd"
