"""A terminal as a pane of lines: shows one frame after another, writes only the lines that changed, and is left as it was found.

A thread writes, so that a terminal that is slow, or far away, or stopped, holds up no station; while it is busy frames are left out.
Five things are told to the terminal, all of which each has: its other screen, the cursor's place and whether it shows, to clear, colours.
Not here: what is drawn (`panel.py`).
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import Final, Self, TextIO

from rich.console import Console, ConsoleDimensions, RenderableType
from rich.screen import Screen

ENTER: Final = "\x1b[?1049h\x1b[?25l"
CLEAR: Final = "\x1b[0m\x1b[H\x1b[2J"
LEAVE: Final = f"{CLEAR}\x1b[?25h\x1b[?1049l"
WAITS_S: Final = 1.0  # for a terminal that takes nothing, when it is to be left
USUAL: Final = os.terminal_size((80, 24))


class Pane:
    """As a context this terminal shows it. `gone`: the terminal is no more."""

    def __init__(self, terminal: TextIO) -> None:
        self._file, self._encoding = terminal.fileno(), terminal.encoding
        self.gone = False
        self._shown: list[str] = []
        self._size = (0, 0)
        self._next: str | None = None
        self._over = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="pane", daemon=True)
        self._console = Console(file=terminal)

    def __enter__(self) -> Self:
        self._thread.start()
        self._put(ENTER)
        return self

    def __exit__(self, *exc: object) -> None:
        self._over = True
        self._put(LEAVE)
        self._thread.join(WAITS_S)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        try:
            size = os.get_terminal_size(self._file)
        except OSError:
            size = USUAL
        return size.columns or USUAL.columns, size.lines or USUAL.lines

    @property
    def busy(self) -> bool:
        """The frame before is still on its way: another would be left out."""
        return self._next is not None

    def forget(self) -> None:
        """The screen may show something else by now: write all of it next time."""
        self._size = (0, 0)

    def show(self, drawn: RenderableType, size: tuple[int, int]) -> None:
        """The next frame, for a screen of this size."""
        if self.busy:
            return
        lines = self._lines(drawn, size)
        if size != self._size:
            text, self._size, self._shown = CLEAR, size, [""] * len(lines)
        else:
            text = ""
        text += "".join(f"\x1b[{n};1H{line}" for n, line in enumerate(lines, 1) if line != self._shown[n - 1])
        self._shown = lines
        if text:
            self._put(text)

    def _lines(self, drawn: RenderableType, size: tuple[int, int]) -> list[str]:
        """As many lines as the screen has, each as long as it is wide, with their colours."""
        self._console.size = ConsoleDimensions(*size)
        with self._console.capture() as capture:
            self._console.print(Screen(drawn), end="")
        return capture.get().split("\n")[: size[1]]

    def _put(self, text: str) -> None:
        with self._wake:
            self._next = (self._next or "") + text
            self._wake.notify()

    # --- on the thread ---

    def _write_all(self) -> None:
        while not self.gone:
            with self._wake:
                self._wake.wait_for(lambda: self._next is not None)
                text, last = self._next or "", self._over
            self._write(text.encode(self._encoding, "replace"))
            with self._wake:
                rest = (self._next or "")[len(text) :]
                self._next = rest or None
                if last and not rest:
                    return

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self.gone = True


class Aside(io.StringIO):
    """What is written to it goes line by line to `tell` as well: standard error, while the screen is taken."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell, self._line = tell, ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._tell(line)
        return super().write(text)
