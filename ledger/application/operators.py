"""Actors whom the operator names in settings, for as long as a ledger has no administrator.

A call that ends or replaces something for every client, or for good, is not for every caller who is
merely believed: keys, ledgers, models, rebuilds, bundles, bodies. Once an administrator is named,
the table of authority says who may do what, and these settings count no more.
"""

from collections.abc import Collection
from typing import Final

from ledger.errors import LedgerError, Reason

OPERATORS: Final = "operators.actors"
ERASERS: Final = "erasure.actors"

_NAMED: Final = {
    "ConfirmClock": (OPERATORS, "confirm the clock"),
    "CreateLedger": (OPERATORS, "create a ledger"),
    "DeleteExport": (OPERATORS, "delete an export"),
    "EraseBodies": (ERASERS, "erase bodies"),
    "RebuildProjection": (OPERATORS, "rebuild a projection"),
    "ReplayDeadLetters": (OPERATORS, "have notifications sent again"),
    "RetireModel": (OPERATORS, "retire a model"),
    "RevokeKey": (OPERATORS, "revoke a signing key"),
    "RotateKey": (OPERATORS, "rotate a signing key"),
    "TestSubscriber": (OPERATORS, "try a subscriber out"),
}
"""Of each method that is not for every caller: the setting that names its actors, and its words."""


class NamedActors:
    """The actors that the settings name. With none named, no client may make such a call."""

    def __init__(self, operators: Collection[str], erasers: Collection[str]) -> None:
        self._actors = {OPERATORS: frozenset(operators), ERASERS: frozenset(erasers)}

    def check(self, actor: str, method: str) -> None:
        """Raise ACTOR_NOT_AUTHORISED unless a believed actor may call a method by its name."""
        setting, what = _NAMED.get(method, ("", ""))
        if not setting or actor in self._actors[setting]:
            return
        raise LedgerError(
            Reason.ACTOR_NOT_AUTHORISED,
            f"{actor} is not authorised to {what}.",
            remedy="Call as an authorised actor; the operator names them in the setting "
            f"`{setting}`.",
            metadata={"actor": actor, "setting": setting},
        )
