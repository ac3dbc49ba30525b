"""The bounds of an override: its person, role, reason and tier, and from when until when it holds.

The service asks before it appends, the auditor asks again; each bound is written here and nowhere
else. A fault names what it is about, and is a sentence without its full stop.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ledger.authority.state import AuthorityState, Subject
from ledger.authority.table import METHODS
from ledger.events.decisions import DecisionOverridden
from ledger.events.notation import duration
from ledger.events.policy_document import NO_TIER, DecisionPart
from ledger.events.values import SECOND, format_time, parse_time
from ledger.limits import OVERRIDE_SECONDS_MAX

ACTION: Final = METHODS[DecisionOverridden.METHOD]
_LONGEST: Final = OVERRIDE_SECONDS_MAX * SECOND


class OverrideFault(NamedTuple):
    """Which member of an override cannot be as it is, and why."""

    member: str
    why: str


class OverrideBasis(NamedTuple):
    """All by which the bounds of an override are judged; times in microseconds."""

    actor: str
    earliest: int
    latest: int
    """The ledger's time when it was set lies between both; the service knows it exactly."""
    is_observed: bool
    """Whether the model has an observation of the time at which the override begins."""
    tiers: frozenset[str] | None
    """The tiers of the policy in force for the model; None where none is in force."""


def tiers_of(rules: DecisionPart, declared: Iterable[str]) -> frozenset[str]:
    """Return the tiers that an override may name under a policy, given those that it declares."""
    named = {rules.otherwise_tier, rules.error_tier, *(rule.tier for rule in rules.rules)}
    return frozenset({NO_TIER, *declared, *named} - {""})


def person_fault(actor: str) -> OverrideFault | None:
    """Return why an actor cannot override at all; None where it is a person."""
    is_person = actor.startswith("users/")
    return None if is_person else OverrideFault("actor", f"{actor} is not a person")


def bound_fault(data: Mapping[str, Any], basis: OverrideBasis) -> OverrideFault | None:
    """Return the first bound that an override does not keep, by its data; None where it may be."""
    if fault := person_fault(basis.actor):
        return fault
    if not data["rationale"].strip():
        return OverrideFault("rationale", "it gives no reason")
    if basis.tiers is None:
        return OverrideFault("model", "no policy is in force for the model")
    if data["tier"] not in basis.tiers:
        return OverrideFault("tier", f"{data['tier'][:80]!r} is not a tier of the policy in force")
    return _time_fault(parse_time(data["effective_from"]), data, basis)


def _time_fault(begins: int, data: Mapping[str, Any], basis: OverrideBasis) -> OverrideFault | None:
    ends = parse_time(data["effective_until"])
    if ends <= begins:
        return OverrideFault("effective_until", "it ends before it begins")
    if ends < basis.earliest + SECOND:
        return OverrideFault("effective_until", "it was over when it was set")
    if ends > basis.latest + _LONGEST:
        most = duration(OVERRIDE_SECONDS_MAX)
        return OverrideFault("effective_until", f"it holds for longer than {most}")
    at = format_time(begins)
    if begins > basis.latest:
        return OverrideFault("effective_from", f"it begins at {at}, which was to come")
    if begins < basis.earliest and not basis.is_observed:
        why = f"it begins at {at}, before it was set, and the model has no observation of that time"
        return OverrideFault("effective_from", why)
    return None


# ---- roles ---------------------------------------------------------------------------------------


def overriding_roles(
    authority: AuthorityState, actor: str, subject: Subject, at: int
) -> tuple[str, ...]:
    """Return the roles in which an actor may overrule decisions about a model, by name."""
    held = [one for one in authority.held(actor, at) if one.scope.covers(subject)]
    return tuple(sorted({one.role for one in held if authority.allows(one.role, ACTION)}))


def role_fault(
    authority: AuthorityState, actor: str, role: str | None, subject: Subject, at: int
) -> OverrideFault | None:
    """Return why an actor cannot overrule in a role; None where that may be.

    `at` is the time by which grants expire. Without an administrator no role is held.
    """
    if not authority.began_at:
        why = f"no administrator of the ledger was named, so {role} is held by no one"
        return None if role is None else OverrideFault("role", why)
    if role is None:
        return OverrideFault("role", "it does not say in which role")
    if role not in authority.roles:
        return OverrideFault("role", f"there is no role {role}")
    if not authority.allows(role, ACTION):
        return OverrideFault("role", f"the role {role} does not allow to override decisions")
    if role not in overriding_roles(authority, actor, subject, at):
        return OverrideFault("role", f"{actor} does not hold the role {role} for this model")
    return None
