"""Records of authority, as the client hands them out: actors, identities, roles, grants, tokens.

Frozen values without protobuf, as in `records`. Administrator, CallerIdentity and AuthorityScope
are also what one sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ledger.client.hashes import hex_repr
from ledger.client.records import Appended
from ledger.reading import parse_json


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """An identity that others vouch for: the name in a certificate, or the subject of a token."""

    method: str
    """`certificate` or `jwt`."""
    subject: str
    """Of a certificate `spiffe://…`, `dns:…` or `email:…`."""
    issuer: str = ""
    """The issuer of a token, as its URL; empty for a certificate."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """A first or a recovered administrator."""

    actor: str
    """As `users/NAME`."""
    person: str
    """A pseudonym of the person, such as a staff number."""
    identities: tuple[CallerIdentity, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorityScope:
    """The part of a ledger that a grant covers; all of it where nothing is named."""

    models: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that a model carries, all of them."""
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredActor:
    """An actor, the person behind it, and the identities that are bound to it."""

    actor: str
    person: str
    meaning: str
    identities: tuple[CallerIdentity, ...]


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token that was issued; its secret is on no record."""

    token: str
    actor: str
    expires_at: datetime | None
    """None where it has no end."""
    revoked: bool
    position: int
    last_used_at: datetime | None
    """When its use was recorded last, which is the first of a day; None if it never was."""


@dataclass(frozen=True, slots=True)
class LiveCredentials:
    """The credentials by which callers are an actor, however long they have been so."""

    tokens: tuple[ListedToken, ...] = ()
    """Those that were neither revoked nor have expired."""
    identities: tuple[CallerIdentity, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A role: a set of actions."""

    role: str
    actions: tuple[str, ...]
    is_built_in: bool
    """Whether the product has it, rather than the team."""


@dataclass(frozen=True, slots=True)
class RecordedGrant:
    """A role that an actor holds, known by the position of its event."""

    position: int
    actor: str
    role: str
    scope: AuthorityScope
    expires_at: datetime | None
    """None where it has no end."""
    granted_by: str
    expired: bool


@dataclass(frozen=True, slots=True)
class AuthorityProposal:
    """A change that waits for a second administrator."""

    position: int
    type: str
    """The type of the event that its approval leaves."""
    change_json: str
    proposed_by: str
    until: datetime
    """Until when it can be approved."""
    credentials: LiveCredentials | None
    """By which callers are the actor of a grant or binding already; None for other changes."""

    @property
    def change(self) -> Any:  # noqa: ANN401 - the data of an event
        """The data of that event."""
        return parse_json(self.change_json)


@dataclass(frozen=True, slots=True)
class AuthorityAction:
    """Something that an actor may do."""

    action: str
    meaning: str


@dataclass(frozen=True, slots=True)
class LimitedActor:
    """The limits of an actor; where one is None, the server's own holds."""

    actor: str
    calls_per_second: int | None = None
    bytes_per_second: int | None = None
    """Of requests."""
    observations_per_second: int | None = None
    streams: int | None = None
    """Streams of observations at once, and likewise watches and long calls."""
    waits: int | None = None
    """Reads at once that wait for their `min_position`."""


@dataclass(frozen=True, slots=True)
class LedgerAuthority:
    """The authority of a ledger as of a position."""

    as_of_position: int
    began_at_position: int
    """The position of the first administrator; 0 while callers are believed."""
    actors: tuple[RegisteredActor, ...]
    tokens: tuple[ListedToken, ...]
    roles: tuple[Role, ...]
    grants: tuple[RecordedGrant, ...]
    """Those that were not withdrawn."""
    proposals: tuple[AuthorityProposal, ...]
    """Those that can still be approved."""
    actions: tuple[AuthorityAction, ...]
    limits: tuple[LimitedActor, ...]
    """Of those actors for which any were set."""


@dataclass(frozen=True, slots=True)
class ExplainedAuthority:
    """Whether an actor may do something, and why."""

    is_allowed: bool
    reason: str
    grants: tuple[RecordedGrant, ...]
    """Those that hold the action, whether they cover what was asked or not."""
    as_of_position: int
    credentials: LiveCredentials
    """By which callers are that actor."""


@hex_repr
@dataclass(frozen=True, slots=True)
class AuthorityChange(Appended):
    """Where a change of authority is, or its proposal."""

    is_proposed: bool = False
    """True if it waits for a second administrator: `approve_change` takes its `position`."""


@hex_repr
@dataclass(frozen=True, slots=True)
class ActorChange(AuthorityChange):
    """The same of a grant to an actor, or of a binding."""

    credentials: LiveCredentials = LiveCredentials()
    """By which callers are that actor now."""


@hex_repr
@dataclass(frozen=True, slots=True)
class ApprovedChange(Appended):
    """Where the change is that was approved."""

    credentials: LiveCredentials | None = None
    """By which callers are the actor of a grant or a binding now; None for other changes."""


@hex_repr
@dataclass(frozen=True, slots=True)
class IssuedToken(Appended):
    """Where a token is, and its secret, which is shown this once."""

    token: str = ""
    """Its name, by which it is listed and revoked."""
    secret: str = field(default="", repr=False)
    """The text to present; empty in the answer to a repeat, which shows it to no one again."""
