"""A session through the core, on the bench: what comes out, and in which order."""

from __future__ import annotations

from hal.actions import Offer, PermitPower
from hal.disk import Persist
from hal.units import Pilot
from station.core.effects import SendFrame
from tests.builders import CARD, CoreBench
from tests.spec import spec


@spec("1.6", "16-START-01", "16-START-03")
def test_power_waits_for_the_disk_and_not_for_the_csms() -> None:
    bench = CoreBench()
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.wait(3)
    bench.store = "silent"
    bench.tap(CARD)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert not any(isinstance(e, PermitPower) and e.allowed for e in bench.effects)
    assert bench.actions("StartTransaction") == []
    bench = CoreBench()
    bench.connect()
    bench.plug()
    bench.answer_all()
    bench.wait(3)
    bench.tap(CARD)
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert bench.open_call is not None and bench.open_call[2] == "StartTransaction"
    assert any(isinstance(e, PermitPower) and e.allowed for e in bench.effects)


def test_withdrawal_of_power_is_the_first_effect_of_an_emergency_stop() -> None:
    from hal.signals import BoardFault
    from hal.units import Cause

    bench = CoreBench()
    bench.connect()
    bench.charging(1)
    bench.charging(2, "04FFEE11")
    effects = bench.give(BoardFault(0, Cause.EMERGENCY_STOP, True))
    assert effects[:2] == [PermitPower(1, False), PermitPower(2, False)]
    assert Offer(1, None) in effects[2:6]
    first_frame = next(i for i, e in enumerate(effects) if isinstance(e, SendFrame))
    assert all(not isinstance(e, Persist) for e in effects[:2]) and first_frame > 2


@spec("1.6", "16-STOP-02", "16-STOP-11")
def test_the_same_card_stops_and_unlocks() -> None:
    bench = CoreBench(answering=True)
    bench.connect()
    bench.charging()
    bench.wait(1800)
    bench.tap(CARD)
    bench.pilot(Pilot.B)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert stop["meterStop"] == bench.register_mwh[1] // 1000 > 5000
    assert stop["idTag"] == CARD
    assert bench.statuses()[-1] == "Finishing"
    bench.unplug()
    bench.answer_all()
    assert bench.statuses()[-1] == "Available"
