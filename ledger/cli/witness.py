"""`decision-ledger witness …`: a witness for any log that signs C2SP checkpoints with Ed25519."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.server import log_to_stderr, stop_signal, write_port
from ledger.cli.session import session
from ledger.events import notation

if TYPE_CHECKING:
    from ledger.chain.cosignature import CosigningKey

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
    prefix: Annotated[str, typer.Option(help="The prefix of the paths, such as /w1.")] = "",
    port_file: Annotated[
        Path | None, typer.Option(help="Write the port there once requests are answered.")
    ] = None,
) -> None:
    """Serve a witness over HTTP, until SIGTERM or Ctrl-C.

    It cosigns each checkpoint of a known log that is proven to keep what it cosigned before, and
    remembers it on disk before it answers. There is no TLS: put a proxy in front of it to serve
    beyond this machine. Lose the folder and the witness must get a new name and key.
    """
    from ledger.operations.witness import witness_server, witnessed_logs

    chosen = session()
    logs = witnessed_logs(log or [], policy)
    log_to_stderr(chosen.settings.log.level, chosen.settings.log.form)
    server, key = witness_server(folder, name, logs, chosen.clock, listen, prefix)
    wait = stop_signal()
    with server:
        if port_file:
            write_port(server.port, port_file)
        address = f"{listen.rpartition(':')[0]}:{server.port}"
        _tell_ready(address, server.port, prefix, key, sorted(logs))
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
        output.say(f"Cosigning for {notation.counted(len(origins), 'log')}: {', '.join(origins)}")


def key(name: _Name = None, folder: _Folder = Path("witness")) -> None:
    """Print the key that verifies the witness's cosignatures; made first if it has none.

    Logs and verifiers put it into their policy: `witness NAME KEY URL`.
    """
    from ledger.operations.witness import witness_key

    chosen = session()
    text = str(witness_key(folder, name, chosen.clock).cosigner_key)
    chosen.show({"verifier_key": text}, text)
