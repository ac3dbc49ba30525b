"""Both verifiers, the stand-alone one and the product's, on one and the same bundle in memory."""

import hashlib
from collections.abc import Callable, Sequence
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from ledger.chain.keys import VerifierKey
from ledger.chain.policy import parse_policy
from ledger.export.files import Bundle, BundleError
from ledger.export.verify import VerifiedBundle, verify_opened
from tests.support.chained import log_key
from tests.verifier.editing import EVENTS

VKEY = log_key(1).vkey


class Opened:
    """A bundle whose files are bytes, for either verifier."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.sizes = {name: len(content) for name, content in files.items()}

    @classmethod
    def of(cls, folder: Path) -> "Opened":
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return cls({p.relative_to(folder).as_posix(): p.read_bytes() for p in paths})

    def open(self, name: str) -> BinaryIO:
        return cast("BinaryIO", BufferedReader(BytesIO(self.files[name])))

    def changed(self, name: str, content: bytes) -> "Opened":
        """Return the bundle with one file's content changed and the bag consistent again."""
        files = self.files | {name: content}
        data = {n: c for n, c in files.items() if n.startswith("data/")}
        oxum = f"{sum(map(len, data.values()))}.{len(data)}"
        files["bag-info.txt"] = f"External-Identifier: x\nPayload-Oxum: {oxum}\n".encode()
        files["manifest-sha256.txt"] = manifest(data)
        files["tagmanifest-sha256.txt"] = self.tag_manifest(files)
        return Opened(files)

    def with_tag(self, name: str, content: bytes) -> "Opened":
        """Return the bundle with a tag file changed, listed with its digest if it is listed."""
        tags = {name: content}
        if name != "tagmanifest-sha256.txt":
            tags["tagmanifest-sha256.txt"] = self.tag_manifest(tags)
        return Opened(self.files | tags)

    def tag_manifest(self, changed: dict[str, bytes]) -> bytes:
        """Return the manifest of the tag files, some of which were changed."""
        files = self.files | changed
        tags = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")
        return manifest({tag: files[tag] for tag in tags})


def manifest(files: dict[str, bytes]) -> bytes:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(files)).encode()


Refusal = tuple[str, int | None, str]
Alone = Callable[..., Refusal | dict[str, Any]]


def product(
    bundle: Opened, keys: Sequence[VerifierKey], policy: bytes = b""
) -> Refusal | VerifiedBundle:
    """Return the refusal of the product's verifier, or what it found."""
    try:
        opened = Bundle(bundle.sizes, bundle.open)
        return verify_opened(opened, keys, parse_policy(policy) if policy else None)
    except BundleError as error:
        return error.file, error.line, str(error)


def compare(
    alone: Alone, bundle: Opened, what: object, vkeys: Sequence[str] = (VKEY,), policy: bytes = b""
) -> bool:
    """Require one verdict of both; return whether it was accepted.

    Of a refused line they name one place; of an accepted bundle they say the same: up to where it
    is complete, what is not signed, and the manifest's digest.
    """
    policies = [b"".join(b"log %s\n" % vkey.encode() for vkey in vkeys) + b"quorum none\n", policy]
    mine = alone(bundle, [one for one in policies[not vkeys :] if one])
    theirs = product(bundle, [VerifierKey.parse(vkey) for vkey in vkeys], policy)
    if isinstance(mine, dict) and isinstance(theirs, VerifiedBundle):
        reach = theirs.reach
        assert [mine[name] for name in ("complete up to", "recorded at", "events newer")] == [
            reach.position,
            reach.recorded_at,
            reach.events_newer,
        ], what
        if mine["callers believed up to"] is not None:
            last = theirs.scope.last_position
            said = " ".join(theirs.subject.facts.callers.believed.sentences(1, last))
            until = mine["callers believed up to"]
            assert (f"events up to position {until} were believed" in said) == bool(until), what
            assert ("not authenticated" in said) == bool(until), what
        assert mine["not signed"] == list(theirs.unsigned), what
        assert mine["manifest"] == theirs.manifest_digest.hex(), what
        return True
    assert isinstance(mine, tuple), (what, theirs)
    assert isinstance(theirs, tuple), (what, mine)
    if mine[0] == theirs[0] == EVENTS and theirs[1]:
        assert mine[1], what
        assert mine[1] <= theirs[1], (what, mine, theirs)
    return False
