"""Files of plans: what YAML and JSON come to, and what people are told of their mistakes."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from sim import cli, expect, live_plan, plan, plan_file
from sim.plan_check import checked, load, messages
from sim.plan_file import ACTIONS, ANYTHING, EXPECTATIONS, FAULTS, BadPlan, read
from station.words.events import KINDS
from tools import make_plan_schema

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.yaml"))

RUSH: dict[str, Any] = {
    "for_s": 60,
    "shape": {"settings": {"sample_interval_s": 10, "cache_enabled": True}},
    "actions": [
        {"do": "plug", "at_s": 1, "slot": 2},
        {"do": "tap", "at_s": 2, "card": "04112233"},
        {"do": "command", "at_s": 3, "action": "Reset", "payload": {"n": 1, "t": "1", "b": True, "x": None, "f": 1.5}},
    ],
    "faults": [{"fault": "lock", "at_s": 3, "for_s": 2}, {"fault": "network", "how": "401", "at_s": 9, "for_s": 1}],
    "expect": [{"that": "power", "slot": 2, "energised": False, "at_s": 60}],
}
AS_YAML = """\
for_s: 60
shape: {settings: {sample_interval_s: 10, cache_enabled: true}}
actions:
- {do: plug, at_s: 1, slot: 2}
- {do: tap, at_s: 2, card: 04112233}
- {do: command, at_s: 3, action: Reset, payload: {n: 1, t: "1", b: true, x: null, f: 1.5}}
faults:
- {fault: lock, at_s: 3, for_s: 2}
- {fault: network, how: 401, at_s: 9, for_s: 1}
expect:
- {that: power, slot: 2, energised: false, at_s: 60}
"""


def written(folder: Path, text: str, name: str = "p.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def told(folder: Path, text: str, name: str = "p.yaml") -> list[str]:
    """The mistakes of a file that is no plan."""
    with pytest.raises(BadPlan) as caught:
        load(written(folder, text, name))
    return [line.removeprefix(f"{folder / name}:").strip() for line in str(caught.value).splitlines()]


# --- what is read -----------------------------------------------------------------------------------------------------


def test_yaml_and_json_are_the_same_plan(tmp_path: Path) -> None:
    """In YAML a value is what its place asks for: cards and 401 are texts; a payload has numbers, texts, true and null."""
    one = load(written(tmp_path, json.dumps(RUSH), "p.json"))
    assert one == load(written(tmp_path, AS_YAML))
    assert one.actions[1] == plan.Tap(at_s=2, card="04112233")
    assert one.shape.settings == {"sample_interval_s": "10", "cache_enabled": "true"}
    assert one.expect == (expect.Power(slot=2, energised=False, at_s=60),)


def test_a_plan_survives_json(tmp_path: Path) -> None:
    one = load(written(tmp_path, AS_YAML))
    assert plan.from_json(plan.to_json(one)) == one


def test_names_stand_for_what_there_is() -> None:
    """The types of events are those that are published, and anything may stand only where a member is of any type."""
    assert {f"{word}.v1" for word in typing.get_args(expect.EventWord)} == set(KINDS)
    kinds = [*ACTIONS.values(), *FAULTS.values(), *EXPECTATIONS.values()]
    free = {f.name for kind in kinds for f in msgspec.structs.fields(kind) if "Any" in str(f.type)}
    assert free == set(ANYTHING)
    assert "StartTransaction" in messages() and not any(name.endswith("Response") for name in messages())


# --- mistakes ---------------------------------------------------------------------------------------------------------

BAD = """\
for_s: 60
shape:
  stations: [two-socket-22kw]
  version: 2.0.1
  settings: {sample_intervall_s: 10, light_percent: 300}
actions:
  - {do: plugg, at_s: 1}
  - {do: plug, at_s: 1, slot: x, sloot: 2}
  - do: tap
    at_s: 5
  - tap
faults:
  - {fault: lock, how: jamm, at_s: 2}
  - {at_s: 2}
expect:
  - {that: status, status: charging}
