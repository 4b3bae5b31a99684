"""What a run of the tests counted, told at its end: a test says `record_property("figures", "...")`.

tests/conftest.py imports the hook: under pytest-xdist only its hooks run in the process that prints.
"""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    for line in sorted({str(text) for report in reports for name, text in report.user_properties if name == "figures"}):
        terminalreporter.write_line(line)
