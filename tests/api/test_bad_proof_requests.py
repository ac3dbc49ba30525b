"""Bad requests about checkpoints, proofs, keys, seals and audits are refused by name.

Method: a real server; a bad request of each kind. Refusals are asserted with reason, field and
remedy, and write nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from ledger.chain.keys import SecretKey
from ledger.v1 import audit_pb2
from ledger.v1 import ledger_service_pb2 as pb
from tests.api.test_proofs import audit, signed, vkey
from tests.support.served import (
    HOUR,
    ORIGIN,
    TIMEOUT,
    Fleets,
    Served,
    observation,
    refused,
    serving_fleet,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
Make = Callable[[Served], Any]
KEY = "ledger.example/test+00000000+AAAA"


def _audit(**fields: Any) -> Make:  # noqa: ANN401
    return lambda served: pb.RecordAuditRequest(report=audit(served, **fields))


def _known_key(**fields: Any) -> Make:  # noqa: ANN401
    return lambda served: pb.RevokeKeyRequest(verifier_key=str(vkey(served)), **fields)


BAD: dict[str, tuple[str, Make, str]] = {
    "a negative size": ("GetCheckpoint", lambda _: pb.GetCheckpointRequest(size=-1), "size"),
    "a negative position to wait for": (
        "GetCheckpoint",
        lambda _: pb.GetCheckpointRequest(min_position=-1),
        "min_position",
    ),
    "a negative start": (
        "ListCheckpoints",
        lambda _: pb.ListCheckpointsRequest(after_size=-1),
        "after_size",
    ),
    "a negative page": (
        "ListCheckpoints",
        lambda _: pb.ListCheckpointsRequest(page_size=-1),
        "page_size",
    ),
    "no position": ("ProveInclusion", lambda _: pb.ProveInclusionRequest(size=2), "position"),
    "position zero's neighbour": (
        "ProveInclusion",
        lambda _: pb.ProveInclusionRequest(position=-3),
        "position",
    ),
    "a position no ledger has": (
        "ProveInclusion",
        lambda _: pb.ProveInclusionRequest(position=2**60),
        "position",
    ),
    "the empty tree": (
        "ProveConsistency",
        lambda _: pb.ProveConsistencyRequest(to_size=3),
        "from_size",
    ),
    "a negative later size": (
        "ProveConsistency",
        lambda _: pb.ProveConsistencyRequest(from_size=1, to_size=-2),
        "to_size",
    ),
    "no line": ("AddCosignature", lambda _: pb.AddCosignatureRequest(size=2), "line"),
    "a line without end": (
        "AddCosignature",
        lambda _: pb.AddCosignatureRequest(size=2, line="x" * 5_000),
        "line",
    ),
    "a negative overlap": ("RotateKey", lambda _: pb.RotateKeyRequest(overlap=-1), "overlap"),
    "an endless overlap": (
        "RotateKey",
        lambda _: pb.RotateKeyRequest(overlap=10**9 + 1),
        "overlap",
    ),
    "a request id with spaces": (
        "RotateKey",
        lambda _: pb.RotateKeyRequest(request_id="a b"),
        "request_id",
    ),
    "what is not a key": (
        "RevokeKey",
        lambda _: pb.RevokeKeyRequest(verifier_key=KEY, from_position=3, reason="x"),
        "verifier_key",
    ),
    "a key longer than any": (
        "RevokeKey",
        lambda _: pb.RevokeKeyRequest(verifier_key="a+" * 1_000, from_position=3, reason="x"),
        "verifier_key",
    ),
    "no reason": ("RevokeKey", _known_key(from_position=3), "reason"),
    "a reason of blanks": ("RevokeKey", _known_key(from_position=3, reason="  "), "reason"),
    "a reason too long": ("RevokeKey", _known_key(from_position=3, reason="x" * 2_001), "reason"),
    "no size to revoke from": ("RevokeKey", _known_key(reason="lost"), "from_position"),
    "no program": ("RecordAudit", _audit(program=""), "report.program"),
    "a program too long": ("RecordAudit", _audit(program="x" * 1_000), "report.program"),
    "no source": ("RecordAudit", _audit(source=0), "report.source"),
    "an unknown source": ("RecordAudit", _audit(source=99), "report.source"),
    "an audited tree of nothing": ("RecordAudit", _audit(size=0), "report.size"),
    "a short root": ("RecordAudit", _audit(root=b"1" * 31), "report.root"),
    "another root": ("RecordAudit", _audit(root=b"1" * 32), "report.root"),
    "a tree beyond the head": ("RecordAudit", _audit(size=10**6), "report.size"),
    "a rule without name": (
        "RecordAudit",
        _audit(checks=[audit_pb2.AuditCheck(checked=1)]),
        "report.checks.0.rule",
    ),
    "a negative count": (
        "RecordAudit",
        _audit(checks=[audit_pb2.AuditCheck(rule="r", failed=-1)]),
        "report.checks.0.failed",
    ),
    "a finding that says nothing": (
        "RecordAudit",
        _audit(findings=[audit_pb2.AuditFinding(rule="r")]),
        "report.findings.0.what",
    ),
    "too many findings": (
        "RecordAudit",
        _audit(findings=[audit_pb2.AuditFinding(rule="r", what="w")] * 101),
        "report.findings",
    ),
}


@pytest.fixture(scope="module")
def shared(fleets: Fleets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a fleet of one model, for tests that write no event."""
    with serving_fleet(fleets, tmp_path_factory.mktemp("served"), "fares") as server:
        yield server


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_by_field_and_writes_nothing(shared: Served, name: str) -> None:
    served, (method, make, field) = shared, BAD[name]
    request, head = make(served), served.head()
    error = refused(lambda: getattr(served.ledgers, method)(request, timeout=TIMEOUT))
    assert (error.code, error.reason) == (INVALID, "FIELD_INVALID")
    assert field in error.fields, error.fields
    assert error.metadata["remedy"]
    assert served.head() == head


