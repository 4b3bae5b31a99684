"""DataTransfer, both ways (1.6 §§4.3, 5.6), and the registry of vendors' handlers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sim.world import World
from station.core.effects import Wake
from station.core.vendors import NO_VENDORS, Vendors
from station.words.commands import VendorMessage
from station.words.questions import AskVendor, VendorAnswer
from tests.builders import CoreBench
from tests.spec import spec


def acme(message: str, data: str) -> VendorAnswer:
    """Agreed with Acme: Echo gives back its data, Refuse is rejected with a reason, Quiet says nothing."""
    match message:
        case "Echo":
            return VendorAnswer("accepted", data)
        case "Refuse":
            return VendorAnswer("rejected", "because")
        case "Quiet":
            return VendorAnswer("accepted")
        case _:
            return VendorAnswer("unknown_message")


VENDORS = Vendors({"org.Acme": acme})


def transfer(payload: dict[str, Any], vendors: Vendors = VENDORS) -> Any:
    """The answer of a station that was built with these vendors."""
    bench = CoreBench(vendors=vendors)
    bench.connect()
    return bench.reply(bench.call("DataTransfer", payload))


@spec("1.6", "16-DT-01", "TC_062_CS")
@pytest.mark.parametrize("vendors", [VENDORS, NO_VENDORS])
def test_a_vendor_that_nobody_knows(vendors: Vendors) -> None:
    payload = {"vendorId": "org.other", "messageId": "Echo", "data": "x"}
    assert transfer(payload, vendors) == {"status": "UnknownVendorId"}


@spec("1.6", "16-DT-02", "TC_062_CS")
@pytest.mark.parametrize("message", [{}, {"messageId": "Nonsense"}, {"messageId": "echo"}])
def test_a_message_that_the_vendor_does_not_know(message: dict[str, str]) -> None:
    assert transfer({"vendorId": "org.Acme", **message}) == {"status": "UnknownMessageId"}


@spec("1.6", "16-DT-03")
@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"messageId": "Echo", "data": '{"a": "ü"}'}, {"status": "Accepted", "data": '{"a": "ü"}'}),
        ({"messageId": "Echo"}, {"status": "Accepted", "data": ""}),
        ({"messageId": "Refuse", "data": "x"}, {"status": "Rejected", "data": "because"}),
        ({"messageId": "Quiet", "data": "x"}, {"status": "Accepted"}),
    ],
)
@pytest.mark.parametrize("vendor", ["org.Acme", "ORG.ACME"])
def test_what_was_agreed_with_the_vendor(vendor: str, message: dict[str, str], answer: dict[str, str]) -> None:
    assert transfer({"vendorId": vendor, **message}) == answer


def test_whoever_asks_is_answered() -> None:
    bench = CoreBench()
    assert bench.ask(VendorMessage("org.acme", "Echo", "x")) == VendorAnswer("unknown_vendor")


def test_a_plan_brings_its_vendors_to_the_core() -> None:
    world = World(1)
    unit = world.units["CP1"]
    unit.plan = msgspec.structs.replace(unit.plan, vendors=VENDORS)
    world.run(5)
    world.csms.call("CP1", "Reset", {"type": "Hard"})
    world.run(60)
    number = world.csms.call("CP1", "DataTransfer", {"vendorId": "org.acme", "messageId": "Echo", "data": "x"})
    world.run(1)
    assert world.csms.answers[number] == [{"status": "Accepted", "data": "x"}]


def test_two_handlers_for_one_vendor_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="org"):
        Vendors({"org.Acme": acme, "org.acme": acme})


@spec("1.6", "16-DT-04")
@pytest.mark.parametrize("status", ["UnknownVendorId", "UnknownMessageId", "Rejected", "Accepted", None])
def test_what_the_station_asks_a_vendor_is_asked_once(status: str | None) -> None:
    """Whatever comes of it, a CALLERROR included; a lost connection does not bring it back either."""
    bench = CoreBench()
    bench.connect()
    bench.core.connection.put(AskVendor("org.acme", "Hello", "x"))
    bench.give(Wake())
    assert bench.actions("DataTransfer") == [{"vendorId": "org.acme", "messageId": "Hello", "data": "x"}]
    if status is None:
        bench.refuse("NotSupported")
    else:
        bench.answer("DataTransfer", {"status": status})
    bench.answering = True
    bench.wait(86_400)
    assert len(bench.actions("DataTransfer")) == 1
