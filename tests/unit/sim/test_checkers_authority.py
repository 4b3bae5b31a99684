"""Promises about who may charge: healthy sequences, and one wrong step."""

from __future__ import annotations

import pytest

from ocpp_client.link import LinkDown
from sim.checkers.authority import Authorised, Expires, RightSlot, authority
from station.core.effects import Answer, Ask, Wake
from station.words.commands import StartSession
from station.words.common import Origin, Token, TokenInfo, TokenStatus
from station.words.outcomes import ACCEPTED as YES
from station.words.records import TokenRecord
from station.words.settings import Settings
from tests.unit.sim.checker_bench import ACCEPTED, CARD, OTHER, Bench, broken, event, permit

BLOCKED = {"idTagInfo": {"status": "Blocked"}}


def bench_of(settings: Settings | None = None, online: bool = True) -> tuple[Bench, Authorised, Expires, RightSlot]:
    promises = authority()
    bench = Bench(*promises, settings=settings)
    if online:
        bench.online()
    return bench, *promises


def remember(bench: Bench, card: str, status: TokenStatus) -> None:
    """The cache on the disk knows this card; the station boots with it."""
    bench.disk.image["token"] = {card: TokenRecord(TokenInfo(status), 0)}
    bench.boot()


# --- accepted, by whatever rule ---


def test_a_card_that_the_csms_accepts() -> None:
    bench, promise, _, _ = bench_of()
    bench.visit()
    assert promise.armed == 1


def test_a_card_that_the_csms_refuses() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    bench.tap()
    bench.heard(bench.out("Authorize", {"idTag": CARD}), BLOCKED)
    with broken(promise, "refused"):
        bench.power()


def test_a_card_that_nobody_was_asked_about() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    bench.tap()
    with broken(promise, "not accepted"):
        bench.power()


def test_a_card_that_was_never_shown() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    bench.tap(OTHER)
    bench.accept(OTHER)
    with broken(promise, "never shown"):
        bench.power()


def test_one_tap_is_one_session() -> None:
    bench, promise, _, _ = bench_of()
    bench.visit()
    bench.charge()
    bench.stop()
    bench.store(bench.persist(forgets=(("session", "s1"),)))
    bench.plug(2)
    with broken(promise, "has had its session"):
        bench.power(2, name="s2")


def test_the_tap_that_ends_a_session_starts_none() -> None:
    bench, promise, _, _ = bench_of(Settings(local_pre_authorize=True))
    bench.visit()
    bench.wait(10)
    bench.tap()
    bench.stop()
    bench.store(bench.persist(forgets=(("session", "s1"),)))
    with broken(promise, "never shown"):
        bench.power(1, name="s2")


def test_nobody_decides_where_nobody_is_to() -> None:
    bench, promise, _, _ = bench_of(Settings(cards_decided_by="nobody"), online=False)
    bench.plug()
    bench.power(1, "FREEVEND", origin=Origin.FREE)
    assert promise.armed == 1
    bench, promise, _, _ = bench_of(online=False)
    bench.plug()
    with broken(promise, "nobody was asked"):
        bench.power(1, "FREEVEND", origin=Origin.FREE)


@pytest.mark.parametrize(
    ("settings", "known", "may"),
    [
        (Settings(), TokenStatus.ACCEPTED, True),
        (Settings(local_authorize_offline=False), TokenStatus.ACCEPTED, False),
        (Settings(cache_enabled=False), TokenStatus.ACCEPTED, False),
        (Settings(), None, False),
        (Settings(allow_offline_unknown=True), None, True),
        (Settings(allow_offline_unknown=True), TokenStatus.BLOCKED, False),
    ],
)
def test_the_rules_for_being_offline(settings: Settings, known: TokenStatus | None, may: bool) -> None:
    bench, promise, _, _ = bench_of(settings, online=False)
    if known is not None:
        remember(bench, CARD, known)
    bench.plug()
    bench.tap()
    if may:
        bench.power()
    else:
        with broken(promise, "not accepted"):
            bench.power()


@pytest.mark.parametrize("settings", [Settings(), Settings(local_pre_authorize=True)])
def test_a_known_card_online(settings: Settings) -> None:
    bench, promise, _, _ = bench_of(settings, online=False)
    remember(bench, CARD, TokenStatus.ACCEPTED)
    bench.online()
    bench.plug()
    bench.tap()
    if settings.local_pre_authorize:
        bench.power()
    else:
        with broken(promise, "not accepted"):
            bench.power()


def test_a_question_that_comes_to_nothing_is_decided_as_offline() -> None:
    for settings, may in ((Settings(allow_offline_unknown=True), True), (Settings(), False)):
        bench, promise, _, _ = bench_of(settings)
        bench.plug()
        bench.tap()
        bench.out("Authorize", {"idTag": CARD})
        bench.give(LinkDown("lost", ""))
        if may:
            bench.power()
        else:
            with broken(promise, "not accepted"):
                bench.power()


