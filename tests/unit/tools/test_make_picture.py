"""The picture of the live view: of a station that really charges, and the same each time. Whether it is beautiful nobody can test."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from tools.make_picture import picture, snapshot


def test_two_cars_charge_and_the_picture_says_so() -> None:
    shot = snapshot()
    assert shot == snapshot()
    assert [slot.status for slot in shot.view.slots] == ["charging", "charging"] and shot.view.online
    assert {message.action for message in shot.messages} >= {"MeterValues", "Heartbeat"}
    svg = picture(shot)
    assert svg == picture(shot) and "url(" not in svg.replace("url(#", "")
    text = "".join(ElementTree.fromstring(svg).itertext()).replace("\N{NO-BREAK SPACE}", " ")
    for words in (
        "charging",
        "power is on",
        "zoe-r110, card 04A1B2C3 since",
        "offer 32 A by the slot",
        "MeterValues",
        "? help",
    ):
        assert words in text
