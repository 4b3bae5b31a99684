"""What waits for the CSMS: order, retries, dead letters, and the disk under it (1.6 §§3.7, 4.1, TransactionMessage* keys)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from hal.units import Pilot
from ocpp_client.link import LinkDown, LinkUp
from station.core.effects import Note, SendFrame
from station.words.records import OutboxRecord
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.spec import spec
from tests.unit.core.test_transactions import booted, charging, connected, reconnect, stop

MINUTE = 60
DAY = 86_400
OTHER = "04FFEE11"


def offline(minutes: int = 5, **settings: Any) -> CoreBench:
    """A session that began with connection and goes on without, a value every minute."""
    bench = charging(**{"sample_interval_s": MINUTE, "aligned_interval_s": 0, **settings})
    bench.disconnect()
    bench.wait(minutes * MINUTE)
    return bench


def waiting(bench: CoreBench) -> list[OutboxRecord]:
    """What the disk has."""
    return [record for _, record in sorted(bench.disk.get("outbox", {}).items())]


def ids(bench: CoreBench, action: str) -> list[str]:
    return [frame[1] for frame in bench.calls if frame[2] == action]


def started(bench: CoreBench) -> CoreBench:
    """A session whose StartTransaction is out and not answered."""
    bench.plug()
    bench.answer_all()
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert bench.open_call is not None and bench.open_call[2] == "StartTransaction"
    return bench


# --- it waits, on the disk, in order ---


@spec("1.6", "16-TXQ-01", "16-TXQ-02")
def test_what_belongs_to_a_transaction_waits_on_the_disk_and_is_told_in_order() -> None:
    bench = connected(allow_offline_unknown=True, sample_interval_s=MINUTE, aligned_interval_s=0)
    bench.disconnect()
    bench.charging()
    bench.wait(2 * MINUTE)
    stop(bench)
    kinds = [record.fact.kind for record in waiting(bench)]  # type: ignore[union-attr]
    assert kinds == ["started", "updated", "updated", "ended"]
    before = len(bench.calls)
    reconnect(bench)
    told = [frame[2] for frame in bench.calls[before:] if frame[2] != "StatusNotification"]
    assert told == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    assert waiting(bench) == [] and bench.core.connection.outbox.waiting == 0


@spec("1.6", "16-TXQ-02")
def test_a_new_one_waits_behind_the_queue() -> None:
    bench = offline()
    bench.give(LinkUp("ocpp1.6"))
    bench.wait(3)
    stop(bench)
    told = [frame[2] for frame in bench.calls if frame[2] in ("MeterValues", "StopTransaction")]
    assert told == [*["MeterValues"] * 5, "StopTransaction"]


@spec("1.6", "16-TXQ-03")
def test_a_card_does_not_wait_behind_the_queue() -> None:
    bench = offline(600)
    bench.plug(2)
    bench.give(LinkUp("ocpp1.6"))
    before = len(bench.calls)
    bench.tap(OTHER)
    for _ in range(2):
        assert bench.open_call is not None
        bench.answer(
            bench.open_call[2], {"idTagInfo": {"status": "Accepted"}} if bench.open_call[2] == "Authorize" else {}
        )
    assert "Authorize" in [frame[2] for frame in bench.calls[before : before + 2]]
    assert bench.core.connection.outbox.waiting > 590


@spec("1.6", "16-TXQ-03")
def test_nor_does_the_status_that_some_need_to_hear_before_a_start() -> None:
    bench = connected(allow_offline_unknown=True)
    bench.disconnect()
    bench.charging()
    later = bench.restart(answering=True)
    booted(later)
    told = [frame[2] for frame in later.calls]
    assert told[:5] == ["BootNotification", *["StatusNotification"] * 3, "StartTransaction"]


@spec("1.6", "16-TXQ-03", "16-STAT-07")
def test_nor_does_what_has_changed_meanwhile() -> None:
    bench = offline(600)
    bench.pilot(Pilot.B)
    before = len(bench.calls)
    reconnect(bench)
    told = [frame[2] for frame in bench.calls[before:]]
    assert told.index("StatusNotification") < 3 and told.count("MeterValues") == 600


@spec("1.6", "16-TXQ-03", "16-BOOT-04")
def test_nor_before_a_start_that_was_made_while_the_csms_made_up_its_mind() -> None:
    bench = CoreBench(settings=Settings(allow_offline_unknown=True))
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Pending", "currentTime": bench.iso(), "interval": 60})
    bench.charging()
    bench.wait(60)
    before = len(bench.calls)
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 60})
    bench.answer_all()
    told = [frame[2] for frame in bench.calls[before:]]
    assert told[:4] == [*["StatusNotification"] * 3, "StartTransaction"]


def test_in_conversation_the_end_is_told_before_the_status_that_follows() -> None:
    bench = charging()
    bench.wait(MINUTE)
    bench.tap()
    bench.pilot(Pilot.B)
    bench.answer_all()
    told = [(frame[2], frame[3].get("status")) for frame in bench.calls][-2:]
    assert told == [("StopTransaction", None), ("StatusNotification", "Finishing")]


@spec("1.6", "16-TXQ-09")
def test_queued_messages_keep_the_time_of_what_they_tell() -> None:
    bench = offline(3)
    bench.wait(DAY)
    reconnect(bench)
    at = [told["meterValue"][0]["timestamp"] for told in bench.actions("MeterValues")]
    assert at[:3] == ["2026-06-01T00:01:03.000Z", "2026-06-01T00:02:03.000Z", "2026-06-01T00:03:03.000Z"]


@spec("1.6", "16-TXQ-08")
def test_the_queue_survives_a_power_cut_with_its_ids() -> None:
    bench = offline()
    ids_before = [record.message_id for record in waiting(bench)]
    assert len(ids_before) == 5
    later = bench.restart(answering=True)
    assert [queued.message_id for queued in later.core.connection.outbox.records] == ids_before
    booted(later)
    assert ids(later, "MeterValues") == ids_before
    assert [told["transactionId"] for told in later.actions("MeterValues", "StopTransaction")] == [1] * 6
    assert waiting(later) == []


# --- attempts ---


@spec("1.6", "16-TXQ-04", "16-TXQ-05")
@pytest.mark.parametrize("how", ["error", "silence"])
def test_a_failed_attempt_is_repeated_after_growing_waits(how: str) -> None:
    bench = started(connected(transaction_attempts=4, transaction_retry_s=60, message_timeout_s=30))
    bench.answering = False
    sent: list[float] = []

    def fail() -> None:
        sent.append(bench.mono_ns / 1e9)
        if how == "error":
            bench.refuse()
        else:
            bench.wait(30)

    fail()
    for made in (1, 2, 3):
        assert bench.open_call is None or bench.open_call[2] != "StartTransaction"
        bench.wait(60 * made - 0.1)
        assert len(ids(bench, "StartTransaction")) == made
        bench.wait(0.1)
        assert len(ids(bench, "StartTransaction")) == made + 1
        fail()
    timeout = 0 if how == "error" else 30
    assert [round(after - before) for before, after in pairwise(sent)] == [
        60 + timeout,
        120 + timeout,
        180 + timeout,
    ]
    bench.wait(DAY)
    assert len(ids(bench, "StartTransaction")) == 4


@spec("1.6", "J-07")
def test_after_a_time_out_the_same_id_and_bytes_after_an_error_a_new_id() -> None:
    bench = started(connected(transaction_attempts=9, transaction_retry_s=1, ev_ready_s=9999))
    bench.answering = False
    bench.wait(31)
    bench.refuse()
    bench.wait(31)
    first, second, third = [f for f in bench.calls if f[2] == "StartTransaction"]
    assert first == second
    assert third[1] != first[1] and third[2:] == first[2:]
    assert waiting(bench)[0].message_id == third[1]


@spec("1.6", "16-TXQ-06")
def test_after_the_last_attempt_the_next_message_has_its_turn() -> None:
    bench = started(connected(transaction_attempts=2, transaction_retry_s=1, sample_interval_s=MINUTE))
    bench.refuse()
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.answering = False
    bench.wait(1)
    assert bench.open_call is not None and bench.open_call[2] == "StartTransaction"
    bench.refuse()
    bench.answering = True
    bench.wait(MINUTE)
    assert len(ids(bench, "StartTransaction")) == 2 and len(ids(bench, "MeterValues")) == 1


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
def test_values_that_the_csms_does_not_know_do_not_hold_up_the_stop(code: str) -> None:
    bench = started(connected(transaction_attempts=3, transaction_retry_s=60, sample_interval_s=MINUTE))
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.answering = False
    bench.wait(MINUTE)
    bench.refuse(code)
    bench.tap()
    bench.answering = True
    bench.wait(5)
    assert len(ids(bench, "MeterValues")) == 1 and len(ids(bench, "StopTransaction")) == 1


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
def test_a_start_is_tried_again_whatever_the_csms_says(code: str) -> None:
    bench = started(connected(transaction_attempts=2, transaction_retry_s=1))
    bench.refuse(code)
    bench.wait(5)
    assert len(ids(bench, "StartTransaction")) == 2


@spec("1.6", "16-TXQ-07")
def test_time_without_connection_is_no_attempt() -> None:
    bench = started(connected(transaction_attempts=2, transaction_retry_s=1))
    bench.answering = False
    for _ in range(5):
        bench.disconnect()
        bench.wait(MINUTE)
        reconnect_until(bench, "StartTransaction")
    assert bench.open_call is not None
    assert waiting(bench)[0].attempts == bench.core.connection.outbox.records[0].attempts == 0
    assert len(set(ids(bench, "StartTransaction"))) == 1
    bench.answer("StartTransaction", {"transactionId": 3, "idTagInfo": {"status": "Accepted"}})
    assert bench.core.connection.transactions == {bench.core.slots[0].session.id: 3}


def test_a_message_that_is_too_big_for_the_csms_does_not_block_the_others_for_ever() -> None:
    bench = started(connected(transaction_attempts=2))
    for attempts in (1, 2):
        bench.give(LinkDown("closed", "message too big", close_code=1009))
        assert len(bench.disk.get("dead", {})) == (attempts == 2)
        reconnect_until(bench, "StartTransaction" if attempts == 1 else None)
    assert waiting(bench) == [] and len(set(ids(bench, "StartTransaction"))) == 1


def reconnect_until(bench: CoreBench, action: str | None) -> None:
    """The link is back, and everything is answered before a call with this action."""
    bench.give(LinkUp("ocpp1.6"))
    while bench.open_call is not None and bench.open_call[2] != action:
        bench.answer(bench.open_call[2], {})


def test_the_attempts_made_survive_a_restart() -> None:
    bench = started(connected(transaction_attempts=3, transaction_retry_s=1))
    bench.refuse()
    later = bench.restart()
    assert later.core.connection.outbox.records[0].attempts == 1


def test_other_messages_are_not_repeated() -> None:
    bench = charging(sample_interval_s=0, aligned_interval_s=900)
    bench.answering = False
    bench.wait(900)
    while bench.open_call is not None and bench.open_call[2] != "MeterValues":
        bench.answer_all()
        bench.wait(1)
    bench.answer_all()
    assert bench.core.connection.outbox.waiting == 0


# --- the disk ---


def test_no_boundary_leaves_before_it_is_durable() -> None:
    bench = connected()
    bench.plug()
    bench.answer_all()
    bench.store = "silent"
    bench.tap()
    bench.answer("Authorize", {"idTagInfo": {"status": "Accepted"}})
    assert bench.actions("StartTransaction") == [] and not bench.core.slots[0].permitted


def test_a_start_that_the_disk_refused_has_not_happened() -> None:
    bench = connected()
    bench.plug()
    bench.answer_all()
    bench.store = "fail"
    bench.tap()
    bench.answer_all()
    assert bench.core.slots[0].session is None and bench.core.slots[0].tx is None
    assert bench.actions("StartTransaction", "StopTransaction") == [] and bench.core.connection.outbox.waiting == 0
    bench.store = "ok"
    later = bench.restart(answering=True)
    booted(later)
    assert later.actions("StartTransaction", "StopTransaction") == []


@pytest.mark.parametrize("online", [True, False])
def test_an_end_that_the_disk_refused_is_told_when_it_is_written(online: bool) -> None:
    """Told before, it would be told a second time after a cut. The status does not wait for that."""
    bench = charging()
    bench.wait(MINUTE)
    if not online:
        bench.disconnect()
    bench.store = "fail"
    stop(bench)
    bench.wait(MINUTE)
    assert bench.actions("StopTransaction") == [] and bench.disk["session"]
    assert (bench.statuses()[-1] == "Finishing") is online
    bench.store = "ok"
    bench.wait(20)
    assert not bench.disk["session"]
    assert len(bench.actions("StopTransaction")) == online and len(waiting(bench)) == (not online)
    later = bench.restart(answering=True)
    booted(later)
    assert len(later.actions("StopTransaction")) == (not online)


def test_what_the_core_holds_is_what_the_disk_has() -> None:
    bench = offline()
    assert bench.core.image() == {kind: rows for kind, rows in bench.disk.items() if rows}
    stop(bench)
    reconnect(bench)
    assert bench.core.image() == {kind: rows for kind, rows in bench.disk.items() if rows}


# --- a CSMS that closes, a link that never stays ---


def test_a_backlog_costs_no_more_when_the_link_comes_and_goes() -> None:
    bench = offline(2000)
    before = len(bench.effects)
    for _ in range(50):
        bench.give(LinkUp("ocpp1.6"))
        bench.disconnect()
    sent = [e for e in bench.effects[before:] if isinstance(e, SendFrame)]
    assert len(sent) == 50 and bench.core.connection.outbox.waiting == 2000
    assert not [e for e in bench.effects[before:] if isinstance(e, Note) and e.level == "error"]
