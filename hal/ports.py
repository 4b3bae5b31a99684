"""Driver protocols: what a board, a reader, a meter or a lamp driver must offer. No code that does anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from hal.actions import AnyAction
from hal.clock import Scheduler
from hal.signals import AnySignal

Emit: TypeAlias = Callable[[AnySignal], None]


class Driver(Protocol):
    """One piece of hardware, or all of it.

    `start` reports the state found, then `BoardReady` where it is a whole board. `apply` returns at once. `stop` brings outputs to
    their safe state and may be called twice. Nothing raises for what the hardware does: it is reported as a signal.
    """

    def start(self, emit: Emit, scheduler: Scheduler) -> None: ...

    def apply(self, action: AnyAction) -> None: ...

    def stop(self) -> None: ...
