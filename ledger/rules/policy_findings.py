"""Findings about a policy's document: each at its path, and which of them are refused.

The linter shows them with lines and columns, and the auditor holds recorded policies to the same.
"""

from typing import Final, Literal, NamedTuple, get_args

RefusedSince2 = Literal[
    "APPROVERS_TOO_FEW",
    "BREACH_ZERO",
    "CONDITION_FAILS",
    "COOL_DOWN_BEYOND_WINDOW",
    "HOLD_NARROWER",
    "HOLD_NEVER_TRUE",
    "INTERVAL_BEYOND_WINDOW",
    "MIN_BUCKETS_BEYOND_WINDOW",
    "PRIORITY_NEVER_MOVES",
    "RATIONALE_MISSING",
    "RETRAINS_ALWAYS",
    "ROLE_UNKNOWN",
    "RULE_NEVER_TRUE",
    "RULE_TWICE",
    "RULE_UNREACHABLE",
    "SIGNAL_UNKNOWN",
    "SILENCE_BELOW_INTERVAL",
    "SOURCES_TOO_FEW",
    "SOURCE_ALONE_SUSTAINS",
    "SOURCE_CAP_IDLE",
    "SPAN_TOO_LONG",
    "SUSTAIN_ZERO",
    "TIER_UNDECLARED",
]
RefusedAlways = Literal[
    "CRITERION_CONSTANT",
    "CRITERION_MISPLACED",
    "EXPRESSION_INVALID",
    "NAME_TWICE",
    "SEASON_TOO_SHORT",
    "THRESHOLD_SIDE",
    "TIER_CYCLE",
]
Advised = Literal["HOLD_ALWAYS_TRUE"]

REFUSED_SINCE_2: Final[frozenset[str]] = frozenset(get_args(RefusedSince2))
"""Warnings that are errors under format policy/2, since no sensible policy has them. Under policy/1
they were warnings always, and what could be drafted still can."""
REFUSED_ALWAYS: Final[frozenset[str]] = frozenset(get_args(RefusedAlways))
"""Errors under any format."""


class PolicyFinding(NamedTuple):
    """One thing to correct or consider, at the path of people's form of a policy."""

    path: str
    code: RefusedSince2 | RefusedAlways | Advised
    message: str
    remedy: str
    offset: int | None = None
    """Where within the stored expression at that path; None: all of it."""
    near: tuple[str, tuple[str, ...]] | None = None
    """A name that is not known, and those that are: one may be meant."""

    @property
    def is_refused(self) -> bool:
        """Whether a version of format policy/2 is refused for it."""
        return self.code in REFUSED_SINCE_2 | REFUSED_ALWAYS
