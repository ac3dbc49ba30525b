# Generated from ledger/client/aio/client.py by `tools/dev.py proto`; do not edit.
"""The client for threads."""

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.chain.witness_times import MAX_FUTURE_SECONDS
from ledger.client.blocking.authority import AuthorityCalls
from ledger.client.blocking.budgets import BudgetCalls
from ledger.client.blocking.cases import CaseCalls
from ledger.client.blocking.connection import ClientConnection
from ledger.client.blocking.decisions import DecisionCalls
from ledger.client.blocking.exports import ExportCalls
from ledger.client.blocking.jobs import JobCalls
from ledger.client.blocking.log import LogCalls
from ledger.client.blocking.models import ModelCalls
from ledger.client.blocking.notifications import NotificationCalls
from ledger.client.blocking.policies import PolicyCalls
from ledger.client.blocking.priorities import PriorityCalls
from ledger.client.blocking.proofs import ProofCalls
from ledger.client.blocking.recipes import RecipeCalls
from ledger.client.blocking.runs import RunCalls
from ledger.client.blocking.signals import SignalCalls
from ledger.client.options import DEADLINE_SECONDS_DEFAULT, ClientOptions
from ledger.client.retry import RetryOptions
from ledger.client.security import Security, security
from ledger.client.target import Target
from ledger.client.trust.quorum import WitnessPolicyLike, read_witness_policy
from ledger.client.trust.store import TrustStore
from ledger.clock import Clock, SystemClock


class LedgerClient(
    SignalCalls,
    ModelCalls,
    PolicyCalls,
    DecisionCalls,
    PriorityCalls,
    LogCalls,
    ProofCalls,
    ExportCalls,
    AuthorityCalls,
    NotificationCalls,
    CaseCalls,
    JobCalls,
    RecipeCalls,
    RunCalls,
    BudgetCalls,
):
    """A connection to one ledger of a decision-ledger server; a context manager.

    Every call has a deadline, every append a request id that is made before the first attempt and
    is the same in all. Only an unavailable server is tried again. Calls raise ClientError:
    LedgerRefusedError with reason and remedy, or UnreachableError.
    Safe to use from several threads; not to be carried over a fork.

    `target` is `host:port`, port 50051 if left out, with TLS `ledgers://host:port`, or a socket
    `unix:/path`; `ledger` an origin, empty if the server holds only one; `actor` the caller, as
    `users/NAME` or `services/NAME`. ValueError says which of them cannot be.

    With TLS the server's certificate must hold, for the name in `target`, by the CA in the file
    `tls_ca`, or without one by those that the system knows. `tls_certificate` and `tls_key` are
    files with the caller's own. `token` is a bearer token, or the Path of the file that holds it,
    which is read again when it changes; it goes over TLS, loopback or a socket only. TransportError
    says why the two do not come to terms.

    What the ledger says to prove itself is verified against what `trust` remembers: a TrustStore,
    or the path of its file; None remembers for as long as the client lives. `witness_policy`
    is a tlog-policy, its text or the path of its file: what has not its quorum is refused. A
    cosignature counts if it is not more than `max_future_seconds` ahead of the client's clock and,
    if that is given, no older than `max_age_seconds`: a ledger that records nothing new gets no new
    cosignatures, so a bound on age belongs to a ledger that is always in use.

    `purpose` is what the client reads for, at most 200 characters of ASCII: the server records it
    as stated with each export, replay and read of events.
    """

    def __init__(
        self,
        target: str,
        *,
        ledger: str = "",
        actor: str = "",
        deadline_seconds: float = DEADLINE_SECONDS_DEFAULT,
        retry: RetryOptions | None = None,
        clock: Clock | None = None,
        trust: TrustStore | Path | str | None = None,
        witness_policy: WitnessPolicyLike | None = None,
        max_age_seconds: int | None = None,
        max_future_seconds: int = MAX_FUTURE_SECONDS,
        purpose: str = "",
        tls_ca: Path | str | None = None,
        tls_certificate: Path | str | None = None,
        tls_key: Path | str | None = None,
        token: Path | str | None = None,
    ) -> None:
        self._connection = ClientConnection(
            ClientOptions(
                target,
                ledger,
                actor,
                deadline_seconds,
                retry or RetryOptions(),
                clock or SystemClock(),
                trust if isinstance(trust, TrustStore) else TrustStore(trust),
                read_witness_policy(witness_policy),
                max_age_seconds,
                max_future_seconds,
                purpose,
                security(tls_ca, tls_certificate, tls_key, token),
            )
        )

    def using(
        self,
        *,
        ledger: str | None = None,
        actor: str | None = None,
        deadline_seconds: float | None = None,
        trust: TrustStore | None = None,
        witness_policy: WitnessPolicyLike | None = None,
        max_age_seconds: int | None = None,
        max_future_seconds: int | None = None,
        purpose: str | None = None,
    ) -> "LedgerClient":
        """Return a client with other settings on the same connection, which stays this one's."""
        settings = self._connection.settings
        changed = replace(
            settings,
            ledger=settings.ledger if ledger is None else ledger,
            actor=settings.actor if actor is None else actor,
            deadline_seconds=(
                settings.deadline_seconds if deadline_seconds is None else deadline_seconds
            ),
            trust=trust or settings.trust,
            witness_policy=read_witness_policy(witness_policy) or settings.witness_policy,
            max_age_seconds=(
                settings.max_age_seconds if max_age_seconds is None else max_age_seconds
            ),
            max_future_seconds=(
                settings.max_future_seconds if max_future_seconds is None else max_future_seconds
            ),
            purpose=settings.purpose if purpose is None else purpose,
        )
        client = object.__new__(LedgerClient)
        client._connection = self._connection.with_settings(changed)
        return client

    @property
    def place(self) -> Target:
        """The place of the server, with whether the way there is TLS."""
        return self._connection.settings.place

    @property
    def security(self) -> Security:
        """The CA, the certificate and the token that were stated, as far as any was."""
        return self._connection.settings.security

    @property
    def channel(self) -> Any:  # noqa: ANN401 - a channel of gRPC
        """The channel of gRPC, for services beside the ledger's own, such as health."""
        return self._connection.channel

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()
