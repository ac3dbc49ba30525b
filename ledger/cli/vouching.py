"""What a verifier brings along: verifier keys and policies, from the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ledger.cli.exits import MisuseError
from ledger.reading import NOTE_BYTES_MAX, read_bytes

Keys: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--vkey", help="A verifier key of the ledger, obtained elsewhere."),
]
PolicyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--policy", help="A tlog-policy file: log keys, witnesses and a quorum."),
]

if TYPE_CHECKING:
    from ledger.chain.keys import VerifierKey
    from ledger.chain.policy import Policy


def keys_of(texts: Sequence[str], named: str = "--vkey") -> "list[VerifierKey]":
    """Return the keys in texts; `named` is the option or argument that they were given as."""
    from ledger.chain.keys import KeyFormatError, VerifierKey

    try:
        return [VerifierKey.parse(text.strip()) for text in texts]
    except KeyFormatError as error:
        raise MisuseError(
            f"{named}: {error}.", "Print the ledger's with `decision-ledger vkey`."
        ) from error


def policy_of(path: Path | None) -> "Policy | None":
    """Return the tlog-policy in a file given as --policy."""
    from ledger.chain.policy import PolicyError, parse_policy

    if path is None:
        return None
    try:
        return parse_policy(read_bytes(path, NOTE_BYTES_MAX))
    except OSError as error:
        raise MisuseError(f"--policy: {path}: {error.strerror}.", "Check the path.") from error
    except PolicyError as error:
        raise MisuseError(f"--policy: {path}: {error}.", "Correct the file.") from error
