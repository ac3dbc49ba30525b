"""A full export bundle as a source: a folder or an uncompressed archive of one.

Read by the audit itself, beside the bundle's own verifiers. A partial bundle leaves out what most
rules need, so it is not audited; `decision-ledger verify` says what it proves.
"""

import hashlib
import io
import re
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

from ledger.audit.source import (
    HEADER,
    HashPassResult,
    Opener,
    Row,
    SourceKind,
    SourceReport,
    UnreadableError,
    Withheld,
    checked_origin,
    row_of,
)
from ledger.chain.checkpoint import claim_of
from ledger.chain.keys import VerifierKey
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.canonical import decode
from ledger.events.inert import inert
from ledger.reading import open_plain, read_from
from ledger.tar import Member, MemberFile, members

_LINE: Final = re.compile(
    rb'\{"body":(?P<body>.*),"hash":"(?P<hash>[0-9a-f]{64})","header":'
    + HEADER
    + rb',"salt":(?:null|"(?P<salt>[0-9a-f]{32})")\}\n',
    re.DOTALL,
)
_STEP: Final = 1_024  # lines between two known places in the file
_CHUNK: Final = 1 << 20
_SMALL_BYTES_MAX: Final = 256 << 20  # of every file but the events
LINE_BYTES_MAX: Final = 64 << 20  # no event comes near it; a file without line feeds must not fill
_NAMES: Final = frozenset(
    {
        "bag-info.txt",
        "bagit.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "data/checkpoint",
        "data/events.jsonl",
        "data/keys.json",
        "data/report.html",
        "data/scope.json",
        "data/verify_bundle.py",
    }
)
_MANIFEST: Final = re.compile(rb"(?:[0-9a-f]{64}  [\x21-\x7e]+\n)+")
BUNDLE_FILES: Final = "bundle.files"
_UNSIGNED: Final = (
    "No signature covers the bundle's report, its bag-info.txt, and who asked for it and when: "
    "`decision-ledger verify` compares the report with the events and lists the rest."
)
_EVENTS: Final = "data/events.jsonl"


Verify: TypeAlias = Callable[[Path, Sequence[VerifierKey]], SourceReport]
"""Verifies a bundle under the keys that its events name."""


