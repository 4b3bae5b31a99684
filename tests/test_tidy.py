"""The habits of the house that no linter knows: short files and functions, docstrings, no order out of a set.

The length limits are ratchets: what is over them today is listed with its length and may only shrink.
"""

from __future__ import annotations

import ast
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import conftest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hal", "leds", "meter", "ocpp_client", "sim", "statemachine", "station")
PURE = ("hal", "leds", "meter", "ocpp_client", "statemachine", "station/core", "station/words")  # floors 0 to 5

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}  # "path:name"


def _tracked() -> list[Path]:
    """Every file that belongs to the repository, or is about to."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        git = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
        names = git.stdout.split("\0") if git.returncode == 0 else []
    except FileNotFoundError:
        names = []
    files = [ROOT / name for name in names if name] or list(
        ROOT.rglob("*")
    )  # a tree without git: all but what tools leave behind
    left_behind = re.compile(r"(^|/)(\.venv|\.git|\.\w+_cache|\.hypothesis|__pycache__|node_modules|dist|build)(/|$)")
    return sorted(file for file in files if file.is_file() and not left_behind.search(_name(file)))


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _is_generated(file: Path) -> bool:
    return re.fullmatch(r"ocpp_client/wire/v\d+\.py", _name(file)) is not None


TRACKED = _tracked()
MODULES = [file for file in TRACKED if file.suffix == ".py" and not _is_generated(file)]
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in MODULES}


def _pure() -> Iterator[tuple[str, ast.Module]]:
    for file, tree in TREES.items():
        name = _name(file)
        if (
            name.startswith(tuple(f"{folder}/" for folder in PURE))
            and "/drivers/" not in name
            and name != "hal/registry.py"
        ):
            yield name, tree


def _over(lengths: dict[str, int], limit: int, known: dict[str, int]) -> list[str]:
    """What is longer than it may be, and what is listed as longer than it is."""
    long = {name: length for name, length in lengths.items() if length > limit}
    grown = [
        f"{name}: {length} lines, at most {known.get(name, limit)}"
        for name, length in long.items()
        if length > known.get(name, limit)
    ]
    return grown + [
        f"{name}: listed with {length}, now {lengths.get(name, 0)}"
        for name, length in known.items()
        if long.get(name, 0) < length
    ]


def test_files_are_short() -> None:
    lengths = {_name(file): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}
    assert _over(lengths, FILE_LINES_MAX, LONG_FILES) == []


def test_functions_are_short() -> None:
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    lengths = {
        f"{_name(file)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, functions)
    }
    assert _over(lengths, FUNCTION_LINES_MAX, LONG_FUNCTIONS) == []


def test_every_module_says_what_it_is() -> None:
    """Empty `__init__.py` files have nothing to say."""
    assert [_name(file) for file, tree in TREES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_the_two_empty_packages_stay_empty_and_all_are_typed() -> None:
    assert (ROOT / "station/__init__.py").read_bytes() == (ROOT / "ocpp_client/__init__.py").read_bytes() == b""
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").exists()] == []


def _set_names(tree: ast.AST) -> set[str]:
    """The names and attributes that are annotated as sets anywhere in the module."""
    annotated = [(node.target, node.annotation) for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    names = {
        ast.unparse(target) for target, annotation in annotated if re.match(r"(frozen)?set\b", ast.unparse(annotation))
    }
    arguments = [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation]
    names |= {
        node.arg for node in arguments if node.annotation and re.match(r"(frozen)?set\b", ast.unparse(node.annotation))
    }
    return names | {f"self.{name}" for name in names}


def _is_set(node: ast.expr, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return _is_set(left, names) or _is_set(right, names)
        case _:
            return ast.unparse(node) in names


def _ordered_by_a_set(tree: ast.AST) -> Iterator[int]:
    """The lines that take an order from a set. `sorted`, `min`, `any` and the like do not, nor does a set of a set."""
    names = _set_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.For(iter=source) | ast.Starred(value=source) | ast.YieldFrom(value=source):
                sources = [source]
            case ast.ListComp(generators=loops) | ast.DictComp(generators=loops) | ast.GeneratorExp(generators=loops):
                sources = [loop.iter for loop in loops]
            case ast.Call(
                func=ast.Name(id="list" | "tuple" | "iter" | "enumerate" | "map" | "filter" | "zip" | "deque"),
                args=arguments,
            ):
                sources = arguments
            case ast.Call(func=ast.Attribute(attr="join" | "extend" | "fromkeys"), args=arguments):
                sources = arguments
            case _:
                continue
        yield from (source.lineno for source in sources if _is_set(source, names))


def test_no_order_comes_from_a_set() -> None:
    """It would differ from run to run with PYTHONHASHSEED, and the same seed and plan would give another story."""
    assert [f"{name}:{line}" for name, tree in _pure() for line in _ordered_by_a_set(tree)] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("for x in {1, 2}: pass", [1]),
        ("[x for x in set(y)]", [1]),
        ("z: set[int] = f()\nlist(z | y)", [2]),
        ("class A:\n z: frozenset[int]\n def f(self): return ', '.join(self.z)", [3]),
        ("def f(z: set[int]):\n  for x in sorted(z): pass\n  return 3 in z or {*()} == z", []),
    ],
)
def test_the_search_for_sets_finds_them(source: str, lines: list[int]) -> None:
    assert list(_ordered_by_a_set(ast.parse(source))) == lines


def test_the_core_prints_nothing() -> None:
    """A Note is its only log."""
    calls = ((name, node) for name, tree in _pure() for node in ast.walk(tree) if isinstance(node, ast.Call))
    told = [
        f"{name}:{node.lineno}"
        for name, node in calls
        if ast.unparse(node.func) in ("print", "input", "open", "breakpoint")
    ]
    assert told == []


def _lines_with(pattern: str) -> list[str]:
    search = re.compile(pattern).search
    texts = ((file, file.read_text(encoding="utf-8", errors="ignore").splitlines()) for file in TRACKED)
    return [f"{_name(file)}:{number}" for file, lines in texts for number, line in enumerate(lines, 1) if search(line)]


def test_no_path_of_one_machine() -> None:
    homes = "|".join(("work", "root", "home", "Users"))  # not spelled with slashes, or this file would find itself
    assert _lines_with(rf"(?<![\w.~}}])/({homes})/\w") == []


def test_no_address_of_a_registry() -> None:
    """Whoever installs chooses the index; the locks pin by hash."""
    hosts = (r"pypi\.org", r"files\.pythonhosted\.org", r"registry\.npmjs\.org")
    assert _lines_with("|".join(hosts)) == []


def test_locks_are_pinned_by_hash_and_agree() -> None:
    pins = {
        lock.stem: dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.M))
        for lock in (ROOT / "requirements").glob("*.lock")
    }
    assert pins["base"].items() <= pins["dev"].items(), "make lock"
    assert "amqtt" not in pins["dev"], "it pins websockets to one version"
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert all(" \\\n    --hash=sha256:" in entry for entry in re.split(r"\n(?=[\w.-]+==)", lock.read_text())[1:])


def test_what_a_newcomer_looks_for_is_there() -> None:
    pages = ("README.md", "ARCHITECTURE.md", "HACKING.md", "CHANGELOG.md", "LICENSE", "tests/README.md")
    assert [page for page in pages if not (ROOT / page).exists()] == []


def test_no_test_leaves_loopback() -> None:
    with socket.socket() as there, pytest.raises(conftest.Forbidden):
        there.connect(("192.0.2.1", 80))
    with pytest.raises(conftest.Forbidden):
        socket.getaddrinfo("example.com", 80)
