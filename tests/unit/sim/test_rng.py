"""Draws are a function of seed, label, entity and counter, and of nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.rng import Stream, key_of, number, text_key


def test_the_published_sequence() -> None:
    """The first numbers of splitmix64 from seed 0, as its authors' C code prints them."""
    assert [number(0, counter) for counter in (1, 2, 3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_labels_are_hashed_by_fnv_and_not_by_python() -> None:
    assert text_key("") == 0xCBF29CE484222325
    assert text_key("a") == 0xAF63DC4C8601EC8C


def test_a_stream_is_the_same_in_every_process() -> None:
    stream = Stream(7, "latency", "CP1")
    assert [stream.draw(16) for _ in range(4)] == [42771, 10116, 4293, 42070]  # recorded: plans depend on it


def test_label_entity_and_seed_all_matter() -> None:
    keys = {key_of(1, "a"), key_of(2, "a"), key_of(1, "b"), key_of(1, "a", 1), key_of(1, "a", "1")}
    assert len(keys) == 5


def test_a_fork_does_not_depend_on_what_was_drawn() -> None:
    one, other = Stream(1, "people"), Stream(1, "people")
    other.draw(64)
    assert one.fork("cards").draw(64) == other.fork("cards").draw(64)
    assert one.fork("cards").draw(64) != one.fork("cars").draw(64)


@given(st.integers(0, 2**64 - 1), st.integers(0, 300))
def test_draw_has_so_many_bits(seed: int, bits: int) -> None:
    value = Stream(seed).draw(bits)
    assert 0 <= value < 1 << bits


def test_draw_uses_all_bits() -> None:
    stream, seen = Stream(3), 0
    for _ in range(64):
        seen |= stream.draw(130)
    assert seen == (1 << 130) - 1


@given(st.integers(), st.integers(-1000, 1000), st.integers(0, 1000))
def test_uniform_stays_within_its_bounds(seed: int, low: int, span: int) -> None:
    assert low <= Stream(seed).uniform(low, low + span) <= low + span


def test_uniform_is_even() -> None:
    stream, counts = Stream(5), [0] * 6
    for _ in range(6_000):
        counts[stream.uniform(0, 5)] += 1
    assert all(880 < count < 1_120 for count in counts)


def test_uniform_refuses_an_empty_range() -> None:
    with pytest.raises(ValueError, match="between 3 and 2"):
        Stream(1).uniform(3, 2)


def test_shuffle_keeps_everything_and_changes_the_order() -> None:
    items = list(range(50))
    Stream(9).shuffle(items)
    assert sorted(items) == list(range(50)) != items


def test_choice_and_chance() -> None:
    stream = Stream(2)
    assert {stream.choice("abc") for _ in range(100)} == set("abc")
    assert 200 < sum(stream.chance(25) for _ in range(1_000)) < 300
    with pytest.raises(IndexError):
        stream.choice([])
