"""The four tag files that make a folder a BagIt 1.0 bag (RFC 8493), in one spelling.

Why not a library: `ledger/adr/0008-bags-are-written-here.md`.
"""

import re
from collections.abc import Mapping
from typing import Final

from ledger import __version__

DECLARATION_FILE: Final = "bagit.txt"
INFO_FILE: Final = "bag-info.txt"
MANIFEST_FILE: Final = "manifest-sha256.txt"
TAG_MANIFEST_FILE: Final = "tagmanifest-sha256.txt"
TAGGED: Final = (INFO_FILE, DECLARATION_FILE, MANIFEST_FILE)
"""The files in the tag manifest: all tag files but itself."""
PAYLOAD: Final = "data/"

DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

_ENTRY: Final = re.compile(r"([0-9a-f]{64})  ([a-z0-9._/-]+)", re.ASCII)
_AGENT: Final = re.compile(rb"Bag-Software-Agent: decision-ledger ([a-zA-Z0-9.+-]{1,40})\n")
_TAG: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*): (\S(?:.*\S)?)")


class BagError(ValueError):
    """A tag file that cannot be one: the line (from 1), and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def bag_info(
    *,
    origin: str,
    requested_at: str,
    payload_bytes: int,
    payload_files: int,
    version: str = __version__,
) -> bytes:
    """Return `bag-info.txt`. Nothing in it depends on when or where it is written."""
    tags = {
        "Bag-Software-Agent": f"decision-ledger {version}",
        "Bagging-Date": requested_at[:10],
        "External-Identifier": origin,
        "Payload-Oxum": f"{payload_bytes}.{payload_files}",
    }
    return "".join(f"{label}: {value}\n" for label, value in tags.items()).encode()


def version_of(data: bytes) -> str | None:
    """Return the version of this program that a `bag-info.txt` begins with; None for another."""
    match = _AGENT.match(data)
    return None if match is None else match[1].decode()


def parse_bag_info(data: bytes) -> str:
    """Return what a `bag-info.txt` says the payload has: bytes, a point, and files."""
    found: dict[str, str] = {}
    for number, line in enumerate(_lines(data), 1):
        match = _TAG.fullmatch(line)
        if match is None:
            raise BagError(number, "it is not of the form Label: value")
        label, value = match.groups()
        if label in found:
            raise BagError(number, f"{label} is there twice")
        found[label] = value
    if "Payload-Oxum" not in found:
        raise BagError(0, "it has no Payload-Oxum")
    return found["Payload-Oxum"]


def manifest(digests: Mapping[str, str]) -> bytes:
    """Return a manifest of files with their SHA-256 in hex."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def parse_manifest(data: bytes) -> dict[str, tuple[str, int]]:
    """Return path → (digest in hex, line) in order; BagError unless `manifest` wrote it."""
    found: dict[str, tuple[str, int]] = {}
    before = ""
    for number, line in enumerate(_lines(data), 1):
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise BagError(number, "it is not a digest in hex, two spaces and a path")
        digest, path = match.groups()
        if path <= before:
            raise BagError(number, f"{path} does not come after {before}")
        found[path] = digest, number
        before = path
    return found


def _lines(data: bytes) -> list[str]:
    """Return the lines of a text in UTF-8, each ended by a line feed."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BagError(line, "it is not UTF-8") from error
    if not text.endswith("\n"):
        raise BagError(text.count("\n") + 1, "the last line does not end in a newline")
    return text[:-1].split("\n")
