"""Verifying a bundle: every byte of every file, strictly, down to the signed checkpoint.

The verifier brings the key, or a policy of keys, from somewhere else: nothing in a bundle says
which key to trust. The first thing that does not hold is named by file and line. A second verifier
that shares no line with this one is `tools/verify_bundle.py`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.keys import VerifierKey
from ledger.chain.policy import WitnessPolicy
from ledger.events.registry import BY_TYPE
from ledger.export.bag import (
    DECLARATION,
    DECLARATION_FILE,
    INFO_FILE,
    MANIFEST_FILE,
    PAYLOAD,
    TAG_MANIFEST_FILE,
    TAGGED,
    BagError,
    parse_bag_info,
    parse_manifest,
)
from ledger.export.events import EventChecks
from ledger.export.facts import ReportSubject
from ledger.export.files import (
    CHECKPOINT,
    EVENTS,
    FILES,
    KEYS,
    PROOFS,
    REPORT,
    SCOPE,
    SEAL,
    TAG_FILES,
    VERIFIER,
    Bundle,
    BundleError,
    check_size,
    open_bundle,
    read_all,
)
from ledger.export.keys import BundleKeys
from ledger.export.missing_bodies import MissingBodies
from ledger.export.reach import AgeBound, BundleReach, reach_of
from ledger.export.scope import BundleScope, ScopeError
from ledger.export.sealing import check_seal
from ledger.export.trust import TrustedCheckpoint, TrustError, check_brought, open_trusted

INFO: Final = f"{INFO_FILE}, but for Payload-Oxum"
"""The name under which `bag-info.txt` is listed as not signed."""

Advance = Callable[[int, int], None]
"""Told how many events are verified, of how many."""

_READ: Final = 1 << 20
_Listed = Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """The verified contents of a bundle."""

    origin: str
    scope: BundleScope
    events: int
    checkpoint_size: int
    root: bytes
    signed_by: tuple[str, ...]
    """The keys of yours that signed the checkpoint."""
    witnesses: tuple[str, ...]
    """Those of your policy that cosigned it."""
    cosigned_at: tuple[str, ...]
    """When each of them says that it did, in UTC."""
    missing: MissingBodies
    unknown_types: Mapping[str, int]
    """Types of events that this release does not know: hashed and counted like any other."""
    manifest_digest: bytes
    """SHA-256 of the manifest, which `export.issued` names in the ledger."""
    reach: BundleReach
    unsigned: tuple[str, ...]
    """By name, what the bundle says that no signature covers."""
    subject: ReportSubject = field(compare=False)
    """The parts of it that its report is about."""
    report_verdict: str = ""
    """How the report compares with these parts; empty where it was not looked at."""
    callers: tuple[str, ...] = ()
    """Sentences about callers that were believed."""


def verify_bundle(
    path: Path,
    keys: Sequence[VerifierKey] = (),
    policy: WitnessPolicy | None = None,
    advance: Advance | None = None,
    age: AgeBound | None = None,
) -> VerifiedBundle:
    """Return what a bundle is, a folder or a tar archive; BundleError where it does not verify.

    `keys` are verifier keys of the ledger, `policy` says who else must have signed; at least one
    of them is needed, and both hold if both are given. `age` bounds how much newer than the
    bundle's end its checkpoint may be.
    """
    return verify_opened(open_bundle(path), keys, policy, advance, age)


def verify_opened(
    bundle: Bundle,
    keys: Sequence[VerifierKey],
    policy: WitnessPolicy | None = None,
    advance: Advance | None = None,
    age: AgeBound | None = None,
) -> VerifiedBundle:
    """Return the same for a bundle that is open."""
    scope = _scope(bundle)
    listed = _manifests(bundle)
    _check_small(bundle, listed)
    try:
        trusted = open_trusted(read_all(bundle, CHECKPOINT), keys, policy)
    except TrustError as error:
        raise BundleError(CHECKPOINT, 0, str(error)) from error
    stated = trusted.checkpoint
    spans = BundleKeys(read_all(bundle, KEYS), scope.kind, stated.origin)
    signers = _valid(trusted, spans, keys, policy)
    _check_place(scope, stated)
    checks = EventChecks(bundle, scope, stated, spans, advance)
    checked = checks.run()
    _check_digests(checked.digests, listed)
    end, position, is_sealed = checks.last, checks.last.position, scope.kind == "stream"
    if is_sealed:
        end, position = check_seal(read_all(bundle, SEAL), stated, checks.last)
    reach = reach_of(stated.size, position, end.position, end.recorded_at, is_sealed=is_sealed)
    if age is not None:
        reach.check(age, [one.seconds for one in trusted.cosigned])
    return VerifiedBundle(
        stated.origin,
        scope,
        checked.events,
        stated.size,
        stated.root,
        tuple(map(str, signers)),
        trusted.witnesses,
        trusted.cosigned_at,
        checked.missing,
        {type_: count for type_, count in scope.counts.items() if type_ not in BY_TYPE},
        hashlib.sha256(read_all(bundle, MANIFEST_FILE)).digest(),
        reach,
        tuple(_unsigned(scope, trusted)),
        ReportSubject(
            scope,
            checks.facts,
            stated,
            read_all(bundle, CHECKPOINT),
            checked.missing.erased_proven,
            str(reach),
        ),
    )


def _unsigned(scope: BundleScope, trusted: TrustedCheckpoint) -> Iterator[str]:
    """Yield by name what a bundle says that no signature covers."""
    yield INFO
    yield REPORT
    yield VERIFIER
    yield f"{SCOPE}: requested_at, requested_by"
    if scope.withheld:
        yield f"{SCOPE}: each reason in withheld"
    if scope.kind != "full":
        yield f"{KEYS}: from and until which size a key counts"
    for name in trusted.unread:
        yield f"{CHECKPOINT}: the line of {name}, by no key given and checked"


def _valid(
    trusted: TrustedCheckpoint,
    spans: BundleKeys,
    keys: Sequence[VerifierKey],
    policy: WitnessPolicy | None,
) -> list[VerifierKey]:
    """Return the signers whose signature counts at the size, enough of those brought along."""
    valid, faults = [], []
    for key in trusted.keys:
        try:
            spans.check_signer(key, trusted.checkpoint.size)
            valid.append(key)
        except BundleError as error:
            faults.append(error)
    try:
        check_brought(valid, keys, policy)
    except TrustError:  # which they satisfied before
        raise faults[0] from None
    return valid


def _scope(bundle: Bundle) -> BundleScope:
    """Return the scope, once the bundle has just the files of its kind."""
    if SCOPE not in bundle.sizes:
        raise BundleError(SCOPE, 0, "it is missing")
    try:
        scope = BundleScope.parse(read_all(bundle, SCOPE))
    except ScopeError as error:
        raise BundleError(SCOPE, 0, str(error)) from error
    wanted = FILES[scope.kind]
    for name in sorted(wanted - bundle.sizes.keys()):
        raise BundleError(name, 0, "it is missing")
    for name in sorted(bundle.sizes.keys() - wanted):
        raise BundleError(name, 0, "no such file belongs to a bundle of this kind")
    for name in sorted(wanted):
        check_size(bundle, name)
    return scope


def _manifests(bundle: Bundle) -> _Listed:
    """Return the digests that the manifests list, once the tag files are what they say."""
    if read_all(bundle, DECLARATION_FILE) != DECLARATION:
        raise BundleError(DECLARATION_FILE, 0, "it does not declare BagIt 1.0 and UTF-8")
    tags = _listed(bundle, TAG_MANIFEST_FILE, frozenset(TAGGED))
    _check_digests({name: _digest(bundle, name) for name in TAGGED}, tags)
    payload = {name: size for name, size in bundle.sizes.items() if name not in TAG_FILES}
    try:
        oxum = parse_bag_info(read_all(bundle, INFO_FILE))
    except BagError as error:
        raise BundleError(INFO_FILE, error.line, str(error)) from error
    if oxum != f"{sum(payload.values())}.{len(payload)}":
        raise BundleError(INFO_FILE, 0, "Payload-Oxum is not what the payload has")
    return _listed(bundle, MANIFEST_FILE, frozenset(payload))


def _listed(bundle: Bundle, name: str, files: frozenset[str]) -> _Listed:
    """Return what a manifest lists, which must be these files."""
    try:
        listed = parse_manifest(read_all(bundle, name))
    except BagError as error:
        raise BundleError(name, error.line, str(error)) from error
    for path in sorted(files - listed.keys()):
        raise BundleError(name, 0, f"{path} is not listed")
    for path in sorted(listed.keys() - files):
        raise BundleError(name, listed[path][1], f"{path} is not there, or not to be listed")
    return listed


def _check_digests(found: Mapping[str, str], listed: _Listed) -> None:
    for name, digest in found.items():
        stated, line = listed[name]
        if digest != stated:
            manifest = MANIFEST_FILE if name.startswith(PAYLOAD) else TAG_MANIFEST_FILE
            raise BundleError(name, 0, f"it does not have the digest on line {line} of {manifest}")


def _check_small(bundle: Bundle, listed: _Listed) -> None:
    """Check the digest of every file but those that are read line by line, and only once."""
    for name in sorted(listed.keys() - {EVENTS, PROOFS}):
        _check_digests({name: _digest(bundle, name)}, listed)


def _digest(bundle: Bundle, name: str) -> str:
    digest = hashlib.sha256()
    with bundle.open(name) as file:
        while data := file.read(_READ):
            digest.update(data)
    return digest.hexdigest()


def _check_place(scope: BundleScope, stated: CheckpointBody) -> None:
    """Raise BundleError unless the checkpoint covers what the scope says."""
    if scope.last_position > stated.size:
        why = f"it goes up to position {scope.last_position}, the checkpoint to {stated.size}"
        raise BundleError(SCOPE, 0, why)
    if scope.kind == "full" and (scope.first_position, scope.last_position) != (1, stated.size):
        raise BundleError(SCOPE, 0, f"a full bundle covers positions 1 to {stated.size} here")
