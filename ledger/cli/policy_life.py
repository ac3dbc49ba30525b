"""`decision-ledger policy …`: the life of a version from its submission to its retirement."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.moments import AsOf, moment_of
from ledger.cli.policies import scope_of, scope_text, to_come
from ledger.cli.policy_shadows import scope_of_shadow
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.policy_status import PolicyStatus

_Policy = Annotated[str, typer.Argument(metavar="POLICY", help="Id of the policy.")]
_Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
_Submission = Annotated[
    int,
    typer.Option(min=0, help="Position of the submission; only where it is for several scopes."),
]
_Reason = Annotated[str, typer.Option(help="Why; recorded for good.")]
_Model = Annotated[str, typer.Option(help="For this model only.")]
_Label = Annotated[
    list[str] | None, typer.Option(help="For models with this KEY=VALUE; repeatable.")
]
DIGITS_MIN = 12


def submit(
    policy: _Policy,
    version: _Version,
    rationale: Annotated[str, typer.Option(help="Why; recorded for good.")],
    model: _Model = "",
    label: _Label = None,
    shadow: Annotated[
        int,
        typer.Option(min=0, help="From its shadow of this position, for that scope."),
    ] = 0,
) -> None:
    """Submit a version for approval: for the whole ledger, one model, or models with labels."""
    chosen = session()
    scope = scope_of(model, label)
    if shadow:
        scope = scope_of_shadow(policy, version, shadow, is_stated=bool(model or label))
    appended = chosen.client.submit_policy(policy, version, rationale, scope=scope, shadow=shadow)
    chosen.show(
        appended,
        f"{policy} version {version} is submitted for approval, at position {appended.position}. "
        f"`decision-ledger policy status {policy}` says what it takes.",
    )


def approve(
    policy: _Policy,
    version: _Version,
    digest: Annotated[
        str, typer.Option(help="The digest of what you read, 12 digits of it or more.")
    ],
    role: Annotated[str, typer.Option(help="The role; only where you hold several.")] = "",
    comment: Annotated[str, typer.Option(help="Your findings; recorded for good.")] = "",
    submission: _Submission = 0,
) -> None:
    """Approve a version as it was submitted. By it you state: I have reviewed and approved it."""
    chosen = session()
    whole = chosen.client.get_policy(policy, version).version.digest
    if len(digest) < DIGITS_MIN or not whole.startswith(digest):
        raise MisuseError(
            f"--digest: {policy} version {version} has the digest {whole}.",
            f"Read that one by `policy show {policy} --version {version}`, then state its digest.",
        )
    appended = chosen.client.approve_policy(
        policy, version, whole, role=role, comment=comment, submission=submission
    )
    chosen.show(appended, f"Approved {policy} version {version}, at position {appended.position}.")


def ratify(policy: _Policy, version: _Version) -> None:
    """Ratify a version that is in force by an emergency: it has the approvals that it lacked."""
    chosen = session()
    appended = chosen.client.ratify_policy(policy, version)
    chosen.show(
        appended, f"{policy} version {version} is ratified, at position {appended.position}."
    )


def withdraw(
    policy: _Policy,
    version: _Version,
    reason: _Reason,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="The time that was set for its activation instead.")
    ] = False,
) -> None:
    """Take back your own approval, before the version is in force by it."""
    chosen = session()
    if schedule:
        appended = chosen.client.withdraw_schedule(policy, version, reason)
        chosen.show(
            appended,
            f"The time of {policy} version {version} is withdrawn, at position "
            f"{appended.position}.",
        )
        return
    appended = chosen.client.withdraw_approval(policy, version, reason)
    chosen.show(
        appended,
        f"Your approval of {policy} version {version} is withdrawn, at position "
        f"{appended.position}.",
    )


def reject(
    policy: _Policy, version: _Version, reason: _Reason, submission: _Submission = 0
) -> None:
    """Reject a version: it has to be submitted again, and approved again."""
    chosen = session()
    appended = chosen.client.reject_policy(policy, version, reason, submission=submission)
    chosen.show(appended, f"Rejected {policy} version {version}, at position {appended.position}.")


def retire(policy: _Policy, version: _Version, reason: _Reason) -> None:
    """Retire a version that is in force nowhere: it cannot come into force any more."""
    chosen = session()
    appended = chosen.client.retire_policy(policy, version, reason)
    chosen.show(
        appended, f"{policy} version {version} is retired, at position {appended.position}."
    )


def rollback(
    policy: _Policy,
    version: _Version,
    reason: _Reason,
    model: _Model = "",
    label: _Label = None,
    digest: Annotated[str, typer.Option(help="Refuse unless the version has this digest.")] = "",
) -> None:
    """Put a version back that was in force there before: at once, and without approvals."""
    chosen = session()
    scope = scope_of(model, label)
    appended = chosen.client.roll_back_policy(policy, version, reason, scope=scope, digest=digest)
    chosen.show(
        appended,
        f"{policy} version {version} is in force again for {scope_text(scope)}, at position "
        f"{appended.position}.",
    )


def status(
    policy: _Policy,
    version: Annotated[int, typer.Option(min=0, help="A version; 0 for the newest.")] = 0,
    model: _Model = "",
    label: _Label = None,
    as_of: AsOf = None,
) -> None:
    """Show the state of a version: which approvals it takes and has, and who could give others."""
    chosen, then = session(), moment_of(as_of)
    found = chosen.client.get_policy_status(
        policy,
        version,
        scope=scope_of(model, label),
        as_of=then.time,
        as_of_position=then.position,
    )
    chosen.show(found, "\n".join(_lines(found)))


def _lines(found: "PolicyStatus") -> Iterator[str]:
    yield f"{found.policy} version {found.version}: {found.state}."
    yield f"  Digest {found.digest}, drafted by {found.author}."
    for one in found.in_force:
        yield f"  In force for {scope_text(one)}."
    for schedule in found.schedules:
        yield f"  It {to_come(schedule)}."
    if found.submission:
        yield f"  Submitted for {scope_text(found.scope)}, at position {found.submission}."
    for turn in found.reviews:
        since = f"overdue since position {turn.overdue_since}, " if turn.overdue_since else ""
        last = f"the last was at position {turn.review}" if turn.review else "the first one"
        yield (
            f"  Review for {scope_text(turn.scope)}: {since}due {output.when(turn.due_at)}; {last}."
        )
    for overlap in found.overlaps:
        other = f"{overlap.policy} version {overlap.version}, for {scope_text(overlap.scope)}"
        which = "that one" if overlap.decides else "this one"
        yield f"  Overlaps {other}: {which} decides where both apply."
    for need in found.needs:
        yield (
            f"  {need.policy} version {need.version} asks for {need.count} {need.role}: "
            f"{need.given} given."
        )
        if need.given < need.count:
            yield f"    Could approve: {', '.join(need.could) or 'no one else holds the role'}."
    if not found.needs:
        yield "  It takes no approvals there."
    for each in found.approvals:
        counts = f"does not count: {each.fault}" if each.fault else "counts"
        until = output.when(each.expires_at)
        yield f"  {each.actor} approved as {each.role}, until {until}; it {counts}."
