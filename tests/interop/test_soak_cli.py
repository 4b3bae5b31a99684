"""`station-sim soak` as a process that somebody ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import msgspec

from sim.soak import Report


def test_ctrl_c_ends_it_with_what_was_seen() -> None:
    command = [sys.executable, "-m", "sim.cli", "soak", "--seconds", "600", "--jobs", "2", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as soaking:
        assert soaking.stderr is not None
        soaking.stderr.readline()  # the first seeds have been seen
        os.killpg(soaking.pid, signal.SIGINT)  # as a terminal does: the workers hear of it too
        said, complaints = soaking.communicate(timeout=60)
    assert soaking.returncode == 130, complaints
    report = msgspec.json.decode(said, type=Report)
    assert report.interrupted
    assert report.seeds > 0
