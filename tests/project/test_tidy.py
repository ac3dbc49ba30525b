"""The repository keeps its own rules: names, sizes, words, and what only one file may do.

Method: read every file that git tracks or would track, and name each offender in the failure.
What ruff, mypy, import-linter and buf already hold is left to them.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import files_of_project

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {"LICENSE", "README.md", "ledger", "projections", "proto", "pyproject.toml"}
TOP_LEVEL |= {"tests", "tools"}
GENERATED = ("ledger/v1/", "ledger/rules/checked_pb2.")
LINES_MAX = 400
LONGER = {
    # What a stranger takes along and reads is one file, however long.
    Path("tools", "verify_bundle.py"): 10_000,
    # A service with its requests and answers is one file, most of it comments.
    Path("proto", "ledger", "v1", "job_service.proto"): 520,
    Path("proto", "ledger", "v1", "policy_service.proto"): 540,
    Path("proto", "ledger", "v1", "priority_service.proto"): 450,
    Path("proto", "ledger", "v1", "ledger_service.proto"): 500,
}
FUNCTION_LINES_MAX = 60
DEV_LINES_MAX = 300

# Written in pieces, so that this file passes its own tests.
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:home|root|work|tmp|Users|mnt)" + r"/[\w.]")
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("debian", "org"),
        ("crates", "io"),
        ("golang", "org/x"),
        ("buf", "build"),
    )
]
LEFTOVERS = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"
    r"|raise NotImplemented" + r"Error|mark\.(?:skip|x" + r"fail)|pytest\.(?:skip|x" + r"fail)\b"
    r"|^(?:<{7}|>{7}) ",
    re.MULTILINE,
)
VAGUE_NAMES = {"common", "helper", "helpers", "info", "manager", "misc", "util", "utils"}
CLOCK_CALLS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("os", "urandom"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
}
CHANCE_MODULES = {"random", "secrets"}


def written(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """Yield the text files that people write, with one of the suffixes if any is given."""
    for path in files_of_project():
        if path.as_posix().startswith(GENERATED) or (suffixes and path.suffix not in suffixes):
            continue
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw:
            yield path, raw.decode()


def offenders(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path, text in written():
        for number, line in enumerate(text.splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path}:{number}: {match[0]}")
    return found


def test_top_level_holds_what_it_should_and_nothing_else() -> None:
    names = {path.parts[0] for path in files_of_project()}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = [
        f"{path}: {lines} lines"
        for path, text in written(".py", ".proto", ".toml", ".yaml")
        if (lines := text.count("\n")) > LONGER.get(path, LINES_MAX)
    ]
    assert long == []


def height(node: ast.stmt | ast.expr) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def table_height(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of the literal that a function ends in: a table is data, not logic."""
    last = function.body[-1]
    is_table = isinstance(last, ast.Return) and isinstance(last.value, ast.Dict | ast.List)
    return height(last) if is_table else 0


