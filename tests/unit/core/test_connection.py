"""Dialling and dialling again (OCPP-J 1.6 §§3, 5). What a link makes of a server's answer: `tests/unit/ocpp_client/test_link.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hal.registry import ConfigError
from hal.units import SECOND
from ocpp_client.link import FrameReceived, LinkDown, LinkReason, LinkUp
from station.config import load
from station.core.effects import CloseLink, Effect, OpenLink, SetPing
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.spec import spec

BACK_OFF = Settings(backoff_min_s=2, backoff_random_s=4, backoff_repeat=5)


def dials(effects: list[Effect]) -> int:
    return sum(isinstance(effect, OpenLink) for effect in effects)


def waits(bench: CoreBench, count: int, down: LinkDown, up_s: float | None = None) -> list[float]:
    """How long it takes from each of so many failures to the next attempt. `up_s`: it is up for so long before."""
    found = []
    for _ in range(count):
        if up_s is not None:
            bench.give(LinkUp("ocpp1.6"))
            bench.wait(up_s)
        bench.give(down)
        at_ns = bench.mono_ns
        while not dials(bench.wait(0.25)):
            assert bench.mono_ns - at_ns < 1000 * SECOND, "it has given up"
        found.append((bench.mono_ns - at_ns) / SECOND)
    return found


def growing(found: list[float]) -> bool:
    """2, 4, 8, 16, 32, 64, 64, ... and up to 4 seconds more."""
    least = [2 << min(number, 5) for number in range(len(found))]
    return all(low <= wait <= low + 4.5 for low, wait in zip(least, found, strict=True))


FAILURES: list[Any] = [
    pytest.param(LinkDown("http", "404", 404), id="404", marks=spec("1.6", "J-36")),
    pytest.param(LinkDown("http", "401", 401), id="401", marks=spec("1.6", "J-50")),
    pytest.param(LinkDown("http", "403", 403), id="403", marks=spec("1.6", "J-37")),
    pytest.param(LinkDown("http", "500", 500), id="500", marks=spec("1.6", "J-37")),
    pytest.param(LinkDown("tls", "TLS failed"), id="tls", marks=spec("1.6", "J-37")),
    pytest.param(LinkDown("subprotocol", "the server agreed to none", 101), id="none", marks=spec("1.6", "J-34")),
    pytest.param(LinkDown("refused", "nobody listens"), id="refused", marks=spec("1.6", "16-J-45")),
    pytest.param(LinkDown("timeout", "no answer"), id="timeout", marks=spec("1.6", "16-J-45")),
]


@pytest.mark.parametrize("down", FAILURES)
def test_every_failure_is_followed_by_another_attempt_with_growing_waits(down: LinkDown) -> None:
    bench = CoreBench(settings=BACK_OFF)
    found = waits(bench, 8, down)
    assert growing(found), found
    assert bench.sent == []


@spec("1.6", "16-J-45")
def test_waits_are_random() -> None:
    """Else a thousand stations that lost their CSMS together would come back together."""
    found = waits(CoreBench(settings=BACK_OFF), 20, LinkDown("refused", "nobody listens"))[6:]
    assert len({round(wait, 1) for wait in found}) > 5


@spec("1.6", "J-50")
@pytest.mark.parametrize(("status", "logged"), [(401, 1), (403, 1), (404, 0), (500, 0)])
def test_a_refused_password_is_in_the_log(status: int, logged: int) -> None:
    bench = CoreBench()
    bench.give(LinkDown("http", f"HTTP {status}", status))
    assert bench.notes().count("security.FailedToAuthenticateAtCsms") == logged


@spec("1.6", "16-J-45")
@pytest.mark.parametrize("reason", ["closed", "lost"])
def test_a_server_that_throws_us_out_after_the_handshake_is_not_flooded(reason: LinkReason) -> None:
    """101, and then close 1008: that is how some say 401."""
    down = LinkDown(reason, "the server closed the connection with 1008", None, 1008)
    bench = CoreBench(settings=BACK_OFF)
    found = waits(bench, 7, down, up_s=0.5)
    assert growing(found), found


def test_after_a_good_connection_the_waits_begin_anew() -> None:
    bench = CoreBench(settings=BACK_OFF)
    waits(bench, 6, LinkDown("refused", "nobody listens"))
    bench.connect()
    assert waits(bench, 1, LinkDown("lost", "gone"))[0] <= 6.5, "it was accepted"
    waits(bench, 6, LinkDown("refused", "nobody listens"))
    assert waits(bench, 1, LinkDown("lost", "gone"), up_s=31)[0] <= 6.5, "it lasted"


@spec("1.6", "J-57")
def test_there_is_one_connection_at_a_time() -> None:
    """Another is asked for only after the end of the one before has been told."""
    bench = CoreBench(settings=BACK_OFF, answering=True)
    before = dials(bench.effects)
    assert before == 1
    bench.wait(4000)
    bench.connect()
    bench.charging()
    bench.wait(4000)
    bench.call("Reset", {"type": "Hard"})
    bench.wait(20)
    assert dials(bench.effects) == before
    assert any(isinstance(effect, CloseLink) for effect in bench.effects), "closed before the next boot dials"
    bench.disconnect()
    bench.wait(1000)
    assert dials(bench.effects) == before + 1


@spec("1.6", "J-33", "J-35")
def test_what_is_offered_is_what_is_spoken() -> None:
    bench = CoreBench()
    assert [effect for effect in bench.effects if isinstance(effect, OpenLink)] == [OpenLink(("ocpp1.6",))]
    bench.give(LinkUp("ocpp1.6"))
    assert "chargePointVendor" in bench.calls[0][3], "a BootNotification of 1.6"


@spec("1.6", "16-J-41")
@pytest.mark.parametrize("value", ["-1", "-60"])
def test_a_negative_ping_interval_is_rejected(value: str) -> None:
    bench = CoreBench()
    bench.connect()
    changed = bench.call("ChangeConfiguration", {"key": "WebSocketPingInterval", "value": value})
    assert bench.reply(changed) == {"status": "Rejected"}
    assert not any(isinstance(effect, SetPing) for effect in bench.effects)


@spec("1.6", "16-J-32")
@pytest.mark.parametrize(("identity", "fits"), [("x" * 48, True), ("x" * 49, False), ("RDAM|123", True), ("", False)])
def test_an_identity_has_48_characters_at_most(tmp_path: Path, identity: str, fits: bool) -> None:
    file = tmp_path / "station.toml"
    file.write_text(
        f'[station]\nid = "{identity}"\n[csms]\nurl = "ws://127.0.0.1:9000"\n[board]\ndriver = "sim"\n',
        encoding="utf-8",
    )
    if fits:
        assert load(file).identity == identity
    else:
        with pytest.raises(ConfigError):
            load(file)


@spec("1.6", "16-J-32")
def test_an_identity_with_a_colon_has_no_password(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    (tmp_path / "password").write_bytes(b"0123456789abcdef")
    text = '[station]\nid = "A:B"\n[csms]\nurl = "ws://127.0.0.1:9000"\n{}[board]\ndriver = "sim"\n'
    file.write_text(text.format(""), encoding="utf-8")
    assert load(file).identity == "A:B"
    file.write_text(text.format('password_file = "password"\n'), encoding="utf-8")
    with pytest.raises(ConfigError, match="colon"):
        load(file)


def test_nothing_is_sent_while_there_is_no_link() -> None:
    bench = CoreBench(settings=msgspec.structs.replace(BACK_OFF, allow_offline_unknown=True))
    bench.connect()
    bench.disconnect()
    sent = len(bench.sent)
    bench.plug()
    bench.wait(3)
    bench.tap()
    bench.wait(3600)
    assert bench.core.slots[0].session is not None
    assert len(bench.sent) == sent


def test_an_answer_with_the_connection_already_gone_is_harmless() -> None:
    bench = CoreBench()
    bench.connect()
    bench.plug()
    call = bench.open_call
    assert call is not None
    bench.disconnect()
    bench.give(FrameReceived(f'[3,"{call[1]}",{{}}]'))
    bench.give(LinkUp("ocpp1.6"))
    bench.answer_all()
    assert bench.statuses()[-1] == "Preparing"
