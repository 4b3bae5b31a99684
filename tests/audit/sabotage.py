"""The sabotages of audit.toml, and how one is tried: a copy of the tree, one line of it changed, the tests of the row run there.

The tree itself is never touched. Not here: which rows (`draw`), the table for people (`run`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.audit.probe import OURS

ROOT: Final = Path(__file__).parent.parent.parent
PLAN: Final = Path(__file__).parent / "audit.toml"
PATIENCE_S: Final = 300

# A test that ends so has not judged the behaviour: the program no longer made sense.
NONSENSE: Final = frozenset(
    {"ImportError", "SyntaxError", "NameError", "AttributeError", "SystemExit", "KeyboardInterrupt"}
)


class Sabotage(NamedTuple):
    """`old` is in `file` exactly once, `new` differs from it in one line; each of `tests` carries the row's tag and must go red.

    A test without a case in brackets stands for all its cases, of which one at least must.
    """

    row: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


class Verdict(NamedTuple):
    """ "caught", "survived", "stale" (the line is no longer there) or "void" (the run shows nothing: `detail` says why)."""

    row: str
    result: str
    detail: str = ""


def _plan() -> dict[str, Any]:
    return tomllib.loads(PLAN.read_text(encoding="utf-8"))


def salt() -> str:
    """The id of the commit at which the rows were drawn."""
    return str(_plan()["salt"])


def sabotages() -> list[Sabotage]:
    """All, in the order in which they were drawn."""
    return [
        Sabotage(row["id"], row["breaks"], row["file"], row["old"], row["new"], tuple(row["tests"]))
        for row in _plan()["row"]
    ]


def found(sabotage: Sabotage, root: Path = ROOT) -> int:
    """How often the text to be sabotaged is there."""
    file = root / sabotage.file
    return file.read_text(encoding="utf-8").count(sabotage.old) if file.exists() else 0


def changed_lines(sabotage: Sabotage) -> int:
    """How many lines it changes; 0 also where it adds or takes some away."""
    old, new = sabotage.old.splitlines(), sabotage.new.splitlines()
    return sum(a != b for a, b in zip(old, new, strict=True)) if len(old) == len(new) else 0


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the sources and the tests, gone afterwards."""
    left_out = shutil.ignore_patterns("__pycache__", "node_modules", ".*", "*.pyc")
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        root = Path(folder).resolve()
        for name in OURS:
            shutil.copytree(ROOT / name, root / name, ignore=left_out)
        shutil.copy(ROOT / "pyproject.toml", root)
        yield root


def run(root: Path, tests: Iterable[str]) -> dict[str, Any]:
    """What the probe says of a run of these tests in a copy."""
    report = root / "audit.json"
    report.unlink(missing_ok=True)
    options = ["-q", "-p", "tests.audit.probe"]
    options += [word for name in ("cacheprovider", "randomly", "xdist") for word in ("-p", f"no:{name}")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "AUDIT_REPORT": str(report), "CI": "1"}
    command = [sys.executable, "-m", "pytest", *options, *dict.fromkeys(tests)]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"tests": {}, "broken": [f"no end within {PATIENCE_S} s"], "foreign": []}
    if not report.exists():
        return {"tests": {}, "broken": [(done.stdout + done.stderr).strip()[-300:]], "foreign": []}
    answer: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if not answer["tests"] and not answer["broken"]:
        answer["broken"] = [(done.stdout + done.stderr).strip()[-300:]]
    return answer


def cases(report: dict[str, Any], test: str) -> list[dict[str, Any]]:
    """How the cases of a test ended."""
    return [case for name, case in report["tests"].items() if name == test or name.startswith(f"{test}[")]


def _useless(report: dict[str, Any], row: str, tests: Iterable[str]) -> str:
    """Why nothing can be learnt from a run; empty where something can."""
    if report["broken"] or report["foreign"]:
        return "; ".join([*report["broken"], *(f"{name} is not the copy's" for name in report["foreign"])])
    for test in tests:
        ended = cases(report, test)
        if not ended:
            return f"{test} did not run"
        if not any(row in case["tags"] for case in ended):
            return f"{test} has no tag {row}"
    return ""


def unharmed(sabotage: Sabotage, report: dict[str, Any]) -> str:
    """Why a run without any sabotage is not what it should be: each test of the row is there, bears its tag, and passes."""
    useless = _useless(report, sabotage.row, sabotage.tests)
    red = [test for test in sabotage.tests if any(case["outcome"] != "passed" for case in cases(report, test))]
    return useless or ("red without it: " + ", ".join(red) if red else "")


def judged(sabotage: Sabotage, report: dict[str, Any]) -> Verdict:
    """What a run with the sabotage says of it."""
    useless = _useless(report, sabotage.row, sabotage.tests)
    if useless:
        return Verdict(sabotage.row, "void", useless)
    errors: dict[str, None] = {}
    for test in sabotage.tests:
        red = [case for case in cases(report, test) if case["outcome"] == "failed" and sabotage.row in case["tags"]]
        if not red:
            return Verdict(sabotage.row, "survived", f"green: {test}")
        sound = [case for case in red if case["phase"] == "call" and NONSENSE.isdisjoint(case["error"])]
        if not sound:
            return Verdict(sabotage.row, "void", f"{test} ended with {red[0]['error'][0]} in {red[0]['phase']}")
        errors.update(dict.fromkeys(case["error"][0] for case in sound))
    return Verdict(sabotage.row, "caught", ", ".join(errors))


def tried(sabotage: Sabotage, root: Path) -> Verdict:
    """Sabotage the copy, run the tests of the row, and mend it again."""
    times = found(sabotage, root)
    if times != 1:
        return Verdict(sabotage.row, "stale", f"{sabotage.file}: found {times} times")
    file = root / sabotage.file
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before.replace(sabotage.old, sabotage.new), encoding="utf-8")
        return judged(sabotage, run(root, sabotage.tests))
    finally:
        file.write_text(before, encoding="utf-8")
