"""The client of the decision ledger: typed calls over gRPC, for threads and for asyncio.

    with LedgerClient("localhost:50051", actor="services/monitor-7") as ledger:
        ledger.submit([("fraud-eu", "log-loss", 0.412, "2026-03-05T12:00:00Z")])

`AsyncLedgerClient` has the same surface. Results are frozen dataclasses, refusals exceptions that
carry the ledger's reason and remedy; nothing of protobuf or gRPC shows.
"""

from ledger.client.aio.client import AsyncLedgerClient
from ledger.client.authority import Administrator, AuthorityScope, CallerIdentity, LimitedActor
from ledger.client.blocking.client import LedgerClient
from ledger.client.drills import Drill, DrillFollowUp
from ledger.client.enums import AuditSource
from ledger.client.errors import (
    BusyError,
    ClientError,
    ConflictError,
    DeadlineError,
    ForkError,
    IdentityError,
    IntegrityError,
    InvalidRequestError,
    LedgerRefusedError,
    NotAuthorisedError,
    ProofRefusedError,
    QuorumMissingError,
    RollbackError,
    ServerFaultError,
    TransportError,
    TrustFileError,
    UnknownNameError,
    UnreachableError,
    WrongStateError,
)
from ledger.client.observation_details import ObservationDetail
from ledger.client.observations import Observation
from ledger.client.policy_scopes import PolicyScope
from ledger.client.proofs import AuditCheck, AuditFinding, AuditReport, AuditTranscriptPart
from ledger.client.records import Model, PolicyReplacement, Signal
from ledger.client.retry import RetryOptions
from ledger.client.trials import PolicySource
from ledger.client.trust.results import (
    ProvenSubmission,
    TrustBasis,
    VerifiedCheckpoint,
    VerifiedConsistency,
    VerifiedProof,
)
from ledger.client.trust.store import FirstUseWarning, TrustStore
from ledger.client.window import BatchRefusedError, BatchResult

__all__ = [
    "Administrator",
    "AsyncLedgerClient",
    "AuditCheck",
    "AuditFinding",
    "AuditReport",
    "AuditSource",
    "AuditTranscriptPart",
    "AuthorityScope",
    "BatchRefusedError",
    "BatchResult",
    "BusyError",
    "CallerIdentity",
    "ClientError",
    "ConflictError",
    "DeadlineError",
    "Drill",
    "DrillFollowUp",
    "FirstUseWarning",
    "ForkError",
    "IdentityError",
    "IntegrityError",
    "InvalidRequestError",
    "LedgerClient",
    "LedgerRefusedError",
    "LimitedActor",
    "Model",
    "NotAuthorisedError",
    "Observation",
    "ObservationDetail",
    "PolicyReplacement",
    "PolicyScope",
    "PolicySource",
    "ProofRefusedError",
    "ProvenSubmission",
    "QuorumMissingError",
    "RetryOptions",
    "RollbackError",
    "ServerFaultError",
    "Signal",
    "TransportError",
    "TrustBasis",
    "TrustFileError",
    "TrustStore",
    "UnknownNameError",
    "UnreachableError",
    "VerifiedCheckpoint",
    "VerifiedConsistency",
    "VerifiedProof",
    "WrongStateError",
]
