"""A process that loads a ledger until it is killed; run by test_kill.py.

Started once, it forks a child for each line `URL FIFO ROUND` on its standard input, because a fork
is quicker than a new interpreter. The child answers every acknowledged append with a line
`request_id first last` on the FIFO, and ends only by a kill; its parent then reports the signal.
"""

import os
import signal
import sys
import threading

from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, CreateLedger, NewEvent, open_store
from ledger.storage.vault import Vault

ORIGIN = "ledger.example.com/fraud"
SIZES = (1, 3, 20)
THREADS = 4


def load(url: str, fifo: str, turn: str) -> None:
    """Append from several threads for ever, acknowledging what was answered."""
    out = os.open(fifo, os.O_WRONLY)
    store = open_store(url, SystemClock(), vault=Vault(bytes(32)), create=True)
    try:
        store.ledgers.create(CreateLedger(ORIGIN, "wall", 300, "users/ada"))
    except LedgerError:
        store.ledgers.named(ORIGIN)  # there already, or this fails
    body = encode_body(actor="users/ada", data={"note": "x" * 200})

    def _append(thread: int) -> None:
        number = 0
        while True:
            number += 1
            request_id = f"{turn}-{thread}-{number}"
            size = SIZES[(thread + number) % len(SIZES)]
            events = [NewEvent(f"models/m{thread}", "model.updated.v1", body)] * size
            result = store.requests.append(
                AppendRequest(ORIGIN, "users/ada", "Load", events, request_id=request_id)
            )
            # One short write to a pipe is atomic, and what it holds survives the writer's death.
            os.write(out, f"{request_id} {result.first_position} {result.last_position}\n".encode())

    threads = [threading.Thread(target=_append, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Fork a loader for each line; print its process id, then how it ended."""
    for line in sys.stdin:
        url, fifo, turn = line.split()
        child = os.fork()
        if child == 0:
            load(url, fifo, turn)
            os._exit(1)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        ended = "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"status {status}"
        sys.stdout.write(f"{ended}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
