"""The rules that hashes cannot enforce, each a small check under a name.

A rule is a function of one event and the fold of everything before it: it returns what is wrong,
None where nothing is, or why it could not be applied. To add one, write it in a file of
`ledger/audit/rules` under `@rule`; nothing else has to change.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ledger.audit.event import AuditedEvent

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Why a rule could not be applied to an event."""

    reason: str


Verdict: TypeAlias = str | Unchecked | None
Check: TypeAlias = Callable[[AuditedEvent, "LedgerState"], Verdict]
Finish: TypeAlias = Callable[["LedgerState"], Iterator[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class AuditRule:
    """One rule. `types` are those it is about, empty for all; `finish` looks at the whole."""

    name: str
    meaning: str
    check: Check
    types: frozenset[str] = frozenset()
    needs_data: bool = True
    """Whether it reads the body: then one that is gone leaves it unchecked."""
    finish: Finish | None = None

    def concerns(self, type_: str) -> bool:
        """Whether events of a type are looked at."""
        return not self.types or type_ in self.types


RULES: Final[dict[str, AuditRule]] = {}

MEANINGS: Final = {
    "chain": "Every header and body has its hash, links, versions and times are in order.",
    "tiles": "Every stored tile holds the hashes of the events under it.",
    "truncation": "No event is missing that a kept checkpoint covers.",
    "checkpoints": "Every kept checkpoint is genuine and has the root of the events.",
    "keys": "Every key was committed in advance, and a trusted one leads to it.",
    "witnesses": "The policy's witnesses have cosigned.",
    "passes": "The rules read the very events whose hashes were checked: both end at one root.",
    "times.witnessed": "No event of a wall ledger was recorded after witnesses had seen it.",
    "memory": "The ledger begins with what was verified before.",
    "bundle.files": "The bundle's files are those of its manifests, and agree with the events.",
    "database.observed_at": "Observations are indexed under the time that their body states.",
    "database.head": "The stored head is the last event.",
    "database.requests": "Remembered requests are those of the events, and none is forgotten.",
    "database.row": "The ledger's row is what its first events say.",
    "database.orphans": "Every row belongs to a ledger that is there.",
    "database.tiles": "No tile holds more than the tree.",
    "database.keys": "The keys that are kept are those that the events name, each sealed.",
    "database.cosignatures": "Every kept cosignature is whole, and its checkpoint is kept.",
    "database.integrity": "SQLite finds its own pages, indexes and rows in order.",
}
"""Meanings of the checks that are not about single events."""


def all_meanings() -> dict[str, str]:
    """Return every check there is, in the order of reports, with what it means."""
    return MEANINGS | {name: one.meaning for name, one in RULES.items()}


def rule(
    name: str, *types: str, needs_data: bool = True, finish: Finish | None = None
) -> Callable[[Check], Check]:
    """Register a check under a name; its docstring's first line is what the rule means."""

    def register(check: Check) -> Check:
        assert name not in RULES, f"two rules are named {name}"
        meaning = (check.__doc__ or "").strip().partition("\n")[0]
        assert meaning, f"rule {name} does not say what it means"
        RULES[name] = AuditRule(name, meaning, check, frozenset(types), needs_data, finish)
        return check

    return register