foo: 1
"""


def test_every_mistake_is_told_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    expected = [
        (3, "shape.stations[0]", "'two-sockets-22kw' perhaps; there are two-sockets-22kw, tethered-11kw"),
        (4, "shape.version", "there is 1.6"),
        (5, "shape.settings.sample_intervall_s", "'sample_interval_s' perhaps; there are"),
        (5, "shape.settings.light_percent", "'300' is not a whole number from 0 to 100"),
        (7, "actions[0].do", "there is no 'plugg'; 'plug' perhaps; there are tap, plug"),
        (8, "actions[1].sloot", "'slot' perhaps; allowed are slot, car"),
        (8, "actions[1].slot", "'x' is not a whole number"),
        (9, "actions[2]", "'card' is missing; it is text"),
        (11, "actions[3]", "'tap', not a mapping"),
        (13, "faults[0].how", "'jamm' is not one of half, jam, lies, slow; 'jam' perhaps"),
        (14, "faults[1]", "'fault' is missing; it is one of reader, lock"),
        (16, "expect[0].status", "'Charging' perhaps"),
        (17, "foo", "allowed are for_s, shape, actions, faults, expect"),
    ]
    lines = told(tmp_path, BAD)
    assert len(lines) == len(expected)
    for line, (number, path, what) in zip(lines, expected, strict=True):
        assert line.startswith(f"{number}: {path}: ") and what in line


@pytest.mark.parametrize(
    ("item", "path", "what"),
    [
        ("actions: [{do: plug, at_s: 61}]", "actions[0].at_s", "61 s is after the end of the plan, 60 s"),
        ("actions: [{do: plug, at_s: 1, slot: 3}]", "actions[0].slot", "this station has 1 to 2"),
        ("actions: [{do: acknowledge, at_s: 1, slot: -1}]", "actions[0].slot", "this station has 0 to 2"),
        ("actions: [{do: plug, at_s: 1, station: 1}]", "actions[0].station", "there is only 0"),
        ("actions: [{do: plug, at_s: 1, station: -1}]", "actions[0].station", "there is only 0"),
        ("actions: [{do: plug, at_s: 1, car: zoe-r11}]", "actions[0].car", "'zoe-r110' perhaps; there are zoe-r110"),
        ("faults: [{fault: lights, at_s: 61, for_s: 1}]", "faults[0].at_s", "after the end"),
        ("faults: [{fault: csms, action: Reser, at_s: 1, for_s: 1}]", "faults[0].action", "'Reset' perhaps"),
        ("expect: [{that: power, by_s: 61}]", "expect[0].by_s", "after the end"),
        ("expect: [{that: power, from_s: 9, by_s: 8}]", "expect[0].by_s", "8 s is before 'from_s', 9 s"),
        ("expect: [{that: power, at_s: 9, by_s: 9}]", "expect[0].at_s", "is one moment"),
        ("expect: [{that: power, at_s: 9, never: true}]", "expect[0].never", "not of the moment"),
        ("expect: [{that: power, slot: 0}]", "expect[0].slot", "'0' is not a whole number, 1 or more"),
        ("expect: [{that: offer}]", "expect[0]", "'at_most_a' or 'at_least_a' is missing"),
        ("expect: [{that: event, type: faulted, count: 1, at_most: 2}]", "expect[0].count", "without 'at_least'"),
        ("expect: [{that: event, type: faulted, at_least: 3, at_most: 2}]", "expect[0].at_most", "less than"),
        ("expect: [{that: message, action: Hartbeat}]", "expect[0].action", "'Heartbeat' perhaps"),
        ("expect: [{that: order, actions: [Reset, Reseet]}]", "expect[0].actions[1]", "'Reset' perhaps"),
        ("actions: 3", "actions", "is '3', not a list"),
        ("shape: 3", "shape", "is '3', not a mapping"),
        ("for_s: 3", "for_s", "stands here twice"),
    ],
)
def test_what_cannot_be(item: str, path: str, what: str, tmp_path: Path) -> None:
    (line,) = told(tmp_path, f"for_s: 60\n{item}\n")
    assert line.startswith(f"2: {path}: ") and what in line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "there is nothing in it"),
        ("3", "not a mapping"),
        ("a: [", "this is no YAML"),
        ("\tfor_s: 3", "this is no YAML"),
        ("&a [*a]", "nested too deeply"),
        (
            "for_s: 1\n---\nfor_s: 2",
            "2: this is no YAML: expected a single document in the stream but found another document",
        ),
        ("actions: " + "[" * 3000, "nested too deeply"),
        ("\x01", "this is no text"),
        ("for_s: 1\n# " + "x" * 1_000_000, "1,000,011 bytes; a plan in YAML has at most 1,000,000"),
    ],
)
def test_what_is_no_yaml(text: str, what: str, tmp_path: Path) -> None:
    (line,) = told(tmp_path, text)
    assert what in line


def test_much_made_of_little_is_refused(tmp_path: Path) -> None:
    """Nine lists of ten aliases each would be a thousand million values."""
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    (line,) = told(tmp_path, "\n".join(lines))
    assert "more than 200,000 values" in line


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"actions":[{"do":"fly","at_s":1}]}', '{"for_s":"3"}', '{"a":\xff}'])
def test_json_is_held_to_its_types(text: str, tmp_path: Path) -> None:
    assert len(told(tmp_path, text, "p.json")) == 1


def test_json_tells_the_line_and_is_not_too_deep(tmp_path: Path) -> None:
    assert told(tmp_path, '{"for_s": 1,\n "actions": [}', "p.json")[0].startswith("2: this is no JSON: ")
    assert told(tmp_path, '{"actions":' + "[" * 100_000, "p.json") == ["nested too deeply"]


def test_aliases_and_merges(tmp_path: Path) -> None:
    text = """\
