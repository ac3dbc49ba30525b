"""A tar of a bundle is read alike by the stand-alone verifier and by the product's.

Method: tars of an honest bundle in every form that tar programs write, and in forms that hide
something beside the files; both verifiers must say what is beside each.
"""

import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.keys import VerifierKey
from ledger.export.files import BundleError
from ledger.export.verify import verify_bundle
from tests.support.chained import Chained, log_key
from tests.verifier.conftest import POLICY
from tests.verifier.writing import load_tool, write_bundle

TOOL = load_tool()
VKEY = log_key(1).vkey


def tarred(
    place: Path,
    folder: Path,
    *,
    top: str = "",
    form: int = tarfile.GNU_FORMAT,
    mtime: float = 0,
    folders: Sequence[str] = (),
    files: Sequence[str] = (),
) -> Path:
    """Write a tar of a bundle's files below `top`, then empty entries of these names and types."""
    with tarfile.open(place, "w", format=form) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            item = archive.gettarinfo(path, f"{top}{path.relative_to(folder).as_posix()}")
            item.mtime = mtime
            with path.open("rb") as file:
                archive.addfile(item, file)
        for name in folders:
            item = tarfile.TarInfo(name)
            item.type = tarfile.DIRTYPE
            archive.addfile(item)
        for name in files:
            archive.addfile(tarfile.TarInfo(name))
    return place


def ended(place: Path, zeros: int, more: bytes = b"") -> None:
    """Make a tar end in so many zeros and something else."""
    with tarfile.open(place) as archive:
        last = archive.getmembers()[-1]
    end = -(-(last.offset_data + last.size) // 512) * 512
    place.write_bytes(place.read_bytes()[:end] + bytes(zeros) + more)


def respelt(place: Path) -> None:
    """Write the mode of the first entry otherwise, with the checksum that belongs to it."""
    content = bytearray(place.read_bytes())
    content[100:108] = b"   644 \0"
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    place.write_bytes(content)


TARS: dict[str, tuple[dict[str, Any], Callable[[Path], None], bool]] = {
    "without a folder": ({}, lambda _: None, True),
    "below one": ({"top": "x/", "folders": ["x", "x/data"]}, lambda _: None, True),
    "below the folder that is meant by a point": (
        {"top": "./", "folders": [".", "./data"]},
        lambda _: None,
        True,
    ),
    "below a folder in that": ({"top": "./x/", "folders": ["./x"]}, lambda _: None, True),
    "in the form of POSIX": ({"form": tarfile.USTAR_FORMAT}, lambda _: None, True),
    "with extended headers": ({"form": tarfile.PAX_FORMAT, "mtime": 0.5}, lambda _: None, False),
    "beside an empty folder": ({"folders": ["more"]}, lambda _: None, False),
    "beside an empty folder within": (
        {"top": "x/", "folders": ["x/data/more"]},
        lambda _: None,
        False,
    ),
    "beside another folder": ({"top": "x/", "folders": ["y"]}, lambda _: None, False),
    "with a file under two names": ({"files": ["./data/checkpoint"]}, lambda _: None, False),
    "ended by two blocks": ({}, lambda place: ended(place, 1_024), True),
    "ended by less": ({}, lambda place: ended(place, 1_023), False),
    "not ended": ({}, lambda place: ended(place, 0), False),
    "with something after its end": ({}, lambda place: ended(place, 2_048, b"x"), False),
    "with a header that tars do not write": ({}, respelt, False),
}


@pytest.mark.parametrize("name", TARS)
def test_a_tar_of_a_bundle(name: str, ledger: Chained, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", ledger)
    how, change, holds = TARS[name]
    place = tarred(tmp_path / "x.tar", folder, **how)
    change(place)
    if holds:
        assert verify_bundle(place, [VerifierKey.parse(VKEY)]).events == 11
        assert TOOL.verify(place, [POLICY], 1)["events"] == 11
        return
    with pytest.raises(BundleError):
        verify_bundle(place, [VerifierKey.parse(VKEY)])
    with pytest.raises(TOOL.Fault):
        TOOL.verify(place, [POLICY], 1)
