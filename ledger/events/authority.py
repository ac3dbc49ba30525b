"""Events of authority: actors, their identities and tokens, roles, grants.

Changes of authority are in one stream, so that one export is the whole story, and none of them can
be erased: an auditor judges every later event by them. They hold no secret, and of a person only
the pseudonym that a team chooses. The credentials that were used are in a stream beside it.
"""

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ledger.events.base import (
    Actor,
    EventData,
    Hex32,
    Labels,
    Part,
    Position,
    Segment,
    Text,
    Time,
)
from ledger.limits import ACTOR_PLACES_MAX, ACTOR_RATE_MAX, LABEL_CHARS_MAX, SUBJECT_CHARS_MAX

STREAM: Final = "authority/changes"
OPERATOR: Final = "system/operator"
"""The actor of what the operator of the machine does on the Unix socket."""
NAMED_WITH_LEDGER: Final = "Named with the ledger."
"""The reason that is recorded for an administrator with whom a ledger begins."""
CREDENTIAL_RECORDER: Final = "system/credentials"
"""The actor of what the service records of credentials and claims."""

ACTIONS: Final[dict[str, str]] = {
    "actors.register": "register an actor and the person behind it",
    "actors.represent": "call on behalf of other actors, which is recorded as claimed",
    "audits.record": "record that an audit was completed",
    "authority.read": "see actors, identities, roles and grants",
    "bodies.erase": "erase bodies of events",
    "budgets.overspend": "let a job cost more than its budget has",
    "budgets.set": "set a budget",
    "checkpoints.cosign": "hand in a witness's cosignature",
    "clock.confirm": "confirm the server's clock",
    "decisions.evaluate": "score a model and decide, besides the schedule",
    "decisions.override": "override a decision",
    "decisions.replay": "replay decisions",
    "drills.record": "record that a drill was held",
    "escalations.answer": "acknowledge and resolve escalations",
    "events.read": "read events as hashed",
    "exports.create": "create an export",
    "exports.delete": "delete the files of an export",
    "exports.read": "list and read exports",
    "fleet.read": "read models, signals, policies, decisions, priorities, plans and jobs",
    "identities.bind": "bind an identity to an actor, and take it away",
    "jobs.approve": "approve a job or deny it, at its beginning and before it is deployed",
    "jobs.cancel": "cancel a job, or have its version taken back",
    "jobs.execute": "do a job under a lease, deploy its version, and put versions back as proposed",
    "jobs.propose": "propose a job",
    "keys.revoke": "revoke a signing key",
    "keys.rotate": "rotate the signing key",
    "ledgers.create": "create a ledger",
    "limits.set": "set the limits of an actor",
    "models.deploy": "record that a version of a model went into service",
    "models.register": "register a model",
    "models.retire": "retire a model",
    "models.update": "change the description of a model",
    "notifications.read": "see subscribers and the notifications that were not delivered",
    "notifications.send": "have notifications sent again, and try a subscriber out",
    "plans.make": "make a plan",
    "policies.activate": "put a policy in force, and roll one back",
    "policies.approve": "approve a policy or reject it",
    "policies.draft": "draft a policy",
    "policies.emergency": "put a policy in force without its approvals, to be ratified",
    "projections.rebuild": "rebuild a read model",
    "proofs.read": "read a ledger's head, keys, checkpoints and proofs",
    "recipes.approve": "approve a recipe, reject it or retire it",
    "recipes.draft": "draft a recipe, and register benchmark models",
    "roles.define": "define a role",
    "roles.grant": "grant a role, and withdraw it",
    "signals.define": "define a signal",
    "signals.submit": "submit observations",
    "streams.seal": "seal all streams",
    "tasks.work": "take and close tasks",
    "tokens.issue": "issue a token to a service, and revoke it",
}
"""Every action there is, with its meaning. A later release may add some, and takes none away."""


def refused_action(action: str) -> str:
    """Return the meaning of an action as it follows on `may not`: each part of it is refused."""
    return ACTIONS[action].replace(", and ", " or ")


def _action(text: str) -> str:
    if text not in ACTIONS:
        raise ValueError(f"{text[:80]!r} is no action; `authority table` lists them")
    return text


def _ascending(items: list[str]) -> list[str]:
    if any(one >= following for one, following in pairwise(items)):
        raise ValueError("must be in ascending order, none of them twice")
    return items


Caller = Annotated[str, Field(pattern=r"^(users|services)/[a-z0-9][a-z0-9._-]{0,127}\z")]
"""An actor that can call."""

