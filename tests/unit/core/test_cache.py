"""The authorisation cache (1.6 §3.5.1): what it learns, when it counts, what it forgets."""

from __future__ import annotations

from typing import Any

import pytest

from station.words.common import TokenInfo, TokenStatus
from station.words.records import TokenRecord
from station.words.settings import Settings
from tests.builders import CARD, START_UTC_MS, CoreBench
from tests.spec import spec

OTHER = "04CCCC01"
GOOD = {"idTagInfo": {"status": "Accepted"}}
DAY_MS = 86_400_000


def record(status: TokenStatus = TokenStatus.ACCEPTED, expires: int | None = None, seen: int = 0) -> TokenRecord:
    return TokenRecord(TokenInfo(status, expires), seen)


def knowing(*cards: str, **settings: Any) -> CoreBench:
    """Online, LocalPreAuthorize on unless said otherwise, with these cards accepted before."""
    settings = {"local_pre_authorize": True, **settings}
    bench = CoreBench(settings=Settings(**settings), image={"token": {card: record() for card in cards}})
    bench.connect()
    return bench


def asked(bench: CoreBench, card: str = CARD) -> bool:
    """Whether a tap leads to Authorize; the tap is answered Accepted then."""
    before = len(bench.actions("Authorize"))
    bench.wait(3)
    bench.tap(card)
    now = len(bench.actions("Authorize"))
    bench.answer_all(Authorize=GOOD)
    return now > before


# --- when it counts ---


@spec("1.6", "16-AUTH-03", "TC_007_1_CS")
def test_a_cached_card_starts_without_being_asked_about() -> None:
    bench = knowing(CARD)
    bench.plug()
    bench.answer_all()
    bench.wait(3)
    bench.tap(CARD)
    assert not bench.actions("Authorize")
    assert bench.open_call is not None and bench.open_call[2] == "StartTransaction"


@spec("1.6", "16-AUTH-02")
def test_without_local_pre_authorize_a_cached_card_is_asked_about() -> None:
    assert asked(knowing(CARD, local_pre_authorize=False))


@spec("1.6", "TC_007_2_CS")
def test_a_cached_card_starts_from_afar_without_being_asked_about() -> None:
    bench = knowing(CARD, authorize_remote=True)
    bench.plug()
    bench.answer_all()
    reply = bench.call("RemoteStartTransaction", {"idTag": CARD, "connectorId": 1})
    assert bench.reply(reply) == {"status": "Accepted"}
    assert not bench.actions("Authorize")
    assert bench.open_call is not None and bench.open_call[2] == "StartTransaction"


@spec("1.6", "16-CACHE-07")
@pytest.mark.parametrize("status", [s for s in TokenStatus if s is not TokenStatus.ACCEPTED])
def test_a_card_cached_as_bad_is_asked_about(status: TokenStatus) -> None:
    bench = CoreBench(settings=Settings(local_pre_authorize=True), image={"token": {CARD: record(status)}})
    bench.connect()
    bench.plug()
    bench.answer_all()
    assert asked(bench)
    assert bench.core.slots[0].session is not None, "the CSMS has the last word"


@spec("1.6", "16-CACHE-04")
def test_a_card_past_its_expiry_counts_as_expired() -> None:
    for offset_ms, expected in ((DAY_MS, False), (-1, True)):
        image = {"token": {CARD: record(expires=START_UTC_MS + offset_ms)}}
        bench = CoreBench(settings=Settings(local_pre_authorize=True), image=image)
        bench.connect()
        assert asked(bench) is expected
    bench = CoreBench(image={"token": {CARD: record(expires=START_UTC_MS + DAY_MS)}})
    bench.connect()
    bench.disconnect()
    bench.wait(86_401)
    bench.tap(CARD)
    assert not bench.core.authorization.pending


@spec("1.6", "16-CACHE-01")
def test_switched_off_it_neither_knows_nor_learns() -> None:
    bench = knowing(CARD)
    assert not asked(bench)
    assert not asked(bench), "taken back"
    reply = bench.call("ChangeConfiguration", {"key": "AuthorizationCacheEnabled", "value": "false"})
    assert bench.reply(reply) == {"status": "Accepted"}
    assert asked(bench)
    assert asked(bench, OTHER)
    assert OTHER not in bench.disk["token"]
    reply = bench.call("GetConfiguration", {"key": ["AuthorizationCacheEnabled"]})
    assert bench.reply(reply)["configurationKey"][0]["value"] == "false"


# --- what it learns ---


@spec("1.6", "16-CACHE-02", "16-CACHE-03")
@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_it_learns_from_authorize(status: str) -> None:
    bench = knowing()
    bench.tap(CARD)
    info = {"status": status, "parentIdTag": "G", "expiryDate": "2027-01-01T00:00:00Z"}
    bench.answer_all(Authorize={"idTagInfo": info})
    known = bench.disk["token"][CARD].info
    assert known.status.value == status.lower().replace("tx", "")
    assert known.group == "G" and known.expires is not None


