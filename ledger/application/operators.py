"""Actors whom the operator names for what could harm everybody: until roles exist, a list each.

A call that ends or replaces something for every client, or for good, is not for every caller:
keys, ledgers, models, rebuilds, bundles, bodies. The operator names in a setting who may do it.
"""

from collections.abc import Collection
from typing import Final

from ledger.errors import LedgerError, Reason

OPERATORS: Final = "operators.actors"
ERASERS: Final = "erasure.actors"

_OWN_PARTS: Final = "system/"  # no client can claim such a name


class NamedActors:
    """The actors that one setting names. With none named, only the server's own parts may act."""

    def __init__(self, setting: str, actors: Collection[str]) -> None:
        self._setting = setting
        self._actors = frozenset(actors)

    def check(self, actor: str, what: str) -> None:
        """Raise ACTOR_NOT_AUTHORISED unless the actor may do `what`, such as "rotate a key"."""
        if actor in self._actors or actor.startswith(_OWN_PARTS):
            return
        raise LedgerError(
            Reason.ACTOR_NOT_AUTHORISED,
            f"{actor} is not authorised to {what}.",
            remedy="Call as an authorised actor; the operator names them in the setting "
            f"`{self._setting}`.",
            metadata={"actor": actor, "setting": self._setting},
        )