actions:
- &tap {do: tap, at_s: 1, card: A}
- *tap
- {<<: *tap, at_s: 5}
- {at_s: 6, <<: [{at_s: 7, card: B}, *tap]}
"""
    taps = [(1, "A"), (1, "A"), (5, "A"), (6, "B")]
    assert load(written(tmp_path, text)).actions == tuple(plan.Tap(at_s=at, card=card) for at, card in taps)
    (line,) = told(tmp_path, "actions: [{<<: 5, do: press_stop, at_s: 1}]")
    assert line == "1: actions[0].<<: takes the alias of a mapping, or a list of them"


def test_by_how_much_a_clock_is_wrong_is_no_time_of_the_plan(tmp_path: Path) -> None:
    made = load(written(tmp_path, "for_s: 60\nfaults: [{fault: clock, at_s: 5, by_s: 7200}]"))
    assert made.faults == (plan.ClockFault(at_s=5, by_s=7200),)


def test_a_counterexample_is_told_what_it_is(tmp_path: Path) -> None:
    old = next((Path(__file__).parents[3] / "tests" / "regressions").glob("*.json"))
    (mistake,) = read(old).mistakes
    assert "station-sim replay" in mistake.what


def test_a_warning_stops_nobody(tmp_path: Path) -> None:
    text = "for_s: 9\nactions: [{do: command, at_s: 1, action: Foo}]\nfaults: [{fault: lights, at_s: 6, for_s: 100}]\n"
    source = checked(read(written(tmp_path, text)))
    assert source.plan is not None
    assert [(one.path, one.level) for one in source.found] == [
        ("actions[0].action", "warning"),
        ("faults[0].for_s", "warning"),
    ]


# --- live -------------------------------------------------------------------------------------------------------------


def test_faults_that_come_to_nothing_or_lie_over_each_other_are_told(tmp_path: Path) -> None:
    text = """\
for_s: 100
faults:
- {fault: lock, at_s: 1, for_s: 50}
- {fault: lock, at_s: 10, for_s: 10, how: slow}
- {fault: lock, at_s: 10, for_s: 10, slot: 2}
- {fault: lock, at_s: 51, for_s: 5}
- {fault: network, at_s: 10}
- {fault: network, at_s: 10, how: reset}
- {fault: clock, at_s: 10}
"""
    source = checked(read(written(tmp_path, text)))
    assert source.plan is not None
    assert [(mistake.line, mistake.level, mistake.what) for mistake in source.found] == [
        (4, "warning", "lies over faults[0], which befalls the same thing: while both last this one has its way"),
        (7, "warning", "lasts but a moment: 'for_s' says for how long"),
    ]


def test_what_cannot_be_had_live_is_told_before_anything_begins(tmp_path: Path) -> None:
    text = """\
