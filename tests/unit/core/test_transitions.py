"""Every row of 1.6's table of connector states (§4.9): the station is driven along exactly this transition, and tells it.

Rows that need Reserved set that fact by hand, since reservations are not built. What no row allows is in test_status.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from hal.signals import BoardFault
from hal.units import Cause, Pilot
from station.words.settings import TEMPLATES, Settings, SlotShape, StationShape
from tests.builders import CARD, CoreBench
from tests.spec import spec

FREE_VEND = Settings(cards_decided_by="nobody")
ONE_AT_A_TIME = StationShape(slots=(SlotShape(), SlotShape()), supply_ma=6_000)
TETHERED = TEMPLATES["tethered-11kw"]


def online(shape: StationShape | None = None, settings: Settings | None = None) -> CoreBench:
    bench = CoreBench(shape=shape, settings=settings, answering=True)
    bench.connect()
    return bench


# --- what happens; each gives the bench back ---


def plugged(bench: CoreBench, slot: int = 1) -> CoreBench:
    bench.wait(1)
    bench.plug(slot)
    bench.answer_all()
    return bench


def unplugged(bench: CoreBench) -> CoreBench:
    bench.unplug()
    bench.answer_all()
    return bench


def pilot(bench: CoreBench, pilot: Pilot, slot: int = 1) -> CoreBench:
    bench.pilot(pilot, slot)
    bench.answer_all()
    return bench


def tapped(bench: CoreBench, card: str = CARD) -> CoreBench:
    bench.wait(3)
    bench.tap(card)
    bench.answer_all()
    return bench


def waited(bench: CoreBench, seconds: float) -> CoreBench:
    bench.wait(seconds)
    return bench


def operative(bench: CoreBench, yes: bool) -> CoreBench:
    bench.call("ChangeAvailability", {"connectorId": 1, "type": "Operative" if yes else "Inoperative"})
    bench.answer_all()
    return bench


def fault(bench: CoreBench, active: bool = True) -> CoreBench:
    bench.give(BoardFault(1, Cause.OVER_VOLTAGE, active))
    bench.answer_all()
    return bench


def diode(bench: CoreBench, active: bool) -> CoreBench:
    """Something is wrong with the pilot: no power, but no fault of the station."""
    bench.give(BoardFault(1, Cause.PILOT, active, "DiodeFault"))
    bench.answer_all()
    return bench


def called(bench: CoreBench, action: str, **payload: object) -> CoreBench:
    bench.call(action, payload)
    bench.answer_all()
    return bench


def with_fact(bench: CoreBench, name: str, value: bool) -> CoreBench:
    """A fact of the slot, and something harmless, so that the core looks at its slots."""
    setattr(bench.core.slots[0], name, value)
    bench.core.touch(bench.core.slots[0])
    bench.give(BoardFault(0, Cause.LIGHTS, True))
    bench.give(BoardFault(0, Cause.LIGHTS, False))
    bench.answer_all()
    return bench


# --- the states to start from ---


def preparing(patience_s: int = 60) -> CoreBench:
    return plugged(online(settings=Settings(connection_timeout_s=patience_s)))


def charging(shape: StationShape | None = None) -> CoreBench:
    bench = online(shape)
    bench.charging()
    return bench


def suspended_ev(shape: StationShape | None = None) -> CoreBench:
    return pilot(charging(shape), Pilot.B)


def suspended_evse(shape: StationShape | None = None) -> CoreBench:
    """The CSMS does not accept the card after all, and the key says to keep the transaction."""
    bench = plugged(online(shape, Settings(stop_on_invalid=False)))
    bench.wait(3)
    bench.tap(CARD)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    bench.pilot(Pilot.C)
    bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    return pilot(bench, Pilot.B)


def restricted() -> CoreBench:
    return pilot(diode(charging(), True), Pilot.B)


def finishing() -> CoreBench:
    return pilot(tapped(charging()), Pilot.B)


def reserved() -> CoreBench:
    return with_fact(online(), "reserved", True)


def unavailable() -> CoreBench:
    return operative(online(), False)


def free_vend() -> CoreBench:
    return online(settings=FREE_VEND)


def one_at_a_time() -> CoreBench:
    """Free vend, and the other slot has all that the supply can give."""
    return pilot(plugged(online(ONE_AT_A_TIME, FREE_VEND), 2), Pilot.C, 2)


def second_of_two() -> CoreBench:
    bench = online(ONE_AT_A_TIME)
    bench.charging(2, "04FFEE11")
    return bench


def one_at_a_time_by_turns() -> CoreBench:
    bench = online(ONE_AT_A_TIME)
    bench.current_ma = 5_500
    bench.charging(1)
    bench.wait(1)
    return tapped(plugged(bench, 2), "04FFEE11")


def idling() -> CoreBench:
    """It stays in C and draws next to nothing."""
    bench = online(settings=Settings(sample_interval_s=5))
    bench.charging()
    bench.current_ma = 100
    return bench


# --- the rows ---

ROWS: dict[str, Callable[[], CoreBench]] = {
    "A2": preparing,
    "A3": lambda: pilot(plugged(free_vend()), Pilot.C),
    "A4": lambda: waited(plugged(free_vend()), 11),
    "A5": lambda: plugged(one_at_a_time()),
    "A7": reserved,
    "A8": unavailable,
    "A9": lambda: fault(online()),
    "B1": lambda: unplugged(preparing()),
    "B3": charging,
    "B4": lambda: waited(tapped(preparing()), 11),
    "B5": lambda: tapped(plugged(second_of_two())),
    "B6": lambda: waited(preparing(), 61),
    "B9": lambda: fault(preparing()),
    "C1": lambda: unplugged(charging(TETHERED)),
    "C4": suspended_ev,
    "C5": suspended_evse,
    "C6": finishing,
    "C8": lambda: unplugged(operative(charging(TETHERED), False)),
    "C9": lambda: fault(charging()),
    "D1": lambda: unplugged(suspended_ev(TETHERED)),
    "D3": lambda: pilot(suspended_ev(), Pilot.C),
    "D5": lambda: diode(suspended_ev(), True),
    "D6": lambda: tapped(suspended_ev()),
    "D8": lambda: unplugged(operative(suspended_ev(TETHERED), False)),
    "D9": lambda: fault(suspended_ev()),
    "E1": lambda: unplugged(suspended_evse(TETHERED)),
    "E3": lambda: pilot(diode(restricted(), False), Pilot.C),
    "E4": lambda: waited(diode(restricted(), False), 11),
    "E6": lambda: tapped(suspended_evse()),
    "E8": lambda: unplugged(operative(suspended_evse(TETHERED), False)),
    "E9": lambda: fault(suspended_evse()),
    "F1": lambda: unplugged(finishing()),
    "F2": lambda: tapped(finishing()),
    "F8": lambda: operative(finishing(), False),
    "F9": lambda: fault(finishing()),
    "G1": lambda: with_fact(reserved(), "reserved", False),
    "G2": lambda: with_fact(reserved(), "waiting_auth", True),
    "G8": lambda: operative(reserved(), False),
    "G9": lambda: fault(reserved()),
    "H1": lambda: operative(unavailable(), True),
    "H2": lambda: operative(plugged(unavailable()), True),
    "H3": lambda: pilot(operative(plugged(operative(free_vend(), False)), True), Pilot.C),
    "H4": lambda: waited(operative(plugged(operative(free_vend(), False)), True), 11),
    "H5": lambda: operative(plugged(operative(one_at_a_time(), False)), True),
    "H9": lambda: fault(unavailable()),
}
STATES = {
    "A": "Available",
    "B": "Preparing",
    "C": "Charging",
    "D": "SuspendedEV",
    "E": "SuspendedEVSE",
    "F": "Finishing",
    "G": "Reserved",
    "H": "Unavailable",
    "I": "Faulted",
}
COLUMNS = dict(zip("123456789", STATES.values(), strict=True))


def transitions(bench: CoreBench) -> list[tuple[str, str]]:
    """From status to status, as the CSMS was told of connector 1; a mere change of the error code is none."""
    told = bench.statuses()
    return [(a, b) for a, b in itertools.pairwise(told) if a != b]


# The specification names several ways for some rows.
OTHER_WAYS: dict[str, tuple[str, Callable[[], CoreBench]]] = {
    "A2 by card": ("A2", lambda: tapped(online(TETHERED))),
    "A2 from afar": ("A2", lambda: called(online(), "RemoteStartTransaction", connectorId=1, idTag=CARD)),
    "B1 second card": ("B1", lambda: tapped(tapped(online(TETHERED)))),
    "B1 time-out": ("B1", lambda: waited(tapped(online(TETHERED)), 61)),
    "C4 in state C": ("C4", lambda: waited(idling(), 25)),
    "C5 limit": ("C5", lambda: waited(one_at_a_time_by_turns(), 905)),
    "C6 from afar": ("C6", lambda: pilot(called(charging(), "RemoteStopTransaction", transactionId=1), Pilot.B)),
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=spec("1.6", f"16-STATE-{row}")) for way, (row, _) in OTHER_WAYS.items()]
)
def test_row_in_another_way(way: str) -> None:
    row, scenario = OTHER_WAYS[way]
    assert transitions(scenario())[-1] == (STATES[row[0]], COLUMNS[row[1]])


@pytest.mark.parametrize("row", [pytest.param(row, marks=spec("1.6", f"16-STATE-{row}")) for row in ROWS])
def test_row(row: str) -> None:
    bench = ROWS[row]()
    assert transitions(bench)[-1] == (STATES[row[0]], COLUMNS[row[1]])
    last = [told for told in bench.actions("StatusNotification") if told["connectorId"] == 1][-1]
    assert (last["errorCode"] == "NoError") is (row[1] != "9" and row != "D5")
    assert last["timestamp"]


BEFORE: dict[str, Callable[[], CoreBench]] = {
    "I1": online,
    "I2": lambda: preparing(600),
    "I3": charging,
    "I4": suspended_ev,
    "I5": suspended_evse,
    "I6": finishing,
    "I7": reserved,
    "I8": unavailable,
}


@spec("1.6", "16-STATE-I1-I8")
@pytest.mark.parametrize("column", BEFORE)
def test_row_i(column: str) -> None:
    """The fault goes, and what was before is told again; over-voltage must have been gone for a minute."""
    bench = fault(BEFORE[column]())
    assert bench.statuses()[-1] == "Faulted"
    fault(bench, False)
    bench.wait(59)
    assert bench.statuses()[-1] == "Faulted"
    bench.wait(12)
    assert transitions(bench)[-1] == ("Faulted", COLUMNS[column[1]])
    last = [told for told in bench.actions("StatusNotification") if told["connectorId"] == 1][-1]
    assert last["errorCode"] == "NoError"


def test_all_rows_of_the_specification_are_here() -> None:
    assert len(ROWS) + 1 == 46
