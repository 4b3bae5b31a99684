"""A disk that forgets: from what a process told the operating system, as strace saw it, to what may lie there after a power cut.

A file keeps what was written before its last sync that returned. Of what was written since, each write is there, or not, or in part, by
sectors of 512 bytes, and may have left zeros where it would have made the file longer. A name appears and goes for good only by a sync of
its folder. That is harsher than most file systems are. Not here: who writes (`writer.py`), what must be so afterwards (`power.py`).
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

SECTOR: Final = 512
CALLS: Final = (
    "openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,truncate,fallocate,unlink,unlinkat,"
    "rename,renameat,renameat2,mmap"
)
STRACE: Final = ("strace", "-f", "-qq", "-xx", "-y", "-s", "10000000", "-e", f"trace={CALLS}", "-o")
_HEX: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")
_LINE: Final = re.compile(r"(\d+) +(\w+)\((.*?)\)? += (-?\d+|\?)")
_UNFINISHED: Final = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED: Final = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_QUOTED: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OPEN_FILE: Final = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+)>")


class Create(NamedTuple):
    name: str


class Remove(NamedTuple):
    name: str


class Write(NamedTuple):
    name: str
    at: int
    data: bytes


class Truncate(NamedTuple):
    name: str
    size: int


class Sync(NamedTuple):
    """Of a file, or with "" of the folder."""

    name: str


class Told(NamedTuple):
    ticket: int


Event: TypeAlias = Create | Remove | Write | Truncate | Sync | Told


class CannotTrace(Exception):
    """There is no strace here, or it is not allowed to look; `str()` is a sentence."""


def record(command: Sequence[str], folder: Path, database: str, trace: Path, cwd: Path) -> list[Event]:
    """Run a process and note what it does to a database in this folder, and what it tells on standard output. Raises CannotTrace."""
    try:
        done = subprocess.run([*STRACE, str(trace), *command], cwd=cwd, capture_output=True, check=False)
    except FileNotFoundError:
        raise CannotTrace("there is no strace here; it is a package of that name") from None
    if done.returncode:
        error = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        if any("ptrace" in line.lower() for line in error):
            raise CannotTrace(f"strace is not allowed to look: {error[0]}")
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {error}")
    with trace.open() as lines:
        return list(_events(lines, f"{folder}/", database))


def _events(lines: Iterator[str], folder: str, database: str) -> Iterator[Event]:
    """What concerns the database and its logs, each where it began, and a sync where it returned. ValueError for a call unheard of."""
    begun: dict[str, str] = {}
    ours, known = {database, f"{database}-wal", f"{database}-journal"}, set[str]()
    for raw in lines:
        line = raw.rstrip("\n")
        if found := _UNFINISHED.match(line):
            begun[found[1]] = line.removesuffix(" <unfinished ...>")
            if found[2] not in ("fsync", "fdatasync", "openat"):
                yield from _event(found[2], found[3], folder, ours, known)
            continue
        resumed = _RESUMED.match(line)
        if resumed:
            line = begun.pop(resumed[1]) + resumed[2]
        whole = _LINE.match(line)
        if (
            whole
            and not whole[4].startswith("-")
            and not (resumed and whole[2] not in ("fsync", "fdatasync", "openat"))
        ):
            yield from _event(whole[2], whole[3], folder, ours, known)


def _event(call: str, text: str, folder: str, ours: set[str], known: set[str]) -> Iterator[Event]:
    strings = [bytes.fromhex(one.replace("\\x", "")) for one in _QUOTED.findall(text)]
    opened = _OPEN_FILE.match(text)
    path = bytes.fromhex(opened[1].replace("\\x", "")).decode() if opened else ""
    if call == "write" and text.startswith("1<") and strings and strings[0].startswith(b"told "):
        yield Told(int(strings[0].split()[1]))
        return
    if not opened and strings:
        path = strings[0].decode(errors="replace")
    name = path.removeprefix(folder)
    if path == folder.rstrip("/") and call in ("fsync", "fdatasync"):
        yield Sync("")
    if name not in ours:
        return
    numbers = [int(one) for one in re.findall(r"(?<=, )\d+(?=,|$)", text)]
    match call:
        case "openat":
            if "O_TRUNC" in text:
                raise ValueError(f"{name} is opened with O_TRUNC, which this disk does not know")
            if "O_CREAT" in text and name not in known:
                known.add(name)
                yield Create(name)
        case "pwrite64":
            yield Write(name, numbers[-1], strings[0])
        case "ftruncate":
            yield Truncate(name, numbers[-1])
        case "fsync" | "fdatasync":
            yield Sync(name)
        case "unlink":
            known.discard(name)
            yield Remove(name)
        case _:
            raise ValueError(f"{call} on {name}, which this disk does not know")


class _File:
    """What is for good, and what came since."""

    def __init__(self) -> None:
        self.synced = bytearray()
        self.since: list[Write | Truncate] = []

    def sync(self) -> None:
        for one in self.since:
            _apply(self.synced, one)
        self.since.clear()


class Disk:
    """Follows the events; `crash` says at any time what a power cut may leave."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._names: dict[str, _File] = {}  # for good
        self._since: list[tuple[str, _File | None]] = []

    def follow(self, event: Event) -> None:
        match event:
            case Create(name):
                self._files[name] = _File()
                self._since.append((name, self._files[name]))
            case Remove(name):
                del self._files[name]
                self._since.append((name, None))
            case Write() | Truncate():
                self._files[event.name].since.append(event)
            case Sync(""):
                for name, file in self._since:
                    _rename(self._names, name, file)
                self._since.clear()
            case Sync(name):
                self._files[name].sync()
            case Told():
                pass

    def crash(self, chance: random.Random) -> dict[str, bytes]:
        """Contents by name. All of what was not synced is lost, all is there, the first part is, or any."""
        mood = chance.choice(("lost", "kept", "first", "any", "any", "any"))
        names = dict(self._names)
        for name, file in _some(self._since, mood, chance):
            _rename(names, name, file)
        return {name: _content(file, mood, chance) for name, file in names.items()}


def _rename(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _some(waiting: list, mood: str, chance: random.Random) -> list:  # type: ignore[type-arg]  # of anything
    match mood:
        case "lost":
            return []
        case "kept":
            return waiting
        case "first":
            return waiting[: chance.randint(0, len(waiting))]
        case _:
            return [one for one in waiting if chance.random() < 0.5]


def _content(file: _File, mood: str, chance: random.Random) -> bytes:
    content = bytearray(file.synced)
    kept = {id(one) for one in _some(file.since, mood, chance)}
    for one in file.since:
        if id(one) in kept:
            _apply(content, one)
        elif mood != "lost" and isinstance(one, Write) and chance.random() < 0.5:
            _tear(content, one, chance)
    return bytes(content)


def _apply(content: bytearray, one: Write | Truncate) -> None:
    if isinstance(one, Truncate):
        del content[one.size :]
        content.extend(bytes(one.size - len(content)))
    else:
        content.extend(bytes(max(0, one.at - len(content))))
        content[one.at : one.at + len(one.data)] = one.data


def _tear(content: bytearray, one: Write, chance: random.Random) -> None:
    """Some sectors of it; or none, but the file is as long as if."""
    zeros = chance.random() < 0.3
    if zeros:
        content.extend(bytes(max(0, one.at + len(one.data) - len(content))))
        return
    at, end = one.at, one.at + len(one.data)
    while at < end:
        next_at = min(end, (at // SECTOR + 1) * SECTOR)
        if chance.random() < 0.5:
            _apply(content, Write(one.name, at, one.data[at - one.at : next_at - one.at]))
        at = next_at
