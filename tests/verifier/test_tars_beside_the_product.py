"""A tar of a bundle is read alike by the stand-alone verifier and by the product's.

Method: tars of an honest bundle in every form that tar programs write, and in forms that hide
something beside the files or lie about their sizes; then thousands of random edits. Both verifiers
must say the same of each, and the files that they find must be the same bytes.
"""

import random  # noqa: TID251 - always from a seed
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import tar
from ledger.chain.keys import VerifierKey
from ledger.export.files import BundleError, BundleFormError, open_bundle
from ledger.export.verify import verify_bundle
from ledger.operations.failures import IntegrityFailure
from ledger.operations.trust import TrustAnchors
from ledger.operations.verification.files import check_bundle
from tests.support.chained import Chained, log_key
from tests.verifier.archives import BLOCK, edited, ended, headers, summed, tarred
from tests.verifier.conftest import POLICY
from tests.verifier.writing import bag, load_tool, write_bundle

TOOL = load_tool()
VKEY = log_key(1).vkey
PAX: dict[str, Any] = {"form": tarfile.PAX_FORMAT, "mtime": 0.5}
Change = Callable[[Path], None]


def unchanged(_: Path) -> None:
    """Leave the tar as it is."""


def binary(size: int) -> bytes:
    """Return a size as GNU tar writes it where eleven octal digits are too few, or below zero."""
    return (b"\x80" if size >= 0 else b"\xff") + size.to_bytes(11, "big", signed=True)


