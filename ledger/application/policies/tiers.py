"""Advice on the tiers of a policy: each that is used is declared, and none leads back to itself."""

from collections.abc import Iterator

from ledger.application.policies.text import PolicyReading
from ledger.events.policy_document import NO_TIER, PolicyDocument


def lint_tiers(reading: PolicyReading, document: PolicyDocument) -> None:
    """Warn of tiers that are used and not declared, or the other way round."""
    declared = [tier.name for tier in document.tiers]
    used = dict(_tiers_used(document))
    for path, tier in used.items():
        if tier not in {*declared, NO_TIER, ""}:
            remedy = "Add it to `tiers`, with whom it reaches and how soon."
            message = f"the tier {tier!r} is not declared"
            reading.report(path, "TIER_UNDECLARED", message, remedy, "warning")
    following = {one.name: getattr(one, "next", NO_TIER) for one in document.tiers}
    for index, name in enumerate(declared):
        path, seen, tier = f"tiers[{index}]", [name], following[name]
        while tier in following and tier not in seen:
            seen.append(tier)
            tier = following[tier]
        if tier == name:
            way = " to ".join([*seen, name])
            remedy = "Let the last tier have no `next`."
            reading.report(f"{path}.next", "TIER_CYCLE", f"leads back to itself: {way}", remedy)
        if name not in used.values():
            message = f"nothing leads to the tier {name!r}"
            remedy = "Use it in a rule or remove it."
            reading.report(f"{path}.name", "TIER_UNUSED", message, remedy, "warning")


def _tiers_used(document: PolicyDocument) -> Iterator[tuple[str, str]]:
    """Yield the path and name of every tier that a decision can carry."""
    decision = document.decision
    for index, rule in enumerate(decision.rules):
        yield f"decision.rules[{index}].tier", rule.tier
    yield "decision.otherwise.tier", decision.otherwise_tier
    yield "decision.error_tier", decision.error_tier
    for index, one in enumerate(document.tiers):
        yield f"tiers[{index}].next", getattr(one, "next", NO_TIER)
