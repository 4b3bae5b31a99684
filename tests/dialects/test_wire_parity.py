"""The wire types say what the schemas say: for hundreds of payloads of every message, ours accept what they accept.

The schemas are those of the `ocpp` package as they are, judged by jsonschema-rs, which had no part in making the types.
What differs is named below. Each name must be earned, by agreeing again once that one thing is put right, and each must
occur.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import jsonschema_rs
import pytest

from ocpp_client.wire import codec, refusal
from ocpp_client.wire.base import Version
from ocpp_client.wire.refusal import Flaw
from tests.dialects.payloads import LOOSE_MOMENTS, Json, Message, Payloads, Site, messages
from tests.spec import spec
from tools import make_wire

PROPER_LEAST: Final = 100
SPOILED_LEAST: Final = 200
CODES_EVERY: Final = 10
"""One refused payload of so many is asked for its code; that is the slow part."""

DIFFERENCES: Final = {
    # The schemas name a format, which a validator of their drafts need not check: we do, and our dialects rely on it.
    # (In turn, ours accept moments without a zone, as a schema without formats does: `LOOSE_MOMENTS`.)
    "no date-time": Flaw.VALUE,
    # An integer to draft 6, none to draft 4 and none to OCPP. The schemas of 1.6 are of both drafts.
    "1.0 for an integer": Flaw.TYPE,
    # JSON has numbers of any size; ours end where those of a store and of a double do.
    "integer beyond 64 bits": Flaw.VALUE,
    "number beyond a double": Flaw.VALUE,
}

KINDS: Final = {
    "falseSchema": Flaw.UNKNOWN,  # how it says "no properties at all"
    "additionalProperties": Flaw.UNKNOWN,
    "required": Flaw.MISSING,
    "type": Flaw.TYPE,
    "minItems": Flaw.OCCURRENCE,
    "maxItems": Flaw.OCCURRENCE,
    "maxLength": Flaw.VALUE,
    "enum": Flaw.VALUE,
    "minimum": Flaw.VALUE,
    "maximum": Flaw.VALUE,
    "multipleOf": Flaw.VALUE,
}


class Judge:
    """Compares the two opinions about the payloads of one message."""

    def __init__(self, message: Message, payloads: Payloads) -> None:
        self.accepted = self.refused = 0
        self.differences: Counter[str] = Counter()
        self.failures: list[str] = []
        self._message, self._payloads = message, payloads
        self._schema = jsonschema_rs.validator_for(message.schema, validate_formats=False)
        self._decode = partial(codec.decode, message.version, message.action, message.kind)

    def judge(self, payload: Json) -> None:
        theirs, ours, listed = self._schema.is_valid(payload), self._accepts(payload), list(self._listed(payload))
        if ours:
            self.accepted += 1
            if not theirs or listed:
                self._fail("only ours accepts", payload)
            return
        self.refused += 1
        if theirs:
            self.differences.update(listed)
            repaired = self._repaired(payload)
            if not listed or not self._accepts(repaired) or not self._schema.is_valid(repaired):
                self._fail(f"only the schema accepts ({listed})", payload)
        if self.refused % CODES_EVERY == 0:
            self._judge_code(payload, listed)

    def _accepts(self, payload: Json) -> bool:
        try:
            ours = self._decode(json.dumps(payload).encode())
        except codec.BadPayload:
            return False
        back = json.loads(codec.encode(ours))
        if back != payload or not self._schema.is_valid(back):
            self._fail("does not come back as it went", payload)
        return True

    def _listed(self, payload: Json) -> Iterator[str]:
        return (name for site in self._payloads.sites([payload]) if (name := _difference(site)) is not None)

    def _repaired(self, payload: Json) -> Json:
        root = [json.loads(json.dumps(payload))]
        for site in list(self._payloads.sites(root)):
            match _difference(site):
                case "no date-time":
                    site.parent[site.at] = LOOSE_MOMENTS[0]
                case "1.0 for an integer" | "integer beyond 64 bits" | "number beyond a double":
                    site.parent[site.at] = 1
                case _:
                    pass
        return root[0]

    def _judge_code(self, payload: Json, listed: list[str]) -> None:
        """The code is that of the gravest fault that jsonschema-rs finds."""
        version, action, kind, _ = self._message
        if not isinstance(payload, dict):
            gravest = Flaw.SYNTAX
        elif "number beyond a double" in listed:  # nobody can look further
            gravest = Flaw.VALUE
        else:
            gravest = min([*self._flaws(payload), *(DIFFERENCES[name] for name in listed)])
        said = refusal.refusal_code(version, action, kind, json.dumps(payload).encode())
        if said[0] != refusal.CODES[version][gravest]:
            self._fail(f"{gravest} is answered {said}", payload)

    def _flaws(self, payload: Json) -> Iterator[Flaw]:
        """The schemas forbid additional properties of strings too; where the type is wrong, that says nothing."""
        errors = [(tuple(error.instance_path), KINDS[error.kind.name]) for error in self._schema.iter_errors(payload)]
        mistyped = {path for path, flaw in errors if flaw is Flaw.TYPE}
        return (flaw for path, flaw in errors if flaw is not Flaw.UNKNOWN or not mistyped & {path, path[:-1]})

    def _fail(self, what: str, payload: Json) -> None:
        version, action, kind, _ = self._message
        self.failures.append(f"{version} {action} {kind}: {what}: {json.dumps(payload)[:2000]}")


_MOMENT: Final = jsonschema_rs.Draft6Validator({"type": "string", "format": "date-time"}, validate_formats=True)


def _difference(site: Site) -> str | None:
    """The listed difference at one place of a payload, judged without our code."""
    match site.schema:
        case {"format": "date-time"} if isinstance(site.value, str) and site.value not in LOOSE_MOMENTS:
            return None if _MOMENT.is_valid(site.value) else "no date-time"
        case {"type": "integer"} if isinstance(site.value, float) and site.value.is_integer():
            return "1.0 for an integer"
        case {"type": "integer"} if isinstance(site.value, int) and not -(2**63) <= site.value < 2**63:
            return "integer beyond 64 bits"
        case {"type": "number"} if isinstance(site.value, int) and abs(site.value) > 2**1023:
            return "number beyond a double"
        case _:
            return None


def _judged(message: Message) -> Judge:
    """At least 300 payloads, one third of them proper."""
    payloads = Payloads(message)
    judge = Judge(message, payloads)
    for payload in payloads.spoiled_everywhere():
        judge.judge(payload)
    for _ in range(SPOILED_LEAST - judge.accepted - judge.refused):
        judge.judge(payloads.spoiled())
    spoiled, refused = judge.accepted + judge.refused, judge.refused
    for _ in range(max(PROPER_LEAST, spoiled // 2)):
        judge.judge(payloads.proper())
    if judge.refused != refused:
        judge.failures.append(f"{message.version} {message.action} {message.kind}: a proper payload is refused")
    return judge


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("v16", marks=spec("1.6", "J-26", "J-27", "16-J-53")),
        pytest.param("v201", marks=spec("2.0.1", "J-26", "J-27", "J-52")),
    ],
)
def test_the_types_accept_what_the_schemas_accept(
    version: Version, record_property: Callable[[str, object], None]
) -> None:
    judges = [_judged(message) for message in messages(version)]
    accepted, refused = sum(judge.accepted for judge in judges), sum(judge.refused for judge in judges)
    differences = sum((judge.differences for judge in judges), Counter[str]())
    listed = ", ".join(f"{count} {name}" for name, count in sorted(differences.items()))
    record_property(
        "figures",
        f"wire types of {version}: {len(judges)} messages, {accepted + refused} payloads, {accepted} accepted, "
        f"{refused} refused; differs as listed: {listed}",
    )
    failures = [failure for judge in judges for failure in judge.failures]
    assert not failures, "\n".join([f"{len(failures)} failures", *failures[:20]])
    assert differences.keys() == DIFFERENCES.keys()


@pytest.mark.parametrize("version", codec.VERSIONS)
def test_each_message_of_the_package_has_a_type_and_no_other(version: Version) -> None:
    theirs = {(message.action, message.kind) for message in messages(version)}
    ours = {(action, kind) for kind in ("request", "response") for action in codec.messages(version, kind)}
    assert ours == theirs


def test_the_generated_files_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_wire.main(["--check"]) == 0, capsys.readouterr().out
