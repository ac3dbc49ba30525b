"""What explains a decision: given from outside, since this room computes nothing."""

from collections.abc import Collection
from typing import Final, Protocol

from ledger.compliance.facts import Fact


class Explainer(Protocol):
    """Tells why decisions came out as they did, in the sentences of `decision explain`."""

    @property
    def types(self) -> Collection[str]:
        """Types of events that it has to see, beside policies and decisions."""
        ...

    def see(self, fact: Fact) -> None:
        """Take notice of a fact; they come in order of position."""
        ...

    def why(self, decision: Fact) -> str:
        """Return why a decision came out as it did; empty where that cannot be told."""
        ...


class _Unexplained:
    """An explainer that has nothing to say."""

    types: Collection[str] = ()

    def see(self, fact: Fact) -> None:
        """Take no notice."""

    def why(self, decision: Fact) -> str:  # noqa: ARG002 - as the protocol has it
        """Say nothing."""
        return ""


UNEXPLAINED: Final[Explainer] = _Unexplained()
