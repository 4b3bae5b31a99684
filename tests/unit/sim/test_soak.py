"""The soak and its report: what is counted, what never came is said, and where a promise breaks it ends with a file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hal.marks import SITUATIONS
from sim import plan, soak
from sim.checkers.all import every
from sim.cli import main
from sim.faults import way, ways
from sim.runs import Outcome
from sim.soak import Report, text
from sim.swarm import draw

SEEDS = 12


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of some seeds on one processor, as a program reads it."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **how: said.append(" ".join(map(str, words))))
        out = str(tmp_path_factory.mktemp("soak"))
        assert main(["soak", "--seeds", str(SEEDS), "--seed", "1", "--jobs", "1", "--json", "--out", out]) == 0
    return msgspec.json.decode(said[-1], type=Report)


def test_everything_that_there_is_stands_in_the_report_whether_it_came_or_not(report: Report) -> None:
    assert set(report.faults) == set(ways())
    assert set(report.armed) == {checker.name for checker in every()}
    assert set(report.situations) == set(SITUATIONS)
    assert not all(report.faults.values())
    assert not all(report.situations.values())


def test_what_came_is_counted(report: Report) -> None:
    assert report.seeds == SEEDS
    assert report.years > 0
    assert report.sessions > 0
    drawn = [way(fault) for seed in range(1, SEEDS + 1) for fault in draw(seed).faults]
    began = [name for name, count in report.faults.items() for _ in range(count)]
    assert len(drawn) / 2 < len(began) <= len(drawn)  # some befall nobody
    assert report.armed["nothing raises"] > 1000
    assert [slow.cpu_s for slow in report.slowest] == sorted((slow.cpu_s for slow in report.slowest), reverse=True)
    assert {slow.seed for slow in report.slowest} < set(range(1, SEEDS + 1))


def test_people_read_what_came_and_what_never_did(report: Report) -> None:
    told = text(report)
    assert told.startswith("12 seeds from 1 in ")
    assert "\nslowest: seed " in told
    for counts, never in (
        (report.faults, "never injected: "),
        (report.armed, "never armed: "),
        (report.situations, "never reached: "),
    ):
        [line] = [line for line in told.splitlines() if line.startswith(never)]
        missing = [name for name, count in counts.items() if not count]
        assert line.removeprefix(never) == (", ".join(sorted(missing)) or "none")
        for name, count in counts.items():
            assert (f"{count:,}  {name}\n" in told) is bool(count)
    assert told.endswith("no promise was broken")


def test_what_broke_is_told_with_its_seed_and_how_to_see_it() -> None:
    broke = Report(1, files=["out/abc.json"])
    broke.add(Outcome(7, promise="nothing raises", sentence="CP1: a step raised an exception", at_s=12.5), 0.1)
    told = text(broke)
    assert "BROKEN seed 7 at 12.5 s: nothing raises: CP1: a step raised an exception" in told
    assert told.endswith("  station-sim replay out/abc.json")
    assert "no promise was broken" not in told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--jobs", "0"], "--jobs 0: from 1 to 256"),
        (["--jobs", "1000000"], "--jobs 1000000: from 1 to 256"),
        (["--seconds", "0"], "--seconds 0: above 0"),
        (["--seconds", "nan"], "--seconds nan: above 0"),
        (["--seeds", "-1"], "--seeds -1: 1 or more, or 0 to go by time"),
    ],
)
def test_a_call_that_makes_no_sense(
    wrong: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["soak", *wrong, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"station-sim soak: {told}\n"


def test_of_what_broke_each_promise_is_written_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = Report(1, violations=[Outcome(seed, promise="AAAAAAAB"[seed]) for seed in range(8)])
    monkeypatch.setattr(soak, "_shrunk", lambda outcome, folder: folder / f"{outcome.seed}.json")
    soak._write(report, tmp_path)
    assert [Path(path).stem for path in report.files] == ["0", "7", "1", "2", "3"]


def test_a_folder_that_fails_in_the_end_loses_no_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(outcome: Outcome, folder: Path) -> Path:
        raise OSError(28, "No space left on device", str(folder))

    report = Report(1, violations=[Outcome(1, promise="A")])
    monkeypatch.setattr(soak, "_shrunk", full)
    soak._write(report, tmp_path)
    assert report.files == []
    assert capsys.readouterr().err == f"station-sim soak: {tmp_path}: No space left on device\n"


def test_a_fault_is_named_by_its_kind_and_how() -> None:
    assert way(plan.MeterFault(at_s=0, how="nan")) == "meter.nan"
    assert way(plan.BoardFault(at_s=0, cause="under_voltage")) == "board.under_voltage"
    assert way(plan.LightsFault(at_s=0)) == "lights"
    assert len(ways()) == len(set(ways())) > 55
    assert {"meter.nan", "network.half_open", "power_cut", "program", "clock.drift"} <= set(ways())


def test_every_kind_and_way_is_drawn_by_the_swarm() -> None:
    drawn = {way(fault) for seed in range(1, 1500) for fault in draw(seed).faults}
    assert drawn == set(ways())


def test_a_folder_that_is_none_is_refused_before_the_hunt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["soak", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "is no folder that can be written to" in capsys.readouterr().err
