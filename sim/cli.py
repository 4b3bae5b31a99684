"""`station-sim`: virtual chargers, a CSMS to try them against, and the demo that joins the two."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from sim.options import sentence
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


class Parser(argparse.ArgumentParser):
    """Says what is wrong, and where help is: a usage of twenty lines would hide it."""

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if wrong is not None:
            near = difflib.get_close_matches(wrong[1], re.findall(r"[\w.-]+", wrong[2]), 1)
            message += f"; {near[0]!r} perhaps" if near else ""
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help says what there is\n")


def _version() -> str:
    try:
        return version("ev-station")
    except PackageNotFoundError:
        return "not installed"


def parser() -> argparse.ArgumentParser:
    from sim import account, completion, demo, plan_cli, replay, run, show, soak, world_cli
    from sim.csms import cli as csms

    top = Parser(
        prog="station-sim",
        description="The best virtual charger there is: the real firmware on simulated hardware.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=_version(), help="print the version")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
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


def _of(top: argparse.ArgumentParser, command: str | None) -> argparse.ArgumentParser:
    """The parser of a command, whose help is the one to read; without a command the one of all."""
    choices = (action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return next(choices)[command] if command else top


def _unrecognized(parser: argparse.ArgumentParser, words: list[str]) -> str:
    near = difflib.get_close_matches(words[0].partition("=")[0], list(parser._option_string_actions), 1, 0.75)
    return f"unrecognized arguments: {' '.join(words)}" + (f"; {near[0]!r} perhaps" if near else "")


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 all is well, 1 accounts differ or something went wrong on the way, 2 the call is wrong; see each command."""
    top = parser()
    args, unknown = top.parse_known_args(argv)
    if unknown:
        _of(top, args.command).error(_unrecognized(_of(top, args.command), unknown))
    if args.command is None:
        top.print_help(sys.stderr)
        return 2
    problem = intruder()
    if problem:
        print(f"station-sim: {problem}", file=sys.stderr)
        return 2
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        return 1
    except OSError as error:  # of what a command did not expect: no room for its output, say
        print(f"station-sim {args.command}: {sentence(error)}", file=sys.stderr)
        _give_up_output()
        return 1
    return status


def _give_up_output() -> None:
    """What still waits for standard output, where there is no room for it, would be complained about at the very end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
