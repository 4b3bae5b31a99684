"""Files of plans, as people write them: YAML, or JSON. Every mistake is found at once, with its place and what is allowed there.

In YAML a value means what its place asks for: `card: 04112233` is a text, `how: 401` too, and no `on` or `no` becomes a boolean by
itself. Only where anything may stand (`payload`, `data`, `answer`) numbers, true, false and null are what they look like.
Not here: what a plan is (`plan.py`), whether what it says can be (`plan_check.py`).
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
import yaml

from sim.command_lines import signature
from sim.expect import AnyExpectation
from sim.plan import AnyAction, AnyFault, Plan, Shape
from station.words.settings import spell

Place: TypeAlias = tuple[str | int, ...]

MOST_NODES: Final = 200_000  # of a file: aliases can make much of little
MOST_YAML: Final = 1_000_000  # bytes; reading them takes seconds
_INT: Final = re.compile(r"[-+]?\d+")
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_FLOAT: Final = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")


def _by_tag(union: Any) -> dict[str, type[msgspec.Struct]]:
    return {kind.__struct_config__.tag: kind for kind in get_args(union)}


ACTIONS: Final = _by_tag(AnyAction)
FAULTS: Final = _by_tag(AnyFault)
EXPECTATIONS: Final = _by_tag(AnyExpectation)
LISTS: Final[dict[str, tuple[str, dict[str, type[msgspec.Struct]]]]] = {
    "actions": ("do", ACTIONS),
    "faults": ("fault", FAULTS),
    "expect": ("that", EXPECTATIONS),
}
MERGE: Final = "<<"
ANYTHING: Final = ("payload", "data", "answer")  # members of which JSON of any kind may stand


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is the place inside the file, such as `actions[3].slot`; `line` is known in YAML. A warning does not stop anybody."""

    path: str
    what: str
    line: int | None = None
    level: Literal["error", "warning"] = "error"

    def at(self, file: object) -> str:
        """`story.yaml:12: actions[3].slot: ...`."""
        line = f":{self.line}" if self.line is not None else ""
        warning = "warning: " if self.level == "warning" else ""
        return ": ".join(part for part in (f"{file}{line}", self.path, f"{warning}{self.what}") if part)


class BadPlan(ValueError):
    """The file is no plan, or asks for what cannot happen. `str()` has a line for each mistake."""


