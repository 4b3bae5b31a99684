"""Commands as lines: read from JSON or from words, with every mistake told together with what is allowed; and the help that teaches them.

Not here: the commands (`commands.py`), where lines come from (`prompt.py`).
"""

from __future__ import annotations

import difflib
import re
import shlex
from typing import Any, Final

import msgspec

from sim import plan
from sim.commands import COMMANDS, FAULTS, AnyCommand, BadCommand, Command, Raise, tag_of

_COMMON: Final = Command.__struct_fields__
_EVERY_FAULT: Final = plan.Fault.__struct_fields__


def read(line: str | bytes) -> AnyCommand:
    """The command that a line says, as JSON or in words. Raises BadCommand, with what is allowed instead."""
    text = line.decode(errors="replace") if isinstance(line, bytes) else line
    if text.lstrip()[:1] != "{":
        return convert(_words(text), strict=False)
    try:
        members = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadCommand(f"this is no JSON: {error}") from None
    return convert(members)


def convert(members: dict[str, Any], strict: bool = True) -> AnyCommand:
    """The command of these members. `strict` False also takes numbers and booleans as text. Raises BadCommand."""
    members = dict(members)
    id_, do = members.get("id"), members.get("do")
    id_ = id_ if isinstance(id_, int | str) else None
    if do is None:
        raise BadCommand(f'"do" is missing; it is one of {", ".join(COMMANDS)}', id_)
    kind = COMMANDS.get(do) if isinstance(do, str) else None
    if kind is None:
        raise BadCommand(_unknown(do), id_)
    try:
        if kind is Raise:
            return _raise(members, strict)
        _known(members, ("do", *kind.__struct_fields__), tag_of(kind))
        return msgspec.convert(members, kind, strict=strict)  # type: ignore[return-value]  # one of the union
    except msgspec.ValidationError as error:
        raise BadCommand(_reworded(error, kind), id_, tag_of(kind)) from None
    except BadCommand as error:
        raise BadCommand(str(error), id_, tag_of(kind)) from None


def checked(command: AnyCommand) -> AnyCommand:
    """A command that was made in Python, where nobody has looked at its members. Raises BadCommand."""
    try:
        return msgspec.convert(msgspec.to_builtins(command), type(command))
    except msgspec.ValidationError as error:
        raise BadCommand(_reworded(error, type(command)), command.id, tag_of(type(command))) from None


def _raise(members: dict[str, Any], strict: bool) -> Raise:
    """`raise` is flat: the fault's members stand beside the command's."""
    name = members.get("fault")
    kind = FAULTS.get(name) if isinstance(name, str) else None
    if kind is None:
        what = "is missing" if name is None else f"{name!r} is none{_nearest(name, FAULTS)}"
        raise BadCommand(f'"fault" {what}; there are {", ".join(FAULTS)}')
    own = [field for field in kind.__struct_fields__ if field not in ("at_s", "station")]
    _known(members, ("do", *_COMMON, "fault", *own), f"raise {name}")
    inside = {key: value for key, value in members.items() if key in own or key == "fault"}
    try:
        fault = msgspec.convert({**inside, "at_s": 0}, plan.AnyFault, strict=strict)
    except msgspec.ValidationError as error:
        raise BadCommand(_reworded(error, kind)) from None
    rest = {key: members[key] for key in ("id", "station") if key in members}
    return Raise(fault=fault, **msgspec.convert(rest, dict[str, Any]))


def _known(members: dict[str, Any], allowed: tuple[str, ...], what: str) -> None:
    for key in members:
        if key not in allowed:
            raise BadCommand(f"{key!r} is no part of {what}{_nearest(key, allowed)}; allowed are {', '.join(allowed)}")


def _unknown(word: object) -> str:
    return f"there is no command {word!r}{_nearest(word, COMMANDS)}; there are {', '.join(COMMANDS)}"


def _nearest(word: object, there: Any) -> str:
    near = difflib.get_close_matches(str(word), list(there), 1)
    return f"; {near[0]!r} perhaps" if near else ""


