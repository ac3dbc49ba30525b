"""`decision-ledger witness …`: a witness for any log that signs C2SP checkpoints with Ed25519."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.serve import log_to_stderr, write_port
from ledger.cli.session import session
from ledger.cli.stop_signal import stop_signal
from ledger.operations.failures import MisuseError
from ledger.reading import NOTE_BYTES_MAX, read_bytes

if TYPE_CHECKING:
    from ledger.chain.cosignature import CosigningKey
    from ledger.chain.keys import VerifierKey
    from ledger.witness.store import WitnessStore

_KEY_FILE = "witness.key"
_STATE_FILE = "witness.sqlite"

_Folder = Annotated[Path, typer.Option(help="Where its key and its state are kept.")]
_Name = Annotated[
    str | None, typer.Option(help="Its name, such as witness.example.org; needed to make its key.")
]


def serve(
    name: _Name = None,
    folder: _Folder = Path("witness"),
    listen: Annotated[
        str, typer.Option(help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:7272",
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VKEY", help="A log's key, behind its origin and a space if they differ."
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--witness-policy", help="A tlog-policy file whose `log` lines count."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="What comes before the paths, such as /w1.")] = "",
    port_file: Annotated[
        Path | None, typer.Option(help="Write the port there once requests are answered.")
    ] = None,
) -> None:
    """Serve a witness over HTTP, until SIGTERM or Ctrl-C.

    It cosigns each checkpoint of a known log that is proven to keep what it cosigned before, and
    remembers it on disk before it answers. There is no TLS: put a proxy in front of it to serve
    beyond this machine. Lose the folder and the witness must get a new name and key.
    """
    from ledger.clock import SystemClock
    from ledger.witness.server import WitnessServer, refuse_taken
    from ledger.witness.witness import Witness

    chosen = session()
    logs = _logs(log or [], policy)
    host, port = _address(listen)
    if prefix and not (prefix.startswith("/") and prefix[-1] != "/"):
        raise MisuseError(f"--prefix: {prefix!r} does not begin with `/`, or ends with one.")
    log_to_stderr(chosen.settings.log.level, chosen.settings.log.form)
    clock = SystemClock()
    try:
        refuse_taken(host, port)  # before anything is made
        key, state = _key_and_state(folder, name)
        witness = Witness(state, key, logs, clock)
        server = WitnessServer(witness, clock, host=host, port=port, prefix=prefix)
    except OSError as error:
        raise MisuseError(f"--listen: {listen} cannot be listened on: {error}.") from error
    wait = stop_signal()
    with server:
        if port_file:
            write_port(server.port, port_file)
        _tell_ready(f"{host}:{server.port}", server.port, prefix, key, sorted(logs))
        wait()
        output.say("Stopping.")


def _tell_ready(
    address: str, port: int, prefix: str, key: "CosigningKey", origins: list[str]
) -> None:
    """Say that requests are answered now, where, and with which key."""
    vkey = str(key.cosigner_key)
    if session().as_json:
        ready = {"address": address, "port": port, "verifier_key": vkey, "origins": origins}
        output.write_json(ready, is_line=True)
    else:
        output.write(f"Witness {vkey}\nServing on http://{address}{prefix}")
        output.say(f"Cosigning for {output.counted(len(origins), 'log')}: {', '.join(origins)}")


def key(name: _Name = None, folder: _Folder = Path("witness")) -> None:
    """Print the key that verifies the witness's cosignatures; made first if it has none.

    Logs and verifiers put it into their policy: `witness NAME KEY URL`.
    """
    if (folder / _KEY_FILE).exists():
        text = str(_loaded(folder, name).cosigner_key)
    else:
        made, state = _key_and_state(folder, name)
        state.close()
        text = str(made.cosigner_key)
    session().show({"verifier_key": text}, text)


def _key_and_state(folder: Path, name: str | None) -> tuple["CosigningKey", "WitnessStore"]:
    """Return the witness's key and state, made first if there is no key.

    The state comes first: a key without it is that of a witness that lost what it knew.
    """
    from ledger.private import make_folder
    from ledger.witness.store import WitnessStore

    is_new = not (folder / _KEY_FILE).exists()
    if not (is_new and name):
        return _loaded(folder, name), WitnessStore(folder / _STATE_FILE, may_begin=False)
    try:
        make_folder(folder)
    except OSError as error:
        raise MisuseError(f"--folder: {folder} cannot be made: {error}.") from error
    state = WitnessStore(folder / _STATE_FILE, may_begin=True)
    return _loaded(folder, name), state


def _loaded(folder: Path, name: str | None) -> "CosigningKey":
    """Return the witness's key, made first if there is none."""
    from ledger.clock import SystemClock
    from ledger.errors import LedgerError
    from ledger.witness.key_file import load_key

    try:
        return load_key(folder / _KEY_FILE, name, SystemClock())
    except LedgerError as error:
        raise MisuseError(error.message, error.remedy) from error


def _logs(stated: list[str], policy: Path | None) -> dict[str, list["VerifierKey"]]:
    """Return the keys of each log by origin, as the flags and the policy's `log` lines have it."""
    from ledger.chain.keys import ED25519, KeyFormatError, VerifierKey
    from ledger.chain.policy import PolicyError, parse_policy

    logs: dict[str, list[VerifierKey]] = {}
    try:
        for text in stated:
            origin, _, vkey = text.rpartition(" ")
            found = VerifierKey.parse(vkey)
            if found.type != ED25519:
                raise MisuseError("--log: a log signs with a key of type 0x01.")
            logs.setdefault(origin or found.name, []).append(found)
        for listed in parse_policy(read_bytes(policy, NOTE_BYTES_MAX)).logs if policy else ():
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


def _address(listen: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT."""
    host, _, port = listen.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= len("65535")
    if not host or not is_port or int(port) > 0xFFFF:
        raise MisuseError(f"--listen: {listen[:80]!r} is not HOST:PORT.")
    return host.removeprefix("[").removesuffix("]"), int(port)
