"""What `doctor` asks of the server, as any client would."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ledger.authority.table import ADMINISTRATOR
from ledger.events.notation import counted
from ledger.operations.examination import Check, State

if TYPE_CHECKING:
    from ledger.client import ClientError, LedgerClient

_LAG_WARN_EVENTS: Final = 50_000
_BEHIND_WARN_EVENTS: Final = 1_000  # of a subscriber, which is told of one after the other
_SERVER_DEADLINE_SECONDS: Final = 3.0
_TRY_OUT: Final = "Correct it there or in the settings; `notification test` tries it out."


def checks(client: "LedgerClient", target: str) -> Iterator[Check]:
    """Say what the server answers about itself and its ledgers."""
    from ledger.client import ClientError, TransportError, UnreachableError

    client = client.using(deadline_seconds=_SERVER_DEADLINE_SECONDS)
    try:
        found = list(client.list_ledgers())
    except TransportError as error:
        yield Check("server", "fail", error.why, error.remedy)
        return
    except UnreachableError as error:
        yield Check(
            "server",
            "warn",
            f"no server answers at {error.target}",
            "Start it with `decision-ledger serve`, or state --server.",
        )
        return
    except ClientError as error:
        yield Check("server", "fail", *_said(error))
        return
    yield _serving(client, target, f"serves {counted(len(found), 'ledger')}")
    yield _signing_health(client)
    for ledger in found:
        yield _authority(client.using(ledger=ledger.origin), ledger.origin)
        yield from _projections(client.using(ledger=ledger.origin), ledger.origin)
        yield _duplicates(client.using(ledger=ledger.origin), ledger.origin)
        yield from _notifications(client.using(ledger=ledger.origin), ledger.origin)
        yield from _policies(client.using(ledger=ledger.origin), ledger.origin)


def _said(error: "ClientError") -> tuple[str, str]:
    """Return what happened and what to do, as the server says it."""
    return getattr(error, "message", str(error)), getattr(error, "remedy", "")


def _authority(client: "LedgerClient", origin: str) -> Check:
    """Say whether callers of a ledger are known or believed."""
    from ledger.client import ClientError

    try:
        found = client.get_authority()
    except ClientError as error:
        return Check("authority", "warn", f"{origin}: {_said(error)[0]}", "Ask as a viewer.")
    if not found.began_at_position:
        return Check(
            "authority",
            "warn",
            f"{origin}: no administrator is named, so callers are believed to be whom they name",
            "Name one with `decision-ledger authority begin` on the server's Unix socket.",
        )
    administrators = sum(one.role == ADMINISTRATOR for one in found.grants)
    said = f"{origin}: in force from position {found.began_at_position}"
    return Check("authority", "ok", f"{said}, {counted(administrators, 'administrator')}")


def _policies(client: "LedgerClient", origin: str) -> Iterator[Check]:
    """Tell of every policy in force by an emergency that was not ratified, or without review."""
    from ledger.client import ClientError

    try:
        policies = list(client.list_policies())
    except ClientError as error:
        yield Check("policies", "warn", f"{origin}: {_said(error)[0]}", "Ask as a viewer.")
        return
    for one in policies:
        for activation in one.activations:
            if activation.in_force and activation.review_overdue:
                yield Check(
                    "policies",
                    "warn",
                    f"{origin}: the review of {one.policy} version {activation.version} is overdue",
                    f"Have it reviewed and signed: `decision-ledger policy review {one.policy}`.",
                )
            if activation.in_force and activation.unratified:
                yield Check(
                    "policies",
                    "warn",
                    f"{origin}: {one.policy} version {activation.version} is in force by an "
                    f"emergency of {activation.actor} that was not ratified",
                    "Have it approved and ratified, or rolled back: `decision-ledger policy "
                    f"status {one.policy}`.",
                )


def _duplicates(client: "LedgerClient", origin: str) -> Check:
    """Look for sources that send the same observation again under another request id."""
    from ledger.client import ClientError

    try:
        states = client.list_signal_states().states
    except ClientError as error:
        return Check("duplicates", "warn", f"{origin}: {_said(error)[0]}", "Ask again later.")
    found = [one for one in states if one.likely_duplicates]
    if not found:
        return Check("duplicates", "ok", f"{origin}: no recent observation repeats another one")
    shown = ", ".join(f"{one.model} {one.signal} {one.likely_duplicates}" for one in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return Check(
        "duplicates",
        "warn",
        f"{origin}: recent observations repeat others and count again: {shown}{more}",
        "Let their source send again under the same request id, or ask for duplicates to be left "
        "out, as `signal submit` and the SDK do.",
    )


def _health(client: "LedgerClient", service: str, ok: Check, failed: Check) -> Check:
    """Return one of two checks, as the server's health check answers; or that it does not say."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    request = health_pb2.HealthCheckRequest(service=service)
    try:
        stub: Any = health_pb2_grpc.HealthStub(client.channel)  # its stubs know no methods
        status = stub.Check(request, timeout=_SERVER_DEADLINE_SECONDS).status
    except grpc.RpcError as error:
        return Check(ok.name, "warn", f"the server does not say: {error}", "Update the server.")
    return ok if status == health_pb2.HealthCheckResponse.SERVING else failed


