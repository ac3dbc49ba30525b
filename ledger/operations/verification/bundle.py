"""Verification of an export bundle, a folder or a tar archive, to the byte, without a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.export.files import BundleError
from ledger.export.verify import Verified, verify_bundle
from ledger.operations import Move
from ledger.operations.failures import IntegrityFailure
from ledger.operations.trust import TrustAnchors

_REMEDY: Final = "Keep it as evidence, and ask the issuer for another."


@dataclass(frozen=True, slots=True)
class CheckedBundle:
    """What a bundle was found to be."""

    thing: str
    path: str
    origin: str
    kind: str
    stream: str
    first_position: int
    last_position: int
    events: int
    checkpoint_size: int
    root: bytes
    signed_by: tuple[str, ...]
    witnesses: tuple[str, ...]
    erased_proven: int
    erased_stated: int
    withheld: int
    withheld_reasons: Mapping[str, int]
    unknown_types: Mapping[str, int]
    manifest_digest: bytes


def check_bundle(
    path: Path, given: TrustAnchors, move: Move | None = None, *, shown: Path | None = None
) -> CheckedBundle:
    """Return what a bundle is; IntegrityFailure names file and line of what does not hold.

    `shown` is the place to name instead of `path`, for a bundle that is still on its way there.
    """
    given.require("A bundle")
    try:
        found = verify_bundle(path, given.keys, given.policy, move)
    except BundleError as error:
        raise IntegrityFailure(f"The bundle does not verify: {error}.", _REMEDY) from error
    return _as_checked(found, str(shown or path))


def _as_checked(found: Verified, path: str) -> CheckedBundle:
    scope, missing = found.scope, found.missing
    return CheckedBundle(
        "bundle",
        path,
        found.origin,
        scope.kind,
        scope.stream or "",
        scope.first_position,
        scope.last_position,
        found.events,
        found.checkpoint_size,
        found.root,
        found.signed_by,
        found.witnesses,
        missing.erased_proven,
        missing.erased_stated,
        missing.withheld,
        {reason: ranges.count() for reason, ranges in scope.withheld},
        found.unknown_types,
        found.manifest_digest,
    )
