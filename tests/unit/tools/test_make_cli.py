"""The reference of commands and settings says what the parsers and the code say, on every version of Python alike."""

from __future__ import annotations

import argparse

from tools.make_cli import page
from tools.make_config import page as config_page


def toy() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toy", description="A toy,\n  to be looked at.")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="runs", epilog="examples:\n  toy run a | cat\n\nexit status: 0 it ran")
    run.add_argument("file", help="what to run")
    run.add_argument("--times", type=int, default=3, metavar="N", help="how often; 100%% sure (3)")
    run.add_argument("--jobs", type=int, default=8, help="processes (all processors)")
    run.add_argument("--key", help="a key (PEM)")
    run.add_argument("--how", choices=("fast", "slow"), default="slow", help="how it runs")
    run.add_argument("--to", required=True, metavar="URL", help="where to")
    run.add_argument("--secret", help=argparse.SUPPRESS)
    group = run.add_argument_group("what is told")
    group.add_argument("--frames", nargs="?", const="", metavar="ACTION", help="frames")
    group.add_argument("--quiet", action="store_true", help="nothing")
    return parser


def main() -> int:
    """Exit status: 0 well, 1 not."""
    return 0


def test_every_option_with_its_default_and_what_it_is() -> None:
    text = page(toy(), main)
    assert "\nA toy, to be looked at.\n\nExit status: 0 well, 1 not.\n" in text
    assert "| [`run`](#toy-run) | runs |" in text
    assert "`toy run --to URL [OPTIONS] file`" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `file` |  | what to run |",
        "| `--times N` | 3 | how often; 100% sure |",
        "| `--jobs JOBS` | all processors | processes |",
        "| `--key KEY` |  | a key (PEM) |",
        "| `--how fast\\|slow` | slow | how it runs |",
        "| `--to URL` | needed | where to |",
        "| `--frames [ACTION]` |  | frames |",
        "| `--quiet` |  | nothing |",
    ]
    assert "**what is told**" in text and "secret" not in text
    assert "```text\nexamples:\n  toy run a | cat\n\nexit status: 0 it ran\n```" in text


def test_a_setting_has_its_bounds_its_default_and_its_key() -> None:
    text = config_page()
    assert (
        "| `light_percent` | a whole number from 0 to 100, in % | `100` | LightIntensity | how bright the lamps are |"
        in text
    )
    assert "| `stop_values_max` | a whole number from 2 to 1000 | `250` | StopTransactionMaxMeterValues × |" in text
    assert '| `kind` | socket or tethered or dc | `"socket"` |' in text
    assert '### [board] driver = "sim"' in text
