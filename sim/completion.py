"""`station-sim completion bash|zsh|fish`: a script for a shell, made of the parser itself, so that it knows every command and option.

    eval "$(station-sim completion bash)"            # or into a file that the shell reads at its start
    station-sim completion zsh > "${fpath[1]}/_station-sim"
    station-sim completion fish > ~/.config/fish/completions/station-sim.fish

The scripts are static: completing runs nothing of ours. Not here: the parser (`cli.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

EPILOG: Final = "examples:\n" + "\n".join(f"  {line.strip()}" for line in __doc__.splitlines()[2:5]) + "\n"


class Option(msgspec.Struct, frozen=True):
    """One option of a command. `values`: what may follow it; None: nothing does; empty: anything, a file among others."""

    names: tuple[str, ...]
    help: str
    values: tuple[str, ...] | None


class Sub(msgspec.Struct, frozen=True):
    """One command."""

    name: str
    help: str
    options: tuple[Option, ...]


def add_parser(subparsers: Any, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """`parser` makes the whole parser, to be looked at."""
    made = subparsers.add_parser(
        "completion",
        help="a completion script for your shell",
        description=__doc__.partition("\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("shell", choices=sorted(SHELLS), help="which shell")
    made.set_defaults(run=lambda args: _run(args, parser()))


def _run(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    print(SHELLS[args.shell](parser.prog, list(commands(parser))), end="")
    return 0


def commands(parser: argparse.ArgumentParser) -> Iterator[Sub]:
    """What a parser's commands are and take."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield Sub(name, helps.get(name, ""), tuple(_options(sub)))


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        values: tuple[str, ...] | None = tuple(map(str, action.choices or ())) if action.nargs != 0 else None
        if action.option_strings or action.choices:
            yield Option(tuple(action.option_strings), (action.help or "").replace("%%", "%"), values)


# --- the shells -------------------------------------------------------------------------------------------------------


def bash(prog: str, subs: list[Sub]) -> str:
    """For bash 4 and later."""
    name = prog.replace("-", "_")
    lines = [f"_{name}() {{", '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" words=""']
    lines += ["    COMPREPLY=()", '    if [ "$COMP_CWORD" -eq 1 ]; then']
    lines += [f'        words="{" ".join(sub.name for sub in subs)} --help"', "    else"]
    lines += ['        case "${COMP_WORDS[1]} $prev" in']
    for sub in subs:
        for option in sub.options:
            if option.values is None or not option.names:
                continue
            cases = "|".join(f'"{sub.name} {one}"' for one in option.names)
            if option.values:
                reply = f'COMPREPLY=($(compgen -W "{" ".join(option.values)}" -- "$cur"))'
            else:
                reply = 'COMPREPLY=($(compgen -f -- "$cur"))'
            lines.append(f"            {cases}) {reply}; return ;;")
    lines += ["        esac", '        case "${COMP_WORDS[1]}" in']
    for sub in subs:
        lines.append(f'            {sub.name}) words="{" ".join(_offered(sub))}" ;;')
    lines += ["        esac", "    fi", '    COMPREPLY=($(compgen -W "$words" -- "$cur"))', "}"]
    lines += [f"complete -o default -F _{name} {prog}", ""]
    return "\n".join(lines)


def _offered(sub: Sub) -> list[str]:
    return [word for option in sub.options for word in (option.names or option.values or ())]


def zsh(prog: str, subs: list[Sub]) -> str:
    """For zsh with its completion system on."""
    name = prog.replace("-", "_")
    lines = [f"#compdef {prog}", "", f"_{name}() {{", "    local -a commands", "    commands=("]
    lines += [f"        '{sub.name}:{_zsh(sub.help)}'" for sub in subs]
    lines += [
        "    )",
        "    if (( CURRENT == 2 )); then",
        "        _describe command commands",
        "        return",
        "    fi",
    ]
    lines += ["    local chosen=${words[2]}", "    shift words", "    (( CURRENT-- ))", "    case $chosen in"]
    for sub in subs:
        lines += [f"        {sub.name})", "            _arguments \\"]
        lines += [
            f"                {_argument(option, one)} \\" for option in sub.options for one in option.names or ("",)
        ]
        lines += ["                '*:file:_files'", "            ;;"]
    lines += ["    esac", "}", "", f'if [ "$funcstack[1]" = "_{name}" ]; then', f'    _{name} "$@"', "else"]
    lines += [f"    compdef _{name} {prog}", "fi", ""]
    return "\n".join(lines)


def _argument(option: Option, name: str) -> str:
    if not name:
        return f"'1:{_zsh(option.help)}:({' '.join(option.values or ())})'"
    after = ""
    if option.values is not None:
        after = f":value:({' '.join(option.values)})" if option.values else ":value:_files"
    return f"'*{name}[{_zsh(option.help)}]{after}'"


def _zsh(text: str) -> str:
    return text.replace("'", "’").replace("[", "(").replace("]", ")").replace(":", ";")


def fish(prog: str, subs: list[Sub]) -> str:
    """For fish 3 and later."""
    lines = [f"complete -c {prog} -f"]
    lines += [f"complete -c {prog} -n __fish_use_subcommand -a {sub.name} -d {_fish(sub.help)}" for sub in subs]
    for sub in subs:
        seen = f"complete -c {prog} -n '__fish_seen_subcommand_from {sub.name}'"
        for option in sub.options:
            if not option.names:
                lines.append(f"{seen} -a {_fish(' '.join(option.values or ()))} -d {_fish(option.help)}")
                continue
            names = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.names)
            after = ""
            if option.values is not None:
                after = f" -x -a {_fish(' '.join(option.values))}" if option.values else " -r -F"
            lines.append(f"{seen} {names}{after} -d {_fish(option.help)}")
    return "\n".join(lines) + "\n"


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: Final[dict[str, Callable[[str, list[Sub]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
