"""What the ordinary tests make of the mutants: `python -m tests.mutants.survey`, in copies of the tree; `--write` puts it in the table.

Ordinary is every test that does not run the world. The quickest are run over each mutant alone. Those that pass are then planted together,
as many as their places allow, and all other tests are run once over them; a test that fails there is asked of each alone. Whatever fails
must pass again without the mistake, or it shows nothing. Not here: whether the world finds them (`run.py`).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.mutants.run import HERE, PASSES, ROOT, Mutant, broken, load

QUICK: Final = ("tests/unit/core", "tests/unit/statemachine")
LEFT_OUT: Final = {
    "tests/world": "runs the world",
    "tests/mutants": "runs the world",
    "tests/unit/sim/test_checkers.py": "plays plans in the world under all promises",
    "tests/unit/sim/test_soak.py": "plays plans of the swarm in the world",
    "tests/interop/test_soak_cli.py": "plays plans of the swarm in the world",
    "tests/audit": "looks for its own places in the source text, and sabotages copies of its own",
    "tests/test_tidy.py": "measures the source text: lengths of files and functions",
    "tests/test_docs.py::test_the_commands_of_a_page_do_what_they_say[docs/tutorials/hunting.md]": "runs the world",
}
LINKED: Final = "tests/interop/node_modules"  # nobody writes there
SKIPPED: Final = (".git", ".venv", "__pycache__", ".hypothesis", ".*_cache", "*.egg-info", "node_modules")
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (tests/\S+?\.py(?:::.+?)?)(?: - .*)?$", re.MULTILINE)


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the whole tree, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="survey-") as name:
        copy = Path(name).resolve() / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*SKIPPED))
        if (ROOT / LINKED).exists():
            (copy / LINKED).symlink_to(ROOT / LINKED)
        yield copy


def plant(copy: Path, mutants: Sequence[Mutant], sound: dict[str, str]) -> None:
    """Have these mistakes and no others in the copy. `sound` is its text without any, by file. ValueError where places overlap."""
    texts = dict(sound)
    for mutant in mutants:
        texts[mutant.file] = broken(mutant, texts[mutant.file])
    for file, text in texts.items():
        (copy / file).write_text(text, encoding="utf-8")


def failing(copy: Path, *arguments: str) -> list[str]:
    """The tests that fail there. RuntimeError if they could not be run."""
    without = [word for name in ("randomly", "cacheprovider") for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no", *without, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_PROFILE": "ci"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    found = FAILED.findall(done.stdout)
    if done.returncode not in (0, 1) or (done.returncode and not found):
        raise RuntimeError((done.stdout + done.stderr)[-1500:])
    return found


def alone(mutant: Mutant) -> str:
    """The first of the quick tests that fails with the mistake and passes without it; `PASSES` if there is none."""
    with copied() as copy:
        sound = {mutant.file: (copy / mutant.file).read_text(encoding="utf-8")}
        skipped: list[str] = []
        while True:
            plant(copy, [mutant], sound)
            found = failing(copy, "-x", *QUICK, *skipped)
            if not found:
                return PASSES
            plant(copy, [], sound)
            if not failing(copy, found[0]):
                return f"caught by {found[0]}"
            skipped.append(f"--deselect={found[0]}")


def together(mutants: Sequence[Mutant], jobs: int) -> dict[str, str]:
    """By name, what all other tests make of these: the first that fails with one of them alone and passes without, or `PASSES`."""
    verdicts = {mutant.name: PASSES for mutant in mutants}
    with copied() as copy:
        sound = {mutant.file: (copy / mutant.file).read_text(encoding="utf-8") for mutant in mutants}
        plant(copy, mutants, sound)
        skipped = [f"--deselect={one}" if "::" in one else f"--ignore={one}" for one in (*LEFT_OUT, *QUICK)]
        for test in failing(copy, "-n", str(jobs), "tests", *skipped):
            plant(copy, [], sound)
            if failing(copy, test):
                continue
            for mutant in mutants:
                plant(copy, [mutant], sound)
                if verdicts[mutant.name] == PASSES and failing(copy, test):
                    verdicts[mutant.name] = f"caught by {test}"
    return verdicts


def packed(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """In as few groups as their places allow."""
    groups: list[list[Mutant]] = []
    for mutant in mutants:
        place = (mutant.file, mutant.old)
        for group in groups:
            if place not in {(other.file, other.old) for other in group}:
                group.append(mutant)
                break
        else:
            groups.append([mutant])
    return groups


def written(text: str, name: str, ordinary: str) -> str:
    """The table with this said of the mutant. ValueError if it is not there."""
    quoted = f"'{ordinary}'" if '"' in ordinary else f'"{ordinary}"'
    head = re.compile(rf'(name = "{re.escape(name)}"\n)(?:ordinary = .*\n)?')
    new, times = head.subn(lambda found: f"{found[1]}ordinary = {quoted}\n", text)
    if times != 1:
        raise ValueError(f"{name}: {times} times in the table, not once")
    return new


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.survey", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="mutants whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put it into mutants.toml")
    args = parser.parse_args(arguments)
    mutants = [m for m in load() if args.only in m.name]
    verdicts: dict[str, str] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        for mutant, verdict in zip(mutants, pool.map(alone, mutants), strict=True):
            verdicts[mutant.name] = verdict
            if verdict != PASSES:
                print(f"{mutant.name[:60]:60}  {verdict}", flush=True)
    for group in packed([m for m in mutants if verdicts[m.name] == PASSES]):
        for name, verdict in together(group, args.jobs).items():
            verdicts[name] = verdict
            print(f"{name[:60]:60}  {verdict}", flush=True)
    table = HERE / "mutants.toml"
    if args.write:
        text = table.read_text(encoding="utf-8")
        for name, verdict in verdicts.items():
            text = written(text, name, verdict)
        table.write_text(text, encoding="utf-8")
    print(f"{sum(one == PASSES for one in verdicts.values())} of {len(mutants)} pass the ordinary tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
