"""A CSMS gone mad: whatever it sends, it gets the answer that is right, and who charges goes on charging and is billed.

`FUZZ_FRAMES` says how many frames are tried (`make fuzz`: a million), `FUZZ_SEED` which.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.units import Pilot
from ocpp_client.link import FrameReceived, LinkUp
from ocpp_client.rpc import INBOUND_BOUND
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.unit.core.fuzzing import CODES, SHAPE_CODES, Csms, Judge, Owed

FRAMES = int(os.environ.get("FUZZ_FRAMES", "20000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))


class Ordeal:
    """A station on the bench under fire. Time passes, its own calls are answered now and then, and every word of it is judged."""

    def __init__(self, bench: CoreBench, seed: int) -> None:
        self.bench = bench
        self.csms = Csms(seed)
        self.judge = Judge()
        self.seen: Counter[str] = Counter()
        self.spent_s = 0.0  # within the station and the bench
        self.silent = False  # rejected: nobody is answered
        self._out: list[Any] | None = bench.open_call
        self._forget()

    def run(self, frames: int, look: Callable[[], None] = lambda: None) -> None:
        number = 0
        while self.seen["frames"] < frames:
            number += 1
            call = self._out
            if call is not None and number % 2:
                self._answer(call, good=call[2] == "BootNotification" or number % 8 == 1)
            else:
                self._one(self.csms.frame())
            if number % 20 == 0:
                self.bench.wait(1)
                self._own(self._taken())
            if number % 1000 == 0:
                self._sane()
                look()

    def _one(self, text: str) -> None:
        owed = self.judge.owed(text)
        if owed.result and self._would_end_it(text):
            return
        self.seen["frames"] += 1
        said = self._own(self._give(text))
        if self.silent:
            assert not said, f"{text!r} was answered: {said}"
            return
        self._judge(text, owed, said)

    def _answer(self, call: list[Any], good: bool) -> None:
        """The station's own call: answered well often enough for its life to go on, else as it comes."""
        if good:
            self.bench.answer_all()
            self._own(self._taken())
            return
        self.seen["frames"] += 1
        self.seen["answers"] += 1
        self._own(self._give(self.csms.answer(call)))

    def _give(self, text: str) -> list[list[Any]]:
        begun = time.perf_counter()
        self.bench.give(FrameReceived(text))
        self.spent_s += time.perf_counter() - begun
        return self._taken()

    def _taken(self) -> list[list[Any]]:
        said = self.bench.sent
        self.bench.sent = []
        self.bench.effects.clear()
        return said

    def _forget(self) -> None:
        self.bench.sent = [] if self._out is None else [self._out]
        self.bench.effects.clear()

    def _own(self, frames: list[list[Any]]) -> list[list[Any]]:
        """The answers among what was said; calls of the station's own are kept for later."""
        out = self.bench.core.connection.rpc.out
        calls = [*([self._out] if self._out else []), *(frame for frame in frames if frame[0] == 2)]
        self._out = next((call for call in reversed(calls) if out is not None and call[1] == out.message_id), None)
        self._forget()
        return [frame for frame in frames if frame[0] != 2]

    def _would_end_it(self, text: str) -> bool:
        """A proper command to end the session, or the station, is none of this test's business."""
        _, _, action, payload = json.loads(text)
        match action:
            case "Reset":
                return True
            case "UnlockConnector":
                return bool(payload.get("connectorId") == 1)
            case "RemoteStopTransaction":
                return payload.get("transactionId") in self.bench.core.connection.transactions.values()
            case _:
                return False

    def _judge(self, text: str, owed: Owed, said: list[list[Any]]) -> None:
        assert len(said) <= 1, f"{text!r} has more than one answer: {said}"
        if not said:
            assert owed.loose or not (owed.result or owed.error), f"{text!r} has no answer"
            self.seen["silence"] += 1
            return
        [frame] = said
        assert owed.result or owed.error, f"{text!r} should not be answered: {frame}"
        if owed.message_id is not None:
            assert frame[1] == owed.message_id, f"{text!r} is answered under another id: {frame}"
        if frame[0] == 3:
            assert owed.result, f"{text!r} should be refused: {frame}"
            if owed.message_id is not None:
                action = json.loads(text)[2]
                assert self.judge.is_response(action, frame[2]), f"{text!r}: {frame[2]} is no answer to {action}"
            self.seen["results"] += 1
        else:
            assert owed.error, f"{text!r} should be done: {frame}"
            self._judge_error(text, owed, frame)

    def _judge_error(self, text: str, owed: Owed, frame: list[Any]) -> None:
        assert len(frame) == 5 and frame[4] == {} and len(frame[3]) <= 255, frame
        codes = CODES if owed.message_id is None else frozenset({owed.code}) if owed.code else SHAPE_CODES
        assert frame[2] in codes, f"{text!r}: {frame[2]} is none of {sorted(codes)}"
        self.seen[f"error {frame[2]}"] += 1

    def _sane(self) -> None:
        core = self.bench.core
        assert len(core.connection.rpc.waiting) <= INBOUND_BOUND
        assert not core.stores
        assert len(core.connection.outbox) < 10_000


