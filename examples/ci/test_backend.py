"""A backend under test by ten virtual chargers at once: `CSMS_URL=ws://... pytest examples/ci/test_backend.py --junitxml junit.xml`.

To copy and change. The backend must know the chargers CI1 to CI10 and the card in CARD, and not the one in UNKNOWN_CARD. The chargers are
the real firmware with simulated hardware; nothing of the backend is replaced. Not here: starting the backend (`run.sh`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from sim.api import VirtualStation, virtual_station

URL = os.environ.get("CSMS_URL", "ws://127.0.0.1:9000")
CARD = os.environ.get("CARD", "04A1B2C3")
UNKNOWN_CARD = os.environ.get("UNKNOWN_CARD", "04FFFFFF")
CHARGERS = [f"CI{number}" for number in range(1, 11)]
QUICK = {"repeat_guard_ms": 0, "backoff_min_s": 1, "backoff_random_s": 0}
PATIENCE_S = 20.0


def on_all(play: Callable[[VirtualStation], Awaitable[None]]) -> None:
    """All chargers connect and play this at the same time. What goes wrong carries the charger's name."""

    async def on_one(identity: str) -> None:
        try:
            async with virtual_station(URL, identity, settings=QUICK, connect_within_s=PATIENCE_S) as cp:
                await play(cp)
        except Exception as error:
            error.add_note(f"charger {identity}")
            raise

    async def together() -> None:
        results = await asyncio.gather(*map(on_one, CHARGERS), return_exceptions=True)
        wrong = [one for one in results if isinstance(one, Exception)]
        if wrong:
            raise ExceptionGroup(f"{len(wrong)} of {len(CHARGERS)} chargers", wrong)

    asyncio.run(together())


async def answered(cp: VirtualStation, action: str) -> dict[str, Any]:
    """The backend's answer to the charger's latest call of this action, as soon as there is one."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while asyncio.get_running_loop().time() < deadline:
        calls = [one.message for one in cp.frames if one.out]
        ids = [call[1] for call in calls if call[0] == 2 and call[2] == action]
        for answer in [one.message for one in cp.frames if not one.out]:
            if ids and answer[1] == ids[-1]:
                assert answer[0] == 3, f"{action} was answered with an error: {answer}"
                return dict(answer[2])
        await asyncio.sleep(0.05)
    raise AssertionError(f"{action} was not answered within {PATIENCE_S} s")


def test_a_car_is_charged_and_billed() -> None:
    async def play(cp: VirtualStation) -> None:
        await cp.plug(1, car="zoe-r110", soc_percent=40)
        await cp.tap(CARD)
        await cp.wait_for_status(1, "charging", within_s=PATIENCE_S)
        started = await answered(cp, "StartTransaction")
        assert started["idTagInfo"]["status"] == "Accepted"
        await asyncio.sleep(3)  # the car takes some Wh
        await cp.tap(CARD)
        ended = await cp.wait_for_event("session-ended", within_s=PATIENCE_S)
        assert ended.data["reason"] == "local"
        await cp.unplug(1)
        await answered(cp, "StopTransaction")
        (start,), (stop,) = cp.calls("StartTransaction"), cp.calls("StopTransaction")
        assert stop["transactionId"] == started["transactionId"]
        assert stop["meterStop"] > start["meterStart"]

    on_all(play)


def test_an_unknown_card_gets_no_power() -> None:
    async def play(cp: VirtualStation) -> None:
        await cp.plug(1)
        await cp.tap(UNKNOWN_CARD)
        told = await answered(cp, "Authorize")
        assert told["idTagInfo"]["status"] != "Accepted"
        assert (await cp.slot(1)).status != "charging"
        assert cp.calls("StartTransaction") == []

    on_all(play)


def test_what_happens_while_the_network_is_gone_is_told_afterwards() -> None:
    async def play(cp: VirtualStation) -> None:
        await cp.plug(1)
        await cp.tap(CARD)
        await cp.wait_for_status(1, "charging", within_s=PATIENCE_S)
        started = await answered(cp, "StartTransaction")
        await cp.cut_link()
        await cp.tap(CARD)
        await cp.wait_for_event("session-ended", within_s=PATIENCE_S)
        assert cp.calls("StopTransaction") == []
        await cp.restore_link()
        await cp.wait_online(within_s=PATIENCE_S)
        await answered(cp, "StopTransaction")
        (stop,) = cp.calls("StopTransaction")
        assert stop["transactionId"] == started["transactionId"]

    on_all(play)
