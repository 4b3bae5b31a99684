"""Sharing one supply among slots (station.md §10). Pure arithmetic; currents per phase in mA."""

from __future__ import annotations

from typing import Final

MINIMUM_MA: Final = 6_000
WHOLE_MA: Final = 1_000


def shares(supply_ma: int, limits_ma: list[int]) -> list[int]:
    """What each may draw: equal shares in whole amperes, no more than its limit, nobody between 0 and 6 A.

    `limits_ma` in order of arrival: when there is not enough for all, the later ones get 0. The sum never exceeds the supply.
    """
    count = len(limits_ma)
    while count and supply_ma // count < MINIMUM_MA:
        count -= 1
    grants = [0] * len(limits_ma)
    left, waiting = supply_ma, list(range(count))
    while waiting:
        equal = left // len(waiting) // WHOLE_MA * WHOLE_MA
        small = [i for i in waiting if limits_ma[i] <= equal]
        if not small:
            for i in waiting:
                grants[i] = equal
            break
        for i in small:
            grants[i] = limits_ma[i]
            left -= limits_ma[i]
            waiting.remove(i)
    return grants
