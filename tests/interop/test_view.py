"""The live view on a terminal of its own: keys in, screen out; and the terminal as it was before, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sim.csms.control import Behaviour
from sim.csms.server import Csms
from tests.interop.running import QUICK

pytestmark = pytest.mark.interop

WITHIN_S = 15.0
TO_ALTERNATE, BACK, CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Screen:
    """A program on a pseudo-terminal. `shown` is what it drew last."""

    def __init__(self, *options: str, width: int = 110, height: int = 34, **more: Any) -> None:
        self.ours, self.theirs = os.openpty()
        self.size(width, height)
        self.before = termios.tcgetattr(self.theirs)
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sim.cli", *options],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=subprocess.STDOUT,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
            **more,
        )
        self.out = b""
        os.set_blocking(self.ours, False)

    def size(self, width: int, height: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    @property
    def shown(self) -> str:
        last = self.out.rpartition(b"\x1b[H")[2]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last.decode(errors="replace")).replace("\r", "")

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.ours, 65_536):
                self.out += data

    def until(self, true: Callable[[str], object]) -> str:
        """Wait until the screen is so."""
        deadline = time.monotonic() + WITHIN_S
        while not true(self.shown):
            assert time.monotonic() < deadline and self.process.poll() is None, f"not in time; shown:\n{self.shown}"
            time.sleep(0.02)
            self.read()
        return self.shown

    def sees(self, *words: str) -> str:
        return self.until(lambda shown: all(word in shown for word in words))

    def ended(self) -> int:
        """Its status, once it is over; the terminal must be as it was."""
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"does not end; shown:\n{self.shown}"
            time.sleep(0.02)
            self.read()
        self.read()
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.out.count(TO_ALTERNATE) == self.out.count(BACK) == 1
        assert CURSOR in self.out
        return self.process.returncode

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


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


def test_keys_in_and_screen_out(csms: str) -> None:
    """Plug, tap, charge, a fault, the link, the mains, another size; then `q`."""
    with Screen("run", "--csms", csms, "--view", *QUICK) as screen:
        screen.sees("CP1", "online", "available", "power is off because no vehicle is connected", "BootNotification")
        screen.press("2p")
        screen.sees("▶2", "plug: slot=2 car=zoe-r110", "preparing")
        screen.press("t")
        screen.sees("tap: card=04A1B2C3", "charging", "power is on", "card 04A1B2C3 since")
        screen.until(lambda shown: re.search(r"power +[1-9]\d*\.\d\d kW", shown))
        screen.until(lambda shown: re.search(r"← StartTransaction \d+ ms", shown))
        screen.press("f")
        screen.sees("b lock jams", "Esc back")
        screen.press("j")
        screen.sees("raise: fault=board", "faulted", "ground fault")
        screen.press("s")
        screen.sees("supply: amps=31")
        screen.press("l")
        screen.sees("cut_link: done", "link cut")
        screen.press("o")
        screen.sees("no mains", "o gives them back")
        screen.press("lo")
        screen.sees("online", "BootNotification")
        screen.size(60, 20)
        screen.process.send_signal(signal.SIGWINCH)
        shown = screen.until(lambda shown: max(map(len, shown.splitlines()), default=99) <= 60)
        assert len(shown.splitlines()) <= 20 and "online" in shown
        screen.press("u3q")
        assert screen.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, None])
def test_the_terminal_is_given_back(csms: str, number: int | None) -> None:
    """After signals, and after Ctrl-C at the keyboard (None); three stations to look at meanwhile."""
    with Screen("run", "--csms", csms, "--count", "3", "--view", preexec_fn=take if number is None else None) as screen:
        screen.sees("CP1 (1 of 3)", "online")
        assert termios.tcgetattr(screen.theirs) != screen.before
        screen.press("n")
        screen.sees("CP2 (2 of 3)", "online")
        if number is None:
            screen.press("\x03")
        else:
            screen.process.send_signal(number)
        assert screen.ended() == 0


def take() -> None:
    """Make the terminal at 0 this session's own, so that its Ctrl-C is heard."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_the_demo_is_viewed_too() -> None:
    with Screen("demo", "--view", "--sessions", "1", "--speed", "600", width=90, height=30) as screen:
        screen.sees("DEMO-1", "online")
        screen.press("2p")
        screen.sees("plug: slot=2 car=zoe-r110")
        screen.sees("charging", "power is on")
        screen.press("q")
        screen.ended()
        assert b"sessions, billed" in screen.out.rpartition(BACK)[2]


def test_without_a_terminal_there_are_lines(csms: str) -> None:
    words = [sys.executable, "-m", "sim.cli", "run", "--csms", csms, "--view"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "1 chargers against" in process.stdout.readline()
        while "accepted" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0
    assert err.count("\n") == 1 and "needs a terminal" in err


def test_the_view_wants_the_keyboard_for_itself(csms: str) -> None:
    words = [sys.executable, "-m", "sim.cli", "run", "--csms", csms, "--view", "--commands", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 2 and "without --commands" in done.stderr
