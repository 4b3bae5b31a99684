"""The live view on a terminal of its own: keys in, screen out; and the terminal as it was before, however it ends."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sim.csms.control import Behaviour
from sim.csms.server import Csms
from sim.panel_faults import PARTS, Part, Way, in_words
from tests.interop.running import QUICK
from tests.interop.terminal import WITHIN_S, OnTerminal

pytestmark = pytest.mark.interop

LEAVES_S = 3.0


@pytest.fixture
def csms() -> Iterator[str]:
    """The URL of a CSMS on a thread of its own."""
    told: list[str] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with Csms(behaviour=Behaviour()) as one:
            told.append(one.url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield told[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


# --- one station ------------------------------------------------------------------------------------------------------


def test_keys_in_and_screen_out(csms: str) -> None:
    """Choose a car and a card, plug, tap, charge, lower the supply, cut link and mains, unplug; then `q`. Nobody asked for a view."""
    with OnTerminal("run", "--csms", csms, *QUICK, "--set", "unlock_on_ev_disconnect=true") as view:
        view.sees("CP1", "online", "available", "power is off because no vehicle is connected", "BootNotification")
        view.press("cC2p")
        view.sees("▶2", "plug: slot=2 car=zoe-r110", "preparing", "◐ white breathe", "nobody is authorised")
        view.press("Tt")
        view.sees("card 04D4E5F6", "charging", "power is on", "blue", "card 04D4E5F6 since", "lock closed")
        view.until(lambda shown: re.search(r" [1-9]\d*\.\d\d kW +\d\.\d{3} kWh +40 %  offer 32 A by the slot", shown))
        view.until(lambda shown: re.search(r"← StartTransaction \d+ ms", shown))
        view.until(lambda shown: re.search(r"power +[1-9]\d*\.\d\d kW +of [1-9]", shown))
        view.press("s")
        view.sees("supply: amps=31", "supply 31 A", "offer 31 A by the supply")
        view.press("l")
        view.sees("cut_link: done", "link cut")
        view.press("o")
        view.sees("no mains", "o gives them back")
        view.press("lo")
        view.sees("online", "BootNotification")
        view.press("2u")
        view.sees("unplug: slot=2")
        view.press("q")
        view.ended()
        assert view.process.returncode == 0 and "1 charger; the event loop was late by p50" in view.shown


def test_every_fault_is_raised_and_cleared_at_the_keyboard(csms: str) -> None:
    with OnTerminal("run", "--csms", csms, *QUICK, width=132, height=30) as view:
        view.sees("online")
        view.press("p")
        view.sees("plug: slot=1")
        for part in PARTS:
            for way in part.ways:
                _raise_and_clear(view, part, way)
        view.press("fz")
        view.sees("press_stop: done", "faulted", "emergency stop", "red")
        view.press("fy")
        view.sees("release_stop: done")
        view.press("fa")
        view.sees("acknowledge: slot=1")
        view.press("q")
        view.ended()


def _raise_and_clear(view: OnTerminal, part: Part, way: Way) -> None:
    keys = f"f{part.key}{way.key if len(part.ways) > 1 else ''}"
    if in_words(way.fault) == "network reset":
        view.press(keys)
        view.sees("raise: fault=network")
        view.sees("online")
    elif part.tag == "power_cut":
        view.press(keys)
        view.sees("no mains")
        view.sees("online")
    else:
        told = f"broken: {in_words(way.fault)}"
        view.press(keys)
        view.sees(told)
        view.press(f"f{part.key}")
        view.sees(f"{way.key} {way.label.replace('_', ' ')}*" if len(part.ways) > 1 else "clear: cleared")
        view.press(way.key if len(part.ways) > 1 else "")
        view.until(lambda shown: "broken:" not in shown and "clear: cleared=" in shown)


def test_a_refusal_is_seen_and_so_is_what_broke(csms: str) -> None:
    """A jammed lock: the slot is Faulted, its lamp red, and the view says which and why."""
    with OnTerminal("run", "--csms", csms, *QUICK) as view:
        view.sees("online")
        view.press("u")
        view.sees("unplug: nothing is plugged into slot 1")
        view.press("f")
        view.sees("l lock", "b board", "x clear all", "Esc back")
        view.press("l")
        view.sees("lock:", "j jam")
        view.press("\x1b")
        view.until(lambda shown: "j jam" not in shown)
        view.press("fljpt")
        view.sees("faulted", "lock will not close", "red", "broken: lock 1 jam")
        view.press("?")
        view.sees("hold the card to the reader", "◐◑ breathing", "end in good order")
        view.press("q")  # any key only goes back
        view.sees("faulted", "t tap")
        view.press("q")
        view.ended()


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_it_has_the_size_of_its_window(csms: str) -> None:
    with OnTerminal("run", "--csms", csms, "--count", "3", *QUICK) as view:
        view.sees("CP1 (1 of 3)", "online", "3 available")
        for width, height in ((60, 15), (200, 60), (80, 24), (30, 8), (110, 34)):
            view.size(width, height)
            view.sees("CP1")
            shown = view.sees("? help" if height > 8 else "▶1").splitlines()
            assert len(shown) <= height and shown[0].startswith("● CP1 (1 of 3)")
            if height > 8:
                assert "? help" in "".join(shown[-2:])
            if width >= 60:
                assert "available  0 charging  0 faulted  0 offline" in shown[1]
        view.press("\f")  # Ctrl-L: the shell's message lies over the screen
        view.screen.clear()
        view.sees("CP1 (1 of 3)", "▶1", "? help")
        view.press("q")
        view.ended()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None])
def test_the_terminal_is_given_back(csms: str, number: int | None) -> None:
    """After signals, and after Ctrl-C at the keyboard (None), while forty stations are connected."""
    with OnTerminal("run", "--csms", csms, "--count", "40") as view:
        view.sees("CP1 (1 of 40)", "40 available")
        assert termios.tcgetattr(view.theirs) != view.before
        if number is None:
            view.press("\x03")
        else:
            view.process.send_signal(number)
        assert view.ended() < LEAVES_S and view.process.returncode == 0
        assert re.match(r"\d\d:\d\d:\d\d run +40 chargers; the event loop was late by", view.shown)


def test_it_is_there_while_stations_come_and_may_be_left_then(csms: str) -> None:
    with OnTerminal("run", "--csms", csms, "--count", "500", "--ramp", "20") as view:
        view.sees("CP1 (1 of 500)", "online")
        view.press("g500\rt")
        view.sees("CP500 (500 of 500)", "to come", "has not been started yet")
        view.press("\x03")
        assert view.ended() < LEAVES_S and view.process.returncode == 0


def test_the_demo_is_viewed_too() -> None:
    with OnTerminal("demo", "--sessions", "1", "--speed", "600", width=90, height=30) as view:
        view.sees("DEMO-1", "online")
        view.press("2p")
        view.sees("plug: slot=2 car=zoe-r110")
        view.sees("charging", "power is on")
        view.press("q")
        view.ended()
        assert " billed " in view.shown


@pytest.mark.parametrize(
    ("options", "more"),
    [
        (("--no-view",), {}),
        (("--json",), {}),
        (("--pretty",), {}),
        (("--frames", "Heartbeat"), {}),
        ((), {"term": "dumb"}),
        ((), {"stdin": subprocess.DEVNULL}),
    ],
)
def test_where_it_has_no_place_there_are_lines(csms: str, options: tuple[str, ...], more: dict[str, Any]) -> None:
    """And nothing is said of it: nobody asked for a view."""
    with OnTerminal("run", "--csms", csms, *options, width=132, height=80, **more) as view:
        view.sees("connected, speaking ocpp1.6", "the CSMS answered accepted")
        assert b"\x1b[" not in view.out and b"view" not in view.out and not view.screen.other
        view.process.send_signal(signal.SIGINT)
        view.ended()


def test_a_job_in_the_background_is_not_stopped(csms: str) -> None:
    """It would be, if it took the terminal."""
    words = shlex.join([sys.executable, "-m", "sim.cli", "run", "--csms", csms])
    with OnTerminal(command=("sh", "-c", f"set -m; {words} & wait; wait"), width=132) as view:
        view.sees("connected, speaking ocpp1.6", "the CSMS answered accepted")
        assert not view.screen.other
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(view.process.pid)], capture_output=True, check=True
        )
        for child in children.stdout.split():
            subprocess.run(["kill", "-INT", child.decode()], check=True)
        view.ended()


def test_without_a_terminal_there_are_lines(csms: str) -> None:
    for options, told in (((), 0), (("--view",), 1)):
        words = [sys.executable, "-m", "sim.cli", "run", "--csms", csms, *options]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while "accepted" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0
        assert err.count("\n") == told and ("needs a terminal" in err) is bool(told)
        assert "run       1 charger; the event loop was late by p50" in out.splitlines()[-1]


def test_how_late_the_loop_was_is_told_to_programs(csms: str) -> None:
    words = [sys.executable, "-m", "sim.cli", "run", "--csms", csms, "--commands", "-", "--count", "20"]
    done = subprocess.run(words, input="wait CP20 online=true\npause 1\n", capture_output=True, text=True, check=False)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["who"], last["what"]) == ("run", "ended")
    late = last["lateness_ms"]
    assert 0 <= late["p50"] <= late["p99"] <= late["max"] and late["ticks"] >= 45


def test_who_asks_for_it_without_a_keyboard_has_it_and_is_told(csms: str) -> None:
    with OnTerminal("run", "--csms", csms, "--view", "--quiet", stdin=subprocess.DEVNULL) as view:
        view.sees("CP1", "online", "standard input is no terminal: there are no keys, Ctrl-C ends")
        view.press("\x03")
        view.ended()
        assert view.process.returncode == 0 and view.shown in ("", "^C")  # quiet


def test_the_view_wants_the_keyboard_for_itself(csms: str) -> None:
    words = [sys.executable, "-m", "sim.cli", "run", "--csms", csms, "--view", "--commands", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 2 and "without --commands" in done.stderr


# --- many stations ----------------------------------------------------------------------------------------------------


def test_one_of_many_is_looked_at(csms: str) -> None:
    with OnTerminal("run", "--csms", csms, "--count", "12", *QUICK) as view:
        view.sees("CP1 (1 of 12)", "12 available  0 charging  0 faulted  0 offline  loop late by p50")
        view.press("n\x1b[C")
        view.sees("CP3 (3 of 12)")
        view.press("N\x1b[D\x1b[D")
        view.sees("CP12 (12 of 12)", "connected, speaking ocpp1.6")
        view.press("g7")
        view.sees("go to station (1 to 12, or its identity): 7_")
        view.press("7\x7f\r")
        view.sees("CP7 (7 of 12)")
        view.press("pt")
        view.sees("power is on", "11 available  1 charging")
        view.press("gCP2\rl")
        view.sees("CP2 (2 of 12)", "link cut", "10 available  1 charging  0 faulted  1 offline")
        view.press("gCP99\r")
        view.sees("there is no station 'CP99'; there are 1 to 12, CP1 to CP12", "CP2 (2 of 12)")
        view.press(">")
        view.sees("CP7 (7 of 12)", "power is on")
        view.press("!")
        view.sees("CP2 (2 of 12)")
        view.press("l")
        view.sees("11 available  1 charging  0 faulted  0 offline")
        view.press("!")
        view.sees("no station is faulted or offline")
        view.press("q")
        view.ended()