class Source:
    """A plan as it was read. `draft` has None for each item that could not be; `unreadable`: there is no such file, say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self.mistakes: list[Mistake] = []
        self.draft: Plan | None = None
        self.unreadable = False

    @property
    def plan(self) -> Plan | None:
        """The plan, unless there is an error among the mistakes."""
        return None if any(mistake.level == "error" for mistake in self.mistakes) else self.draft

    @property
    def found(self) -> list[Mistake]:
        """All mistakes, by line."""
        return sorted(self.mistakes, key=lambda mistake: mistake.line or 0)

    def add(self, place: Place, what: str, level: Literal["error", "warning"] = "error") -> None:
        """A mistake at this place, on the line of it or of what it would be in."""
        line = next((self.lines[p] for n in range(len(place), -1, -1) if (p := spelt(place[:n])) in self.lines), None)
        self.mistakes.append(Mistake(path=spelt(place), what=what, line=line, level=level))

    def bad(self) -> BadPlan:
        return BadPlan("\n".join(mistake.at(self.path) for mistake in self.found))


def read(path: Path) -> Source:
    """The plan of a file and where its parts stand, or what is wrong with it."""
    source = Source(path)
    try:
        data = path.read_bytes() if str(path) != "-" else sys.stdin.buffer.read()
    except OSError as error:
        source.unreadable = True
        source.add((), f"cannot be read ({error.strerror})")
        return source
    strict = path.suffix == ".json" or (path.suffix not in (".yaml", ".yml") and data.lstrip()[:1] == b"{")
    try:
        tree = msgspec.json.decode(data) if strict else Reader(source).read(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        at = _BYTE.search(str(error))
        if at is not None:
            source.lines[""] = data.count(b"\n", 0, int(at[1])) + 1
        source.add((), f"this is no JSON: {_BYTE.sub('', str(error)).strip()}")
    except (RecursionError, Refused) as error:
        source.add((), str(error) if isinstance(error, Refused) else "nested too deeply")
    except yaml.YAMLError as error:
        _no_yaml(source, error)
    else:
        if not source.mistakes:
            source.draft = Converter(source, strict).plan(tree)
    return source


class Refused(Exception):
    """The file is too much to be read. `str()` says of what."""


def _no_yaml(source: Source, error: yaml.YAMLError) -> None:
    if isinstance(error, yaml.reader.ReaderError):
        source.add((), "this is no text")
    elif isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        source.lines[""] = error.problem_mark.line + 1
        before = f"{error.context} " if str(error.problem).startswith("but") else ""
        source.add((), f"this is no YAML: {before}{error.problem}")
    else:
        source.add((), f"this is no YAML: {' '.join(str(error).split())}")


# --- YAML -------------------------------------------------------------------------------------------------------------


class Reader:
    """YAML as mappings, lists and texts, with the line of each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._nodes = 0

    def read(self, data: bytes) -> Any:
        """Raises yaml.YAMLError, Refused, RecursionError."""
        if len(data) > MOST_YAML:
            raise Refused(
                f"{len(data):,} bytes; a plan in YAML has at most {MOST_YAML:,}, one in JSON as many as it likes"
            )
        node = yaml.compose(data, Loader=yaml.SafeLoader)
        return self._tree(node, (), False) if node is not None else None

    def _tree(self, node: yaml.Node, place: Place, free: bool) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise Refused(f"more than {MOST_NODES:,} values, those that aliases repeat counted each time")
        self._source.lines.setdefault(spelt(place), node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self._tree(child, (*place, number), free) for number, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place, free)
        return _looks_like(node) if free else node.value

    def _mapping(self, node: yaml.MappingNode, place: Place, free: bool) -> dict[str, Any]:
        made = self._merged(node, place, free)
        own: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            inside = (*place, name)
            self._source.lines[spelt(inside)] = key.start_mark.line + 1
            if name in own:
                self._source.add(inside, "stands here twice")
            own.add(name)
            if name != MERGE:
                made[name] = self._tree(child, inside, free or name in ANYTHING)
        return made

    def _merged(self, node: yaml.MappingNode, place: Place, free: bool) -> dict[str, Any]:
        """What `<<: *alias` brings in."""
        made: dict[str, Any] = {}
        for child in [child for key, child in node.value if key.value == MERGE]:
            for each in reversed(child.value) if isinstance(child, yaml.SequenceNode) else (child,):
                if isinstance(each, yaml.MappingNode):
                    made |= self._tree(each, place, free)
                else:
                    self._source.add((*place, MERGE), "takes the alias of a mapping, or a list of them")
        return made


def _looks_like(node: Any) -> object:
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in ("true", "false"):
        return text == "true"
    if text in ("null", "~", ""):
        return None
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


# --- structs ----------------------------------------------------------------------------------------------------------


