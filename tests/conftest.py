"""What holds for every test: Hypothesis profiles, no network outside loopback, no real sleep in tests of logic.

Not here: fixtures that build something; those are functions in tests/builders.py, where every option has a default.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.figures import pytest_terminal_summary  # noqa: F401  # the hook is found by its name here

TESTS = Path(__file__).parent
LOGIC = ("unit", "dialects", "world")  # time is data there

settings.register_profile("quick", max_examples=10, deadline=None)
settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=5_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


class Forbidden(AssertionError):
    """A test did what no test may do."""


def _is_loopback(host: object) -> bool:
    if not host or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _audit(event: str, args: tuple[object, ...]) -> None:
    """Called by the interpreter itself, so no library and no event loop goes past it. Cannot be taken off again."""
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple) and not _is_loopback(args[1][0]):
        raise Forbidden(f"a test went to the network: {args[1]}")
    if event == "socket.getaddrinfo" and not _is_loopback(args[0]):
        raise Forbidden(f"a test asked for the address of {args[0]!r}")


sys.addaudithook(_audit)


def forbid_sleep(seconds: float) -> None:
    raise Forbidden(
        f"a test of logic slept {seconds} s: let virtual time pass, or move it to tests/contracts or tests/interop"
    )


@pytest.fixture(autouse=True)
def _no_sleep_in_logic(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.path.relative_to(TESTS).parts[0] in LOGIC:
            patch.setattr(time, "sleep", forbid_sleep)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--spec-json", metavar="FILE", type=Path, help="write which test shows which requirements (tests/spec.py)"
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """One row a test: its id, and [version, requirement] for each tag. What is skipped or may fail shows nothing."""
    target: Path | None = session.config.getoption("--spec-json")
    if target is None:
        return
    rows = []
    for item in session.items:
        tags = [[mark.args[0], one] for mark in item.iter_markers("spec") for one in mark.args[1:]]
        if tags and not any(item.get_closest_marker(mark) for mark in ("skip", "xfail")):
            rows.append([item.nodeid, tags])
    target.write_text(json.dumps(rows), encoding="utf-8")
