"""The judgement: whether an expectation was met by what was seen, and a sentence for what there was instead.

Not here: the expectations (`expect.py`), seeing (`expect_world.py`, `expect_live.py`), reports (`expect_report.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, assert_never

import msgspec

from sim import expect
from sim.expect_seen import Call, Event, Seen, Track, Transaction

Result: TypeAlias = Literal["passed", "failed", "skipped"]
SHOWN: Final = 5  # of many


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one expectation. `instead`: what there was, or why it was skipped; `at_s`: when that was certain."""

    name: str
    result: Result
    expected: str = ""
    instead: str = ""
    at_s: float | None = None

    @property
    def why(self) -> str:
        """In one sentence; empty where it was met."""
        return f"expected: {self.expected}; {self.instead}" if self.result == "failed" else self.instead


class Window(NamedTuple):
    from_s: float
    by_s: float

    def __contains__(self, at_s: object) -> bool:
        return isinstance(at_s, float | int) and self.from_s <= at_s <= self.by_s

    def __str__(self) -> str:
        return f"by {seconds(self.by_s)}" if not self.from_s else f"from {seconds(self.from_s)} to {seconds(self.by_s)}"


def judge(expected: expect.AnyExpectation, seen: Seen, end_s: float) -> Verdict:
    """`end_s` is the end of the plan; what lies beyond `seen.until_s` cannot be judged and is skipped."""
    window = window_of(expected, end_s)
    sentence = describe(expected, end_s)
    name = expected.name or sentence
    if window.by_s > seen.until_s:
        why = f"the run ended at {seconds(seen.until_s)}, before that"
        return Verdict(name=name, result="skipped", expected=sentence, instead=why)
    instead = _instead(expected, seen, window)
    result: Result = "failed" if instead else "passed"
    return Verdict(name=name, result=result, expected=sentence, instead=instead, at_s=window.by_s)


def window_of(expected: expect.AnyExpectation, end_s: float) -> Window:
    """When it has to be so."""
    at_s = expected.at_s if isinstance(expected, expect.State) else None
    if at_s is not None:
        return Window(at_s, at_s)
    return Window(expected.from_s, end_s if expected.by_s is None else expected.by_s)


def _instead(expected: expect.AnyExpectation, seen: Seen, window: Window) -> str:
    """What there was instead; empty where it was as expected."""
    match expected:
        case expect.Status():
            track = seen.track("status", expected.station, expected.slot, *window)
            return _state(expected, track, _is_status(expected), _status_text, "never told")
        case expect.Power():
            track = seen.track("power", expected.station, expected.slot, *window)
            return _state(expected, track, lambda on: on is expected.energised, _power_text, "never seen")
        case expect.Offer():
            return _offer(expected, seen.track("offer", expected.station, expected.slot, *window))
        case expect.Event():
            same = [e for e in seen.events if e.station == expected.station and e.type == expected.type]
            return _count(expected, window, same, lambda e: _unlike(expected.data, e.data), _event_text)
        case expect.Message():
            calls = [
                c
                for c in seen.calls
                if c.station == expected.station and c.action == expected.action and expected.sender in (None, c.sender)
            ]
            return _count(expected, window, calls, lambda c: _unlike_call(expected, c), _call_text)
        case expect.Transaction():
            mine = [_as_of(t, window.by_s) for t in seen.transactions if t.station == expected.station]
            return _count(expected, window, mine, lambda t: _unlike_transaction(expected, t), transaction_text)
        case expect.Order():
            return _order(expected, [c for c in seen.calls if c.station == expected.station and c.at_s in window])
        case _:
            assert_never(expected)


# --- states -----------------------------------------------------------------------------------------------------------


def _state(
    expected: expect.State, track: Track, so: Callable[[Any], bool], text: Callable[[Any], str], nothing: str
) -> str:
    met = [at_s for at_s, value in track if so(value)]
    if expected.never:
        return f"it was so from {seconds(met[0])} on" if met else ""
    if met:
        return ""
    if not track:
        return f"it was {nothing}"
    return "it was " + _some([f"{text(value)} at {seconds(at_s)}" for at_s, value in track], ", then ")


def _is_status(expected: expect.Status) -> Callable[[Any], bool]:
    return lambda told: told[0] == expected.status and expected.error in (None, told[1])


def _status_text(told: tuple[str, str]) -> str:
    return told[0] if told[1] in (None, "NoError") else f"{told[0]} ({told[1]})"


