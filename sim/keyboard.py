"""Keys as commands: what each key of the live view means, and a terminal that hands over single keys and gets its own ways back.

A key becomes a command of `commands.py` and nothing else: no key can do what a line could not. Not here: doing it (`executor.py`), drawing.
"""

from __future__ import annotations

import os
import termios
from collections.abc import Sequence
from typing import Any, Final, Self

import msgspec

from hal.units import SlotId
from sim import commands as cmd
from sim import plan
from sim.profiles import PROFILES
from sim.view import StationView

ESCAPE: Final = "\x1b"
_NEXT: Final = ("\x1b[C", "\x1bOC")  # right
_BEFORE: Final = ("\x1b[D", "\x1bOD")  # left
_DOWN: Final = ("\x1b[B", "\x1bOB", "]")
_UP: Final = ("\x1b[A", "\x1bOA", "[")
_MENU: Final[dict[str, tuple[str, plan.AnyFault]]] = {
    "a": ("reader silent", plan.ReaderFault(at_s=0)),
    "b": ("lock jams", plan.LockFault(at_s=0)),
    "d": ("contactor welded", plan.ContactorFault(at_s=0)),
    "e": ("contactor stuck open", plan.ContactorFault(at_s=0, how="stuck_open")),
    "g": ("meter silent", plan.MeterFault(at_s=0)),
    "h": ("meter frozen", plan.MeterFault(at_s=0, how="freeze")),
    "i": ("pilot shorted", plan.PilotFault(at_s=0)),
    "j": ("ground fault", plan.BoardFault(at_s=0)),
    "k": ("too hot", plan.BoardFault(at_s=0, cause="temperature")),
    "m": ("over current", plan.BoardFault(at_s=0, cause="over_current")),
    "n": ("under voltage", plan.BoardFault(at_s=0, cause="under_voltage")),
    "o": ("over voltage", plan.BoardFault(at_s=0, cause="over_voltage")),
    "r": ("lights dead", plan.LightsFault(at_s=0)),
    "v": ("car stalls", plan.VehicleFault(at_s=0)),
    "w": ("car overdraws", plan.VehicleFault(at_s=0, how="overdraws")),
}
_MENU_MORE: Final = ("z press stop", "y release stop", "x clear all", "q acknowledge", "Esc back")
MENU: Final = (*(f"{key} {label}" for key, (label, _) in _MENU.items()), *_MENU_MORE)
SHARES: Final = (100, 50, 25, 0)  # percent of the supply, one lower with each press, then all of it again


class Keys:
    """What has been chosen at the keyboard so far. `press` gives the commands of a key, none where it only chooses."""

    def __init__(self, cards: Sequence[str], supply_ma: int = 32_000, stations: int = 1) -> None:
        self._cards, self._cars = tuple(cards), tuple(PROFILES)
        self._supply_ma, self._stations = supply_ma, stations
        self._card = 0
        self._car = self._cars.index("zoe-r110")
        self._share: dict[int, int] = {}
        self.station = 0
        self.slot: SlotId = 1
        self.menu: tuple[str, ...] = ()

    @property
    def card(self) -> str:
        return self._cards[self._card]

    @property
    def car(self) -> str:
        return self._cars[self._car]

    def press(self, key: str, view: StationView, slots: int) -> list[cmd.AnyCommand]:
        """A key, or the sequence that an arrow sends, while the station shown stands so and has so many slots."""
        if self.menu:
            return self._from_menu(key, view)
        if key.isdecimal() and key.isascii():
            self.slot = int(key) if 1 <= int(key) <= slots else self.slot
        elif key in (*_DOWN, *_UP):
            self.slot = max(1, min(slots, self.slot + (1 if key in _DOWN else -1)))
        elif key in ("n", "N", *_NEXT, *_BEFORE):
            self.station = (self.station + (1 if key in ("n", *_NEXT) else -1)) % self._stations
            self.slot = 1
        elif key == "T":
            self._card = (self._card + 1) % len(self._cards)
        elif key == "f":
            self.menu = MENU
        else:
            return self._button(key, view)
        return []

    def _button(self, key: str, view: StationView) -> list[cmd.AnyCommand]:
        at = view.id
        match key:
            case "t":
                return [cmd.Tap(station=at, card=self.card)]
            case "p":
                return [cmd.Plug(station=at, slot=self.slot, car=self.car)]
            case "u":
                return [cmd.Unplug(station=at, slot=self.slot)]
            case "c":
                self._car = (self._car + 1) % len(self._cars)
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

    def _from_menu(self, key: str, view: StationView) -> list[cmd.AnyCommand]:
        self.menu = ()
        at, slot = view.id, self.slot
        if key in _MENU:
            fault = _MENU[key][1]
            changes: dict[str, Any] = {"slot": slot} if hasattr(fault, "slot") else {}
            return [cmd.Raise(station=at, fault=msgspec.structs.replace(fault, **changes))]
        match key:
            case "x":
                return [cmd.Clear(station=at)]
            case "y":
                return [cmd.ReleaseStop(station=at)]
            case "z":
                return [cmd.PressStop(station=at)]
            case "q":
                return [cmd.Acknowledge(station=at, slot=0), cmd.Acknowledge(station=at, slot=slot)]
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
        if self._before is not None:
            termios.tcsetattr(self.file, termios.TCSAFLUSH, self._before)
            self._before = None

    @property
    def there(self) -> bool:
        """Whether keys come from it."""
        return self._before is not None
