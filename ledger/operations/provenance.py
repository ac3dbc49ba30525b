"""Verification of a provenance statement that a ledger has signed; without a server."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ledger.chain.checkpoint import claim_of, open_checkpoint
from ledger.chain.dsse import STATEMENT_TYPE, EnvelopeError, opened
from ledger.chain.keys import VerifierKey
from ledger.chain.note import NoteError
from ledger.jobs.provenance import PREDICATE, STATEMENT
from ledger.operations.digests import digest_of_file
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.places import named_bytes
from ledger.operations.trust import TrustAnchors
from ledger.reading import RECEIPT_BYTES_MAX

_REMEDY: Final = "Ask the ledger for it again: `run show --job JOB --provenance`."


@dataclass(frozen=True, slots=True)
class ProvenSubject:
    """An artifact that a statement is about."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class VerifiedProvenance:
    """A statement under a signature of the ledger's key."""

    ledger: str
    model: str
    recipe: str
    job: str
    run: str
    executor: str
    started_on: str
    finished_on: str
    size: int
    """Of the signed head that it comes with."""
    subjects: tuple[ProvenSubject, ...]
    compared: tuple[str, ...] = ()
    """The subjects that files which were named are."""


def verified_provenance(
    path: Path, given: TrustAnchors, artifacts: Sequence[Path] = ()
) -> VerifiedProvenance:
    """Return what an envelope states, verified by keys obtained elsewhere.

    IntegrityFailure where no key has signed it, where it is no statement of a ledger's, where its
    checkpoint is not one of the same keys, or where a file is none of its subjects.
    """
    if not given.keys:
        raise MisuseError(
            "A provenance statement is verified with a key that did not come with it.",
            "Give it with --vkey; `decision-ledger vkey` prints the ledger's.",
        )
    try:
        payload = opened(named_bytes(path, RECEIPT_BYTES_MAX), STATEMENT_TYPE, given.keys)
    except EnvelopeError as error:
        raise IntegrityFailure(f"{path} does not hold: {error}.", _REMEDY) from error
    try:
        found = _stated(json.loads(payload), given.keys)
    except (NoteError, LookupError, TypeError, ValueError, StopIteration) as error:
        raise IntegrityFailure(
            f"{path} is signed, and is not a statement of the ledger: {error!r}.", _REMEDY
        ) from error
    names = {one.sha256: one.name for one in found.subjects}
    digests = {file: digest_of_file(file) for file in artifacts}
    for file, digest in digests.items():
        if digest not in names:
            raise IntegrityFailure(
                f"{file} is none of the artifacts that {path} is about: its SHA-256 is {digest}.",
                "It was changed, or another job made it.",
            )
    return replace(found, compared=tuple(names[digest] for digest in digests.values()))


def _stated(found: Any, keys: Sequence[VerifierKey]) -> VerifiedProvenance:  # noqa: ANN401 - JSON
    """Return what a statement says; an error of any sort where it is none of a ledger's."""
    if (found["_type"], found["predicateType"]) != (STATEMENT, PREDICATE):
        raise ValueError("it is of another type")
    built, ran = found["predicate"]["buildDefinition"], found["predicate"]["runDetails"]
    asked, metadata = built["externalParameters"], ran["metadata"]
    note = next(one for one in ran["byproducts"] if one["name"] == "checkpoint")["annotations"]
    data = str(note["note"]).encode()
    origin = claim_of(data).origin
    size = open_checkpoint(data, origin=origin, keys=keys).checkpoint.size
    ledger = f"ledger://{origin}/"
    run, _, job = metadata["invocationId"].removeprefix(ledger).partition("/jobs/")
    if (
        size != note["size"]
        or job != asked["job"]
        or not metadata["invocationId"].startswith(ledger)
    ):
        raise ValueError("its parts are not of each other")
    return VerifiedProvenance(
        ledger=origin,
        model=asked["model"],
        recipe=f"{asked['recipe']} {asked['recipeVersion']}",
        job=job,
        run=run,
        executor=ran["builder"]["id"].removeprefix(ledger),
        started_on=metadata["startedOn"],
        finished_on=metadata["finishedOn"],
        size=size,
        subjects=tuple(
            [ProvenSubject(one["name"], one["digest"]["sha256"]) for one in found["subject"]]
        ),
    )