def _power_text(on: bool) -> str:
    return "energised" if on else "without power"


def _offer(expected: expect.Offer, track: Track) -> str:
    most = max(track, key=lambda one: one[1], default=(0.0, 0.0))
    if expected.at_most_a is not None and most[1] > expected.at_most_a:
        return f"{most[1]:g} A were on offer at {seconds(most[0])}"
    if expected.at_least_a is not None and most[1] < expected.at_least_a:
        return f"the most was {most[1]:g} A, at {seconds(most[0])}"
    return ""


# --- happenings -------------------------------------------------------------------------------------------------------


def _count(
    expected: expect.Event | expect.Message | expect.Transaction,
    window: Window,
    things: Sequence[Any],
    unlike: Callable[[Any], str],
    text: Callable[[Any], str],
) -> str:
    """`unlike` says what is different of a thing, and is empty where it is one of those that are counted."""
    inside = [thing for thing in things if _moment(thing) in window]
    found = [thing for thing in inside if not unlike(thing)]
    least, most = bounds(expected)
    if least <= len(found) and (most is None or len(found) <= most):
        return ""
    if found:
        return f"there {_were(len(found))}: {_some([text(thing) for thing in found])}"
    if inside:
        return f"there was none; near to it: {_some([f'{text(thing)}, {unlike(thing)}' for thing in inside], '; ')}"
    outside = [text(thing) for thing in things if not unlike(thing)]
    return f"there was none; outside that time: {_some(outside)}" if outside else "there was none"


def bounds(expected: expect.Happening) -> tuple[int, int | None]:
    """How often at least, and at most; None: any number."""
    if expected.count is not None:
        return expected.count, expected.count
    least = expected.at_least if expected.at_most is None else min(expected.at_least, expected.at_most)
    return least, expected.at_most


def _moment(thing: Event | Call | Transaction) -> float:
    return thing.begun_s if isinstance(thing, Transaction) else thing.at_s


def _event_text(event: Event) -> str:
    return f"at {seconds(event.at_s)}"


def _call_text(call: Call) -> str:
    return f"at {seconds(call.at_s)}"


def transaction_text(one: Transaction) -> str:
    """`slot 1, card 04A1B2C3, 1234 Wh, Local, from 3.2 s to 60 s`."""
    if one.ended_s is None:
        return f"slot {one.slot}, card {one.card}, open since {seconds(one.begun_s)}"
    span = f"from {seconds(one.begun_s)} to {seconds(one.ended_s)}"
    return f"slot {one.slot}, card {one.card}, {one.energy_wh} Wh, {one.reason}, {span}"


def _unlike(wanted: dict[str, Any], there: dict[str, Any] | None, inside: str = "") -> str:
    """The first member that is not as wanted, in words. Members that are not asked for may be anything."""
    for key, value in wanted.items():
        if there is None or key not in there:
            return f"{inside}{key} is missing"
        if isinstance(value, dict) and isinstance(there[key], dict):
            deeper = _unlike(value, there[key], f"{inside}{key}.")
            if deeper:
                return deeper
        elif there[key] != value:
            return f"{inside}{key} is {_short(there[key])}"
    return ""


def _unlike_call(expected: expect.Message, call: Call) -> str:
    if expected.answer is None:
        return _unlike(expected.payload, call.payload)
    if call.answer is None:
        return _unlike(expected.payload, call.payload) or "without an answer"
    return _unlike(expected.payload, call.payload) or _unlike(expected.answer, call.answer, "in the answer ")


def _unlike_transaction(expected: expect.Transaction, one: Transaction) -> str:
    if expected.slot not in (None, one.slot):
        return "of another slot"
    if expected.card is not None and expected.card.casefold() != one.card.casefold():
        return "of another card"
    needs_end = expected.reason is not None or expected.at_least_wh is not None or expected.at_most_wh is not None
    if expected.ended not in (None, one.ended_s is not None) or (needs_end and one.energy_wh is None):
        return "ended" if one.ended_s is not None else "not ended"
    if expected.reason not in (None, one.reason):
        return "for another reason"
    if expected.at_least_wh is not None and (one.energy_wh or 0) < expected.at_least_wh:
        return f"less than {expected.at_least_wh} Wh"
    if expected.at_most_wh is not None and (one.energy_wh or 0) > expected.at_most_wh:
        return f"more than {expected.at_most_wh} Wh"
    return ""


