"""A program on a pseudo-terminal, and what a plain terminal would show of it. Not here: what should be shown.

The terminal knows what every terminal knows and nothing else: whatever else it is told fails the test.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any

WITHIN_S = 20.0
_TOLD = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])|\x1b(?!\[)|([\r\n\b\a])|([^\x00-\x1f\x7f])")


class Screen:
    """Characters in lines and columns. `other`: the program's own screen is shown, not the one with the shell's lines."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.other, self.cursor = False, True
        self.colours: list[str] = []  # as they were set
        self._line = self._column = 0
        self._rows: list[list[str]] = []
        self._rest = ""
        self.clear()

    def clear(self) -> None:
        self._rows = [[" "] * self.width for _ in range(self.height)]

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self._rows).rstrip()

    def take(self, text: str) -> None:
        """Some of what the program writes; a sequence may be cut in two."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b" and not re.match(r"\x1b\[\??[0-9;]*[A-Za-z]", text[at:]) and len(text) - at < 12:
                self._rest = text[at:]
                return
            match = _TOLD.match(text, at)
            assert match is not None and match[0] != "\x1b", f"no plain terminal knows {text[at : at + 20]!r}"
            at = match.end()
            if match[3] is not None:
                self._obey(match[1] is not None, match[2], match[3])
            elif match[4] is not None:
                self._move(match[4])
            else:
                self._put(match[5])

    def _obey(self, private: bool, numbers: str, letter: str) -> None:
        if private:
            assert numbers in ("1049", "25") and letter in "hl", f"?{numbers}{letter}"
            if numbers == "25":
                self.cursor = letter == "h"
            else:
                self.other = letter == "h"
                self.clear()
        elif letter == "m":
            self.colours.append(numbers)
        elif letter == "H":
            line, _, column = numbers.partition(";")
            self._line, self._column = int(line or 1) - 1, int(column or 1) - 1
        else:
            assert (numbers, letter) == ("2", "J"), f"{numbers}{letter}"
            self.clear()

    def _move(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\n":
            self._line += 1
            if self._line == self.height:
                self._rows = [*self._rows[1:], [" "] * self.width]
                self._line -= 1

    def _put(self, character: str) -> None:
        if self._column == self.width:  # it wraps only now
            self._move("\n")
            self._column = 0
        if self._line < self.height:
            self._rows[self._line][self._column] = character
        self._column += 1


class OnTerminal:
    """`station-sim` with these options on a pseudo-terminal. `out` is all that it wrote, `shown` what is seen."""

    def __init__(
        self,
        *options: str,
        width: int = 110,
        height: int = 34,
        term: str = "xterm-256color",
        command: Sequence[str] = (sys.executable, "-m", "sim.cli"),
        **more: Any,
    ) -> None:
        self.ours, self.theirs = os.openpty()
        self.size(width, height, tell=False)
        self.before = termios.tcgetattr(self.theirs)
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        streams = {"stdin": self.theirs, "stdout": self.theirs, "stderr": self.theirs}
        self.process = subprocess.Popen(
            [*command, *options],
            env={**environment, "TERM": term},
            start_new_session=True,
            preexec_fn=_take,
            **{**streams, **more},
        )
        self.out = b""
        os.set_blocking(self.ours, False)

    def size(self, width: int, height: int, tell: bool = True) -> None:
        """The window has this size from now on."""
        self.screen = Screen(width, height)
        self._taken = len(getattr(self, "out", b""))
        if tell and self._taken:
            self.screen.other = True
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    @property
    def shown(self) -> str:
        return self.screen.text

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            while data := os.read(self.ours, 65_536):
                self.out += data
        whole = self.out[self._taken :].decode(errors="ignore")
        self._taken += len(whole.encode())
        self.screen.take(whole)

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

    def ended(self, within_s: float = WITHIN_S) -> float:
        """How long it took to end; the terminal must be as it was."""
        began_s = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() < began_s + within_s, f"does not end; shown:\n{self.shown}"
            time.sleep(0.01)
            self.read()
        took_s = time.monotonic() - began_s
        self.read()
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.screen.cursor and not self.screen.other
        return took_s

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


def _take() -> None:
    """Make the terminal the new session's own, so that its Ctrl-C is heard and its size is told."""
    for file in (0, 1, 2):
        if os.isatty(file):
            fcntl.ioctl(file, termios.TIOCSCTTY, 0)
            return
