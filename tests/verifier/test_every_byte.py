"""A bundle with any one byte changed is refused by the stand-alone verifier, which says where.

Method: a small bundle of each kind; each byte of each file gets another value in turn (of files
whose lines are alike every third; in the slow run all, and two more values, one of which is the
other case of a letter); and each byte of a tar of it.
"""

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.chained import log_key, small_chained
from tests.verifier.conftest import KINDS, POLICY, write_kind
from tests.verifier.writing import bag, load_tool

TOOL = load_tool()
LINED = {"data/events.jsonl", "data/proofs.jsonl"}
TAGS = {"manifest-sha256.txt", "tagmanifest-sha256.txt"}


def small_bundle(kind: str, folder: Path) -> dict[str, bytes]:
    """Return the files of a bundle; the two that are only hashed are kept short."""
    write_kind(kind, small_chained(models=2, observations=3), folder)
    (folder / "data" / "verify_bundle.py").write_text("pass\n")
    bag(folder)
    found = folder.rglob("*")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found if p.is_file()}


def changes(content: bytes, mask: int, step: int) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(content), step):
        yield at, content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


@pytest.fixture
def genuine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify each signature once: what is signed differs between runs of the loop, or not."""
    known: dict[tuple[bytes, bytes, bytes], bool] = {}
    slow = TOOL.ed25519_verify

    def once(*triple: bytes) -> bool:
        if triple not in known:
            known[triple] = slow(*triple)  # type: ignore[index]
        return known[triple]  # type: ignore[index]

    monkeypatch.setattr(TOOL, "ed25519_verify", once)


def refusal(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    """Return the Fault of a bundle in memory."""

    def opened(content: bytes) -> Any:  # noqa: ANN401 - a callable that opens
        return lambda: BytesIO(content)

    in_memory = {name: opened(content) for name, content in files.items()}
    monkeypatch.setattr(TOOL, "files_of", lambda path: in_memory)
    try:
        TOOL.verify(Path("bundle"), [POLICY], 1)
    except TOOL.Fault as fault:
        return fault
    return None


@pytest.mark.parametrize(
    ("mask", "step"),
    [(1, 3), *(pytest.param(mask, 1, marks=pytest.mark.slow) for mask in (1, 2, 32))],
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("genuine")
def test_every_changed_byte_is_refused_and_located(
    kind: str, mask: int, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small_bundle(kind, tmp_path / "bundle")
    assert refusal(files, monkeypatch) is None
    tried = 0
    for name, content in files.items():
        for at, changed in changes(content, mask, step if name in LINED else 1):
            fault = refusal(files | {name: changed}, monkeypatch)
            assert fault is not None, (name, at)
            file, line = [*fault.args, None][3:5]
            assert name in f"{file}{fault}" or file in TAGS, (name, at, str(fault))
            if name in LINED:
                assert (file, line) == (name, content.count(b"\n", 0, at) + 1), (at, str(fault))
            tried += 1
    assert tried > 4_000 // step
    assert refusal(files, monkeypatch) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_cut_short_or_drawn_out_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small_bundle(kind, tmp_path / "bundle")
    for name, content in files.items():
        for other in (content[:-1], content + b"\n", content + b" ", b"", content * 2, b"\n"):
            if other != content:
                assert refusal(files | {name: other}, monkeypatch), (name, other[:20])


@pytest.mark.usefixtures("genuine")
def test_every_changed_byte_of_a_tar_beside_the_files_is_refused(tmp_path: Path) -> None:
    small_bundle("full", tmp_path / "bundle")
    path = tmp_path / "bundle.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(tmp_path / "bundle", "bundle")
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    content = path.read_bytes()
    assert TOOL.main([str(path), "--vkey", log_key(1).vkey]) == 0
    inside = {at for m in members for at in range(m.offset_data, m.offset_data + m.size)}
    headers = {at for m in members for at in range(m.offset_data - 512, m.offset_data)}
    tried = 0
    with path.open("r+b", buffering=0) as file:
        for at, value in enumerate(content):
            # Of padding, and of the zeros at the end, every 17th is enough.
            if at in inside or (at not in headers and at % 17):
                continue
            assert_refused(file, path, at, value)
            tried += 1
    assert tried > len(headers) == 512 * len(members) > 5_000
    assert TOOL.main([str(path), "--vkey", log_key(1).vkey]) == 0


def assert_refused(file: IO[bytes], path: Path, at: int, value: int) -> None:
    """Change one byte, see the archive refused, put it back."""
    file.seek(at)
    file.write(bytes([value ^ 1]))
    with pytest.raises(TOOL.Fault):
        TOOL.verify(path, [POLICY], 1)
    file.seek(at)
    file.write(bytes([value]))
