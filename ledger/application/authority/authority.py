"""The authority of one ledger, followed event by event, and asked by every call.

A state is never changed once it is shown: what follows makes a new one. A call that appends
carries the guard that authority is what it was when it was let in, so no server's delay lets one
slip by.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, model_stream
from ledger.authority.believed import SHOWING_TYPES, BelievedCallers, SeenCallers
from ledger.authority.state import AuthorityState, Identity, Scope, Token
from ledger.authority.tokens import is_secret_of
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events import notation
from ledger.events.authority import (
    AUTHORITY_TYPES,
    CREDENTIAL_RECORDER,
    STREAM,
    CallRepresented,
    CredentialUsed,
)
from ledger.events.envelope import RecordedEvent
from ledger.events.models import DESCRIBING
from ledger.events.values import DAY, format_time, parse_time
from ledger.governance.requirements import AbleToApprove, able_to_approve
from ledger.limits import ActorLimits
from ledger.storage.records import Guard, LedgerInfo
from ledger.storage.store import Store

_METHOD: Final = "CredentialUsed"
_CLAIMED: Final = "CallRepresented"
_USES_MAX: Final = 20_000
_PAGE: Final = 2_000


class CredentialUse(NamedTuple):
    """A credential as an actor uses it from an address; the members are those of the event."""

    actor: str
    method: str
    issuer: str
    subject: str
    fingerprint: str
    """Empty for a caller that is believed."""
    address: str


class ClaimedCall(NamedTuple):
    """A call of one actor on behalf of another; the members are those of the event."""

    actor: str
    on_behalf_of: str
    method: str


class Authority:
    """The authority of one ledger. Safe between threads; `state` is a value."""

    def __init__(self, store: Store, info: LedgerInfo, clock: Clock) -> None:
        self._store = store
        self._info = info
        self._clock = clock
        self._appender = Appender(store, info.origin)
        self._lock = threading.Lock()
        self._state = AuthorityState()
        self._position = 0
        self._uses: dict[CredentialUse, int] = {}
        self._claims: dict[tuple[ClaimedCall, str], None] = {}
        self._on_change: list[Callable[[], None]] = []
        self.refresh()
        self._read_uses()

    # ---- following -------------------------------------------------------------------------------

    @property
    def state(self) -> AuthorityState:
        """The authority as far as it was followed."""
        return self._state

    @property
    def is_in_force(self) -> bool:
        """Whether an administrator was ever named."""
        return self._state.began_at > 0

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever authority has changed."""
        self._on_change.append(callback)

    def refresh(self, head: int | None = None) -> None:
        """Follow up to the head; `head` where the caller has just read it."""
        if head is None:
            head = self._store.events.head(self._info.origin).position
        if head > self._position:
            news = self._store.events.of_types(
                self._info.origin, AUTHORITY_TYPES, after=self._position, at_or_before=head
            )
            self._take_in(news, head)

    def consume(self, events: Sequence[RecordedEvent]) -> None:
        """Follow what comes behind the head that was followed last."""
        news = [event for event in events if event.type in AUTHORITY_TYPES]
        self._take_in(news, events[-1].position)

    def _take_in(self, events: Sequence[RecordedEvent], through: int) -> None:
        """Follow events of authority up to a position, but for those that were followed."""
        with self._lock:
            news = [event for event in events if event.position > self._position]
            self._position = max(self._position, through)
            if not news:
                return
            state = self._state.copy()
            for event in news:
                _apply(state, event)
            self._state = state
        for callback in self._on_change:
            callback()

    def as_of(self, position: int) -> AuthorityState:
        """Return the authority at an earlier position."""
        state = AuthorityState()
        for event in self._store.events.of_types(
            self._info.origin, AUTHORITY_TYPES, at_or_before=position
        ):
            _apply(state, event)
        return state

    def believed(self, position: int) -> BelievedCallers:
        """Return up to where callers were believed, as the events up to a position show it."""
        seen, after, read = SeenCallers(), 0, self._store.events.of_types
        while events := read(
            self._info.origin, SHOWING_TYPES, after=after, at_or_before=position, limit=_PAGE
        ):
            for event in events:
                has_body = event.body_bytes is not None
                seen.take(event.position, event.type, event.data if has_body else None)
            after = events[-1].position
        return seen.believed

    def labels_as_of(self, model: str, position: int) -> Mapping[str, str]:
        """Return the labels of a model at an earlier position; none where it was not described."""
        found = self._store.events.latest(
            self._info.origin, model_stream(model), DESCRIBING, at_or_before=position
        )
        if found is None or found.body_bytes is None:
            return {}
        labels: dict[str, str] = found.data["labels"]
        return labels

    # ---- questions -------------------------------------------------------------------------------

    def actor_of(self, method: str, issuer: str, subject: str, fingerprint: str) -> str:
        """Return the actor that a credential is bound to; one of its refusals where it is to none.

        A token takes the same steps whether its name is known or not.
        """
        if method != "token":
            actor = self._state.identities.get(Identity(method, issuer, subject))
            if actor is None:
                raise unbound()
            return actor
        token = self._state.tokens.get(subject)
        if not is_secret_of(fingerprint, None if token is None else token.digest) or token is None:
            raise token_unknown()
        return self._actor_of_token(token)

    def has_issued(self, name: str, fingerprint: str) -> bool:
        """Whether a token with its secret is one of this ledger's."""
        token = self._state.tokens.get(name)
        return is_secret_of(fingerprint, None if token is None else token.digest)

    def _actor_of_token(self, token: Token) -> str:
        if token.revoked_at:
            raise LedgerError(
                Reason.CREDENTIAL_REVOKED,
                "The token was revoked.",
                remedy="Ask an administrator of the ledger to issue another by `token issue`.",
            )
        if token.expires_at is not None and self._clock.now_micros() >= token.expires_at:
            raise LedgerError(
                Reason.CREDENTIAL_EXPIRED,
                f"The token expired at {notation.time(token.expires_at)}.",
                remedy="Ask an administrator of the ledger to issue another by `token issue`.",
            )
        return token.actor

    def scopes(self, actor: str, action: str) -> list[Scope]:
        """Return where an actor may do something now; empty where it may not."""
        return self._state.scopes(actor, action, self._clock.now_micros())

    def approvers(self) -> AbleToApprove | None:
        """Return the persons who can approve in each role now; None where callers are believed."""
        self.refresh()
        state = self._state
        return able_to_approve(state, self._clock.now_micros()) if state.began_at else None

    def limits_of(self, actor: str) -> ActorLimits | None:
        """Return the limits that were set for an actor; None where none were."""
        return self._state.limits.get(actor)

    def guard(self, *, is_passing: bool = True) -> Guard:
        """Return the guard that authority does not change between now and the append."""
        return unchanged(self._state, is_passing=is_passing)

    # ---- credentials on record -------------------------------------------------------------------

    def note_use(
        self,
        used: CredentialUse,
        deadline_monotonic: float | None,
        guards: Sequence[Guard] = (),
    ) -> None:
        """Record the first use of a credential on a day from an address, before the call goes on.

        `guards`: those of the call. Raises what an append does.
        """
        now = self._clock.now_micros()
        with self._lock:
            before = self._uses.get(used)
        if before is not None and before // DAY == now // DAY:
            return
        data = CredentialUsed.from_data(
            {
                **used._asdict(),
                "fingerprint": used.fingerprint or None,
                "used_at": format_time(now),
            }
        )
        own = Caller(CREDENTIAL_RECORDER, deadline_monotonic=deadline_monotonic)
        self._appender.append(own, _METHOD, lambda: Proposal([Addition.of(data)], guards))
        with self._lock:
            self._uses[used] = now
            if len(self._uses) > _USES_MAX:
                self._forget()

    def note_claim(
        self,
        claim: ClaimedCall,
        request_id: str | None,
        deadline_monotonic: float | None,
        guards: Sequence[Guard] = (),
    ) -> None:
        """Record on whose behalf an actor says that it calls: each append, a day's first read.

        `guards`: those of the call. Raises what an append does.
        """
        now = self._clock.now_micros()
        key = (claim, request_id or str(now // DAY))
        with self._lock:
            if key in self._claims:
                return
        data = CallRepresented.from_data(
            {**claim._asdict(), "request_id": request_id, "called_at": format_time(now)}
        )
        own = Caller(CREDENTIAL_RECORDER, deadline_monotonic=deadline_monotonic)
        self._appender.append(own, _CLAIMED, lambda: Proposal([Addition.of(data)], guards))
        with self._lock:
            self._claims[key] = None
            while len(self._claims) > _USES_MAX:
                del self._claims[next(iter(self._claims))]

    def last_use(self, token: str) -> int | None:
        """Return when a use of a token was recorded last; None if none is remembered."""
        with self._lock:
            found = [at for used, at in self._uses.items() if used.subject == token]
        return max(found, default=None)

    def _forget(self) -> None:
        """Forget the older half of the uses: what is used again is recorded again."""
        kept = sorted(self._uses.items(), key=lambda one: one[1])[len(self._uses) // 2 :]
        self._uses = dict(kept)

    def _read_uses(self) -> None:
        """Learn the uses that were recorded last."""
        found = self._store.events.of_types(
            self._info.origin,
            {CredentialUsed.TYPE},
            stream=CredentialUsed.STREAM,
            limit=_USES_MAX // 2,
            descending=True,
        )
        for event in reversed(found):
            if event.body_bytes is not None:
                data = event.data
                data["fingerprint"] = data["fingerprint"] or ""
                at = parse_time(data.pop("used_at"))
                self._uses[CredentialUse(**data)] = at


def unchanged(state: AuthorityState, *, is_passing: bool = False) -> Guard:
    """Return the guard that authority is still what was judged by when the events are appended."""
    return Guard(STREAM, None, expected_count=state.version, is_passing=is_passing)


def unbound() -> LedgerError:
    """Return the refusal of a credential that a ledger does not know."""
    return LedgerError(
        Reason.IDENTITY_UNBOUND,
        "The credential is in order, and is bound to no actor of this ledger.",
        remedy="Ask an administrator of the ledger to bind it by `authority bind`.",
    )


def token_unknown() -> LedgerError:
    """Return the refusal of a token whose name or secret a ledger does not know."""
    return LedgerError(
        Reason.CREDENTIAL_INVALID,
        "The token is none that this ledger issued.",
        remedy="Use a token of this ledger, as `token issue` has shown it.",
    )


def _apply(state: AuthorityState, event: RecordedEvent) -> None:
    body = event.body
    state.apply(event.position, event.type, body.actor, body.data)
