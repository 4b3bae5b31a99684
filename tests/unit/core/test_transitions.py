"""Every row of 1.6's table of connector states (§4.9): the station is driven along exactly this transition, and tells it.

Rows that need Reserved set that fact by hand, since reservations are not built. What no row allows is in test_status.py.
"""

from __future__ import annotations

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


def operative(bench: CoreBench, yes: bool, slot: int = 1) -> None:
    bench.call("ChangeAvailability", {"connectorId": slot, "type": "Operative" if yes else "Inoperative"})
    bench.answer_all()


def reserved(bench: CoreBench, yes: bool) -> None:
    bench.core.slots[0].reserved = yes
    look(bench)


def look(bench: CoreBench) -> None:
    """Something harmless happens, so that the core looks at its slots."""
    bench.core.touch(bench.core.slots[0])
    bench.give(BoardFault(0, Cause.LIGHTS, True))
    bench.give(BoardFault(0, Cause.LIGHTS, False))
    bench.answer_all()


def tap(bench: CoreBench, card: str = CARD) -> None:
    bench.wait(3)
    bench.tap(card)
    bench.answer_all()


def stopped(bench: CoreBench) -> CoreBench:
    """The card again; the car lets go and stays."""
    tap(bench)
    bench.pilot(Pilot.B)
    bench.answer_all()
    return bench


# --- the states to start from ---


def available() -> CoreBench:
    return online()


def preparing() -> CoreBench:
    bench = online()
    bench.plug()
    bench.answer_all()
    return bench


def charging(shape: StationShape | None = None, settings: Settings | None = None) -> CoreBench:
    bench = online(shape, settings)
    bench.charging()
    return bench


def suspended_ev(shape: StationShape | None = None) -> CoreBench:
    bench = charging(shape)
    bench.pilot(Pilot.B)
    bench.answer_all()
    return bench


def suspended_evse(shape: StationShape | None = None) -> CoreBench:
    """The CSMS does not accept the card after all, and the key says to keep the transaction."""
    bench = online(shape, Settings(stop_on_invalid=False))
    bench.plug()
    tap(bench)
    bench.restart  # noqa: B018
    return bench


def restricted(shape: StationShape | None = None) -> CoreBench:
    """Something about the pilot is wrong: no power, no fault of the station."""
    bench = charging(shape)
    bench.give(BoardFault(1, Cause.PILOT, True, "DiodeFault"))
    bench.pilot(Pilot.B)
    bench.answer_all()
    return bench


def finishing() -> CoreBench:
    return stopped(charging())


def in_reserve() -> CoreBench:
    bench = online()
    reserved(bench, True)
    return bench


def unavailable() -> CoreBench:
    bench = online()
    operative(bench, False)
    return bench


def fault(bench: CoreBench) -> CoreBench:
    bench.give(BoardFault(1, Cause.OVER_VOLTAGE, True))
    bench.answer_all()
    return bench


# --- the rows ---


def a2() -> CoreBench:
    return preparing()


def a3() -> CoreBench:
    bench = online(settings=FREE_VEND)
    bench.plug()
    bench.answer_all()
    bench.pilot(Pilot.C)
    bench.answer_all()
    return bench


def a4() -> CoreBench:
    bench = online(settings=FREE_VEND)
    bench.plug()
    bench.wait(11)
    return bench


def a5() -> CoreBench:
    bench = online(ONE_AT_A_TIME, FREE_VEND)
    bench.plug(2)
    bench.pilot(Pilot.C, 2)
    bench.answer_all()
    bench.wait(1)
    bench.plug(1)
    bench.answer_all()
    return bench


def a7() -> CoreBench:
    return in_reserve()


def a8() -> CoreBench:
    return unavailable()


def a9() -> CoreBench:
    return fault(available())


def b1() -> CoreBench:
    bench = preparing()
    bench.unplug()
    bench.answer_all()
    return bench


def b3() -> CoreBench:
    return charging()


def b4() -> CoreBench:
    bench = preparing()
    tap(bench)
    bench.wait(11)
    return bench


def b5() -> CoreBench:
    bench = online(ONE_AT_A_TIME)
    bench.charging(2, "04FFEE11")
    bench.plug(1)
    tap(bench)
    return bench


def b6() -> CoreBench:
    bench = preparing()
    bench.wait(61)
    return bench


def b9() -> CoreBench:
    return fault(preparing())


def c1() -> CoreBench:
    bench = charging(TETHERED)
    bench.unplug()
    bench.answer_all()
    return bench


def c4() -> CoreBench:
    return suspended_ev()


def c5() -> CoreBench:
    bench = online(settings=Settings(stop_on_invalid=False))
    bench.plug()
    bench.wait(3)
    bench.tap(CARD)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    bench.pilot(Pilot.C)
    bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    return bench


def c6() -> CoreBench:
    return finishing()


def c8() -> CoreBench:
    bench = charging(TETHERED)
    operative(bench, False)
    bench.unplug()
    bench.answer_all()
    return bench


def c9() -> CoreBench:
    return fault(charging())


def d1() -> CoreBench:
    bench = suspended_ev(TETHERED)
    bench.unplug()
    bench.answer_all()
    return bench


def d3() -> CoreBench:
    bench = suspended_ev()
    bench.pilot(Pilot.C)
    bench.answer_all()
    return bench