_Names = Annotated[list[Segment], Field(max_length=1_000), AfterValidator(_ascending)]
_Subject = Annotated[str, Field(min_length=1, max_length=SUBJECT_CHARS_MAX)]
_Token = Annotated[str, Field(pattern=r"^[0-9a-f]{16}\z")]


class GrantScopePart(Part):
    """The part of a ledger that a grant covers; the whole ledger where all three are empty."""

    labels: Labels
    """Labels that a model carries, all of them."""
    models: _Names
    signals: _Names


class IdentityPart(Part):
    """An identity that others vouch for: a certificate's name, or the subject of an issuer."""

    method: Literal["certificate", "jwt"]
    issuer: Annotated[str, Field(max_length=SUBJECT_CHARS_MAX)]
    """The issuer's URL; empty for a certificate."""
    subject: _Subject
    """The subject of the issuer; of a certificate `spiffe://…`, `dns:…` or `email:…`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.method == "jwt") != bool(self.issuer):
            raise ValueError("issuer: a token has one, a certificate has none")
        return self


class AuthorityEvent(EventData):
    """An event that changes who may do what."""

    STREAM: ClassVar[str] = STREAM
    KEEPS_BODY: ClassVar[bool] = True


class AdministratorNamed(AuthorityEvent):
    """An administrator was named: with the ledger, or by the operator of the machine.

    It registers the actor where it was not, binds the identities that are not bound yet, and grants
    `administrator` for the whole ledger. From the first one on, authority is in force.
    """

    TYPE: ClassVar[str] = "administrator.named.v1"
    CAUSE: ClassVar[str] = "the caller of CreateLedger, or the operator on the Unix socket"
    METHOD: ClassVar[str] = "NameAdministrator"

    actor: Annotated[str, Field(pattern=r"^users/[a-z0-9][a-z0-9._-]{0,127}\z")]
    person: Segment
    identities: Annotated[list[IdentityPart], Field(max_length=100)]
    reason: Text


class ActorRegistered(AuthorityEvent):
    """An actor was registered, with the person behind it."""

    TYPE: ClassVar[str] = "actor.registered.v1"
    CAUSE: ClassVar[str] = "the caller of RegisterActor"
    METHOD: ClassVar[str] = "RegisterActor"

    actor: Caller
    person: Segment
    """A pseudonym, such as a staff number: who it is, or who answers for the service."""
    meaning: Text


class IdentityBound(AuthorityEvent):
    """An identity was bound to an actor: who presents it is that actor."""

    TYPE: ClassVar[str] = "identity.bound.v1"
    CAUSE: ClassVar[str] = "the caller of BindIdentity"
    METHOD: ClassVar[str] = "BindIdentity"

    actor: Caller
    identity: IdentityPart
    reason: Text
    proposal: Position | None
    """The proposal that this approves; null where one administrator is enough."""


class IdentityUnbound(AuthorityEvent):
    """An identity was taken away from its actor."""

    TYPE: ClassVar[str] = "identity.unbound.v1"
    CAUSE: ClassVar[str] = "the caller of UnbindIdentity"
    METHOD: ClassVar[str] = "UnbindIdentity"

    identity: IdentityPart
    reason: Text


class TokenIssued(AuthorityEvent):
    """A token was issued to a service; its secret was shown once and is not kept."""

    TYPE: ClassVar[str] = "token.issued.v1"
    CAUSE: ClassVar[str] = "the caller of IssueToken"
    METHOD: ClassVar[str] = "IssueToken"

    token: _Token
    actor: Annotated[str, Field(pattern=r"^services/[a-z0-9][a-z0-9._-]{0,127}\z")]
    digest: Hex32
    """SHA-256 of the secret."""
    expires_at: Time | None
    reason: Text


class TokenRevoked(AuthorityEvent):
    """A token was revoked: from here on it lets no call in."""

    TYPE: ClassVar[str] = "token.revoked.v1"
    CAUSE: ClassVar[str] = "the caller of RevokeToken"
    METHOD: ClassVar[str] = "RevokeToken"

    token: _Token
    reason: Text


class RoleDefined(AuthorityEvent):
    """A role of the team's own was defined, or defined otherwise."""

    TYPE: ClassVar[str] = "role.defined.v1"
    CAUSE: ClassVar[str] = "the caller of DefineRole"
    METHOD: ClassVar[str] = "DefineRole"

    role: Segment
    actions: Annotated[
        list[Annotated[str, AfterValidator(_action)]],
        Field(min_length=1, max_length=100),
        AfterValidator(_ascending),
    ]
    meaning: Text
    proposal: Position | None


