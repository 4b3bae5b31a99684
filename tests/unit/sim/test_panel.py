"""The live view as text: what is drawn of a snapshot at several widths, and what keys come to. Not here: a terminal (`test_view.py`)."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from sim import commands as cmd
from sim import plan
from sim.keyboard import HELP, HELP_FLEET, Keys, split
from sim.panel import CLASSES, Snapshot, Summary, render, spark
from sim.panel_app import Screen
from sim.panel_faults import PARTS, Menu, in_words
from sim.panel_messages import Message
from sim.panel_slot import lamp
from sim.view import CarView, SessionView, SlotView, StationView

NOON_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z
FREE = SlotView(
    slot=2,
    status="available",
    summary="available",
    why="power is off because no vehicle is connected",
    occupied=False,
    cable=False,
    lock="open",
    power_on=False,
    offered_a=None,
    limited_by="",
    register_wh=0,
    lamp="green steady",
    car=None,
    session=None,
    faults=(),
)
BUSY = msgspec.structs.replace(
    FREE,
    slot=1,
    status="charging",
    why="",
    occupied=True,
    power_on=True,
    cable=True,
    offered_a=16.0,
    limited_by="supply",
    lamp="blue breathe",
    car=CarView(name="zoe-r110", soc_percent=47, pilot="C", power_w=11_040),
    session=SessionView(
        id="s1", card="04A1B2C3", energy_wh=1200, drawn_wh=1234, started_ms=NOON_MS - 3_725_000, seconds=3725
    ),
)
VIEW = StationView(
    id="CP1",
    state="running",
    link=True,
    online=True,
    queue=3,
    next_attempt_s=None,
    network=True,
    lamp="off steady",
    faults=(),
    slots=(BUSY, FREE),
)
MESSAGES = (
    Message("11:59:58", True, "MeterValues", "call"),
    Message("11:59:59", False, "MeterValues", "result", 12),
    Message("11:59:59", False, "RemoteStartTransaction", "call"),
    Message("12:00:00", True, "RemoteStartTransaction", "error", 3),
)
SHOT = Snapshot(
    view=VIEW,
    utc_ms=NOON_MS,
    supply_a=63,
    card="04A1B2C3",
    car="zoe-r110",
    messages=MESSAGES,
    lines=("00:00:01 event     CP1 card-scanned",),
    curve=(0, 5_520, 11_040),
    told="tap: card=04A1B2C3",
)


def drawn(shot: Snapshot, width: int = 110, height: int = 40, colour: bool = False) -> str:
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    console.print(render(shot, width, height))
    return console.export_text(styles=colour)


def look(**changes: object) -> Snapshot:
    return msgspec.structs.replace(SHOT, view=msgspec.structs.replace(VIEW, **changes))


# --- drawing ----------------------------------------------------------------------------------------------------------


def test_no_supply_at_all_is_said_and_an_unknown_one_is_not() -> None:
    assert "queue 3  supply 0 A  2026" in drawn(msgspec.structs.replace(SHOT, supply_a=0.0))
    assert "supply" not in drawn(msgspec.structs.replace(SHOT, supply_a=None)).splitlines()[0]


def test_since_when_does_not_depend_on_when_one_looks() -> None:
    """The seconds of a session are whole ones, and the clock is looked at a moment later."""
    for later_ms in (0, 400, 999):
        assert "since 10:57:55 (1:02:05)" in drawn(msgspec.structs.replace(SHOT, utc_ms=NOON_MS + later_ms))


def test_a_line_leaves_room_for_what_happened() -> None:
    """Under `events`, of the station shown: neither that it is an event nor which station need be said."""
    screen = Screen()
    screen.line("12:00:01 event     CP1 status-changed slotNumber=1 status=charging", "CP1")
    screen.line("12:00:01 station   CP1 connected, speaking ocpp1.6", "CP1")
    screen.line("12:00:02 driver    04A1B2C3 plugged: slot 1")
    kept = [text for lines in screen._lines.values() for _, text in lines]
    assert kept == [
        "12:00:01 status-changed slotNumber=1 status=charging",
        "12:00:01 station   connected, speaking ocpp1.6",
        "12:00:02 driver    04A1B2C3 plugged: slot 1",
    ]


def test_everything_is_there_on_a_wide_screen() -> None:
    text = drawn(SHOT)
    for words in (
        "CP1  online  queue 3  supply 63 A  2026-06-01 12:00:00 UTC",
        "▶1 ◐ blue breathe   charging       power is on",
        "11.04 kW    1.234 kWh   47 %  offer 16 A by the supply",
        "zoe-r110, card 04A1B2C3 since 10:57:55 (1:02:05)",
        " 2 ● green          available      power is off because no vehicle is connected",
        "power  11.04 kW  of 11.04 at most",
        "  █\n",
        "11:59:58 → MeterValues",
        "11:59:59 ← MeterValues 12 ms",
        "→ RemoteStartTransaction error 3 ms",
        "card-scanned",
        "tap: card=04A1B2C3",
        "p plug",
        "q quit",
    ):
        assert words in text, f"{words!r} is not in\n{text}"


def test_lamps_have_their_colours() -> None:
    text = drawn(SHOT, colour=True)
    assert "34m◐" in text and "\x1b[1;32m●" in text  # blue, and green in bold


def test_lamps_breathe_and_flicker() -> None:
    assert [lamp("blue breathe", beat)[0] for beat in range(5)] == ["◐", "◐", "◑", "◑", "◐"]
    assert [lamp("red flicker", beat)[0] for beat in range(3)] == ["●", "○", "●"]
    assert {lamp("green steady", beat) for beat in range(4)} == {("●", "bold green")}
    assert lamp("off", 1) == ("○", "dim") and lamp("orange", 0)[1] == "bold dark_orange"


@pytest.mark.parametrize(
    ("limited_by", "words"),
    [
        ("slot", "offer 16 A by the slot"),
        ("cable", "offer 16 A by the cable"),
        ("heat", "offer 16 A, it is too warm"),
        ("car", "offer 16 A, the car takes no more"),
    ],
)
def test_why_no_more_is_offered(limited_by: str, words: str) -> None:
    slot = msgspec.structs.replace(BUSY, limited_by=limited_by)
    assert words in drawn(look(slots=(slot,)))
    assert f"16 A ({limited_by})" in drawn(look(slots=(slot,)), 60, 15)


def test_what_is_broken_and_how_all_stations_stand() -> None:
    counts = {**dict.fromkeys(CLASSES, 0), "available": 1990, "charging": 8, "offline": 2}
    fleet = msgspec.structs.replace(
        SHOT, stations=2000, number=7, broken=("lock 1 jam",), summary=Summary(counts, "p50 1 ms, p99 4 ms, max 9 ms")
    )
    text = drawn(fleet)
    assert "CP1 (7 of 2000)" in text and "broken: lock 1 jam" in text
    assert "1990 available  8 charging  0 faulted  2 offline  loop late by p50 1 ms, p99 4 ms, max 9 ms" in text
    assert "1990 available  8 charging  0 faulted  2 offline" in drawn(fleet, 60, 15)
    assert "loop late by" in drawn(fleet, 80, 24)


@pytest.mark.parametrize(("width", "height"), [(60, 15), (80, 24), (200, 60)])
def test_every_key_is_explained(width: int, height: int) -> None:
    text = drawn(msgspec.structs.replace(SHOT, stations=5, help=True), width, height)
    assert len(text.splitlines()) <= height
    for key, word, sentence in (*HELP, *HELP_FLEET):
        assert key == "?" or (f"{key} {word}" in text and sentence in text)
    assert ("breathing" in text) is (height > 15)


@pytest.mark.parametrize(("width", "height"), [(40, 24), (60, 15), (60, 20), (80, 24), (99, 30), (100, 30), (200, 60)])
def test_it_fits(width: int, height: int) -> None:
    many = tuple(msgspec.structs.replace(FREE, slot=number) for number in range(3, 20))
    full = look(slots=(BUSY, FREE, *many))
    menu = Menu("CP1", 1).words(())
    for shot in (SHOT, full, msgspec.structs.replace(SHOT, menu=menu), msgspec.structs.replace(full, menu=menu)):
        lines = drawn(shot, width, height).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert len(lines) <= height, "\n".join(lines)
        assert any("charging" in line for line in lines)


def test_of_many_slots_those_around_the_chosen_one_are_shown() -> None:
    many = tuple(msgspec.structs.replace(FREE, slot=number) for number in range(1, 65))
    text = drawn(msgspec.structs.replace(look(slots=many), chosen=40), 80, 24)
    assert "▶40 " in text and "of 64" in text and " 1 ●" not in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "dark", "slots": ()}, ("no mains", "o gives them back")),
        ({"state": "restarting", "slots": ()}, ("restarting",)),
        ({"online": False}, ("connected, not accepted",)),
        ({"online": False, "link": False, "next_attempt_s": 9}, ("offline, dials in 9 s",)),
        ({"online": False, "link": False, "network": False}, ("link cut",)),
        ({"faults": ("reader",)}, ("online  reader  queue 3",)),
        ({"state": "to come", "slots": ()}, ("has not been started yet",)),
    ],
)
def test_how_the_station_stands_is_said(changes: dict[str, object], words: tuple[str, ...]) -> None:
    text = drawn(look(**changes))
    assert all(word in text for word in words), text


def test_what_the_csms_writes_does_not_reach_the_terminal() -> None:
    shot = msgspec.structs.replace(SHOT, messages=(Message("12:00:00", False, "\x1b]0;mine\x07[red]", "call"),))
    console = Console(width=110, file=io.StringIO(), force_terminal=True)
    console.print(render(shot, 110, 40))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "\x1b]0" not in text and "\x07" not in text and "[red]" in text


def test_a_curve_is_as_high_as_its_highest_point() -> None:
    assert spark((0, 1, 50, 100), 10) == [" ▁▄█"]
    assert spark((9, 9, 0, 100), 2) == [" █"]
    assert spark((), 5) == [""] and spark((0, 0), 5) == ["  "] and spark((-5, 5), 5) == [" █"]
    assert spark((0, 1, 50, 75, 100), 9, 2) == ["   ▄█", " ▁███"]


# --- keys -------------------------------------------------------------------------------------------------------------


def pressed(keys: Keys, text: str, view: StationView = VIEW) -> list[cmd.AnyCommand]:
    return [command for key in split(text) for command in keys.press(key, view, 2)]


def test_buttons() -> None:
    keys = Keys(("A", "B"), supply_ma=32_000)
    assert pressed(keys, "t") == [cmd.Tap(station="CP1", card="A", at_once=True)]
    assert pressed(keys, "Tt") == [cmd.Tap(station="CP1", card="B", at_once=True)]
    assert pressed(keys, "2p") == [cmd.Plug(station="CP1", slot=2, car="zoe-r110")]
    assert pressed(keys, "u") == [cmd.Unplug(station="CP1", slot=2)]
    assert pressed(keys, "9u") == [cmd.Unplug(station="CP1", slot=2)]  # there is no ninth
    (chosen,) = pressed(keys, "c")
    assert isinstance(chosen, cmd.ChooseCar) and chosen.car == keys.car != "zoe-r110"
    assert pressed(keys, "C") == [cmd.ChooseCar(station="CP1", car="zoe-r110")]
    assert pressed(keys, "ssss") == [cmd.Supply(station="CP1", amps=amps) for amps in (16, 8, 0, 32)]
    assert pressed(keys, "q") == [cmd.Quit()]
    assert pressed(keys, "é\x00²g!>") == []


def test_link_and_power_go_and_come_back() -> None:
    keys = Keys(("A",))
    gone = msgspec.structs.replace(VIEW, state="dark", network=False, slots=())
    assert pressed(keys, "lo") == [cmd.CutLink(station="CP1"), cmd.CutPower(station="CP1")]
    assert pressed(keys, "lo", gone) == [cmd.RestoreLink(station="CP1"), cmd.RestorePower(station="CP1")]


def test_help_stays_until_any_key() -> None:
    keys = Keys(("A",))
    assert (pressed(keys, "?"), keys.help, keys.free) == ([], True, False)
    assert (pressed(keys, "q"), keys.help, keys.free) == ([], False, True)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_the_menu_of_faults() -> None:
    keys = Keys(("A",))
    assert pressed(keys, "2f") == [] and {"l lock", "b board", "z press stop", "Esc back"} <= set(keys.words())
    assert pressed(keys, "l") == [] and keys.words()[:2] == ("lock:", "j jam")
    jam = plan.LockFault(at_s=0, slot=2)
    assert pressed(keys, "j") == [cmd.Raise(station="CP1", fault=jam)]
    assert keys.words() == () and keys.free
    assert pressed(keys, "fi") == [cmd.Raise(station="CP1", fault=plan.LightsFault(at_s=0))]
    assert pressed(keys, "fx") == [cmd.Clear(station="CP1")]
    assert pressed(keys, "fzfy") == [cmd.PressStop(station="CP1"), cmd.ReleaseStop(station="CP1")]
    assert pressed(keys, "fa") == [cmd.Acknowledge(station="CP1", slot=0), cmd.Acknowledge(station="CP1", slot=2)]
    assert pressed(keys, "f\x1b") == [] and keys.words() == ()
    assert pressed(keys, "fl?") == [] and keys.free


def test_what_stands_is_marked_and_mended_by_the_same_keys() -> None:
    keys, jam = Keys(("A",)), plan.LockFault(at_s=0, slot=1, station=4)
    pressed(keys, "f")
    assert "l lock*" in keys.words((jam,)) and "l lock" in keys.words((msgspec.structs.replace(jam, slot=2),))
    pressed(keys, "l")
    assert "j jam*" in keys.words((jam,))
    assert keys.press("j", VIEW, 2, (jam,)) == [cmd.Clear(station="CP1", fault="lock", slot=1)]
    pressed(keys, "fr")
    assert pressed(keys, "x") == [cmd.Clear(station="CP1", fault="reader")]


def test_every_fault_that_can_happen_here_has_keys_of_its_own() -> None:
    """Each fault of a plan but those that need a simulated world or are not ours to make; all keys differ."""
    ways = [in_words(way.fault) for part in PARTS for way in part.ways]
    assert len(ways) == len(set(ways))
    tags = {part.tag for part in PARTS}
    assert {"reader", "lock", "contactor", "meter", "lights", "pilot", "board", "vehicle", "power_cut"} <= tags
    assert tags <= cmd.FAULTS.keys() and not tags & {"clock", "disk", "csms"}
    assert {"network refuse", "network reset", "pilot 1 diode", "board 1 over current", "power_cut"} <= set(ways)
    letters = [part.key for part in PARTS]
    assert len({*letters, *"xzya"}) == len(letters) + 4
    for part in PARTS:
        assert len({*(way.key for way in part.ways), "x"}) == len(part.ways) + 1


# --- where to look ----------------------------------------------------------------------------------------------------


def test_arrows_choose_slots_and_stations() -> None:
    keys = Keys(("A",), ids=("CP1", "CP2", "CP3"))
    pressed(keys, "\x1b[B\x1b[B")
    assert keys.slot == 2
    pressed(keys, "\x1b[A")
    assert keys.slot == 1
    pressed(keys, "n\x1b[Cn")
    assert keys.station == 0
    pressed(keys, "\x1b[D")
    assert keys.station == 2
    assert split("a\x1b[15~b\x1b") == ["a", "b", "\x1b"]  # a function key is none of ours


@pytest.mark.parametrize(
    ("typed", "station"),
    [
        ("g2\r", 1),
        ("gBER-7\n", 2),
        ("g12\x7f\r", 0),
        ("g3\x1b", 0),
        ("g\r", 0),
        ("gxyz\r", 0),
        ("g4\r", 0),
        ("g0\r", 0),
    ],
)
def test_a_station_is_gone_to_by_number_or_identity(typed: str, station: int) -> None:
    keys = Keys(("A",), ids=("CP1", "CP2", "BER-7"))
    assert pressed(keys, typed) == [] and keys.station == station and keys.free
    assert bool(keys.said) is (typed in ("gxyz\r", "g4\r", "g0\r"))
    assert pressed(keys, "g1q")[:1] == [] and keys.words()[0].endswith(": 1q_")
