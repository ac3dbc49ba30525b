"""A file that is written whole is there with all that it holds, or as it was before.

Method: what the system is asked to make durable is written down, in order, and refused once.
"""

import os
from pathlib import Path

import pytest

from ledger.private import write_whole


def test_the_content_is_durable_before_the_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(b"old")
    flushed: list[tuple[Path, bytes]] = []

    def fsync(handle: int) -> None:
        flushed.append((Path(f"/proc/self/fd/{handle}").readlink(), path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, b"new")
    assert flushed == [(tmp_path / "kept.json.new", b"old"), (tmp_path, b"new")]
    assert [each.name for each in tmp_path.iterdir()] == ["kept.json"]
    assert path.read_bytes() == b"new"


def test_what_cannot_be_made_durable_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new, and longer")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
