"""The provenance of what a job deployed: valid by the published forms, signed by the ledger's key.

Method: jobs of a ledger in one process. The statement is read by the messages of
`in-toto-attestation`, which are the published schemas, the envelope verified by `securesystemslib`;
what is changed in either is refused by ours too.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import resource_descriptor, statement, statement_pb2
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from ledger.chain.dsse import STATEMENT_TYPE, EnvelopeError, opened
from ledger.chain.keys import VerifierKey
from ledger.errors import LedgerError, Reason
from ledger.events.values import SECOND
from ledger.jobs.provenance import STATEMENT
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.provenance import verified_provenance
from ledger.operations.trust import TrustAnchors
from tests.support.job_worlds import LEASE_SECONDS, ONE, TWO, Working
from tests.support.run_stories import ARTIFACT, ROWS, decided, deployed, run_of, whole_life
from tests.support.stores import VAULT
from tests.support.world import ANA, ORIGIN, reason_of


@pytest.fixture
def working(tmp_path: Path) -> Working:
    return decided(tmp_path, vault=VAULT)


def envelope_of(working: Working, job: str = "j1") -> bytes:
    ledger = working.world.ledger
    lineage = ledger.lineages.lineage(run_of(working))
    made = ledger.run_documents.document("provenance", lineage, job)
    assert made.media_type == "application/vnd.dsse.envelope.v1+json"
    return made.body


def key_of(working: Working) -> VerifierKey:
    newest = working.world.ledger.attestation.checkpoints.sign()
    return VerifierKey.parse(newest.vkey)


def foreign_key(key: VerifierKey) -> SSlibKey:
    return SSlibKey(
        f"{key.name}+{key.key_id.hex()}", "ed25519", "ed25519", {"public": key.public_key.hex()}
    )


def stated(envelope: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return found


def validate(found: dict[str, Any]) -> provenance_pb2.Provenance:
    """Return the predicate of a statement that the published messages take member for member."""
    read = json_format.ParseDict(found, statement_pb2.Statement())
    statement.Statement.copy_from_pb(read).validate()
    assert json_format.MessageToDict(read) == found
    predicate = json_format.ParseDict(found["predicate"], provenance_pb2.Provenance())
    listed = predicate.build_definition.resolved_dependencies, predicate.run_details.byproducts
    for one in (part for parts in listed for part in parts):
        resource_descriptor.ResourceDescriptor.copy_from_pb(one).validate()
    return predicate


def test_a_statement_is_what_the_published_messages_are(working: Working) -> None:
    whole_life(working)
    found = stated(envelope_of(working))
    assert found["_type"] == STATEMENT
    assert found["subject"] == [{"name": ARTIFACT.name, "digest": {"sha256": ARTIFACT.sha256}}]
    predicate = validate(found)
    built, ran = predicate.build_definition, predicate.run_details
    assert dict(built.external_parameters) == {
        "model": "alpha", "recipe": "monthly", "recipeVersion": 1, "job": "j1",
        "reason": "it got worse",
    }  # fmt: skip
    job = working.job()
    names = {one.name: one.digest["sha256"] for one in built.resolved_dependencies if one.digest}
    assert names["recipes/monthly/versions/1"] == job.proposed["recipe_digest"]
    decision = working.world.ledger.log.event(job.proposed["decision"])
    assert decision is not None
    assert names[f"events/{decision.position}"] == decision.event_hash.hex()
    assert "models/alpha/versions/v1" in {one.name for one in built.resolved_dependencies}
    assert ran.builder.id == f"ledger://{ORIGIN}/services/worker-2"
    assert ran.metadata.started_on.ToMicroseconds() < ran.metadata.finished_on.ToMicroseconds()
    verdicts = [dict(one.annotations) for one in ran.byproducts if "isPassed" in one.annotations]
    assert [(one["gate"], one["isPassed"]) for one in verdicts] == [
        ("data_integrity", True), ("candidate", True), ("holdout", True), ("deployment", True),
        ("observation", False),
    ]  # fmt: skip


def test_a_statement_names_code_packages_and_data_as_the_executor_recorded_them(
    working: Working,
) -> None:
    deployed(working)
    built = validate(stated(envelope_of(working))).build_definition
    found = [
        (one.name, dict(one.digest), json_format.MessageToDict(one.annotations))
        for one in built.resolved_dependencies
        if "gates" in one.annotations
    ]
    both, first = ["data_integrity", "candidate"], ["data_integrity"]
    assert found == [
        ("code", {"sha256": "ab" * 32}, {"gates": both}),
        ("code/commit", {"gitCommit": "5a" * 20}, {"gates": first}),
        ("packages", {"sha256": "cd" * 32}, {"gates": both, "count": 3}),
        ("data/spring", {"sha256": "5d" * 32}, {"gates": both, "rows": 40_000}),
        ("train", {"sha256": "1a" * 32}, {"gates": ["candidate"]}),
    ]
    events = working.world.events("job.environment_recorded.v1")
    usual = {
        "attempt": 2, "codeChanged": False, "schemaVersion": "3", "featuresVersion": "12",
        "architecture": "gbdt-200",
    }  # fmt: skip
    parameters = json_format.MessageToDict(built.internal_parameters)
    assert parameters["environments"] == [
        {"gate": "data_integrity", "interpreter": "CPython 3.11.7", "platform": "Linux"}
        | {"event": f"events/{events[0].position}"}
        | usual,
        {"gate": "candidate", "seed": "7", "event": f"events/{events[1].position}"} | usual,
    ]
    named = {one["name"]: one for one in byproducts(working)}
    for event in events:
        assert named[f"events/{event.position}"]["digest"]["sha256"] == event.event_hash.hex()


def byproducts(working: Working) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stated(envelope_of(working))["predicate"]["runDetails"][
        "byproducts"
    ]
    return found


def test_an_environment_that_no_report_was_made_in_is_not_that_of_what_was_deployed(
    working: Working,
) -> None:
    working.propose()
    working.approve()
    lost = working.lease()
    working.record_environment("data_integrity", lost, snapshots=ROWS)
    for _ in range(2):
        working.world.clock.advance((LEASE_SECONDS + 1) * SECOND)
        working.world.govern()
    token = working.lease(by=TWO)
    evidence = working.reported("data_integrity", token)
    left = evidence.model_copy(update={"artifacts": [ARTIFACT]})
    working.world.ledger.jobs.report(TWO, left)
    for gate in ("candidate", "holdout"):
        working.report(gate, token, by=TWO)
    working.deploy(token, "v2", by=TWO, at=working.world.clock.now_micros())
    built = stated(envelope_of(working))["predicate"]["buildDefinition"]
    assert built["internalParameters"]["environments"] == []
    assert not [one for one in built["resolvedDependencies"] if one["name"].startswith("code")]


def test_the_envelope_is_signed_as_others_verify_it(working: Working, tmp_path: Path) -> None:
    deployed(working)
    envelope, key = envelope_of(working), key_of(working)
    Envelope.from_dict(json.loads(envelope)).verify([foreign_key(key)], 1)
    assert opened(envelope, STATEMENT_TYPE, [key]) == base64.b64decode(
        json.loads(envelope)["payload"]
    )
    assert envelope_of(working) == envelope, "of equal events and the same head"
    path, artifact = tmp_path / "statement.json", tmp_path / "model.bin"
    path.write_bytes(envelope)
    found = verified_provenance(path, TrustAnchors((key,)))
    assert (found.ledger, found.model, found.job, found.run) == (
        ORIGIN, "alpha", "j1", run_of(working),
    )  # fmt: skip
    artifact.write_bytes(b"another")
    with pytest.raises(IntegrityFailure, match="is none of the artifacts"):
        verified_provenance(path, TrustAnchors((key,)), [artifact])
    with pytest.raises(MisuseError, match="did not come with it"):
        verified_provenance(path, TrustAnchors())


def test_what_is_changed_is_refused_by_us_and_by_others(working: Working, tmp_path: Path) -> None:
    deployed(working)
    envelope, key = envelope_of(working), key_of(working)
    path = tmp_path / "statement.json"
    changed = json.loads(envelope)
    statement_ = stated(envelope)
    statement_["subject"][0]["digest"]["sha256"] = "ab" * 32
    changed["payload"] = base64.b64encode(json.dumps(statement_).encode()).decode()
    path.write_text(json.dumps(changed))
    with pytest.raises(IntegrityFailure, match="is not over its content"):
        verified_provenance(path, TrustAnchors((key,)))
    with pytest.raises(VerificationError):
        Envelope.from_dict(changed).verify([foreign_key(key)], 1)


BAD_ENVELOPES: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "is not JSON"),
    "a member twice": (
        b'{"payload":"","payload":"","payloadType":"","signatures":[]}',
        "is not JSON",
    ),
    "another member": ({"more": 1}, "are not those of an envelope"),
    "no signature": ({"signatures": []}, "has no list of signatures"),
    "signatures of no form": ({"signatures": [1]}, "has other members"),
    "a signature that is no text": (
        {"signatures": [{"keyid": 1, "sig": ""}]},
        "is not made of texts",
    ),
    "another type": ({"payloadType": "text/plain"}, "it holds 'text/plain'"),
    "a payload that is no base64": ({"payload": "e30"}, "the payload is not base64"),
    "an unknown key": ({"signatures": [{"keyid": "x", "sig": ""}]}, "none of the keys"),
}


@pytest.mark.parametrize("name", BAD_ENVELOPES)
def test_an_envelope_in_no_form_is_refused(working: Working, name: str) -> None:
    deployed(working)
    change, why = BAD_ENVELOPES[name]
    envelope = json.loads(envelope_of(working))
    data = change if isinstance(change, bytes) else json.dumps(envelope | change).encode()
    with pytest.raises(EnvelopeError, match=why):
        opened(data, STATEMENT_TYPE, [key_of(working)])


def test_every_byte_of_a_signature_counts(working: Working) -> None:
    deployed(working)
    envelope, key = json.loads(envelope_of(working)), key_of(working)
    [signature] = envelope["signatures"]
    genuine = base64.b64decode(signature["sig"])
    for at in range(len(genuine)):
        bent = bytearray(genuine)
        bent[at] ^= 1
        signature["sig"] = base64.b64encode(bent).decode()
        with pytest.raises(EnvelopeError, match="is not over its content"):
            opened(json.dumps(envelope).encode(), STATEMENT_TYPE, [key])


def test_a_job_that_deployed_nothing_or_left_nothing_has_no_provenance(working: Working) -> None:
    working.propose()
    with pytest.raises(LedgerError, match="it has deployed nothing") as refused:
        envelope_of(working)
    assert reason_of(refused) is Reason.JOB_REFUSED
    working.approve()
    token = working.lease(by=TWO)
    working.pass_gates(token, by=TWO)
    working.deploy(token, "v2", by=TWO, at=working.world.clock.now_micros())
    with pytest.raises(LedgerError, match="reported no artifact before it deployed"):
        envelope_of(working)


def test_of_a_run_with_several_jobs_one_is_named(working: Working) -> None:
    working.propose("j0")
    working.world.ledger.jobs.cancel(ANA, "j0", "too early")
    deployed(working)
    with pytest.raises(LedgerError, match="has 2 jobs, and this is about one") as refused:
        envelope_of(working, "")
    assert reason_of(refused) is Reason.FIELD_INVALID
    assert stated(envelope_of(working, "j1"))["subject"]


def test_the_builder_is_who_made_the_artifacts_and_not_who_deployed_them(working: Working) -> None:
    jobs = working.world.ledger.jobs
    working.propose()
    working.approve()
    token = working.lease(by=ONE)
    working.record_environment("data_integrity", token, by=ONE)
    evidence = working.reported("data_integrity", token)
    jobs.report(ONE, evidence.model_copy(update={"artifacts": [ARTIFACT]}))
    jobs.give_up(ONE, "j1", token, "its machine is needed")
    token = working.lease(by=TWO)
    for gate in ("candidate", "holdout"):
        working.report(gate, token, by=TWO)
    working.deploy(token, "v2", by=TWO, at=working.world.clock.now_micros())
    builder = validate(stated(envelope_of(working))).run_details.builder
    assert builder.id == f"ledger://{ORIGIN}/services/worker-1"
    assert dict(builder.version) == {
        "recipe": "recipes/monthly/versions/1", "interpreter": "CPython 3.11.7",
        "platform": "Linux",
    }  # fmt: skip
