"""For anything in place of a bundle, or of a file in it, both verifiers end in one sentence.

Method: files that are enormous, endless, locked, of another kind or nonsense, in an honest bundle;
the stand-alone verifier is run as a program with a bound on its memory wherever that could be
exceeded: exit code 4, one line, no traceback. Nothing waits for a pipe, and no file is read beyond
its bound.
"""

import errno
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.keys import VerifierKey
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.trust import TrustAnchors
from ledger.operations.verification.files import check_bundle
from ledger.operations.verification.target import thing_at
from ledger.operations.verification.verdict import required
from tests.support.chained import Chained, canonical, log_key
from tests.verifier.writing import TOOL as PROGRAM
from tests.verifier.writing import bag, first_key, load_tool, write_bundle

TOOL = load_tool()
VKEY = log_key(1).vkey
MEMORY = 1 << 30
SECONDS = 120  # which only a hang reaches
GIGABYTES = 8 << 30
DEEP = b"[" * 100_000 + b"]" * 100_000
Change = Callable[[Path], None]
NAMES = (
    "bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
    "data/checkpoint", "data/events.jsonl", "data/keys.json", "data/report.html",
    "data/scope.json", "data/verify_bundle.py",
)  # fmt: skip


def sparse(path: Path) -> None:
    """Draw a file out with zeros that take no space."""
    os.truncate(path, GIGABYTES)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def holding(content: bytes) -> Change:
    def change(path: Path) -> None:
        path.write_bytes(content)

    return change


IN_PLACE_OF_A_FILE: dict[str, Change] = {
    "zeros of gigabytes behind it": sparse,
    "a pipe": a_pipe,
    "a folder": a_folder,
    "a link to itself": a_link_to_itself,
    "nothing": Path.unlink,
    "no byte": holding(b""),
    "a zero": holding(b"\0"),
    "no text": holding(b"\xff\xfe\n"),
    "half a character": holding("é".encode()[:1]),
    "a surrogate": holding(b'"\\ud800"\n'),
    "deep JSON": holding(DEEP),
    "deep JSON as a line": holding(b'{"body":' + DEEP + b"}\n"),
    "a number of many digits": holding(b"1" * 100_000),
    "many line feeds": holding(b"\n" * 100_000),
}
HEAVY = {"zeros of gigabytes behind it", "a pipe", "deep JSON", "deep JSON as a line"}


