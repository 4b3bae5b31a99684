"""What a station heard last, for whoever must find out why its program fell: written beside the store when it does.

One JSON file a fall, the newest five are kept: `station`, `program`, `at` (UTC), `error`, `traceback` (lines), `records` (of the store:
kind -> key -> body), `inputs` (the latest thousand, oldest first, each with `mono_ns`, `utc_ms`, `type` and its members; the last is the
one at which it fell). Secrets are taken out of frames. Not here: what a station does after a fall (`station.core.boot`).
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hal.clock import Now
from hal.store import Image
from ocpp_client.link_types import FrameReceived
from ocpp_client.secrets import Cleaner
from station.core.core import StationCore
from station.core.effects import Input
from station.shell.host import Host
from station.shell.runner import Unit

INPUTS: Final = 1000
FILES: Final = 5


class BlackBox:
    """Of one station. `stem`: what the names of its files begin with, a path."""

    def __init__(self, stem: Path, program: str, secrets: tuple[bytes, ...] = ()) -> None:
        self._stem = stem
        self._program = program
        self._cleaner = Cleaner(secrets)
        self._inputs: deque[tuple[Now, Input]] = deque(maxlen=INPUTS)

    def heard(self, now: Now, item: Input) -> None:
        self._inputs.append((now, item))

    def write(self, station: str, error: BaseException, records: Image) -> Path:
        """Returns where. Raises OSError."""
        now = datetime.now(UTC)
        told = {
            "station": station,
            "program": self._program,
            "at": now.isoformat(timespec="milliseconds"),
            "error": repr(error),
            "traceback": "".join(traceback.format_exception(error)).splitlines(),
            "records": records,
            "inputs": [self._line(at, item) for at, item in self._inputs],
        }
        path = self._stem.with_name(f"{self._stem.name}.fell-{now:%Y%m%dT%H%M%S%f}.json")
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1))
        for old in sorted(path.parent.glob(f"{self._stem.name}.fell-*.json"))[:-FILES]:
            old.unlink()
        return path

    def _line(self, at: Now, item: Input) -> dict[str, Any]:
        if isinstance(item, FrameReceived):
            item = FrameReceived(self._cleaner.clean(item.frame))
        return {"mono_ns": at.mono_ns, "utc_ms": at.os_utc_ms, **msgspec.to_builtins(item)}


class BoxedHost(Host):
    """A host of one station. `box`: its black box; `tell` hears a sentence about it."""

    box: BlackBox | None = None
    tell: Callable[[str], None]

    def _step(self, unit: Unit, core: StationCore, item: Input) -> None:
        if self.box is not None:
            self.box.heard(self.scheduler.now(), item)
        super()._step(unit, core, item)

    def _fell(self, unit: Unit, error: Exception) -> None:
        super()._fell(unit, error)
        if self.box is None or self.store is None:
            return
        try:
            path = self.box.write(unit.id, error, self.store.load(unit.id))
        except OSError as trouble:
            self.tell(f"what the station heard last could not be written: {trouble}")
        else:
            self.tell(f"what the station heard last, and its records, are in {path}")
