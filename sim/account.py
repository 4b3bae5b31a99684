"""The accounts: do the CSMS's books and the meters' own memories agree, to the Wh? And do the other witnesses say the same?

Reads files that others wrote: the books of `station-sim csms`, the memories of the simulated meters and, if asked to, what the cars'
batteries gained, which must fit within 0.5 %. Where power was reported, its integral over each session must fit within 2 %.
Knows nothing of the station. Every difference is told with the session it is about.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from sim.batteries import Battery, difference, read_batteries
from sim.csms.books import Books, Transaction, read_books
from sim.meter import MeterMemory, read_memories
from sim.options import sentence

T = TypeVar("T")
POWER_TOLERANCE_PERCENT: Final = 2
NAMED: Final = 3  # sessions that are furthest apart


class Account(msgspec.Struct):
    """What both sides say of a run. `differences` are sentences; none means that they agree."""

    sessions: int = 0
    billed_wh: int = 0
    metered_wh: int = 0
    differences: list[str] = []
    taken_wh: int | None = None  # by the cars' chargers, as their batteries say; None: nobody has looked into them
    reported_wh: int | None = None  # what the powers reported in MeterValues come to; None: none were
    reported_apart_wh: int | None = (
        None  # ... and how far that is from the books, session by session: one's too much excuses no other
    )

    @property
    def agrees(self) -> bool:
        return not self.differences


def compare(books: Books, memories: list[MeterMemory]) -> Account:
    """Every slot's transactions must account for its register from end to end, and nothing may be open, doubled or unknown."""
    account = Account(len(books.transactions), books.total_wh, 0, [])
    account.differences += [f"still open: {one}" for one in books.open]
    account.differences += books.problems
    known = {(memory.station, memory.slot) for memory in memories}
    for one in books.transactions:
        if (one.start.station, one.start.connector) not in known:
            account.differences.append(f"no meter has this session: {one}")
    for memory in memories:
        mine = [t for t in books.transactions if (t.start.station, t.start.connector) == (memory.station, memory.slot)]
        first = memory.periods[0].start_mwh if memory.periods else memory.register_mwh
        account.metered_wh += memory.register_mwh // 1000 - first // 1000
        account.differences += _chain(memory, first // 1000, mine)
        account.differences += _periods(memory, mine)
    return account


def add_batteries(account: Account, found: list[Battery]) -> None:
    """The cars' side: gain over efficiency must be what the meters counted, within 0.5 %."""
    account.taken_wh = sum(one.taken_mwh for one in found) // 1000
    apart = difference(found, account.metered_wh)
    account.differences += [apart] if apart else []


def add_power(account: Account, books: Books) -> None:
    """The CSMS's second witness: reported power over time must be what was billed, within 2 %. Nothing where no power was reported.

    A session without any reported power is missing as a whole: a short one weighs little, a long one should have had a sample.
    """
    ended = [(abs((one.reported_wh or 0.0) - one.wh), one) for one in books.transactions if one.wh is not None]
    if all(one.reported_wh is None for _, one in ended):
        return
    apart_wh = sum(apart for apart, _ in ended)
    account.reported_wh = round(sum(one.reported_wh or 0.0 for _, one in ended))
    account.reported_apart_wh = round(apart_wh)
    if apart_wh * 100 > books.total_wh * POWER_TOLERANCE_PERCENT:
        worst = sorted(ended, key=lambda pair: -pair[0])[:NAMED]
        named = "; ".join(f"{one}, reported {one.reported_wh or 0.0:.0f} Wh" for _, one in worst)
        account.differences.append(
            f"the reported power comes to {account.reported_wh} Wh and is {apart_wh:.0f} Wh apart from the books, session by session:"
            f" more than {POWER_TOLERANCE_PERCENT} % of {books.total_wh} Wh (it takes a value every minute, or more); furthest: {named}"
        )


def _chain(memory: MeterMemory, first_wh: int, mine: list[Transaction]) -> Iterator[str]:
    """Registers telescope: each session begins where the one before ended, the last ends where the register stands."""
    at_wh, before = first_wh, "the meter's first energised moment"
    ordered = sorted(mine, key=lambda t: (t.start.meter_start_wh, t.number))
    for one in ordered:
        if one.start.meter_start_wh != at_wh:
            yield f"{one} begins at {one.start.meter_start_wh} Wh, but {before} ended at {at_wh} Wh"
        if one.stop is None:
            return
        at_wh, before = one.stop.meter_stop_wh, f"the session before it (transaction {one.start.transaction})"
    register_wh = memory.register_mwh // 1000
    if at_wh != register_wh:
        last = str(ordered[-1]) if ordered else f"{memory.station} connector {memory.slot}: no session"
        yield f"{last}: it ended at {at_wh} Wh, the meter's memory says {register_wh} Wh"


def _periods(memory: MeterMemory, mine: list[Transaction]) -> Iterator[str]:
    """Each time the contactor was closed belongs to exactly one session."""
    for period in memory.periods:
        begin, end = period.start_mwh // 1000, period.end_mwh // 1000
        if begin == end:
            continue
        owners = [t for t in mine if t.stop and t.start.meter_start_wh <= begin and end <= t.stop.meter_stop_wh]
        if not owners and not any(t.stop is None for t in mine):
            yield f"{memory.station} connector {memory.slot}: energy from {begin} to {end} Wh belongs to no session"
        elif len(owners) > 1:
            yield f"energy from {begin} to {end} Wh was billed {len(owners)} times: {'; '.join(map(str, owners))}"


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "account",
        help="compare a CSMS's books with the meters' memories",
        description="Compare the books of `station-sim csms` with the memories of the simulated meters. Status 1: they differ.",
    )
    parser.add_argument("--books", type=Path, required=True, metavar="FILE", help="the CSMS's books (JSON lines)")
    parser.add_argument("--meters", type=Path, required=True, metavar="FILE", help="the meters' memories (JSON)")
    parser.add_argument("--batteries", type=Path, metavar="FILE", help="what the cars' batteries gained (JSON)")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")
    parser.set_defaults(run=run)


def _read(reader: Callable[[Path], list[T]], path: Path) -> list[T]:
    """OSError, and ValueError for a file that is something else."""
    try:
        return reader(path)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: is not what a demo writes ({error})") from None


def run(args: argparse.Namespace) -> int:
    try:
        books = read_books(args.books)
        account = compare(books, _read(read_memories, args.meters))
        add_power(account, books)
        if args.batteries is not None:
            add_batteries(account, _read(read_batteries, args.batteries))
    except (OSError, ValueError) as error:
        print(f"station-sim account: {sentence(error)}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps({**msgspec.to_builtins(account), "agree": account.agrees}))
    else:
        for line in account.differences:
            print(f"DIFFERENCE {line}")
        verdict = "agree to the Wh" if account.agrees else "DISAGREE"
        print(
            f"{account.sessions} session{'s' * (account.sessions != 1)}, billed {account.billed_wh} Wh,"
            f" metered {account.metered_wh} Wh: books and meters {verdict}"
        )
        if account.taken_wh is not None:
            print(
                f"batteries: their gain over the chargers' efficiency is {account.taken_wh} Wh; the meters must be within 0.5 % of it"
            )
        if account.reported_wh is None:
            print("reported power: none was reported, so there is nothing to compare")
        else:
            print(
                f"reported power: comes to {account.reported_wh} Wh, {account.reported_apart_wh} Wh apart from the books session by"
                f" session; {POWER_TOLERANCE_PERCENT} % may be"
            )
    return 0 if account.agrees else 1
