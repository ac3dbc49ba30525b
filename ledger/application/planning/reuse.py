"""Which versions are to be put back: what planner `excess/2` compares, gathered from the ledger.

The same function proposes and replays. A digest pins all that was compared, like a plan's inputs.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ledger.application.fleet.service_period import DeployedVersion
from ledger.application.planning.fleet_reading import (
    FleetMember,
    FleetReading,
    LossReading,
    VersionLosses,
)
from ledger.application.policies.compiled import reuse_of
from ledger.events.canonical import encode
from ledger.events.notation import counted, share
from ledger.events.policy_document import ReusingPlanningPart
from ledger.events.reuse import ComparedVersionPart, ReuseProposed
from ledger.events.values import SECOND, format_time
from ledger.kernel.reuse import (
    ReusePolicy,
    ReuseResult,
    ServedVersion,
    VersionLoss,
    reuse,
)


class Return(NamedTuple):
    """A version that is to serve again, in the place of another."""

    in_service: str
    version: DeployedVersion


class FleetReuse:
    """The versions to be put back by one reading of a fleet, for the policy version of that."""

    def __init__(self, fleet: FleetReading) -> None:
        self.fleet = fleet

    @property
    def planning(self) -> ReusingPlanningPart | None:
        """The part of the policy that puts versions back; None where it does not."""
        part = self.fleet.policy.document.planning
        if not isinstance(part, ReusingPlanningPart) or not part.reuse_versions:
            return None
        return part

    @cached_property
    def decided(self) -> list[ReuseProposed]:
        """The proposal of each model of which an earlier version is to serve, by name."""
        return [proposed for proposed, *_ in self._decided]

    def unproposed(self) -> list[ReuseProposed]:
        """Return what is to be proposed: not what was proposed before in the same period."""
        return [
            one
            for one in self.decided
            if not any(_is_same(one, before) for before in self.fleet.proposals_of(one.model))
        ]

    @cached_property
    def returns(self) -> dict[str, Return]:
        """The version that each model is to serve by next.

        But where a job is against it, and in a period in which one was put back: that was the
        decision of the period.
        """
        return {
            one.model: Return(one.in_service, version)
            for one, version, is_another in self._decided
            if not is_another and not self.fleet.jobs.against(one.model, one.put_back)
        }

    @cached_property
    def _decided(self) -> list[tuple[ReuseProposed, DeployedVersion, bool]]:
        return list(self._decide())

    def _decide(self) -> Iterator[tuple[ReuseProposed, DeployedVersion, bool]]:
        """Yield each proposal, its version, and whether one was put back in the period before."""
        part = self.planning
        if part is None:
            return
        by = LossReading.of(self.fleet.policy, part)
        losses = self.fleet.losses(by)
        for member in self.fleet.members(by.procedure):
            found = _compared(self.fleet, part, member, losses.get(member.history.model, {}))
            if found is not None:
                done = self.fleet.replaced(member.history, part.period_seconds * SECOND)
                yield *found, found[0].now_period in done


def _is_same(one: ReuseProposed, before: ReuseProposed) -> bool:
    """Whether a proposal was made before: of these versions, by that policy, in that period."""
    named = (one.policy, one.policy_digest, one.now_period, one.in_service, one.put_back)
    return named == (
        before.policy,
        before.policy_digest,
        before.now_period,
        before.in_service,
        before.put_back,
    )


def _compared(
    fleet: FleetReading, part: ReusingPlanningPart, member: FleetMember, losses: VersionLosses
) -> tuple[ReuseProposed, DeployedVersion] | None:
    """Return the proposal to put a version of a model back, and that version; None for none."""
    policy, micros = reuse_of(part), part.period_seconds * SECOND
    now_period, named = fleet.made_at // micros, fleet.policy
    oldest = now_period - policy.window
    others = _earlier(member, fleet.made_at)[-policy.versions :]
    if not others:
        return None

    def served(one: DeployedVersion) -> ServedVersion:
        return ServedVersion(
            one.version,
            one.trained_through // micros,
            {
                period: VersionLoss(rows, weighted)
                for period, (rows, weighted) in sorted(losses.get(one.version, {}).items())
                if oldest < period <= now_period and rows > 0
            },
        )

    serving, counting = served(member.serving), tuple(served(one) for one in others)
    result = reuse(policy, now_period, serving, counting)
    if result.put_back is None:
        return None
    [version] = [one for one in others if one.version == result.put_back]
    proposed = ReuseProposed(
        model=member.history.model,
        as_of=fleet.as_of,
        made_at=format_time(fleet.made_at),
        policy=named.policy,
        policy_version=named.version,
        policy_digest=named.digest,
        inputs_digest=_digest(policy, now_period, serving, counting),
        now_period=now_period,
        in_service=serving.name,
        put_back=result.put_back,
        compared=[
            ComparedVersionPart(
                model_version=one.name,
                n=str(one.n),
                den=str(one.den),
                adv=str(one.adv),
                advantage_ppm=None if one.advantage_ppm is None else str(one.advantage_ppm),
            )
            for one in result.compared
        ],
        reason=_reason(result, serving.name, policy),
    )
    return proposed, version


def _earlier(member: FleetMember, at: int) -> list[DeployedVersion]:
    """Return the other versions that served by a time, in the order in which they last left."""
    latest: dict[str, DeployedVersion] = {}
    for one in sorted(
        member.history.deployments, key=lambda one: (one.in_service_at, one.position)
    ):
        if one.in_service_at <= at:
            latest.pop(one.version, None)
            latest[one.version] = one
    latest.pop(member.serving.version, None)
    return list(latest.values())


def _reason(result: ReuseResult, serving: str, policy: ReusePolicy) -> str:
    [best] = [one for one in result.compared if one.name == result.put_back]
    assert best.advantage_ppm is not None, "a version without an advantage is not put back"
    compared = f" Compared: {counted(len(result.compared), 'earlier version')}."
    return (
        f"{best.name} did better lately than {serving}, which serves: by "
        f"{share(best.advantage_ppm)}, above the margin of {share(policy.margin_ppm)}.{compared}"
    )


def _digest(
    policy: ReusePolicy, now_period: int, serving: ServedVersion, others: Sequence[ServedVersion]
) -> str:
    """Return SHA-256 over the canonical JSON of all that was compared, in hex."""
    document = {
        "in_service": _version(serving),
        "now_period": now_period,
        "others": [_version(one) for one in others],
        "policy": {name: getattr(policy, name) for name in policy.__slots__},
    }
    return hashlib.sha256(encode(document)).hexdigest()


def _version(one: ServedVersion) -> dict[str, Any]:
    return {
        "model_version": one.name,
        "periods": [
            {"loss_nano": str(loss.loss_nano), "period": period, "rows": str(loss.rows)}
            for period, loss in sorted(one.periods.items())
        ],
        "trained_period": one.trained_period,
    }
