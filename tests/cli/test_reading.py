"""Files that are too deep, too long or too large end a command with a sentence and exit code 2.

Method: each such file to each command that reads one; one gibibyte that takes no room on the disk;
a pipe into which no process writes.
"""

import hashlib
import os
import resource
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.limits import DOCUMENT_BYTES_MAX
from ledger.operations.submission.rows import LINE_CHARS_MAX
from ledger.reading import NOTE_BYTES_MAX, read_from, read_plain
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
    assert len(read_plain(file, NOTE_BYTES_MAX)) == NOTE_BYTES_MAX
    with pytest.raises(OSError, match="more than 5 bytes"):
        read_plain(file, 5)
    with Path("/dev/zero").open("rb") as zeros, pytest.raises(OSError, match="more than 5 bytes"):
        read_from(zeros, 5, "zeros")


@pytest.mark.timeout(60)  # a pipe that is waited for has no other end
@pytest.mark.parametrize(
    "command",
    [
        ("--config", "PIPE", "model", "list"),
        ("verify", "LEDGER", "--checkpoint", "PIPE"),
        ("verify", "LEDGER", "--witness-policy", "PIPE"),
        ("verify", "PROOF", "--event-file", "PIPE", "--vkey", "VKEY"),
        ("audit", "run", "LEDGER", "--state", "PIPE"),
        ("log", "consistency", "PIPE"),
        ("policy", "lint", "PIPE"),
        ("policy", "draft", "main", "PIPE", "--rationale", "x"),
        ("witness", "serve", "--witness-policy", "PIPE"),
    ],
)
def test_a_pipe_in_the_place_of_a_plain_file_is_refused_and_not_waited_for(
    cli: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    proof = cli("log", "prove", "2").out
    places = {"PIPE": "pipe", "LEDGER": "ledger.sqlite", "PROOF": "proof"}
    named = {name: str(tmp_path / place) for name, place in places.items()}
    named["VKEY"] = cli("vkey").out.split()[0]
    os.mkfifo(named["PIPE"])
    Path(named["PROOF"]).write_text(proof)
    ran = cli(*[named.get(one, one) for one in command])
    assert ran.code == Exit.MISUSE
    assert "it is not a plain file" in ran.err


@pytest.mark.parametrize("begin", [b"", b"model,signal,value,observed_at\n"])
def test_rows_that_end_in_a_hole_of_gigabytes_are_refused_before_they_are_read(
    cli: Run, tmp_path: Path, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(begin)
    os.truncate(file, 8 * GIB)
    monkeypatch.setattr(hashlib, "file_digest", pytest.fail)
    ran = cli("signal", "submit", str(file))
    assert ran.code == Exit.MISUSE
    line = 2 if begin else 1
    assert f"Line {line} is longer than {LINE_CHARS_MAX} bytes." in ran.err
