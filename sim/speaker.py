"""The mouth of a simulated board: signals in the order in which things happened, never from inside `apply`.

What is said while something else is being emitted waits until that has returned. Not here: what there is to say.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.clock import Scheduler
from hal.ports import Emit
from hal.signals import AnySignal
from hal.units import MILLISECOND


class Speaker:
    """A queue of signals, empty and without memory of its own nearly all the time; and the clock."""

    __slots__ = ("_boot", "_busy", "_emit", "_queue", "_scheduler")

    def __init__(self) -> None:
        self._emit: Emit | None = None
        self._scheduler: Scheduler | None = None
        self._boot = 0  # counts starts: what an earlier one had under way stays silent
        self._busy = False
        self._queue: list[AnySignal] | None = None

    @property
    def scheduler(self) -> Scheduler:
        """Raises RuntimeError before the first start."""
        if self._scheduler is None:
            raise RuntimeError("the board was never started")
        return self._scheduler

    def say(self, signal: AnySignal) -> None:
        """Put a signal in line; whoever came in from outside flushes. Nobody listens: nothing happens."""
        if self._emit is None:
            return
        if self._queue is None:
            self._queue = [signal]
        else:
            self._queue.append(signal)

    def flush(self) -> None:
        """Hand over what was said, in order, also what is said meanwhile; from inside an emission this does nothing."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue is not None:
                queue, self._queue, boot = self._queue, None, self._boot
                for signal in queue:
                    if self._emit is not None and boot == self._boot:
                        self._emit(signal)
        finally:
            self._busy = False

    def later(self, time_ms: int, call: Callable[..., None], *args: object) -> None:
        self.scheduler.call_at(self.scheduler.now().mono_ns + time_ms * MILLISECOND, call, *args)

    def say_later(self, time_ms: int, signal: AnySignal) -> None:
        """Unless the board is started anew before."""
        self.later(time_ms, self._say_now, self._boot, signal)

    def _say_now(self, boot: int, signal: AnySignal) -> None:
        if boot == self._boot:
            self.say(signal)
            self.flush()
