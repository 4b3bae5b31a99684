"""Ten cars that exist, as data: how each charges, with where that is known from.

What the notes do not name is an assumption of ours, chosen within the ranges of the station design (efficiency 0.88 to
0.93, 0.2 to 0.5 A below the offer): delays, losses, and the point where alternating-current charging tapers.
Not here: behaviour, see `sim/vehicle.py`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from hal.units import MilliAmps

Wake: TypeAlias = Literal["offer", "pulse", "never"]
Percent: TypeAlias = Annotated[int, Meta(ge=1, le=100)]


class Profile(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """How one kind of car charges. Powers are taken from the mains; currents are per phase."""

    name: str
    source: str
    capacity_wh: Annotated[int, Meta(ge=1000)]  # usable
    phases: Annotated[int, Meta(ge=1, le=3)]
    max_ma: MilliAmps
    one_phase_ma: MilliAmps = 0  # where only one phase is there; 0: as max_ma
    min_ma: MilliAmps = 6_000  # a lower offer is no offer to this car
    margin_ma: Annotated[int, Meta(ge=200, le=500)] = 300  # kept below the offer
    reactive_ma: MilliAmps = 300  # what makes the power factor poor at low power
    efficiency_permille: Annotated[int, Meta(ge=880, le=930)] = 900
    target_percent: Percent = 100
    taper_percent: Percent  # above it the power falls, linear in the state of charge ...
    end_w: Annotated[int, Meta(ge=100)]  # ... to this at 100 %
    ready_ms: int = 1_200  # from an offer to state C
    stop_ms: Annotated[int, Meta(ge=100, le=3_000)] = 1_500  # from "no offer" or "full" to state B
    delay_s: int = 0  # after the plug, before it wants anything
    full_in_c: bool = False  # stays in C when full, at idle_w
    idle_w: int = 0
    top_up_every_s: int = 0  # mean time between top-ups after full; 0: none
    top_up_w: int = 0
    wake: Wake = "offer"  # what wakes it after ten minutes without an offer
    locks_inlet: bool = True  # holds the plug at its side while it charges
    dc_w: int = 0  # direct current: the most it takes, up to ...
    dc_taper_percent: Percent = 75  # ... this state of charge


_OPEN = "Battery and charger: Open EV Data (chargeprice/open-ev-data, data/ev-data.json). "

_ALL: Final = (
    Profile(
        name="zoe-r110",
        source=_OPEN + "At three phases it draws mostly reactive current near 6 A, 4.1 kW at 8 A, and has a good power "
        "factor only above (evcc-io/evcc issues 187, 20091). Asleep it wants its key or a restarted pilot "
        "(OpenEVSE/ESP8266_WiFi_v2.x issue 223).",
        capacity_wh=41_000,
        phases=3,
        max_ma=32_000,
        min_ma=8_000,
        reactive_ma=5_000,
        efficiency_permille=880,
        taper_percent=85,
        end_w=2_000,
        ready_ms=3_000,
        stop_ms=2_500,
        wake="pulse",
        dc_w=45_000,
    ),
    Profile(
        name="smart-eq-22",
        source=_OPEN + "Three phases start at 8 A, not at 6 (evcc-io/evcc issues 3528, 4788). A smart that waited "
        "without current does not start by itself when there is some (steff393/wbec issue 136, of the older ED).",
        capacity_wh=17_600,
        phases=3,
        max_ma=32_000,
        min_ma=8_000,
        margin_ma=400,
        efficiency_permille=890,
        taper_percent=88,
        end_w=1_500,
        ready_ms=2_000,
        wake="never",
    ),
    Profile(
        name="leaf-40",
        source=_OPEN + "One phase, 6.6 kW, which is the mains side (andrewfixes.com on the 6.6 kW charger).",
        capacity_wh=38_000,
        phases=1,
        max_ma=29_000,
        efficiency_permille=900,
        taper_percent=95,
        end_w=800,
        dc_w=45_000,
        dc_taper_percent=65,
    ),
    Profile(
        name="model-3-lr",
        source=_OPEN + "On one phase the maker's cars take up to 32 A (evcc-io/evcc issue 18065, of a Model Y). "
        "Target of 80 %: a habit of its drivers.",
        capacity_wh=74_000,
        phases=3,
        max_ma=16_000,
        one_phase_ma=32_000,
        margin_ma=200,
        efficiency_permille=930,
        target_percent=80,
        taper_percent=96,
        end_w=1_500,
        ready_ms=900,
        stop_ms=800,
        dc_w=149_000,
        dc_taper_percent=52,
    ),
    Profile(
        name="e-up-32",
        source="Two phases, 2.9 kW at 6 A rising to 4.7 kW at 10 A and no further up to 16 A: measured per ampere in "
        "warp-more-hardware/esp32-firmware issue 51. Capacity: a third-party vehicle table, 32.3 kWh usable.",
        capacity_wh=32_300,
        phases=2,
        max_ma=10_400,
        margin_ma=200,
        efficiency_permille=890,
        taper_percent=95,
        end_w=700,
        dc_w=40_000,
    ),
    Profile(
        name="kuga-phev",
        source="One phase, 1.46 kW at 6 A to 3.75 kW at 16 A: measured per ampere in "
        "warp-more-hardware/esp32-firmware issue 51. Usable capacity is not confirmed.",
        capacity_wh=10_300,
        phases=1,
        max_ma=16_000,
        margin_ma=200,
        efficiency_permille=880,
        taper_percent=92,
        end_w=500,
        locks_inlet=False,
    ),
    Profile(
        name="kona-39",
        source=_OPEN + "Plugged before its off-peak time it waits connected and starts later "
        "(Hyundai-Kia-Connect/kia_uvo issue 1661, of an Ioniq 5).",
        capacity_wh=39_200,
        phases=1,
        max_ma=32_000,
        efficiency_permille=910,
        taper_percent=96,
        end_w=900,
        delay_s=1_200,
        dc_w=50_000,
    ),
    Profile(
        name="i-miev",
        source=_OPEN + "Between and after charging the car stays connected at 0.1 A, balancing above 92 % "
        "(openvehicles/Open-Vehicle-Monitoring-System-3 issue 174).",
        capacity_wh=14_500,
        phases=1,
        max_ma=15_600,
        margin_ma=500,
        efficiency_permille=880,
        taper_percent=92,
        end_w=300,
        full_in_c=True,
        idle_w=23,
        locks_inlet=False,
        dc_w=50_000,
    ),
    Profile(
        name="e-tron-55-22",
        source=_OPEN + "The variant with the second charger: 22 kW on three phases; 155 kW of direct current to 70 %.",
        capacity_wh=86_500,
        phases=3,
        max_ma=32_000,
        margin_ma=400,
        efficiency_permille=920,
        taper_percent=94,
        end_w=2_500,
        dc_w=155_000,
        dc_taper_percent=70,
    ),
    Profile(
        name="i3-120",
        source=_OPEN + "Its curve falls to 3 kW at 100 %, which reaches 11 kW at about 97 %. Does not start below 7 A "
        "(torbennehmer/hacs-e3dc issue 47, of a BMW); heats or cools from the plug after charging (evcc-io/evcc issue "
        "26006).",
        capacity_wh=37_900,
        phases=3,
        max_ma=16_000,
        min_ma=7_000,
        efficiency_permille=900,
        taper_percent=97,
        end_w=3_000,
        top_up_every_s=2_700,
        top_up_w=2_500,
        wake="pulse",
        dc_w=50_000,
        dc_taper_percent=85,
    ),
)

PROFILES: Final[dict[str, Profile]] = {profile.name: profile for profile in _ALL}
