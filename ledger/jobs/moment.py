"""The circumstances of an event of a job, by which it is judged."""

from collections.abc import Mapping
from typing import NamedTuple

from ledger.authority.state import AuthorityState
from ledger.jobs.grounds import PlanGround


class JobMoment(NamedTuple):
    """The actor of an event, the time, and the authority that is in force.

    `decided_at` is the earliest time at which it may have been decided; `grants_at` is the time by
    which grants expire; `labels` are those of the job's model, by which a role is held for it.
    `ground` is the plan by which a job is proposed.
    """

    actor: str
    now: int
    decided_at: int
    grants_at: int
    authority: AuthorityState
    labels: Mapping[str, str] = {}
    ground: PlanGround | None = None
