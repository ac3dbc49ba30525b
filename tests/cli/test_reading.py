"""Files that are too deep, too long or too large end a command with a sentence and exit code 2.

Method: each such file to each command that reads one; one gibibyte that takes no room on the disk.
"""

import resource
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.limits import DOCUMENT_BYTES_MAX
from ledger.reading import NOTE_BYTES_MAX, read_bytes
from tests.cli.conftest import Run

DEEP = "[" * 100_000
GIB = 1024**3


def sparse(path: Path, size: int = GIB) -> Path:
    """Make a file of so many bytes that takes no room."""
    with path.open("wb") as file:
        file.write(b"{")
        file.truncate(size)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5_000 + "]" * 5_000, "it is nested too deeply (at line 1)."),
        ('b = [\n1]\na = """\n"""\nc = ' + "[" * 5_000, "it is nested too deeply (at line 5)."),
        ("a = " + "9" * 5_000, "a number in it is too long (at line 1)."),
        ("\n[log]\na = [\n" + "9" * 5_000 + ",\n]\n", "a number in it is too long (at line 4)."),
        ("a = \n", "line 1"),
        ("\udcff", "utf-8"),
    ],
)
def test_a_config_that_cannot_be_read_is_named_with_its_fault(
    run: Run, tmp_path: Path, text: str, said: str
) -> None:
    config = tmp_path / "deep.toml"
    config.write_text(text, errors="surrogateescape")
    ran = run("--config", str(config), "model", "list")
    assert ran.code == Exit.MISUSE
    assert str(config) in ran.err
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_rows_that_are_nested_too_deeply_are_named_by_their_number(
    cli: Run, tmp_path: Path
) -> None:
    file = tmp_path / "deep.jsonl"
    file.write_text('{"model":' + "[" * 20_000 + "]" * 20_000 + "}")
    ran = cli("signal", "submit", str(file))
    assert ran.code == Exit.MISUSE
    assert "row 1: it is nested too deeply." in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("log", "checkpoint", "--trust"),
        ("audit", "run", "ledger.sqlite", "--state"),
    ],
)
def test_a_state_that_is_nested_too_deeply_is_named(
    cli: Run, tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "deep.json"
    state.write_text(DEEP)
    if "--trust" in command:
        monkeypatch.setenv("LEDGER_CLIENT__TRUST", str(state))
        ran = cli("log", "checkpoint")
    else:
        line = [str(tmp_path / one) if one.endswith("sqlite") else one for one in command]
        ran = cli(*line, str(state))
    assert ran.code == Exit.MISUSE
    assert str(state) in ran.err
    assert "nested too deeply" in ran.err


@pytest.mark.parametrize("verb", [("policy", "lint"), ("policy", "draft", "main")])
def test_a_policy_of_a_gibibyte_is_refused_before_it_is_read(
    cli: Run, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    file = sparse(tmp_path / "policy.yaml")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rest = ("--rationale", "x") if "draft" in verb else ()
    ran = cli(*verb, str(file), *rest)
    assert ran.code == Exit.MISUSE
    assert f"more than {DOCUMENT_BYTES_MAX} bytes" in ran.err
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 200 * 1024, "a gibibyte was not read"


@pytest.mark.parametrize(
    "command",
    [
        ("--config", "FILE", "model", "list"),
        ("verify", "FILE", "--vkey", "x+00000000+AA"),
        ("audit", "run", "ledger.sqlite", "--state", "FILE"),
        ("audit", "run", "ledger.sqlite", "--witness-policy", "FILE"),
        ("witness", "serve", "STATE", "--witness-policy", "FILE"),
    ],
)
def test_any_other_file_of_a_gibibyte_is_refused_too(
    cli: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    places = {
        "FILE": str(sparse(tmp_path / "large")),
        "ledger.sqlite": str(tmp_path / "ledger.sqlite"),
        "STATE": str(tmp_path / "witness"),
    }
    ran = cli(*[places.get(one, one) for one in command])
    assert ran.code == Exit.MISUSE
    assert len(ran.err) < 1_000


def test_a_bound_is_inclusive_and_holds_for_what_has_no_size(tmp_path: Path) -> None:
    file = tmp_path / "note"
    file.write_bytes(b"x" * NOTE_BYTES_MAX)
    assert len(read_bytes(file, NOTE_BYTES_MAX)) == NOTE_BYTES_MAX
    with pytest.raises(OSError, match="more than 5 bytes"):
        read_bytes(file, 5)
    with pytest.raises(OSError, match="more than 5 bytes"):
        read_bytes(Path("/dev/zero"), 5)
