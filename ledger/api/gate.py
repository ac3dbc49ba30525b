"""The gate of every call: which actor is on the line, and whether that actor may do this.

It is the one place where authority is enforced, before a servicer does anything. On a ledger with
an administrator, a credential is an actor only by a binding, and the actor needs a grant that holds
the method's action for all that the call names. On a ledger without one, callers are believed.

A refusal says nothing of what exists: it is the same whether the named things are there or not.
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from ledger.api.authentication.credential import Credential, address_of, still_valid
from ledger.api.subjects import subjects_of
from ledger.application.authority.authority import Authority, CredentialUse
from ledger.application.ledger import LedgerApplication
from ledger.application.operators import NamedActors
from ledger.authority.table import METHODS
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import values
from ledger.events.authority import ACTIONS, OPERATOR
from ledger.storage.records import Guard, LedgerInfo

ACTOR_KEY: Final = "ledger-actor"
ANONYMOUS: Final = "users/anonymous"
_CALLERS: Final = ("users/", "services/")
_OF_THE_OPERATOR: Final = "NameAdministrator"
_SEEN_BY_OPERATORS: Final = frozenset({"authority.read", "proofs.read"})
_REPLACING: Final = ("policies.draft", "policies.activate")


class GatedCall(Protocol):
    """A call, as far as the gate needs it; `ledger.api.calls.ServedCall` is one."""

    actor: str
    credential: Credential
    guards: tuple[Guard, ...]

    @property
    def method_name(self) -> str:
        """The method without its service."""

    @property
    def claimed_actor(self) -> str | None:
        """The actor that the caller names; None where it names none."""

    @property
    def seconds_left(self) -> float | None:
        """How long the caller still waits; None for no limit."""


class BelievedCall(Protocol):
    """A call, as far as it takes to believe it."""

    peer: str

    @property
    def claimed_actor(self) -> str | None:
        """The actor that the caller names; None where it names none."""


class GatedLedgers(Protocol):
    """The served ledgers, as far as the gate needs them."""

    clock: Clock
    operators: NamedActors

    def ledgers(self) -> list[LedgerInfo]:
        """Return every ledger."""

    def ledger(self, origin: str = "") -> LedgerApplication:
        """Return one ledger, the first one for an empty origin."""


class Gate:
    """Lets calls in. Safe between threads."""

    def __init__(self, ledgers: GatedLedgers, *, believes_always: bool = False) -> None:
        """`believes_always`: believe callers even where authority is in force."""
        self._ledgers = ledgers
        self._clock = ledgers.clock
        self._believes_always = believes_always

    def admit(self, call: GatedCall, request: Message, origin: str | None = None) -> None:
        """Settle a call's actor, or raise why it is not let in.

        The call's credential is verified by then; what it may do is looked up again for each
        request of a stream, whose ledger `origin` names. A call that names none is judged on the
        server's first ledger.
        """
        if not still_valid(call.credential, self._clock.now_micros()):
            raise LedgerError(
                Reason.CREDENTIAL_EXPIRED,
                "The credential has expired since the call began.",
                remedy="Call again with a fresh one.",
            )
        ledger = self._ledger_of(getattr(request, "ledger", "") if origin is None else origin)
        if ledger is None or not ledger.authority.is_in_force:
            self._believe(call, has_ledger=ledger is not None)
            return
        if call.credential.method == "socket" and self._is_operators(call):
            call.actor = OPERATOR
            return
        authority = ledger.authority
        call.actor = self._actor_of(call, authority)
        call.guards = (authority.guard(),)
        for action in _actions_of(call.method_name, request):
            # A change of authority states its own scope, and is judged by it when it is recorded.
            is_change = action == "roles.grant" and authority.has(call.actor, action)
            if not is_change and not authority.may(
                call.actor, action, lambda: subjects_of(ledger.fleet, request)
            ):
                raise _not_authorised(call.actor, action)
        self._note(call, authority, is_write="request_id" in request.DESCRIPTOR.fields_by_name)

    def _ledger_of(self, origin: str) -> LedgerApplication | None:
        """Return the ledger that a call is judged on; None where there is none yet."""
        try:
            return self._ledgers.ledger(origin)
        except LedgerError as error:
            if error.reason is Reason.LEDGER_UNKNOWN and not origin:
                return None
            raise

    # ---- callers who are believed ----------------------------------------------------------------

    def _believe(self, call: GatedCall, *, has_ledger: bool) -> None:
        """Take a caller for whom it claims to be: no administrator was named yet."""
        if call.credential.method not in ("development", "socket"):
            raise LedgerError(
                Reason.UNAUTHENTICATED,
                "No administrator of this ledger is named, so no credential is bound to an actor.",
                remedy="Have the operator of the machine name one, by `authority begin` on the "
                "server's Unix socket.",
            )
        call.actor = believed_actor(call.claimed_actor)
        if call.credential.method == "socket" and self._is_operators(call):
            call.actor = OPERATOR if has_ledger else call.actor
        elif call.method_name == _OF_THE_OPERATOR:
            raise _operators_only()
        else:
            self._ledgers.operators.check(call.actor, call.method_name)

    def _is_operators(self, call: GatedCall) -> bool:
        """Whether a call by the Unix socket is for the operator of the machine."""
        return (
            call.method_name == _OF_THE_OPERATOR
            or METHODS.get(call.method_name) in _SEEN_BY_OPERATORS
        )

    # ---- callers who are known -------------------------------------------------------------------

    def _actor_of(self, call: GatedCall, authority: Authority) -> str:
        one, claimed = call.credential, call.claimed_actor
        if call.method_name == _OF_THE_OPERATOR:
            raise _operators_only()
        if one.method == "socket" or (one.method == "development" and not self._believes_always):
            raise LedgerError(
                Reason.UNAUTHENTICATED,
                "The ledger has an administrator, so a caller has to show who it is.",
                remedy="Send a client certificate or a bearer token.",
            )
        if one.method == "development":
            return believed_actor(claimed)
        try:
            actor = authority.actor_of(one.method, one.issuer, one.subject, one.fingerprint)
        except LedgerError as error:
            if error.reason is Reason.CREDENTIAL_INVALID and self._is_elsewhere(one):
                raise _of_other_ledger() from error
            raise
        if claimed is not None and claimed != actor:
            raise LedgerError(
                Reason.ACTOR_NOT_AUTHORISED,
                f"The credential is that of {actor}, and {ACTOR_KEY} names another actor.",
                remedy=f"Leave {ACTOR_KEY} out: the credential says who calls.",
                metadata={"actor": actor},
            )
        return actor

    def _is_elsewhere(self, one: Credential) -> bool:
        """Whether another ledger of the server has issued a token."""
        return any(
            self._ledgers.ledger(info.origin).authority.has_issued(one.subject, one.fingerprint)
            for info in self._ledgers.ledgers()
        )

    def _note(self, call: GatedCall, authority: Authority, *, is_write: bool) -> None:
        """Have it on record by which credential the actor calls; a read goes on without."""
        one, left = call.credential, call.seconds_left
        used = CredentialUse(
            call.actor, one.method, one.issuer, one.subject or call.actor, one.fingerprint,
            one.address,
        )  # fmt: skip
        until = None if left is None else self._clock.monotonic_seconds() + left
        try:
            authority.note_use(used, until)
        except LedgerError:
            if is_write:
                raise


def believed_actor(claimed: str | None) -> str:
    """Return the actor that a believed caller claims to be; FIELD_INVALID where it can be none."""
    text = ANONYMOUS if claimed is None else claimed
    if not text.startswith(_CALLERS) or values.ACTOR.fullmatch(text) is None:
        raise invalid_field(
            ACTOR_KEY,
            f"{text[:80]!r} names no caller",
            remedy="Write users/NAME or services/NAME in a-z, 0-9, '.', '_' and '-'.",
        )
    return text


def _actions_of(method: str, request: Any) -> Iterator[str]:  # noqa: ANN401 - any message
    """Yield what a call asks for: its method's action, and those of policies that it replaces."""
    yield METHODS[method]
    if getattr(request, "replacements", ()):
        yield from _REPLACING


def _of_other_ledger() -> LedgerError:
    return LedgerError(
        Reason.TOKEN_OF_OTHER_LEDGER,
        "The token was issued by another ledger than the one that the call names.",
        remedy="Use the token of this ledger.",
    )


def _operators_only() -> LedgerError:
    return LedgerError(
        Reason.ACTOR_NOT_AUTHORISED,
        "Only the operator of the machine names an administrator like this.",
        remedy="Call by the server's Unix socket, which the setting `server.socket` names.",
    )


def _not_authorised(actor: str, action: str) -> LedgerError:
    return LedgerError(
        Reason.ACTOR_NOT_AUTHORISED,
        f"{actor} may not {ACTIONS[action]}, there: no grant in force holds `{action}` for it.",
        remedy="Ask an administrator for a role that does. `authority why` shows the grants.",
        metadata={"actor": actor, "action": action},
    )


def believed(call: BelievedCall) -> Credential:
    """Return the credential of a caller who shows none: it is for whom it claims to be."""
    address = address_of(call.peer)
    return Credential("development", "", believed_actor(call.claimed_actor), "", address, None)