def _reworded(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> str:
    """`slot: expected int, got str; slot is a whole number, 1 or more`."""
    text, _, place = str(error).replace("`", "").partition(" - at ")
    name = place.removeprefix("$.").partition("[")[0]
    missing = re.search(r"missing required field (\w+)", text)
    if missing:
        name, text = missing[1], "is missing"
    sentence = f"{name}: {text[0].lower()}{text[1:]}" if name and name != "$" else f"{text[0].lower()}{text[1:]}"
    about = signature(kind).get(name)
    return f"{sentence}; {name} is {about}" if about else sentence


def _words(line: str) -> dict[str, Any]:
    """`plug 2 car=zoe-r110`: values in the order of `help`, or by name."""
    try:
        word, *rest = shlex.split(line) or [""]
    except ValueError as error:
        raise BadCommand(f"{line!r}: {error}") from None
    do = word.replace("-", "_")
    if do not in COMMANDS:
        raise BadCommand(_unknown(word))
    places = list(places_of(do))
    if do == "raise" and rest and rest[0] in FAULTS:
        places += [field for field in FAULTS[rest[0]].__struct_fields__ if field not in _EVERY_FAULT]
    members: dict[str, Any] = {"do": do}
    for item in rest:
        name, equals, value = item.partition("=")
        if equals and name.isidentifier():
            members[name] = value
            if name in places:
                places.remove(name)
        elif places:
            members[places.pop(0)] = item
        else:
            raise BadCommand(f"{item!r} is too much here; `help {do}` says what is allowed", do=do)
    return members


def places_of(do: str) -> tuple[str, ...]:
    """The members of a command in the order in which words fill them."""
    kind = COMMANDS.get(do)
    return tuple(field for field in kind.__struct_fields__ if field not in _COMMON) if kind is not None else ()


# --- telling what there is --------------------------------------------------------------------------------------------


def signature(kind: type[msgspec.Struct]) -> dict[str, str]:
    """What each member of a command or a fault may be, in words."""
    schema = msgspec.json.schema(kind)
    shapes = schema["$defs"][kind.__name__]["properties"]
    return {name: _in_words(shapes[name]) for name in kind.__struct_fields__ if _is_plain(shapes[name])}


def _is_plain(shape: dict[str, Any]) -> bool:
    """No struct in itself."""
    return "$ref" not in shape and not any("$ref" in part for part in shape.get("anyOf", ()))


def _in_words(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return "one of " + ", ".join(map(str, shape["enum"]))
    if "anyOf" in shape:
        return " or ".join(words for part in shape["anyOf"] if (words := _in_words(part)) != "nothing")
    kinds = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
    words = kinds.get(str(shape.get("type")), "nothing" if shape.get("type") == "null" else "data")
    low, high = shape.get("minimum"), shape.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    if "exclusiveMinimum" in shape:
        return f"{words} above {shape['exclusiveMinimum']:g}"
    return f"{words}, {low} or more" if low is not None else words


def usage(do: str = "") -> list[str]:
    """Lines that teach: a line for each command, or all of one. Raises BadCommand for one that is not there."""
    if not do:
        return [f"{name:14} {_first(kind)}" for name, kind in COMMANDS.items()]
    name = do.replace("-", "_")
    kind: type[msgspec.Struct] | None = COMMANDS.get(name) or FAULTS.get(name)
    if kind is None:
        raise BadCommand(_unknown(do))
    lines = [_first(kind)]
    shown = signature(kind)
    skipped = (*_COMMON, "at_s") if name in FAULTS else _COMMON
    lines += [
        f"  {field}: {shown[field]}" for field in kind.__struct_fields__ if field in shown and field not in skipped
    ]
    if name == "raise":
        lines += [f"  {fault}: {_first(of)}" for fault, of in FAULTS.items()]
    return lines


def _first(kind: type[msgspec.Struct]) -> str:
    return " ".join((kind.__doc__ or "").split())
