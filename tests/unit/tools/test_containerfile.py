"""The Containerfile copies what the wheel is made of, and .containerignore lets it through. Building an image is left to an engine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent


def test_all_packages_and_what_builds_them_are_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    files = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for name in line.split()[:-1]}
    assert copied == packages | files | {"requirements/base.lock"}
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8")
    assert set(re.findall(r"^!(.+)$", ignored, re.MULTILINE)) == copied


def test_nothing_runs_as_root_or_from_a_name_that_moves() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert images and all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)
    assert re.search(r"^USER (?!root)\w+$", text.rpartition("FROM ")[2], re.MULTILINE)
    assert "--require-hashes" in text
