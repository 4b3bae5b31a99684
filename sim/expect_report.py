"""What came of plans that were played, as text for people, as JSON, or as JUnit XML for build servers.

Not here: the judgement (`expect_judge.py`), the story of a run (`expect_story.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from sim import junit
from sim.expect_judge import Verdict, judge, seconds
from sim.expect_seen import Seen
from sim.plan import Plan

Format: TypeAlias = Literal["text", "json", "junit"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)
_MARKS: Final = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a plan. `seed` None: it was no run of the world. `ran_s` on the plan's clock, `real_s` on ours."""

    plan: str
    seed: int | None = None
    ran_s: float = 0.0
    real_s: float = 0.0
    verdicts: Sequence[Verdict] = ()
    story: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.plan if self.seed is None else f"{self.plan} (seed {self.seed})"

    @property
    def passed(self) -> bool:
        """All that was expected has come. What was skipped, because the run ended early, has not."""
        return all(verdict.result == "passed" for verdict in self.verdicts)


def verdicts(plan: Plan, seen: Seen) -> list[Verdict]:
    """Of every expectation, in the order of the plan."""
    return [judge(expected, seen, plan.for_s) for expected in plan.expect]


def write(runs: Sequence[Played], form: Format, out: Path | None) -> None:
    """To the file, or else to standard output. Raises OSError."""
    text = {"text": as_text, "json": as_json, "junit": as_junit}[form](runs)
    if out is None:
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
    else:
        out.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")


def as_text(runs: Sequence[Played]) -> str:
    """The story of each run, if it has one, and a line for each expectation; at the end how many failed."""
    lines: list[str] = []
    for run in runs:
        lines += [f"{run.name}: {seconds(run.ran_s)}", *(f"  {line}" for line in run.story)]
        lines += [f"  {_MARKS[one.result]:7} {_line(one)}" for one in run.verdicts]
        lines.append("")
    return "\n".join([*lines, summary(runs)])


def _line(one: Verdict) -> str:
    """Its name, and what was wrong; a name that says what was expected says it once."""
    why = one.instead if one.name == one.expected else one.why
    return f"{one.name}: {why}" if why else one.name


def summary(runs: Sequence[Played]) -> str:
    """`2 plans, 9 expectations: 8 met, 1 failed`."""
    results = [verdict.result for run in runs for verdict in run.verdicts]
    parts = [f"{results.count('passed')} met"]
    parts += [f"{results.count('failed')} failed"] if "failed" in results else []
    parts += [f"{results.count('skipped')} skipped"] if "skipped" in results else []
    return f"{_many(len(runs), 'run')}, {_many(len(results), 'expectation')}: {', '.join(parts)}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def as_json(runs: Sequence[Played]) -> str:
    """One object on one line: `passed`, and the runs, each with its expectations."""
    told: list[dict[str, Any]] = []
    for run in runs:
        own = {"plan": run.plan, **({} if run.seed is None else {"seed": run.seed}), "ran_s": run.ran_s}
        told.append({**own, "passed": run.passed, "expectations": [msgspec.to_builtins(v) for v in run.verdicts]})
    whole = {"passed": all(run.passed for run in runs), "runs": told}
    return msgspec.json.encode(whole).decode()


def as_junit(runs: Sequence[Played]) -> str:
    """A suite for each run, a case for each expectation, and one for the promises of the world."""
    return junit.xml([_suite(run) for run in runs], "station-sim")


def _suite(run: Played) -> junit.Suite:
    """A failure has the story of its run beneath it."""
    story = "\n".join(run.story)
    cases = [
        junit.Case(
            name=one.name,
            result=one.result,
            message=one.why,
            detail=f"{one.why}\n\n{story}" if story else one.why,
            time_s=run.real_s if number == 0 else 0.0,
        )
        for number, one in enumerate(run.verdicts)
    ]
    properties = {"ran_s": f"{run.ran_s:g}", **({} if run.seed is None else {"seed": str(run.seed)})}
    return junit.Suite(name=run.name, cases=cases, properties=properties, time_s=run.real_s)
