"""Verification of what was handed over: a bundle, a receipt, an offline proof; without a server."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from ledger.audit.report import BundleVerdict, DecisionVerdict, Report, RuleCount, UncheckedCount
from ledger.audit.source import Finding
from ledger.authority.believed import UNSHOWN
from ledger.chain import proof_text
from ledger.chain.checkpoint import claim_of
from ledger.chain.keys import VerifierKey
from ledger.chain.link import event_hash as hash_of
from ledger.chain.merkle import ProofError
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.chain.witness_times import Cosigned
from ledger.export.files import BundleError, BundleFormError, open_bundle
from ledger.export.lines import LineError, parse_alone
from ledger.export.reach import AgeBound
from ledger.export.receipt import Receipt, ReceiptError, verify_receipt
from ledger.export.verify import VerifiedBundle, verify_opened
from ledger.operations import PROGRAM, Move
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.places import named_bytes, named_text
from ledger.operations.trust import TrustAnchors
from ledger.operations.verification.bundle_report import SAME, with_report
from ledger.operations.verification.verdict import no_rules
from ledger.reading import RECEIPT_BYTES_MAX

_UNPACK: Final = "This says nothing of its content: unpack it, and verify the folder."
_NO_REPLAY: Final = "whether the decision follows from its inputs; `decision replay` shows it"
_MEANINGS: Final = {
    "bundle": "Every file of the bundle is what its manifests, events and checkpoint say.",
    "receipt": "Decision, score, policy and inputs are in the signed tree, and of each other.",
    "proof": "The event is in the signed tree.",
}
_Handed: TypeAlias = Literal["bundle", "receipt", "proof"]


def check_bundle(
    path: Path, given: TrustAnchors, move: Move | None = None, age: AgeBound | None = None
) -> Report:
    """Return the verdict on a bundle, a folder or a tar archive, verified to the byte.

    A finding names file and line of what does not hold, also where the bundle ends longer before
    its checkpoint than `age` says. IntegrityFailure for an archive in a form that is not read.
    """
    given.require("A bundle")
    try:
        bundle = open_bundle(path)
        opened = verify_opened(bundle, given.keys, given.policy, move, age)
        found = with_report(bundle, opened)
    except BundleFormError as error:
        raise IntegrityFailure(f"The bundle is in no form to verify: {error}.", _UNPACK) from error
    except BundleError as error:
        return _refused("bundle", path, error)
    scope, missing = found.scope, found.missing
    return _holds(
        "bundle",
        path,
        found,
        first_position=scope.first_position,
        last_position=scope.last_position,
        events=found.events,
        gaps=tuple(_gaps(found)),
        unknown_types=dict(found.unknown_types),
        erased=missing.erased_proven + missing.erased_stated,
        withheld=missing.withheld,
        remarks=found.callers,
        bundle=BundleVerdict(
            kind=scope.kind,
            stream=scope.stream or "",
            manifest_digest=found.manifest_digest.hex(),
            erased_proven=missing.erased_proven,
            erased_stated=missing.erased_stated,
            complete_up_to=found.reach.position,
            recorded_at=found.reach.recorded_at,
            events_newer=found.reach.events_newer,
            report=found.report_verdict,
            not_signed=found.unsigned,
        ),
    )


def _gaps(found: VerifiedBundle) -> Iterator[UncheckedCount]:
    """Yield what was not checked of a bundle, and why."""
    scope, reach = found.scope, found.reach
    for reason, ranges in scope.withheld:
        yield UncheckedCount("bodies.present", f"withheld, {reason}", ranges.count())
    if scope.kind == "stream" and not reach.is_newest:
        why = f"whether events after position {reach.position} are of {scope.stream}"
        yield UncheckedCount("complete", why, reach.events_newer)
    if found.report_verdict != SAME:
        yield UncheckedCount("report", found.report_verdict, 1)
    yield UncheckedCount("rules", no_rules(is_whole=scope.kind == "full"), found.events)


def check_receipt(path: Path, given: TrustAnchors) -> Report:
    """Return the verdict on a receipt, which says what it shows of a decision."""
    given.require("A receipt")
    data = named_bytes(path, RECEIPT_BYTES_MAX)
    try:
        found = verify_receipt(data, given.keys, given.policy)
    except ReceiptError as error:
        return _refused("receipt", path, error)
    made = found.decision
    places = {found.policy_position, found.score_position, found.position, *found.input_positions}
    return _holds(
        "receipt",
        path,
        found,
        first_position=min(places),
        last_position=max(places),
        events=len(places),
        gaps=(UncheckedCount("replay.decision", _NO_REPLAY, 1),),
        remarks=(UNSHOWN,),
        decision=DecisionVerdict(
            model=found.model,
            position=found.position,
            action=made.action,
            tier=made.tier,
            rule=made.rule or "",
            evaluated_at=made.evaluated_at,
            historical=made.historical,
            score_position=found.score_position,
            policy=made.policy,
            policy_version=made.policy_version,
            policy_position=found.policy_position,
            input_positions=found.input_positions,
        ),
    )


def check_proof(path: Path, event: bytes | Path | None, given: TrustAnchors) -> Report:
    """Return the verdict on a proof of an event: its hash, or a file with its header or its line.

    It holds if the checkpoint is signed by one of the keys, or accepted by the policy with its
    witnesses, and the event is in its tree.
    """
    given.require("A proof")
    if event is None:
        raise MisuseError(
            "A proof says nothing without its event.", "Give one: --event-hash or --event-file."
        )
    try:
        proof = proof_text.parse(named_text(path))
        found, leaf = _proven(proof, event, given)
    except (proof_text.ProofTextError, NoteError, ProofError, LineError) as error:
        return _refused("proof", path, error)
    position = proof.index + 1
    return _holds(
        "proof",
        path,
        found,
        first_position=position,
        last_position=position,
        events=1,
        head=leaf.hex(),
        checkpoint=proof.checkpoint,
    )


@dataclass(frozen=True, slots=True)
class _Proven:
    """The checkpoint that an offline proof leads to, and who vouches for it."""

    origin: str
    checkpoint_size: int
    root: bytes
    signed_by: tuple[str, ...]
    witnesses: tuple[str, ...]
    cosigned_at: tuple[str, ...]
    """When each of the witnesses says that it cosigned."""


def _proven(
    proof: proof_text.ProofText, event: bytes | Path, given: TrustAnchors
) -> tuple[_Proven, bytes]:
    """Return what a proof leads to with the hash of its event."""
    claim = claim_of(proof.checkpoint.encode())
    leaf = _leaf(event, claim.origin) if isinstance(event, Path) else event
    cosigned: tuple[Cosigned, ...] = ()
    signers: list[VerifierKey] = []
    if given.policy is not None:
        verdict = proof_text.check_by_policy(proof, leaf=leaf, policy=given.policy)
        cosigned = verdict.cosigned
        signers += [log.key for log in given.policy.logs if log.key.name == claim.origin]
    if given.keys:
        named = [key for key in given.keys if key.name == claim.origin]
        proof_text.check(proof, leaf=leaf, origin=claim.origin, keys=named)
        signers += named
    lines = {(one.name, one.key_id) for one in parse_note(proof.checkpoint.encode()).signatures}
    signed_by = dict.fromkeys(str(key) for key in signers if (key.name, key.key_id) in lines)
    witnesses = tuple(one.witness for one in cosigned)
    times = tuple(one.at for one in cosigned)
    return _Proven(claim.origin, claim.size, claim.root, tuple(signed_by), witnesses, times), leaf


def _holds(
    thing: _Handed,
    path: Path,
    found: VerifiedBundle | Receipt | _Proven,
    **more: Any,  # noqa: ANN401 - fields of a verdict
) -> Report:
    """Return the verdict on what was handed over and holds."""
    return Report(
        program=PROGRAM,
        task="verify",
        thing=thing,
        place=str(path),
        origin=found.origin,
        passed=True,
        size=found.checkpoint_size,
        root=found.root.hex(),
        checkpoint_size=found.checkpoint_size,
        signed_by=found.signed_by,
        vkeys=found.signed_by,
        witnesses=found.witnesses,
        cosigned_at=found.cosigned_at,
        witnessed_size=found.checkpoint_size if found.witnesses else 0,
        rules=(RuleCount(thing, _MEANINGS[thing], 1),),
        **more,
    )


def _refused(thing: _Handed, path: Path, why: Exception) -> Report:
    """Return the verdict on what was handed over and does not hold: nothing of it is believed."""
    return Report(
        program=PROGRAM,
        task="verify",
        thing=thing,
        place=str(path),
        origin="",
        passed=False,
        rules=(RuleCount(thing, _MEANINGS[thing], 1, 1),),
        findings=(Finding(thing, 0, str(why)),),
    )


def _leaf(path: Path, origin: str) -> bytes:
    """Return the hash of the event in a file: its header as hashed, or its line in a bundle.

    LineError unless it is an event.
    """
    data = named_bytes(path, RECEIPT_BYTES_MAX)
    if not data.startswith(b'{"body":'):
        return hash_of(data)
    return parse_alone(data.removesuffix(b"\n") + b"\n", origin).event_hash
