"""What happens at SIGINT and SIGTERM, on every operating system. Not here: what it is that then ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

ENDS: Final = (signal.SIGINT, signal.SIGTERM)


def on_end(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Call this on the loop when the process is asked to end. To be used on the main thread."""
    for number in ENDS:
        try:
            loop.add_signal_handler(number, call)
        except NotImplementedError:  # the loops of Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(call))
