"""`decision-ledger key …`."""

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.operations.failures import MisuseError


def list_() -> None:
    """List the keys that sign, or have signed, the ledger's checkpoints."""
    chosen = session()
    found = chosen.client.list_keys()
    rows = [
        (
            key.from_position,
            key.until_position or "-",
            key.state,
            key.position,
            output.when(key.recorded_at),
            key.verifier_key,
        )
        for key in found.keys
    ]
    headings = (">FROM", ">UNTIL", "STATE", ">POSITION", "RECORDED", "KEY")
    shown = output.table(headings, rows)
    chosen.show(found, f"{shown}\n\nnext key's SHA-256: {found.next_key_digest.hex() or 'none'}")


def rotate(
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Over how many positions both sign; 1000 if left out.")
    ] = None,
) -> None:
    """Let the key that was committed in advance take over; the one after it is committed."""
    chosen = session()
    changed = chosen.client.rotate_key(overlap=overlap)
    key = changed.key
    chosen.show(
        changed,
        f"From size {key.from_position} on a new key signs: {key.verifier_key}\n"
        "Give it to those who pin keys, by another way than this ledger.",
    )


def revoke(
    key: Annotated[str, typer.Argument(metavar="VKEY", help="The key, as `key list` shows it.")],
    from_position: Annotated[
        int,
        typer.Option("--from", min=1, help="The smallest size from which it counts for nothing."),
    ],
    reason: Annotated[
        str, typer.Option(help="Why; recorded for good, so it must hold no personal data.")
    ],
) -> None:
    """Declare that what a key signed counts for nothing from a size on.

    If it is the only key that signs, the committed one takes over at once.
    """
    chosen = session()
    changed = chosen.client.revoke_key(key, from_position, reason)
    chosen.show(
        changed,
        f"From size {from_position} on nothing counts that this key signs: {key}\n"
        f"The event at position {changed.appended.position} says so.",
    )


def pin(
    key: Annotated[str, typer.Argument(metavar="VKEY", help="The key, obtained elsewhere.")],
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Forget everything that was remembered of its ledger."),
    ] = False,
) -> None:
    """Trust a ledger's key from now on; no server is asked.

    --forget is for a ledger that was made again under the same name: nothing verified before is
    compared with what comes, so be sure why.
    """
    from ledger.client import TrustStore
    from ledger.operations.trust import keys_of

    chosen = session()
    (verifier,) = keys_of([key], "VKEY")
    store = TrustStore(chosen.trust_file)
    if forget:
        store.forget(verifier.name)
    known = store.pin(str(verifier))
    chosen.show(
        {"origin": known.origin, "pinned": known.keys, "trust_file": str(chosen.trust_file)},
        f"{known.origin}: pinned in {chosen.trust_file}.",
    )


def reseal(
    database: Annotated[str, typer.Argument(help="The database that no server serves now.")],
    key_file: Annotated[
        Path | None,
        typer.Option("--to", help="File of the new master key; drawn if it is not there."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            "--to-command",
            metavar="JSON",
            help="Instead of a file: the command that prints it, as a list of words in JSON.",
        ),
    ] = None,
) -> None:
    """Seal signing keys and heads under another master key: the old one opens nothing more.

    All of it changes at once, or nothing does. Backups from before still need the old master key.
    """
    from ledger.database_url import shown
    from ledger.operations.master_key import reseal as reseal_keys

    chosen = session()
    other = _words(command) if command is not None else key_file
    if other is None or (command is not None and key_file is not None):
        raise MisuseError("Name the new master key: either --to or --to-command.")
    count = reseal_keys(database, chosen.settings.keys, other)
    where = f"in {key_file}" if key_file else f"that {other[0]} prints"  # type: ignore[index]
    setting = "keys.file" if key_file else "keys.command"
    chosen.show(
        {
            "database": shown(database),
            "key_file": str(key_file) if key_file else None,
            "resealed": count,
        },
        f"{count} signing keys and the heads are sealed under the master key {where}. "
        f"Start the server with it: name it in `{setting}`.",
    )


def _words(text: str) -> list[str]:
    """Return the words of a command in JSON."""
    from ledger.reading import parse_json
    from ledger.section import as_words

    try:
        words = as_words(parse_json(text))
    except ValueError as error:
        raise MisuseError(f"--to-command: {error}.", "Write it as in `keys.command`.") from error
    if not isinstance(words, list) or not words:
        raise MisuseError(
            "--to-command: it is not a list of words.", "Write it as in `keys.command`."
        )
    return words
