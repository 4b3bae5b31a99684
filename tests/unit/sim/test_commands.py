"""Commands: read from JSON and from words, refused with what was wrong and what is allowed, and all of them can be done."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import commands as cmd
from sim import plan
from sim.command_lines import convert, read, signature, usage
from sim.commands import COMMANDS, FAULTS, AnyCommand, BadCommand
from sim.executor import ANYWHERE, DO
from sim.live import why_not_live
from sim.profiles import PROFILES
from tools.make_commands import main as make_commands


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ('{"do":"plug"}', cmd.Plug()),
        ('{"id":7,"do":"plug","slot":2,"car":"i-miev"}', cmd.Plug(id=7, slot=2, car="i-miev")),
        ('{"id":"a","station":"CP2","do":"tap","card":"04A1"}', cmd.Tap(id="a", station="CP2", card="04A1")),
        ("plug 2 i-miev 80", cmd.Plug(slot=2, car="i-miev", soc_percent=80)),
        ("plug car=i-miev 2", cmd.Plug(slot=2, car="i-miev")),
        ("drive-off 1", cmd.DriveOff()),
        ("tap '04 A1' station=CP2", cmd.Tap(card="04 A1", station="CP2")),
        ("availability false 2", cmd.Availability(operative=False, slot=2)),
        ("wait 1 charging within_s=2.5", cmd.Wait(status="charging", within_s=2.5)),
        ("wait event=session-ended", cmd.Wait(event="session-ended")),
        ('{"do":"wait","online":false}', cmd.Wait(online=False)),
        ('{"do":"raise","fault":"lock","how":"jam"}', cmd.Raise(fault=plan.LockFault(at_s=0, how="jam"))),
        ("raise lock 2 jam", cmd.Raise(fault=plan.LockFault(at_s=0, slot=2, how="jam"))),
        ("raise network how=reset", cmd.Raise(fault=plan.NetworkFault(at_s=0, how="reset"))),
        ("raise board 1 temperature for_s=3", cmd.Raise(fault=plan.BoardFault(at_s=0, cause="temperature", for_s=3))),
        ("clear lock 1", cmd.Clear(fault="lock", slot=1)),
        ("quit", cmd.Quit()),
    ],
)
def test_lines_that_are_commands(line: str, command: AnyCommand) -> None:
    assert read(line) == command
    assert read(line.encode()) == command


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"do":"plg"}', ("'plg'", "'plug' perhaps", "tap, plug, unplug")),
        ("plg 1", ("'plg'", "'plug' perhaps")),
        ('{"slot":1}', ('"do" is missing', "tap, plug")),
        ('{"do":3}', ("3", "tap, plug")),
        ('{"do":"plug","slto":1}', ("'slto' is no part of plug", "'slot' perhaps", "rating_a")),
        ('{"do":"plug","slot":"x"}', ("slot: expected int, got str", "1 or more")),
        ('{"do":"plug","slot":0}', ("slot", "1 or more")),
        ('{"do":"plug","soc_percent":101}', ("soc_percent", "from 0 to 100")),
        ('{"do":"tap"}', ("card: is missing", "text")),
        ('{"do":"trigger","what":"joy"}', ("'joy'", "one of boot, heartbeat, meter, status")),
        ('{"do":"wait"}', ("one of status, event, sessions, online",)),
        ('{"do":"wait","status":"charging","sessions":1}', ("one of status, event, sessions, online",)),
        ('{"do":"wait","status":"chargin"}', ("'chargin'", "suspended_ev")),
        ('{"do":"wait","event":"sesion"}', ("'sesion'", "session-ended")),
        ('{"do":"raise"}', ('"fault" is missing', "reader, lock")),
        ('{"do":"raise","fault":"lok"}', ("'lok'", "'lock' perhaps")),
        ('{"do":"raise","fault":"lock","how":"jamm"}', ("'jamm'", "half, jam, lies, slow")),
        ('{"do":"raise","fault":"lock","hwo":"jam"}', ("'hwo' is no part of raise lock", "'how' perhaps")),
        ('{"do":"raise","fault":"lock","at_s":3}', ("'at_s' is no part",)),
        ('{"do":"tap","card":3}', ("card: expected str, got int",)),
        ('{"do":"plug"', ("no JSON",)),
        ("plug 1 a 2 3 4", ("'4' is too much", "help plug")),
        ("plug 'x", ("quotation",)),
        ("plug one", ("slot", "1 or more")),
    ],
)
def test_mistakes_are_told_with_what_is_allowed(line: str, words: tuple[str, ...]) -> None:
    with pytest.raises(BadCommand) as caught:
        read(line)
    for each in words:
        assert each in str(caught.value)


def test_a_mistake_keeps_its_id() -> None:
    with pytest.raises(BadCommand) as caught:
        read('{"id": 12, "do": "plug", "slot": "x"}')
    assert (caught.value.id, caught.value.do) == (12, "plug")


@given(st.one_of(st.text(), st.binary(), st.dictionaries(st.text(), st.integers()).map(msgspec.json.encode)))
def test_whatever_comes_is_a_command_or_a_sentence(line: str | bytes) -> None:
    try:
        assert isinstance(read(line), cmd.Command)
    except BadCommand as bad:
        assert str(bad)


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.dictionaries(st.sampled_from(["slot", "card", "how", "fault", "id"]), st.integers() | st.text()),
)
def test_whatever_members_come_too(do: str, members: dict[str, Any]) -> None:
    try:
        command = convert({"do": do, **members})
    except BadCommand as bad:
        assert str(bad)
    else:
        assert type(command) is COMMANDS[do]


def test_the_table_of_doing_and_the_union_agree() -> None:
    assert set(DO) == set(get_args(AnyCommand)) == set(COMMANDS.values())
    assert set(ANYWHERE) <= set(DO)


def test_every_fault_of_a_plan_can_be_asked_for() -> None:
    assert set(FAULTS.values()) == set(get_args(plan.AnyFault))
    for name in FAULTS:
        command = read(f"raise {name}")
        assert isinstance(command, cmd.Raise)
        assert command.fault == FAULTS[name](at_s=0)


def test_what_cannot_be_had_live_says_why() -> None:
    asked = {name: read(f"raise {name}") for name in FAULTS}
    refused = {name for name, one in asked.items() if isinstance(one, cmd.Raise) and why_not_live(one.fault)}
    assert refused == {"clock", "disk", "csms", "program"}
    assert "refuse and reset" in why_not_live(plan.NetworkFault(at_s=0, how="stall"))
    assert "simulated world" in why_not_live(plan.PowerCut(at_s=0, effect=3))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_teaches_every_command(name: str) -> None:
    first, *rest = usage(name)
    assert first.endswith(".") and len(first) > 10
    told = "\n".join(rest)
    for field in COMMANDS[name].__struct_fields__:
        if field not in ("id", "station") and (name, field) != ("raise", "fault"):
            assert f"  {field}: " in told, f"{name} {field}"


def test_help_tells_what_there_is() -> None:
    assert [line.split()[0] for line in usage()] == list(COMMANDS)
    assert all(any(line.startswith(f"  {fault}: ") for line in usage("raise")) for fault in FAULTS)
    assert "jam" in "\n".join(usage("lock"))
    with pytest.raises(BadCommand, match="'plug' perhaps"):
        usage("plugg")


def test_a_signature_is_in_words() -> None:
    assert signature(cmd.Wait)["within_s"] == "a number above 0"
    assert signature(cmd.Wait)["online"] == "true or false"
    assert signature(cmd.Trigger)["what"] == "one of boot, heartbeat, meter, status"


def test_the_car_that_is_plugged_without_a_name_is_there() -> None:
    assert plan.Plug(at_s=0).car in PROFILES and "zoe-r110" in PROFILES


def test_the_page_of_commands_is_up_to_date() -> None:
    assert make_commands(["--check"]) == 0
