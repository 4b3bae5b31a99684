"""What the dialects are tried on: a word of every kind, one session from beginning to end, and their golden JSON.

    python -m tests.dialects.cases      writes golden/*.json anew; read the difference before you keep it

The golden files say what goes on the wire, to the byte: their payloads, without the spaces, are the payloads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from hal.units import Reading
from ocpp_client.dialects import load
from ocpp_client.dialects.base import About, Told
from station.words.common import (
    BootReason,
    ChargingState,
    Context,
    Measurand,
    Sample,
    SlotStatus,
    Stamp,
    StopReason,
    Token,
    TokenKind,
    Why,
)
from station.words.facts import MeterTold, StatusChanged, TransactionTold, Trouble
from station.words.questions import AskTime, AskVendor, Authorize, Register
from station.words.settings import StationShape

VERSIONS: Final = {"v16": "1.6", "v201": "2.0.1"}
GOLDEN: Final = Path(__file__).parent / "golden"

NINE: Final = 1_795_161_600_000  # 2026-11-20T08:00:00Z
SESSION: Final = "7f0c9d52-41"
CARD: Final = Token("04A1B2C3D4E5F6")
ABOUT: Final = About(StationShape(), serial="EVS-2026-000117", transactions={"an-older-one": 4, SESSION: 815})

ALL: Final = tuple(Measurand)
FULL: Final = Reading(
    energy_mwh=1_234_567_999,
    current_ma=(15_840, 15_750, 0),
    voltage_mv=(230_100, 229_949, 231_050),
    power_mw=(3_644_784, 3_621_697, 0),
    frequency_millihz=49_980,
    temperature_mc=-3_460,
    soc_percent=64,
)


def at(seconds: float) -> Stamp:
    """A trusted moment, so many seconds after eight o'clock."""
    return Stamp(NINE + round(seconds * 1000))


def sample(
    seconds: float,
    energy_mwh: int,
    context: Context = Context.PERIODIC,
    what: tuple[Measurand, ...] = (Measurand.ENERGY_IMPORT,),
) -> Sample:
    return Sample(at(seconds), context, Reading(energy_mwh), what)


def transaction(kind: str, **given: Any) -> TransactionTold:
    """An event of `SESSION` on slot 1; whatever a test is about is given."""
    told: dict[str, Any] = {"seq": 0, "why": Why.AUTHORIZED, "at": at(0), "state": ChargingState.CONNECTED} | given
    return TransactionTold(kind=kind, session=told.pop("session", SESSION), slot=told.pop("slot", 1), **told)  # type: ignore[arg-type]


