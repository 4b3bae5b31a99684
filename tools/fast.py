"""The fast build: a copy of the sources in which the hot modules are compiled to C by mypyc (`python -m tools.fast`, `make fast`).

The same code, more than twice as fast: for long hunts in the world and for large fleets. Interpreted and compiled tell the same story to
the byte (`--check`). The copy lives in `build/fast`; the sources themselves stay as they are, and nothing else looks at it. Needs a C
compiler and the headers of Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = ROOT / "build" / "fast"
SOURCES: Final = ("hal", "station", "statemachine", "ocpp_client", "leds", "meter", "sim")
# What a step, a frame or a look of the judges runs through. A class stands here only together with all that inherits from it; files that
# define structs are left out, since mypyc forgets the keywords of a class statement (`frozen=True`).
COMPILED: Final = (
    "hal/deadlines.py",
    "statemachine/slot.py",
    "statemachine/claims.py",
    "ocpp_client/link.py",
    "ocpp_client/messages.py",
    "ocpp_client/outbox.py",
    "ocpp_client/rpc.py",
    "ocpp_client/dialects/values.py",
    "ocpp_client/dialects/v16/decode.py",
    "ocpp_client/dialects/v16/encode.py",
    "ocpp_client/dialects/v16/meter.py",
    "meter/*.py",
    "station/core/*.py",
    "station/core/blocks/*.py",
    "station/shell/runner.py",
    "sim/charger.py",
    "sim/disk.py",
    "sim/pipe.py",
    "sim/scheduler.py",
    "sim/slot.py",
    "sim/speaker.py",
    "sim/trace.py",
    "sim/vehicle.py",
    "sim/world.py",
    "sim/csms/oracle*.py",
    "sim/checkers/*.py",
)
# Classes of those files that others inherit from, which stay interpreted; mypyc wants to be told.
OPEN: Final = {
    "station/shell/runner.py": ("Runner", "Sinks"),
    "sim/speaker.py": ("Speaker",),
    "sim/trace.py": ("Trace",),
    "sim/world.py": ("World",),
}
SEEDS: Final = 20


def modules(root: Path = ROOT) -> list[str]:
    """The files to compile, as paths below the root. ValueError for a pattern that no file fits any more."""
    found: list[str] = []
    for pattern in COMPILED:
        paths = sorted(path for path in root.glob(pattern) if _fits(path.read_text(encoding="utf-8")))
        if not paths:
            raise ValueError(f"{pattern}: there is no such file")
        found += [str(path.relative_to(root)) for path in paths]
    return found


def _fits(text: str) -> bool:
    return bool(text.strip()) and "Struct" not in text


def state() -> str:
    """What the copy is made of: another hash asks for another build."""
    digest = hashlib.sha256(sys.version.encode())
    for path in [Path(__file__), *sorted(p for source in SOURCES for p in (ROOT / source).rglob("*.py"))]:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def build(out: Path = OUT) -> bool:
    """Make the copy, unless it is there already. True: it was made. Raises RuntimeError with what the compiler says."""
    if is_there(out):
        return False
    wanted = state()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for source in SOURCES:
        shutil.copytree(ROOT / source, out / source, ignore=shutil.ignore_patterns("__pycache__"))
    for name, classes in OPEN.items():
        path = out / name
        path.write_text(opened(path.read_text(encoding="utf-8"), classes), encoding="utf-8")
    (out / "setup.py").write_text(
        "from mypyc.build import mypycify\nfrom setuptools import setup\n"
        f"setup(name='fast', packages=[], ext_modules=mypycify({['--config-file=', *modules(out)]!r}, opt_level='3'))\n"
    )
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-4000:])
    shutil.rmtree(out / "build")
    (out / "stamp").write_text(wanted)
    return True


def opened(text: str, classes: tuple[str, ...]) -> str:
    """The same module with these classes open to interpreted heirs. ValueError where one is not there."""
    for name in classes:
        head = re.search(rf"^class {name}\b", text, re.MULTILINE)
        if head is None:
            raise ValueError(f"there is no class {name}")
        text = f"{text[: head.start()]}@mypyc_attr(allow_interpreted_subclasses=True)\n{text[head.start() :]}"
    future = "from __future__ import annotations\n"
    return text.replace(future, f"{future}from mypy_extensions import mypyc_attr\n", 1)


def is_there(out: Path = OUT) -> bool:
    """Whether the copy is made of the sources as they are."""
    stamp = out / "stamp"
    return stamp.exists() and stamp.read_text() == state()


def environment(out: Path = OUT) -> dict[str, str]:
    """In which a process imports the copy instead of the sources."""
    return {**os.environ, "PYTHONPATH": str(out)}


STORIES: Final = """
import json, sys
from sim.runs import run
from sim.swarm import draw
print(json.dumps([run(seed, draw(seed))[0].trace for seed in range(1, int(sys.argv[1]) + 1)]))
"""


def stories(where: Path, seeds: int = SEEDS) -> list[str]:
    """The hashes of so many stories of the world, told by the sources in this folder."""
    command = [sys.executable, "-c", STORIES, str(seeds)]
    done = subprocess.run(command, cwd=where, env=environment(where), capture_output=True, text=True, check=True)
    return [str(story) for story in json.loads(done.stdout)]


def missing() -> str:
    """What this machine lacks to compile, and how to get it; nothing if it lacks nothing."""
    if shutil.which(os.environ.get("CC", "cc")) is None:
        return "a C compiler is needed: on Debian `apt-get install gcc`, on macOS `xcode-select --install`"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "the headers of Python are needed: on Debian `apt-get install python3-dev`"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.fast", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help=f"compare {SEEDS} stories of the world with the interpreted ones"
    )
    args = parser.parse_args()
    if lacks := missing():
        print(f"no fast build: {lacks}", file=sys.stderr)
        return 1
    started = time.monotonic()
    print(f"compiling {len(modules())} modules; this takes a minute or two", file=sys.stderr)
    try:
        made = build()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{OUT.relative_to(ROOT)}: {'made' if made else 'as it was'}, {time.monotonic() - started:.0f} s")
    if args.check and stories(ROOT) != stories(OUT):
        print("the compiled station tells another story than the interpreted one", file=sys.stderr)
        return 1
    print(f"use it with PYTHONPATH={OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
