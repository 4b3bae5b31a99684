"""What the options of `station-sim` come to, and the completion scripts that go with them."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sim import cli, completion, options
from station.words.common import TokenStatus
from station.words.settings import TEMPLATES


def parsed(*words: str) -> argparse.Namespace:
    return cli.parser().parse_args(["run", "--csms", "ws://127.0.0.1:1", *words])


# --- the station ------------------------------------------------------------------------------------------------------


def test_the_template_is_what_it_is_without_options() -> None:
    assert options.shape(parsed()) == TEMPLATES["two-sockets-22kw"]


def test_everything_a_boot_tells_can_be_said() -> None:
    words = ("--vendor", "Acme", "--model", "X1", "--serial", "4711", "--firmware", "9.9")
    shape = options.shape(parsed(*words, "--template", "tethered-11kw"))
    assert (shape.vendor, shape.model, shape.serial, shape.firmware) == ("Acme", "X1", "4711", "9.9")
    assert shape.slots == TEMPLATES["tethered-11kw"].slots


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_more_slots_are_wired_in_turn_and_the_supply_grows(count: int) -> None:
    shape, like = options.shape(parsed("--slots", str(count))), TEMPLATES["two-sockets-22kw"]
    assert len(shape.slots) == count
    assert shape.supply_ma == like.supply_ma * count // 2
    assert [slot.rotation for slot in shape.slots] == ["RST", "STR", "TRS", "RST", "STR"][:count]


def test_settings_and_who_decides_about_cards() -> None:
    settings = options.settings(parsed("--auth", "free", "--set", "sample_interval_s=7", "--set", "sampled=Voltage"))
    assert settings.cards_decided_by == "nobody" and settings.sample_interval_s == 7
    assert [one.value for one in settings.sampled] == ["Voltage"]


def test_cards() -> None:
    assert options.cards(["04A1", "04B2:Blocked"]) == {"04A1": None, "04B2": TokenStatus.BLOCKED}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--slots", "0"), "from 1 to"),
        (("--vendor", "x" * 21), "1 to 20"),
        (("--serial", ""), "1 to 25"),
        (("--set", "joy=1"), "sample_interval_s"),
        (("--set", "help"), "sample_interval_s"),
        (("--set", "sample_interval_s=soon"), "not a whole number"),
        (("--card", "04A1:drunk"), "accepted, blocked"),
        (("--card", ":accepted"), "1 to 20"),
        (("--count", "0"), "at least 1"),
        (("--password", "x", "--password-file", "y"), "one of them"),
        (("--cert", __file__), "needs its key"),
        (("--ca", "none.pem"), "there is no such file"),
        (("--ca", __file__), "wss://"),
        (("--commands", "none.txt"), "there is no such file"),
        (("--plan", "none.json"), "cannot be read"),
        (("--speed", "2"), "same scaled clock"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], told: str) -> None:
    from sim.run import wanted

    with pytest.raises(ValueError, match=re.escape(told)):
        wanted(parsed(*words))


@pytest.mark.parametrize(
    ("first", "count", "ids"),
    [("CP1", 1, ["CP1"]), ("CP1", 3, ["CP1", "CP2", "CP3"]), ("CP009", 2, ["CP009", "CP010"]), ("x", 2, ["x1", "x2"])],
)
def test_identities_count_up(first: str, count: int, ids: list[str]) -> None:
    assert options.names(first, count) == ids


# --- completion -------------------------------------------------------------------------------------------------------


def subs() -> list[completion.Sub]:
    return list(completion.commands(cli.parser()))


@pytest.mark.parametrize("shell", sorted(completion.SHELLS))
def test_every_command_and_option_is_in_the_script(shell: str) -> None:
    script = completion.SHELLS[shell]("station-sim", subs())
    assert {sub.name for sub in subs()} >= {"run", "demo", "csms", "account", "completion"}
    for sub in subs():
        assert sub.name in script
        for option in sub.options:
            for name in option.names:
                assert name.lstrip("-") in script, f"{sub.name} {name}"
    assert "--speed" not in [name for sub in subs() if sub.name == "run" for o in sub.options for name in o.names]


@pytest.mark.parametrize("shell", sorted(completion.SHELLS))
def test_each_shell_can_read_its_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text(completion.SHELLS[shell]("station-sim", subs()))
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], {"run"}),
        (["run", "--templ"], {"--template"}),
        (["run", "--template", "teth"], {"tethered-11kw"}),
        (["completion", ""], {"bash", "zsh", "fish", "-h", "--help"}),
        (["run", "--auth", ""], {"csms", "free"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str], tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    script = tmp_path / "script"
    script.write_text(completion.bash("station-sim", subs()))
    line = " ".join(f"'{word}'" for word in ["station-sim", *words])
    ask = f'source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _station_sim; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered


def test_help_teaches() -> None:
    for sub in ("run", "demo", "completion", "csms"):
        told = (
            next(a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
            .choices[sub]
            .format_help()
        )
        assert "examples:" in told and f"station-sim {sub}" in told
    run_help = (
        next(a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)).choices["run"].format_help()
    )
    assert "exit status:" in run_help
