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
