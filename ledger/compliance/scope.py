"""Which part of a ledger a compliance export is about: a model, a person, a period."""

from dataclasses import dataclass

from ledger.compliance.facts import Fact


@dataclass(frozen=True, slots=True)
class Scope:
    """Empty members mean all. The period is of record times: from `since`, before `until`."""

    model: str = ""
    actor: str = ""
    since: int | None = None
    until: int | None = None

    def has_time(self, fact: Fact) -> bool:
        """Whether a fact was recorded in the period."""
        return (self.since is None or fact.recorded_at >= self.since) and (
            self.until is None or fact.recorded_at < self.until
        )

    def has_actor(self, fact: Fact) -> bool:
        """Whether the person asked for caused it."""
        return not self.actor or fact.actor == self.actor

    def has_model(self, model: object) -> bool:
        """Whether the model asked for is this one."""
        return not self.model or model == self.model

    def takes(self, fact: Fact) -> bool:
        """Whether a fact counts by time and person."""
        return self.has_time(fact) and self.has_actor(fact)