HONEST: dict[str, tuple[dict[str, Any], Change]] = {
    "without a folder": ({}, unchanged),
    "below one": ({"top": "x/", "folders": ["x", "x/data"]}, unchanged),
    "below the folder that a point means": (
        {"top": "./", "folders": [".", "./data"]},
        unchanged,
    ),
    "below a folder in that": ({"top": "./x/", "folders": ["./x"]}, unchanged),
    "in the form of POSIX": ({"form": tarfile.USTAR_FORMAT}, unchanged),
    "in Python's default form, with times": ({**PAX, "top": "x/"}, unchanged),
    "in that form below a folder beyond ASCII": ({**PAX, "top": "Bündel/"}, unchanged),
    "in that form below a long folder": ({**PAX, "top": f"{'x' * 120}/"}, unchanged),
    "below folders of POSIX's prefix": (
        {"form": tarfile.USTAR_FORMAT, "top": f"{'x' * 90}/"},
        unchanged,
    ),
    "with what other programs say of a file": (
        {**PAX, "said": {"SCHILY.xattr.user.a": "b", "LIBARCHIVE.creationtime": "1.5"}},
        unchanged,
    ),
    "with a mode in another spelling": ({}, edited(100, b"   644 \0")),
    "with an owner": ({}, edited(108, b"0001750\0")),
    "with sizes that end in a space": ({}, edited(135, b" ")),
    "ended by two blocks": ({}, ended(1_024)),
    "ended by a megabyte": ({}, ended(1 << 20)),
}
REFUSED: dict[str, tuple[dict[str, Any], Change]] = {
    "beside an empty folder": ({"folders": ["more"]}, unchanged),
    "beside an empty folder within": ({"top": "x/", "folders": ["x/data/more"]}, unchanged),
    "beside a folder of its own name within": ({"top": "x/", "folders": ["x/x"]}, unchanged),
    "beside another folder": ({"top": "x/", "folders": ["y"]}, unchanged),
    "with a file under two names": ({"files": ["./data/checkpoint"]}, unchanged),
    "with a file twice": ({"files": ["data/checkpoint"]}, unchanged),
    "below the root": ({"top": "/"}, unchanged),
    "below the folder above": ({"top": "../"}, unchanged),
    "below a folder and back": ({"top": "x/../"}, unchanged),
    "below a folder of no name": ({"top": "x//"}, unchanged),
    "ended by less than two blocks": ({}, ended(1_023)),
    "not ended": ({}, ended(0)),
    "ended by more than a megabyte": ({}, ended((1 << 20) + 1)),
    "with something after its end": ({}, ended(2_048, b"x")),
    "with a size below zero": ({}, edited(124, binary(-1))),
    "with a size of a block below zero": ({}, edited(124, binary(-1_024))),
    "with a size that leads back to its header": ({}, edited(124, binary(-BLOCK))),
    "with a size of gigabytes": ({}, edited(124, b"%011o\0" % (8**11 - 1))),
    "with a size beyond any file": ({}, edited(124, binary(1 << 80))),
    "with a small size in binary": ({}, edited(124, binary(BLOCK))),
    "with a size with a sign": ({}, edited(124, b"-0000000001\0")),
    "with a size of no digits": ({}, edited(124, b"\0" * 12)),
    "with a size after spaces": ({}, edited(124, b"       1000\0")),
    "with a wrong checksum": ({}, lambda place: flipped(place, 148)),
    "with a byte that no checksum fits": ({}, lambda place: flipped(place, 300)),
    "with a link": ({}, edited(156, b"2data/checkpoint")),
    "with a hard link": ({}, edited(156, b"1data/checkpoint")),
    "with a device": ({}, edited(156, b"3")),
    "with a pipe": ({}, edited(156, b"6")),
    "with a file that names a link": ({}, edited(156, b"0data/checkpoint")),
    "with a sparse file": ({}, edited(156, b"S")),
    "with a folder that has content": ({}, edited(156, b"5")),
    "with a name behind the name's end": ({}, edited(90, b"x")),
    "with something in the header's last bytes": ({}, edited(505, b"x")),
    "with a prefix in the form of GNU": ({}, edited(345, b"x")),
    "with a form of no program": ({}, edited(257, b"ustar\0 0")),
    "with a name that is no text": ({}, edited(0, b"\xff")),
    "with a long name of GNU": ({"top": f"{'x' * 120}/"}, unchanged),
    "with a size in an extended header": ({**PAX, "said": {"size": "1"}}, unchanged),
    "with a sparse map in one": ({**PAX, "said": {"GNU.sparse.major": "1"}}, unchanged),
    "with a link's name in one": ({**PAX, "said": {"linkpath": "data/checkpoint"}}, unchanged),
    "with another coding of names in one": ({**PAX, "said": {"hdrcharset": "BINARY"}}, unchanged),
    "with a path of nothing in one": ({**PAX, "said": {"path": ""}}, unchanged),
    "with a path that leads away in one": ({**PAX, "said": {"path": "../bagit.txt"}}, unchanged),
    "with an extended header for all files": (PAX, edited(156, b"g")),
    "with an extended header for the next one": (PAX, edited(156, b"x", 1)),
    "with records that are none": (
        PAX,
        lambda place: replaced(place, b" mtime=0.5", b" mtime:0.5"),
    ),
    "with records of another length": (PAX, lambda place: replaced(place, b"13 m", b"14 m")),
    "with a record twice": (
        PAX,
        lambda place: doubled(place, b"13 mtime=0.5\n"),
    ),
    "of more entries than a bundle has": ({"folders": ["."] * 101}, unchanged),
}


def flipped(place: Path, at: int) -> None:
    content = bytearray(place.read_bytes())
    content[at] ^= 1
    place.write_bytes(content)


def replaced(place: Path, old: bytes, new: bytes) -> None:
    content = place.read_bytes()
    assert old in content
    place.write_bytes(content.replace(old, new, 1))


def doubled(place: Path, record: bytes) -> None:
    edited(124, b"%011o\0" % (2 * len(record)))(place)
    replaced(place, record + bytes(len(record)), record * 2)


def judged(place: Path) -> bool:
    """Require one verdict of both verifiers on the archive, and the same files where they read."""
    found: list[dict[str, bytes] | None] = []
    try:
        bundle = open_bundle(place)
        found.append({name: read(bundle.open, name) for name in bundle.sizes})
    except BundleError:
        found.append(None)
    try:
        files = TOOL.files_of(place)
        found.append({name: read(lambda name: files[name](), name) for name in files})
    except TOOL.Fault:
        found.append(None)
    assert found[0] == found[1]
    verdicts: list[bool] = []
    try:
        verdicts.append(bool(verify_bundle(place, [VerifierKey.parse(VKEY)]).events))
    except BundleError:
        verdicts.append(False)
    try:
        verdicts.append(bool(TOOL.verify(place, [POLICY], 1)["events"]))
    except TOOL.Fault:
        verdicts.append(False)
    assert verdicts[0] == verdicts[1]
    return verdicts[0]


