"""A pytest plugin (`-p tests.audit.probe`): writes how each test ended, and of what, as JSON to the file named by AUDIT_REPORT.

It also writes which tags each test carries, and which of our modules came from elsewhere than the folder that pytest ran in: an editable
install has the original on the path, and a sabotage that nobody imported shows nothing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

OURS: Final = ("hal", "leds", "meter", "ocpp_client", "sim", "statemachine", "station", "tests", "tools")

_tests: dict[str, dict[str, Any]] = {}
_broken: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    test = _tests.setdefault(item.nodeid, {"outcome": "", "phase": "", "error": [], "tags": []})
    if test["outcome"] in ("", "passed"):
        error = call.excinfo.type.__mro__ if call.excinfo is not None else ()
        test.update(outcome=report.outcome, phase=report.when, error=[kind.__name__ for kind in error])
        test["tags"] = [one for mark in item.iter_markers("spec") for one in mark.args[1:]]
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _broken.append(f"{report.nodeid}: {report.longreprtext.strip().splitlines()[-1]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    root = Path(session.config.rootpath)
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    foreign = sorted(
        name
        for name, file in files.items()
        if name.partition(".")[0] in OURS and file is not None and not Path(file).is_relative_to(root)
    )
    report = {"tests": _tests, "broken": _broken, "foreign": foreign}
    Path(os.environ["AUDIT_REPORT"]).write_text(json.dumps(report), encoding="utf-8")