def _as_of(one: Transaction, at_s: float) -> Transaction:
    """As it stood then: what ended later was open."""
    if one.ended_s is None or one.ended_s <= at_s:
        return one
    return msgspec.structs.replace(one, ended_s=None, energy_wh=None, reason="")


def _order(expected: expect.Order, calls: list[Call]) -> str:
    left, last = list(expected.actions), ""
    for call in calls:
        if left and call.action == left[0]:
            last = f" after {left.pop(0)} at {seconds(call.at_s)}"
    if not left:
        return ""
    others = dict.fromkeys(call.action for call in calls)
    return f"{left[0]} did not come{last}; there came {', '.join(others) or 'nothing'}"


# --- words ------------------------------------------------------------------------------------------------------------


def describe(expected: expect.AnyExpectation, end_s: float) -> str:
    """The expectation as a sentence: `slot 1 is Charging at the CSMS by 30 s`."""
    window = window_of(expected, end_s)
    where = f"station {expected.station} " if expected.station else ""
    match expected:
        case expect.Status():
            error = f" ({expected.error})" if expected.error else ""
            return (
                f"{where}{_slot(expected.slot)} is {_when(expected, f'{expected.status}{error} at the CSMS', window)}"
            )
        case expect.Power():
            return f"{where}slot {expected.slot} is {_when(expected, _power_text(expected.energised), window)}"
        case expect.Offer():
            parts = [f"at most {expected.at_most_a:g} A"] if expected.at_most_a is not None else []
            parts += [f"once at least {expected.at_least_a:g} A"] if expected.at_least_a is not None else []
            place = "all slots together" if expected.slot == 0 else f"slot {expected.slot}"
            return f"{where}{place}: {' and '.join(parts)} on offer {window}"
        case expect.Event():
            return f"{where}event {expected.type}{_with(expected.data)} {_times(expected)} {window}"
        case expect.Message():
            sender = f"{expected.sender} sends " if expected.sender else "message "
            answer = f" answered{_with(expected.answer)}" if expected.answer is not None else ""
            return f"{where}{sender}{expected.action}{_with(expected.payload)}{answer} {_times(expected)} {window}"
        case expect.Transaction():
            return f"{where}transaction{_transaction(expected)} {_times(expected)} {window}"
        case expect.Order():
            return f"{where}messages in the order {', '.join(expected.actions)} {window}"
        case _:
            assert_never(expected)


def _slot(slot: int) -> str:
    return f"slot {slot}" if slot else "the station"


def _when(expected: expect.State, what: str, window: Window) -> str:
    if expected.at_s is not None:
        return f"{what} at {seconds(expected.at_s)}"
    return f"{'never ' if expected.never else ''}{what} {window}"


def _times(expected: expect.Happening) -> str:
    least, most = bounds(expected)
    if most == 0:
        return "never"
    if least == most:
        return {1: "once", 2: "twice"}.get(least, f"{least} times")
    if most is None:
        return f"{least} times or more" if least != 1 else "once or more"
    return f"{least} to {most} times"


def _with(wanted: dict[str, Any] | None) -> str:
    return f" with {', '.join(_members(wanted))}" if wanted else ""


def _members(wanted: dict[str, Any], inside: str = "") -> Iterable[str]:
    for key, value in wanted.items():
        if isinstance(value, dict) and value:
            yield from _members(value, f"{inside}{key}.")
        else:
            yield f"{inside}{key} {_short(value)}"


def _transaction(expected: expect.Transaction) -> str:
    parts = [f"on slot {expected.slot}"] if expected.slot is not None else []
    parts += [f"of card {expected.card}"] if expected.card is not None else []
    parts += [("ended" if expected.ended else "still open")] if expected.ended is not None else []
    parts += [f"for {expected.reason}"] if expected.reason is not None else []
    match expected.at_least_wh, expected.at_most_wh:
        case None, None:
            pass
        case None, most:
            parts.append(f"of at most {most} Wh")
        case least, None:
            parts.append(f"of at least {least} Wh")
        case least, most:
            parts.append(f"of {least} to {most} Wh")
    return "".join(f" {part}" for part in parts)


def seconds(at_s: float) -> str:
    return f"{at_s:.3f}".rstrip("0").rstrip(".") + " s"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _were(count: int) -> str:
    return "was 1" if count == 1 else f"were {count}"


def _some(texts: Sequence[str], between: str = ", ") -> str:
    """The first few, and how many more."""
    more = f"{between}and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return between.join(texts[:SHOWN]) + more
