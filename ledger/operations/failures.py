"""How an operation ends that does not succeed: what it was given is wrong, or does not hold."""

from typing import Final

from ledger.errors import Reason

INTEGRITY_REASONS: Final = frozenset(
    {Reason.CHAIN_BROKEN, Reason.EVENT_UNREADABLE, Reason.SIGNING_STOPPED, Reason.LEDGER_BEHIND}
)
"""The refusals that say, as IntegrityFailure does, that a ledger is not what it should be."""


class _EndingError(Exception):
    """An end of an operation: what happened, and what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.message} {self.remedy}".strip()


class MisuseError(_EndingError):
    """Input that cannot be used: what is wrong with it, and what to do."""


class IntegrityFailure(_EndingError):  # noqa: N818 - no error of the program, but its finding
    """A failed verification: the fault, and where it is."""
