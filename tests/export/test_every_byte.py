"""A bundle in which any one byte was changed is refused, and the refusal says where.

Method: small bundles of every kind, held in memory; each byte of each file gets another value in
turn. The archive's own bytes (headers, padding, end) are changed in a file, those of its members
are the same as the folder's.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from ledger.chain.keys import VerifierKey
from ledger.export.archive import Archive
from ledger.export.bag import PAYLOAD
from ledger.export.files import EVENTS, PROOFS, TAG_FILES, Bundle, BundleError
from ledger.export.scope import BundlePlan, Withholding
from ledger.export.verify import verify_bundle, verify_opened
from ledger.tar import members
from tests.support.bundles import LedgerInMemory

WITHHELD = Withholding(streams=frozenset({"models/fares"}), reason="secret")


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a bundle."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def ledger() -> LedgerInMemory:
    made = LedgerInMemory()
    made.observe("fares")
    made.observe("fares", "0.75")
    made.erase(3)
    made.seal()
    return made


def plans(made: LedgerInMemory) -> dict[str, BundlePlan]:
    return {
        "full": made.plan(withholding=WITHHELD),
        "range": made.plan("range", first=4, last=5),
        "stream": made.plan("stream", stream="models/fares"),
    }


def changes(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each byte's place, and the content with that byte changed."""
    for at, value in enumerate(content):
        yield at, content[:at] + bytes([value ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("kind", ["full", "range", "stream"])
def test_every_changed_byte_of_every_file_is_refused_and_located(kind: str, tmp_path: Path) -> None:
    made = ledger()
    key = VerifierKey.parse(made.vkey)
    made.write_short(tmp_path, plans(made)[kind])
    files = contents(tmp_path)
    sizes = {name: len(content) for name, content in files.items()}
    bundle = Bundle(sizes, lambda name: BytesIO(files[name]))
    verify_opened(bundle, [key])
    for name, content in list(files.items()):
        for at, changed in changes(content):
            files[name] = changed
            with pytest.raises(BundleError) as refusal:
                verify_opened(bundle, [key])
            found = refusal.value
            assert found.file == name or {found.file, name} <= TAG_FILES, (name, at, str(found))
            if name in {EVENTS, PROOFS}:
                assert found.line == content.count(b"\n", 0, at) + 1, (name, at, str(found))
        files[name] = content
    verify_opened(bundle, [key])


def test_every_changed_byte_of_an_archive_is_refused(tmp_path: Path) -> None:
    made = ledger()
    key = VerifierKey.parse(made.vkey)
    made.write_short(tmp_path / "bundle", made.plan())
    path = tmp_path / "bundle.tar"
    archived = Archive(tmp_path / "bundle", "export-1").read(0)
    path.write_bytes(b"".join(archived))
    verify_bundle(path, [key])
    content = path.read_bytes()
    files = members(path).values()
    inside = {at for member in files for at in range(member.start, member.start + member.size)}
    with path.open("r+b", buffering=0) as file:
        for at, value in enumerate(content):
            if at in inside:  # the same bytes as above
                continue
            file.seek(at)
            file.write(bytes([value ^ 1]))
            with pytest.raises(BundleError):
                verify_bundle(path, [key])
            file.seek(at)
            file.write(bytes([value]))
    verify_bundle(path, [key])


def test_an_archive_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    made = ledger()
    key = VerifierKey.parse(made.vkey)
    made.write_short(tmp_path / "bundle", made.plan())
    content = b"".join(Archive(tmp_path / "bundle", "export-1").read(0))
    path = tmp_path / "cut.tar"
    whole = members_end(content)
    for size in range(0, whole, 97):
        path.write_bytes(content[:size])
        with pytest.raises(BundleError):
            verify_bundle(path, [key])


def members_end(content: bytes) -> int:
    """Return where the end of an archive begins: its last 512 bytes that are not zero."""
    return len(content.rstrip(b"\0")) // 512 * 512


def test_payload_names_are_those_of_the_format(tmp_path: Path) -> None:
    made = ledger()
    made.write_short(tmp_path, plans(made)["stream"])
    payload = {name.removeprefix(PAYLOAD) for name in contents(tmp_path)} - TAG_FILES
    assert payload == {
        "checkpoint",
        "events.jsonl",
        "keys.json",
        "proofs.jsonl",
        "report.html",
        "scope.json",
        "seal.json",
        "verify_bundle.py",
    }