class Converter:
    """Makes structs of what was read, member by member, so that no mistake hides another one."""

    def __init__(self, source: Source, strict: bool) -> None:
        self._source = source
        self._strict = strict

    def plan(self, tree: Any) -> Plan | None:
        if isinstance(tree, dict) and {"seed", "promise", "plan"} <= tree.keys():
            self._source.add((), "this is a counterexample: `station-sim replay` plays it, its member `plan` is a plan")
            return None
        if not isinstance(tree, dict):
            what = "there is nothing in it" if tree is None else f"is {_short(tree)}, not a mapping"
            self._source.add((), f"{what}; a plan has {_names(Plan)}")
            return None
        special: dict[str, Callable[[Any, Place], Any]] = dict.fromkeys(LISTS, self._list)
        special["shape"] = self._shape
        made = self._members(tree, Plan, (), special)
        return Plan(**{name: value for name, value in made.items() if value is not None})

    def _shape(self, value: Any, place: Place) -> Any:
        settings = value.get("settings") if isinstance(value, dict) else None
        if isinstance(settings, dict):
            plain = {name: spell(one) if isinstance(one, bool | int) else one for name, one in settings.items()}
            value = {**value, "settings": plain}
        return self._struct(value, Shape, place)

    def _list(self, value: Any, place: Place) -> tuple[Any, ...] | None:
        tag, kinds = LISTS[str(place[-1])]
        if not isinstance(value, list):
            self._source.add(place, f"is {_short(value)}, not a list")
            return None
        return tuple(self._tagged(item, tag, kinds, (*place, number)) for number, item in enumerate(value))

    def _tagged(self, value: Any, tag: str, kinds: Mapping[str, type[msgspec.Struct]], place: Place) -> Any:
        if not isinstance(value, dict):
            self._source.add(place, f"is {_short(value)}, not a mapping with {tag!r} and more")
        elif tag not in value:
            self._source.add(place, f"{tag!r} is missing; it is one of {', '.join(kinds)}")
        elif not isinstance(value[tag], str) or value[tag] not in kinds:
            near = nearest(value[tag], kinds)
            self._source.add((*place, tag), f"there is no {_short(value[tag])}{near}; there are {', '.join(kinds)}")
        else:
            rest = {key: member for key, member in value.items() if key != tag}
            return self._struct(rest, kinds[value[tag]], place)
        return None

    def _struct(self, value: Any, kind: type[msgspec.Struct], place: Place) -> Any:
        """The struct, or None where anything was wrong; then it has been told."""
        if not isinstance(value, dict):
            self._source.add(place, f"is {_short(value)}, not a mapping with some of {_names(kind)}")
            return None
        before = len(self._source.mistakes)
        made = self._members(value, kind, place, {})
        return kind(**made) if len(self._source.mistakes) == before else None

    def _members(
        self,
        value: dict[str, Any],
        kind: type[msgspec.Struct],
        place: Place,
        special: Mapping[str, Callable[[Any, Place], Any]],
    ) -> dict[str, Any]:
        """What it is made of, None for what was wrong. `special` makes members that are no plain data."""
        what = kind.__struct_config__.tag or kind.__name__.lower()
        for key in value:
            if key not in kind.__struct_fields__:
                near = nearest(key, kind.__struct_fields__)
                self._source.add((*place, key), f"is no part of {what}{near}; allowed are {_names(kind)}")
        made = {}
        for field in msgspec.structs.fields(kind):
            inside = (*place, field.name)
            if field.name in value:
                convert = special.get(field.name)
                member = value[field.name]
                made[field.name] = convert(member, inside) if convert else self._member(member, kind, field, inside)
            elif field.required:
                self._source.add(place, f"{field.name!r} is missing{_allowed(kind, field.name, '; it is ')}")
        return made

    def _member(self, value: Any, kind: type[msgspec.Struct], field: msgspec.structs.FieldInfo, place: Place) -> Any:
        try:
            return msgspec.convert(value, field.type, strict=self._strict)
        except msgspec.ValidationError as error:
            why = str(error).replace("`", "")
            words = _allowed(kind, field.name, " is not ") or f": {why[0].lower()}{why[1:]}"
            near = nearest(value, words.removeprefix(" is not one of ").split(", ")) if "one of" in words else ""
            self._source.add(place, f"{_short(value)}{words}{near}")
            return None


def _names(kind: type[msgspec.Struct]) -> str:
    return ", ".join(kind.__struct_fields__)


def _allowed(kind: type[msgspec.Struct], name: str, before: str) -> str:
    """What may stand there, in words; empty where words fail."""
    words = signature(kind).get(name, "data")
    return "" if words == "data" else f"{before}{words}"


def nearest(word: object, there: Any) -> str:
    """`; 'plug' perhaps`, where something is near."""
    near = difflib.get_close_matches(str(word), list(there), 1)
    return f"; {near[0]!r} perhaps" if near else ""


def spelt(place: Place) -> str:
    """`actions[3].slot`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
