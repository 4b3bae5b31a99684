"""The judgement of expectations: what was seen, what was expected, and the sentence for what there was instead."""

from __future__ import annotations

from typing import Any

import pytest

from sim import expect
from sim.expect_judge import Verdict, describe, judge
from sim.expect_live import transactions
from sim.expect_seen import Seen, Transaction

END_S = 100.0


def seen() -> Seen:
    """A session on slot 1 from 10 to 50 s, energised from 12 to 49.5 s, one refused card, a remote stop that was rejected."""
    made = Seen()
    made.until_s = END_S

    def call(
        at_s: float, action: str, payload: dict[str, Any], answer: list[Any] | None, sender: Any = "station"
    ) -> None:
        id_ = f"{len(made.calls)}"
        made.call(at_s, 0, sender, id_, action, payload)
        if answer is not None:
            made.answer(0, sender, [answer[0], id_, *answer[1:]])

    def status(at_s: float, slot: int, status: str, error: str = "NoError") -> None:
        call(at_s, "StatusNotification", {"connectorId": slot, "status": status, "errorCode": error}, [3, {}])

    call(1, "BootNotification", {}, [3, {"status": "Accepted"}])
    status(2, 1, "Available")
    status(8, 1, "Preparing")
    call(9, "Authorize", {"idTag": "BAD"}, [3, {"idTagInfo": {"status": "Blocked"}}])
    call(10, "StartTransaction", {"connectorId": 1, "idTag": "A1", "meterStart": 5}, [3, {"transactionId": 7}])
    status(12, 1, "Charging")
    call(30, "RemoteStopTransaction", {"transactionId": 9}, [3, {"status": "Rejected"}], "csms")
    call(31, "Foo", {}, [4, "NotImplemented", "no such thing", {}], "csms")
    call(50, "StopTransaction", {"transactionId": 7, "meterStop": 1005, "reason": "Remote"}, None)
    status(51, 1, "Faulted", "GroundFailure")
    for at_s, on in ((0, False), (12, True), (49.5, False)):
        made.changed(at_s, "power", 0, 1, on)
    for at_s, amps in ((0, 0.0), (11, 16.0), (20, 32.0), (49, 0.0)):
        made.changed(at_s, "offer", 0, 1, amps)
    made.event(10.1, 0, "e1", "session-started.v1", b'{"slotNumber":1,"card":"A1"}')
    made.event(10.1, 0, "e1", "session-started.v1", b'{"slotNumber":1,"card":"A1"}')  # delivered again
    made.event(51, 0, "e2", "faulted.v1", b'{"error":{"code":"GroundFailure","slotNumber":1}}')
    made.transactions = transactions(made.calls)
    return made


def verdict(expected: expect.AnyExpectation) -> Verdict:
    return judge(expected, seen(), END_S)


MET: list[expect.AnyExpectation] = [
    expect.Status(status="Available", at_s=5),
    expect.Status(status="Preparing", at_s=8),
    expect.Status(status="Charging", by_s=12),
    expect.Status(status="Preparing", from_s=11, by_s=20),  # it still was so at 11
    expect.Status(status="Reserved", never=True),
    expect.Status(status="Preparing", never=True, from_s=13),
    expect.Status(status="Faulted", error="GroundFailure", at_s=100),
    expect.Power(at_s=30),
    expect.Power(energised=False, at_s=11.9),
    expect.Power(never=True, from_s=50),
    expect.Offer(at_most_a=32, at_least_a=32),
    expect.Offer(at_most_a=16, by_s=19),
    expect.Event(type="session-started", count=1),
    expect.Event(type="session-ended", count=0),
    expect.Event(type="faulted", data={"error": {"code": "GroundFailure"}}, from_s=51, at_most=1),
    expect.Message(action="Authorize", answer={"idTagInfo": {"status": "Blocked"}}),
    expect.Message(action="Foo", sender="csms", answer={"errorCode": "NotImplemented"}),
    expect.Message(action="StatusNotification", payload={"connectorId": 1}, count=4),
    expect.Message(action="StatusNotification", at_least=2, at_most=4),
    expect.Message(action="Heartbeat", at_most=0),
    expect.Transaction(slot=1, card="a1", reason="Remote", at_least_wh=1000, at_most_wh=1000, count=1),
    expect.Transaction(ended=False, by_s=49),
    expect.Transaction(station=1, count=0),
    expect.Order(actions=("BootNotification", "Authorize", "StopTransaction")),
]

