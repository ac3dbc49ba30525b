"""The trust of a command: the keys and policies named on its line, and the trust file."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import LedgerClient, VerifiedCheckpoint
    from ledger.operations.trust import TrustAnchors

Keys: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--vkey", help="A verifier key of the ledger, obtained elsewhere."),
]
PolicyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--witness-policy",
        help="A tlog-policy file: log keys, witnesses and a quorum. When a cosignature counts: "
        "--max-age, --max-future.",
    ),
]

Bundle: TypeAlias = Annotated[
    Path | None,
    typer.Option("--bundle", help="Read this export bundle instead of asking a server."),
]


@contextmanager
def believing(vkeys: Sequence[str] | None, policy: Path | None) -> "Iterator[LedgerClient]":
    """Yield a client that verifies against the trust file; keys that are given are pinned in it.

    That a ledger was taken at its own word is for `first_use_said` to say.
    """
    from ledger.client import FirstUseWarning, TrustStore
    from ledger.operations.trust import keys_of, policy_of

    chosen = session()
    store = TrustStore(chosen.trust_file)
    for key in keys_of(vkeys or ()):
        try:
            store.pin(str(key))
        except ValueError as error:
            raise MisuseError(f"--vkey: {error}.", "Give the ledger's own key.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FirstUseWarning)
        yield chosen.client.using(
            trust=store,
            witness_policy=policy_of(policy),
            max_age_seconds=chosen.max_age_seconds,
            max_future_seconds=chosen.max_future_seconds,
        )


def first_use_said(verified: "VerifiedCheckpoint") -> None:
    """Say aloud that a ledger was taken at its own word, if it was."""
    from ledger.client import TrustBasis

    if verified.basis is TrustBasis.FIRST_USE:
        output.say(
            f"First use of {verified.origin}: its key came from the ledger itself. Compare it with "
            f"one obtained elsewhere, then `decision-ledger key pin`: {verified.verifier_key}"
        )


def given_or_own(given: "TrustAnchors") -> "TrustAnchors":
    """Return what the line names; if that is nothing the key that the server states, said aloud."""
    from ledger.operations.trust import trusted

    if not given.is_empty:
        return given
    output.say("Its key came from the ledger itself: compare it with one obtained elsewhere.")
    return trusted([session().client.get_checkpoint().verifier_key], None)


def kept_note(path: Path) -> str:
    """Return the checkpoint in a file that was given as --checkpoint."""
    from ledger.operations.places import named_text

    note = named_text(path)
    if not note:  # an empty one would pass for none
        raise MisuseError(f"--checkpoint: {path} is empty.", "Check the path.")
    return note
