"""Reports as JUnit XML, which build servers show: testsuites, testsuite, testcase, failure, skipped. Nothing else of that format.

Not here: what is in a report (`expect_report.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal
from xml.etree import ElementTree

import msgspec

_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`message` is in one line; it tells of a failure, or why it was skipped. `detail` may have many."""

    name: str
    result: Literal["passed", "failed", "skipped"]
    message: str = ""
    detail: str = ""
    time_s: float = 0.0


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that belong together; `properties` are shown beside them. `time_s` is real time."""

    name: str
    cases: Sequence[Case]
    properties: dict[str, str] = {}
    time_s: float = 0.0


def xml(suites: Sequence[Suite], name: str) -> str:
    """The whole document. What no XML may hold is replaced by a question mark."""
    counts = _counts(suites)
    del counts["skipped"]  # which the schema has for a suite only
    top = ElementTree.Element("testsuites", attrib={"name": _clean(name), **counts})
    for suite in suites:
        element = ElementTree.SubElement(top, "testsuite", attrib={"name": _clean(suite.name), **_counts([suite])})
        if suite.properties:
            properties = ElementTree.SubElement(element, "properties")
            for key, value in suite.properties.items():
                ElementTree.SubElement(properties, "property", name=_clean(key), value=_clean(value))
        for case in suite.cases:
            _case(element, suite, case)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"


def _case(element: ElementTree.Element, suite: Suite, case: Case) -> None:
    made = ElementTree.SubElement(
        element, "testcase", classname=_clean(suite.name), name=_clean(case.name), time=f"{case.time_s:.3f}"
    )
    if case.result == "failed":
        failure = ElementTree.SubElement(made, "failure", message=_clean(case.message), type="expectation")
        failure.text = _clean(case.detail or case.message)
    elif case.result == "skipped":
        ElementTree.SubElement(made, "skipped", message=_clean(case.message))


def _counts(suites: Sequence[Suite]) -> dict[str, str]:
    cases = [case for suite in suites for case in suite.cases]
    counts = {
        "tests": len(cases),
        "failures": sum(case.result == "failed" for case in cases),
        "errors": 0,
        "skipped": sum(case.result == "skipped" for case in cases),
    }
    return {**{key: str(count) for key, count in counts.items()}, "time": f"{sum(s.time_s for s in suites):.3f}"}


def _clean(text: str) -> str:
    return _NO_XML.sub("?", text)
