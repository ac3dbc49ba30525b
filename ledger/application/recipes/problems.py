"""The codes of the findings about a recipe's text."""

from typing import Final, Literal, get_args

from ledger.application.documents.problems import SHARED_MEANING, SharedCode
from ledger.rules.recipe_soundness import SoundnessCode

RecipeAdvice = Literal[
    "APPROVERS_TOO_FEW",
    "CANDIDATE_LENIENT",
    "CRITERION_TWICE",
    "DEPLOYMENT_UNOBSERVED",
    "DEPLOYMENT_UNVERIFIED",
    "ENVIRONMENT_UNRECORDED",
    "EVIDENCE_UNTIMED",
    "HOLDOUT_BOUND_DIFFERS",
    "IMAGE_MISSING",
    "MEANING_MISSING",
    "METRIC_UNUSED",
    "OUTPUTS_MISSING",
    "RATIONALE_MISSING",
    "ROLE_UNKNOWN",
    "SAMPLES_MISSING",
    "SHELL_SYNTAX",
    "SIGNAL_UNKNOWN",
]
"""Findings that are for a person to judge, unless `--strict` refuses them."""
RecipeCode = SharedCode | SoundnessCode | RecipeAdvice

RECIPE_MEANING: Final[dict[str, str]] = {
    **SHARED_MEANING,
    # Values together.
    "CANDIDATE_UNCOMPARED": "a candidate passes that is much worse than the version in service",
    "CRITERIA_MISSING": "a gate that everything passes",
    "CRITERION_CONSTANT": "a criterion that reads no number",
    "EXPECTED_BEYOND_LIMIT": "the expected duration is longer than an attempt may take",
    "GATE_LACKS": "a gate without the part that it is about",
    "GATE_MISPLACED": "a part of a gate that is for another gate",
    "GATE_ORDER": "a gate twice, or before one that it comes after",
    "HEARTBEAT_BEYOND_LEASE": "a lease that is over before the next heartbeat",
    "TEST_BEYOND_COST": "the test of the candidate costs more than the job that it is a part of",
    "TEST_WITHOUT_GATE": "the cost of a test, and no gate at which a candidate is tested",
    # Advice.
    "APPROVERS_TOO_FEW": "fewer persons can approve jobs in the roles than must",
    "CANDIDATE_LENIENT": "a candidate passes that is no better than the version in service",
    "CRITERION_TWICE": "two criteria of a gate have the same condition",
    "DEPLOYMENT_UNOBSERVED": "a version goes into service and is not observed there",
    "DEPLOYMENT_UNVERIFIED": "a version goes into service without a test on data kept apart",
    "ENVIRONMENT_UNRECORDED": "a version goes into service, and no record says what made it",
    "EVIDENCE_UNTIMED": "the executor alone chooses when a version that is observed is looked at",
    "HOLDOUT_BOUND_DIFFERS": "an approved recipe bounds the uses of the same data otherwise",
    "IMAGE_MISSING": "no container image pins what runs",
    "MEANING_MISSING": "a metric or sample without a description",
    "METRIC_UNUSED": "a number that must be reported and that no criterion reads",
    "OUTPUTS_MISSING": "a deployment, and no artifact to deploy",
    "RATIONALE_MISSING": "a recipe or criterion without its reason",
    "ROLE_UNKNOWN": "approvals in a role that the ledger does not have",
    "SAMPLES_MISSING": "a comparison without the sizes of its samples",
    "SHELL_SYNTAX": "an argument that only a shell would understand",
    "SIGNAL_UNKNOWN": "the ledger has no definition of a signal that it is to observe",
}
"""Every code, and what it says of a text."""
assert set(RECIPE_MEANING) == {one for part in get_args(RecipeCode) for one in get_args(part)}
