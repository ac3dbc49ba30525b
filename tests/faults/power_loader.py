"""A process that loads a ledger's store while its writes are recorded; run by test_power_cuts.py.

Arguments: the URL and the file that acknowledgements go to. It opens, appends from four threads and
closes, several times over. The log is folded back into the file far more often than in service, so
that a short record shows it many times.
"""

import os
import sys
import threading

from ledger.clock import SystemClock
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, NewEvent, open_store, sqlite
from ledger.storage.vault import Vault

ORIGIN = "ledger.example.com/fraud"
SIZES = (1, 3, 9)
THREADS = 4
REQUESTS = 14  # of each thread in each turn
TURNS = 3
WAL_PAGES = 150


def turn(url: str, out: int, number: int) -> None:
    """Open the store, append and acknowledge, and close it."""
    store = open_store(url, SystemClock(), vault=Vault(bytes(32)))
    body = encode_body(actor="users/ada", data={"note": "x" * 200})

    def append(thread: int) -> None:
        for at in range(REQUESTS):
            request_id = f"{number}-{thread}-{at}"
            events = [NewEvent(f"models/m{thread}", "model.updated.v1", body)] * SIZES[at % 3]
            done = store.requests.append(
                AppendRequest(ORIGIN, "users/ada", "Load", events, request_id=request_id)
            )
            os.write(out, f"{request_id} {done.first_position} {done.last_position}\n".encode())

    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()


def main(url: str, acknowledged: str) -> None:
    """Load in turns."""
    assert sqlite.WAL_PAGES > WAL_PAGES
    sqlite.WAL_PAGES = WAL_PAGES  # type: ignore[misc]
    out = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(TURNS):
        turn(url, out, number)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
