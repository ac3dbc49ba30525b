"""The authority that a ledger's events have made so: actors, identities, tokens, roles, grants.

Pure: it is folded from events in order, and asked with the time as an argument. Times are
microseconds since the epoch. Nothing here believes an event; `changes` says whether one may be.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple, TypeAlias

from ledger.authority.table import ADMINISTRATOR, ROLES
from ledger.events.authority import (
    ActorRegistered,
    AdministratorNamed,
    AuthorityProposed,
    GrantWithdrawn,
    IdentityBound,
    IdentityUnbound,
    LimitsSet,
    RoleDefined,
    RoleGranted,
    TokenIssued,
    TokenRevoked,
)
from ledger.events.values import parse_time
from ledger.limits import ActorLimits


class Identity(NamedTuple):
    """An identity that others vouch for; `issuer` is empty for a certificate."""

    method: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The extent of a grant: everything, unless it names labels, models or signals."""

    labels: tuple[tuple[str, str], ...] = ()
    models: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole ledger."""
        return not (self.labels or self.models or self.signals)

    def covers(self, subject: "Subject") -> bool:
        """Whether a subject lies within; none is within a limited scope unless it is named."""
        if (self.labels or self.models) and subject.model is None:
            return False
        if self.models and subject.model not in self.models:
            return False
        if any(subject.labels.get(name) != value for name, value in self.labels):
            return False
        return not self.signals or subject.signal in self.signals

    def contains(self, other: "Scope") -> bool:
        """Whether all that another scope covers lies within this one."""
        return (
            set(self.labels) <= set(other.labels)
            and (not self.models or bool(other.models and other.models <= self.models))
            and (not self.signals or bool(other.signals and other.signals <= self.signals))
        )

    def reaches(self, extent: "Extent") -> bool:
        """Whether all of what a right is needed for lies within."""
        return self.covers(extent) if isinstance(extent, Subject) else self.contains(extent)


class Subject(NamedTuple):
    """One thing that a call is about: a model with its labels, a signal, or both."""

    model: str | None = None
    signal: str | None = None
    labels: Mapping[str, str] = {}


Extent: TypeAlias = Subject | Scope
"""The extent of what a right is needed for: one thing, or all that has some labels."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that an actor holds, named by the position of its event."""

    position: int
    actor: str
    role: str
    scope: Scope
    expires_at: int | None
    by: str

    def is_in_force(self, at: int) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or at < self.expires_at


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was issued; it is known by the digest of its secret."""

    name: str
    actor: str
    digest: str
    expires_at: int | None
    issued_at: int
    """The position of its event."""
    revoked_at: int = 0
    """The position at which it was revoked; 0 if it was not."""

    def is_live(self, at: int) -> bool:
        """Whether it was neither revoked nor has expired."""
        return not self.revoked_at and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class ChangeProposal:
    """A change that waits for a second administrator."""

    position: int
    type: str
    change: dict[str, Any]
    by: str
    until: int


WHOLE: Final = Scope()


@dataclass(slots=True)
class AuthorityState:
    """The authority after the events that were applied."""

    persons: dict[str, str] = field(default_factory=dict)
    """The person behind each actor."""
    meanings: dict[str, str] = field(default_factory=dict)
    identities: dict[Identity, str] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    roles: dict[str, frozenset[str]] = field(default_factory=lambda: dict(ROLES))
    grants: dict[int, Grant] = field(default_factory=dict)
    """Those that were not withdrawn, by position."""
    grants_of: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    """The same by actor, each by position: every call asks for one actor's."""
    administering: tuple[Grant, ...] = ()
    """Those of them that make an administrator, by position."""
    limits: dict[str, ActorLimits] = field(default_factory=dict)
    """Of those actors for which any were set."""
    proposals: dict[int, ChangeProposal] = field(default_factory=dict)
    """Those that were not approved, by position."""
    began_at: int = 0
    """The position from which on authority is in force; 0 while callers are believed."""
    position: int = 0
    """The last event of the stream of authority."""
    version: int = 0
    """How many events that stream has."""

    def copy(self) -> "AuthorityState":
        """Return an equal state, which goes its own way."""
        return replace(
            self,
            persons=dict(self.persons),
            meanings=dict(self.meanings),
            identities=dict(self.identities),
            tokens=dict(self.tokens),
            roles=dict(self.roles),
            grants=dict(self.grants),
            grants_of=dict(self.grants_of),
            limits=dict(self.limits),
            proposals=dict(self.proposals),
        )

    # ---- questions -------------------------------------------------------------------------------

    def held(self, actor: str, at: int) -> list[Grant]:
        """Return the grants of an actor in force, by position."""
        return [one for one in self.grants_of.get(actor, ()) if one.is_in_force(at)]

    def scopes(self, actor: str, action: str, at: int) -> list[Scope]:
        """Return where an actor may do something; empty where it may not."""
        return [one.scope for one in self.held(actor, at) if self.allows(one.role, action)]

    def allows(self, role: str, action: str) -> bool:
        """Whether a role has an action; one that a forgery grants undefined has none."""
        return action in self.roles.get(role, ())

    def may(self, actor: str, action: str, at: int, extents: Iterable[Extent] = ()) -> bool:
        """Whether an actor may do something to all of the extents, or to the whole ledger."""
        scopes = self.scopes(actor, action, at)
        return is_whole(scopes) or are_covered(scopes, extents)

    def administrators(self) -> frozenset[str]:
        """Return the persons who hold `administrator`; such a grant never expires."""
        return frozenset(self.persons[one.actor] for one in self.administering)

    def is_administrator(self, actor: str) -> bool:
        """Whether an actor holds `administrator`."""
        return any(one.role == ADMINISTRATOR for one in self.grants_of.get(actor, ()))

    def live_tokens(self, actor: str, at: int) -> list[Token]:
        """Return the tokens by which callers are an actor, by position."""
        own = [one for one in self.tokens.values() if one.actor == actor and one.is_live(at)]
        return sorted(own, key=lambda one: one.issued_at)

    def bound_identities(self, actor: str) -> list[Identity]:
        """Return the identities by which callers are an actor."""
        return sorted(one for one, bound in self.identities.items() if bound == actor)

    # ---- folding ---------------------------------------------------------------------------------

    def apply(self, position: int, type_: str, actor: str, data: dict[str, Any]) -> None:
        """Take in an event of the stream of authority."""
        self.position, self.version = position, self.version + 1
        self.proposals.pop(data.get("proposal") or 0, None)
        if type_ == AdministratorNamed.TYPE:
            self._name_administrator(position, actor, data)
        elif type_ == ActorRegistered.TYPE:
            self.persons[data["actor"]] = data["person"]
            self.meanings[data["actor"]] = data["meaning"]
        elif type_ == IdentityBound.TYPE:
            self.identities[identity_of(data["identity"])] = data["actor"]
        elif type_ == IdentityUnbound.TYPE:
            self.identities.pop(identity_of(data["identity"]), None)
        elif type_ == TokenIssued.TYPE:
            token = Token(
                data["token"], data["actor"], data["digest"], time_of(data["expires_at"]), position
            )
            self.tokens[token.name] = token
        elif type_ == TokenRevoked.TYPE:
            self._revoke(data["token"], position)
        elif type_ == RoleDefined.TYPE:
            self.roles[data["role"]] = frozenset(data["actions"])
        elif type_ == RoleGranted.TYPE:
            scope, expires_at = scope_of(data["scope"]), time_of(data["expires_at"])
            self._grant(Grant(position, data["actor"], data["role"], scope, expires_at, actor))
        elif type_ == GrantWithdrawn.TYPE:
            self._withdraw(data["grant"])
        elif type_ == LimitsSet.TYPE:
            self.limits[data["actor"]] = limits_of(data)
        elif type_ == AuthorityProposed.TYPE:
            self.proposals[position] = ChangeProposal(
                position, data["type"], data["change"], actor, parse_time(data["until"])
            )

    def _name_administrator(self, position: int, by: str, data: dict[str, Any]) -> None:
        actor = data["actor"]
        self.persons.setdefault(actor, data["person"])
        self.meanings.setdefault(actor, "")
        for one in data["identities"]:
            self.identities[identity_of(one)] = actor
        self._grant(Grant(position, actor, ADMINISTRATOR, WHOLE, None, by))
        self.began_at = self.began_at or position

    def _grant(self, grant: Grant) -> None:
        self.grants[grant.position] = grant
        self.grants_of[grant.actor] = (*self.grants_of.get(grant.actor, ()), grant)
        if grant.role == ADMINISTRATOR:
            self.administering = (*self.administering, grant)

    def _withdraw(self, position: int) -> None:
        grant = self.grants.pop(position, None)
        if grant is None:
            return
        kept = tuple(one for one in self.grants_of[grant.actor] if one is not grant)
        self.grants_of[grant.actor] = kept
        self.administering = tuple(one for one in self.administering if one is not grant)

    def _revoke(self, name: str, position: int) -> None:
        token = self.tokens.get(name)
        if token is not None:
            self.tokens[name] = Token(
                name, token.actor, token.digest, token.expires_at, token.issued_at, position
            )


def is_whole(scopes: Iterable[Scope]) -> bool:
    """Whether one of some scopes is the whole ledger."""
    return any(scope.is_whole for scope in scopes)


def are_covered(scopes: Sequence[Scope], extents: Iterable[Extent]) -> bool:
    """Whether there are extents, and each lies within one of some scopes."""
    named = tuple(extents)
    return bool(named) and all(any(scope.reaches(one) for scope in scopes) for one in named)


def identity_of(data: dict[str, Any]) -> Identity:
    """Return the identity that an event names."""
    return Identity(data["method"], data["issuer"], data["subject"])


def scope_of(data: dict[str, Any]) -> Scope:
    """Return the scope that an event names."""
    return Scope(
        tuple(sorted(data["labels"].items())), frozenset(data["models"]), frozenset(data["signals"])
    )


def limits_of(data: dict[str, Any]) -> ActorLimits:
    """Return the limits that an event sets."""
    return ActorLimits(**{one.name: data[one.name] for one in fields(ActorLimits)})


def time_of(text: str | None) -> int | None:
    """Return a time of an event that may state none."""
    return None if text is None else parse_time(text)
