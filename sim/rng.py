"""Counter-based randomness: a number is a pure function of (seed, label, entity, counter).

A stream is two integers. Streams of different labels or entities never touch each other, so a new consumer of chance
moves nobody else's draws, and nothing depends on `hash()` (PYTHONHASHSEED). Not here: anything for cryptography.

Source: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014); labels are folded in by
FNV-1a.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


def number(key: int, counter: int) -> int:
    """The `counter`-th 64-bit number of the sequence `key`; counters start at 1 in the published splitmix64."""
    z = (key + counter * _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


@lru_cache(maxsize=4096)
def text_key(text: str) -> int:
    """64 bits of a label: FNV-1a over its UTF-8."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value


def key_of(seed: int, label: str, entity: int | str = 0) -> int:
    """The key of a stream: seed, label and entity mixed one after the other."""
    whom = text_key(entity) if isinstance(entity, str) else entity
    return number(number(number(seed & _MASK, 1) ^ text_key(label), 1) ^ (whom & _MASK), 1)


class Stream:
    """A labelled stream of draws; satisfies `hal.clock.Rng`. Its state is (key, counter)."""

    __slots__ = ("counter", "key")

    def __init__(self, seed: int, label: str = "", entity: int | str = 0) -> None:
        self.key = key_of(seed, label, entity)
        self.counter = 0

    def draw(self, bits: int) -> int:
        """A uniform integer of so many bits (at least 0)."""
        value = 0
        for _ in range(bits >> 6):
            self.counter += 1
            value = (value << 64) | number(self.key, self.counter)
        rest = bits & 63
        if rest:
            self.counter += 1
            value = (value << rest) | (number(self.key, self.counter) >> (64 - rest))
        return value

    def uniform(self, low: int, high: int) -> int:
        """A uniform integer in low..high, both included. Raises ValueError if high < low."""
        span = high - low
        if span < 0:
            raise ValueError(f"nothing lies between {low} and {high}")
        bits = span.bit_length()
        while (value := self.draw(bits)) > span:
            pass
        return low + value

    def chance(self, percent: int) -> bool:
        """True so many times out of a hundred."""
        return self.uniform(0, 99) < percent

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely. Raises IndexError if there is none."""
        if not items:
            raise IndexError("a choice among nothing")
        return items[self.uniform(0, len(items) - 1)]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put the items in a random order, in place (Fisher-Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.uniform(0, last)
            items[last], items[other] = items[other], items[last]

    def fork(self, label: str, entity: int | str = 0) -> Stream:
        """A stream of its own; it depends on who this stream is, not on how much was drawn from it."""
        return Stream(self.key, label, entity)
