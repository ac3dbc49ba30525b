"""The gate of every call: which actor is on the line, and whether that actor may do this.

It is the one place where authority is enforced, before a servicer does anything. On a ledger with
an administrator, a credential is an actor only by a binding, and the actor needs a grant that holds
the method's action for all that the call names. On a ledger without one, callers are believed.

A refusal says nothing of what exists: it is the same whether the named things are there or not.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from google.protobuf.message import Message

from ledger.api.authentication.authenticator import ANONYMOUS
from ledger.api.authentication.call_facts import ACTOR_KEY
from ledger.api.authentication.credential import Credential, still_valid
from ledger.api.subjects import approved_extents, subjects_of
from ledger.application.authority.authority import (
    Authority,
    ClaimedCall,
    CredentialUse,
    token_unknown,
    unbound,
)
from ledger.application.commands import model_stream
from ledger.application.ledger import LedgerApplication
from ledger.application.operators import NamedActors
from ledger.authority.state import Extent, are_covered, is_whole
from ledger.authority.table import METHODS, REPRESENT
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.authority import OPERATOR, refused_action
from ledger.events.models import DESCRIBING
from ledger.storage.records import Guard, LedgerInfo

_OF_THE_OPERATOR: Final = "NameAdministrator"
_SEEN_BY_OPERATORS: Final = frozenset({"authority.read", "proofs.read"})
_APPROVING: Final = METHODS["ApprovePolicy"]
_OBSERVING: Final = "signals.submit"
_LISTING: Final = METHODS["ListLedgers"]
_REPLACING: Final = ("policies.draft", "policies.activate")
_DESCRIBING: Final = frozenset(DESCRIBING)


class GatedCall(Protocol):
    """A call, as far as the gate needs it; `ledger.api.calls.ServedCall` is one."""

    actor: str
    credential: Credential
    guards: tuple[Guard, ...]
    on_behalf_of: str | None

    @property
    def method_name(self) -> str:
        """The method without its service."""

    @property
    def claimed_actor(self) -> str | None:
        """The actor that the caller names; None where it names none."""

    @property
    def seconds_left(self) -> float | None:
        """How long the caller still waits; None for no limit."""


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

    def __init__(self, ledgers: GatedLedgers, *, is_loopback: bool, believes_always: bool) -> None:
        """`is_loopback`: whether all callers are on this machine, so that they may be believed.

        `believes_always`: whether they are even where authority is in force.
        """
        self._ledgers = ledgers
        self._clock = ledgers.clock
        self._is_loopback = is_loopback
        self._believes_always = believes_always

    def admit(self, call: GatedCall, request: Message, origin: str | None = None) -> None:
        """Settle a call's actor, or raise why it is not let in.

        The call's credential is verified by then; what it may do is looked up again for each
        request of a stream, whose ledger `origin` names. A call that names none is judged on the
        server's first ledger.
        """
        ledger = self._judged(call, request, origin)
        if ledger is not None and not self._note(call, ledger.authority, request):
            ledger.authority.refresh()  # another server may have recorded that this one is out
            self._judged(call, request, origin)

    def check_again(self, call: GatedCall, request: Message) -> None:
        """Raise why a call that was let in may not go on; it takes a few microseconds."""
        self._judged(call, request, None)

    def _judged(
        self, call: GatedCall, request: Message, origin: str | None
    ) -> LedgerApplication | None:
        """Settle a call's actor; return its ledger where it is known rather than believed."""
        if not still_valid(call.credential, self._clock.now_micros()):
            raise LedgerError(
                Reason.CREDENTIAL_EXPIRED,
                "The credential has expired since the call began.",
                remedy="Call again with a fresh one.",
            )
        named = getattr(request, "ledger", "") if origin is None else origin
        ledger = self._ledger_of(call, named)
        if ledger is None or not ledger.authority.is_in_force:
            self._believe(call, ledger)
            return None
        if call.credential.method == "socket" and self._is_operators(call):
            call.actor = OPERATOR
            return None
        authority = ledger.authority
        call.actor = self._actor_of(call, authority)
        call.guards = (authority.guard(),)
        call.guards += self._check(call.actor, call.method_name, request, ledger)
        call.on_behalf_of = self._claimed(call, ledger, request)
        return ledger

    def _ledger_of(self, call: GatedCall, origin: str) -> LedgerApplication | None:
        """Return the ledger that a call is judged on; None where there is none yet."""
        try:
            return self._ledgers.ledger(origin)
        except LedgerError as error:
            if error.reason is not Reason.LEDGER_UNKNOWN:
                raise
            if origin:
                self._refuse_stranger(call)
                raise
            return None

    def _refuse_stranger(self, call: GatedCall) -> None:
        """Refuse a caller as a ledger that is there refuses those it does not know.

        A caller who may list the server's ledgers is not refused: it may learn that there is none.
        """
        first, one = self._ledger_of(call, ""), call.credential
        if first is None or not first.authority.is_in_force:
            return
        try:
            actor = self._actor_of(call, first.authority)
        except LedgerError:
            if one.method in {"socket", "development"} or call.method_name == _OF_THE_OPERATOR:
                raise
            actor = ""
        if first.authority.scopes(actor, _LISTING):
            return
        if one.method == "development":
            raise _not_authorised(actor, METHODS[call.method_name])
        if one.method == "token":
            raise _of_other_ledger() if self._is_elsewhere(one) else token_unknown()
        raise unbound()

    # ---- callers who are believed ----------------------------------------------------------------

    def _believe(self, call: GatedCall, ledger: LedgerApplication | None) -> None:
        """Take a caller for whom it claims to be: no administrator was named yet.

        The operator of the machine, on the Unix socket, may do everything there.
        """
        by_socket = call.credential.method == "socket"
        if not (self._is_loopback or by_socket):
            raise LedgerError(
                Reason.UNAUTHENTICATED,
                "No administrator of this ledger is named, so no credential is bound to an actor.",
                remedy="Have the operator of the machine name one, by `authority begin` on the "
                "server's Unix socket.",
            )
        call.actor = call.claimed_actor or ANONYMOUS
        if ledger is not None:
            call.guards = (ledger.authority.guard(),)
        if call.method_name == _OF_THE_OPERATOR:
            if not by_socket:
                raise _operators_only()
            call.actor = OPERATOR
        elif not by_socket:
            self._ledgers.operators.check(call.actor, call.method_name)

    def _is_operators(self, call: GatedCall) -> bool:
        """Whether a call by the Unix socket is for the operator of the machine."""
        return (
            call.method_name == _OF_THE_OPERATOR
            or METHODS.get(call.method_name) in _SEEN_BY_OPERATORS
        )

    # ---- callers who are known -------------------------------------------------------------------

    def _actor_of(self, call: GatedCall, authority: Authority) -> str:
        one = call.credential
        if call.method_name == _OF_THE_OPERATOR:
            raise _operators_only()
        if one.method == "socket" or (one.method == "development" and not self._believes_always):
            raise LedgerError(
                Reason.UNAUTHENTICATED,
                "The ledger has an administrator, so a caller has to show who it is.",
                remedy="Send a client certificate or a bearer token: an administrator binds one by "
                "`authority bind`, or issues one by `token issue`.",
            )
        if one.method == "development":
            return one.subject
        try:
            return authority.actor_of(one.method, one.issuer, one.subject, one.fingerprint)
        except LedgerError as error:
            if error.reason is Reason.CREDENTIAL_INVALID and self._is_elsewhere(one):
                raise _of_other_ledger() from error
            raise

    def _claimed(self, call: GatedCall, ledger: LedgerApplication, request: Message) -> str | None:
        """Return the actor on whose behalf another one calls; None where it calls for itself.

        Both need the right: a gateway lends its own to no one, and gains none.
        """
        claimed = call.claimed_actor
        if claimed is None or claimed == call.actor:
            return None
        authority = ledger.authority
        if METHODS[call.method_name] == _OBSERVING or not authority.scopes(call.actor, REPRESENT):
            raise LedgerError(
                Reason.ACTOR_NOT_AUTHORISED,
                f"The credential is that of {call.actor}, and {ACTOR_KEY} names another actor.",
                remedy=f"Leave {ACTOR_KEY} (of commands --actor) out: the credential says who "
                f"calls. To call on behalf of others takes the action `{REPRESENT}`, by a role of "
                "the team's own (`authority role`); observations are a service's own.",
                metadata={"actor": call.actor, "action": REPRESENT},
            )
        call.guards += self._check(claimed, call.method_name, request, ledger)
        return claimed

    def _check(
        self, actor: str, method: str, request: Message, ledger: LedgerApplication
    ) -> tuple[Guard, ...]:
        """Raise ACTOR_NOT_AUTHORISED unless an actor may do all that a call asks for.

        Returns the guards that what it looked at is still so when the call appends.
        """
        authority, action = ledger.authority, METHODS[method]
        for further in _REPLACING if getattr(request, "replacements", ()) else ():
            if not is_whole(authority.scopes(actor, further)):  # no other scope covers a policy
                raise _not_authorised(actor, further)
        scopes = authority.scopes(actor, action)
        # A change of authority states its own scope, and is judged by it when it is recorded.
        if is_whole(scopes) or (scopes and action == "roles.grant"):
            return ()
        guards = _unchanged(ledger, request) if any(one.labels for one in scopes) else ()
        extents: Iterable[Extent] = subjects_of(ledger.fleet, request)
        if action == _APPROVING:
            extents, guards = approved_extents(
                ledger.governance.as_of(None), authority.state, actor, request
            )
        if not are_covered(scopes, extents):
            raise _not_authorised(actor, action)
        return guards

    def _is_elsewhere(self, one: Credential) -> bool:
        """Whether another ledger of the server has issued a token."""
        return any(
            self._ledgers.ledger(info.origin).authority.has_issued(one.subject, one.fingerprint)
            for info in self._ledgers.ledgers()
        )

    def _note(self, call: GatedCall, authority: Authority, request: Message) -> bool:
        """Have it on record by which credential the actor calls, and on whose behalf.

        A read goes on where that cannot be recorded, which is told by False.
        """
        one, left = call.credential, call.seconds_left
        used = CredentialUse(
            call.actor, one.method, one.issuer, one.subject or call.actor, one.fingerprint,
            one.address,
        )  # fmt: skip
        until = None if left is None else self._clock.monotonic_seconds() + left
        try:
            authority.note_use(used, until, call.guards)
            if call.on_behalf_of is not None:
                claim = ClaimedCall(call.actor, call.on_behalf_of, call.method_name)
                request_id = getattr(request, "request_id", "") or None
                authority.note_claim(claim, request_id, until, call.guards)
        except LedgerError:
            if "request_id" in request.DESCRIPTOR.fields_by_name:
                raise
            return False
        return True


