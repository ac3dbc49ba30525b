"""How a command ends: what each exit code means, and which failure has which."""

from enum import IntEnum

from ledger.errors import LedgerError, Reason


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    REFUSED = 1
    MISUSE = 2
    UNREACHABLE = 3
    INTEGRITY = 4
    INTERRUPTED = 130


MEANING = {
    Exit.DONE: "done",
    Exit.REFUSED: "refused by the ledger; nothing of the request was written",
    Exit.MISUSE: "misuse: bad flags, settings or input; nothing was sent",
    Exit.UNREACHABLE: "no answer: nobody listens there, or not in time",
    Exit.INTEGRITY: "integrity failure: a chain, checkpoint or replay that does not hold",
    Exit.INTERRUPTED: "interrupted by Ctrl-C; the message says what is on record",
}

_CODES = {
    Reason.CHAIN_BROKEN: Exit.INTEGRITY,
    Reason.EVENT_UNREADABLE: Exit.INTEGRITY,
    Reason.DEADLINE_EXCEEDED: Exit.UNREACHABLE,
}


class _EndingError(Exception):
    """An end of a command: what happened, and what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.message} {self.remedy}".strip()


class MisuseError(_EndingError):
    """Input that cannot be sent: what is wrong with it, and what to do."""


class IntegrityFailure(_EndingError):  # noqa: N818 - no error of the program, but its finding
    """What a verification found: not what it should be, and where."""


def code_of(reason: Reason) -> Exit:
    """Return the exit code of a refusal."""
    return _CODES.get(reason, Exit.REFUSED)


def described(error: Exception) -> tuple[Exit, str, str, str]:
    """Return exit code, what happened, what to do, and the reason code (empty if it has none).

    Raises the error again if it is none that a command may end with.
    """
    from ledger.client.errors import ClientError, LedgerRefusedError, UnreachableError
    from ledger.client.window import BatchRefusedError
    from ledger.settings import SettingsError

    match error:
        case BatchRefusedError():
            code, message, remedy, reason = described(error.error)
            return code, f"Batch {error.batch} was refused: {message}", remedy, reason
        case LedgerRefusedError() | LedgerError():
            return code_of(error.reason), error.message, error.remedy, error.reason.value
        case UnreachableError():
            return Exit.UNREACHABLE, str(error), "", ""
        case ClientError():
            return Exit.REFUSED, str(error), "", ""
        case MisuseError():
            return Exit.MISUSE, error.message, error.remedy, ""
        case IntegrityFailure():
            return Exit.INTEGRITY, error.message, error.remedy, ""
        case SettingsError():
            return Exit.MISUSE, str(error), "", ""
        case _:
            raise error