class RoleGranted(AuthorityEvent):
    """A role was granted to an actor. The grant is named by the position of this event."""

    TYPE: ClassVar[str] = "role.granted.v1"
    CAUSE: ClassVar[str] = "the caller of GrantRole"
    METHOD: ClassVar[str] = "GrantRole"

    actor: Caller
    role: Segment
    scope: GrantScopePart
    expires_at: Time | None
    reason: Text
    proposal: Position | None


class GrantWithdrawn(AuthorityEvent):
    """A grant was withdrawn."""

    TYPE: ClassVar[str] = "grant.withdrawn.v1"
    CAUSE: ClassVar[str] = "the caller of WithdrawGrant"
    METHOD: ClassVar[str] = "WithdrawGrant"

    grant: Position
    """The position of the event that granted it."""
    reason: Text
    proposal: Position | None


_Rate = Annotated[int, Field(ge=1, le=ACTOR_RATE_MAX)]
_Places = Annotated[int, Field(ge=0, le=ACTOR_PLACES_MAX)]


class LimitsSet(AuthorityEvent):
    """The limits of an actor were set: what it may send, and keep open at once.

    Where one is null, the server's own holds. They take the place of all that were set before.
    """

    TYPE: ClassVar[str] = "limits.set.v1"
    CAUSE: ClassVar[str] = "the caller of SetLimits"
    METHOD: ClassVar[str] = "SetLimits"

    actor: Caller
    calls_per_second: _Rate | None
    bytes_per_second: _Rate | None
    observations_per_second: _Rate | None
    streams: _Places | None
    """Streams of observations, watches and long calls: so many of each kind."""
    waits: _Places | None
    """Reads that wait for a position."""
    reason: Text


class AuthorityProposed(AuthorityEvent):
    """A change was proposed that takes a second administrator, who approves it within a week."""

    TYPE: ClassVar[str] = "authority.proposed.v1"
    CAUSE: ClassVar[str] = "the caller of the change"

    type: str
    """The type of the event that an approval leaves."""
    change: dict[str, Any]
    """Its data, with `proposal` null."""
    until: Time
    """Until when it can be approved."""

    @model_validator(mode="after")
    def _is_change(self) -> Self:
        cls = PROPOSABLE.get(self.type)
        if cls is None:
            raise ValueError(f"{self.type[:80]!r} is no change that a second one approves")
        if cls.from_data(self.change).to_data() != {**self.change, "proposal": None}:
            raise ValueError("change: its proposal is not null")
        return self


PROPOSABLE: Final[dict[str, type[AuthorityEvent]]] = {
    cls.TYPE: cls for cls in (IdentityBound, RoleDefined, RoleGranted, GrantWithdrawn)
}

AUTHORITY_CLASSES: Final[tuple[type[AuthorityEvent], ...]] = (
    AdministratorNamed,
    ActorRegistered,
    IdentityBound,
    IdentityUnbound,
    TokenIssued,
    TokenRevoked,
    RoleDefined,
    RoleGranted,
    GrantWithdrawn,
    AuthorityProposed,
    LimitsSet,
)
AUTHORITY_TYPES: Final = frozenset(cls.TYPE for cls in AUTHORITY_CLASSES)


class CredentialUsed(EventData):
    """An actor called by a credential, for the first time on a day from an address."""

    TYPE: ClassVar[str] = "credential.used.v1"
    STREAM: ClassVar[str] = "authority/credentials"
    CAUSE: ClassVar[str] = "the service, before the first call of the day is carried out"
    IS_HOUSEKEEPING: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = "by which credential the actor called is not shown any more"

    actor: Actor
    method: Literal["certificate", "jwt", "token", "development"]
    issuer: Annotated[str, Field(max_length=SUBJECT_CHARS_MAX)]
    subject: _Subject
    """The identity that was presented; of a token its name, of a believed caller the actor."""
    fingerprint: Hex32 | None
    """SHA-256 of what was presented; null for a caller that was believed."""
    address: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]
    used_at: Time
    """The machine's time; a `data` ledger's own is that of its data."""


class CallRepresented(EventData):
    """An actor said on whose behalf it calls, which is claimed and not proved.

    Its own events are under the actor that called, with the same request id.
    """

    TYPE: ClassVar[str] = "call.represented.v1"
    STREAM: ClassVar[str] = "authority/claims"
    CAUSE: ClassVar[str] = "the service, before the call is carried out"
    IS_HOUSEKEEPING: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = "on whose behalf the actor called is not shown any more"

    actor: Caller
    """The actor that called."""
    on_behalf_of: Caller
    method: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{1,63}\z")]
    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}\z")] | None
    """That of the call; null for a read, of which the first of a day is recorded."""
    called_at: Time
    """The machine's time."""
