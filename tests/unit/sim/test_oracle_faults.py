"""The oracle misbehaves as the plan says, and no worse; once healed it behaves."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from sim.csms.oracle_faults import FLOOD, GARBLED, HARMLESS
from sim.csms.oracle_rules import flaw
from sim.plan import CsmsFault
from tests.unit.sim.oracle_bench import BOOT, CARD, STATION, Bench

HOWS = get_args(get_type_hints(CsmsFault)["how"])


def start(bench: Bench) -> tuple[str, dict[str, Any]]:
    return "StartTransaction", {"connectorId": 1, "idTag": CARD, "meterStart": 1, "timestamp": bench.at()}


def test_silent() -> None:
    bench = Bench()
    fault = bench.misbehave("silent")
    assert bench.call("Heartbeat", {}) == []
    assert bench.call(*start(bench), pause_s=40) == []
    assert len(bench.oracle.transactions) == 1, "what was told is booked"
    bench.behave(fault)
    assert "currentTime" in bench.call("Heartbeat", {}, pause_s=40)
    assert bench.broken == []


def test_only_the_action_that_the_fault_names() -> None:
    bench = Bench()
    bench.misbehave("silent", "Authorize")
    assert bench.call("Authorize", {"idTag": CARD}) == []
    assert "currentTime" in bench.call("Heartbeat", {}, pause_s=40)


def test_late() -> None:
    bench = Bench()
    fault = bench.misbehave("late", late_s=12)
    before = bench.heard()
    assert bench.call("Heartbeat", {}, "slow") == []
    bench.run(11.9)
    assert bench.heard() == before
    bench.behave(fault)
    bench.run(0.2)
    [late] = bench.heard()[len(before) :]
    assert late[:2] == [3, "slow"]


def test_what_is_late_is_lost_with_its_connection() -> None:
    bench = Bench(boot=False)
    bench.misbehave("late", late_s=12)
    bench.boot()
    bench.disconnect()
    bench.connect()
    bench.run(20)
    assert bench.heard() == []
    assert not bench.oracle.registered(STATION)


def test_error() -> None:
    bench = Bench()
    bench.misbehave("error")
    [[kind, number, code, text, details]] = bench.call("Heartbeat", {}, "h")
    assert (kind, number, code, details) == (4, "h", "InternalError", {})
    assert text
    assert bench.call(*start(bench))[0][0] == 4
    assert bench.broken == []


def test_malformed() -> None:
    """Each way is drawn, and none of them is an answer."""
    bench = Bench()
    bench.misbehave("malformed")
    seen = list[Any]()
    for number in range(60):
        bench.run(1)
        [said] = bench.say([2, f"h{number}", "Heartbeat", {}])
        seen.append(said)
        assert said[:1] != [3] or len(said) != 3 or flaw("HeartbeatResponse", said[2])
    assert len({str(said)[:14] for said in seen}) >= len(GARBLED) // 2
    assert any(said[0] == "unreadable" for said in seen)
    bench.say([4, "-1", "GenericError", "I cannot read this", {}])
    assert bench.broken == []


def test_unknown_id() -> None:
    bench = Bench()
    bench.misbehave("unknown_id")
    followed = list[bool]()
    for _ in range(40):
        bench.run(40)
        back = bench.say([2, f"h{len(followed)}", "Heartbeat", {}])
        assert back[0][0] == 3
        assert back[0][1] not in (f"h{n}" for n in range(40))
        assert [frame[1] for frame in back[1:]] in ([], [f"h{len(followed)}"])
        followed.append(len(back) == 2)
    assert 8 < sum(followed) < 32
    assert bench.broken == []


@pytest.mark.parametrize(("how", "status"), [("pending", "Pending"), ("rejected", "Rejected")])
def test_a_registration_is_refused_until_it_is_healed(how: str, status: str) -> None:
    bench = Bench(boot=False)
    fault = bench.misbehave(how)
    said = bench.boot()
    assert (said["status"], said["interval"]) == (status, 30)
    assert not bench.oracle.registered(STATION)
    bench.behave(fault)
    assert not bench.oracle.registered(STATION), "not before it asks again"
    bench.run(30)
    assert bench.boot()["status"] == "Accepted"
    assert bench.oracle.registered(STATION)


def test_a_registration_that_stands_is_not_taken_back() -> None:
    bench = Bench()
    bench.misbehave("pending")
    assert "currentTime" in bench.call("Heartbeat", {})
    assert bench.broken == []


def test_who_is_pending_is_looked_at_as_citrine_does() -> None:
    bench = Bench(boot=False)
    bench.misbehave("pending")
    bench.boot()
    [configuration] = bench.asked()
    assert configuration[2:] == ["GetConfiguration", {}]
    bench.say([3, configuration[1], {"unknownKey": []}])
    trigger = bench.asked()[1]
    assert trigger[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
    bench.say([3, trigger[1], {"status": "Accepted"}])
    assert bench.boot()["status"] == "Pending", "a triggered one need not wait"
    assert [frame[2] for frame in bench.asked()].count("TriggerMessage") == 1, "not for ever"
    assert bench.broken == []


def test_nobody_who_is_rejected_is_asked() -> None:
    bench = Bench(boot=False)
    bench.misbehave("rejected")
    bench.boot()
    assert bench.asked() == []


def test_transaction_zero() -> None:
    bench = Bench()
    fault = bench.misbehave("transaction_zero")
    assert bench.start(1, meter=100) == 0
    assert bench.start(2, meter=9_000) == 0
    bench.values(0, 9_100, connector=2)
    bench.values(0, 150, connector=1)
    bench.stop(0, 200)
    bench.stop(0, 9_200)
    bench.behave(fault)
    assert bench.start(1, meter=200) == 3
    stopped = [(t.number, t.connector, t.meter_stop, t.values) for t in bench.oracle.transactions.values()]
    assert stopped == [(0, 1, 200, 1), (0, 2, 9_200, 1), (3, 1, None, 0)]
    assert bench.broken == []


def test_flood() -> None:
    bench = Bench()
    fault = bench.misbehave("flood")
    burst = bench.asked()
    assert len(burst) == FLOOD
    assert len({frame[1] for frame in burst}) == FLOOD
    assert all((frame[2], frame[3]) in [(action, payload) for action, payload, _ in HARMLESS] for frame in burst)
    bench.run(61)
    assert len(bench.asked()) == 2 * FLOOD, "again every minute"
    bench.behave(fault)
    bench.run(120)
    assert len(bench.asked()) == 2 * FLOOD


def test_a_flood_waits_for_the_registration() -> None:
    bench = Bench(boot=False)
    bench.misbehave("flood")
    assert bench.asked() == []
    bench.boot()
    assert len(bench.asked()) == FLOOD


def test_what_is_harmless_is_valid() -> None:
    assert [action for action, payload, _ in HARMLESS if flaw(action, payload)] == []


def test_duplicate() -> None:
    bench = Bench()
    fault = bench.misbehave("duplicate")
    bench.run(1)
    assert [frame[1] for frame in bench.say([2, "h", "Heartbeat", {}])] == ["h", "h"]
    number = bench.ask()
    assert [frame[1] for frame in bench.asked()] == [number, number]
    for _ in range(2):
        bench.say([3, number, {"listVersion": 0}])
    bench.behave(fault)
    assert len(bench.call("Heartbeat", {})) == 1
    assert bench.broken == []


def test_wrong_time() -> None:
    bench = Bench()
    fault = bench.misbehave("wrong_time")
    shown = bench.call("Heartbeat", {})["currentTime"]
    off = {bench.at(sign * hours * 3600) for hours in range(1, 12) for sign in (1, -1)}
    assert shown in off
    bench.behave(fault)
    assert bench.call("Heartbeat", {})["currentTime"] == bench.at()


def test_several_at_once() -> None:
    bench = Bench()
    for how, late_s in (("error", 0.0), ("duplicate", 0.0), ("late", 5.0)):
        bench.misbehave(how, late_s=late_s)
    before = len(bench.heard())
    assert bench.call("Heartbeat", {}, "h") == []
    bench.run(5)
    assert [frame[:3] for frame in bench.heard()[before:]] == [[4, "h", "InternalError"]] * 2


def test_one_of_two_equal_faults_is_over() -> None:
    bench = Bench()
    fault, same = bench.misbehave("silent"), bench.misbehave("silent")
    bench.behave(fault)
    assert bench.call("Heartbeat", {}) == []
    bench.behave(same)
    bench.behave(same)
    assert "currentTime" in bench.call("Heartbeat", {}, pause_s=40)


@pytest.mark.parametrize("how", HOWS)
def test_after_healing_it_behaves(how: str) -> None:
    bench = Bench()
    fault = bench.misbehave(how)
    bench.call("Heartbeat", {})
    bench.behave(fault)
    bench.run(40)
    before = len(bench.heard())
    bench.connect(reboot=True)
    assert bench.call("BootNotification", BOOT)["status"] == "Accepted"
    assert bench.call("Heartbeat", {}) == {"currentTime": bench.at()}
    assert bench.call(*start(bench))["transactionId"] > 0
    assert before
    assert bench.broken == []


def drawn(seed: int) -> list[Any]:
    bench = Bench(seed=seed)
    for how in ("malformed", "unknown_id", "flood", "wrong_time"):
        bench.misbehave(how)
    for _ in range(20):
        bench.call("Heartbeat", {})
    return bench.heard()


def test_what_is_drawn_follows_from_the_seed() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
