"""`station-sim run --plan`: plans in real time against a CSMS, and what is told of their expectations."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sim import live_plan
from sim.csms.server import Csms
from sim.plan import Plan, Plug, Tap
from tests.interop.running import against, run, start

pytestmark = pytest.mark.interop

PLANS = Path(__file__).parents[2] / "plans"


@pytest.mark.slow
def test_the_plans_made_for_it_are_played_live(tmp_path: Path) -> None:
    """The same files as in the world, side by side against one CSMS, and its books agree."""
    report = tmp_path / "report.xml"

    async def play(csms: Csms) -> None:
        smoke, lost = await asyncio.gather(
            run("--id", "CP1", "--plan", str(PLANS / "smoke-test.yaml"), "--quiet", url=csms.url),
            run(
                *("--id", "CP2", "--plan", str(PLANS / "lost-connection.yaml"), "--quiet"),
                *("--report", "junit", "--report-file", str(report)),
                url=csms.url,
            ),
        )
        assert (smoke.status, smoke.err) == (0, "") and smoke.out.endswith("1 run, 7 expectations: 7 met\n"), smoke.out
        assert "people  tap card 04A1B2C3" in smoke.out and "power   slot 1 energised" in smoke.out
        assert (lost.status, lost.out) == (0, ""), report.read_text()

    csms = against(play)
    assert {one.start.station: one.stop.reason for one in csms.books.transactions if one.stop} == {
        "CP1": "Local",
        "CP2": "Local",
    }
    root = ElementTree.parse(report).getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("6", "0")


SHORT = """\
for_s: 4
shape: {stations: [tethered-11kw, tethered-11kw], settings: {light_percent: 50}}
actions:
  - {do: plug, at_s: 1, station: 1, car: model-3-lr}
expect:
  - {that: status, station: 1, slot: 1, status: Preparing, by_s: 3}
  - {that: status, name: it charges, station: 1, slot: 1, status: Charging}
  - {that: message, station: 0, action: StatusNotification, payload: {connectorId: 2}, count: 0}
"""


def test_chargers_that_are_not_in_the_plan_are_named() -> None:
    made = Plan(actions=(Plug(at_s=1), Tap(at_s=2, station=2, card="A")))
    ids = [f"CP{number}" for number in range(1, 6)]
    assert live_plan.beside(made, ids) == "the plan is about CP1, CP3; 3 of 5 chargers connect and do nothing else"
    assert live_plan.beside(Plan(), ids) == "the plan is about no charger; 5 of 5 chargers connect and do nothing else"
    assert live_plan.beside(Plan(actions=(Plug(at_s=1),)), ["CP1"]) == ""


def test_what_is_not_met_makes_the_status_and_stands_in_the_report(tmp_path: Path) -> None:
    """Stations, template and settings are those of the plan; with --json the report is one more line."""
    (tmp_path / "p.yaml").write_text(SHORT)

    async def play(csms: Csms) -> None:
        done = await run("--plan", str(tmp_path / "p.yaml"), "--json", url=csms.url)
        assert done.status == 1
        told = done.lines[-1]
        assert told["passed"] is False
        (one,) = told["runs"]
        assert [case["result"] for case in one["expectations"]] == ["passed", "failed", "passed"]
        assert one["expectations"][1]["instead"].startswith("it was Available at 0.")
        assert sorted(csms.books.station("CP2").statuses) == [0, 1]

    against(play)


def test_what_was_not_played_is_skipped_and_told(tmp_path: Path) -> None:
    later = "actions:\n  - {do: tap, at_s: 500, station: 1, card: A}\n"
    (tmp_path / "p.yaml").write_text(SHORT.replace("for_s: 4", "for_s: 600").replace("actions:\n", later))

    async def play(csms: Csms) -> None:
        process = await start("--plan", str(tmp_path / "p.yaml"), "--quiet", url=csms.url)
        await csms.until(lambda books: books.counts["status"] >= 5)
        await asyncio.sleep(3)
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 1
        lines = [line.strip() for line in out.decode().splitlines()]
        assert any(line.startswith("skipped it charges: the run ended at ") for line in lines)
        assert any(line.startswith("ok      station 1 slot 1 is Preparing") for line in lines)
        assert any("people  plug" in line for line in lines) and not any("people  tap" in line for line in lines)

    against(play)


@pytest.mark.parametrize(
    ("text", "options", "what"),
    [
        ("faults: [{fault: disk, at_s: 1}]", (), "p.yaml:1: faults[0]: disk: the disk of this machine"),
        ("actions: [{do: plug, at_s: 1, slot: 3}]", (), "p.yaml:1: actions[0].slot: 3 is not there"),
        ("expect: [{that: power, station: 1}]", (), "p.yaml:1: expect[0].station: 1: there is only 0"),
        ("shape: {stations: [teth]}", (), "p.yaml:1: shape.stations[0]: there is no template 'teth'"),
        ("shape: {settings: {light: 1}}", (), "p.yaml:1: shape.settings.light: there is no such setting"),
        ("shape: {stations: [two-sockets-22kw, dc-150kw]}", (), "shape.stations: in one run all stations are"),
        ("for_s: 1", ("--report-file", "/no/where"), "/no/where: No such file"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_begins(
    text: str, options: tuple[str, ...], what: str, tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text(text)

    async def play(csms: Csms) -> None:
        done = await run("--plan", str(tmp_path / "p.yaml"), *options, url=csms.url)
        assert (done.status, done.out) == (2, "") and what in done.err
        assert csms.books.stations == {}

    against(play)


def test_a_report_needs_a_plan() -> None:
    async def play(csms: Csms) -> None:
        done = await run("--report", "json", url=csms.url)
        assert done.status == 2 and "it needs --plan" in done.err

    against(play)


def test_reports_of_programs(tmp_path: Path) -> None:
    """--report json into a file, beside the lines for people."""
    (tmp_path / "p.yaml").write_text("for_s: 2\nexpect: [{that: message, action: BootNotification}]\n")

    async def play(csms: Csms) -> None:
        file = tmp_path / "r.json"
        options = ("--plan", str(tmp_path / "p.yaml"), "--report", "json", "--report-file", str(file))
        done = await run(*options, url=csms.url)
        assert done.status == 0 and "expectations" not in done.out and "accepted" in done.out
        assert json.loads(file.read_text())["passed"] is True

    against(play)