class BundleSource:
    """The ledger in a full bundle."""

    kind: SourceKind = "bundle"
    has_bodies = True

    def __init__(
        self,
        path: Path,
        places: "array[int] | None" = None,
        size: int = 0,
        *,
        verify: Verify | None = None,
    ) -> None:
        """Find the files and the lines; `places` and `size` spare another process the looking.

        `verify` is a verifier of bundles, whose verdict is to count beside the audit's own.
        """
        self._path, self._verify = path, verify
        try:
            self._files = _folder(path) if path.is_dir() else members(path)
            for name, file in self._files.items():
                if name != _EVENTS and file.size > _SMALL_BYTES_MAX:
                    raise ValueError(f"{name} has more than {_SMALL_BYTES_MAX} bytes")  # noqa: TRY301
            self._scope: dict[str, Any] = decode(self._read("data/scope.json"))
            self._note = self._read("data/checkpoint").decode()
            claimed = claim_of(self._note.encode())
            self.origin = checked_origin(claimed.origin)
            kind = self._scope["kind"]
            self.withheld = tuple(
                Withheld(_position(first), _position(last), str(one["reason"]))
                for one in self._scope["withheld"]
                for first, last in one["positions"]
            )
            if places is None:
                places, size = self._find_lines()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"{path} is not a bundle: {inert(str(error))}.",
                remedy="Name the folder or the .tar that `export create` wrote.",
            ) from error
        if kind != "full":
            raise invalid_field(
                "source",
                f"{path} is a bundle of kind {kind}, which leaves out what an audit needs",
                remedy="Verify it with `decision-ledger verify`.",
            )
        self._places, self.size = places, size

    @property
    def opener(self) -> Opener | None:
        """Open the same bundle in another process."""
        return partial(BundleSource, self._path, self._places, self.size)

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield the lines' events; the line's number is the position it should have."""
        position = after - after % _STEP
        if position >= self.size:
            return
        with self._open(_EVENTS, self._places[position // _STEP]) as file:
            while line := file.readline(LINE_BYTES_MAX):
                position += 1
                if position > until:
                    return
                if position > after:
                    yield self._row(line, position)

    def _row(self, line: bytes, position: int) -> Row:
        match = _LINE.fullmatch(line)
        if match is None:
            raise UnreadableError(position, f"line {position} is not a canonical event")
        body = None if match["body"] == b"null" else match["body"]
        salt = None if match["salt"] is None else bytes.fromhex(match["salt"].decode())
        try:
            return row_of(match, self.origin, body, salt, bytes.fromhex(match["hash"].decode()))
        except ValueError as error:
            raise UnreadableError(position, f"line {position}: {error}") from error

    def sizes(self, after: int, until: int) -> list[int]:
        """Return the size of the one checkpoint."""
        return [size for size, _ in self.notes(after) if size <= until]

    def notes(self, after: int) -> Iterator[tuple[int, str]]:
        """Yield the one checkpoint."""
        size = claim_of(self._note.encode()).size
        if size > after:
            yield size, self._note

    def tiles(self, level: int, first: int, last: int) -> None:
        """Return None: a bundle has no tiles."""

    def erased_later(self) -> list[tuple[int, int]]:
        """Return nothing: a bundle ends where it ends."""
        return []

    def examine(self, hashed: HashPassResult) -> SourceReport:
        """Check the manifests, that no other file is there, and what else states the same."""
        found = SourceReport(checked={BUNDLE_FILES: len(self._files)})
        fail = partial(found.fail, BUNDLE_FILES, 0)
        for name in sorted(self._files.keys() - _NAMES):
            fail(f"there is a file {name}")
        payload = {name for name in self._files if name.startswith("data/")}
        tags = {"bag-info.txt", "bagit.txt", "manifest-sha256.txt"}
        for manifest, names in (
            ("manifest-sha256.txt", payload),
            ("tagmanifest-sha256.txt", tags),
        ):
            for what in self._manifest_faults(manifest, names):
                fail(what)
        if (
            self._files.get("data/keys.json")
            and self._read("data/keys.json") != hashed.keys.to_json()
        ):
            fail("keys.json does not list the keys that the ledger records")
        stated = {
            "counts": hashed.types, "first_position": 1, "last_position": self.size,
            "format": "decision-ledger/1", "stream": None,
        }  # fmt: skip
        for name, expected in stated.items():
            if self._scope.get(name) != expected:
                fail(f"scope.json misstates {name}", str(expected), str(self._scope.get(name)))
        sizes = [size for size, _ in self.notes(0)]
        if sizes != [self.size]:
            fail("the bundle does not hold what its checkpoint covers", str(sizes), str(self.size))
        if found.findings or self._verify is None:
            found.remarks.append(_UNSIGNED)
            return found
        beside = self._verify(self._path, hashed.keys.valid_at(self.size))
        found.findings, found.remarks = beside.findings, beside.remarks
        return found

    def _manifest_faults(self, manifest: str, names: set[str]) -> Iterator[str]:
        if manifest not in self._files:
            yield f"there is no {manifest}"
            return
        data = self._read(manifest)
        if _MANIFEST.fullmatch(data) is None:
            yield f"{manifest} is not made of digests and names"
            return
        lines = [line.partition("  ") for line in data.decode().splitlines()]
        listed = {name: digest for digest, _, name in lines}
        for name in sorted(listed.keys() ^ names):
            yield f"{manifest} and the files do not agree about {name}"
        for name in sorted(listed.keys() & self._files.keys()):
            if self._digest(name) != listed[name]:
                yield f"{name} does not have the digest in {manifest}"

    def close(self) -> None:
        """Do nothing: files are opened as they are read."""

    # ---- files -----------------------------------------------------------------------------------

    def _open(self, name: str, skipped: int = 0) -> BinaryIO:
        file = self._files[name]
        if not self._path.is_dir():
            member = Member(file.start + skipped, file.size - skipped)
            return io.BufferedReader(MemberFile(self._path, member))
        opened = open_plain(self._path / name)
        opened.seek(skipped)
        return opened

    def _read(self, name: str) -> bytes:
        """Return what is in a file other than the events."""
        with self._open(name) as file:
            return read_from(file, _SMALL_BYTES_MAX, name)

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._open(name) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def _find_lines(self) -> "tuple[array[int], int]":
        """Return where every _STEP-th line begins, and how many there are."""
        places, at, count = array("Q"), 0, 0
        with self._open(_EVENTS) as file:
            while line := file.readline(LINE_BYTES_MAX):
                if count % _STEP == 0:
                    places.append(at)
                at += len(line)
                count += 1
                if len(line) == LINE_BYTES_MAX:
                    raise ValueError(f"line {count} of its events is too long for an event")
        return places, count


def _position(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{str(value)[:80]!r} is not a position")
    return value


def _folder(path: Path) -> dict[str, Member]:
    """Return the files of a bundle's folder, plain ones only, each from its first byte on."""
    found: dict[str, Member] = {}
    for folder in (path, path / "data"):
        for file in sorted(folder.iterdir()):
            name, status = file.relative_to(path).as_posix(), file.lstat()
            if stat.S_ISREG(status.st_mode):
                found[name] = Member(0, status.st_size)
            elif name != "data" or not stat.S_ISDIR(status.st_mode):
                raise ValueError(f"{name!r} in it is not a plain file")
    return found
