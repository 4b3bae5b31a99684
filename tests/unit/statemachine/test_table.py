"""The table of connector states against the specification's, and the ways that are not in it."""

from __future__ import annotations

import itertools

import pytest

from statemachine.diagram import cell, name, transitions
from statemachine.table import MEANING, TRIGGERS, VIA, IllegalTransition, fire, path
from station.words.common import SlotStatus
from tools.reference import stale

# 1.6 §4.9, as the facts tell it: "A2-5, A7-9; B1, B3-6, B9; ..."
SPECIFICATION = """
A2 A3 A4 A5 A7 A8 A9  B1 B3 B4 B5 B6 B9  C1 C4 C5 C6 C8 C9  D1 D3 D5 D6 D8 D9  E1 E3 E4 E6 E8 E9
F1 F2 F8 F9  G1 G2 G8 G9  H1 H2 H3 H4 H5 H9  I1 I2 I3 I4 I5 I6 I7 I8
"""
BASE = [status for status in SlotStatus if status is not SlotStatus.FAULTED]


class Thing:
    """All that a machine needs of a slot."""

    def __init__(self, state: SlotStatus) -> None:
        self.state = state


def test_the_transitions_are_those_of_the_specification_and_no_more() -> None:
    assert sorted(row for row, *_ in transitions()) == sorted(SPECIFICATION.split())


def test_every_status_means_something() -> None:
    assert MEANING.keys() == set(SlotStatus)


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(BASE, 2)))
def test_there_is_a_way_from_everywhere_to_everywhere_along_rows_of_the_table(
    source: SlotStatus, target: SlotStatus
) -> None:
    thing = Thing(source)
    steps = path(source, target)
    assert len(steps) == (2 if (source, target) in VIA else 1)
    for trigger in steps:
        before = thing.state
        fire(thing, trigger)
        assert cell(before, thing.state) in SPECIFICATION
    assert thing.state is target


def test_no_way_is_longer_than_it_must_be() -> None:
    direct = {(s, target) for target, sources in TRIGGERS.values() for s in sources}
    assert not VIA.keys() & direct


def test_what_is_not_in_the_table_is_our_mistake() -> None:
    with pytest.raises(IllegalTransition):
        fire(Thing(SlotStatus.PREPARING), "disable")
    assert path(SlotStatus.CHARGING, SlotStatus.CHARGING) == []


@pytest.mark.parametrize(
    ("status", "spelling"), [(SlotStatus.SUSPENDED_EVSE, "SuspendedEVSE"), (SlotStatus.FAULTED, "Faulted")]
)
def test_names_are_spelled_as_on_the_wire(status: SlotStatus, spelling: str) -> None:
    assert name(status) == spelling


def test_the_reference_pages_are_fresh() -> None:
    assert stale() == [], "make docs"