def run(path: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """Run the stand-alone verifier with a bound on its memory, which a shell sets.

    A function to run in the child would fork this process, which gRPC's threads do not survive.
    """
    bounded = ("sh", "-c", f'ulimit -v {MEMORY // 1024} && exec "$@"', "sh")
    return subprocess.run(
        [*bounded, sys.executable, "-I", "-S", str(PROGRAM), str(path), "--vkey", VKEY, *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def refused(path: Path) -> tuple[str, str]:
    """Require a refusal in one sentence of both, and return both sentences."""
    done = run(path)
    assert done.returncode == 4, done.stderr
    return refused_too(path, done.stderr)


def refused_too(path: Path, told: str) -> tuple[str, str]:
    """Require one sentence of what the stand-alone verifier told, and a refusal of the product."""
    assert told.count("\n") == 1, told
    assert told.startswith("not verified: ")
    with pytest.raises(IntegrityFailure) as caught:
        required(check_bundle(path, TrustAnchors((VerifierKey.parse(VKEY),))))
    return told, str(caught.value)


@pytest.mark.parametrize("what", IN_PLACE_OF_A_FILE)
@pytest.mark.parametrize("name", NAMES)
def test_anything_in_place_of_a_file_is_refused_in_one_sentence(
    name: str, what: str, ledger: Chained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    IN_PLACE_OF_A_FILE[what](folder / name)
    if what in HEAVY:
        refused(folder)
    else:  # what takes no memory needs no process of its own
        assert TOOL.main([str(folder), "--vkey", VKEY]) == 4
        refused_too(folder, capsys.readouterr().err)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("text", [b"", b"x" * (8 << 20) + b"\n", b"[" * (8 << 20) + b"\n"])
def test_many_long_lines_fill_no_memory(
    text: bytes, jobs: str, ledger: Chained, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    with (folder / "data" / "events.jsonl").open("ab") as file:
        for _ in range(40):
            file.write(text)
    if not text:
        sparse(folder / "data" / "events.jsonl")
    done = run(folder, "--jobs", jobs)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "data/events.jsonl, line 12, position 12: " in done.stderr


def test_an_endless_policy_is_misuse(ledger: Chained, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    done = run(folder, "--witness-policy", "/dev/zero")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("misuse: more than 1000000 bytes, or a control character")


def test_a_tar_that_is_drawn_out_or_stands_for_gigabytes_is_refused(
    ledger: Chained, tmp_path: Path
) -> None:
    folder, place = write_bundle(tmp_path / "bundle", ledger), tmp_path / "x.tar"
    with tarfile.open(place, "w") as archive:
        archive.add(folder, "x")
    size = place.stat().st_size
    os.truncate(place, GIGABYTES)
    refused(place)
    os.truncate(place, size)
    with place.open("r+b") as file:  # an entry of gigabytes, all of them there
        item = tarfile.TarInfo("x/data/events.jsonl")
        item.size = GIGABYTES - size - 10 * 512
        file.seek(size - size % 512)
        file.write(item.tobuf(tarfile.GNU_FORMAT))
    os.truncate(place, GIGABYTES)
    refused(place)
    place.unlink()
    with place.open("wb") as file:
        item = tarfile.TarInfo("data/events.jsonl")
        item.size = GIGABYTES
        file.write(item.tobuf(tarfile.GNU_FORMAT))
    os.truncate(place, GIGABYTES + 10_240)
    refused(place)


def test_many_equal_keys_are_refused_for_their_bytes(ledger: Chained, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger, keys=first_key() * 300_000)
    for told in refused(folder):
        assert "data/keys.json: " in told
        assert "1048576" in told
    within = (1 << 20) // (len(canonical(first_key())) - 1)
    (folder / "data" / "keys.json").write_bytes(canonical(first_key() * within))
    refused(bag(folder))


@pytest.mark.parametrize("name", NAMES)
def test_what_may_not_be_read_is_refused_in_one_sentence(
    name: str,
    ledger: Chained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, opened = write_bundle(tmp_path / "bundle", ledger), Path.open

    def locked(path: str | Path, *how: Any, **more: Any) -> Any:  # noqa: ANN401 - as `open`
        if Path(path) == folder / name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(Path(path), *how, **more)

    monkeypatch.setattr(TOOL, "open", locked, raising=False)
    monkeypatch.setattr(Path, "open", locked)
    assert TOOL.main([str(folder), "--vkey", VKEY]) == 4
    told = capsys.readouterr().err
    assert told.startswith("not verified: ")
    assert "Permission denied" in told
    with pytest.raises(IntegrityFailure, match="it cannot be read: Permission denied"):
        required(check_bundle(folder, TrustAnchors((VerifierKey.parse(VKEY),))))


@pytest.mark.parametrize("name", ["bundle", "bundle/data"])
def test_a_folder_of_many_files_is_not_looked_through(
    name: str, ledger: Chained, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    for number in range(101):
        (tmp_path / name / f"{number}").touch()
    for told in refused(folder):
        assert "100" in told


def test_a_pipe_in_place_of_a_bundle_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bundle")
    done = run(tmp_path / "bundle")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    with pytest.raises(MisuseError, match="is nothing that can be verified"):
        thing_at(str(tmp_path / "bundle"))


@pytest.mark.parametrize("content", [b"", b"\0" * 100_000, b"\x1f\x8b\x08", b"PK\3\4", DEEP])
def test_what_is_no_tar_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bundle.tar").write_bytes(content)
    refused(tmp_path / "bundle.tar")
