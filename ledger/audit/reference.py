"""The table of rules in this room's README, from the rules themselves: a test holds them equal.

`python -m ledger.audit.reference` prints it, to be pasted where the README has it.
"""

import ledger.audit.rules  # noqa: F401 - registers the rules
from ledger.audit.audit import MEANINGS
from ledger.audit.registry import RULES


def rules_table() -> str:
    """Return every check and what it means, in the order of reports."""
    lines = ["| check | what holds |", "| --- | --- |"]
    meanings = MEANINGS | {name: rule.meaning for name, rule in RULES.items()}
    lines += [f"| `{name}` | {meaning} |" for name, meaning in meanings.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(rules_table())  # noqa: T201
