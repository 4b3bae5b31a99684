"""Keys as commands: what each key of the live view means, and a terminal that hands over single keys and gets its own ways back.

A key becomes a command of `commands.py` and nothing else: no key can do what a line could not. Not here: doing it (`executor.py`), drawing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, Self

from hal.units import SlotId
from sim import commands as cmd
from sim import plan
from sim.panel_faults import Menu
from sim.profiles import PROFILES
from sim.view import StationView

ESCAPE: Final = "\x1b"
ENTER: Final = ("\r", "\n")
_RUB_OUT: Final = ("\x7f", "\b")
_NEXT: Final = ("\x1b[C", "\x1bOC")  # right
_BEFORE: Final = ("\x1b[D", "\x1bOD")  # left
_DOWN: Final = ("\x1b[B", "\x1bOB", "]")
_UP: Final = ("\x1b[A", "\x1bOA", "[")
LONGEST: Final = 48  # characters of an identity
SHARES: Final = (100, 50, 25, 0)  # percent of the supply, one lower with each press, then all of it again
HELP: Final = (  # key, in a word, in a sentence
    ("t", "tap", "hold the card to the reader"),
    ("T", "card", "take the next card"),
    ("p", "plug", "plug the car into the slot"),
    ("u", "unplug", "pull at the plug; while it is locked it stays"),
    ("c", "car", "take the next car; C the one before"),
    ("f", "faults", "break something, or mend it"),
    ("l", "link", "pull the network cable, or plug it in"),
    ("o", "power", "cut the mains, or give them back"),
    ("s", "supply", "give the house less current, at last all again"),
    ("1-9", "slot", "choose a slot; also the arrows up and down"),
    ("?", "help", "this; any key goes back"),
    ("q", "quit", "end in good order; Ctrl-C too"),
)
HELP_FLEET: Final = (
    ("n", "station", "the next one, N the one before; also arrows"),
    ("g", "go to", "a station by its number or identity"),
    ("!", "trouble", "the next station that is faulted or offline"),
    (">", "charging", "the next station that charges"),
)


class Keys:
    """What has been chosen at the keyboard so far. `press` gives the commands of a key, none where it only chooses.

    `help`: the explanation is wanted; `typed`: the station to go to, as far as it has been typed; `said`: what was wrong with it.
    """

    def __init__(self, cards: Sequence[str], supply_ma: int = 32_000, ids: Sequence[str] = ("CP1",)) -> None:
        self._cards, self._cars = tuple(cards), tuple(PROFILES)
        self._supply_ma, self._ids = supply_ma, ids
        self._card = 0
        self._car = self._cars.index("zoe-r110")
        self._share: dict[int, int] = {}
        self._menu: Menu | None = None
        self.station = 0
        self.slot: SlotId = 1
        self.help = False
        self.typed: str | None = None
        self.said = ""

    @property
    def card(self) -> str:
        return self._cards[self._card]

    @property
    def car(self) -> str:
        return self._cars[self._car]

    @property
    def free(self) -> bool:
        """No menu, nothing being typed, no explanation: keys mean the usual."""
        return not self.help and self.typed is None and self._menu is None

    def words(self, broken: Sequence[plan.AnyFault] = ()) -> tuple[str, ...]:
        """What keys mean now, if not the usual."""
        if self.typed is not None:
            return (f"go to station (1 to {len(self._ids)}, or its identity): {self.typed}_", "Enter goes", "Esc back")
        return self._menu.words(broken) if self._menu is not None else ()

    def go(self, station: int) -> None:
        """Look at this one, by its place."""
        self.station, self.slot = station % len(self._ids), 1

    def press(
        self, key: str, view: StationView, slots: int, broken: Sequence[plan.AnyFault] = ()
    ) -> list[cmd.AnyCommand]:
        """A key, or the sequence that an arrow sends, while the station shown stands so, has so many slots, and this of it is broken."""
        self.said = ""
        if self.help:
            self.help = False
        elif self.typed is not None:
            self._type(key, self.typed)
        elif self._menu is not None:
            commands = self._menu.press(key, broken)
            self._menu = None if self._menu.over else self._menu
            return commands
        elif not self._choose(key, view, slots):
            return self._button(key, view)
        return []

    def _choose(self, key: str, view: StationView, slots: int) -> bool:
        """Whether it is a key that only chooses."""
        many = len(self._ids) > 1
        if key.isdecimal() and key.isascii():
            self.slot = int(key) if 1 <= int(key) <= slots else self.slot
        elif key in (*_DOWN, *_UP):
            self.slot = max(1, min(slots, self.slot + (1 if key in _DOWN else -1)))
        elif key in ("n", "N", *_NEXT, *_BEFORE):
            self.go(self.station + (1 if key in ("n", *_NEXT) else -1))
        elif key == "g" and many:
            self.typed = ""
        elif key == "T":
            self._card = (self._card + 1) % len(self._cards)
        elif key == "f":
            self._menu = Menu(view.id, self.slot)
        elif key == "?":
            self.help = True
        else:
            return False
        return True

    def _type(self, key: str, typed: str) -> None:
        if key in ENTER:
            self.typed = None
            if typed in self._ids:
                self.go(self._ids.index(typed))
            elif typed.isdecimal() and 1 <= int(typed) <= len(self._ids):
                self.go(int(typed) - 1)
            elif typed:
                first, last = self._ids[0], self._ids[-1]
                self.said = f"there is no station {typed!r}; there are 1 to {len(self._ids)}, {first} to {last}"
        elif key == ESCAPE:
            self.typed = None
        elif key in _RUB_OUT:
            self.typed = typed[:-1]
        elif len(key) == 1 and key.isprintable():
            self.typed = (typed + key)[:LONGEST]

    def _button(self, key: str, view: StationView) -> list[cmd.AnyCommand]:
        at = view.id
        match key:
            case "t":
                return [cmd.Tap(station=at, card=self.card, at_once=True)]
            case "p":
                return [cmd.Plug(station=at, slot=self.slot, car=self.car)]
            case "u":
                return [cmd.Unplug(station=at, slot=self.slot)]
            case "c" | "C":
                self._car = (self._car + (1 if key == "c" else -1)) % len(self._cars)
                return [cmd.ChooseCar(station=at, car=self.car)]
            case "l":
                return [cmd.CutLink(station=at) if view.network else cmd.RestoreLink(station=at)]
            case "o":
                return [cmd.RestorePower(station=at) if view.state == "dark" else cmd.CutPower(station=at)]
            case "s":
                share = self._share[self.station] = (self._share.get(self.station, 0) + 1) % len(SHARES)
                return [cmd.Supply(station=at, amps=self._supply_ma * SHARES[share] // 100_000)]
            case "q":
                return [cmd.Quit()]
            case _:
                return []


def split(text: str) -> list[str]:
    """Single keys, and the sequences of arrows as one each; other sequences are dropped, as is what cannot be a key."""
    keys: list[str] = []
    while text:
        if text[0] == ESCAPE and len(text) > 1 and text[1] in "[O":
            length = next((n for n, c in enumerate(text[2:], 3) if "@" <= c <= "~"), len(text))
            key, text = text[:length], text[length:]
            if key in (*_NEXT, *_BEFORE, *_DOWN, *_UP):
                keys.append(key)
        else:
            keys.append(text[0])
            text = text[1:]
    return keys


class Terminal:
    """A terminal that hands over each key as it is pressed and shows none; signals stay keys' doing. A context: left, all is as before."""

    def __init__(self, file: int) -> None:
        self.file = file
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        import termios  # nowhere on Windows

        if os.isatty(self.file):
            self._before = termios.tcgetattr(self.file)
            modes = termios.tcgetattr(self.file)
            modes[0] &= ~(termios.IXON | termios.ICRNL)  # Ctrl-S would stop the stations with the screen
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            for name, value in ((termios.VMIN, 1), (termios.VTIME, 0), (termios.VSUSP, b"\0"), (termios.VQUIT, b"\0")):
                modes[6][name] = value
            termios.tcsetattr(self.file, termios.TCSADRAIN, modes)
        return self

    def __exit__(self, *exc: object) -> None:
        import termios

        if self._before is not None:
            termios.tcsetattr(self.file, termios.TCSAFLUSH, self._before)
            self._before = None

    @property
    def there(self) -> bool:
        """Whether keys come from it."""
        return self._before is not None
