"""What goes wrong in `station-sim demo --chaos`: the link is cut twice, the station's process killed once, the mains cut once.

A kill loses all that is not on the disk; the operating system runs on, and the hardware stays as it is: what charges, charges on until
the station is back, which takes a contactor that it finds closed for a weld until the operator has looked. A power cut lets the outputs
fall too.
When, in which order and for how long is drawn from the seed, over the time in which drivers come and charge. Not here: the accounts,
which must agree all the same (`account.py`), and faults of stories (`faults.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from hal.units import SECOND
from ocpp_client.link import check_profile
from sim.board import SimBoard
from sim.live import NoWire
from sim.people import Driver, Visit
from sim.rng import Stream
from station.shell.host import Host
from station.shell.runner import Deliver, Unit, Wire
from station.words.commands import StopSession

What: TypeAlias = Literal["link", "process", "power"]

MISHAPS: Final[tuple[What, ...]] = ("link", "link", "process", "power")
LASTS_S: Final[dict[What, tuple[int, int]]] = {"link": (60, 600), "process": (1, 20), "power": (30, 300)}
RETURNS_S: Final = 180  # after the station is back, and so much more for each further slot, drivers look at their cars
TEXTS: Final[dict[What, tuple[str, str]]] = {
    "link": ("the link is cut", "the link is there again"),
    "process": ("the station's process is killed", "the station's process runs again"),
    "power": ("the mains are cut", "the mains are there again"),
}


class Mishap(NamedTuple):
    """Times in simulated seconds since the start."""

    at_s: int
    what: What
    lasts_s: int


def mishaps(seed: int, visits: Sequence[Visit]) -> list[Mishap]:
    """One in each quarter of the time from the first visit to the end of the last: in any order, and never two at once."""
    stream = Stream(seed, "chaos")
    begin_s = min(visit.at_s for visit in visits)
    part_s = (max(visit.at_s + visit.stay_s for visit in visits) - begin_s) // len(MISHAPS)
    order: list[What] = list(MISHAPS)
    found = []
    for number in range(len(MISHAPS)):
        what = order.pop(stream.uniform(0, len(order) - 1))
        low_s, high_s = LASTS_S[what]
        lasts_s = stream.uniform(low_s, min(high_s, part_s // 2))
        found.append(Mishap(begin_s + number * part_s + stream.uniform(0, part_s - lasts_s - 1), what, lasts_s))
    return found


class ShakyHost(Host):
    """A host whose network can be gone: then a connection fails at once."""

    network = True

    def _dial(self, unit: Unit, subprotocols: tuple[str, ...], deliver: Deliver) -> Wire:  # type: ignore[override]  # any wire
        if not self.network:
            return NoWire(self.loop, deliver, check_profile(self.profile(unit)).shown)
        return super()._dial(unit, subprotocols, deliver)


class Chaos:
    """Brings the mishaps about. `tell` hears what has happened, in words."""

    def __init__(
        self, host: ShakyHost, unit: Unit, board: SimBoard, drivers: Sequence[Driver], tell: Callable[..., None]
    ) -> None:
        self._host, self._unit, self._board, self._drivers, self._tell = host, unit, board, drivers, tell
        self._left = 0

    @property
    def over(self) -> bool:
        """Whether all has happened, and all is there again."""
        return self._left == 0

    def begin(self, planned: Sequence[Mishap]) -> None:
        start_ns = self._host.scheduler.now().mono_ns
        self._left = len(planned)
        for one in planned:
            self._host.scheduler.call_at(start_ns + one.at_s * SECOND, self._happen, one)

    def clear(self) -> None:
        """All drivers have left, some perhaps without a car that was stuck: the operator ends what still runs."""
        core = self._unit.core
        for slot in core.slots if core is not None else ():
            if slot.session is not None:
                self._tell(
                    "chaos",
                    "ended",
                    f"the operator ends the session that was left behind in slot {slot.id}",
                    slot=slot.id,
                )
                self._host.ask(self._unit, StopSession(slot.session.id), lambda outcome: None)

    def _happen(self, one: Mishap) -> None:
        host, unit = self._host, self._unit
        self._say(one, 0, lasts_s=one.lasts_s)
        if one.what == "link":
            host.network = False
            if unit.wire is not None:
                unit.wire.abort()
        else:
            host.halt(unit)
        if one.what == "power":
            self._board.stop()
            unit.plan = msgspec.structs.replace(unit.plan, os_boot=f"{unit.plan.os_boot} after a power cut")
        host.scheduler.call_at(host.scheduler.now().mono_ns + one.lasts_s * SECOND, self._pass, one)

    def _pass(self, one: Mishap) -> None:
        self._say(one, 1)
        self._left -= 1
        if one.what == "link":
            self._host.network = True
        elif self._unit.core is None and self._unit.id in self._host.units:
            self._host.boot(self._unit)
            for driver in self._drivers:
                driver.look_again(RETURNS_S * driver.slot)

    def _say(self, one: Mishap, index: int, **more: Any) -> None:
        self._tell("chaos", f"{one.what}-{'back' if index else 'gone'}", TEXTS[one.what][index], **more)
