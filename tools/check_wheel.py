"""Build the wheel, install it into an empty environment as a customer would, and run both commands from another folder.

    python -m tools.check_wheel

Shows what the source tree hides: a forgotten data file, an undeclared dependency, an import of tests or tools.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_PYTHON_VARIABLES = {
    name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
}


def run(*command: str | Path, cwd: Path) -> str:
    """What the command printed. SystemExit with all of it if it failed."""
    done = subprocess.run(
        command, cwd=cwd, env=NO_PYTHON_VARIABLES, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def expected(packages: list[str]) -> set[str]:
    """Every file of the packages, code and data alike."""
    files = (file for package in packages for file in (ROOT / package).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in files if file.suffix != ".pyc"}


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", here, ROOT, cwd=here)
        [wheel] = here.glob("ev_station-*.whl")
        inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
        if inside != expected(packages):
            raise SystemExit(f"the wheel and the tree differ: {sorted(inside ^ expected(packages))}")

        venv.create(here / "venv", with_pip=True)
        bin = here / "venv" / "bin"
        pip: list[str | Path] = [bin / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "base.lock", cwd=here)
        run(*pip, "--no-deps", wheel, cwd=here)
        run(bin / "python", "-m", "pip", "check", cwd=here)
        for script in project["project"]["scripts"]:
            if "usage" not in run(bin / script, "--help", cwd=here).lower():
                raise SystemExit(f"{script} --help says nothing of its usage")
        size = wheel.stat().st_size // 1024
        print(f"{wheel.name}: {len(inside)} files, {size} KiB; installed elsewhere, both commands run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
