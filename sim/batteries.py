"""What reached the batteries of the cars that came, and whether that fits what the meters counted.

A charger in a car loses a share, which is known of each car; what it draws while its battery takes nothing (climate, waiting) is
left out, so that the two agree within 0.5 % and not to the Wh. Not here: books against meters (`account.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hal.units import MilliWh, MonoNs, TokenUid

if TYPE_CHECKING:  # who compares the accounts needs no station
    from sim.people import Driver

TOLERANCE_PERMILLE: Final = 5


class Battery(msgspec.Struct, frozen=True):
    """One car at the end of its visit. `efficiency_permille` of what is drawn for charging reaches the battery."""

    card: TokenUid
    car: str
    efficiency_permille: int
    gained_mwh: MilliWh

    @property
    def taken_mwh(self) -> MilliWh:
        """What its charger must have taken from the mains for this gain."""
        return self.gained_mwh * 1000 // self.efficiency_permille


def batteries(drivers: Iterable[Driver], now_ns: MonoNs) -> list[Battery]:
    """Look into every car, plugged or gone."""
    found = []
    for driver in drivers:
        profile = driver.vehicle.profile
        before_mwh = profile.capacity_wh * driver.visit.soc_permille
        gained_mwh = driver.vehicle.battery_mwh(now_ns) - before_mwh
        found.append(Battery(driver.visit.token, profile.name, profile.efficiency_permille, gained_mwh))
    return found


def difference(found: Sequence[Battery], metered_wh: int) -> str:
    """A sentence if batteries and meters are further apart than may be; else nothing."""
    taken_wh = sum(one.taken_mwh for one in found) // 1000
    if abs(taken_wh - metered_wh) * 1000 <= metered_wh * TOLERANCE_PERMILLE:
        return ""
    return f"the batteries' gain means {taken_wh} Wh from the mains, the meters counted {metered_wh} Wh: more than 0.5 % apart"


def write_batteries(path: str | os.PathLike[str], found: Sequence[Battery]) -> None:
    """As one JSON list. Raises OSError."""
    Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))


def read_batteries(path: str | os.PathLike[str]) -> list[Battery]:
    """Read them back. Raises OSError, and msgspec.DecodeError for a file that is something else."""
    return msgspec.json.decode(Path(path).read_bytes(), type=list[Battery])
