"""Lines mode where there is no POSIX: everything that Windows lacks is taken away from the interpreter first.

That is no Windows; it shows only that nothing on the way needs fcntl, termios, signal handlers of the loop and the like.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

pytestmark = pytest.mark.interop

WITHOUT = """
import asyncio, os, signal, sys
def lacks(*_): raise NotImplementedError
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("posix_fallocate", "statvfs", "O_CLOEXEC", "O_DIRECTORY"):
    delattr(os, name)
for name in ("SIGHUP", "SIGWINCH", "SIGKILL"):
    delattr(signal, name)
loop = asyncio.SelectorEventLoop
loop.add_signal_handler = loop.remove_signal_handler = loop.add_reader = lacks
from {module} import main
sys.exit(main(sys.argv[1:]))
"""


async def start(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT.replace("{module}", module), *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode()


def test_a_charger_and_a_csms_meet_and_end_at_ctrl_c() -> None:
    async def play() -> None:
        csms = await start("sim.cli", "csms", "--port", "0", "--json", "--quiet")
        try:
            url = json.loads(await first_line(csms))["listening"]
            await charge(url)
            csms.send_signal(signal.SIGINT)
            out, err = await asyncio.wait_for(csms.communicate(), 30)
        finally:
            if csms.returncode is None:
                csms.kill()
                await csms.wait()
        assert (csms.returncode, err) == (0, b"")
        assert json.loads(out.splitlines()[-1])["closed"]["violations"] == 0

    asyncio.run(play())


async def charge(url: str) -> None:
    run = await start("sim.cli", "run", "--csms", url, "--quiet", "--commands", "-", "--connect-within", "30")
    lines = "wait online=true\nplug 1\ntap 04A1B2C3\nwait 1 charging\nquit\n"
    out, err = await asyncio.wait_for(run.communicate(lines.encode()), 60)
    assert (run.returncode, err) == (0, b"")
    answers = [told for line in out.splitlines() if "ok" in (told := json.loads(line))]
    assert [(answer["do"], answer["ok"]) for answer in answers][-2:] == [("wait", True), ("quit", True)]


def test_a_store_says_what_it_needs() -> None:
    async def play() -> None:
        run = await start("sim.cli", "run", "--csms", "ws://127.0.0.1:9", "--store", "stations.db")
        _, err = await asyncio.wait_for(run.communicate(), 30)
        assert run.returncode == 2 and b"cannot use stations.db as a store: that needs Linux, macOS" in err

    asyncio.run(play())