UNMET: list[tuple[expect.AnyExpectation, str]] = [
    (expect.Status(status="Charging", at_s=8), "slot 1 is Charging at the CSMS at 8 s; it was Preparing at 8 s"),
    (
        expect.Status(status="Reserved", by_s=12),
        "slot 1 is Reserved at the CSMS by 12 s; it was Available at 2 s, then Preparing at 8 s, then Charging at 12 s",
    ),
    (expect.Status(status="Charging", never=True), "never Charging at the CSMS by 100 s; it was so from 12 s on"),
    (expect.Status(slot=0, status="Available"), "the station is Available at the CSMS by 100 s; it was never told"),
    (
        expect.Status(status="Faulted", error="HighTemperature", at_s=60),
        "Faulted (HighTemperature) at the CSMS at 60 s; it was Faulted (GroundFailure) at 60 s",
    ),
    (expect.Power(energised=False, at_s=30), "slot 1 is without power at 30 s; it was energised at 30 s"),
    (expect.Power(never=True), "slot 1 is never energised by 100 s; it was so from 12 s on"),
    (expect.Power(slot=2, at_s=1), "slot 2 is energised at 1 s; it was never seen"),
    (expect.Offer(at_most_a=20), "slot 1: at most 20 A on offer by 100 s; 32 A were on offer at 20 s"),
    (expect.Offer(at_least_a=20, by_s=15), "once at least 20 A on offer by 15 s; the most was 16 A, at 11 s"),
    (expect.Event(type="session-started", count=2), "twice by 100 s; there was 1: at 10.1 s"),
    (expect.Event(type="session-started", from_s=20), "there was none; outside that time: at 10.1 s"),
    (
        expect.Event(type="faulted", data={"error": {"code": "X"}}),
        "event faulted with error.code X once or more by 100 s; there was none; near to it: at 51 s, error.code is GroundFailure",
    ),
    (expect.Message(action="Heartbeat"), "message Heartbeat once or more by 100 s; there was none"),
    (
        expect.Message(action="Foo", answer={"status": "Accepted"}),
        "there was none; near to it: at 31 s, in the answer status is missing",
    ),
    (expect.Message(action="StopTransaction", answer={}), "near to it: at 50 s, without an answer"),
    (expect.Message(action="Foo", sender="station"), "station sends Foo once or more by 100 s; there was none"),
    (
        expect.Message(action="StatusNotification", at_least=1, at_most=2),
        "1 to 2 times by 100 s; there were 4: at 2 s, at 8 s, at 12 s, at 51 s",
    ),
    (
        expect.Transaction(at_least_wh=2000),
        "near to it: slot 1, card A1, 1000 Wh, Remote, from 10 s to 50 s, less than 2000 Wh",
    ),
    (expect.Transaction(ended=True, by_s=49), "near to it: slot 1, card A1, open since 10 s, not ended"),
    (expect.Transaction(reason="Local"), "for another reason"),
    (expect.Transaction(slot=2), "of another slot"),
    (expect.Transaction(card="B1"), "of another card"),
    (expect.Transaction(ended=False), "from 10 s to 50 s, ended"),
    (expect.Transaction(at_most_wh=999), "more than 999 Wh"),
    (
        expect.Order(actions=("StartTransaction", "Authorize")),
        "in the order StartTransaction, Authorize by 100 s; Authorize did not come after StartTransaction at 10 s; there came",
    ),
]


@pytest.mark.parametrize("expected", MET, ids=lambda e: describe(e, END_S))
def test_what_is_met(expected: expect.AnyExpectation) -> None:
    assert verdict(expected).result == "passed", verdict(expected).why


@pytest.mark.parametrize(("expected", "sentence"), UNMET, ids=lambda e: e if isinstance(e, str) else "")
def test_what_is_not_met_is_told_in_a_sentence(expected: expect.AnyExpectation, sentence: str) -> None:
    one = verdict(expected)
    assert one.result == "failed" and sentence in one.why


def test_what_was_not_played_is_skipped() -> None:
    short = seen()
    short.until_s = 40
    assert judge(expect.Power(at_s=30), short, END_S).result == "passed"
    one = judge(expect.Event(type="session-ended", count=0), short, END_S)
    assert (one.result, one.why) == ("skipped", "the run ended at 40 s, before that")


def test_a_name_of_its_own() -> None:
    assert verdict(expect.Power(name="it charges", at_s=30)).name == "it charges"


def test_transactions_are_read_off_the_frames() -> None:
    """Ids may come again; what got no id is none of the CSMS's."""
    made = Seen()
    for number, (action, payload, answer) in enumerate(
        [
            ("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 0}, {"transactionId": 0}),
            ("StopTransaction", {"transactionId": 0, "meterStop": 10}, {}),
            ("StartTransaction", {"connectorId": 2, "idTag": "B", "meterStart": 5}, {"transactionId": 0}),
            ("StartTransaction", {"connectorId": 1, "idTag": "C", "meterStart": 5}, None),
            ("StopTransaction", {"transactionId": -1, "meterStop": 10}, {}),
            ("StopTransaction", {"transactionId": 0, "meterStop": 25, "reason": "Other"}, {}),
        ]
    ):
        made.call(number, 0, "station", str(number), action, payload)
        if answer is not None:
            made.answer(0, "station", [3, str(number), answer])
    assert transactions(made.calls) == [
        Transaction(0, 1, "A", 0, 1, 10, "Local"),
        Transaction(0, 2, "B", 2, 5, 20, "Other"),
    ]