def _serving(client: "LedgerClient", target: str, what: str) -> Check:
    """Say whether the server, which answers, takes what is to be recorded."""
    failed = Check(
        "server",
        "fail",
        f"{target} {what}, but records nothing any more",
        "Its log says why, and so does its refusal of a request.",
    )
    return _health(client, "", Check("server", "ok", f"{target} {what}"), failed)


def _signing_health(client: "LedgerClient") -> Check:
    """Ask the server whether it still signs checkpoints."""
    from ledger.api.server import SIGNING

    failed = Check(
        "signing",
        "fail",
        "the server has stopped signing: a ledger contradicts what was signed before",
        "Its log says why, and so does `decision-ledger log checkpoint`.",
        is_integrity=True,
    )
    return _health(client, SIGNING, Check("signing", "ok", "the server signs checkpoints"), failed)


def _projections(client: "LedgerClient", origin: str) -> Iterator[Check]:
    from ledger.client import ClientError

    try:
        found = list(client.list_projections())
    except ClientError as error:
        yield Check(f"projections of {origin}", "fail", *_said(error))
        return
    for one in found:
        name = f"{one.projection} of {origin}"
        behind = one.head_position - one.tracking_position
        lag = counted(behind, "event")
        state: State = "ok"
        remedy = ""
        if one.state == "STOPPED" or one.quarantined:
            state, remedy = "fail", f"{one.problem or 'Events were set aside.'} Then rebuild it."
        elif behind > _LAG_WARN_EVENTS or one.problem:
            state, remedy = "warn", one.problem or "It should catch up; look again in a minute."
        yield Check(
            name,
            state,
            f"{one.state}, {lag} behind, digest {one.state_digest.hex()[:16]}",
            remedy,
        )


def _notifications(client: "LedgerClient", origin: str) -> Iterator[Check]:
    """Say whether each subscriber is told of what is recorded."""
    from ledger.client import ClientError

    name = f"notifications of {origin}"
    try:
        found = list(client.list_subscribers())
    except ClientError as error:
        yield Check(name, "ok", f"not looked at: {_said(error)[0]}")
        return
    for one in found:
        behind = one.head_position - one.cursor_position
        said = f"{one.name}: {counted(behind, 'event')} behind"
        if one.problem:
            tried = counted(one.attempts, "attempt")
            yield Check(name, "warn", f"{said}, {one.problem} ({tried})", _TRY_OUT)
        elif one.dead_letters:
            yield Check(
                name,
                "warn",
                f"{said}, {counted(one.dead_letters, 'event')} set aside",
                "List them with `decision-ledger notification dead`; `notification replay` sends "
                "them again.",
            )
        elif behind > _BEHIND_WARN_EVENTS:
            yield Check(name, "warn", said, "It takes events more slowly than they are recorded.")
        else:
            yield Check(name, "ok", said)
