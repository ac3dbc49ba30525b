"""A bundle holds the files of the format, as they are listed, and nothing beside them.

Method: files lost, added, linked and renamed; manifests and tag files written otherwise, with those
that cover them made consistent again; each refusal names the file.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verifier.conftest import Refuse
from tests.verifier.editing import EVENTS
from tests.verifier.writing import bag, digest_lines


def test_each_missing_file_is_named(bundle: Path, refuse: Refuse) -> None:
    names = [p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()]
    for name in names:
        content = (bundle / name).read_bytes()
        (bundle / name).unlink()
        assert name in refuse(bundle)[3]
        if name.startswith("data/"):
            bag(bundle)
            assert name in refuse(bundle)[3]
        (bundle / name).write_bytes(content)
        bag(bundle)


@pytest.mark.parametrize(
    "name",
    ["data/more.txt", "more.txt", "data/.hidden", "fetch.txt", "data/deep/more.txt", "deep/x"],
)
def test_each_file_beside_those_of_the_format_is_named(
    name: str, bundle: Path, refuse: Refuse
) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("more")
    bag(bundle)
    assert name.rpartition("/")[0] in refuse(bundle)[3]
    assert (name.rsplit("/", maxsplit=1)[-1] if "deep" not in name else "deep") in refuse(bundle)[3]


def test_links_are_refused_even_to_the_right_bytes(bundle: Path, refuse: Refuse) -> None:
    for name in ("data/checkpoint", EVENTS, "bagit.txt"):
        elsewhere = bundle.parent / "elsewhere"
        shutil.move(bundle / name, elsewhere)
        (bundle / name).symlink_to(elsewhere)
        assert refuse(bundle)[0] == name
        (bundle / name).unlink()
        shutil.move(elsewhere, bundle / name)
    shutil.move(bundle / "data", bundle.parent / "other")
    (bundle / "data").symlink_to(bundle.parent / "other")
    assert refuse(bundle)[0] == "data"
    (bundle / "data").unlink()
    os.mkfifo(bundle / "data")
    assert refuse(bundle)[0] == "data"


MANIFESTS: dict[str, Callable[[str], str]] = {
    "one space": lambda t: t.replace("  ", " ", 1),
    "a tab": lambda t: t.replace("  ", "\t", 1),
    "a binary mark": lambda t: t.replace("  ", " *", 1),
    "capitals": lambda t: t.replace(t[:64], t[:64].upper(), 1),
    "a line twice": lambda t: t.split("\n")[0] + "\n" + t,
    "a line less": lambda t: t.split("\n", 1)[1],
    "lines in another order": lambda t: "".join(t.splitlines(keepends=True)[::-1]),
    "an empty line": lambda t: t + "\n",
    "no last line feed": lambda t: t[:-1],
    "carriage returns": lambda t: t.replace("\n", "\r\n"),
    "a strange path": lambda t: t.replace("  ", "  ./", 1),
}


@pytest.mark.parametrize("which", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_are_taken_literally(name: str, which: str, bundle: Path, refuse: Refuse) -> None:
    tags = bundle / "tagmanifest-sha256.txt"
    before = (bundle / which).read_text()
    (bundle / which).write_text(MANIFESTS[name](before))
    if which.startswith("manifest"):
        old = hashlib.sha256(before.encode()).hexdigest()
        new = hashlib.sha256((bundle / which).read_bytes()).hexdigest()
        tags.write_text(tags.read_text().replace(old, new))
    assert refuse(bundle)[0] == which


@pytest.mark.parametrize("text", ["Payload-Oxum: 1.1\n", "External-Identifier: x\n", "x\n", ""])
def test_the_sum_of_bytes_and_files_has_to_be_right(
    text: str, bundle: Path, refuse: Refuse
) -> None:
    (bundle / "bag-info.txt").write_text(text)
    tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
    (bundle / "tagmanifest-sha256.txt").write_text(digest_lines(bundle, tags))
    assert refuse(bundle)[0] == "bag-info.txt"


def test_no_label_is_there_twice(bundle: Path, refuse: Refuse) -> None:
    info = bundle / "bag-info.txt"
    info.write_text("External-Identifier: another\n" + info.read_text())
    tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
    (bundle / "tagmanifest-sha256.txt").write_text(digest_lines(bundle, tags))
    assert refuse(bundle)[0] == "bag-info.txt"
