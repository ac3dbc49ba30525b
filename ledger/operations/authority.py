"""The table of authority as the product has it, without a server: actions, methods, roles."""

from dataclasses import dataclass

from ledger.authority.table import METHODS, ROLES
from ledger.events.authority import ACTIONS


@dataclass(frozen=True, slots=True)
class TabledAction:
    """An action: the methods that ask for it, and the built-in roles that have it."""

    action: str
    meaning: str
    methods: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuthorityTable:
    """Every built-in role, and every action with those that have it."""

    roles: tuple[str, ...]
    actions: tuple[TabledAction, ...]


def authority_table() -> AuthorityTable:
    """Return the table, by which every call is judged."""
    return AuthorityTable(
        tuple(ROLES),
        tuple(
            TabledAction(
                action,
                meaning,
                tuple(name for name, asked in sorted(METHODS.items()) if asked == action),
                tuple(name for name, actions in ROLES.items() if action in actions),
            )
            for action, meaning in sorted(ACTIONS.items())
        ),
    )
