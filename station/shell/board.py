"""A board put together from several drivers: the board itself, and readers, lamps and meters of their own.

To the core it is one board. Not here: any hardware.
"""

from __future__ import annotations

from collections.abc import Sequence

from hal.actions import AnyAction, ReadMeter, ShowLight
from hal.clock import Scheduler
from hal.ports import Driver, Emit


class Assembly:
    """Satisfies `hal.ports.Driver`. Lamps and meters, where given, take the place of the board's own; readers come in addition."""

    def __init__(
        self, board: Driver, readers: Sequence[Driver], lights: Sequence[Driver], meters: Sequence[Driver]
    ) -> None:
        self._board = board
        self._readers = readers
        self._lights = lights
        self._meters = meters

    def start(self, emit: Emit, scheduler: Scheduler) -> None:
        """The board last: it is the one that says `BoardReady`."""
        for driver in (*self._readers, *self._lights, *self._meters, self._board):
            driver.start(emit, scheduler)

    def apply(self, action: AnyAction) -> None:
        match action:
            case ShowLight() if self._lights:
                targets = self._lights
            case ReadMeter() if self._meters:
                targets = self._meters
            case _:
                targets = (self._board,)
        for driver in targets:
            driver.apply(action)

    def stop(self) -> None:
        """The board first: its outputs matter."""
        for driver in (self._board, *self._meters, *self._lights, *self._readers):
            driver.stop()
