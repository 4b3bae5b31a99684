"""What a runner is told of a station before it runs. Not here: a station that runs (`runner.Unit`)."""

from __future__ import annotations

import msgspec

from hal.units import SECOND, MonoNs
from station.core.vendors import NO_VENDORS, Vendors
from station.words.settings import Settings, StationShape


class Plan(msgspec.Struct, frozen=True):
    """What a station is, before it runs: shared by a fleet but for what the unit itself holds."""

    shape: StationShape
    settings: Settings
    version: str = "1.6"
    real: int = 1  # how many times faster than real time the scheduler runs
    reboot_ns: MonoNs = 2 * SECOND
    os_boot: str = "boot"
    os_trusted: bool = True
    vendors: Vendors = NO_VENDORS  # who answers DataTransfer