def test_an_answer_that_is_too_late_decides_nothing() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    bench.tap()
    number = bench.out("Authorize", {"idTag": CARD})
    bench.wait(30)
    bench.heard(number, ACCEPTED)
    with broken(promise, "not accepted"):
        bench.power()


# --- from afar ---


def remote(bench: Bench, slot: int | None = 1, card: str = CARD, status: str = "Accepted") -> None:
    payload = {"idTag": card} if slot is None else {"idTag": card, "connectorId": slot}
    bench.asked("c1", "RemoteStartTransaction", payload)
    bench.replied("c1", {"status": status})


def test_a_remote_start_that_was_accepted() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    remote(bench)
    bench.power(origin=Origin.CSMS)
    assert promise.armed == 1


def test_a_remote_start_that_was_rejected_or_is_not_authorised() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    remote(bench, status="Rejected")
    with broken(promise, "never shown or named"):
        bench.power(origin=Origin.CSMS)
    bench, promise, _, _ = bench_of(Settings(authorize_remote=True))
    bench.plug()
    remote(bench)
    with broken(promise, "not accepted"):
        bench.power(origin=Origin.CSMS)


def test_a_start_that_was_asked_for_here() -> None:
    bench, promise, _, _ = bench_of()
    bench.plug()
    bench.give(Ask(-1, Origin.WORKFLOW, StartSession(Token(CARD), 1)), Answer(-1, YES))
    bench.power(origin=Origin.WORKFLOW)
    assert promise.armed == 1


# --- pending ---


def test_a_pending_authorisation_expires() -> None:
    bench, _, promise, _ = bench_of()
    bench.tap()
    bench.accept()
    bench.wait(60)
    bench.plug()
    bench.power()
    assert promise.armed == 1
    bench, _, promise, _ = bench_of(Settings(connection_timeout_s=20))
    bench.tap()
    bench.accept()
    bench.wait(21)
    bench.plug()
    with broken(promise, "21.0 s"):
        bench.power()


def test_a_timeout_of_zero_is_none() -> None:
    bench, _, promise, _ = bench_of(Settings(connection_timeout_s=0))
    bench.tap()
    bench.accept()
    bench.wait(10_000)
    bench.plug()
    bench.power()
    assert promise.armed == 1


def test_a_start_for_one_slot_does_not_start_another() -> None:
    bench, _, _, promise = bench_of()
    remote(bench, 2)
    bench.wait(5)
    bench.plug(1)
    with broken(promise, "accepted for slot 2"):
        bench.power(origin=Origin.CSMS)


def test_a_plug_takes_the_oldest_authorisation() -> None:
    bench, _, _, promise = bench_of()
    for card in (CARD, OTHER):
        bench.tap(card)
        bench.accept(card)
        bench.wait(1)
    bench.plug()
    bench.power(card=CARD)
    assert promise.armed == 1
    bench, _, _, promise = bench_of()
    for card in (CARD, OTHER):
        bench.tap(card)
        bench.accept(card)
        bench.wait(1)
    bench.plug()
    with broken(promise, f"{CARD} came first"):
        bench.power(card=OTHER)


def test_a_card_shown_while_nobody_could_be_asked_does_not_wait_for_the_next_question() -> None:
    bench, authorised, _, promise = bench_of(Settings(authorize_remote=True), online=False)
    bench.tap()
    bench.online()
    remote(bench, 2)
    bench.accept()
    bench.wait(1)
    bench.tap(OTHER)
    bench.accept(OTHER)
    bench.wait(1)
    bench.plug(1)
    bench.power(card=OTHER)
    assert not promise.armed
    bench.plug(2)
    with broken(authorised, "was refused, not accepted"):
        bench.power(2, name="s2")


@pytest.mark.parametrize(("subject", "doubtful"), [("slot/1", True), ("station", False)])
def test_who_waits_at_a_slot_with_a_warning_is_not_seen(subject: str, doubtful: bool) -> None:
    bench, _, _, promise = bench_of()
    for card in (CARD, OTHER):
        bench.tap(card)
        bench.accept(card)
        bench.wait(1)
    bench.give(Wake(), bench.persist(event("warning.v1", subject)))
    bench.plug(2)
    if doubtful:
        bench.power(2, card=OTHER)  # the first may have taken slot 1
        return
    with broken(promise, f"{CARD} came first"):
        bench.power(2, card=OTHER)


def test_a_plug_takes_the_authorisation_that_names_its_slot() -> None:
    bench, _, _, promise = bench_of()
    bench.tap()
    bench.accept()
    bench.wait(1)
    remote(bench, 1, OTHER)
    bench.wait(1)
    bench.plug(1)
    with broken(promise, f"{OTHER} came first"):
        bench.power(card=CARD)


def test_no_session_outlives_a_restart_unless_it_is_to() -> None:
    for settings in (Settings(), Settings(after_restart="resume")):
        bench, promise, _, _ = bench_of(settings)
        bench.visit()
        bench.cut()
        bench.boot()
        bench.plug()
        if settings.after_restart == "resume":
            bench.give(Wake(), *permit())
        else:
            with broken(promise, "before the restart"):
                bench.give(Wake(), *permit())
