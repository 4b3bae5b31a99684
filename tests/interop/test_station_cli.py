"""`station run` as an operator uses it: a process of its own with a disk, against a real CSMS, killed and started again."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from sim.csms.server import Csms

TOML = """
[station]
id = "CP1"
[csms]
url = "{url}"
[board]
driver = "sim"
[store]
file = "station.db"
"""


async def station(file: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "station.cli", "run", str(file), "--json", stdout=asyncio.subprocess.PIPE
    )


def test_it_speaks_in_sentences_and_goes_on_where_nobody_listens(tmp_path: Path) -> None:
    async def play() -> None:
        async with Csms() as csms:
            file = tmp_path / "station.toml"
            file.write_text(TOML.format(url=csms.url))
            words = (sys.executable, "-m", "station.cli", "run", str(file))
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe)
            assert process.stdout is not None and process.stderr is not None
            while (
                line := (await process.stdout.readline()).decode()
            ) != "info    the CSMS answered accepted, interval 300 s\n":
                assert line and "values=" not in line
            process.stdout._transport.close()  # type: ignore[attr-defined]  # whoever read has gone
            await csms.until(lambda books: books.counts["status"] >= 3)
            assert (await csms.command("CP1", "Reset", type="Soft"))["status"] == "Accepted"  # there is much to tell
            await csms.until(lambda books: books.counts["boot"] >= 2, 20)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0
            told = (await process.stderr.read()).decode()
            assert told == "station: standard output: Broken pipe; the station goes on\n"

    asyncio.run(play())


def test_run_change_a_setting_kill_and_run_again(tmp_path: Path) -> None:
    """What was Accepted survives SIGKILL; SIGTERM ends in good order."""

    async def play() -> None:
        async with Csms() as csms:
            file = tmp_path / "station.toml"
            file.write_text(TOML.format(url=csms.url))
            first = await station(file)
            await csms.until(lambda books: books.counts["status"] >= 3)
            answer = await csms.command("CP1", "ChangeConfiguration", key="MeterValueSampleInterval", value="17")
            assert answer["status"] == "Accepted"
            first.send_signal(signal.SIGKILL)
            await first.wait()
            second = await station(file)
            await csms.until(lambda books: books.counts["boot"] >= 2 and books.counts["status"] >= 6)
            told = await csms.command("CP1", "GetConfiguration", key=["MeterValueSampleInterval"])
            assert told["configurationKey"][0]["value"] == "17"
            second.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(second.wait(), 10) == 0
            assert csms.books.problems == []

    asyncio.run(play())
