"""What the powers that a station reported come to as energy: a witness that owes nothing to its registers.

Not here: which powers are of one transaction (books.py), and whether the energy is the right one (`sim/account.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

HOUR_MS = 3_600_000


def reported_wh(powers: Mapping[int, float], begin_ms: int, end_ms: int) -> float | None:
    """Wh of powers in W by UTC in ms, of a transaction that charged from `begin_ms` to `end_ms`; None without any.

    Straight lines between the values, which a ramp, a taper and a missing value in a constant draw all follow. Before the first value and
    after the last theirs holds: a car draws within seconds of its connector's being told as Charging, and until it is stopped unless a
    value has said otherwise. So each end can be wrong by what is drawn in one interval, and is by a tenth of that as a rule.
    """
    if not powers:
        return None
    points = sorted(powers.items())
    points = [(min(begin_ms, points[0][0]), points[0][1]), *points, (max(end_ms, points[-1][0]), points[-1][1])]
    return (
        sum((before + after) / 2 * (to_ms - from_ms) for (from_ms, before), (to_ms, after) in pairwise(points))
        / HOUR_MS
    )
