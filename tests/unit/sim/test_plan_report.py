"""Reports of plans: text, JSON, and JUnit XML as build servers read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

from sim.expect_judge import Verdict
from sim.expect_report import Played, as_json, as_junit, as_text, write

GOOD = Verdict(name="it charges", result="passed", expected="slot 1 is energised by 9 s", at_s=9)
BAD = Verdict(name="x is y", result="failed", expected="x is y", instead='it was "z" <&> \x00\x1b[31m', at_s=9)
NAMED = Verdict(name="a name", result="failed", expected="x is y", instead="it was z", at_s=9)
LATE = Verdict(name="later", result="skipped", expected="x", instead="the run ended at 3 s, before that")
RUNS = [
    Played(plan="a.yaml", seed=1, ran_s=60, real_s=0.5, verdicts=[GOOD], story=["0:00  boots"]),
    Played(plan="b.yaml", ran_s=3, real_s=3, verdicts=[GOOD, BAD, NAMED, LATE], story=["0:00  boots", "0:01  taps"]),
]

# Elements of the schema that Jenkins publishes (junit-10.xsd): the attributes that must and that may be there, and children.
SCHEMA: Final[dict[str, tuple[str, str, str]]] = {
    "testsuites": ("", "name time tests failures errors", "testsuite"),
    "testsuite": (
        "name tests failures errors",
        "time skipped timestamp hostname id package file",
        "properties testcase system-out system-err",
    ),
    "properties": ("", "", "property"),
    "property": ("name value", "", ""),
    "testcase": ("name", "time classname group", "skipped error failure system-out system-err"),
    "failure": ("", "type message", ""),
    "skipped": ("", "type message", ""),
}


def judged(element: ElementTree.Element) -> None:
    required, optional, children = (text.split() for text in SCHEMA[element.tag])
    assert set(required) <= set(element.attrib) <= {*required, *optional}, element.tag
    for child in element:
        assert child.tag in children, child.tag
        judged(child)


def test_junit_is_what_build_servers_read() -> None:
    """By the schema; counts and times are those of the cases; nothing that XML forbids."""
    root = ElementTree.fromstring(as_junit(RUNS))
    judged(root)
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["time"]) == ("5", "2", "3.500")
    one, other = root
    assert one.attrib["name"] == "a.yaml (seed 1)" and other.attrib["skipped"] == "1"
    assert {p.attrib["name"]: p.attrib["value"] for p in one.iter("property")} == {"ran_s": "60", "seed": "1"}
    cases = list(other.iter("testcase"))
    assert [case.attrib["name"] for case in cases] == ["it charges", "x is y", "a name", "later"]
    assert sum(float(case.attrib["time"]) for case in cases) == float(other.attrib["time"]) == 3
    failure = cases[1].find("failure")
    assert failure is not None and failure.attrib["message"] == 'expected: x is y; it was "z" <&> ??[31m'
    assert failure.text is not None and "0:01  taps" in failure.text
    assert cases[0].find("failure") is None and cases[3].find("skipped") is not None


def test_json_is_one_line_for_programs() -> None:
    (line,) = as_json(RUNS).splitlines()
    told = json.loads(line)
    assert told["passed"] is False and [run["passed"] for run in told["runs"]] == [True, False]
    assert told["runs"][0]["seed"] == 1 and "seed" not in told["runs"][1]
    failed = told["runs"][1]["expectations"][2]
    assert failed == {"name": "a name", "result": "failed", "expected": "x is y", "instead": "it was z", "at_s": 9}


def test_text_says_each_thing_once() -> None:
    lines = as_text(RUNS).splitlines()
    assert lines[:3] == ["a.yaml (seed 1): 60 s", "  0:00  boots", "  ok      it charges"]
    assert "  FAILED  a name: expected: x is y; it was z" in lines
    assert any(line.startswith("  FAILED  x is y: it was ") for line in lines)
    assert "  skipped later: the run ended at 3 s, before that" in lines
    assert lines[-1] == "2 runs, 5 expectations: 2 met, 2 failed, 1 skipped"


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_a_report_in_a_file(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(RUNS, form, tmp_path / "r")  # type: ignore[arg-type]  # a parameter
    write(RUNS, form, None)  # type: ignore[arg-type]
    assert (tmp_path / "r").read_text() == capsys.readouterr().out != ""