def d5() -> CoreBench:
    bench = suspended_ev()
    bench.give(BoardFault(1, Cause.PILOT, True, "DiodeFault"))
    bench.answer_all()
    return bench


def d6() -> CoreBench:
    bench = suspended_ev()
    tap(bench)
    return bench


def d8() -> CoreBench:
    bench = suspended_ev(TETHERED)
    operative(bench, False)
    bench.unplug()
    bench.answer_all()
    return bench


def d9() -> CoreBench:
    return fault(suspended_ev())


def e1() -> CoreBench:
    bench = restricted(TETHERED)
    bench.unplug()
    bench.answer_all()
    return bench


def e3() -> CoreBench:
    bench = restricted()
    bench.give(BoardFault(1, Cause.PILOT, False))
    bench.pilot(Pilot.C)
    bench.answer_all()
    return bench


def e4() -> CoreBench:
    bench = restricted()
    bench.give(BoardFault(1, Cause.PILOT, False))
    bench.wait(11)
    return bench


def e6() -> CoreBench:
    bench = restricted()
    tap(bench)
    return bench


def e8() -> CoreBench:
    bench = restricted(TETHERED)
    operative(bench, False)
    bench.unplug()
    bench.answer_all()
    return bench


def e9() -> CoreBench:
    return fault(restricted())


def f1() -> CoreBench:
    bench = finishing()
    bench.unplug()
    bench.answer_all()
    return bench


def f2() -> CoreBench:
    bench = finishing()
    tap(bench)
    return bench


def f8() -> CoreBench:
    bench = finishing()
    operative(bench, False)
    return bench


def f9() -> CoreBench:
    return fault(finishing())


def g1() -> CoreBench:
    bench = in_reserve()
    reserved(bench, False)
    return bench


def g2() -> CoreBench:
    bench = in_reserve()
    bench.core.slots[0].waiting_auth = True
    look(bench)
    return bench


def g8() -> CoreBench:
    bench = in_reserve()
    operative(bench, False)
    return bench


def g9() -> CoreBench:
    return fault(in_reserve())


def h1() -> CoreBench:
    bench = unavailable()
    operative(bench, True)
    return bench


def h2() -> CoreBench:
    bench = unavailable()
    bench.plug()
    bench.answer_all()
    operative(bench, True)
    return bench


def h3() -> CoreBench:
    bench = online(settings=FREE_VEND)
    operative(bench, False)
    bench.plug()
    operative(bench, True)
    bench.pilot(Pilot.C)
    bench.answer_all()
    return bench


def h4() -> CoreBench:
    bench = online(settings=FREE_VEND)
    operative(bench, False)
    bench.plug()
    operative(bench, True)
    bench.wait(11)
    return bench


def h5() -> CoreBench:
    bench = online(ONE_AT_A_TIME, FREE_VEND)
    bench.plug(2)
    bench.pilot(Pilot.C, 2)
    operative(bench, False)
    bench.plug(1)
    operative(bench, True)
    return bench


def h9() -> CoreBench:
    return fault(unavailable())


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
ROWS: dict[str, Callable[[], CoreBench]] = {
    name.upper(): row for name, row in list(globals().items()) if len(name) == 2 and name[1:].isdigit()
}


def transitions(bench: CoreBench) -> list[tuple[str, str]]:
    """From status to status, as the CSMS was told of connector 1; a mere change of the error code is none."""
    told = bench.statuses()
    return [(a, b) for a, b in zip(told, told[1:], strict=False) if a != b]


@pytest.mark.parametrize("row", [pytest.param(row, marks=spec("1.6", f"16-STATE-{row}")) for row in ROWS])
def test_row(row: str) -> None:
    bench = ROWS[row]()
    assert transitions(bench)[-1] == (STATES[row[0]], COLUMNS[row[1]])
    last = [told for told in bench.actions("StatusNotification") if told["connectorId"] == 1][-1]
    assert (last["errorCode"] == "NoError") is (row not in ("D5",) and row[1] != "9")
    assert last["timestamp"]


BEFORE = {
    "I1": available,
    "I2": preparing,
    "I3": charging,
    "I4": suspended_ev,
    "I5": restricted,
    "I6": finishing,
    "I7": in_reserve,
    "I8": unavailable,
}


@spec("1.6", "16-STATE-I1-I8", "16-STAT-09")
@pytest.mark.parametrize("column", BEFORE)
def test_row_i(column: str) -> None:
    """The fault goes, and what was before is told again; over-voltage must have been gone for a minute."""
    bench = fault(BEFORE[column]())
    assert bench.statuses()[-1] == "Faulted"
    bench.give(BoardFault(1, Cause.OVER_VOLTAGE, False))
    bench.wait(59)
    assert bench.statuses()[-1] == "Faulted"
    bench.wait(2)
    if column == "I3":  # power was taken away meanwhile: the car has to be given it again
        assert transitions(bench)[-1] == ("Faulted", "Charging")
    else:
        assert transitions(bench)[-1] == ("Faulted", COLUMNS[column[1]])
    last = [told for told in bench.actions("StatusNotification") if told["connectorId"] == 1][-1]
    assert (last["errorCode"] == "NoError") is (column != "I5")


def test_all_rows_of_the_specification_are_here() -> None:
    assert len(ROWS) + 1 == 46
