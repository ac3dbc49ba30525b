"""The vocabulary of rules, by procedure: every variable, and every field of a signal.

The pages are `docs/spec/decision_v1.md` and `decision_v2.md`.

A released procedure's table never changes: a stored rule keeps its meaning, and a name that only a
later procedure knows is refused under an earlier one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RULES_1: Final = "rules/1"
RULES_2: Final = "rules/2"

VARIABLES: Final = {
    "priority": "int",
    "raw_priority": "int",
    "degradation": "int",
    "coverage": "int",
    "impact": "int",
    "risk": "int",
    "signals": "signals",
    "model": "model",
    "hours_since_deployed": "int",
    "retrainings_30d": "int",
    "in_force": "string",
    "in_force_rule": "string",
    "hours_in_force": "int",
    "slo_hours_left": "int",
}
"""Every variable of procedure `rules/1`, and its type."""

SIGNAL_FIELDS: Final = {
    "signal": "string",
    "weight": "int",
    "source": "string",
    "observations": "int",
    "buckets": "int",
    "peak": "int",
    "magnitude": "int",
    "breaches": "int",
    "streak": "int",
    "persistence": "int",
    "freshness": "int",
    "trend": "int",
    "sustained": "bool",
    "effective": "int",
    "share": "int",
    "present": "bool",
}
"""What `signals["name"]` holds: every output of the kernel for a signal, and `present`."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names of one procedure, each with its type."""

    variables: Mapping[str, str]
    signal_fields: Mapping[str, str]


VOCABULARIES: Final = {
    RULES_1: Vocabulary(VARIABLES, SIGNAL_FIELDS),
    RULES_2: Vocabulary(
        VARIABLES | {"report_interval_hours": "int"}, SIGNAL_FIELDS | {"interval_hours": "int"}
    ),
}
PROCEDURES: Final = tuple(VOCABULARIES)
