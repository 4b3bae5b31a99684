"""One story told in both languages by the core itself: the same inputs, the frames of 1.6 and of 2.0.1, both golden.

2.0.1 is encoded only; the little of its answers that the story needs is understood here. `python -m tests.world.test_two_languages` writes
the golden file anew: read the difference before you keep it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ocpp.messages import get_validator

from hal.units import Pilot
from ocpp_client.dialects import load
from ocpp_client.dialects.base import Told
from ocpp_client.dialects.v201 import V201
from station.words.common import Point, TokenInfo, TokenStatus
from station.words.facts import TransactionTold
from station.words.questions import AnyAnswer, Authorize, Noted, Register, Registration, TransactionNoted
from tests.builders import CARD, CoreBench

GOLDEN = Path(__file__).parent / "golden" / "two_languages.json"


class Listening(V201):
    """2.0.1 with ears for this story: a registration, accepted tokens."""

    @staticmethod
    def answered(told: Told, payload: bytes) -> tuple[AnyAnswer, None]:  # type: ignore[override]
        match told:
            case Register():
                return Registration("accepted", None, 300), None
            case Authorize():
                return TokenInfo(TokenStatus.ACCEPTED), None
            case TransactionTold():
                return TransactionNoted(), None
            case _:
                return Noted(), None


def tell(version: str, **policies: frozenset[Point]) -> CoreBench:
    """Plug, tap, charge for three minutes, full, tap, unplug."""
    bench = CoreBench(version=version, answering=True)
    if version == "2.0.1":
        bench.core.connection.dialect = Listening()
        bench.core.policies = msgspec.structs.replace(bench.core.policies, **policies)
    from ocpp_client.link import LinkUp

    bench.give(LinkUp(load(version).subprotocol))
    bench.answer_all(BootNotification={"status": "Accepted", "currentTime": bench.iso(), "interval": 300})
    bench.wait(5)
    bench.plug()
    bench.wait(10)
    bench.tap(CARD)
    bench.answer_all()
    bench.wait(2)
    bench.pilot(Pilot.C)
    bench.answer_all()
    bench.wait(180)
    bench.pilot(Pilot.B)
    bench.answer_all()
    bench.wait(30)
    bench.tap(CARD)
    bench.answer_all()
    bench.wait(10)
    bench.unplug()
    bench.answer_all()
    bench.wait(1)
    return bench


def frames(bench: CoreBench) -> list[list[Any]]:
    """Action and payload of every call, in order; the session's id, drawn by lot, under one name."""
    text = json.dumps([frame[2:] for frame in bench.calls])
    for session in {f[3]["transactionInfo"]["transactionId"] for f in bench.calls if f[2] == "TransactionEvent"}:
        text = text.replace(session, "SESSION")
    told: list[list[Any]] = json.loads(text)
    return told


def both() -> dict[str, list[list[Any]]]:
    return {version: frames(tell(version)) for version in ("1.6", "2.0.1")}


def test_the_same_story_in_both_languages() -> None:
    assert both() == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize(("version", "name"), [("1.6", "1.6"), ("2.0.1", "2.0.1")])
def test_every_frame_is_in_its_schema(version: str, name: str) -> None:
    for action, payload in frames(tell(version)):
        validator = get_validator(2, action, name)
        jsonschema.validate(payload, validator.schema)


def test_both_languages_say_the_same() -> None:
    """Energy, token and times of the transaction agree, and it begins and ends once in each."""
    told = both()
    [start] = [p for a, p in told["1.6"] if a == "StartTransaction"]
    [stop] = [p for a, p in told["1.6"] if a == "StopTransaction"]
    events = [p for a, p in told["2.0.1"] if a == "TransactionEvent"]
    assert [e["eventType"] for e in events].count("Started") == [e["eventType"] for e in events].count("Ended") == 1
    assert [e["seqNo"] for e in events] == list(range(len(events)))
    first, last = events[0], events[-1]
    assert first["timestamp"] == start["timestamp"] and last["timestamp"] == stop["timestamp"]
    assert first["idToken"]["idToken"] == start["idTag"]
    registers = [
        v["value"] for v in last["meterValue"][-1]["sampledValue"] if v.get("measurand", "").startswith("Energy")
    ]
    assert registers == [stop["meterStop"]]


def test_another_cut_of_the_same_story() -> None:
    """With start EVConnected or Authorized and stop EVConnected, the transaction spans the visit instead of the session."""
    points = {
        "tx_start": frozenset({Point.CONNECTED, Point.AUTHORIZED}),
        "tx_stop": frozenset({Point.CONNECTED}),
    }
    events = [p for a, p in frames(tell("2.0.1", **points)) if a == "TransactionEvent"]
    assert events[0]["triggerReason"] == "CablePluggedIn" and events[0]["eventType"] == "Started"
    assert "idToken" not in events[0] and events[0]["evse"] == {"id": 1, "connectorId": 1}
    assert events[1]["triggerReason"] == "Authorized" and events[1]["idToken"]["idToken"] == CARD
    assert events[-1]["eventType"] == "Ended" and events[-1]["triggerReason"] == "EVCommunicationLost"
    assert any(e["triggerReason"] == "StopAuthorized" and e["eventType"] == "Updated" for e in events)
    assert len({e["transactionInfo"]["transactionId"] for e in events}) == 1


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(both(), indent=1) + "\n")
