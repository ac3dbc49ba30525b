"""Recipes that must be refused for what their parts are together, and for their criteria."""

from typing import Final

from tests.application.bad_recipes import CONDITION, DIGEST, BadRecipe
from tools.golden_recipes import RECIPE

_OBSERVED: Final = RECIPE[RECIPE.index("  - gate: observation") :]
_HOLDOUT: Final = RECIPE[RECIPE.index("  - gate: holdout") : RECIPE.index("  - gate: approval")]
_BETTER: Final = (
    'candidate["log-loss"] * 100 <= champion["log-loss"] * 95 && samples["rows"] >= 500'
)

_ROWS: Final = "    samples:\n      - name: rows\n        meaning: Rows compared.\n"
_SAMPLED: Final = _ROWS + "    criteria:\n      - name: better\n        when: "

OF_GATES: Final = (
    BadRecipe(
        "a gate before its turn",
        "GATE_ORDER",
        "  - gate: approval\n",
        "  - gate: training\n    criteria: [{name: a, when: attempt < 3}]\n  - gate: approval\n",
        "training",
    ),
    BadRecipe(
        "a gate twice",
        "NAME_TWICE",
        "  - gate: deployment\n",
        "  - gate: deployment\n  - gate: deployment\n",
        "deployment\n  - gate: observation",
    ),
    BadRecipe(
        "a holdout without its data",
        "GATE_LACKS",
        "    holdout:\n      name: spring\n      max_uses: 20\n",
        "",
        "gate: holdout",
    ),
    BadRecipe(
        "an approval by no role",
        "GATE_LACKS",
        "    approvals:\n      - role: model-owner\n",
        "",
        "gate: approval",
    ),
    BadRecipe(
        "an observation without a window", "GATE_LACKS", "    window: 7d\n", "", "gate: observation"
    ),
    BadRecipe(
        "a window elsewhere",
        "GATE_MISPLACED",
        "  - gate: candidate\n",
        "  - gate: candidate\n    window: 7d\n",
        "7d",
    ),
    BadRecipe(
        "approvals elsewhere",
        "GATE_MISPLACED",
        "  - gate: candidate\n",
        "  - gate: candidate\n    approvals: [{role: auditor}]\n",
        "[{role: auditor}]",
    ),
    BadRecipe(
        "a holdout elsewhere",
        "GATE_MISPLACED",
        "  - gate: candidate\n",
        "  - gate: candidate\n    holdout: {name: x, max_uses: 1}\n",
        "{name: x",
    ),
    BadRecipe(
        "criteria of an approval",
        "GATE_MISPLACED",
        "  - gate: approval\n",
        "  - gate: approval\n    criteria: [{name: a, when: attempt < 3}]\n",
        "[{name: a",
    ),
    BadRecipe(
        "a gate without criteria",
        "CRITERIA_MISSING",
        "  - gate: candidate\n",
        "  - gate: representativeness\n    samples: [{name: n, meaning: x}]\n  - gate: candidate\n",
        "gate: representativeness",
    ),
    BadRecipe(
        "a candidate that need not be better",
        "CANDIDATE_UNCOMPARED",
        _BETTER,
        'candidate["log-loss"] < 500000 && samples["rows"] >= 500',
        "- name: better",
    ),
    BadRecipe(
        "a candidate that may be nine times as bad",
        "CANDIDATE_UNCOMPARED",
        _BETTER,
        'candidate["log-loss"] < champion["log-loss"] * 9 && samples["rows"] >= 500',
        "- name: better",
    ),
    BadRecipe("a criterion that is always true", "CRITERION_CONSTANT", CONDITION, "1 < 2", "1 < 2"),
    BadRecipe(
        "a heartbeat after the lease",
        "HEARTBEAT_BEYOND_LEASE",
        "  attempts: 2",
        "  lease: 1m\n  heartbeat: 1m",
        "1m\ngates",
    ),
    BadRecipe(
        "more time than there is", "EXPECTED_BEYOND_LIMIT", "duration: 45m", "duration: 3h", "3h"
    ),
    BadRecipe("a test dearer than its job", "TEST_BEYOND_COST", "test: 4", "test: 41", "41"),
    BadRecipe(
        "the cost of a test without a gate for it",
        "TEST_WITHOUT_GATE",
        RECIPE[RECIPE.index("  - gate: candidate") : RECIPE.index("  - gate: holdout")],
        "",
        "test: ^4",
    ),
    # ---- criteria
    BadRecipe(
        "a misspelt metric",
        "EXPRESSION_INVALID",
        'metrics["missing"]',
        'metrics["mising"]',
        'metrics^["mising"]',
    ),
    BadRecipe(
        "a metric of the other kind",
        "EXPRESSION_INVALID",
        'champion["log-loss"] * 95',
        'metrics["log-loss"] * 95',
        'metrics^["log-loss"] * 95',
    ),
    BadRecipe("a share", "EXPRESSION_INVALID", "<= 20000 &&", "<= 2% &&", "&& samples"),
    BadRecipe("a decimal", "EXPRESSION_INVALID", "<= 20000 &&", "<= 2.5 &&", "<= 2.5"),
    BadRecipe("a text", "EXPRESSION_INVALID", CONDITION, """'"a" == "a"'""", '"a" == "a"'),
    BadRecipe(
        "a question for presence",
        "EXPRESSION_INVALID",
        CONDITION,
        """'"missing" in metrics'""",
        "in metrics",
    ),
    BadRecipe("no condition", "EXPRESSION_INVALID", CONDITION, "attempt + 1", "+ 1"),
    BadRecipe(
        "an unknown variable",
        "EXPRESSION_INVALID",
        CONDITION,
        "attempt < 3 && price < 3",
        "price < 3",
    ),
    BadRecipe(
        "an unfinished condition",
        "EXPRESSION_INVALID",
        'samples["rows"] >= 500\n        rationale: More',
        'samples["rows"] >=\n        rationale: More',
        "\n        rationale: More",
    ),
    BadRecipe(
        "late evidence elsewhere",
        "GATE_MISPLACED",
        "  - gate: candidate\n",
        "  - gate: candidate\n    evidence_after: 90%\n",
        "90%\n    metrics",
    ),
    BadRecipe(
        "a window whose end alone counts",
        "VALUE_OUT_OF_RANGE",
        "evidence_after: 90%",
        "evidence_after: 100%",
        "100%",
    ),
    # ---- advice
    BadRecipe(
        "an observation that its executor times",
        "EVIDENCE_UNTIMED",
        "    evidence_after: 90%\n",
        "",
        "gate: observation",
    ),
    BadRecipe(
        "a candidate that is as good",
        "CANDIDATE_LENIENT",
        _BETTER,
        'candidate["log-loss"] <= champion["log-loss"] && samples["rows"] >= 500',
        "- name: better",
    ),
    BadRecipe(
        "a signal that is not defined",
        "SIGNAL_UNKNOWN",
        "    window: 7d\n",
        "    signals: [log-los]\n    window: 7d\n",
        "log-los]",
    ),
    BadRecipe(
        "another bound of the same data",
        "HOLDOUT_BOUND_DIFFERS",
        "max_uses: 20",
        "max_uses: 21",
        "21",
    ),
    BadRecipe(
        "no image",
        "IMAGE_MISSING",
        f"  image: registry.example.com/retrain@sha256:{DIGEST}\n",
        "",
        "argv",
    ),
    BadRecipe(
        "a pipe", "SHELL_SYNTAX", "[python, -m, retrain,", "[python, -m, retrain, '|', tee,", "'|'"
    ),
    BadRecipe(
        "a command in one",
        "SHELL_SYNTAX",
        '[python, -m, retrain, --weeks, "8"]',
        "[python -m retrain]",
        "python -m retrain",
    ),
    BadRecipe(
        "no reason for the recipe",
        "RATIONALE_MISSING",
        "Small enough to follow by hand.",
        '""',
        '""',
    ),
    BadRecipe(
        "no reason for a limit",
        "RATIONALE_MISSING",
        "        rationale: Five per cent pays for the work.\n",
        "",
        "name: better",
    ),
    BadRecipe(
        "a metric that is not described",
        "MEANING_MISSING",
        "        meaning: Rows without a label.\n",
        "",
        "name: missing",
    ),
    BadRecipe(
        "a metric for nothing",
        "METRIC_UNUSED",
        'metrics["missing"] <= 20000 && ',
        "",
        "name: missing",
    ),
    BadRecipe(
        "the same condition twice",
        "CRITERION_TWICE",
        "      - name: better\n",
        f"      - {{name: a, when: '{_BETTER}', rationale: x}}\n      - name: better\n",
        _BETTER + "\n",
    ),
    BadRecipe(
        "a comparison of few",
        "SAMPLES_MISSING",
        _SAMPLED + _BETTER,
        _SAMPLED.replace(_ROWS, "") + _BETTER.removesuffix(' && samples["rows"] >= 500'),
        "gate: candidate",
    ),
    BadRecipe(
        "live, and nobody knows what made it",
        "ENVIRONMENT_UNRECORDED",
        f"  image: registry.example.com/retrain@sha256:{DIGEST}\n  argv: [python, -m, retrain,",
        "  argv: [python, -m, train,",
        "gate: deployment",
    ),
    BadRecipe("live without a test", "DEPLOYMENT_UNVERIFIED", _HOLDOUT, "", "gate: deployment"),
    BadRecipe("live and unobserved", "DEPLOYMENT_UNOBSERVED", _OBSERVED, "", "gate: deployment"),
    BadRecipe(
        "nothing to deploy",
        "OUTPUTS_MISSING",
        "outputs:\n  - name: model\n    meaning: The trained model.\n",
        "outputs: []\n",
        "[]",
    ),
    BadRecipe(
        "a role without the right to approve",
        "APPROVERS_TOO_FEW",
        "role: model-owner",
        "role: auditor",
        "role: auditor",
    ),
    BadRecipe(
        "more approvals than persons",
        "APPROVERS_TOO_FEW",
        "role: model-owner",
        "role: model-owner\n        count: 3",
        "3",
    ),
    BadRecipe(
        "an unknown role", "ROLE_UNKNOWN", "role: model-owner", "role: model-ower", "model-ower"
    ),
)
