"""The oracle answers as a central system should, books each thing once, and asks as it may."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from hal.units import SECOND
from sim.csms.oracle import Oracle
from sim.csms.oracle_rules import RULES
from sim.plan import CsmsFault, MeterFault, NetworkFault, Plan, Plug, PowerCut, Tap, Unplug
from sim.world import World
from station.words.settings import Settings
from tests.unit.sim.oracle_bench import CARD, STATION, Bench
from tests.world import stories

# --- answers ---


def test_a_station_is_registered_and_told_the_time() -> None:
    bench = Bench(boot=False)
    assert not bench.oracle.registered(STATION)
    assert bench.boot() == {"status": "Accepted", "currentTime": bench.at(), "interval": 300}
    assert bench.oracle.registered(STATION)
    bench.run(300)
    assert bench.call("Heartbeat", {}) == {"currentTime": bench.at()}
    assert bench.broken == []


def test_cards_are_what_was_said_of_them() -> None:
    bench = Bench()
    bench.oracle.tokens["04D4E5F6"] = {"status": "Blocked", "parentIdTag": "GROUP"}
    assert bench.call("Authorize", {"idTag": CARD}) == {"idTagInfo": {"status": "Accepted"}}
    for spelt in ("04D4E5F6", "04d4e5f6"):
        said = bench.call("Authorize", {"idTag": spelt})
        assert said == {"idTagInfo": {"status": "Blocked", "parentIdTag": "GROUP"}}


def test_an_answer_that_is_none_is_our_own_mistake() -> None:
    bench = Bench()
    bench.oracle.tokens[CARD] = {"status": "Perhaps"}
    with pytest.raises(ValueError, match="Perhaps"):
        bench.call("Authorize", {"idTag": CARD})


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("DataTransfer", {"vendorId": "somebody"}, {"status": "UnknownVendorId"}),
        ("SignCertificate", {"csr": "-"}, {"status": "Rejected"}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}, {}),
        ("FirmwareStatusNotification", {"status": "Installed"}, {}),
        ("LogStatusNotification", {"status": "Uploading", "requestId": 1}, {}),
        ("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": "2026-06-01T00:00:00Z"}, {}),
    ],
)
def test_the_other_calls_of_a_station_are_answered_too(action: str, payload: Any, answer: Any) -> None:
    bench = Bench()
    assert bench.call(action, payload) == answer
    assert bench.broken == []


def test_after_a_boot_nothing_but_a_registration_is_taken() -> None:
    bench = Bench()
    bench.disconnect()
    bench.connect(reboot=True)
    assert bench.call("Heartbeat", {})[0][2] == "SecurityError"
    bench.disconnect()
    bench.connect(reboot=False)
    bench.boot()
    bench.disconnect()
    bench.connect(reboot=False)
    assert "currentTime" in bench.call("Heartbeat", {})
    assert bench.broken == ["registration"]


# --- books ---


def session(bench: Bench) -> int:
    """A whole transaction of 200 Wh; its id."""
    number = bench.start(meter=100)
    bench.run(60)
    bench.values(number, 150)
    bench.run(60)
    bench.stop(number, 300, reason="Remote")
    return number


def test_a_transaction_is_booked_from_start_to_stop() -> None:
    bench = Bench()
    number = bench.start(meter=100)
    [running] = bench.oracle.open_transactions(STATION)
    assert (running.number, running.connector, running.token, running.meter_start) == (number, 1, CARD, 100)
    bench.values(number, 150)
    bench.stop(number, 300, reason="EVDisconnected")
    assert bench.oracle.open_transactions(STATION) == []
    [booked] = bench.oracle.transactions.values()
    assert booked is running
    assert (booked.meter_stop, booked.reason, booked.values, booked.confirmed) == (300, "EVDisconnected", 1, True)
    assert bench.broken == []


def test_the_same_message_is_booked_once_and_answered_alike() -> None:
    bench = Bench()
    payload = {"connectorId": 1, "idTag": CARD, "meterStart": 5, "timestamp": bench.at()}
    frame: list[Any] = [2, "again", "StartTransaction", payload]
    bench.run(1)
    first = bench.say(frame)
    bench.disconnect()
    bench.run(5)
    bench.connect(reboot=False)
    assert bench.say(frame) == first
    assert len(bench.oracle.transactions) == 1
    copies = [d for d in bench.oracle.deliveries(STATION) if d.message_id == "again"]
    assert [(d.action, d.payload) for d in copies] == [("StartTransaction", payload)] * 2
    assert copies[1].at - copies[0].at == 5 * SECOND
    assert bench.broken == []


def test_the_same_start_under_another_id_is_booked_once() -> None:
    """After a CALLERROR a station takes a new id (1.6 errata leaves it the choice)."""
    bench = Bench()
    fault = bench.misbehave("error")
    payload = {"connectorId": 1, "idTag": CARD, "meterStart": 5, "timestamp": bench.at()}
    assert bench.call("StartTransaction", payload)[0][2] == "InternalError"
    bench.behave(fault)
    bench.run(60)
    assert bench.call("StartTransaction", payload)["transactionId"] == 1
    bench.stop(1, 9)
    assert [t.meter_stop for t in bench.oracle.transactions.values()] == [9]
    assert bench.broken == []


def test_a_transaction_that_was_never_confirmed_is_stopped_as_minus_one() -> None:
    bench = Bench()
    fault = bench.misbehave("silent", "StartTransaction")
    bench.start(1, 100)
    bench.run(60)
    bench.start(2, 5_000, timestamp=bench.at())
    bench.behave(fault)
    bench.run(60)
    bench.values(-1, 5_100, connector=2)
    bench.stop(-1, 5_200)
    bench.stop(-1, 300)
    booked = bench.oracle.transactions.values()
    assert [(t.connector, t.meter_stop, t.values, t.confirmed) for t in booked] == [
        (1, 300, 0, False),
        (2, 5_200, 1, False),
    ]
    assert bench.broken == []


def test_a_stop_of_nothing_is_an_orphan() -> None:
    bench = Bench()
    bench.stop(77, 300)
    assert [payload["transactionId"] for payload in bench.oracle.orphans(STATION)] == [77]
    assert bench.broken == ["transaction-known"]


def test_it_believes_the_status_that_was_told_last() -> None:
    bench = Bench()
    assert bench.oracle.believes(STATION, 1) is None
    bench.status(1, "Available")
    bench.status(1, "Preparing")
    assert bench.oracle.believes(STATION, 1) == bench.oracle.status[STATION, 1] == "Preparing"


def test_values_in_kwh_and_of_other_measurands() -> None:
    bench = Bench()
    number = bench.start(meter=1_500)
    bench.values(number, "1.75", unit="kWh")
    bench.values(number, "3", measurand="Voltage")
    bench.values(number, "2", phase="L1")
    bench.values(number, "1", location="Inlet")
    bench.values(number, "AFFE", format="SignedData")
    bench.values(number, "1750.9")
    bench.stop(number, 1_750)
    assert bench.broken == []


# --- its own calls ---


def test_a_command_and_its_answer() -> None:
    bench = Bench()
    number = bench.ask("GetConfiguration", key=["HeartbeatInterval"])
    assert bench.asked() == [[2, number, "GetConfiguration", {"key": ["HeartbeatInterval"]}]]
    bench.say([3, number, {"unknownKey": ["HeartbeatInterval"]}])
    assert bench.oracle.answers[number] == [{"unknownKey": ["HeartbeatInterval"]}]
    assert bench.oracle.calls == 1


def test_one_command_waits_for_the_answer_to_the_other() -> None:
    bench = Bench()
    first, second, third = bench.ask(), bench.ask("ClearCache"), bench.ask()
    assert [frame[1] for frame in bench.asked()] == [first]
    bench.say([3, first, {"listVersion": 0}])
    assert [frame[1] for frame in bench.asked()] == [first, second]
    bench.run(30)  # it is given up
    assert [frame[1] for frame in bench.asked()] == [first, second, third]


def test_nobody_is_asked_where_nobody_is() -> None:
    bench = Bench()
    assert bench.oracle.pipe(STATION) is bench.pipe
    bench.disconnect()
    assert bench.oracle.pipe(STATION) is None
    with pytest.raises(KeyError):
        bench.ask()


def test_a_new_connection_takes_the_place_of_one_that_hangs() -> None:
    bench = Bench()
    old = bench.pipe
    new = bench.connect(reboot=False)
    bench.oracle.gone(old)
    assert bench.oracle.pipe(STATION) is new
    assert "currentTime" in bench.call("Heartbeat", {})


# --- in the world ---


def test_a_session_in_the_world_breaks_nothing() -> None:
    oracle = Oracle()
    world = World(1, csms=oracle)
    stories.short_session(world)
    stories.nothing_promised_is_lost(world)
    assert oracle.violations == []
    assert oracle.armed["one-call"] > 5
    assert oracle.open_transactions("CP1") == []
    assert oracle.believes("CP1", 1) == "Available"
    actions = [delivery.action for delivery in oracle.deliveries("CP1")]
    assert actions[0] == "BootNotification"
    assert {"StartTransaction", "StopTransaction", "MeterValues", "Authorize"} <= set(actions)


PLANS = {
    "silent": (CsmsFault(at_s=25, for_s=120, how="silent"),),
    "late": (CsmsFault(at_s=25, for_s=120, how="late", late_s=40),),
    "error": (CsmsFault(at_s=25, for_s=120, how="error", action="StartTransaction"),),
    "malformed": (CsmsFault(at_s=25, for_s=200, how="malformed"),),
    "unknown_id": (CsmsFault(at_s=25, for_s=200, how="unknown_id"),),
    "pending": (CsmsFault(at_s=0, for_s=100, how="pending"),),
    "rejected": (CsmsFault(at_s=0, for_s=100, how="rejected"),),
    "transaction_zero": (CsmsFault(at_s=0, for_s=300, how="transaction_zero"),),
    "flood": (CsmsFault(at_s=5, for_s=300, how="flood"),),
    "duplicate": (CsmsFault(at_s=0, for_s=300, how="duplicate"), CsmsFault(at_s=5, for_s=300, how="flood")),
    "network": (NetworkFault(at_s=60, for_s=60, how="half_open"), NetworkFault(at_s=200, for_s=30, how="stall")),
    "cut before start": (PowerCut(at_s=26, for_s=30),),
}


@pytest.mark.parametrize("faults", PLANS.values(), ids=PLANS)
def test_faults_in_the_world_break_nothing(faults: Any) -> None:
    actions = (
        Plug(at_s=10),
        Tap(at_s=30, card=CARD),
        Plug(at_s=40, slot=2),
        Tap(at_s=60, card="04D4E5F6"),
        Tap(at_s=400, card=CARD),
        Unplug(at_s=430),
        Tap(at_s=450, card="04D4E5F6"),
        Unplug(at_s=480, slot=2),
    )
    oracle = Oracle()
    world = World(1, Plan(for_s=600, actions=actions, faults=faults), csms=oracle)
    world.play()
    assert oracle.violations == []
    assert world.bugs == 0
    assert oracle.open_transactions("CP1") == []


def test_the_same_world_twice() -> None:
    def told(seed: int) -> tuple[str, list[Any]]:
        faults = tuple(CsmsFault(at_s=5, for_s=500, how=how) for how in ("flood", "malformed", "wrong_time"))
        actions = (Plug(at_s=10), Tap(at_s=30, card=CARD), Unplug(at_s=300))
        world = World(seed, Plan(for_s=600, actions=actions, faults=faults), csms=Oracle())
        world.play()
        return world.trace.hash, world.csms.deliveries("CP1")

    assert told(1) == told(1)
    assert told(1)[0] != told(2)[0]


def test_two_processes_tell_the_same_story() -> None:
    """Nothing depends on the order of hashing, which differs from process to process."""
    program = (
        "from sim.csms.oracle import Oracle; from sim.plan import CsmsFault, Plan, Plug, Tap; from sim.world import World\n"
        "faults = tuple(CsmsFault(at_s=9, for_s=300, how=how) for how in ('flood', 'unknown_id', 'duplicate', 'wrong_time'))\n"
        "world = World(3, Plan(for_s=400, actions=(Plug(at_s=10), Tap(at_s=20, card='04A1B2C3')), faults=faults), csms=Oracle())\n"
        "world.play(); print(world.trace.hash, world.csms.violations, world.csms.armed, len(world.csms.deliveries('CP1')))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in (1, 2)
    }
    assert len(told) == 1


def test_every_rule_is_explained() -> None:
    assert list(Oracle().armed) == list(RULES)
    assert all(text.strip() for text in RULES.values())


def test_its_lots_are_those_of_the_world_or_of_a_seed_of_its_own() -> None:
    def flood(bench: Bench) -> list[Any]:
        bench.misbehave("flood")
        bench.run(200)
        return [frame[2:] for frame in bench.asked()]

    assert flood(Bench(seed=7)) == flood(Bench(seed=1, oracle=Oracle(7))) != flood(Bench(seed=1))


def test_what_the_plan_breaks_is_no_fault_of_the_station() -> None:
    backwards = MeterFault(at_s=0, for_s=1, slot=1, how="backwards")
    bench = Bench(backwards)
    number = session(bench)
    bench.start(meter=40)
    assert number == 1
    assert bench.broken == []
    other = Bench(settings=Settings(min_status_duration_s=5))
    other.status(1, "Available")
    other.status(1, "Finishing")
    assert other.broken == []