WORDS: Final[dict[str, Told]] = {
    "register": Register(BootReason.POWER_UP),
    "ask the time": AskTime(),
    "authorize a card": Authorize(CARD),
    "authorize an app": Authorize(Token("app-4711", TokenKind.CENTRAL), purpose="remote"),
    "ask a vendor": AskVendor("org.example", "Hello", '{"a":1}'),
    "ask a vendor little": AskVendor("org.example"),
    "station is available": StatusChanged(0, SlotStatus.AVAILABLE, at(0)),
    "slot is preparing": StatusChanged(2, SlotStatus.PREPARING, at(1.25)),
    "slot is faulted": StatusChanged(
        1, SlotStatus.FAULTED, at(2), Trouble("GroundFailure", vendor="RCD-6mA", info="tripped twice")
    ),
    "slot warns before the clock is set": StatusChanged(
        1, SlotStatus.FINISHING, Stamp(12_000, boot=3, mono_ms=900), Trouble("ConnectorLockFailure")
    ),
    "started by a card": transaction("started", token=CARD, register_mwh=1_000_999, first_connected=True),
    "started from afar, reserved": transaction(
        "started",
        slot=2,
        why=Why.REMOTE_START,
        token=Token("app-4711", TokenKind.CENTRAL),
        register_mwh=0,
        request=99,
        reservation=5,
    ),
    "started for anybody": transaction("started", token=Token("FREEVEND", TokenKind.NONE), register_mwh=0),
    "updated with all values": transaction(
        "updated",
        seq=3,
        why=Why.METER_PERIODIC,
        state=ChargingState.CHARGING,
        samples=(Sample(at(60), Context.PERIODIC, FULL, ALL, offered_ma=16_000, rotation="STR"),),
    ),
    "updated without values": transaction(
        "updated", seq=1, why=Why.CHARGING_STATE_CHANGED, state=ChargingState.CHARGING, at=at(5)
    ),
    "updated while offline": transaction(
        "updated", seq=4, why=Why.METER_CLOCK, offline=True, samples=(sample(900, 2_000_000, Context.CLOCK),)
    ),
    "ended by the card": transaction(
        "ended",
        seq=9,
        why=Why.STOP_AUTHORIZED,
        at=at(3600),
        token=CARD,
        register_mwh=11_500_400,
        stop=StopReason.LOCAL,
        samples=(sample(0, 1_000_999, Context.BEGIN), sample(3600, 11_500_400, Context.END)),
    ),
    "ended by a fault": transaction(
        "ended", seq=9, why=Why.ABNORMAL, at=at(30), register_mwh=1_200_000, stop=StopReason.GROUND_FAULT
    ),
    "ended, never confirmed": transaction(
        "ended", session="unconfirmed", seq=1, at=at(30), register_mwh=1_200_000, stop=StopReason.POWER_LOSS
    ),
    "meter of an idle slot": MeterTold(2, (sample(900, 5_000, Context.CLOCK),)),
    "meter of a running slot, asked for": MeterTold(1, (sample(901, 2_000_000, Context.TRIGGER),), SESSION),
    "meter that gave nothing": MeterTold(1, (sample(901, 0, what=(Measurand.SOC,)),)),
}

STORY: Final[tuple[Told, ...]] = (
    Register(BootReason.POWER_UP),
    StatusChanged(0, SlotStatus.AVAILABLE, at(0)),
    StatusChanged(1, SlotStatus.AVAILABLE, at(0)),
    StatusChanged(1, SlotStatus.PREPARING, at(10)),
    Authorize(CARD),
    transaction("started", at=at(14), token=CARD, register_mwh=1_000_000, first_connected=True),
    transaction("updated", seq=1, at=at(16), why=Why.CHARGING_STATE_CHANGED, state=ChargingState.CHARGING),
    StatusChanged(1, SlotStatus.CHARGING, at(16)),
    transaction(
        "updated",
        seq=2,
        at=at(74),
        why=Why.METER_PERIODIC,
        state=ChargingState.CHARGING,
        samples=(sample(74, 1_060_000),),
    ),
    transaction("updated", seq=3, at=at(80), why=Why.CHARGING_STATE_CHANGED, state=ChargingState.SUSPENDED_EV),
    StatusChanged(1, SlotStatus.SUSPENDED_EV, at(80)),
    transaction(
        "ended",
        seq=4,
        at=at(90),
        why=Why.STOP_AUTHORIZED,
        token=CARD,
        register_mwh=1_062_345,
        stop=StopReason.LOCAL,
        samples=(sample(14, 1_000_000, Context.BEGIN), sample(90, 1_062_345, Context.END)),
    ),
    StatusChanged(1, SlotStatus.FINISHING, at(90)),
    StatusChanged(1, SlotStatus.AVAILABLE, at(95)),
)
"""A card, a car, one and a half minutes, and somebody who thought better of it."""


def spoken(version: str, told: Told) -> list[Any] | None:
    """Action and payload in a version, as a golden file has them."""
    call = load(VERSIONS[version]).encode(told, ABOUT)
    return None if call is None else [call[0], json.loads(call[1])]


def story() -> list[dict[str, Any]]:
    return [{"word": type(told).__name__, "1.6": spoken("v16", told), "2.0.1": spoken("v201", told)} for told in STORY]


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def write() -> None:
    words = {version: {name: spoken(version, told) for name, told in WORDS.items()} for version in VERSIONS}
    for name, content in {**words, "story": story()}.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