def _unchanged(ledger: LedgerApplication, request: Message) -> tuple[Guard, ...]:
    """Return the guards that the models that a request names keep the labels that they have."""
    fleet = ledger.fleet
    fleet.refresh()  # another server may have changed some
    as_of = fleet.position
    models = sorted({one.model for one in subjects_of(fleet, request) if one.model})
    return tuple(
        Guard(model_stream(model), _DESCRIBING, after_position=as_of, is_passing=True)
        for model in models
    )


def _of_other_ledger() -> LedgerError:
    return LedgerError(
        Reason.TOKEN_OF_OTHER_LEDGER,
        "The token was issued by another ledger than the one that the call names.",
        remedy="Name the ledger that issued it, or have an administrator of this one issue another "
        "by `token issue`.",
    )


def _operators_only() -> LedgerError:
    return LedgerError(
        Reason.ACTOR_NOT_AUTHORISED,
        "Only the operator of the machine names an administrator like this.",
        remedy="Have the operator call `authority begin` by the server's Unix socket, which the "
        "setting `server.socket` names.",
    )


def _not_authorised(actor: str, action: str) -> LedgerError:
    return LedgerError(
        Reason.ACTOR_NOT_AUTHORISED,
        f"{actor} may not {refused_action(action)} there: no grant in force holds "
        f"`{action}` for it.",
        remedy=f"`authority why {actor} {action}` shows the grants that hold it; an administrator "
        "gives one by `authority grant`.",
        metadata={"actor": actor, "action": action},
    )
