"""Versions to be put back, derived again from the audit's own fold: `docs/spec/planner_v2.md`."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from ledger.audit.audited_model import AuditedDeployment, AuditedModel
from ledger.audit.parameters import Parameters, digest_of
from ledger.audit.sums import per_cent
from ledger.events.values import SECOND, parse_time
from ledger.kernel.reuse import ReusePolicy, ServedVersion, VersionLoss, reuse

Losses: TypeAlias = dict[tuple[str, int], tuple[int, int]]
"""Rows, and the sum of value × rows in nano, by version and period."""
Moment: TypeAlias = tuple[int, int]
"""The horizon of a plan, and the time that it is made at."""

_MEMBERS = {
    "period_seconds": "period_seconds",
    "versions": "reuse_versions",
    "half_life_seconds": "reuse_half_life_seconds",
    "periods": "reuse_periods",
    "prior_ppm": "reuse_prior_ppm",
    "margin_ppm": "reuse_margin_ppm",
    "season_periods": "season_periods",
    "season_ppm": "season_ppm",
}


class AuditedProposals:
    """The proposals to put versions back, as of the events applied so far."""

    def __init__(self) -> None:
        self._of: dict[str, list[tuple[int, dict[str, Any]]]] = {}

    def add(self, position: int, data: dict[str, Any]) -> None:
        """Take in a proposal."""
        self._of.setdefault(data["model"], []).append((position, data))

    def of(self, model: str, as_of: int) -> list[tuple[int, dict[str, Any]]]:
        """Return those of a model up to a position, in order."""
        return [(at, data) for at, data in self._of.get(model, ()) if at <= as_of]


def is_reusing(parameters: Parameters) -> bool:
    """Whether a policy version plans by `excess/2`, which may put versions back."""
    return "rest_periods" in parameters.document["planning"]


def reuse_policy(parameters: Parameters) -> ReusePolicy | None:
    """Return by what a policy version puts versions back; None where it puts none back."""
    part = parameters.document["planning"]
    if part is None or not part.get("reuse_versions"):
        return None
    return ReusePolicy(**{name: part[member] for name, member in _MEMBERS.items()})


def replaced_versions(
    facts: AuditedModel,
    proposals: list[tuple[int, dict[str, Any]]],
    period_micros: int,
    as_of: int,
) -> dict[int, AuditedDeployment]:
    """Return by period the deployment of the version that reuse replaced in it."""
    deployed = facts.deployed(as_of)
    found: dict[int, AuditedDeployment] = {}
    for position, data in proposals:
        period = parse_time(data["made_at"]) // period_micros
        carried_out = next(
            (
                one.position
                for one in deployed
                if one.position > position
                and not one.is_trained
                and one.version == data["put_back"]
                and one.in_service_at // period_micros == period
            ),
            0,
        )
        earlier = [
            one
            for one in deployed
            if one.position < carried_out and one.version == data["in_service"]
        ]
        if earlier and period not in found:
            found[period] = max(earlier, key=lambda one: (one.in_service_at, one.position))
    return found


def counted_version(
    facts: AuditedModel, serving: AuditedDeployment, due: Mapping[str, Any] | None, moment: Moment
) -> AuditedDeployment:
    """Return the deployment that a plan counts by: that of the version that is put back, if any.

    `due`: the proposal that the plan's policy gives for the model.
    """
    as_of, at = moment
    if due is None or due["in_service"] != serving.version:
        return serving
    begun = [one for one in facts.deployed(as_of) if one.in_service_at <= at]
    same = [one for one in begun if one.version == due["put_back"]]
    return max(same, key=lambda one: (one.in_service_at, one.position))


def put_back(
    parameters: Parameters,
    candidates: list[tuple[AuditedModel, AuditedDeployment]],
    losses: Mapping[str, Losses],
    as_of: int,
    made_at: str,
) -> Iterator[dict[str, Any]]:
    """Yield the data of each proposal that a policy version gives, by model."""
    policy, at = reuse_policy(parameters), parse_time(made_at)
    if policy is None:
        return
    micros = policy.period_seconds * SECOND
    now_period = at // micros
    for facts, serving in candidates:
        order: list[AuditedDeployment] = []
        begun = [one for one in facts.deployed(as_of) if one.in_service_at <= at]
        for one in sorted(begun, key=lambda one: (one.in_service_at, one.position)):
            order = [each for each in order if each.version != one.version] + [one]
        earlier = [one for one in order if one.version != serving.version][-policy.versions :]
        seen = losses.get(facts.name, {})
        versions = [
            _served(one, seen, now_period, policy.window, micros) for one in (serving, *earlier)
        ]
        result = reuse(policy, now_period, versions[0], tuple(versions[1:]))
        if result.put_back is None:
            continue
        advantage = next(
            one.advantage_ppm for one in result.compared if one.name == result.put_back
        )
        yield {
            "model": facts.name,
            "as_of": as_of,
            "made_at": made_at,
            "policy": parameters.policy,
            "policy_version": parameters.version,
            "policy_digest": parameters.digest,
            "inputs_digest": digest_of(_pinned(policy, now_period, versions)),
            "now_period": now_period,
            "in_service": serving.version,
            "put_back": result.put_back,
            "compared": [
                {
                    "model_version": one.name,
                    "n": str(one.n),
                    "den": str(one.den),
                    "adv": str(one.adv),
                    "advantage_ppm": None if one.advantage_ppm is None else str(one.advantage_ppm),
                }
                for one in result.compared
            ],
            "reason": _reason(
                serving.version, result.put_back, advantage or 0, policy, len(result.compared)
            ),
        }


def _served(
    one: AuditedDeployment, losses: Losses, now_period: int, window: int, micros: int
) -> ServedVersion:
    periods = {
        period: VersionLoss(rows, weighted)
        for (version, period), (rows, weighted) in losses.items()
        if version == one.version and rows > 0 and now_period - window < period <= now_period
    }
    return ServedVersion(one.version, one.trained_through // micros, periods)


def _pinned(policy: ReusePolicy, now_period: int, versions: list[ServedVersion]) -> dict[str, Any]:
    """Return the object that the inputs' digest is taken of, as the planner's page lists it."""
    stated = [
        {
            "model_version": one.name,
            "periods": [
                {"loss_nano": str(loss.loss_nano), "period": period, "rows": str(loss.rows)}
                for period, loss in sorted(one.periods.items())
            ],
            "trained_period": one.trained_period,
        }
        for one in versions
    ]
    return {
        "in_service": stated[0],
        "now_period": now_period,
        "others": stated[1:],
        "policy": {name: getattr(policy, name) for name in _MEMBERS},
    }


def _reason(serving: str, better: str, advantage: int, policy: ReusePolicy, compared: int) -> str:
    versions = "1 earlier version" if compared == 1 else f"{compared:,} earlier versions"
    return (
        f"{better} did better lately than {serving}, which serves: by {per_cent(advantage)}, above "
        f"the margin of {per_cent(policy.margin_ppm)}. Compared: {versions}."
    )