def test_every_function_fits_a_screen() -> None:
    long = [
        f"{path}:{node.lineno}: {node.name} has {lines} lines"
        for path, text in written(".py")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := height(node) - table_height(node)) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_every_test_module_says_its_goal_and_method() -> None:
    silent = [
        str(path)
        for path, text in written(".py")
        if path.parts[0] == "tests" and text.strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_tests_name_private_parts_of_the_product_in_one_module_only() -> None:
    """What ruff does not see: names that are imported, and names as text for `setattr`."""
    named = set()
    for path, text in written(".py"):
        for node in ast.walk(ast.parse(text)) if path.parts[0] == "tests" else ():
            found: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module and node.module[0] != "_":
                found = [one.name for one in node.names]
            elif isinstance(node, ast.Call) and "setattr" in ast.unparse(node.func):
                found = [str(one.value) for one in node.args[:2] if isinstance(one, ast.Constant)]
            if any(re.search(r"(?:^|\.)_[a-z]", name, re.IGNORECASE) for name in found):
                named.add(path)
    assert named == {Path("tests", "support", "hooks.py")}


def test_no_file_has_a_vague_name() -> None:
    assert [str(path) for path in files_of_project() if path.stem.lower() in VAGUE_NAMES] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert offenders(MACHINE_PATH) == []


def test_no_file_names_a_package_registry() -> None:
    hosts = re.compile("|".join(re.escape(host) for host in REGISTRY_HOSTS))
    assert offenders(hosts) == []


def test_nothing_is_left_half_done_and_one_place_skips() -> None:
    (skips,) = offenders(LEFTOVERS)
    assert skips.startswith("tests/support/made_elsewhere.py:")  # which may be missing


@pytest.mark.parametrize(
    "text",
    [
        "# TO" + "DO: later",
        "raise NotImplemented" + "Error",
        "@pytest.mark.x" + "fail",
        "<" * 7 + " ours",
    ],
)
def test_leftovers_are_recognised(text: str) -> None:
    assert LEFTOVERS.search(text)


@pytest.mark.parametrize("folder", ["home", "work", "tmp", "root"])
def test_machine_paths_are_recognised(folder: str) -> None:
    assert MACHINE_PATH.search(f'open("/{folder}/x")')
    assert not MACHINE_PATH.search(f"tests/{folder}/x and https://host.example/{folder}/x")


def test_only_the_clock_reads_time_and_chance() -> None:
    found = []
    for path, text in written(".py"):
        if path.parts[0] not in {"ledger", "projections"} or path == Path("ledger", "clock.py"):
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                    bad = (owner, name) in CLOCK_CALLS
                case ast.Import(names=names):
                    bad = any(alias.name in CHANCE_MODULES for alias in names)
                case ast.ImportFrom(module=str(module), names=names):
                    bad = module in CHANCE_MODULES or any(
                        (module, alias.name) in CLOCK_CALLS for alias in names
                    )
                case _:
                    continue
            if bad:
                found.append(f"{path}:{node.lineno}")
    assert found == []


def test_the_contract_imports_nothing_but_itself_and_protobuf() -> None:
    imports = {
        f"{path}: {name}"
        for path, text in written(".proto")
        for name in re.findall(r'^import "([^"]+)";', text, re.MULTILINE)
        if not name.startswith(("google/protobuf/", "ledger/v1/"))
    }
    assert imports == set()


def test_the_development_script_needs_nothing_installed() -> None:
    text = (ROOT / "tools" / "dev.py").read_text()
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    assert text.count("\n") < DEV_LINES_MAX


def test_every_room_has_its_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = settings["tool"]["importlinter"]["contracts"][0]
    layered = {name.strip(" ()") for layer in contract["layers"] for name in layer.split("|")}
    source = ROOT / "ledger"
    rooms = {f"ledger.{path.parent.name}" for path in source.glob("*/__init__.py")}
    rooms |= {f"ledger.{path.stem}" for path in source.glob("*.py")}
    # The stubs are no layer: a contract of their own says who may import them. The other two are
    # the package itself and its way in.
    assert rooms - {"ledger.v1", "ledger.__init__", "ledger.__main__"} <= layered


def test_ci_ends_with_the_summary_of_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line.strip() for line in script.read_text().splitlines()]
    commands = [line for line in lines if line.startswith("python3")]
    assert script.stat().st_mode & 0o111
    assert [command.split()[2] for command in commands] == ["check", "test", "test", "test"]
    assert lines[-1] == commands[-1] == "python3 tools/dev.py test --slow"


def test_ci_tries_a_clone_with_nothing_beside_it() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    alone = script[script.index("git clone") : script.index("\n)\n")]
    assert "tests/project" in alone
    assert "set -euo pipefail" in script  # pytest's own failure ends the run, also before `tee`
    assert "[1-9][0-9]* passed" in alone  # tests that are all skipped prove nothing
