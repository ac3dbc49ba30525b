"""How a command ends: what each exit code means, and which failure has which."""

import re
from enum import IntEnum
from typing import Final

from ledger.errors import LedgerError, Reason
from ledger.operations.failures import INTEGRITY_REASONS, IntegrityFailure, MisuseError


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    REFUSED = 1
    MISUSE = 2
    UNREACHABLE = 3
    INTEGRITY = 4
    DEFECT = 70
    INTERRUPTED = 130
    UNREAD = 141


MEANING = {
    Exit.DONE: "done",
    Exit.REFUSED: "refused by the ledger; nothing of the request was written",
    Exit.MISUSE: "misuse: bad flags, settings or input; nothing was sent",
    Exit.UNREACHABLE: "no answer: no server listens there, or not in time",
    Exit.INTEGRITY: "integrity failure: a chain, checkpoint or replay that does not hold",
    Exit.DEFECT: "a defect of the program; the message names a file to report it with",
    Exit.INTERRUPTED: "interrupted by Ctrl-C; the message says what is on record",
    Exit.UNREAD: "the reader closed the output, as `| head` does; quietly, as SIGPIPE would",
}

_CODES = {
    **dict.fromkeys(INTEGRITY_REASONS, Exit.INTEGRITY),
    Reason.DEADLINE_EXCEEDED: Exit.UNREACHABLE,
}


def as_misuse(error: Exception) -> MisuseError | None:
    """Return typer's complaint about a line as misuse; None if the error is something else.

    Typer does not export the class of its complaints; what they have in common is how they speak.
    """
    tell = getattr(error, "format_message", None)
    if tell is None:
        return None
    at = getattr(error, "ctx", None)
    program = at.find_root().command_path if at is not None else ""
    path = at.command_path.removeprefix(program).strip() if at is not None else ""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        message = f"No command was named{f' after `{path}`' if path else ''}."
    else:
        message = str(tell())
    return MisuseError(
        message, f"See `{' '.join(filter(None, ['decision-ledger', path]))} --help`."
    )


def code_of(reason: Reason) -> Exit:
    """Return the exit code of a refusal."""
    return _CODES.get(reason, Exit.REFUSED)


def _package(error: ModuleNotFoundError) -> str:
    """Return the package of others that is not installed; empty for a module of ours."""
    package = (error.name or "").partition(".")[0]
    return "" if package in {"ledger", "projections"} else package


def _described_here(
    error: "LedgerError | MisuseError | IntegrityFailure",
) -> tuple[Exit, str, str, str]:
    if isinstance(error, LedgerError):
        return code_of(error.reason), error.message, error.remedy, error.reason.value
    code = Exit.MISUSE if isinstance(error, MisuseError) else Exit.INTEGRITY
    return code, error.message, error.remedy, ""


_BEYOND: Final = re.compile(r"Value out of range: (-?[0-9]+)")
"""The words of protobuf for an integer that a field of the contract cannot hold."""


def described(error: Exception) -> tuple[Exit, str, str, str]:
    """Return exit code, what happened, what to do, and the reason code (empty if it has none).

    Raises the error again if a command may not end with it.
    """
    if isinstance(error, ModuleNotFoundError) and (lacking := _package(error)):
        return (
            Exit.MISUSE,
            f"This needs {lacking}, a package that a client alone does not have.",
            "Install what a server needs: pip install 'decision-ledger[server]'.",
            "",
        )
    if isinstance(error, ValueError) and (beyond := _BEYOND.fullmatch(str(error))):
        error = MisuseError(f"{beyond[1][:40]} is beyond what can be sent.", "Correct it.")
    if isinstance(error, OSError) and error.filename is not None:  # a place that was named
        why = f"{error.filename} cannot be used: {error.strerror}."
        error = MisuseError(why, "Check the path, its folder and its rights.")
    if isinstance(error, (LedgerError, MisuseError, IntegrityFailure)):
        return _described_here(error)  # without the client, whose import takes long
    from ledger.client.errors import (
        ClientError,
        LedgerRefusedError,
        ProofRefusedError,
        TrustFileError,
        UnreachableError,
    )
    from ledger.client.window import BatchRefusedError
    from ledger.settings import SettingsError

    match error:
        case BatchRefusedError():
            code, message, remedy, reason = described(error.error)
            return code, f"Batch {error.batch} was refused: {message}", remedy, reason
        case LedgerRefusedError():
            return code_of(error.reason), error.message, error.remedy, error.reason.value
        case UnreachableError():
            return Exit.UNREACHABLE, str(error), "", ""
        case SettingsError() | TrustFileError():
            return Exit.MISUSE, str(error), "", ""
        case ProofRefusedError():
            return Exit.INTEGRITY, error.message, error.remedy, ""
        case ClientError():
            return Exit.REFUSED, str(error), "", ""
        case _:
            raise error