def figures(name: str, ordeal: Ordeal) -> str:
    seen = ordeal.seen
    per_s = round(seen["frames"] / max(ordeal.spent_s, 1e-9))
    errors = ", ".join(f"{code[6:]} {count}" for code, count in sorted(seen.items()) if code.startswith("error "))
    return (
        f"fuzz, {name}: {seen['frames']} frames, {per_s} a second in the core; {seen['answers']} answers to its calls, "
        f"{seen['results']} results, {seen['silence']} met with silence, errors: {errors}"
    )


def test_a_million_frames_and_the_station_charges_on(record_property: Callable[[str, object], None]) -> None:
    bench = CoreBench(settings=Settings(sample_interval_s=1, transaction_retry_s=1))
    bench.connect()
    bench.charging()
    bench.plug(2)  # where the CSMS may start and stop as it likes
    slot = bench.core.slots[0]
    session = slot.session
    ordeal = Ordeal(bench, SEED)

    def charges() -> None:
        assert slot.session is session, "the session is another"
        assert slot.status.value == "charging"
        assert slot.permitted
        assert slot.power_closed

    ordeal.run(FRAMES, charges)
    charges()
    record_property("figures", figures("charging", ordeal))
    bench.answer_all()
    bench.sent.clear()
    bench.wait(3)
    bench.tap()
    bench.pilot(Pilot.B)
    for _ in range(100):
        bench.answer_all()
        bench.wait(60)
    [stop] = [stop for stop in bench.actions("StopTransaction") if stop["transactionId"] == 1]
    assert stop["meterStop"] == bench.register_mwh[1] // 1000 > 0
    assert stop["reason"] == "Local"
    bench.unplug()
    assert slot.session is None
    assert not slot.power_closed
    assert ordeal.seen["results"] > FRAMES / 20
    assert sum(count for code, count in ordeal.seen.items() if code.startswith("error ")) > FRAMES / 5


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_station_that_is_not_accepted(status: str, record_property: Callable[[str, object], None]) -> None:
    """Pending it answers like any other; rejected it answers nobody."""
    bench = CoreBench()
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": status, "currentTime": bench.iso(), "interval": 31_536_000})
    ordeal = Ordeal(bench, SEED + 1)
    ordeal.silent = status == "Rejected"
    ordeal.run(FRAMES // 10)
    record_property("figures", figures(status.lower(), ordeal))
    assert bench.core.connection.standing.value == status.lower()


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "replace")))
def test_any_text_at_all(text: str) -> None:
    """As above, but what fails is cut down to what matters."""
    bench = CoreBench()
    bench.connect()
    sent = len(bench.sent)
    bench.give_text(text)
    assert len(bench.sent) - sent <= 1
    assert all(frame[0] == 4 and frame[2] in CODES for frame in bench.sent[sent:])