def read(opened: Callable[[str], Any], name: str) -> bytes:
    with opened(name) as file:
        content: bytes = file.read()
    return content


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_tar_is_accepted_by_both(name: str, ledger: Chained, tmp_path: Path) -> None:
    how, change = HONEST[name]
    place = tarred(tmp_path / "x.tar", write_bundle(tmp_path / "bundle", ledger), **how)
    change(place)
    assert judged(place)


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_tar_is_refused_by_both(name: str, ledger: Chained, tmp_path: Path) -> None:
    how, change = REFUSED[name]
    place = tarred(tmp_path / "x.tar", write_bundle(tmp_path / "bundle", ledger), **how)
    change(place)
    assert not judged(place)
    with pytest.raises(BundleError):
        open_bundle(place)
    with pytest.raises(TOOL.Fault):
        TOOL.files_of(place)


@pytest.mark.parametrize(
    "form", ["--format=gnu", "--format=posix", "--format=ustar", "--format=pax"]
)
def test_what_the_tar_of_this_machine_packs_is_accepted_by_both(
    form: str, ledger: Chained, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "Bündel", ledger)
    for what in (["Bündel"], ["-C", "Bündel", "."]):
        subprocess.run(["tar", form, "-cf", "x.tar", *what], cwd=tmp_path, check=True)
        assert judged(tmp_path / "x.tar")


