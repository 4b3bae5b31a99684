"""The boot table (station.md §7): what the board found and what the image says make the base state, in every row of it."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import pytest

from hal.actions import Offer, PermitPower, ReadMeter, SetLock
from hal.disk import Persist
from hal.signals import BoardReady, CableChanged, LockReported, PowerFailing, PowerReported, VehicleChanged
from hal.units import Cause, LockState, Pilot
from station.core.blocks.visits import BOOT, Found, Left
from station.core.boot import BootInfo
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tests.spec import spec
from tests.unit.core.bay import Bay

SOCKET = "two-sockets-22kw"
RESUME = Settings(after_restart="resume")


def before(session: bool, settings: Settings | None = None) -> CoreBench:
    """The boot before: a session that is interrupted, or a quiet night."""
    bench = CoreBench(settings=settings, answering=True)
    bench.connect()
    if session:
        bench.charging()
        bench.wait(90)
    return bench


def after(bench: CoreBench, found: Found, locked: bool = True, **options: Any) -> CoreBench:
    """The same disk; the board reports what it finds, and is ready."""
    later = bench.restart(answering=True, **options)
    later.give(CableChanged(1, found is not Found.EMPTY, 32_000 if found is not Found.EMPTY else None))
    if found is not Found.EMPTY:
        later.pilot(Pilot.B)
    later.give(LockReported(1, LockState.CLOSED if locked else LockState.OPEN))
    later.welded = {1} if found is Found.CLOSED else set()
    later.give(PowerReported(1, found is Found.CLOSED))
    later.give(BoardReady())
    later.connect()
    later.wait(5)
    return later


def lock_opened(bench: CoreBench) -> bool:
    return SetLock(1, False) in bench.effects


def test_the_table_is_whole() -> None:
    assert BOOT.keys() == set(itertools.product(Found, (False, True)))


@pytest.mark.parametrize("session", [False, True])
def test_no_vehicle(session: bool) -> None:
    """Unlocked, Available; what was open is over."""
    bench = after(before(session), Found.EMPTY)
    assert BOOT[Found.EMPTY, session] is (Left.END if session else Left.RELEASE)
    assert lock_opened(bench)
    assert bench.statuses()[-1] == "Available"
    assert len(bench.actions("StopTransaction")) == session
    assert bench.core.slots[0].session is None


def test_a_vehicle_and_no_session_wants_a_new_authorisation() -> None:
    bench = after(before(False), Found.VEHICLE)
    assert lock_opened(bench)
    assert bench.statuses()[-1] == "Preparing"
    bench.pilot(Pilot.C)
    bench.wait(5)
    assert not bench.core.slots[0].permitted
    bench.tap()
    bench.answer_all()
    assert bench.statuses()[-1] == "Charging"


@pytest.mark.parametrize("kept", [False, True])
def test_a_plug_that_waits_for_its_owners_card_still_does(kept: bool) -> None:
    settings = Settings(unlock_on_ev_disconnect=not kept)
    bench = before(True, settings)
    bench.pilot(Pilot.A)
    bench.wait(5)
    later = after(bench, Found.VEHICLE, settings=settings)
    assert lock_opened(later) is not kept
    if kept:
        later.tap(CARD)
        later.answer_all()
        assert lock_opened(later)


@spec("1.6", "TC_032_2_CS")
def test_a_vehicle_and_a_session_that_is_ended() -> None:
    """The default: with the register as it is now and the last sign of life as its time; the plug is let go."""
    earlier = before(True)
    bench = after(earlier, Found.VEHICLE)
    [stop] = bench.actions("StopTransaction")
    assert stop["reason"] == "PowerLoss"
    assert stop["meterStop"] == earlier.register_mwh[1] // 1000
    assert stop["timestamp"] < bench.iso()
    assert lock_opened(bench)
    assert bench.statuses()[-1] == "Finishing"
    bench.pilot(Pilot.C)
    bench.wait(5)
    assert not bench.core.slots[0].permitted


def test_a_vehicle_and_a_session_that_goes_on() -> None:
    """Lock again, a new reading, the disk, power: the same transaction."""
    bench = after(before(True, RESUME), Found.VEHICLE, locked=False, settings=RESUME)
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert bench.actions("StartTransaction", "StopTransaction") == []
    assert bench.statuses()[-1] == "Charging"
    order = [type(e) for e in bench.effects if isinstance(e, SetLock | ReadMeter | Persist | PermitPower | Offer)]
    assert order.index(SetLock) < order.index(ReadMeter)
    assert order.index(ReadMeter) < len(order) - order[::-1].index(Persist)
    assert PermitPower(1, True) in bench.effects and not lock_opened(bench)
    bench.tap(CARD)
    bench.pilot(Pilot.B)
    bench.answer_all()
    [stop] = bench.actions("StopTransaction")
    assert stop.get("reason", "Local") == "Local" and stop["idTag"] == CARD


@pytest.mark.parametrize("found", [Found.EMPTY, Found.CLOSED])
def test_what_would_go_on_is_ended_where_it_cannot(found: Found) -> None:
    bench = after(before(True, RESUME), found, settings=RESUME)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["PowerLoss"]
    assert not any(isinstance(e, PermitPower) and e.allowed for e in bench.effects)


def test_what_was_being_ended_does_not_go_on() -> None:
    """The card was shown, and the supply went before the vehicle had let go."""
    bench = before(True, RESUME)
    bench.tap()
    assert bench.actions("StopTransaction") == []
    later = after(bench, Found.VEHICLE, settings=RESUME)
    assert [stop["reason"] for stop in later.actions("StopTransaction")] == ["Local"]
    assert not any(isinstance(e, PermitPower) and e.allowed for e in later.effects)


@pytest.mark.parametrize("session", [False, True])
def test_a_closed_contactor_is_a_weld_before_anything_else(session: bool) -> None:
    """Nobody permitted it in this boot: Faulted, the session ends, the lock stays closed."""
    bench = after(before(session), Found.CLOSED)
    assert bench.statuses()[-1] == "Faulted"
    assert [f.cause for f in bench.core.slots[0].faults or ()] == [Cause.CONTACTOR_WELDED]
    assert not lock_opened(bench)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["PowerLoss"] * session
    bench.tap()
    bench.wait(5)
    assert not any(isinstance(e, PermitPower) and e.allowed for e in bench.effects)


@pytest.mark.parametrize(
    ("os_boot", "reason"),
    [("os-2", "PowerLoss"), ("os-1", "Reboot")],
)
def test_the_reason_tells_a_power_cut_from_a_restart_of_ours(os_boot: str, reason: str) -> None:
    bench = after(before(True), Found.VEHICLE, boot=BootInfo(os_boot, True, "again"))
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == [reason]


def test_before_the_board_is_ready_nothing_is_told_and_nobody_begins() -> None:
    bench = CoreBench(ready=False, answering=True)
    bench.connect()
    bench.give(VehicleChanged(1, Pilot.B))
    bench.tap()
    bench.wait(9)
    assert bench.actions("StatusNotification", "Authorize") == []
    bench.wait(2)
    assert "board.silent" in bench.notes()
    bench.give(BoardReady())
    bench.answer_all()
    assert bench.statuses() == ["Preparing"] and bench.statuses(0) == ["Available"]


# --- the supply goes away ---


@spec("1.6", "TC_032_1_CS", "16-STOP-06")
def test_a_supply_that_fails_ends_sessions_while_there_is_still_time() -> None:
    """Contactor first, then the lock, and what can be told is told."""
    bench = before(True)
    effects = bench.give(PowerFailing())
    bench.answer_all()
    assert effects[0] == PermitPower(1, False)
    assert lock_opened(bench)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["PowerLoss"]


def test_a_session_that_is_to_go_on_afterwards_is_only_cut_and_unlocked() -> None:
    bench = before(True, RESUME)
    assert bench.give(PowerFailing())[0] == PermitPower(1, False)
    assert lock_opened(bench)
    bench.wait(1)
    assert bench.actions("StopTransaction") == []
    later = after(bench, Found.VEHICLE, locked=False, settings=RESUME)
    later.pilot(Pilot.C)
    later.answer_all()
    assert later.statuses()[-1] == "Charging"


def test_a_supply_that_fails_and_does_not_go_leaves_a_station_that_works() -> None:
    bench = before(True, RESUME)
    bench.give(PowerFailing())
    bench.wait(15)
    assert [stop["reason"] for stop in bench.actions("StopTransaction")] == ["PowerLoss"]
    bench.pilot(Pilot.B)
    bench.tap()
    bench.answer_all()
    bench.pilot(Pilot.C)
    bench.answer_all()
    assert bench.statuses()[-1] == "Charging"


@pytest.mark.parametrize("after_restart", ["end", "resume"])
def test_a_power_cut_on_a_real_board(after_restart: Literal["end", "resume"]) -> None:
    """Billed to the Wh either way; whoever goes on is given power again by itself."""
    bay = Bay(Settings(after_restart=after_restart, aligned_interval_s=0))
    bay.charge()
    bay.world.cut_power(bay.world.units["CP1"])
    bay.run(90)
    assert bay.truth().closed is (after_restart == "resume")
    assert bay.locked is (after_restart == "resume")
    if after_restart == "resume":
        bay.tap()
    bay.run(10)
    [start], [stop] = bay.heard("StartTransaction"), bay.heard("StopTransaction")
    assert stop["reason"] == ("Local" if after_restart == "resume" else "PowerLoss")
    assert stop["meterStop"] - start["meterStart"] == bay.board.true_energy_mwh(1) // 1000


def test_power_that_outlived_its_process_is_withdrawn_before_anything_else() -> None:
    """An output may keep its level when the process that set it dies: the next boot takes it back, and it is a weld until it opens."""
    bench = CoreBench(ready=False, board=False)
    bench.give(VehicleChanged(1, Pilot.C))
    bench.give(PowerReported(1, True))
    effects = bench.give(BoardReady())
    assert effects[0] == PermitPower(1, False)
    assert Offer(1, None) in effects


def test_a_permission_that_outlived_its_process_is_withdrawn_before_the_contactor_can_close() -> None:
    """It was given, the process died, and only now the vehicle asks: nobody would be billed for what it draws."""
    bench = CoreBench(ready=False, board=False)
    bench.give(VehicleChanged(1, Pilot.B))
    bench.give(PowerReported(1, False))
    effects = bench.give(BoardReady())
    assert effects.index(PermitPower(1, False)) < effects.index(Offer(1, None))
    assert bench.core.slots[0].faults is None


def left_closed() -> CoreBench:
    """The process died while it charged, and its outputs stayed as they were."""
    bench = before(True)
    later = bench.restart(answering=True)
    later.board = False
    later.connect()
    for signal in (
        CableChanged(1, True, 32_000),
        VehicleChanged(1, Pilot.C),
        LockReported(1, LockState.CLOSED),
        PowerReported(1, True),
    ):
        later.give(signal)
    later.give(BoardReady())
    return later


def test_a_contactor_that_opens_when_it_is_told_to_at_boot_is_no_weld_for_long() -> None:
    """Its last reading is that of the open contactor: what flowed until then is billed."""
    bench = left_closed()
    assert [f.cause for f in bench.core.slots[0].faults or ()] == [Cause.CONTACTOR_WELDED]
    assert not any(isinstance(effect, ReadMeter) for effect in bench.effects)
    effects = bench.give(PowerReported(1, False))
    assert any(isinstance(effect, ReadMeter) for effect in effects)
    assert bench.core.slots[0].faults is None
    assert "fault" not in bench.disk or not bench.disk["fault"]


def test_one_that_is_still_closed_a_second_later_is_latched() -> None:
    bench = left_closed()
    bench.wait(1.1)
    bench.give(PowerReported(1, False))
    assert [f.cause for f in bench.core.slots[0].faults or ()] == [Cause.CONTACTOR_WELDED]
    assert bench.disk["fault"]
