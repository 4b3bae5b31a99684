"""`station-sim`: virtual chargers, a CSMS to try them against, and the demo that joins the two."""

from __future__ import annotations

import argparse
import sys

from station.cli import intruder

EXAMPLES = """\
examples:
  station-sim demo                                       a station charges cars against a CSMS of its own
  station-sim run --csms ws://127.0.0.1:9000 --id CP1    a virtual charger against your backend
  station-sim csms --port 9000 --books books.jsonl       a small real CSMS
  station-sim world plans/first-session.yaml             a story that is a test, in virtual time
  station-sim show frames.jsonl --out story.svg          a recording of messages as a sequence diagram
  station-sim account --books books.jsonl --meters m.json   do books and meters agree?
  eval "$(station-sim completion bash)"                  the Tab key knows all commands and options

Each command teaches more: station-sim COMMAND --help
"""


def parser() -> argparse.ArgumentParser:
    from sim import account, completion, demo, plan_cli, replay, run, show, soak, world_cli
    from sim.csms import cli as csms

    top = argparse.ArgumentParser(
        prog="station-sim",
        description="The best virtual charger there is: the real firmware on simulated hardware.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo.add_parser(commands)
    run.add_parser(commands)
    csms.add_parser(commands)
    account.add_parser(commands)
    plan_cli.add_parser(commands)
    world_cli.add_parser(commands)
    soak.add_parser(commands)
    replay.add_parser(commands)
    show.add_parser(commands)
    completion.add_parser(commands, parser)
    return top


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 all is well, 1 accounts differ or something went wrong on the way, 2 the call is wrong; see each command."""
    args = parser().parse_args(argv)
    problem = intruder()
    if problem:
        print(f"station-sim: {problem}", file=sys.stderr)
        return 2
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
