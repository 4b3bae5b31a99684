"""The disk as part of the board: batches of keyed records in order, durable whole or not at all.

Not here: any file. Stores are in `station/adapters/sqlite.py`, `station/adapters/memory.py` and `sim/disk.py`; one contract suite
holds them to this page: `Stored` only when durable; a batch whole or not at all; if a batch is durable so are all before it.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hal.units import Ticket

RecordKey: TypeAlias = tuple[str, str]  # kind, key within the kind


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row: its key, the version of its layout, and a body that is a struct of `station.words.records`.

    The body stays a value until the store writes it: a record that is forgotten before its commit is never encoded.
    """

    kind: str
    key: str
    body: msgspec.Struct
    v: int = 1


class Persist(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Write `puts` and remove `forgets` as one transaction, after all batches before it.

    `urgent` commits at once (session boundaries); otherwise the store may wait for company, at most a second.
    `Stored(ticket)` follows when it is durable; with ticket 0 nobody wants to hear.
    """

    ticket: Ticket
    puts: tuple[Record, ...] = ()
    forgets: tuple[RecordKey, ...] = ()
    urgent: bool = False


class Forget(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Remove records some time soon. One that meets its own uncommitted `Persist` removes both."""

    keys: tuple[RecordKey, ...]


class Stored(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The batch is durable. `tight`: the disk has hardly room for what sessions write that are already running."""

    ticket: Ticket
    tight: bool = False


class StoreFailed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The batch is not durable and never will be; nor is any batch after it that was not confirmed."""

    ticket: Ticket
    why: str