actions:
  - {do: tap, at_s: 0, card: x, station: 3}
  - {do: plug, at_s: 0, slot: 9}
  - {do: command, at_s: 0, action: Reset}
  - {do: tap, at_s: 0, card: fine}
faults:
  - {fault: clock, at_s: 0}
  - {fault: lock, at_s: 0, for_s: 1}
  - {fault: network, at_s: 0, for_s: 1, how: 401}
"""
    with pytest.raises(BadPlan) as caught:
        live_plan.check(read(written(tmp_path, text)), 2, 2)
    lines = [line.split(": ", 2) for line in str(caught.value).splitlines()]
    assert [path for _, path, _ in lines] == [
        "actions[0].station", "actions[1].slot", "actions[2]", "faults[0]", "faults[2]"
    ]  # fmt: skip
    assert "there are 0 to 1" in lines[0][2] and "1 to 2" in lines[1][2] and "the CSMS is yours" in lines[2][2]


def test_live_the_stations_are_those_of_the_options(tmp_path: Path) -> None:
    path = written(tmp_path, "actions: [{do: plug, at_s: 1, slot: 4}]\n")
    assert live_plan.check(read(path), 1, 4).actions == (plan.Plug(at_s=1, slot=4),)


# --- commands and generated files -------------------------------------------------------------------------------------


def test_check_tells_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine, bad = written(tmp_path, AS_YAML), written(tmp_path, "for_s: x\n", "bad.yaml")
    assert cli.main(["plan", "check", str(fine)]) == 0
    out = capsys.readouterr().out
    assert "fine: 3 actions, 2 faults, 1 expectation in 60 s; it cannot be played live:" in out
    assert "actions[2]: the CSMS is yours" in out and "faults[1]: network: '401'" in out
    assert cli.main(["plan", "check", str(fine), str(bad)]) == 1
    assert f"{bad}:1: for_s: 'x' is not a number" in capsys.readouterr().err
    assert cli.main(["plan", "check", str(tmp_path / "none.yaml")]) == 2


def test_check_tells_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine, bad = written(tmp_path, AS_YAML), written(tmp_path, "\nfor_s: x\n", "bad.yaml")
    assert cli.main(["plan", "check", "--json", str(fine), str(bad)]) == 1
    one, other = json.loads(capsys.readouterr().out)
    assert one["ok"] and [item["path"] for item in one["live"]] == ["actions[2]", "faults[1]"]
    assert not other["ok"] and "live" not in other
    assert other["mistakes"][0] | {"what": ""} == {"path": "for_s", "line": 2, "level": "error", "what": ""}


def test_the_schema_is_printed_and_as_strict_as_the_reader(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(RUSH)
    for wrong in ({"foo": 1}, {"actions": [{"do": "fly", "at_s": 1}]}, {"expect": [{"that": "power", "slot": 0}]}):
        assert not validator.is_valid(wrong)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_an_editor_takes_the_plans_that_are_here(path: Path) -> None:
    schema = json.loads((make_plan_schema.FOLDER / "plan.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_the_reference_names_everything() -> None:
    page = make_plan_schema.page()
    for name in (*ACTIONS, *FAULTS, *EXPECTATIONS):
        assert f"| `{name}` |" in page
    assert "× `how` stall, half_open" in page


def test_the_generated_files_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_plan_schema, "FOLDER", tmp_path)
    assert make_plan_schema.main(["--check"]) == 1
    assert make_plan_schema.main([]) == 0 and make_plan_schema.main(["--check"]) == 0
    (tmp_path / "plans.md").write_text("old")
    assert make_plan_schema.main(["--check"]) == 1


def test_places_are_spelt() -> None:
    assert plan_file.spelt(("actions", 3, "slot")) == "actions[3].slot" and plan_file.spelt(()) == ""
