"""A witness started from its folder, which holds its key and what it knows of each log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import ED25519, KeyFormatError, VerifierKey
from ledger.chain.policy import PolicyError, parse_policy
from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.operations.failures import MisuseError
from ledger.private import make_folder
from ledger.reading import NOTE_BYTES_MAX, read_plain
from ledger.witness.key_file import load_key
from ledger.witness.server import WitnessServer, refuse_taken
from ledger.witness.store import WitnessStore
from ledger.witness.witness import Witness

_KEY_FILE: Final = "witness.key"
_STATE_FILE: Final = "witness.sqlite"


def witness_server(
    folder: Path,
    name: str | None,
    logs: Mapping[str, Sequence[VerifierKey]],
    clock: Clock,
    listen: str = "127.0.0.1:0",
    prefix: str = "",
) -> tuple[WitnessServer, CosigningKey]:
    """Return a witness that serves once its server is entered, and its key.

    A new folder needs the witness's name; nothing is made there while the port is taken. `logs` are
    the keys of each log by origin, as `witnessed_logs` reads them.
    """
    host, port = host_and_port(listen)
    if prefix and not (prefix.startswith("/") and prefix[-1] != "/"):
        raise MisuseError(f"--prefix: {prefix!r} does not begin with `/`, or ends with one.")
    try:
        refuse_taken(host, port)  # before anything is made
        key, state = _key_and_state(folder, name, clock)
        witness = Witness(state, key, logs, clock)
        return WitnessServer(witness, clock, host=host, port=port, prefix=prefix), key
    except OSError as error:
        raise MisuseError(f"--listen: {listen} cannot be listened on: {error}.") from error


def witness_key(folder: Path, name: str | None, clock: Clock) -> CosigningKey:
    """Return the key of the witness in a folder; made first, with its state, if there is none."""
    if (folder / _KEY_FILE).exists():
        return _loaded(folder, name, clock)
    key, state = _key_and_state(folder, name, clock)
    state.close()
    return key


def _key_and_state(
    folder: Path, name: str | None, clock: Clock
) -> tuple[CosigningKey, WitnessStore]:
    """Return the witness's key and state, made first if there is no key.

    The state comes first: a key without it is that of a witness that lost what it knew.
    """
    is_new = not (folder / _KEY_FILE).exists()
    if not (is_new and name):
        return _loaded(folder, name, clock), WitnessStore(folder / _STATE_FILE, may_begin=False)
    try:
        make_folder(folder)
    except OSError as error:
        raise MisuseError(f"--folder: {folder} cannot be made: {error}.") from error
    state = WitnessStore(folder / _STATE_FILE, may_begin=True)
    return _loaded(folder, name, clock), state


def _loaded(folder: Path, name: str | None, clock: Clock) -> CosigningKey:
    try:
        return load_key(folder / _KEY_FILE, name, clock)
    except LedgerError as error:
        raise MisuseError(error.message, error.remedy) from error


def witnessed_logs(stated: Sequence[str], policy: Path | None) -> dict[str, list[VerifierKey]]:
    """Return the keys of each log by origin, as texts and the `log` lines of a policy name them."""
    logs: dict[str, list[VerifierKey]] = {}
    try:
        for text in stated:
            origin, _, vkey = text.rpartition(" ")
            found = VerifierKey.parse(vkey)
            if found.type != ED25519:
                raise MisuseError("--log: a log signs with a key of type 0x01.")
            logs.setdefault(origin or found.name, []).append(found)
        for listed in parse_policy(read_plain(policy, NOTE_BYTES_MAX)).logs if policy else ():
            logs.setdefault(listed.key.name, []).append(listed.key)
    except KeyFormatError as error:
        raise MisuseError(f"--log: {error}.") from error
    except (PolicyError, OSError) as error:
        raise MisuseError(f"--witness-policy: {policy}: {error}.") from error
    if not logs:
        raise MisuseError(
            "No log is named.", "Name one with --log, or give a --witness-policy with `log` lines."
        )
    return {origin: list(dict.fromkeys(keys)) for origin, keys in logs.items()}


def host_and_port(listen: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT."""
    host, _, port = listen.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= len("65535")
    if not host or not is_port or int(port) > 0xFFFF:
        raise MisuseError(f"--listen: {listen[:80]!r} is not HOST:PORT.")
    return host.removeprefix("[").removesuffix("]"), int(port)