@pytest.mark.parametrize(
    ("method", "request_", "reason", "code"),
    [
        ("GetCheckpoint", pb.GetCheckpointRequest(size=3), "CHECKPOINT_UNKNOWN", "NOT_FOUND"),
        (
            "ProveInclusion",
            pb.ProveInclusionRequest(position=1, size=3),
            "CHECKPOINT_UNKNOWN",
            "NOT_FOUND",
        ),
        (
            "ProveInclusion",
            pb.ProveInclusionRequest(position=10_000),
            "POSITION_BEYOND_HEAD",
            "OUT_OF_RANGE",
        ),
        (
            "ProveConsistency",
            pb.ProveConsistencyRequest(from_size=10_000),
            "POSITION_BEYOND_HEAD",
            "OUT_OF_RANGE",
        ),
        (
            "ProveConsistency",
            pb.ProveConsistencyRequest(from_size=2, to_size=3),
            "CHECKPOINT_UNKNOWN",
            "NOT_FOUND",
        ),
        (
            "AddCosignature",
            pb.AddCosignatureRequest(size=3, line="— w AAAAAAAA"),
            "CHECKPOINT_UNKNOWN",
            "NOT_FOUND",
        ),
    ],
)
def test_what_was_never_signed_or_recorded_is_refused_by_reason(
    served: Served, method: str, request_: Message, reason: str, code: str
) -> None:
    error = refused(lambda: getattr(served.ledgers, method)(request_, timeout=TIMEOUT))
    assert (error.reason, error.code.name) == (reason, code)
    assert error.metadata["remedy"]


def test_a_cosignature_by_no_key_of_the_policy_is_refused(served: Served) -> None:
    size = signed(served).size
    for line in ("nonsense", "— witness.example/w AAAAAAAAAAAAAAAAAAAA"):
        request = pb.AddCosignatureRequest(size=size, line=line)
        error = refused(lambda request=request: served.ledgers.AddCosignature(request))  # type: ignore[misc]
        assert (error.code, error.reason) == (INVALID, "COSIGNATURE_INVALID")


def test_a_key_the_ledger_never_had_cannot_be_revoked(served: Served) -> None:
    other = str(SecretKey(ORIGIN, bytes(32)).verifier_key)
    request = pb.RevokeKeyRequest(verifier_key=other, from_position=3, reason="lost")
    error = refused(lambda: served.ledgers.RevokeKey(request, timeout=TIMEOUT))
    assert (error.code.name, error.reason) == ("NOT_FOUND", "KEY_UNKNOWN")


def test_a_page_of_checkpoints_belongs_to_its_query(served: Served) -> None:
    for hour in range(3):
        served.submit(observation(seconds=hour * HOUR))
        signed(served)
    page = served.ledgers.ListCheckpoints(pb.ListCheckpointsRequest(page_size=1), timeout=TIMEOUT)
    other = pb.ListCheckpointsRequest(after_size=4, page_token=page.next_page_token)
    error = refused(lambda: served.ledgers.ListCheckpoints(other, timeout=TIMEOUT))
    assert error.reason == "PAGE_TOKEN_INVALID"