def test_a_tar_in_another_form_is_told_to_be_unpacked_not_to_be_forged(
    ledger: Chained, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    forms: dict[str, dict[str, Any]] = {
        "a long name": {"top": f"{'x' * 120}/"},
        "a sparse map": {**PAX, "said": {"GNU.sparse.major": "1"}},
    }
    for how in forms.values():
        place = tarred(tmp_path / "x.tar", folder, **how)
        with pytest.raises(BundleFormError):
            open_bundle(place)
        with pytest.raises(TOOL.Fault, match="unpack the tar and verify the folder"):
            TOOL.files_of(place)


def test_a_tar_that_would_mislead_a_tar_program_is_not_told_to_be_unpacked(
    ledger: Chained, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    for size in (-1, -1_024, 512):
        place = tarred(tmp_path / "x.tar", folder)
        edited(124, binary(size))(place)
        with pytest.raises(BundleError, match="below zero, or written to mislead") as caught:
            open_bundle(place)
        assert type(caught.value) is BundleError
        with pytest.raises(TOOL.Fault) as fault:
            TOOL.files_of(place)
        assert "unpack" not in str(fault.value)


def test_a_tar_in_another_form_is_no_evidence_in_the_words_of_verify(
    ledger: Chained, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    place = tarred(tmp_path / "x.tar", folder, top=f"{'x' * 120}/")
    with pytest.raises(IntegrityFailure) as caught:
        check_bundle(place, TrustAnchors((VerifierKey.parse(VKEY),)))
    assert "unpack it, and verify the folder" in str(caught.value)
    assert "evidence" not in str(caught.value)


def test_no_content_is_read_to_find_the_files(ledger: Chained, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    place = tarred(tmp_path / "x.tar", folder)
    found = tar.members(place)
    content = place.read_bytes()
    for name, member in found.items():
        whole = content[member.start : member.start + member.size]
        assert whole == (folder / name).read_bytes()


# ---- edits at random -----------------------------------------------------------------------------

SIZES = (
    b"00000000000\0", b"77777777777\0", b"00000001000\0", b"00000001001 ", b"-0000001000\0",
    b"           \0", b"0x000000010\0", *(binary(size) for size in (
        -1, -512, -1_024, -(1 << 62), 0, 1, 8**11 - 1, 8**11, 1 << 63, (1 << 87) - 1)),
)  # fmt: skip
RECORDS = (
    b"13 mtime=0.5\n", b"10 path=a\n", b"9 path=a\n", b"20 path=./bagit.txt\n", b"11 size=1\n",
    b"0 mtime=1\n", b"99999999999999999999 mtime=1\n", b"12 mtime=1\n\n", b"15 mtime=-1e999\n",
    b"\0", b"22 GNU.sparse.major=1\n", b"8 a=\xff\xfe\n", b"18 SCHILY.xattr.a=\n", b"-5 uid=1\n",
    b"08 uid=1\n",
)  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a tar with something in it changed, mostly with checksums that fit."""
    changed, found = bytearray(content), headers(content)
    if not found or found[-1] + BLOCK > len(content):
        return content
    at = chance.choice(found)
    match chance.randrange(10):
        case 0:
            changed[at + 124 : at + 136] = chance.choice(SIZES)
        case 1:
            size = int(content[at + 124 : at + 135], 8) + chance.choice((-513, -1, 1, 511, 512))
            changed[at + 124 : at + 136] = b"%011o\0" % max(size, 0)
        case 2:
            changed[at + 156] = chance.choice(b"\x00012345679xgLKSDMNVXA")
        case 3:
            changed[chance.randrange(at, at + BLOCK)] = chance.choice(b"\0 /.019xX\x80\xff")
        case 4:
            changed[at + 257 : at + 265] = chance.choice(
                (b"ustar\x0000", b"ustar  \0", b"\0" * 8, b"ustar\0\0\0", b"ustar 00")
            )
        case 5:
            name = chance.choice((b"../x", b"/x", b"./data", b"x/", b"data/checkpoint", b".", b""))
            changed[at : at + len(name) + 1] = name + b"\0"
        case 6:
            start = chance.randrange(0, len(changed), BLOCK)
            block = changed[start : start + BLOCK]
            place = chance.randrange(0, len(changed), BLOCK)
            changed[place:place] = chance.choice(
                (block, bytes(BLOCK), block[: chance.randrange(BLOCK)])
            )
        case 7:
            start = chance.randrange(0, len(changed), BLOCK)
            del changed[start : start + BLOCK * chance.randrange(1, 4)]
        case 8:
            del changed[chance.randrange(len(changed)) :]
            changed += bytes(chance.choice((0, 0, 1, 512, 1_024, 10_240)))
        case _:
            text = b"".join(chance.choices(RECORDS, k=chance.randrange(1, 4)))
            extended = bytearray(changed[at : at + BLOCK])
            extended[124:136], extended[156] = b"%011o\0" % len(text), ord("x")
            changed[at:at] = extended + text + bytes(-len(text) % BLOCK)
    if chance.randrange(8) and at + BLOCK <= len(changed):
        summed(changed, at)
    return bytes(changed)


@pytest.mark.parametrize("count", [400, pytest.param(12_000, marks=pytest.mark.slow)])
def test_random_edits_of_tars_are_judged_alike_by_both(
    count: int, ledger: Chained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(public: bytes, signature: bytes, message: bytes) -> bool:
        return VerifierKey("x", 1, public).verifies(message, signature)

    monkeypatch.setattr(TOOL, "ed25519_verify", verify)
    chance = random.Random(count)
    folder = write_bundle(tmp_path / "bundle", ledger)
    (folder / "data" / "verify_bundle.py").write_text("pass\n")
    bag(folder)
    place, verdicts = tmp_path / "x.tar", Counter[bool]()
    forms: list[dict[str, Any]] = [{}, {"top": "x/"}, {"form": tarfile.USTAR_FORMAT}]
    forms += [PAX, {**PAX, "top": "ü/"}]
    honest = [tarred(place, folder, **how).read_bytes() for how in forms]
    for number in range(count):
        content = chance.choice(honest)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            content = mutated(content, chance)
        place.write_bytes(content)
        try:
            verdicts[judged(place)] += 1
        except Exception as error:
            raise AssertionError(f"edit {number}: {type(error).__name__} {error}") from error
    assert verdicts[True] > count // 20
    assert verdicts[False] > count // 2
