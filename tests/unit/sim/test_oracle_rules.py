"""Each rule of the oracle: a station that breaks it is caught, and one that does as it should is not.

A case is a story told to a bench. Those under a rule in BAD break that rule and no other; those in GOOD break none, and arm it.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from sim.csms.oracle_rules import RULES, TRANSITIONS
from tests.unit.sim.oracle_bench import CARD, STATION, Bench
from tests.unit.sim.oracle_stories import (
    Cases,
    Story,
    after_answer,
    answered,
    asks,
    both,
    data,
    dated,
    disconnected,
    flooded,
    forgiven,
    idle,
    later,
    lost_start,
    offline_start,
    overtaking,
    pending,
    refused_answer,
    refused_boot,
    retried,
    sampled,
    started_twice,
    states,
    stopped_again,
    then_starts,
    told,
    transaction,
    triggered_while_pending,
    unanswered,
    unconfirmed,
    unheard,
    values_again,
    waits,
    zoned,
)

LETTERS: Final = "ABCDEFGHI"
ORDER: Final = "Available Preparing Charging SuspendedEV SuspendedEVSE Finishing Reserved Unavailable Faulted"
# The table of OCPP 1.6 as the specification numbers it, from A to I, to 1 to 9.
TABLE: Final = (
    "A2 A3 A4 A5 A7 A8 A9 B1 B3 B4 B5 B6 B9 C1 C4 C5 C6 C8 C9 D1 D3 D5 D6 D8 D9 E1 E3 E4 E6 E8 E9 "
    "F1 F2 F8 F9 G1 G2 G8 G9 H1 H2 H3 H4 H5 H9 I1 I2 I3 I4 I5 I6 I7 I8"
)

BAD: Final[Cases] = {
    "frame": {
        "no JSON": lambda b: b.say('[2,"x","Heartbeat",{}'),
        "no array": lambda b: b.say('{"2":"x"}'),
        "no kind": lambda b: b.say('[7,"x","Heartbeat",{}]'),
        "no payload": lambda b: b.say('[2,"x","Heartbeat"]'),
        "payload is null": lambda b: b.say('[2,"x","Heartbeat",null]'),
        "no result": lambda b: b.say([3, b.ask()]),
    },
    "action": {
        "of the CSMS": lambda b: b.call("Reset", {"type": "Hard"}),
        "of another version": lambda b: b.call("NotifyEvent", {}),
        "no name at all": lambda b: b.call("../Reset", {}),
    },
    "schema": {
        "field is missing": lambda b: b.call("StatusNotification", {"connectorId": 1, "status": "Available"}),
        "field too many": lambda b: b.call("Heartbeat", {"now": 1}),
        "idTag of 21": lambda b: b.call("Authorize", {"idTag": "123456789012345678901"}),
        "time without zone": lambda b: b.status(1, "Available", timestamp="2026-06-01T00:00:00"),
        "answer": answered("Reset", {"status": "Maybe"}, type="Hard"),
    },
    "message-id": {
        "37 characters": lambda b: b.call("Heartbeat", {}, "x" * 37),
        "empty": later(1, lambda b: b.say([2, "", "Heartbeat", {}])),
        "a number": lambda b: b.say([2, 17, "Heartbeat", {}]),
        "another action": retried(lambda frame: '[2,"h","Authorize",{"idTag":"A"}]'),
    },
    "retry-bytes": {
        "a space": retried(lambda frame: frame.replace(",", ", ")),
    },
    "asked-again": {"on the same connection": after_answer(reboot=False)},
    "told-twice": {
        "start": started_twice(),
        "values": transaction(lambda b, n: values_again(b, n)),
        "stop": transaction(lambda b, n: stopped_again(b, n)),
    },
    "one-call": {
        "at once": unanswered(0.01),
        "before the time-out": unanswered(20),
        "before the answer can be there": lambda b: b.call("Heartbeat", {}, pause_s=0.02),
    },
    "registration": {
        "nothing before": lambda b: both(lambda b: b.connect(), lambda b: b.call("Heartbeat", {}))(b),
        "status while pending": pending(lambda b: b.status(0, "Available")),
        "remote start while pending": pending(answered("RemoteStartTransaction", {"status": "Accepted"}, idTag=CARD)),
    },
    "boot-interval": {"rejected": refused_boot(10), "pending": refused_boot(10, "pending")},
    "answer-known": {
        "never asked": lambda b: b.say([3, "c77", {}]),
        "-1": lambda b: b.say([4, "-1", "GenericError", "", {}]),
        "still waiting": lambda b: b.say([3, (b.ask(), b.ask())[1], {}]),
        "no id": lambda b: b.say([3]),
    },
    "answer-once": {"twice": lambda b: [b.say([3, n, {"listVersion": 0}]) for n in [b.ask()] * 2]},
    "answer-due": {"never": waits(61, answer=False)},
    "answer-status": {
        "unknown vendor": flooded("Accepted"),
        "unknown transaction": flooded("Accepted", "RemoteStopTransaction"),
        "unknown connector": flooded("Unlocked", "UnlockConnector"),
        "unknown key": flooded("Rejected", "ChangeConfiguration"),
    },
    "answer-refused": {
        "malformed": refused_answer("FormationViolation"),
        "crashed": refused_answer("InternalError"),
        "core": refused_answer("NotSupported"),
        "core unknown": refused_answer("NotImplemented", "Reset", type="Soft"),
    },
    "error-code": {
        "of 2.0.1": refused_answer("FormatViolation", "GetLocalListVersion", bad=1),
        "no text": refused_answer("NotSupported", "GetLocalListVersion", text=None),
        "long text": refused_answer("NotSupported", "GetLocalListVersion", text="x" * 256),
        "no details": refused_answer("NotSupported", "GetLocalListVersion", details=[]),
    },
    "transition": {
        "straight to Finishing": told("Available", "Finishing"),
        "Finishing to Charging": told("Finishing", "Charging"),
        "Charging to Preparing": told("Charging", "Preparing"),
    },
    "station-status": {"Preparing": lambda b: b.status(0, "Preparing")},
    "connector": {
        "unknown": lambda b: b.status(3, "Available"),
        "negative": lambda b: b.status(-1, "Available"),
        "start on 0": lambda b: b.start(0),
        "values": lambda b: b.call("MeterValues", {"connectorId": 9, "meterValue": [idle(b)]}),
    },
    "error-sense": {
        "Faulted without": lambda b: b.status(1, "Faulted"),
        "vehicle on 0": lambda b: b.status(0, "Available", "EVCommunicationError"),
        "vehicle that is not there": lambda b: b.status(1, "Available", "EVCommunicationError"),
        "lock of 0": lambda b: b.status(0, "Faulted", "ConnectorLockFailure"),
        "list of 1": lambda b: b.status(1, "Available", "LocalListConflict"),
    },
    "status-order": {"back": both(told("Available"), lambda b: b.status(1, "Preparing", timestamp=b.at(-9)))},
    "start-occupied": {"two": both(transaction(lambda b, n: None), lambda b: b.start(1, 100))},
    "start-denied": {"Blocked": both(asks("Blocked"), lambda b: b.start())},
    "transaction-known": {
        "stop": lambda b: b.stop(77, 100),
        "values": lambda b: b.values(77, 100),
        "-1": transaction(lambda b, n: b.stop(-1, 200)),
    },
    "transaction-order": {
        "values after stop": both(sampled(stop=300), lambda b: b.values(1, 300)),
        "stopped with other content": both(sampled(stop=300), later(9, lambda b: b.stop(1, 300))),
        "values of another connector": transaction(lambda b, n: b.values(n, 300, connector=2)),
    },
    "transaction-data": {
        "not in order": data(
            (-60, "Transaction.Begin", 100), (0, "Sample.Periodic", 200), (-9, "Transaction.End", 300)
        ),
        "before the start": data((-99, "Transaction.Begin", 100), (0, "Transaction.End", 300)),
        "after the stop": data((-60, "Transaction.Begin", 100), (2, "Transaction.End", 300)),
        "no begin": data((-30, "Sample.Periodic", 200), (0, "Transaction.End", 300)),
        "no end": data((-60, "Transaction.Begin", 100), (-30, "Sample.Periodic", 200)),
    },
    "register": {
        "values": sampled(150, 149),
        "below the start": sampled(99),
        "stop": sampled(150, stop=149),
        "next start": then_starts(299),
        "transactionData": data((-60, "Transaction.Begin", 200), (0, "Transaction.End", 199)),
    },
    "value": {"NaN": sampled("NaN"), "inf": sampled("inf"), "text": sampled("lots"), "empty": sampled("")},
    "time-order": {"values": dated(-5, -6), "before the start": dated(-90), "stop": dated(-5, stop=-6)},
    "time-past": {
        "1970": lambda b: b.status(1, "Available", timestamp="1970-01-01T00:00:00Z"),
        "2019": lambda b: b.call("MeterValues", {"connectorId": 0, "meterValue": [idle(b, "2019-12-31T23:59:59Z")]}),
    },
    "time-future": {
        "6 s": lambda b: b.status(1, "Available", timestamp=b.at(6.5)),
        "start": lambda b: b.start(timestamp=b.at(99)),
    },
}


GOOD: Final[Cases] = {
    "frame": {"an answer": waits(1, answer=True)},
    "action": {"Heartbeat": lambda b: b.call("Heartbeat", {})},
    "schema": {"idTag of 20": lambda b: b.call("Authorize", {"idTag": "12345678901234567890"})},
    "message-id": {"36 characters": lambda b: b.call("Heartbeat", {}, "x" * 36)},
    "retry-bytes": {"as it was": retried(str), "on the same connection": retried(str, reconnect=False)},
    "asked-again": {"it forgot": after_answer(reboot=True)},
    "told-twice": {
        "unanswered": started_twice(silent=True),
        "it forgot": started_twice(boot=True),
    },
    "one-call": {
        "after the time-out": unanswered(30),
        "after the answer": lambda b: b.call("Heartbeat", {}),
        "after an error": lambda b: [b.misbehave("error"), b.call("Heartbeat", {}), b.call("Heartbeat", {})],
    },
    "registration": {
        "a mere reconnect": both(lambda b: b.connect(reboot=False), lambda b: b.call("Heartbeat", {})),
        "triggered while pending": pending(triggered_while_pending),
        "remote start refused": pending(answered("RemoteStartTransaction", {"status": "Rejected"}, idTag=CARD)),
    },
    "boot-interval": {
        "later": refused_boot(30),
        "triggered": pending(lambda b: b.boot()),
        "booted anew": both(refused_boot(30), lambda b: b.connect(), lambda b: b.boot()),
    },
    "answer-known": {"asked": waits(1, answer=True)},
    "answer-once": {"once": waits(1, answer=True)},
    "answer-due": {"in time": waits(59, answer=True), "not there": disconnected},
    "answer-status": {
        "unknown vendor": flooded("UnknownVendorId"),
        "unknown transaction": flooded("Rejected", "RemoteStopTransaction"),
        "unknown connector": flooded("NotSupported", "UnlockConnector"),
        "unknown key": flooded("NotSupported", "ChangeConfiguration"),
    },
    "answer-refused": {
        "optional": refused_answer("NotSupported", "GetLocalListVersion"),
        "malformed indeed": refused_answer("FormationViolation", "Reset", kind="Hard"),
    },
    "error-code": {"of 1.6": refused_answer("NotImplemented", "GetLocalListVersion", text="x" * 255)},
    "transition": {
        "a session": told("Available", "Preparing", "Charging", "SuspendedEV", "Charging", "Finishing", "Available"),
        "fault": told("Charging", "Faulted", "Finishing"),
        "the same again": told("Charging", "Charging"),
        "changed while away": both(told("Available"), lambda b: b.connect(reboot=False), told("Finishing")),
        "changed while unheard": lambda b: unheard(b, "silent"),
    },
    "station-status": {"all three": states((0, "Available"), (0, "Unavailable"), (0, "Available"))},
    "connector": {"0 to 2": states((0, "Available"), (1, "Available"), (2, "Available"))},
    "error-sense": {
        "Faulted with": lambda b: b.status(1, "Faulted", "GroundFailure"),
        "a warning": lambda b: b.status(1, "Preparing", "EVCommunicationError"),
        "reader": lambda b: b.status(0, "Available", "ReaderFailure"),
        "list": lambda b: b.status(0, "Available", "LocalListConflict"),
        "lock": lambda b: b.status(1, "Finishing", "ConnectorLockFailure"),
    },
    "status-order": {
        "on": told("Available", "Preparing"),
        "without times": lambda b: b.call(
            "StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
        ),
    },
    "start-occupied": {
        "one after the other": then_starts(300),
        "on two": then_starts(100, connector=2),
        "the other is not known to the station": both(lambda b: lost_start(b), lambda b: b.start(1, 200)),
    },
    "start-denied": {
        "accepted since": both(asks("Blocked"), forgiven),
        "started from here": both(
            asks("Blocked"), lambda b: b.ask("RemoteStartTransaction", idTag=CARD), lambda b: b.start()
        ),
        "offline": both(asks("Blocked"), lambda b: offline_start(b)),
        "before the refusal": both(asks("Blocked"), lambda b: b.start(timestamp=b.at(-30))),
    },
    "transaction-known": {"own": sampled(150, stop=300), "-1": unconfirmed},
    "transaction-order": {"in order": sampled(150, 160, stop=300), "asked for": sampled(150, stop=300)},
    "transaction-data": {
        "whole": data((-60, "Transaction.Begin", 100), (-9, "Sample.Periodic", 200), (0, "Transaction.End", 300)),
        "of the clock only": data((-30, "Sample.Clock", 200)),
        "empty": data(),
    },
    "register": {
        "on": sampled(100, 100, 150, stop=150),
        "next": then_starts(300),
        "other": then_starts(0, connector=2),
    },
    "value": {"decimals": sampled("150", "150.5", "1.6e2")},
    "time-order": {"on": dated(-5, -5, -4, stop=-4), "asked for": transaction(lambda b, n: overtaking(b, n))},
    "time-past": {"2020": lambda b: b.status(1, "Available", timestamp="2020-01-01T00:00:00Z")},
    "time-future": {"4 s": lambda b: b.status(1, "Available", timestamp=b.at(4)), "zone": lambda b: zoned(b)},
}


def cases(table: Cases) -> list[Any]:
    return [
        pytest.param(rule, story, id=f"{rule}: {name}") for rule, told in table.items() for name, story in told.items()
    ]


@pytest.mark.parametrize(("rule", "story"), cases(BAD))
def test_a_station_that_breaks_it_is_caught(rule: str, story: Story) -> None:
    bench = Bench()
    story(bench)
    assert set(bench.broken) == {rule}
    for violation in bench.oracle.violations:
        assert violation.station == STATION
        assert 0 < violation.at <= bench.clock.mono_ns
        assert violation.sentence


@pytest.mark.parametrize(("rule", "story"), cases(GOOD))
def test_a_station_that_keeps_it_is_left_alone(rule: str, story: Story) -> None:
    bench = Bench()
    story(bench)
    assert bench.oracle.violations == []


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_both_and_is_armed(rule: str) -> None:
    assert BAD[rule]
    armed = 0
    for story in GOOD[rule].values():
        bench = Bench()
        story(bench)
        armed += bench.oracle.armed[rule]
    assert armed > 0


def test_the_table_of_transitions_is_that_of_the_specification() -> None:
    names = ORDER.split()
    assert {(names[LETTERS.index(step[0])], names[int(step[1]) - 1]) for step in TABLE.split()} == TRANSITIONS