@spec("1.6", "16-CACHE-03")
def test_it_learns_from_start_transaction() -> None:
    bench = knowing(CARD)
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    bench.answer_all(StartTransaction={"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    assert bench.disk["token"][CARD].info.status is TokenStatus.BLOCKED


@spec("1.6", "16-CACHE-03", "16-STOP-12")
def test_it_learns_from_stop_transaction() -> None:
    """Of the card that stopped it; where nobody's card did, an idTagInfo has no one to be about."""
    bench = knowing()
    bench.charging()
    bench.wait(3)
    bench.tap(CARD)
    bench.wait(5)
    bench.answer_all(StopTransaction={"idTagInfo": {"status": "Expired"}})
    assert bench.disk["token"][CARD].info.status is TokenStatus.EXPIRED
    bench.charging(2, OTHER)
    bench.call("RemoteStopTransaction", {"transactionId": 2})
    bench.wait(5)
    bench.answer_all(StopTransaction={"idTagInfo": {"status": "Invalid"}})
    assert bench.actions("StopTransaction")[1].get("idTag") is None
    assert bench.disk["token"][OTHER].info.status is TokenStatus.ACCEPTED


def test_free_vend_is_nobody_to_remember() -> None:
    bench = knowing(cards_decided_by="nobody")
    bench.plug()
    bench.answer_all()
    assert bench.actions("StartTransaction")[0]["idTag"] == "FREEVEND"
    assert not bench.disk.get("token")


def test_what_is_heard_again_is_written_once_a_day() -> None:
    bench = knowing(local_pre_authorize=False)
    asked(bench)
    first = bench.disk["token"][CARD]
    bench.wait(600)
    asked(bench)
    assert bench.disk["token"][CARD] is first
    bench.wait(86_400)
    asked(bench)
    assert bench.disk["token"][CARD].seen - first.seen >= DAY_MS


# --- bound, and the disk ---


def full(*worse: str) -> CoreBench:
    """A thousand cards: those with these numbers are blocked or expired; 00000000 was heard of first."""
    tokens = {f"{n:08d}": record(seen=START_UTC_MS - 10_000 + n) for n in range(1000)}
    for card in worse:
        bad = record(TokenStatus.BLOCKED, seen=tokens[card].seen)
        tokens[card] = bad if card < "00000500" else record(expires=START_UTC_MS - 1, seen=tokens[card].seen)
    bench = CoreBench(image={"token": tokens})
    bench.connect()
    return bench


@spec("1.6", "16-CACHE-05")
def test_full_it_drops_what_is_invalid_first_then_the_oldest() -> None:
    bench = full("00000400", "00000900")
    gone: list[str] = []
    for card in ("NEW1", "NEW2", "NEW3", "NEW4"):
        before = set(bench.disk["token"])
        bench.wait(100)  # the authorisation before has expired
        asked(bench, card)
        gone += before - set(bench.disk["token"])
        assert len(bench.disk["token"]) == len(bench.core.tokens.cache or {}) == 1000
    assert gone == ["00000400", "00000900", "00000000", "00000001"]


@spec("1.6", "16-CACHE-06")
def test_it_survives_a_power_cut() -> None:
    bench = knowing()
    assert asked(bench)
    later = bench.restart(settings=Settings(local_pre_authorize=True))
    later.connect()
    assert later.core.tokens.known(bench.core.authorization.pending[0].token) is not None
    from hal.signals import BoardReady

    later.give(BoardReady())
    assert not asked(later)


# --- ClearCache ---


@spec("1.6", "16-CACHE-09", "TC_061_1_CS")
def test_after_clear_cache_a_local_start_is_asked_about() -> None:
    bench = knowing(CARD)
    assert not asked(bench)
    assert not asked(bench), "taken back"
    reply = bench.call("ClearCache", {})
    assert bench.reply(reply) == {"status": "Accepted"}
    assert not bench.disk["token"]
    assert asked(bench)


@spec("1.6", "TC_061_2_CS")
def test_after_clear_cache_a_remote_start_is_asked_about() -> None:
    bench = knowing(CARD, authorize_remote=True)
    bench.plug()
    bench.answer_all()
    bench.call("ClearCache", {})
    bench.call("RemoteStartTransaction", {"idTag": CARD, "connectorId": 1})
    assert bench.actions("Authorize") == [{"idTag": CARD}]
    assert bench.core.slots[0].session is None


@spec("1.6", "16-CACHE-09")
def test_clear_cache_is_answered_by_what_the_disk_says() -> None:
    bench = knowing(CARD)
    bench.store = "silent"
    reply = bench.call("ClearCache", {})
    assert bench.reply(reply) is None
    bench.wait(6)
    assert bench.reply(reply) == {"status": "Rejected"}
    assert not asked(bench), "it is still on the disk, and so it counts"
    bench.store = "ok"
    assert bench.reply(bench.call("ClearCache", {})) == {"status": "Accepted"}
    assert bench.reply(bench.call("ClearCache", {})) == {"status": "Accepted"}


@spec("1.6", "16-CACHE-10")
def test_without_a_cache_there_is_nothing_to_clear() -> None:
    bench = knowing(cache_enabled=False)
    assert bench.reply(bench.call("ClearCache", {})) == {"status": "Rejected"}
